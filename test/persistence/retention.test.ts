import { describe, expect, test } from 'vitest';
import { importedShard, shardOf } from '../../core/address.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../core/checkpoint.ts';
import { isMeshError } from '../../core/errors.ts';
import { Inspection } from '../../core/operator/inspection.ts';
import { logOwner } from '../../core/operator/log-owner.ts';
import { deflateRecords } from '../../core/payload.ts';
import type { StreamState } from '../../core/ports/event-store.ts';
import { addSend, emptyOutbox, settleSend } from '../../core/protocol/outbox.ts';
import { NOBODY } from '../../core/recovery.ts';
import { judge, prunable, prune, removeLog, type RetentionParts } from '../../core/operator/retention.ts';
import { emptyTables, type Tables } from '../../core/tables.ts';
import { seededEntropy } from '../../core/testing/virtual.ts';
import { memory } from '../../persistence/memory.ts';
import { all, given, record, seqs } from '../conformance/records.ts';
import { claimAt } from './subjects.ts';

const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 1);
const HORIZON = 7 * DAY;
const RULES = {
  horizonMs: HORIZON,
  retentionMs: (address: string) => (address.startsWith('keep') ? undefined : address.startsWith('brief') ? 0 : 30 * DAY),
};

function tablesOf(change: Partial<Tables>): Tables {
  return { ...emptyTables({ logic: 'x', input: null }, { id: 'x', hash: 'h' }), head: 3, epoch: 1, lastTs: START, ...change };
}
function owing(): Tables['outbox'] {
  const outbox = emptyOutbox();
  addSend(outbox, { id: 'a!3.0', position: 3 * 65_536, to: 'b', lane: 'user', event: { type: 'owed' }, ts: START });
  return outbox;
}

describe('judge', () => {
  const stream = (change: Partial<StreamState> = {}): StreamState => ({
    shard: 'default/0',
    actor: 'a',
    head: 3,
    epoch: 1,
    checkpointSeq: 3,
    wakeAt: undefined,
    dirty: false,
    tombstone: false,
    ...change,
  });
  const ended = tablesOf({ status: 'done', endedAt: START });
  const tomb = stream({ tombstone: true });
  const stopped = tablesOf({ status: 'stopped' });
  const settled = emptyOutbox();

  test.each<[string, StreamState, Tables | undefined, number, false | 'log' | 'tombstone', string]>([
    ['a living actor, however old', stream(), tablesOf({}), 9_999, false, 'it lives'],
    ['a parked one', stream(), tablesOf({ parked: { reason: 'x', seq: 3 } }), 9_999, false, 'it is parked'],
    ['one that is not at rest', stream({ dirty: true }), ended, 9_999, false, 'records lie above its checkpoint'],
    ['one without a checkpoint', stream(), undefined, 9_999, false, 'records lie above its checkpoint'],
    ['a finished one before its time', stream(), ended, 29.9, false, 'it is kept until 2026-01-31'],
    ['a finished one at its time', stream(), ended, 30, 'log', 'it ended on 2026-01-01'],
    ['one that failed', stream(), tablesOf({ status: 'error', endedAt: START }), 30, 'log', 'it ended on 2026-01-01'],
    [
      'one of which only the last record is known',
      stream(),
      tablesOf({ status: 'stopped' }),
      30,
      'log',
      'it ended on 2026-01-01',
    ],
    ['one of a kind with a retention of its own', stream({ actor: 'brief/a' }), ended, 0, 'log', 'it ended on 2026-01-01'],
    ['one of a kind that is kept', stream({ actor: 'keep/a' }), ended, 9_999, false, 'its kind is kept for ever'],
    [
      'a finished one that owes sends: a tombstone keeps them',
      stream(),
      { ...ended, outbox: owing() },
      30,
      'log',
      'it ended on 2026-01-01',
    ],
    ['a tombstone within twice the horizon', tomb, stopped, 13.9, false, 'what it took may come again until 2026-01-15'],
    ['a tombstone after that', tomb, stopped, 14, 'tombstone', 'nothing has come for it since 2026-01-01'],
    ['a tombstone that owes sends', tomb, { ...stopped, outbox: owing() }, 9_999, false, 'others have not taken what it sent'],
    [
      'a tombstone whose sends were taken',
      tomb,
      { ...stopped, outbox: settled },
      14,
      'tombstone',
      'nothing has come for it since 2026-01-01',
    ],
  ])('%s', (_what, state, saved, days, goes, why) => {
    expect(judge(state, saved, RULES, START + days * DAY)).toMatchObject({ goes, why });
  });
});

