/** What a fork and a reset have done, and what they leave behind. */
import type { Address } from '../../core/address.ts';
import type { Fork, Reset } from '../../core/operator/upkeep.ts';
import { stateText } from './text.ts';

const inState = (state: unknown): string => (state === undefined ? '' : `, in state ${stateText(state)}`);
const range = (first: number, last: number): string => (first === last ? `record ${first}` : `records ${first} to ${last}`);

/** `desk/a~1 stands where desk/a stood after record 1 of 5, in state empty` */
export const forkText = (actor: Address, { address, from, of, state }: Fork): string =>
  `${address} stands where ${actor} stood after record ${from} of ${of}${inState(state)}`;

/** What did not come along; nothing: all did. */
export const forkNotes = (actor: Address, { from, of, pending }: Fork): string[] => [
  ...(from < of ? [`not in it: ${range(from + 1, of)} of ${actor}, whose log is as it was`] : []),
  ...(pending.length > 0 ? [`not come along: ${pending.join(', ')}`] : []),
];

/** `desk/a begins anew; records 1 to 8 (last state: approved) stay in its log` */
export const resetText = (actor: Address, { first, last, state }: Reset): string =>
  `${actor} begins anew; ${range(first, last)}${state === undefined ? '' : ` (last state: ${stateText(state)})`} ${first === last ? 'stays' : 'stay'} in its log`;
