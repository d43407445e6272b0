/**
 * An actor whose code was edited so that it no longer does what its log says: at which record, what this code does there, and what may be
 * done. The old code is gone, so what differs is held against the checkpoint that it left, where that is of the very same point.
 */
import { type Address, ROOT } from '../core/address.ts';
import { decodeCheckpoint } from '../core/checkpoint.ts';
import { type ErrorCode, isMeshError } from '../core/errors.ts';
import type { Divergence } from '../core/fold/seal.ts';
import type { Inspection } from '../core/operator/inspection.ts';
import { lastBridge } from '../core/operator/lifecycle.ts';
import type { View } from '../core/logic.ts';
import type { StreamId } from '../core/ports/event-store.ts';
import type { LogicStamp } from '../core/record.ts';
import { type Frame, verify } from '../core/replay.ts';
import { type Change, changesOf } from './render/changes.ts';
import { stampText } from './render/record.ts';

/** What the node said of it. */
export interface Refusal {
  readonly actor: Address;
  /** The declared actor that it belongs to: itself, or its kind. */
  readonly kind: Address;
  readonly code: ErrorCode;
  readonly reason: string;
}

export interface Misfit extends Refusal {
  /** Steps lie above its checkpoint, and above what a person made of it: only the code that made them can fold them. */
  readonly needsOld: boolean;
  /** The first record that this code does not repeat; undefined: it repeats all, or nobody has looked. */
  readonly divergence?: Divergence & { readonly record: Frame['record'] };
  /** What this code makes of that record. */
  readonly before?: View;
  readonly after?: View;
  readonly effects?: Frame['effects'];
  /** From the state to which that record led, as the old code saved it, to the one to which it leads by this code; empty: not known. */
  readonly changes?: readonly Change[];
  /** The code that wrote the end of the log; undefined: nobody has looked. */
  readonly wrote?: LogicStamp;
  /** Not even the beginning of its log can be folded by this code. */
  readonly isShut?: true;
}

/** `look`: fold its log, to say where they part. */
export async function misfitOf(inspect: Inspection, refusal: Refusal, look: boolean): Promise<Misfit> {
  const stream = inspect.stream(refusal.actor);
  const checkpoint = await inspect.store.loadCheckpoint(stream);
  const misfit = {
    ...refusal,
    needsOld: await hasSteps(inspect, stream, await lastBridge(inspect.store, stream, (checkpoint?.seq ?? 0) + 1)),
  };
  if (!look) return misfit;
  const saved = checkpoint === undefined ? undefined : decodeCheckpoint(checkpoint.bytes, refusal.actor);
  const wrote = await lastStamp(inspect, stream, checkpoint?.seq ?? 0, saved?.tables.logic);
  const seen = { ...misfit, ...(wrote !== undefined && { wrote }) };
  let frame: Frame | undefined;
  try {
    frame = await verify(inspect.source, stream);
  } catch (error) {
    // Its beginning was cut off, and it goes on from a state that this code does not have.
    if (isMeshError(error, 'CHECKPOINT_INCOMPATIBLE')) return { ...seen, isShut: true };
    throw error;
  }
  const parted = { ...seen, ...partingOf(frame) };
  if (frame?.divergence?.what !== 'state' || checkpoint === undefined || frame.seq > checkpoint.seq) return parted;
  // What was saved further on says nothing of this record.
  if (await hasSteps(inspect, stream, frame.seq + 1, checkpoint.seq)) return parted;
  return { ...parted, changes: changesOf(saved?.snapshot as View | undefined, frame.after) };
}

/** Between these records, both included. */
async function hasSteps(inspect: Inspection, stream: StreamId, from: number, to?: number): Promise<boolean> {
  for await (const { kind } of inspect.store.read(stream, from, to)) if (kind === 'init' || kind === 'event') return true;
  return false;
}

/** Of the code that wrote the end of a log, of which `saved` wrote what lies up to `seq`. */
async function lastStamp(
  inspect: Inspection,
  stream: StreamId,
  seq: number,
  saved: LogicStamp | undefined,
): Promise<LogicStamp | undefined> {
  let last = saved;
  for await (const record of inspect.store.read(stream, seq + 1))
    if ('logic' in record && record.logic !== undefined) last = record.logic;
  return last;
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
  /** Without the program: `Invocation.command` writes it. */
  readonly typed: string;
  readonly about: string;
}

/** What is in a state that is gone has to be given another. What only did otherwise before may stay where it is. */
const mustChange = ({ code }: Misfit): boolean => code === 'CHECKPOINT_INCOMPATIBLE';

/** What a person may do about it. */
export function choicesOf(misfit: Misfit): readonly Choice[] {
  const { actor, needsOld, divergence, isShut } = misfit;
  const old = needsOld ? ' --old FILE' : '';
  const choices: Choice[] = [
    {
      typed: `migrate ${actor}${old}${mustChange(misfit) ? ' --with FILE' : needsOld ? ' [--with FILE]' : ''}`,
      about: mustChange(misfit)
        ? 'go on in this code, from what a function of yours makes of the old state'
        : 'go on in this code, from the state that the old code left',
    },
  ];
  const isChild = actor === ROOT || actor.includes('@', 1);
  const repeatsNothing = isShut === true || divergence?.record.kind === 'init' || divergence?.record.kind === 'bridge';
  if (!isChild && !repeatsNothing)
    choices.push({ typed: `fork ${actor}`, about: 'go on beside it, from the last record that this code repeats' });
  choices.push({ typed: `reset ${actor}${old}`, about: 'begin anew; the old log stays below' });
  return choices;
}

/** What the files in the choices are. */
export function filesOf(misfit: Misfit): readonly string[] {
  const { needsOld, wrote } = misfit;
  const by = wrote === undefined ? '' : ` (${stampText(wrote)})`;
  const lines: string[] = [];
  if (needsOld) lines.push(`--old FILE: the code that wrote the log${by}, or any that does what it says`);
  if (mustChange(misfit)) lines.push('--with FILE: a function that makes a state of this code of the old one');
  else if (needsOld)
    lines.push(
      '--with FILE: needed besides where the state that it is in has another name here: a function that gives the new one',
    );
  return lines.length === 0 ? [] : [...lines, '`reprise migrate --help` shows examples'];
}