/** A store with logs of actors that ran, some of them to their end, and somebody who prunes it. */
async function world() {
  let now = START;
  const store = memory({ now: () => now });
  const inspect = new Inspection({ store, plan: { shards: 1, groupOf: () => 'default', logicOf: () => NOBODY } });
  const owner = logOwner({ store, inspect, clock: { now: () => now }, entropy: seededEntropy(1) });
  const open = new Set<string>();
  const parts: RetentionParts = {
    store,
    stream: (address) => inspect.stream(address),
    streams: () => inspect.streams(),
    rules: RULES,
    isOpen: (address) => open.has(address),
    remove: (address, options) => owner.remove(address, store, options),
    now: () => now,
  };
  const shard = shardOf('default', 'a', 1);
  const epoch = async (): Promise<number> => {
    const present = (await store.claims())[0]?.epoch ?? 0;
    await claimAt(store, shard, present + 1);
    return present + 1;
  };
  /** Records at `now`; a checkpoint at the head as `change` says. */
  const write = async (actor: string, events: Record<string, unknown>[], change?: Partial<Tables>): Promise<void> => {
    const stream = inspect.stream(actor);
    const at = await epoch();
    const { head } = await store.head(stream);
    const records = events.map((event, i) => record(head + 1 + i, at, event));
    await store.append(stream, head, at, await deflateRecords(records, store));
    if (change === undefined) return;
    const tables = tablesOf({ lastTs: now, ...change, head: head + events.length, epoch: at });
    const meta = { wakeAt: undefined, leaf: false };
    await store.saveCheckpoint(stream, tables.head, at, meta, encodeCheckpoint(undefined, undefined, tables).bytes);
  };
  return {
    store,
    parts,
    open,
    write,
    stream: (actor: string) => inspect.stream(actor),
    later: (ms: number) => (now += ms),
    end: (actor: string, ...events: Record<string, unknown>[]) =>
      write(actor, events.length === 0 ? [{}, {}, {}] : events, { status: 'done', endedAt: now }),
    pruned: async () => {
      const what = await prunable(parts);
      await prune(parts, what);
      return {
        actors: what.actors.map((a) => `${a.address} ${a.records}`),
        tombstones: [...what.tombstones],
        blobs: what.blobs.map((b) => b.bytes),
      };
    },
    blobs: async () => (await all(store.list())).map((b) => b.bytes).toSorted((x, y) => x - y),
  };
}
const NOTHING = { actors: [], tombstones: [], blobs: [] };
/** Large enough for a blob of its own; its length tells it apart. */
const document = (kib: number): Record<string, unknown> => ({ text: 'x'.repeat(kib * 1024) });
const sizeOf = (kib: number): number => JSON.stringify({ type: 'note', n: 1, ...document(kib) }).length;

