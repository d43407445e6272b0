/**
 * What a receiver remembers of each sender: one cursor a (sender, lane). DELIVERY §4.
 *
 *   in order (`after` at most the cursor)?  ->  young enough?  ->  not given up?  ->  take
 *
 * A cursor may be forgotten after twice the horizon without movement; then only its age tells an old copy from a new message.
 */
import type { Address } from '../address.ts';
import type { Lane } from '../effect.ts';

export interface Cursor {
  /** Position of the last envelope that was taken or is dead. */
  at: number;
  /** `ts` of the record that created this cursor, ms since 1970. */
  readonly birth: number;
  /** `ts` of the record that moved it last, ms since 1970. */
  movedAt: number;
}
export type Cursors = Map<string, Cursor>;

/** The cursor of a sender; user messages are the many, so their key costs nothing. */
export const cursorKey = (from: Address, lane: Lane): string => (lane === 'user' ? from : `${from} ${lane}`);

/** What of an envelope decides its fate. */
export interface Arrival {
  readonly position: number;
  /** Position of the sender's previous send of this lane that nobody has acknowledged; -1: none. */
  readonly after: number;
  /** `ts` of the record that made the send. */
  readonly ts: number;
  readonly expired: boolean;
  readonly void: boolean;
}

export type Reception =
  /** Taken or dead before: acknowledge again. */
  | { readonly kind: 'known' }
  /** Another one comes first. */
  | { readonly kind: 'hold' }
  | { readonly kind: 'dead'; readonly cause: 'forgotten' | 'void' | 'expired' }
  | { readonly kind: 'take' };

const KNOWN: Reception = { kind: 'known' };
const HOLD: Reception = { kind: 'hold' };
const TAKE: Reception = { kind: 'take' };
const FORGOTTEN: Reception = { kind: 'dead', cause: 'forgotten' };
const VOID: Reception = { kind: 'dead', cause: 'void' };
const EXPIRED: Reception = { kind: 'dead', cause: 'expired' };

/** The fate of an envelope, by its sender's cursor. `now` and `horizonMs` in ms. */
export function receive(cursor: Cursor | undefined, e: Arrival, now: number, horizonMs: number): Reception {
  const at = cursor === undefined ? -1 : cursor.at;
  if (e.position <= at) return KNOWN;
  // The order comes first, at every age: else a late message would jump over an older one that still may be taken.
  if (e.after > at) return HOLD;
  if (e.ts < (cursor === undefined ? now : cursor.birth) - horizonMs) return FORGOTTEN;
  if (e.void) return VOID;
  return e.expired ? EXPIRED : TAKE;
}

/** A record says that this envelope is taken or dead. */
export function advance(cursors: Cursors, from: Address, lane: Lane, position: number, ts: number): void {
  const key = cursorKey(from, lane);
  const cursor = cursors.get(key);
  if (cursor === undefined) {
    cursors.set(key, { at: position, birth: ts, movedAt: ts });
    return;
  }
  if (position > cursor.at) cursor.at = position;
  cursor.movedAt = ts;
}

/** Drops cursors that have not moved for twice the horizon. Keeping one longer is always safe, so only checkpoints do this. */
export function dropStill(cursors: Cursors, now: number, horizonMs: number): void {
  for (const [key, cursor] of cursors) if (cursor.movedAt < now - 2 * horizonMs) cursors.delete(key);
}

export const encodeCursors = (cursors: Cursors): unknown => Array.from(cursors, ([key, c]) => [key, c.at, c.birth, c.movedAt]);

export const decodeCursors = (json: unknown): Cursors =>
  new Map((json as [string, number, number, number][]).map(([key, at, birth, movedAt]) => [key, { at, birth, movedAt }]));
