/** What a life begins with is performed when its first record is durable, and not before; what killed a process before is found out. */
import { expect, test } from 'vitest';
import { unpark } from '../../core/cell/decisions.ts';
import type { Effect } from '../../core/effect.ts';
import { reducer } from '../../core/reducer.ts';
import { sendTo, spawn, World } from './world.ts';

const A = 'a.eager1';

/** Runs an action, makes a call and sends a message as soon as it lives. */
async function eager(): Promise<{ readonly world: World; readonly runs: string[] }> {
  const runs: string[] = [];
  const world = new World();
  const begin = (): Effect[] => [
    { kind: 'action', type: 'act', params: undefined, run: () => void runs.push('act') },
    spawn('call', 'tool', 'once'),
    sendTo('b.plain1', { type: 'm', n: 'hello' }),
  ];
  world.logics['eager'] = reducer<object, unknown>({
    id: 'eager',
    version: '1',
    init: () => ({ state: {}, effects: begin() }),
    step: (state) => ({ state, effects: [] }),
    sources: { tool: { kind: 'leaf', leaf: world.tool } },
  });
  await world.up('n1', ['a']);
  await world.up('n9', ['b']);
  await world.send(A, { type: 'go' });
  await world.advance(1_000);
  return { world, runs };
}

test('a life that is begun anew does nothing before its first record is durable, and nothing twice after a crash', async () => {
  const { world, runs } = await eager();
  const done = async (): Promise<unknown> => [runs.length, world.calls.length, (await world.taken('b.plain1')).length];
  expect(await done()).toEqual([1, 1, 1]);
  const hold = world.fault({ on: 'append', actor: A, how: 'hold', match: (records) => records.some((r) => r.kind === 'init') });
  await world.time.run(world.node('n1').reset(A, {}));
  await world.advance(5_000);
  expect(hold.held).toHaveLength(1);
  expect(await done()).toEqual([1, 1, 1]);
  world.crash('n1');
  await world.up('n2', ['a']);
  await world.advance(20_000);
  expect(await done()).toEqual([2, 2, 2]);
  expect((await world.records(A)).filter((r) => r.kind === 'init')).toHaveLength(2);
  expect(world.repeated()).toEqual([]);
});

test('an actor that a person lets go on makes its call when that is durable', async () => {
  const world = new World();
  await world.up('n1');
  world.answer = () => undefined;
  await world.send('plain1', { type: 'm', n: 1, do: [spawn('call', 'tool', 'once')] });
  world.node('n1').cells.get('plain1')?.park('by hand');
  await world.advance(100);
  world.crash('n1');
  await world.up('n2');
  await world.advance(20_000);
  expect(world.calls).toHaveLength(1);
  const hold = world.fault({ on: 'append', actor: 'plain1', how: 'hold' });
  unpark(await world.time.run(world.node('n2').cellAt('plain1')));
  await world.advance(5_000);
  expect(world.calls).toHaveLength(1);
  hold.held?.[0]?.();
  await world.advance(1_000);
  expect(world.calls.map((c) => c.key)).toEqual(['plain1!2.0', 'plain1!2.0']);
});

test('who kills its process is found out, also when each life begins with a message that it has had before', async () => {
  const world = new World();
  world.logics['killer'] = world.logic('killer', (state, event) => {
    if (event.type === 'kill') for (const name of world.nodes.keys()) world.crash(name);
    return { state };
  });
  await world.up('n0');
  await world.send('killer1', { type: 'ok' }, 'first');
  let lives = 0;
  for (; world.nodes.size > 0 && lives < 10; lives++) {
    await world.send('killer1', { type: 'kill' }, 'last').catch(() => undefined);
    if (world.nodes.size > 0) break;
    await world.up(`n${lives + 1}`);
    await world.advance(20_000);
    await world.send('killer1', { type: 'ok' }, 'first').catch(() => undefined);
  }
  expect(lives).toBe(4);
  expect([...world.nodes.values()][0]?.status('killer1')).toMatchObject({
    phase: 'parked',
    reason: expect.stringContaining('strikes') as string,
  });
});