describe('what is pruned', () => {
  test('a log after its retention, its tombstone after two horizons more, and no seq is used again', async () => {
    const w = await world();
    await w.end('a');
    await w.write('b', [{}, {}], {});
    expect(await w.pruned()).toEqual(NOTHING);
    w.later(30 * DAY);
    expect(await w.pruned()).toEqual({ ...NOTHING, actors: ['a 3'] });
    expect(await seqs(w.store.read(w.stream('a'), 1))).toEqual([]);
    expect((await w.store.loadCheckpoint(w.stream('a')))?.tombstone).toBe(true);
    const { head } = await w.store.head(w.stream('a'));
    expect(head).toBeGreaterThan(3);
    w.later(2 * HORIZON - 1);
    expect(await w.pruned()).toEqual(NOTHING);
    w.later(1);
    expect(await w.pruned()).toEqual({ ...NOTHING, tombstones: ['a'] });
    expect(await w.store.head(w.stream('a'))).toEqual({ head, epoch: 0 });
    expect(await w.store.head(w.stream('never seen'))).toEqual({ head, epoch: 0 });
    expect(await seqs(w.store.read(w.stream('b'), 1))).toEqual([1, 2]);
    expect(await w.pruned()).toEqual(NOTHING);
  });

  test('what is only asked for stays, byte by byte', async () => {
    const w = await world();
    await w.end('a', document(100));
    await w.store.put(new Uint8Array(7));
    w.later(40 * DAY);
    const found = await prunable(w.parts);
    expect(found.actors).toEqual([{ address: 'a', records: 1, endedAt: START, why: 'it ended on 2026-01-01' }]);
    expect(found.blobs.map((b) => b.bytes)).toEqual([7]);
    expect(await prunable(w.parts)).toEqual(found);
    expect(await seqs(w.store.read(w.stream('a'), 1))).toEqual([1]);
    expect(await w.blobs()).toEqual([7, sizeOf(100)]);
  });

  test('a finished actor keeps what it owes others, until they have taken it', async () => {
    const w = await world();
    await w.write('a', [{}, {}, {}], { status: 'done', endedAt: START, outbox: owing() });
    w.later(30 * DAY);
    expect(await w.pruned()).toEqual({ ...NOTHING, actors: ['a 3'] });
    w.later(365 * DAY);
    expect(await w.pruned()).toEqual(NOTHING);
    const kept = decodeCheckpoint((await w.store.loadCheckpoint(w.stream('a')))?.bytes ?? new Uint8Array(), 'a').tables;
    expect([...(kept.outbox?.byId.values() ?? [])].map((s) => [s.id, s.event])).toEqual([['a!3.0', { type: 'owed' }]]);
    const outbox = owing();
    settleSend(outbox as NonNullable<typeof outbox>, 'a!3.0');
    const at = await w.store.loadCheckpoint(w.stream('a'));
    await w.write('a', [{}]);
    await w.store.saveCheckpoint(
      w.stream('a'),
      (at?.seq ?? 0) + 1,
      (await w.store.claims())[0]?.epoch ?? 0,
      { wakeAt: undefined, leaf: false, tombstone: true },
      encodeCheckpoint(undefined, undefined, { ...kept, outbox }).bytes,
    );
    expect(await w.pruned()).toEqual({ ...NOTHING, tombstones: ['a'] });
  });

  test('a person may remove a log that no code can fold, however long: each record becomes a dead letter', async () => {
    const w = await world();
    for (let i = 0; i < 5; i++)
      await w.write(
        'a',
        Array.from({ length: 1_000 }, () => ({})),
      );
    await expect(removeLog(w.parts, 'a', {})).rejects.toSatisfy((error) => isMeshError(error, 'CHECKPOINT_INCOMPATIBLE'));
    expect(await removeLog(w.parts, 'a', { acceptLoss: true })).toBe(10_001);
    const kept = decodeCheckpoint((await w.store.loadCheckpoint(w.stream('a')))?.bytes ?? new Uint8Array(), 'a').tables;
    expect([kept.head, kept.deadCount]).toEqual([10_001, 5_000]);
  });

  test('what has changed since it was listed is left alone', async () => {
    const w = await world();
    for (const actor of ['grew', 'came alive', 'in memory', 'as listed', 'went']) await w.end(actor);
    w.later(30 * DAY);
    const listed = await prunable(w.parts);
    expect(listed.actors).toHaveLength(5);
    await w.write('grew', [{}]);
    await w.write('came alive', [{}], {});
    await w.store.deleteStream(w.stream('went'));
    w.open.add('in memory');
    await prune(w.parts, listed);
    const lengths = async (...actors: string[]): Promise<number[]> =>
      Promise.all(actors.map(async (actor) => (await seqs(w.store.read(w.stream(actor), 1))).length));
    expect(await lengths('grew', 'came alive', 'in memory', 'as listed', 'went')).toEqual([4, 4, 3, 0, 0]);
  });

  test('a tombstone that took mail since it was listed is left alone', async () => {
    const w = await world();
    await w.end('a');
    w.later(30 * DAY);
    await w.pruned();
    w.later(2 * HORIZON);
    const listed = await prunable(w.parts);
    expect(listed.tombstones).toEqual(['a']);
    await w.write('a', [{}]);
    await prune(w.parts, listed);
    expect((await seqs(w.store.read(w.stream('a'), 1))).length).toBe(1);
  });
});

