/** Checkpoints that cannot be made, and checkpoints that hold another state than they say. */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Logic } from '../../core/logic.ts';
import type { NodeOptions } from '../../core/node.ts';
import { Inspection } from '../../core/operator/inspection.ts';
import { reducer } from '../../core/reducer.ts';
import { World, type WorldOptions } from './world.ts';

describe('a state that JSON cannot hold', () => {
  /** Counts in bigints until it is told to use numbers. */
  const counting = (): Logic =>
    reducer<{ readonly n: bigint | number; readonly text: string }, null>({
      id: 'counter',
      version: '1',
      init: () => ({ state: { n: 0n, text: '' }, effects: [] }),
      step: ({ n }, event) => ({
        state: {
          n: event['plain'] === true || typeof n === 'number' ? Number(n) + 1 : n + 1n,
          text: String(event['text'] ?? ''),
        },
        effects: [],
      }),
    });
  const counter = async (): Promise<World> => {
    const world = new World({ logics: { counter: counting() }, passivateAfterMs: 2_000 });
    await world.up('n1');
    return world;
  };
  const ofCheckpoints = (world: World) =>
    world.events.filter((e) => e.type === 'actor.checkpoint_failed' || e.type === 'store.stalled' || e.type === 'actor.crashed');
  const count = (world: World) => (world.node('n1').cells.get('counter1')?.view().context as { n: unknown } | undefined)?.n;

  test('is told once, not as a failure of the store; the actor goes on from its log, in memory', async () => {
    const world = await counter();
    for (let i = 0; i < 30; i++) {
      await world.send('counter1', { type: 'm', text: 'x'.repeat(20_000) });
      await world.advance(3_000);
    }
    expect(ofCheckpoints(world)).toMatchObject([
      { type: 'actor.checkpoint_failed', actor: 'counter1', reason: expect.stringMatching(/BigInt/) },
    ]);
    expect(count(world)).toBe(30n);
    await world.stop('n1');
    await world.up('n1');
    expect(count(world)).toBe(30n);
  });

  test('is tried once at each head, and saved when it can be', async () => {
    let tries = 0;
    const logic = counting();
    const persist = (snapshot: unknown): unknown => {
      tries++;
      return logic.persist(snapshot);
    };
    const world = new World({ logics: { counter: { ...logic, persist } }, passivateAfterMs: 2_000 });
    await world.up('n1');
    await world.send('counter1', { type: 'm' });
    await world.advance(60_000);
    expect(tries).toBe(1);
    await world.send('counter1', { type: 'm', plain: true });
    await world.advance(10_000);
    expect(tries).toBe(2);
    expect(world.node('n1').cells.size).toBe(0);
    await world.send('counter1', { type: 'm' });
    expect(count(world)).toBe(3);
    expect(ofCheckpoints(world)).toHaveLength(1);
  });

  test('costs a step no try each when its log is long', async () => {
    let tries = 0;
    const logic = counting();
    const persist = (snapshot: unknown): unknown => {
      tries++;
      return logic.persist(snapshot);
    };
    const world = new World({ logics: { counter: { ...logic, persist } } });
    const node = await world.up('n1');
    for (let i = 0; i < 5; i++)
      await world.time.run(Promise.all(Array.from({ length: 1_000 }, () => node.send('counter1', { type: 'm' }))));
    for (let i = 0; i < 50; i++) await world.send('counter1', { type: 'm' });
    expect(count(world)).toBe(5_050n);
    // Each 32 KiB of log at most.
    expect(tries).toBeLessThan(60);
  });
});

