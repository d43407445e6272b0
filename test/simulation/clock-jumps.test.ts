/** A wall clock that jumps: what is an instant of it, and what is not. docs/guarantees.md says the same in words. */
import { describe, expect, test } from 'vitest';
import type { NodeClock } from '../../core/testing/virtual.ts';
import { sendTo, timer, World, type WorldOptions } from './world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

async function one(options: WorldOptions = {}): Promise<{ readonly world: World; readonly clock: NodeClock }> {
  const world = new World(options);
  await world.up('n1');
  return { world, clock: world.clocks.get('n1') as NodeClock };
}
/** Senders live on n1 (`a.`), receivers on n2 (`b.`). */
async function two(options: WorldOptions = {}): Promise<{ readonly world: World; readonly clock: NodeClock }> {
  const world = new World(options);
  await world.up('n1', ['a']);
  await world.up('n2', ['b']);
  await world.advance(2_000);
  return { world, clock: world.clocks.get('n2') as NodeClock };
}
const ended = (world: World) =>
  world.events.filter((e) => ['node.session_ended', 'actor.dropped', 'shard.released'].includes(e.type));

describe('a jump', () => {
  test.each([
    ['forward', 5 * HOUR],
    ['back', -5 * HOUR],
  ])('%s is told once with its size, and ends no session', async (_, ms) => {
    const { world, clock } = await two();
    await world.send('b.plain1', { type: 'm', n: 1 });
    clock.jump(ms);
    await world.advance(20_000);
    expect(world.events.filter((e) => e.type === 'node.clock_jumped')).toMatchObject([{ node: 'n2', ms }]);
    expect(ended(world)).toEqual([]);
    await world.send('b.plain1', { type: 'm', n: 2 });
    expect(await world.taken('b.plain1')).toEqual([1, 2]);
    // The time in a log never goes back.
    const times = (await world.records('b.plain1')).map((r) => r.meta.ts);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test('that is smaller than a second, or a process that does not run for a while, is none', async () => {
    const { world, clock } = await one();
    for (let i = 0; i < 30; i++) {
      clock.jump(40);
      await world.advance(1_000);
    }
    world.freeze('n1');
    await world.advance(MINUTE);
    world.thaw('n1');
    await world.advance(10_000);
    expect(world.events.filter((e) => e.type === 'node.clock_jumped')).toEqual([]);
  });
});

describe.each([
  ['in memory', 10 * DAY],
  ['asleep', 500],
])('an actor %s', (_, passivateAfterMs) => {
  test('has its timers fired when the clock has jumped over them', async () => {
    const { world, clock } = await one({ passivateAfterMs });
    await world.send('plain1', { type: 'm', n: 1, do: [timer('t', 8 * HOUR, { type: 'ring' })] });
    await world.advance(5_000);
    clock.jump(9 * HOUR);
    await world.advance(2_000);
    expect(await world.taken('plain1')).toEqual([1, 'ring']);
  });

  test('has its timers fired when the clock shows their time, once, also when it went back', async () => {
    const { world, clock } = await one({ passivateAfterMs });
    await world.send('plain1', { type: 'm', n: 1, do: [timer('t', HOUR, { type: 'ring' })] });
    await world.advance(5_000);
    clock.jump(-2 * HOUR);
    await world.advance(3 * HOUR - 10_000);
    expect(await world.taken('plain1')).toEqual([1]);
    await world.advance(20_000);
    clock.jump(-2 * HOUR);
    await world.advance(3 * HOUR);
    expect(await world.taken('plain1')).toEqual([1, 'ring']);
  });

  test('sends again what was lost, also when the clock went back by days', async () => {
    const { world } = await two({ passivateAfterMs });
    world.network.partition('n1', 'n2');
    await world.send('a.plain1', { type: 'go', do: [sendTo('b.plain2', { type: 'm', n: 1 })] });
    await world.advance(5_000);
    world.clocks.get('n1')?.jump(-3 * DAY);
    await world.advance(10_000);
    world.network.heal();
    await world.advance(5 * MINUTE);
    expect(await world.taken('b.plain2')).toEqual([1]);
  });
});

test('an actor is put away after its pause when the clock went back, and one that fails is tried again after its own', async () => {
  const { world, clock } = await one({ passivateAfterMs: 5_000 });
  await world.send('plain1', { type: 'm', n: 1 });
  const failing = world.node('n1').send('plain2', { type: 'm', n: 2, boom: true }, { internal: 'user' });
  failing.catch(() => undefined);
  await world.advance(20);
  clock.jump(-DAY);
  await world.advance(15_000);
  expect(await world.dead('plain2')).toEqual(['poison:2']);
  expect(world.node('n1').cells.size).toBe(0);
});

describe('who was heard', () => {
  test('an id from outside acts again after a jump of more than a day, and not after one back', async () => {
    const { world, clock } = await one();
    const sent = await world.send('plain1', { type: 'm', n: 1 }, 'mine');
    clock.jump(-2 * DAY);
    expect(await world.send('plain1', { type: 'm', n: 1 }, 'mine')).toBe(sent);
    clock.jump(2 * DAY + 25 * HOUR);
    // Nothing acts until the next renewal: a wall clock ahead may be a machine that was suspended.
    await world.advance(2_000);
    await world.send('plain1', { type: 'm', n: 2 }, 'another');
    await world.send('plain1', { type: 'm', n: 1 }, 'mine');
    expect(await world.taken('plain1')).toEqual([1, 2, 1]);
  });

  test.each([
    ['forward by less than the horizon', 20 * HOUR],
    ['back by more than twice the horizon', -3 * DAY],
  ])('no copy is taken, and nothing new is refused, when the clock of the receiver jumps %s', async (_, ms) => {
    const { world, clock } = await two({ horizonMs: DAY, duplication: 1 });
    const send = (n: number): Promise<number> =>
      world.send('a.plain1', {
        type: 'go',
        do: [sendTo('b.plain2', { type: 'm', n }), sendTo(`b.plain${n}0`, { type: 'm', n })],
      });
    await send(1);
    await world.advance(1_000);
    clock.jump(ms);
    await send(2);
    await world.advance(MINUTE);
    clock.jump(-ms);
    await send(3);
    await world.advance(MINUTE);
    expect(await world.taken('b.plain2')).toEqual([1, 2, 3]);
    for (const n of [1, 2, 3]) expect([await world.taken(`b.plain${n}0`), await world.dead(`b.plain${n}0`)]).toEqual([[n], []]);
  });

  test('back by more than the horizon at the sender: who is known goes on, a new sender ends as forgotten until it is mended', async () => {
    const { world } = await two({ horizonMs: HOUR });
    const send = (from: string, n: number): Promise<number> =>
      world.send(from, { type: 'go', do: [sendTo('b.plain9', { type: 'm', n })] });
    await send('a.plain1', 1);
    await world.advance(1_000);
    world.clocks.get('n1')?.jump(-1.5 * HOUR);
    await send('a.plain1', 2);
    await send('a.plain2', 3);
    await world.advance(1_000);
    expect([await world.taken('b.plain9'), await world.dead('b.plain9')]).toEqual([[1, 2], ['forgotten:3']]);
    world.clocks.get('n1')?.jump(1.5 * HOUR);
    await world.advance(2_000);
    await send('a.plain2', 4);
    await world.advance(1_000);
    expect(await world.taken('b.plain9')).toEqual([1, 2, 4]);
  });

  test('forward by more than the horizon: who is known goes on, a new sender ends as forgotten until the true time has caught up', async () => {
    const { world, clock } = await two({ horizonMs: HOUR });
    const send = (from: string, n: number): Promise<number> =>
      world.send(from, { type: 'go', do: [sendTo('b.plain9', { type: 'm', n })] });
    await send('a.plain1', 1);
    await world.advance(1_000);
    clock.jump(1.5 * HOUR);
    await send('a.plain1', 2);
    await send('a.plain2', 3);
    await world.advance(1_000);
    expect([await world.taken('b.plain9'), await world.dead('b.plain9')]).toEqual([[1, 2], ['forgotten:3']]);
    clock.jump(-1.5 * HOUR);
    await send('a.plain2', 4);
    await send('a.plain3', 5);
    await world.advance(1_000);
    expect([await world.taken('b.plain9'), await world.dead('b.plain9')]).toEqual([
      [1, 2, 5],
      ['forgotten:3', 'forgotten:4'],
    ]);
    await world.advance(HOUR);
    await send('a.plain2', 6);
    await world.advance(1_000);
    expect(await world.taken('b.plain9')).toEqual([1, 2, 5, 6]);
  });
});
