/**
 * Where code and log part, in words. Of what the old code did the log keeps only digests: they find the place, and say nothing to people.
 */
import type { Divergence } from '../../core/fold/seal.ts';
import type { View } from '../../core/logic.ts';
import type { Frame } from '../../core/replay.ts';
import { effectText } from './record.ts';
import { placeFromHere, stateText } from './text.ts';

/** A record that this code does not repeat, and what it makes of it. */
export interface Parting {
  readonly divergence: Divergence;
  readonly before?: View | undefined;
  readonly after?: View | undefined;
  readonly effects?: Frame['effects'];
}

/** `this code goes empty -> pending and then: emit filed; the effects in the log were others` */
export function partingText({ divergence, before, after, effects = [] }: Parting, width = 100): string {
  switch (divergence.what) {
    case 'throw':
      return otherText(divergence);
    case 'effects':
      return effects.length === 0
        ? `${stepText(before, after)} and does nothing else; the log has effects there`
        : `${stepText(before, after)} and then: ${effects.map((e) => effectText(e, width)).join('; ')}; the effects in the log were others`;
    case 'checkpoint':
      return otherText(divergence);
    case 'state':
      return `${stepText(before, after)}; in the log its state or context was another`;
  }
}

/** What of it was another. */
export function otherText({ what, actual, at }: Divergence): string {
  if (what === 'throw') return `this code throws: ${actual}${at === undefined ? '' : ` (${placeFromHere(at)})`}`;
  if (what === 'checkpoint') return `this code cannot go on from there: ${actual}`;
  return what === 'effects' ? 'the effects in the log were others' : 'in the log its state or context was another';
}

function stepText(before: View | undefined, after: View | undefined): string {
  const [was, is] = [nameOf(before), nameOf(after)];
  if (was === '') return `this code begins in ${is}`;
  return was === is ? `this code stays in ${is}` : `this code goes ${was} -> ${is}`;
}
const nameOf = (view: View | undefined): string => (view === undefined ? '' : stateText(view.value) || view.status);
