/** The store of the models does what the real one does. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isMeshError } from '../../core/errors.ts';
import type { StreamId } from '../../core/ports/event-store.ts';
import type { LogRecord } from '../../core/record.ts';
import { memory } from '../../persistence/memory.ts';
import { aboveOf, append, emptyStore, headOf, isDirty, type Rec, save, truncate } from './store.ts';

const stream: StreamId = { shard: 'g/0', actor: 'b' };
const small = fc.nat(5);
type Op =
  | { readonly do: 'claim'; readonly above: number }
  | { readonly do: 'append'; readonly expected: number; readonly epoch: number; readonly count: number }
  | { readonly do: 'save'; readonly seq: number; readonly epoch: number; readonly leaf: boolean }
  | { readonly do: 'truncate'; readonly seq: number }
  | { readonly do: 'write'; readonly off: number; readonly stale: number }
  | { readonly do: 'checkpoint'; readonly off: number; readonly stale: number; readonly leaf: boolean };
const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ do: fc.constant('claim' as const), above: fc.integer({ min: 1, max: 2 }) }),
  fc.record({ do: fc.constant('append' as const), expected: small, epoch: small, count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ do: fc.constant('save' as const), seq: small, epoch: small, leaf: fc.boolean() }),
  fc.record({ do: fc.constant('truncate' as const), seq: small }),
  // Most numbers at random are refused: these are right, or off by one.
  fc.record({ do: fc.constant('write' as const), off: fc.integer({ min: -1, max: 1 }), stale: fc.nat(1) }),
  fc.record({
    do: fc.constant('checkpoint' as const),
    off: fc.integer({ min: -1, max: 1 }),
    stale: fc.nat(1),
    leaf: fc.boolean(),
  }),
);

const recordOf = (seq: number, { is, epoch }: Rec): LogRecord => ({
  v: 1,
  seq,
  epoch,
  kind: 'ready',
  meta: { ts: 0, seed: 0, id: is },
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** The real store and the plain one, side by side: each call returns both answers. */
class Both {
  readonly real = memory();
  plain = emptyStore(true);

  async claim(above: number): Promise<[string, string]> {
    const epoch = this.plain.claim + above;
    const real = await this.real.claim({ shard: stream.shard, epoch, session: 's', node: 'n' }, this.plain.claim);
    this.plain = { ...this.plain, claim: epoch };
    return [real, 'claimed'];
  }
  async append(expected: number, epoch: number, count: number): Promise<[string, string]> {
    const records = Array.from({ length: count }, (_, i): Rec => ({ is: `${expected + i}`, epoch }));
    const texts = records.map((record, i) => recordOf(expected + 1 + i, record));
    const next = append(this.plain, expected, epoch, records);
    this.plain = next ?? this.plain;
    return [(await this.real.append(stream, expected, epoch, texts)).outcome, next === undefined ? 'refused' : 'done'];
  }
  async save(seq: number, epoch: number, leaf: boolean): Promise<[string, string]> {
    const next = save(this.plain, { seq, epoch, leaf, bytes: '' });
    this.plain = next ?? this.plain;
    const real = await this.real.saveCheckpoint(stream, seq, epoch, { wakeAt: undefined, leaf }, new Uint8Array());
    return [real, next === undefined ? 'refused' : 'saved'];
  }
  async truncate(seq: number): Promise<[string, string]> {
    const next = truncate(this.plain, seq);
    this.plain = next ?? this.plain;
    const real = await this.real.truncateBefore(stream, seq).then(
      () => 'truncated',
      (error: unknown) => (isMeshError(error, 'STORE_CONFLICT') ? 'refused' : String(error)),
    );
    return [real, next === undefined ? 'refused' : 'truncated'];
  }
  call(o: Op): Promise<[string, string]> {
    const { plain } = this;
    switch (o.do) {
      case 'claim':
        return this.claim(o.above);
      case 'append':
        return this.append(o.expected, o.epoch, o.count);
      case 'write':
        return this.append(Math.max(0, headOf(plain) + o.off), Math.max(0, plain.claim - o.stale), 1);
      case 'save':
        return this.save(o.seq, o.epoch, o.leaf);
      case 'checkpoint':
        return this.save(headOf(plain) + o.off, plain.claim - o.stale, o.leaf);
      case 'truncate':
        return this.truncate(o.seq);
    }
  }
}

test('with claimFence, after any calls: the same answers, the same content', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(op, { maxLength: 30 }), async (ops) => {
      const both = new Both();
      for (const o of ops) {
        const [real, ours] = await both.call(o);
        expect(real).toBe(ours);
        const { plain } = both;
        const [state] = await all(both.real.streams(stream.shard));
        const records = await all(both.real.read(stream, 1));
        expect(records.map((r) => ({ is: r.meta.id, epoch: r.epoch }))).toEqual(aboveOf(plain, 0));
        expect(state?.head ?? 0).toBe(headOf(plain));
        expect(state?.epoch ?? 0).toBe(plain.epoch);
        expect(state?.checkpointSeq ?? 0).toBe(plain.saved?.seq ?? 0);
        expect(state?.dirty ?? false).toBe(isDirty(plain));
      }
    }),
    { seed: 20260302, numRuns: 300 },
  );
});
