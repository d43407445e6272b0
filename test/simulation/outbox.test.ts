import { describe, expect, test } from 'vitest';
import { floodAndDrain } from './outbox.ts';
import type { Effect } from '../../core/effect.ts';
import { sendTo, World } from './world.ts';

test('beyond a thousand unacknowledged sends payloads lie in the checkpoint only; all arrive', () =>
  floodAndDrain(2_000, (cell, world) => expect(world.node('n1').status(cell.address)).toMatchObject({ phase: 'running' })));

describe('payloads that lie in the checkpoint only', () => {
  const A = 'a.plain1';
  const NEAR = 'b.counter1';
  const AWAY = 'c.counter2';
  const many = (to: string, each: number): Effect[] => Array.from({ length: each }, (_, n) => sendTo(to, { type: 'm', n }));
  const taken = async (world: World, node: string, actor: string): Promise<unknown> =>
    (await world.time.run(world.node(node).cellAt(actor))).view().context;

  /** A node with the sender and one with a receiver; a second receiver's node is away. */
  async function setUp(): Promise<World> {
    const world = new World({ passivateAfterMs: 5_000 });
    world.logics['counter'] = world.logic('counter', (state) => ({ state: { count: Number(state['count'] ?? 0) + 1 } }));
    await world.up('n1', ['a']);
    await world.up('n2', ['b']);
    await world.advance(1_000);
    return world;
  }

  test('go on into the next checkpoint when few are left', async () => {
    const world = await setUp();
    world.network.partition('n1', 'n2');
    await world.send(A, { type: 'go', do: [...many(NEAR, 1_000), ...many(AWAY, 500)] });
    const cell = await world.time.run(world.node('n1').cellAt(A));
    await world.time.run(cell.checkpoint());
    expect(cell.actor.tables.outbox?.byId.get(`${A}!1.1400`)?.event).toBeUndefined();
    world.network.heal();
    await world.advance(600_000);
    expect(await taken(world, 'n2', NEAR)).toEqual({ count: 1_000 });
    world.crash('n1');
    await world.up('n1', ['a']);
    await world.up('n3', ['c']);
    await world.advance(1_000_000);
    expect(await taken(world, 'n3', AWAY)).toEqual({ count: 500 });
  });

  test('are not those of sends that were made while it was being saved', async () => {
    const world = await setUp();
    const held = world.fault({ on: 'saveCheckpoint', actor: A, how: 'hold' });
    await world.send(A, { type: 'go', do: many(AWAY, 1_000) });
    const cell = await world.time.run(world.node('n1').cellAt(A));
    // One that fell due by itself is as good.
    void cell.checkpoint();
    await world.advance(10);
    await world.send(A, { type: 'go', do: many(AWAY, 3) });
    expect(held.held).toHaveLength(1);
    for (const release of held.held ?? []) release();
    await world.advance(100);
    expect(cell.actor.tables.outbox?.byId.get(`${A}!2.1`)?.event).toEqual({ type: 'm', n: 1 });
    await world.up('n3', ['c']);
    await world.advance(1_000_000);
    expect(await taken(world, 'n3', AWAY)).toEqual({ count: 1_003 });
  });
});
