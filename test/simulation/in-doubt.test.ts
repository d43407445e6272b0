/** An effect in doubt after a crash: performed under its key again, asked for, given to a person, or told to the chart, as its policy says. */
import { describe, expect, test } from 'vitest';
import { resolve } from '../../core/cell/decisions.ts';
import type { InDoubt } from '../../core/logic.ts';
import { spawn, World } from './world.ts';

/** A call under this policy is under way when its node dies; another takes over. */
async function doubted(policy: InDoubt): Promise<World> {
  const world = new World();
  await world.up('n1');
  world.answer = () => undefined;
  await world.send('plain1', { type: 'go', do: [spawn('pay', 'tool', { policy })] });
  await world.advance(100);
  expect(world.calls.length).toBe(1);
  world.crash('n1');
  world.answer = undefined;
  await world.up('n2');
  await world.advance(10_000);
  return world;
}

describe('an effect in doubt', () => {
  test('retry: again under the same key, once', async () => {
    const world = await doubted('retry');
    expect(world.calls.map((c) => [c.key, c.asks])).toEqual([
      ['plain1!2.0', false],
      ['plain1!2.0', false],
    ]);
    expect(await world.taken('plain1')).toEqual(['go', 'xstate.done.actor.pay']);
  });

  test('ask: its tool is told that it may have been made', async () => {
    const world = await doubted('ask');
    expect(world.calls.map((c) => c.asks)).toEqual([false, true]);
    expect(await world.taken('plain1')).toEqual(['go', 'xstate.done.actor.pay']);
  });

  test('fail: the chart is told, nothing is performed', async () => {
    const world = await doubted('fail');
    expect(world.calls.length).toBe(1);
    expect(await world.taken('plain1')).toEqual(['go', 'xstate.error.actor.pay']);
    const record = (await world.records('plain1')).findLast((r) => r.kind === 'event');
    expect(record).toMatchObject({ event: { error: { code: 'EFFECT_IN_DOUBT' } } });
  });

  test('park: it waits for a person, through further crashes, while the actor takes other messages', async () => {
    const world = await doubted('park');
    expect(world.calls.length).toBe(1);
    expect(world.node('n2').status('plain1')?.inDoubt).toEqual(['plain1!2.0']);
    await world.send('plain1', { type: 'm', n: 'meanwhile' });
    world.crash('n2');
    const node = await world.up('n3');
    await world.advance(10_000);
    expect(world.calls.length).toBe(1);
    expect(node.status('plain1')?.inDoubt).toEqual(['plain1!2.0']);
    expect(world.events.filter((e) => e.type === 'actor.in_doubt').map((e) => e['effect'])).toEqual(['plain1!2.0', 'plain1!2.0']);
  });

  test.each([
    ['retry', { kind: 'retry' }, 2, 'xstate.done.actor.pay'],
    ['fail', { kind: 'fail' }, 1, 'xstate.error.actor.pay'],
    ['an output', { kind: 'output', output: 'seen in the bank' }, 1, 'xstate.done.actor.pay'],
  ] as const)('park, and a person says: %s', async (_what, how, calls, event) => {
    const world = await doubted('park');
    const cell = await world.time.run(world.node('n2').cellAt('plain1'));
    resolve(cell, 'plain1!2.0', how);
    expect(() => resolve(cell, 'plain1!2.0', how)).toThrow(/not in doubt/);
    await world.advance(1_000);
    expect(world.calls.length).toBe(calls);
    expect(await world.taken('plain1')).toEqual(['go', event]);
  });

  test('a new life: what ran is a dead letter, and its late answer is not taken', async () => {
    const world = new World();
    await world.up('n1');
    let answer: ((output: unknown) => void) | undefined;
    world.answer = (_call, done) => {
      answer = done;
    };
    await world.send('plain1', { type: 'go', do: [spawn('pay', 'tool', { policy: 'park' })] });
    const reset = world.node('n1').reset('plain1');
    await world.advance(5_000);
    await reset;
    answer?.('too late');
    await world.advance(1_000);
    expect(await world.dead('plain1')).toEqual(['in_doubt:reprise.leaf']);
    expect((await world.taken('plain1')).filter((n) => n !== 'go')).toEqual([]);
  });
});
