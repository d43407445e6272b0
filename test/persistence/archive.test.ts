import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { importedShard, shardOf } from '../../core/address.ts';
import { archiveLines, importArchive, type ImportedLog } from '../../core/operator/archive.ts';
import { isMeshError } from '../../core/errors.ts';
import { Inspection } from '../../core/operator/inspection.ts';
import { deflateRecords } from '../../core/payload.ts';
import type { StreamId } from '../../core/ports/event-store.ts';
import { memory, type MemoryStore } from '../../persistence/memory.ts';
import { all, ODD, record, records } from '../conformance/records.ts';
import { World } from '../simulation/world.ts';
import { claimAt, sqliteSubject } from './subjects.ts';

const SHARD = shardOf('default', 'plain1', 1);

/** Everything of one log that can be looked at: each state, effect and record. */
async function performed(world: World, store: MemoryStore, imported?: string): Promise<unknown[]> {
  const inspect = new Inspection({ store, plan: world.plan(), ...(imported !== undefined && { imported }) });
  return (await all(inspect.frames('plain1'))).map(({ record: r, after, effects }) => ({ record: r, after, effects }));
}
async function exported(store: MemoryStore, ...actors: string[]): Promise<string[]> {
  const inspect = new Inspection({ store, plan: new World().plan() });
  const source = {
    store,
    stream: (of: string): StreamId => inspect.stream(of),
    inflate: (r: Parameters<typeof inspect.source.inflate>[0]) => inspect.source.inflate(r),
  };
  const lines: string[] = [];
  for (const actor of actors) lines.push(...(await all(archiveLines(source, 'desk', actor))));
  return lines;
}
async function* given(lines: readonly string[]): AsyncGenerator<string> {
  for (const line of lines) yield await Promise.resolve(line);
}
const imported = (store: MemoryStore, lines: readonly string[], name = 'copy'): Promise<ImportedLog[]> =>
  importArchive(store, name, { name: 'logs.jsonl', lines: given(lines) });

/** An actor that took a few messages, one of them large. */
async function ran(): Promise<World> {
  const world = new World({ passivateAfterMs: 500 });
  await world.up('n1');
  for (const n of ['one', 'two', 'x'.repeat(100_000), 'four']) await world.send('plain1', { type: 'm', n });
  await world.advance(5_000);
  return world;
}

