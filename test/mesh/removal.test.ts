/** `delete` and `fork`: nobody is taken away from a supervisor that holds it to be up, and nothing is made that nobody supervises. */
import { describe, expect, test } from 'vitest';
import { type MeshConfig, type MeshError, startMesh } from '../../index.ts';
import { memory, seededEntropy, virtualClock } from '../../testing.ts';
import { greeter } from './machines.ts';

const CONFIG: MeshConfig = {
  mesh: 'hello',
  store: 'memory:',
  actors: {
    greeter: {},
    desk: { kind: 'supervisor', children: { inner: { logic: 'greeter' } } },
    crew: { kind: 'pool', size: 2, logic: 'greeter' },
    each: { kind: 'keyed', logic: 'greeter' },
  },
  models: { oracle: { kind: 'scripted', replies: ['yes'] } },
};
const greet = { type: 'greet', name: 'Ada' };

describe('delete', () => {
  test('the root is refused, with what to do', async () => {
    await using mesh = await startMesh(CONFIG, { greeter });
    await expect(mesh.upkeep.remove('@root')).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('`reprise reset @root`') as string,
    });
    await mesh.send('greeter', greet);
  });

  test.each(['greeter', 'desk', 'desk/inner', 'crew', 'crew/1'])(
    '%s, which its supervisor holds to be up: not before it is stopped, and then it can be started',
    async (address) => {
      await using mesh = await startMesh(CONFIG, { greeter });
      const refusal = (): Promise<string> =>
        mesh.upkeep.remove(address).then(
          () => 'removed',
          (error: MeshError) => `${error.code} ${error.message}`,
        );
      // Members of a pool begin a little later than the mesh is up: refused until then as well.
      expect(await refusal()).toMatch(/^USAGE .*holds it to be (starting|running).*`reprise stop /);
      await expect.poll(refusal).toMatch(/^USAGE .*holds it to be running.*`reprise stop /);
      await mesh.operations.stop(address);
      expect(await mesh.upkeep.remove(address)).toBeGreaterThan(0);
      await expect(mesh.send(address, greet)).rejects.toMatchObject({ code: 'ACTOR_NOT_FOUND' });
      expect(await mesh.operations.restart(address)).toBe('started');
      await mesh.send(address, greet);
    },
  );

  test('one that an earlier version removed from under its supervisor: restart says what is in the way, stop clears it', async () => {
    const clock = virtualClock(undefined, () => new Promise((resolve) => setImmediate(resolve)));
    const store = memory({ now: () => clock.now() });
    const mesh = await clock.run(startMesh(CONFIG, { greeter }, { store, clock, entropy: seededEntropy(1) }));
    await clock.run(mesh.node.remove('greeter', store));
    await expect(clock.run(mesh.operations.restart('greeter'))).rejects.toMatchObject({
      code: 'USAGE',
      message: 'greeter was not started: @root holds it to be running; `reprise stop greeter` sets that right',
    });
    expect(await clock.run(mesh.operations.stop('greeter'))).toBe('stopped');
    expect(await clock.run(mesh.operations.restart('greeter'))).toBe('started');
    await clock.run(mesh.send('greeter', greet));
    await clock.run(mesh.stop());
  });

  test('a pool goes on with its other members', async () => {
    await using mesh = await startMesh(CONFIG, { greeter });
    await mesh.operations.stop('crew/1');
    await mesh.upkeep.remove('crew/1');
    for (let i = 0; i < 4; i++) await mesh.send('crew', greet);
    await expect
      .poll(async () => (await mesh.inspect.state('crew/2')).context)
      .toEqual({ greeted: ['Ada', 'Ada', 'Ada', 'Ada'] });
  });

  test('keyed actors go as they are, and come back by their next message; their kind is nobody', async () => {
    await using mesh = await startMesh(CONFIG, { greeter });
    await mesh.send('each/a', greet);
    expect(await mesh.upkeep.remove('each/a')).toBeGreaterThan(0);
    await expect(mesh.operations.restart('each/a')).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('nothing lives there') as string,
    });
    await mesh.send('each/a', greet);
    expect((await mesh.inspect.state('each/a')).context).toEqual({ greeted: ['Ada'] });
  });
});

describe('fork', () => {
  test.each([
    ['desk', 'supervisor'],
    ['crew', 'pool'],
    ['models/oracle', 'gateway'],
  ])('%s is refused: it is a %s', async (address, what) => {
    await using mesh = await startMesh(CONFIG, { greeter });
    await expect(mesh.upkeep.fork(address)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining(`it is a ${what}`) as string,
    });
  });

  test('at a record that is not there is refused', async () => {
    await using mesh = await startMesh(CONFIG, { greeter });
    await mesh.send('greeter', greet);
    await expect(mesh.upkeep.fork('greeter', { at: 3 })).rejects.toMatchObject({
      code: 'USAGE',
      message: 'greeter has no record 3: its last one is 2',
    });
    expect(await mesh.upkeep.fork('greeter', { at: 2 })).toMatchObject({ from: 2, of: 2 });
  });
});
