/** Who kills its process is parked, alone; who was only there when it died is not. */
import { describe, expect, test } from 'vitest';
import { unpark } from '../../core/cell/decisions.ts';
import { supervisor } from '../../core/supervisor.ts';
import { sendTo, World } from './world.ts';

/** Lives until one in which nobody dies; returns how many there were. */
async function livesOf(world: World, max = 10): Promise<number> {
  for (let life = 1; life <= max; life++) {
    await world.up(`life${life}`).catch(() => undefined);
    await world.advance(20_000);
    if (world.nodes.size > 0) return life;
  }
  return Infinity;
}
const crashAll = (world: World): void => {
  for (const name of world.nodes.keys()) world.crash(name);
};
const status = (world: World, actor: string) => [...world.nodes.values()].at(-1)?.status(actor);
const STRIKES = expect.stringContaining('three strikes') as string;

/** Ends its process on `kill`. */
function killing(): World {
  const world = new World();
  world.logics['killer'] = world.logic('killer', (state, event) => {
    if (event.type === 'kill') crashAll(world);
    return { state: { ...state, got: [...(state['got'] as unknown[]), event.type] } };
  });
  return world;
}

describe('three strikes are three in a row', () => {
  test('a good life between two deaths at an opening makes them start again', async () => {
    let kills = false;
    const world = new World({
      at: (w, point, _node, what) => {
        if (kills && point === 'append.after' && what.includes('plain1 activated')) crashAll(w);
      },
    });
    await world.up('n0');
    await world.send('plain1', { type: 'm', n: 0 });
    for (let i = 1; i <= 5; i++) {
      crashAll(world);
      kills = true;
      await world.up(`bad${i}`).catch(() => undefined);
      kills = false;
      await world.up(`good${i}`);
      await world.advance(20_000);
      await world.send('plain1', { type: 'm', n: i });
    }
    expect(status(world, 'plain1')?.phase).toBe('running');
    expect(await world.taken('plain1')).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

test('what has ended is put away at once, and taken up no more after an unclean end', async () => {
  const world = new World({ passivateAfterMs: 3_600_000 });
  await world.up('n1');
  await world.send('plain1', { type: 'm', n: 1 });
  const stop = world.node('n1').send('plain1', { type: 'reprise.stop', run: 'r' }, { internal: 'system' });
  await world.advance(5_000);
  await stop;
  const { length } = await world.records('plain1');
  world.crash('n1');
  await world.up('n2');
  await world.advance(20_000);
  expect(await world.records('plain1')).toHaveLength(length);
});

test('an actor is tried once after an unclean end, not each time that it is taken up', async () => {
  const world = new World({ passivateAfterMs: 1_000 });
  await world.up('n1');
  await world.send('plain1', { type: 'm', n: 1 });
  world.crash('n1');
  await world.up('n2');
  await world.advance(20_000);
  for (const n of [2, 3, 4]) {
    await world.send('plain1', { type: 'm', n });
    await world.advance(5_000);
    expect(world.node('n2').cells.size).toBe(0);
  }
  const trials = (await world.records('plain1')).filter((r) => r.kind === 'activated' && r.reason === 'trial');
  expect(trials).toHaveLength(1);
});

describe('a message that ends its process', () => {
  test('before its actor was ever there: the address is parked, and goes on when a person says so', async () => {
    const world = killing();
    await world.up('n0');
    await world.send('plain1', { type: 'm', n: 'go', do: [sendTo('killer1', { type: 'kill' })] });
    await world.advance(5_000);
    expect(world.nodes.size).toBe(0);
    expect(await livesOf(world)).toBeLessThanOrEqual(5);
    expect(status(world, 'killer1')).toMatchObject({ phase: 'parked', reason: STRIKES });
    expect(status(world, 'plain1')?.phase ?? 'running').toBe('running');
    world.logics['killer'] = world.logic('killer', (state, event) => ({ state: { ...state, got: [event.type] } }));
    const node = [...world.nodes.values()].at(-1);
    unpark(await world.time.run(node?.cellAt('killer1') ?? Promise.reject(new Error('no node'))));
    await world.advance(5_000);
    expect(await world.taken('killer1')).toEqual(['kill']);
  });

  test('new actors cost nothing more after an unclean end, if what begins them came later', async () => {
    const world = killing();
    await world.up('n0');
    world.crash('n0');
    await world.up('n1');
    await world.advance(20_000);
    await world.send('plain1', { type: 'm', n: 1, do: [sendTo('plain2', { type: 'm', n: 2 })] });
    await world.advance(1_000);
    for (const actor of ['plain1', 'plain2']) expect((await world.records(actor)).map((r) => r.kind)).toEqual(['init', 'event']);
  });

  test('by beginning, ordered by its supervisor: it waits for a person, and its siblings go on', async () => {
    const world = new World();
    world.logics['reprise.supervisor'] = supervisor;
    const dying = world.logic('dying', (state) => ({ state }));
    world.logics['dying'] = {
      ...dying,
      init: (...args) => {
        crashAll(world);
        return dying.init(...args);
      },
    };
    await world.up('n0');
    const input = {
      children: [
        { id: 'good', address: 'sup/good', logic: 'plain' },
        { id: 'bad', address: 'sup/bad', logic: 'dying' },
      ],
    };
    const order = { type: 'reprise.start', run: 'r1', logic: 'reprise.supervisor', input };
    world
      .node('n0')
      .send('sup', order, { internal: 'system' })
      .catch(() => undefined);
    await world.advance(5_000);
    expect(world.nodes.size).toBe(0);
    expect(await livesOf(world)).toBeLessThanOrEqual(6);
    await world.advance(60_000);
    expect(status(world, 'sup/bad')).toMatchObject({ phase: 'parked', reason: STRIKES });
    await world.send('sup/good', { type: 'm', n: 'alive' });
    expect(await world.taken('sup/good')).toEqual(['alive']);
  });
});

test('an actor whose log ends its process when it is folded is parked, and tried again when a person says so', async () => {
  const world = new World();
  let isBroken = false;
  world.logics['fragile'] = world.logic('fragile', (state, event) => {
    if (isBroken) crashAll(world);
    return { state: { ...state, got: [...(state['got'] as unknown[]), event['n']] } };
  });
  await world.up('n0');
  await world.send('fragile1', { type: 'm', n: 1 });
  await world.send('plain1', { type: 'm', n: 1 });
  crashAll(world);
  isBroken = true;
  expect(await livesOf(world)).toBeLessThanOrEqual(4);
  expect(status(world, 'fragile1')).toMatchObject({ phase: 'parked', reason: STRIKES });
  await world.send('plain1', { type: 'm', n: 2 });
  isBroken = false;
  const [node] = world.nodes.values();
  node?.forget('fragile1');
  await world.send('fragile1', { type: 'm', n: 2 });
  expect(await world.taken('fragile1')).toEqual([1, 2]);
  expect(status(world, 'fragile1')?.phase).toBe('running');
});
