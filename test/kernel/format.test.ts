/** docs/format.md: frozen values, computed by an implementation of that page alone, and by the code. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { childAddress, positionOf, segment, shardOf } from '../../core/address.ts';
import { enterVirtual, fraction, leaveVirtual, numbersOf, seedOf } from '../../core/kernel/determinism.ts';
import { digestOf, effectsDigest } from '../../core/digest.ts';
import type { Effect } from '../../core/effect.ts';
import type { LogRecord } from '../../core/record.ts';
import { type FrozenLog, frozenLog } from './format-log.ts';
import * as spec from './format-spec.ts';

interface Vectors {
  readonly segments: readonly { readonly key: string; readonly segment: string }[];
  readonly children: readonly {
    readonly parent: string;
    readonly child: string;
    readonly effect: string;
    readonly address: string;
  }[];
  readonly positions: readonly { readonly id: string; readonly position: number }[];
  readonly shards: readonly {
    readonly group: string;
    readonly address: string;
    readonly shards: number;
    readonly shard: string;
  }[];
  readonly values: readonly { readonly value: spec.Json; readonly digest: string }[];
  readonly seeds: readonly { readonly actor: string; readonly seq: number; readonly seed: number }[];
  readonly numbers: readonly {
    readonly ts: number;
    readonly seed: number;
    readonly words: readonly number[];
    readonly random: number;
    readonly uuid: string;
  }[];
  readonly effects: readonly { readonly effects: readonly Effect[]; readonly digest: string }[];
  readonly log: FrozenLog;
}
const vectors = JSON.parse(readFileSync(new URL('../vectors/format.json', import.meta.url), 'utf8')) as Vectors;

describe('by the page and by the code', () => {
  test.each(vectors.segments)('§1 the segment of $key', ({ key, segment: want }) => {
    expect([spec.percentEncode(key), segment(key)]).toEqual([want, want]);
  });
  test.each(vectors.children)('§1 a child: $address', ({ parent, child, effect, address }) => {
    const bySpec = `${parent}/${spec.percentEncode(child)}@${effect.split('!').at(-1)}`;
    expect([bySpec, childAddress(parent, child, effect)]).toEqual([address, address]);
  });
  test.each(vectors.positions)('§1 the position of $id', ({ id, position }) => {
    expect([spec.position(id), positionOf(id)]).toEqual([position, position]);
  });
  test.each(vectors.shards)('§1 the shard of $address', ({ group, address, shards, shard }) => {
    expect([spec.shard(group, address, shards), shardOf(group, address, shards)]).toEqual([shard, shard]);
  });
  test.each(vectors.values)('§4 the digest of $value', ({ value, digest }) => {
    expect([spec.digest(value), digestOf(value)]).toEqual([digest, digest]);
  });
  test.each(vectors.effects)('§4 effects: $digest', ({ effects, digest }) => {
    expect([spec.effectsDigest(effects as unknown as spec.Json), effectsDigest(effects)]).toEqual([digest, digest]);
  });
  test.each(vectors.seeds)('§2 the seed of $actor at $seq', ({ actor, seq, seed }) => {
    expect([spec.seed(actor, seq), seedOf(actor, seq)]).toEqual([seed, seed]);
  });
  test.each(vectors.numbers)('§5 the numbers of ts $ts, seed $seed', ({ ts, seed, words, random, uuid }) => {
    const [bySpec, byCode] = [spec.numbers(ts, seed), numbersOf(ts, seed)];
    expect(words.map(() => Number(bySpec()))).toEqual(words);
    expect(words.map(() => byCode())).toEqual(words);
    expect([spec.random(bySpec), fraction(byCode)]).toEqual([random, random]);
    expect(spec.uuid(bySpec)).toBe(uuid);
    // As a machine meets them: an id takes four numbers, as `words` has.
    const outer = enterVirtual(ts, seed);
    const met = [crypto.randomUUID(), Math.random(), crypto.randomUUID()];
    leaveVirtual(outer);
    expect(met).toEqual([spec.uuid(spec.numbers(ts, seed)), random, uuid]);
  });
});

describe('a whole log', () => {
  const { actor, records, effects, checkpoint } = vectors.log;

  test('§8 has no fault that can be seen without its machine', () => {
    expect(spec.faults(actor, records, checkpoint)).toEqual([]);
    const digests = records.flatMap((r) => ('effectsDigest' in r ? [r.effectsDigest] : []));
    expect(effects.map((list) => spec.effectsDigest(list as unknown as spec.Json))).toEqual(digests);
    const delays = records.map((r) => ('delays' in r ? r.delays : []));
    expect(delays.flat()).toEqual(effects.flat().flatMap((e) => ('delay' in e ? [e.delay] : [])));
  });

  test.each<[name: string, change: (r: LogRecord) => object]>([
    ['another seed', (r) => ({ ...r, meta: { ...r.meta, seed: r.meta.seed + 1 } })],
    ['a gap', (r) => ({ ...r, seq: r.seq + 1 })],
    ['time that falls', (r) => ({ ...r, meta: { ...r.meta, ts: 0 } })],
    ['an epoch that falls', (r) => ({ ...r, epoch: 0 })],
    ['a settled effect of the future', (r) => ({ ...r, done: [`${actor}!99.0`] })],
    ['a message twice', (r) => ({ ...r, meta: { ...r.meta, id: 'desk/intake!1.0', from: 'desk/intake' } })],
  ])('§8 shows %s', (_, change) => {
    const changed = records.map((r, i) => (i === 2 ? change(r) : r)) as LogRecord[];
    expect(spec.faults(actor, changed, checkpoint)).not.toEqual([]);
  });

  test('§8 shows a snapshot that was changed', () => {
    const snapshot = { ...checkpoint.snapshot, context: { n: -1 } };
    expect(spec.faults(actor, records, { ...checkpoint, snapshot })).toContain('checkpoint: digest');
  });

  test('the code writes the same log, record by record', () => {
    expect(frozenLog()).toEqual(vectors.log);
  });
});
