/**
 * Messages from outside (CLI, doors) have no cursor: their ids are remembered for a day, with the reply or the refusal, so that a client
 * may ask again under the same id and get the same answer. A full window refuses; nothing is forgotten early. DELIVERY §4.
 *
 * Where the client brings no id, the node makes one. Nobody waits for a day with such an id: the node itself tries it again while the
 * call lasts, and whoever asked in vain may ask again under it. So they have a window of their own, which refuses nobody: the oldest go.
 */
import type { EventObject } from '../effect.ts';
import type { ErrorCode } from '../errors.ts';

/** How long an id is remembered, ms. */
export const OUTSIDE_MS = 24 * 3_600_000;
export const OUTSIDE_MAX = 10_000;
/** Characters of JSON of all replies that are remembered. */
export const OUTSIDE_CHARS_MAX = 16 * 1024 * 1024;
/** Ids that a node made: some times what a cell has on its way to the store. */
export const MADE_MAX = 2_000;

/** Why the message was not taken, although a record has it. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}
interface Entry {
  /** `ts` of the record that took it, ms since 1970, and its seq. */
  readonly at: number;
  readonly seq: number;
  reply: EventObject | undefined;
  refusal: Refusal | undefined;
  chars: number;
}
/** One window. */
export interface Outside {
  /** By id, the oldest first. */
  readonly ids: Map<string, Entry>;
  chars: number;
}

export const emptyOutside = (): Outside => ({ ids: new Map(), chars: 0 });

/** 'busy': the window is full. Otherwise where it was taken before, with the answer that it got, if any. */
export function acceptOutside(
  outside: Outside | undefined,
  id: string,
  now: number,
): 'take' | 'busy' | Readonly<Pick<Entry, 'seq' | 'reply' | 'refusal'>> {
  if (outside === undefined) return 'take';
  const entry = outside.ids.get(id);
  if (entry !== undefined) return entry;
  if (outside.ids.size < OUTSIDE_MAX && outside.chars < OUTSIDE_CHARS_MAX) return 'take';
  const [oldest] = outside.ids.values();
  return oldest !== undefined && oldest.at < now - OUTSIDE_MS ? 'take' : 'busy';
}

/** A record says that it is taken, or why it is not. Those that are a day old go. */
export function recordOutside(outside: Outside, id: string, ts: number, seq: number, refusal?: Refusal): void {
  for (const [old, entry] of outside.ids) {
    if (entry.at >= ts - OUTSIDE_MS) break;
    forget(outside, old, entry);
  }
  if (!outside.ids.has(id)) enter(outside, id, ts, seq, refusal);
}

function enter(outside: Outside, id: string, at: number, seq: number, refusal: Refusal | undefined): void {
  const chars = refusal === undefined ? 0 : refusal.message.length;
  outside.ids.set(id, { at, seq, reply: undefined, refusal, chars });
  outside.chars += chars;
}

/** The same of an id that a node made: there is always room. */
export function recordMade(made: Outside, id: string, ts: number, seq: number, refusal?: Refusal): void {
  recordOutside(made, id, ts, seq, refusal);
  for (const [old, entry] of made.ids) {
    if (made.ids.size <= MADE_MAX && made.chars <= OUTSIDE_CHARS_MAX) break;
    forget(made, old, entry);
  }
}

function forget(outside: Outside, id: string, entry: Entry): void {
  outside.ids.delete(id);
  outside.chars -= entry.chars;
}

/** Returns the reply that counts: the first. What was refused and is replied to has been sent again by a person. An id that is no longer remembered has nobody who waits for it. */
export function recordReply(outside: Outside, id: string, reply: EventObject): EventObject {
  const entry = outside.ids.get(id);
  if (entry === undefined) return reply;
  if (entry.reply !== undefined) return entry.reply;
  outside.chars -= entry.chars;
  entry.reply = reply;
  entry.refusal = undefined;
  entry.chars = JSON.stringify(reply).length;
  outside.chars += entry.chars;
  return reply;
}

export const encodeOutside = (outside: Outside): unknown =>
  Array.from(outside.ids, ([id, { at, seq, reply, refusal }]) => {
    // What was refused has no reply.
    if (refusal !== undefined) return [id, at, seq, null, refusal];
    return reply === undefined ? [id, at, seq] : [id, at, seq, reply];
  });

export function decodeOutside(json: unknown): Outside {
  const outside = emptyOutside();
  for (const [id, at, seq, reply, refusal] of json as [string, number, number, (EventObject | null)?, Refusal?][]) {
    enter(outside, id, at, seq, refusal);
    if (reply !== undefined && reply !== null) recordReply(outside, id, reply);
  }
  return outside;
}
