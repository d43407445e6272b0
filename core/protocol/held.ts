/**
 * Envelopes that came before their turn: a bounded few wait for the one that they name in `after`. What does not fit is dropped; its
 * sender sends it again.
 */
import type { Address } from '../address.ts';
import type { Lane } from '../effect.ts';
import { cursorKey } from './cursors.ts';

/** Held for one sender and lane, and in all. */
export const HELD_MAX = 64;
export const HELD_TOTAL_MAX = 4_096;

export interface Held<T> {
  readonly lanes: Map<string, Map<number, T>>;
  total: number;
}

export const emptyHeld = <T>(): Held<T> => ({ lanes: new Map(), total: 0 });

/** False: there is no room. */
export function hold<T>(held: Held<T>, from: Address, lane: Lane, position: number, envelope: T): boolean {
  const key = cursorKey(from, lane);
  const waiting = held.lanes.get(key) ?? new Map<number, T>();
  if (!waiting.has(position)) {
    if (waiting.size >= HELD_MAX || held.total >= HELD_TOTAL_MAX) return false;
    held.total++;
  }
  waiting.set(position, envelope);
  held.lanes.set(key, waiting);
  return true;
}

/** Takes out those whose turn has come now that the cursor is at `at`, in order. `afterOf` reads an envelope's `after`. */
export function release<T>(held: Held<T>, from: Address, lane: Lane, at: number, afterOf: (envelope: T) => number): T[] {
  const key = cursorKey(from, lane);
  const waiting = held.lanes.get(key);
  if (waiting === undefined) return [];
  const ready: [number, T][] = [];
  for (const [position, envelope] of waiting) {
    if (position > at && afterOf(envelope) > at) continue;
    waiting.delete(position);
    held.total--;
    if (position > at) ready.push([position, envelope]);
  }
  if (waiting.size === 0) held.lanes.delete(key);
  return ready.sort(([a], [b]) => a - b).map(([, envelope]) => envelope);
}
