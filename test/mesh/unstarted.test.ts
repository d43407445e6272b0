/** Actors that cannot begin, and a root that has ended: a start brings up what it can, says what it cannot, and bricks nothing. */
import { describe, expect, test } from 'vitest';
import { setup } from 'xstate';
import { type Composed, composeMesh } from '../../cli/compose-mesh.ts';
import { IN_CODE } from '../../core/config/check-mesh.ts';
import type { NodeEvent } from '../../core/node/news.ts';
import { type Mesh, type MeshConfig, startMesh } from '../../index.ts';
import { memory } from '../../testing.ts';
import { greeter } from './machines.ts';

const WHY = 'no key in the drawer';
const shy = (drawer: { readonly key?: string }) =>
  setup({}).createMachine({
    id: 'shy',
    version: '1',
    context: () => {
      if (drawer.key === undefined) throw new RangeError(WHY);
      return {};
    },
  });
const CONFIG = {
  mesh: 'hello',
  store: 'memory:',
  actors: {
    shy: {},
    greeter: {},
    desk: { kind: 'supervisor', children: { shy: { logic: 'shy' }, inner: { logic: 'greeter' } } },
    crew: { kind: 'pool', size: 2, logic: 'shy' },
  },
} as const;
const SHY = ['shy', 'desk/shy', 'crew/1', 'crew/2'];
/** Members of a pool and children of a supervisor that ran begin a little later. */
const allActive = async (mesh: Mesh): Promise<void> => {
  for (const address of SHY)
    await expect.poll(async () => (await mesh.list()).find((actor) => actor.address === address)?.phase).toBe('running');
};
const greet = { type: 'greet', name: 'Ada' };

describe('an actor that cannot begin at the first start', () => {
  test('is left behind alone: the others work, it is told, and shown with its error', async () => {
    const told: NodeEvent[] = [];
    await using mesh = await startMesh(CONFIG, { greeter, shy: shy({}) }, { onEvent: (event) => told.push(event) });
    for (const address of ['greeter', 'desk/inner']) await mesh.send(address, greet);
    const unstarted = (): NodeEvent[] => told.filter(({ type }) => type === 'actor.unstarted');
    // A pool counts as started before its members do.
    await expect.poll(unstarted).toMatchObject(SHY.map((actor) => ({ actor, error: WHY })));
    const listed = await mesh.list();
    for (const address of SHY)
      expect(listed.find((actor) => actor.address === address)).toMatchObject({ phase: 'failed', reason: WHY });
    await expect(mesh.send('shy', greet)).rejects.toMatchObject({ code: 'ACTOR_STOPPED', message: `shy has failed: ${WHY}` });
    const { context } = await mesh.inspect.state('@root');
    expect(context).toMatchObject({
      phase: 'up',
      children: [{ key: 'shy', status: 'parked', error: { message: WHY } }, {}, {}, {}],
    });
  });

  test('is begun by the next start that it can begin in, on every level; nothing of its failure is shown then', async () => {
    const store = memory();
    const first = await startMesh(CONFIG, { greeter, shy: shy({}) }, { store });
    await first.send('greeter', greet);
    await first.stop();
    const still = await startMesh(CONFIG, { greeter, shy: shy({}) }, { store });
    expect((await still.list()).find(({ address }) => address === 'shy')).toMatchObject({ phase: 'failed', reason: WHY });
    await still.stop();
    await using mesh = await startMesh(CONFIG, { greeter, shy: shy({ key: 'here' }) }, { store });
    await allActive(mesh);
    for (const actor of await mesh.list()) expect(actor).not.toHaveProperty('reason');
    expect((await mesh.inspect.state('greeter')).context).toEqual({ greeted: ['Ada'] });
  });

  test('`restart` says why it does not begin, `unpark` what to do', async () => {
    const drawer: { key?: string } = {};
    await using mesh = await startMesh(CONFIG, { greeter, shy: shy(drawer) });
    await expect(mesh.operations.restart('shy')).rejects.toMatchObject({
      code: 'STEP_FAILED',
      message: `shy does not begin: ${WHY}`,
    });
    await expect(mesh.operations.unpark('shy')).rejects.toMatchObject({
      code: 'USAGE',
      message: 'shy is not parked: it has failed, and `reprise restart shy` starts it',
    });
    drawer.key = 'here';
    expect(await mesh.operations.restart('shy')).toBe('started');
    await mesh.send('shy', greet);
    expect((await mesh.list()).find(({ address }) => address === 'shy')).not.toHaveProperty('reason');
  });
});

test('a supervisor that escalates: `restart` waits for those below it, and says why it gave up', async () => {
  const drawer: { key?: string } = {};
  const desk = { kind: 'supervisor', whenSpent: 'escalate', children: { inner: { logic: 'greeter' }, shy: {} } } as const;
  const config: MeshConfig = { ...CONFIG, actors: { desk } };
  await using mesh = await startMesh(config, { greeter, shy: shy(drawer) });
  const why = `desk could not start desk/shy: ${WHY}`;
  expect((await mesh.list()).find(({ address }) => address === 'desk')).toMatchObject({ phase: 'failed', reason: why });
  await expect(mesh.operations.restart('desk')).rejects.toMatchObject({ message: `desk does not begin: ${why}` });
  drawer.key = 'here';
  expect(await mesh.operations.restart('desk')).toBe('started');
  await mesh.send('desk/inner', greet);
});

describe('a root that has ended', () => {
  /** The mesh file cannot make the root escalate; who composes a mesh can. */
  const escalating = async (composed: Composed): Promise<Composed> => {
    const { root } = composed.mesh.plan;
    Object.assign(root, { flags: { ...root.flags, whenSpent: 'escalate' } });
    return composed;
  };
  const compose = (drawer: { readonly key?: string }, store: ReturnType<typeof memory>) =>
    composeMesh({ ...IN_CODE, config: CONFIG, folder: '.' }, { greeter, shy: shy(drawer) }, { store });

  test('because a child did not start: the start fails with its name and error, and the next one begins it anew', async () => {
    const store = memory();
    const { mesh } = await escalating(await compose({}, store));
    await expect(mesh.start()).rejects.toMatchObject({
      code: 'SUPERVISOR_GAVE_UP',
      message: `@root could not start shy: ${WHY}`,
    });
    await mesh.stop();
    await using next = (await escalating(await compose({ key: 'here' }, store))).mesh;
    await next.start();
    await allActive(next);
    await next.send('greeter', greet);
  });

  test('or was removed by an earlier version: the next start begins it anew, and it takes up those that live', async () => {
    const store = memory();
    const actors = { greeter, shy: shy({ key: 'here' }) };
    const first = await startMesh(CONFIG, actors, { store });
    await first.send('greeter', greet);
    await first.node.remove('@root', store);
    // Nobody is at the root: what needs it says so.
    await expect(first.operations.stop('greeter')).rejects.toMatchObject({ code: 'ACTOR_NOT_FOUND' });
    await first.stop();
    await using mesh = await startMesh(CONFIG, actors, { store });
    await mesh.send('greeter', greet);
    expect((await mesh.inspect.state('greeter')).context).toEqual({ greeted: ['Ada', 'Ada'] });
    expect(await mesh.operations.stop('greeter')).toBe('stopped');
  });

  test('a reset of it in a mesh that runs: it has its tree again', async () => {
    await using mesh = await startMesh(CONFIG, { greeter, shy: shy({ key: 'here' }) });
    await mesh.upkeep.reset('@root');
    expect(await mesh.operations.stop('greeter')).toBe('stopped');
    expect(await mesh.operations.restart('greeter')).toBe('started');
  });
});
