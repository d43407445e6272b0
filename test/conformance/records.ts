/** Records and streams for the kits of stores. */
import type { StreamId } from '../../core/ports/event-store.ts';
import type { EventRecord, LogRecord } from '../../core/record.ts';

export const SHARD = 'default/0';

export const streamOf = (actor: string, shard = SHARD): StreamId => ({ shard, actor });

export function record(seq: number, epoch = 1, event: Record<string, unknown> = {}): EventRecord {
  return {
    v: 1,
    seq,
    epoch,
    kind: 'event',
    event: { type: 'note', n: seq, ...event },
    meta: { ts: 1_764_000_000_000 + seq, seed: seq, id: `a!${seq}.0`, from: 'a', lane: 'user' },
    digest: `d${seq}`,
    effectsDigest: `e${seq}`,
  };
}

/** `count` records above `after`. */
export const records = (after: number, count: number, epoch = 1): EventRecord[] =>
  Array.from({ length: count }, (_, i) => record(after + 1 + i, epoch));

/** What JSON has to keep. Built by parsing, because a literal cannot hold a key `__proto__`. */
export const ODD: readonly Record<string, unknown>[] = [
  JSON.parse('{"__proto__":{"a":1},"constructor":"c","toString":null,"":"empty key"}') as Record<string, unknown>,
  {
    text: '',
    nul: 'a\u0000b',
    lines: 'a\nb\r\n\u2028\u2029',
    quotes: '"\\\'',
    lone: '\ud800',
    pair: '😀',
    rtl: 'שלום',
    combined: 'é',
  },
  { numbers: [0, -0.5, 1e21, 5e-324, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER], flags: [true, false, null] },
  { deep: Array.from({ length: 60 }).reduce<unknown>((inner) => [{ inner }], 'core'), empty: [{}, [], [[]]] },
  { long: 'ä'.repeat(200_000) },
];

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const item of items) out.push(item);
  return out;
}

/** A log as an adapter is handed one from elsewhere. */
export async function* given(log: readonly LogRecord[]): AsyncGenerator<LogRecord> {
  for (const item of log) yield await Promise.resolve(item);
}

export const seqs = async (items: AsyncIterable<LogRecord>): Promise<number[]> => (await all(items)).map((r) => r.seq);

/** from, from + 1, ..., to */
export const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
