/**
 * An actor whose code was edited so that it no longer does what its log says: at which record, what differs, and what may be done. The old
 * code is gone, so what differs is held against the checkpoint that it left, where there is one above that record.
 */
import type { Address } from '../core/address.ts';
import { decodeCheckpoint } from '../core/checkpoint.ts';
import type { Divergence } from '../core/fold.ts';
import type { Inspection } from '../core/operator/inspection.ts';
import type { View } from '../core/logic.ts';
import type { Frame } from '../core/replay.ts';
import { verify } from '../core/replay.ts';
import type { Io } from './io.ts';
import { type Change, changesOf, changeText } from './render/changes.ts';
import { recordText } from './render/record.ts';
import { stateText } from './render/text.ts';

export interface Misfit {
  readonly actor: Address;
  /** Why it was not taken up. */
  readonly reason: string;
  /** The first record that this code does not repeat; undefined: it repeats all, and yet cannot be in the state that was saved. */
  readonly divergence?: Divergence & { readonly record: Frame['record'] };
  /** What this code makes of that record. */
  readonly before?: View;
  readonly after?: View;
  /** From the state that the old code saved at `savedAt` to what this code would be in there. */
  readonly changes?: readonly Change[];
  readonly savedAt?: number;
}

export async function misfitOf(inspect: Inspection, actor: Address, reason: string): Promise<Misfit> {
  const stream = inspect.stream(actor);
  const parting = await verify(inspect.source, stream);
  const checkpoint = await inspect.store.loadCheckpoint(stream);
  const base = { actor, reason };
  if (checkpoint === undefined || parting?.divergence === undefined || parting.seq > checkpoint.seq)
    return { ...base, ...partingOf(parting) };
  const saved = decodeCheckpoint(checkpoint.bytes, actor).snapshot as View;
  let now: View | undefined;
  for await (const frame of inspect.frames(actor, { from: checkpoint.seq, to: checkpoint.seq })) now = frame.after;
  return { ...base, ...partingOf(parting), changes: changesOf(saved, now), savedAt: checkpoint.seq };
}

const partingOf = (frame: Frame | undefined) =>
  frame?.divergence === undefined
    ? {}
    : {
        divergence: { ...frame.divergence, record: frame.record },
        ...(frame.before !== undefined && { before: frame.before }),
        ...(frame.after !== undefined && { after: frame.after }),
      };

/** What a person may do about it. */
export const choicesOf = (actor: Address): readonly { readonly command: string; readonly about: string }[] => [
  { command: `reprise migrate ${actor} --with FILE`, about: 'go on from a state that a function of yours makes of the old one' },
  { command: `reprise fork ${actor}`, about: 'go on beside it, from the last record that this code repeats' },
  { command: `reprise reset ${actor}`, about: 'begin anew; the old log stays below' },
];

export function misfitLines({ actor, reason, divergence, before, after, changes, savedAt }: Misfit, io: Io): string[] {
  const lines = [
    `${io.paint('red', `${actor} is parked`)}: its code was changed and no longer fits its log. The other actors run.`,
  ];
  if (divergence === undefined) lines.push(`  ${reason}`);
  else {
    lines.push(`  record ${divergence.seq}: ${recordText(divergence.record, io.columns)}`);
    if (divergence.what === 'throw') lines.push(`  this code throws: ${divergence.actual}`);
    else
      lines.push(
        `  this code goes ${stateText(before?.value) || 'nowhere'} -> ${stateText(after?.value)}, and the log says otherwise (${divergence.what})`,
      );
  }
  if (changes !== undefined && changes.length > 0) {
    lines.push(`  from what was saved at record ${savedAt} to what this code makes of it:`);
    for (const change of changes) lines.push(`  ${changeText(change, io.columns)}`);
  }
  lines.push('  Undo the edit, or choose:');
  for (const { command, about } of choicesOf(actor)) lines.push(`    ${io.paint('bold', command)}  ${about}`);
  return lines;
}