describe('a log that goes through an archive', () => {
  test('is performed again as it was, in any store', async () => {
    const world = await ran();
    const lines = await exported(world.store, 'plain1');
    const before = await performed(world, world.store);
    expect(before.length).toBeGreaterThan(4);
    expect(lines.join('\n')).toContain('x'.repeat(100_000));
    const into = await sqliteSubject();
    for (const store of [world.store, memory(), into.store as MemoryStore]) {
      expect(await imported(store, lines)).toEqual([{ actor: 'plain1', records: before.length }]);
      expect(await performed(world, store, 'copy')).toEqual(before);
      expect((await all(store.list())).length).toBe(1);
    }
    await into.close();
  });

  test('says of which mesh, actor and code it is, and how far it goes', async () => {
    const world = await ran();
    const lines = await exported(world.store, 'plain1');
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      stream: {
        format: 1,
        mesh: 'desk',
        actor: 'plain1',
        logic: { id: 'plain', version: '1', hash: world.plan().logicOf('plain', 'plain1').hash },
        after: 0,
        head: lines.length - 1,
      },
    });
  });

  test('without its beginning comes with its checkpoint, and goes on from there', async () => {
    const world = await ran();
    const stream = { shard: SHARD, actor: 'plain1' };
    const saved = (await world.store.loadCheckpoint(stream))?.seq ?? 0;
    expect(saved).toBeGreaterThan(2);
    await world.send('plain1', { type: 'm', n: 'after' });
    await world.store.truncateBefore(stream, saved);
    const lines = await exported(world.store, 'plain1');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      stream: { after: saved, checkpoint: { seq: saved }, logic: { id: 'plain' } },
    });
    const store = memory();
    await imported(store, lines);
    expect(await performed(world, store, 'copy')).toEqual(await performed(world, world.store));
    const inspect = new Inspection({ store, plan: world.plan(), imported: 'copy' });
    expect(JSON.stringify((await inspect.state('plain1')).context)).toContain('"after"');
  });

  test('of which only the checkpoint is left comes as that', async () => {
    const world = await ran();
    const stream = { shard: SHARD, actor: 'plain1' };
    const { head } = await world.store.head(stream);
    expect((await world.store.loadCheckpoint(stream))?.seq).toBe(head);
    await world.store.truncateBefore(stream, head);
    const lines = await exported(world.store, 'plain1');
    expect(lines).toHaveLength(1);
    const store = memory();
    expect(await imported(store, lines)).toEqual([{ actor: 'plain1', records: 0 }]);
    const context = async (of: MemoryStore, name?: string): Promise<unknown> =>
      (await new Inspection({ store: of, plan: world.plan(), ...(name !== undefined && { imported: name }) }).state('plain1'))
        .context;
    expect(await context(store, 'copy')).toEqual(await context(world.store));
  });

  test('keeps whatever JSON can hold', async () => {
    const store = memory();
    await claimAt(store, SHARD, 1);
    const log = ODD.map((event, i) => record(i + 1, 1, event));
    await store.append({ shard: SHARD, actor: 'plain1' }, 0, 1, await deflateRecords(log, store));
    const lines = await exported(store, 'plain1');
    expect(lines.every((line) => !line.includes('\n'))).toBe(true);
    await imported(store, lines);
    const inspect = new Inspection({ store, plan: new World().plan(), imported: 'copy' });
    expect(await all(inspect.records('plain1'))).toEqual(JSON.parse(JSON.stringify(log)));
  });

  test('ends where the log ended when it was begun to be written, though it grows', async () => {
    const store = memory();
    await claimAt(store, SHARD, 1);
    const stream = { shard: SHARD, actor: 'plain1' };
    await store.append(stream, 0, 1, records(0, 10));
    const inspect = new Inspection({ store, plan: new World().plan() });
    const source = {
      store,
      stream: () => stream,
      inflate: (r: Parameters<typeof inspect.source.inflate>[0]) => inspect.source.inflate(r),
    };
    const lines: string[] = [];
    for await (const line of archiveLines(source, 'desk', 'plain1')) {
      lines.push(line);
      const { head } = await store.head(stream);
      await store.append(stream, head, 1, records(head, 1));
    }
    expect(await imported(store, lines)).toEqual([{ actor: 'plain1', records: 10 }]);
  });

  test('that is not there is an error', async () => {
    await expect(exported(memory(), 'plain1')).rejects.toSatisfy((error) => isMeshError(error, 'ACTOR_NOT_FOUND'));
  });
});