describe('payloads', () => {
  test('go a day after they were put, unless a record names them', async () => {
    const w = await world();
    await w.write('b', [document(100)], {});
    await w.store.put(new Uint8Array(5));
    w.later(DAY);
    await w.store.put(new Uint8Array(6));
    expect(await w.pruned()).toEqual(NOTHING);
    w.later(1);
    expect(await w.pruned()).toEqual({ ...NOTHING, blobs: [5] });
    w.later(DAY);
    expect(await w.pruned()).toEqual({ ...NOTHING, blobs: [6] });
    w.later(365 * DAY);
    expect(await w.pruned()).toEqual(NOTHING);
    expect(await w.blobs()).toEqual([sizeOf(100)]);
  });

  test('of a removed log stay for another day, and those that others name for longer', async () => {
    const w = await world();
    await w.end('a', document(100), document(200));
    await w.write('b', [document(100)], {});
    w.later(30 * DAY);
    expect(await w.pruned()).toEqual({ ...NOTHING, actors: ['a 2'] });
    w.later(DAY);
    expect(await w.pruned()).toEqual(NOTHING);
    w.later(1);
    expect(await w.pruned()).toEqual({ ...NOTHING, blobs: [sizeOf(200)] });
    expect(await w.blobs()).toEqual([sizeOf(100)]);
  });

  test('of a log that a person removes stay for another day too', async () => {
    const w = await world();
    await w.end('a', document(100));
    w.later(5 * DAY);
    expect(await removeLog(w.parts, 'a', {})).toBeGreaterThan(0);
    expect(await w.pruned()).toEqual(NOTHING);
    w.later(DAY + 1);
    expect(await w.pruned()).toEqual({ ...NOTHING, blobs: [sizeOf(100)] });
  });

  test('that an imported log names stay', async () => {
    const w = await world();
    const log = await deflateRecords([record(1, 1, document(100))], w.store);
    const stream = { shard: importedShard('copy'), actor: 'a' };
    await w.store.importStream(stream, { after: 0, checkpoint: undefined, records: given(log) });
    w.later(9 * DAY);
    expect(await w.pruned()).toEqual(NOTHING);
    await w.store.deleteStream(stream);
    expect(await w.pruned()).toEqual({ ...NOTHING, blobs: [sizeOf(100)] });
  });

  test('that were put again since they were listed stay: a record that names them is on its way', async () => {
    const w = await world();
    await w.store.put(new Uint8Array(5));
    w.later(2 * DAY);
    const listed = await prunable(w.parts);
    expect(listed.blobs).toHaveLength(1);
    await w.store.put(new Uint8Array(5));
    await prune(w.parts, listed);
    expect(await w.blobs()).toEqual([5]);
  });
});
