/**
 * An actor whose code was edited so that it no longer does what its log says: at which record, what this code does there, and what may be
 * done. The old code is gone, so what differs is held against the checkpoint that it left, where there is one above that record.
 */
import { type Address, ROOT } from '../core/address.ts';
import { decodeCheckpoint } from '../core/checkpoint.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Divergence } from '../core/fold/seal.ts';
import type { Inspection } from '../core/operator/inspection.ts';
import type { View } from '../core/logic.ts';
import type { StreamId } from '../core/ports/event-store.ts';
import type { Frame } from '../core/replay.ts';
import { verify } from '../core/replay.ts';
import { type Change, changesOf } from './render/changes.ts';

/** What the node said of it. */
export interface Refusal {
  readonly actor: Address;
  /** The declared actor that it belongs to: itself, or its kind. */
  readonly kind: Address;
  readonly code: ErrorCode;
  readonly reason: string;
}

export interface Misfit extends Refusal {
  /** Steps lie above its checkpoint: only the code that made them can fold them. */
  readonly needsOld: boolean;
  /** The first record that this code does not repeat; undefined: it repeats all, or nobody has looked. */
  readonly divergence?: Divergence & { readonly record: Frame['record'] };
  /** What this code makes of that record. */
  readonly before?: View;
  readonly after?: View;
  readonly effects?: Frame['effects'];
  /** From the state that the old code saved at `savedAt` to what this code would be in there. */
  readonly changes?: readonly Change[];
  readonly savedAt?: number;
}

/** `look`: fold its log, to say where they part. */
export async function misfitOf(inspect: Inspection, refusal: Refusal, look: boolean): Promise<Misfit> {
  const stream = inspect.stream(refusal.actor);
  const checkpoint = await inspect.store.loadCheckpoint(stream);
  const misfit = { ...refusal, needsOld: await hasStepsAbove(inspect, stream, checkpoint?.seq ?? 0) };
  if (!look) return misfit;
  const parting = partingOf(await verify(inspect.source, stream));
  if (checkpoint === undefined || parting.divergence === undefined || parting.divergence.seq > checkpoint.seq)
    return { ...misfit, ...parting };
  const saved = decodeCheckpoint(checkpoint.bytes, refusal.actor).snapshot as View;
  let now: View | undefined;
  for await (const frame of inspect.frames(refusal.actor, { from: checkpoint.seq, to: checkpoint.seq })) now = frame.after;
  return { ...misfit, ...parting, changes: changesOf(saved, now), savedAt: checkpoint.seq };
}

async function hasStepsAbove(inspect: Inspection, stream: StreamId, seq: number): Promise<boolean> {
  for await (const { kind } of inspect.store.read(stream, seq + 1)) if (kind === 'init' || kind === 'event') return true;
  return false;
}

const partingOf = (frame: Frame | undefined): Partial<Misfit> =>
  frame?.divergence === undefined
    ? {}
    : {
        divergence: { ...frame.divergence, record: frame.record },
        effects: frame.effects,
        ...(frame.before !== undefined && { before: frame.before }),
        ...(frame.after !== undefined && { after: frame.after }),
      };

export interface Choice {
  readonly command: string;
  readonly about: string;
}

/** What a person may do about it, ready to be copied. */
export function choicesOf({ actor, code, needsOld, divergence }: Misfit): readonly Choice[] {
  const old = needsOld ? ' --old OLD_FILE' : '';
  // What is in a state that is gone has to be given another. What only did otherwise before may stay where it is.
  const mustChange = code === 'CHECKPOINT_INCOMPATIBLE';
  const choices: Choice[] = [
    {
      command: `reprise migrate ${actor}${old}${mustChange ? ' --with FILE' : needsOld ? ' [--with FILE]' : ''}`,
      about: mustChange
        ? 'go on in this code, from what a function of yours makes of the old state'
        : 'go on in this code, from the state that the old code left',
    },
  ];
  if (actor !== ROOT && !actor.includes('@', 1) && divergence?.record.kind !== 'init')
    choices.push({ command: `reprise fork ${actor}`, about: 'go on beside it, from the last record that this code repeats' });
  choices.push({ command: `reprise reset ${actor}${old}`, about: 'begin anew; the old log stays below' });
  return choices;
}