describe('a text that is no archive', () => {
  const head = (more: object = {}): string =>
    JSON.stringify({ stream: { format: 1, mesh: 'desk', actor: 'a', after: 0, head: 2, ...more } });
  const [one, two] = records(0, 2).map((r) => JSON.stringify(r)) as [string, string];
  const third = JSON.stringify(record(3));

  test.each<[string, string[], string, string]>([
    ['nothing', [], 'ARCHIVE_INVALID', ':0: the line begins no actor'],
    ['empty lines', ['', '  '], 'ARCHIVE_INVALID', ':2: the line begins no actor'],
    ['no JSON', [head(), one, '{"v":1,'], 'ARCHIVE_INVALID', ':3: the line is no JSON'],
    ['a record before any head', [one], 'ARCHIVE_INVALID', ':1: the line begins no actor'],
    ['a head without a format', [head({ format: undefined })], 'ARCHIVE_INVALID', ':1: the line begins no actor'],
    ['a head of a later format', [head({ format: 2 })], 'STORE_NEWER', ':1: the log is of format 2, this version reads 1'],
    ['an address that is none', [head({ actor: 'a b' })], 'ARCHIVE_INVALID', ':1: the line names no actor'],
    ['a head that ends before it begins', [head({ after: 3 })], 'ARCHIVE_INVALID', ':1: the line does not say which'],
    ['a checkpoint that is none', [head({ checkpoint: { seq: 1 } })], 'ARCHIVE_INVALID', ':1: the line has a checkpoint'],
    ['a number', [head(), '7'], 'ARCHIVE_INVALID', ':2: the line is no record'],
    ['null', [head(), 'null'], 'ARCHIVE_INVALID', ':2: the line is no record'],
    ['a list', [head(), '[]'], 'ARCHIVE_INVALID', ':2: the line is no record'],
    ['a record of no known kind', [head(), one.replace('"event"', '"party"')], 'ARCHIVE_INVALID', ':2: the line is no record'],
    ['a record without a time', [head(), one.replace('"ts"', '"at"')], 'ARCHIVE_INVALID', ':2: the line is no record'],
    ['an event without a type', [head(), one.replace('"type"', '"typo"')], 'ARCHIVE_INVALID', ':2: the line is no record'],
    ['a record of a later format', [head(), one.replace('"v":1', '"v":2')], 'STORE_NEWER', ':2: the record is of format 2'],
    ['a gap', [head(), two], 'ARCHIVE_INVALID', ':2: the line has seq 2 where 1 must be'],
    ['the same record twice', [head(), one, one], 'ARCHIVE_INVALID', ':3: the line has seq 1 where 2 must be'],
    ['a text that was cut', [head(), one], 'ARCHIVE_INVALID', ':2: the line ends the log of a before seq 2 of 2'],
    [
      'a next actor too early',
      [head(), one, head({ actor: 'b' })],
      'ARCHIVE_INVALID',
      ':3: the line ends the log of a before seq 2',
    ],
    ['a record too many', [head(), one, two, third], 'ARCHIVE_INVALID', ':4: the line goes beyond seq 2'],
    ['something after the last record', [head(), one, two, '"bye"'], 'ARCHIVE_INVALID', ':4: the line begins no actor'],
    [
      'an actor twice',
      [head(), one, two, head(), one, two],
      'ARCHIVE_INVALID',
      ':4: the line begins a, whose log stands above already',
    ],
  ])('%s', async (_what, lines, code, said) => {
    const store = memory();
    const error: unknown = await imported(store, lines).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code, message: expect.stringContaining(said) as unknown });
    expect(await store.shards()).toEqual([]);
  });

  test('whatever becomes of it: all of it is there or nothing, and nothing can be run', async () => {
    const store = memory();
    await claimAt(store, SHARD, 1);
    await store.append({ shard: SHARD, actor: 'plain1' }, 0, 1, records(0, 5));
    await store.append({ shard: SHARD, actor: 'plain2' }, 0, 1, records(0, 3));
    const lines = await exported(store, 'plain1', 'plain2');
    const change = fc.oneof(
      fc.record({ do: fc.constant('drop' as const), at: fc.nat(lines.length - 1) }),
      fc.record({ do: fc.constant('repeat' as const), at: fc.nat(lines.length - 1) }),
      fc.record({ do: fc.constant('swap' as const), at: fc.nat(lines.length - 2) }),
      fc.record({ do: fc.constant('cut' as const), at: fc.nat(lines.length - 1), to: fc.nat(60) }),
      fc.record({
        do: fc.constant('put' as const),
        at: fc.nat(lines.length - 1),
        to: fc.nat(60),
        text: fc.string({ maxLength: 4 }),
      }),
    );
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 0, maxLength: 2 }), async (changes) => {
        const changed = [...lines];
        for (const c of changes) {
          const line = changed[c.at] ?? '';
          if (c.do === 'drop') changed.splice(c.at, 1);
          else if (c.do === 'repeat') changed.splice(c.at, 0, line);
          else if (c.do === 'swap') changed.splice(c.at, 2, changed[c.at + 1] ?? '', line);
          else if (c.do === 'cut') changed[c.at] = line.slice(0, c.to);
          else changed[c.at] = line.slice(0, c.to) + c.text + line.slice(c.to);
        }
        const target = memory();
        const logs = await imported(target, changed).catch((error: unknown) => {
          if (!isMeshError(error)) throw error;
          return [];
        });
        taken += logs.length;
        expect(await target.shards()).toEqual(logs.length === 0 ? [] : [importedShard('copy')]);
        for (const { actor, records: count } of logs) {
          const stream = { shard: importedShard('copy'), actor };
          expect(await all(target.read(stream, 1))).toHaveLength(count);
          expect((await target.append(stream, count, 1, records(count, 1))).outcome).toBe('refused');
        }
      }),
      { seed: 7, numRuns: 500 },
    );
    expect(taken).toBeGreaterThan(20);
  });
});
