/** An actor that is stopped by hand: what is said of it is so. */
import { describe, expect, test } from 'vitest';
import { startMesh } from '../../index.ts';
import { memory, seededEntropy, virtualClock } from '../../testing.ts';
import { greeter } from './machines.ts';

const CONFIG = {
  mesh: 'hello',
  store: 'memory:',
  actors: {
    greeter: {},
    keeps: { logic: 'greeter', history: 'with' },
    desk: { kind: 'supervisor', children: { inner: { logic: 'greeter' }, each: { kind: 'keyed', logic: 'greeter' } } },
    crew: { kind: 'pool', size: 2, logic: 'greeter' },
  },
} as const;
const greet = { type: 'greet', name: 'Ada' };

describe('stop', () => {
  test.each([
    ['an actor', 'greeter'],
    ['one that is restarted with its history', 'keeps'],
    ['a supervisor with all below it', 'desk'],
    ['one keyed actor', 'desk/each/a'],
    ['a pool', 'crew'],
  ])('waits until %s has stopped, and tells one that was', async (_what, address) => {
    await using mesh = await startMesh(CONFIG, { greeter });
    await mesh.send('desk/each/a', greet);
    expect(await mesh.operations.stop(address)).toBe('stopped');
    expect((await mesh.list()).find((actor) => actor.address === address)).toMatchObject({ phase: 'ended' });
    await expect(mesh.send(address, greet)).rejects.toMatchObject({ code: 'ACTOR_STOPPED' });
    expect(await mesh.operations.stop(address)).toBe('idle');
  });

  test('tells that it has not happened', async () => {
    const clock = virtualClock(undefined, () => new Promise((resolve) => setImmediate(resolve)));
    const store = memory({ now: () => clock.now() });
    const mesh = await clock.run(startMesh(CONFIG, { greeter }, { store, clock, entropy: seededEntropy(1) }));
    const append = store.append.bind(store);
    const { promise: letIn, resolve: letGo } = Promise.withResolvers<void>();
    store.append = async (stream, ...records) => {
      if (stream.actor === 'greeter') await letIn;
      return append(stream, ...records);
    };
    expect(await clock.run(mesh.operations.stop('greeter'))).toBe('stopping');
    letGo();
    await clock.run(mesh.stop());
  });
});
