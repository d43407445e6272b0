/**
 * What became of an append whose answer was lost (DELIVERY §3). Until that is definite nothing is sent to the store but the same bytes.
 */
import type { LogRecord } from '../record.ts';

export interface Attempt {
  /** Head that it expected. */
  readonly expected: number;
  readonly epoch: number;
  /** As they were given to the store. */
  readonly records: readonly LogRecord[];
}
export interface Found {
  readonly head: number;
  readonly epoch: number;
  /** Records above `expected`. */
  readonly above: readonly LogRecord[];
}
export type Outcome =
  /** Nothing of it is there: the same bytes again. */
  | { readonly kind: 'again' }
  | { readonly kind: 'done' }
  /** The first `count` are durable: the rest is appended at the new head. */
  | { readonly kind: 'prefix'; readonly count: number }
  /** Another owner has written, or may: the cell stops. */
  | { readonly kind: 'stop' };

const STOP: Outcome = { kind: 'stop' };

/** `claimed`: does this node still hold the shard at the epoch of the attempt? */
export function settle(attempt: Attempt, found: Found, claimed: boolean): Outcome {
  const { expected, epoch, records } = attempt;
  if (!claimed || found.head !== expected + found.above.length || found.above.length > records.length) return STOP;
  if (found.above.length === 0) return found.epoch > epoch ? STOP : { kind: 'again' };
  if (found.epoch !== epoch || !found.above.every((record, i) => same(record, records[i] as LogRecord))) return STOP;
  return found.above.length === records.length ? { kind: 'done' } : { kind: 'prefix', count: found.above.length };
}

/** Seq and epoch make a record this node's own; the kind and the message are compared for the sake of an owner with a damaged store. */
function same(a: LogRecord, b: LogRecord): boolean {
  return (
    a.seq === b.seq &&
    a.epoch === b.epoch &&
    a.kind === b.kind &&
    a.meta.id === b.meta.id &&
    a.meta.ts === b.meta.ts &&
    digestOf(a) === digestOf(b)
  );
}

const digestOf = (record: LogRecord): string | undefined => ('digest' in record ? record.digest : undefined);
