/** An actor that sends more than anybody takes: payloads go where its checkpoint is, and nothing is lost. */
import { expect } from 'vitest';
import type { Cell } from '../../core/cell.ts';
import { sendTo, World } from './world.ts';

const A = 'a.plain1';
const COUNTER = 'b.counter1';

/** Twice `each` messages to somebody who cannot be reached, then can. `full`: the state of the sender is looked at while they wait. */
export async function floodAndDrain(each: number, full: (cell: Cell, world: World) => void): Promise<void> {
  const world = new World();
  world.logics['counter'] = world.logic('counter', (state) => ({ state: { count: Number(state['count'] ?? 0) + 1 } }));
  await world.up('n1', ['a']);
  await world.up('n2', ['b']);
  await world.advance(1_000);
  world.network.partition('n1', 'n2');
  const many = Array.from({ length: each }, (_, n) => sendTo(COUNTER, { type: 'm', n }));
  await world.send(A, { type: 'go', do: many });
  await world.send(A, { type: 'go', do: many });
  await world.advance(100);
  const cell = await world.time.run(world.node('n1').cellAt(A));
  await world.time.run(cell.checkpoint());
  const inMemory = [...(cell.actor.tables.outbox?.byId.values() ?? [])].filter((send) => send.event !== undefined);
  expect(inMemory.length).toBe(1_000);
  full(cell, world);
  world.network.heal();
  await world.advance(1_000_000);
  const receiver = await world.time.run(world.node('n2').cellAt(COUNTER));
  expect(receiver.view().context).toEqual({ count: 2 * each });
  const sender = await world.time.run(world.node('n1').cellAt(A));
  expect(sender.actor.tables.outbox?.byId.size ?? 0).toBe(0);
}