describe('a checkpoint that holds another state than its digest says', () => {
  /** What is read of `plain1` at the next start says that it took 7 and nothing else. */
  function flipped(): WorldOptions & { flips: boolean } {
    const options: WorldOptions & { flips: boolean } = {
      flips: false,
      passivateAfterMs: 500,
      made: (o: NodeOptions): NodeOptions => ({
        ...o,
        store: {
          ...o.store,
          loadCheckpoint: async (stream) => {
            const found = await o.store.loadCheckpoint(stream);
            if (found === undefined || !options.flips) return found;
            const saved = JSON.parse(zstdDecompressSync(found.bytes).toString()) as { snapshot: { state: { got: unknown[] } } };
            saved.snapshot.state.got = [7];
            return { ...found, bytes: zstdCompressSync(JSON.stringify(saved)) };
          },
        },
      }),
    };
    return options;
  }
  const told = (world: World) => world.events.filter((e) => e.type === 'actor.checkpoint_failed' || e.type === 'actor.parked');
  const state = (world: World) =>
    world.node('n1').cells.get('plain1')?.view().context as { readonly got: readonly unknown[] } | undefined;

  async function saved(options: WorldOptions): Promise<World> {
    const world = new World(options);
    await world.up('n1');
    for (const n of [1, 2, 3]) await world.send('plain1', { type: 'm', n });
    await world.advance(3_000);
    expect(world.node('n1').cells.size).toBe(0);
    return world;
  }

  test('is left aside: the whole log is folded, and it is told', async () => {
    const options = flipped();
    const world = await saved(options);
    options.flips = true;
    await world.send('plain1', { type: 'm', n: 4 }, 'four');
    expect(state(world)?.got).toEqual([1, 2, 3, 4]);
    expect(told(world)).toMatchObject([
      { type: 'actor.checkpoint_failed', actor: 'plain1', code: 'REPLAY_DIVERGED', reason: expect.stringContaining('at seq 4') },
    ]);
    await world.advance(3_000);
    options.flips = false;
    // The next checkpoint holds what is right, the ids from outside too.
    await world.send('plain1', { type: 'm', n: 4 }, 'four');
    await world.send('plain1', { type: 'm', n: 5 });
    expect(state(world)?.got).toEqual([1, 2, 3, 4, 5]);
    expect(told(world)).toHaveLength(1);
  });

  test('parks the actor when the log before it is not kept', async () => {
    const options = flipped();
    const world = await saved(options);
    await world.store.truncateBefore({ shard: 'default/0', actor: 'plain1' }, 3);
    options.flips = true;
    await expect(world.send('plain1', { type: 'm', n: 4 })).rejects.toMatchObject({
      code: 'REPLAY_DIVERGED',
      data: { what: 'checkpoint', seq: 4, actor: 'plain1' },
    });
    expect(told(world)).toMatchObject([{ type: 'actor.parked', actor: 'plain1', code: 'REPLAY_DIVERGED' }]);
    expect(await world.taken('plain1')).toEqual([3]);
  });

  test('parks the actor also when what is kept could pass for a log', async () => {
    const options = flipped();
    const world = await saved(options);
    await world.time.run(world.node('n1').view('plain1'));
    world.node('n1').cells.get('plain1')?.park('by hand');
    await world.advance(100);
    await world.store.truncateBefore({ shard: 'default/0', actor: 'plain1' }, 4);
    expect((await world.records('plain1')).map((r) => r.kind)).toEqual(['failed']);
    world.crash('n1');
    options.flips = true;
    const node = await world.up('n1');
    await world.advance(5_000);
    expect(node.status('plain1')).toMatchObject({
      code: 'REPLAY_DIVERGED',
      reason: 'the checkpoint of plain1 at seq 4 holds another state than the one it names',
    });
  });

  test('is what replay begins with, although what is kept could pass for a log', async () => {
    const world = await saved({ passivateAfterMs: 1_000 });
    await world.time.run(world.node('n1').view('plain1'));
    world.node('n1').cells.get('plain1')?.park('by hand');
    await world.advance(100);
    await world.store.truncateBefore({ shard: 'default/0', actor: 'plain1' }, 4);
    const inspect = new Inspection({ store: world.store, plan: world.plan() });
    expect(await inspect.state('plain1')).toMatchObject({ context: { got: [1, 2, 3] } });
  });

  test('is left aside when the log is kept from a bridge on', async () => {
    const options = flipped();
    const world = await saved(options);
    await world.time.run(world.node('n1').reset('plain1'));
    await world.send('plain1', { type: 'm', n: 10 });
    await world.advance(3_000);
    expect(world.node('n1').cells.size).toBe(0);
    const bridge = (await world.records('plain1')).find((r) => r.kind === 'bridge');
    await world.store.truncateBefore({ shard: 'default/0', actor: 'plain1' }, (bridge?.seq ?? 0) - 1);
    options.flips = true;
    await world.send('plain1', { type: 'm', n: 11 });
    expect(state(world)?.got).toEqual([10, 11]);
    expect(told(world)).toHaveLength(1);
  });
});
