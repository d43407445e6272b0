/** An event that nothing handled, in words: what the state of the actor takes instead. */
import { nearest } from '../../core/config/problems.ts';
import { isTaken } from '../../core/logic.ts';
import type { Notice } from '../notice.ts';
import { stateText } from './text.ts';

/** Types that are named at most. */
const TYPES_MAX = 20;

/** `nothing takes 'opne' in state closed (did you mean "open"?); that takes knock, open` */
export function unhandledText({ state, takes }: Pick<Notice, 'state' | 'takes'>, type: string): string {
  const where = `in state ${stateText(state) || 'active'}`;
  if (takes === undefined) return `'${type}' changed nothing ${where}, and nothing was done`;
  if (isTaken(takes, type)) return `'${type}' had no effect ${where}: no guard let it through, or it changes nothing there`;
  if (takes.length === 0) return `nothing takes '${type}' ${where}, which takes no event from outside`;
  const near = nearest(type, takes);
  const names = takes.toSorted();
  const more = names.length > TYPES_MAX ? ', …' : '';
  return `nothing takes '${type}' ${where}${near === undefined ? '' : ` (did you mean "${near}"?)`}; that takes ${names.slice(0, TYPES_MAX).join(', ')}${more}`;
}
