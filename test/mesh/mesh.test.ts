/** A mesh in code: what `startMesh` gives, and what it refuses. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { emit, setup } from 'xstate';
import { z } from 'zod';
import { ask, isMeshError, type MeshConfig, model, startMesh, tool } from '../../index.ts';
import { memory, seededEntropy, virtualClock } from '../../testing.ts';
import { all } from '../conformance/records.ts';
import { greeter } from './machines.ts';

const CONFIG = { mesh: 'hello', store: 'memory:', actors: { greeter: {} } };
const folder = mkdtempSync(join(tmpdir(), 'reprise-mesh-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const greet = (name: string) => ({ type: 'greet', name });

describe('a mesh', () => {
  test('is up when startMesh resolves: its actors take and answer', async () => {
    await using mesh = await startMesh(CONFIG, { greeter });
    const ref = mesh.ref('greeter');
    expect(await ref.send(greet('Ada'), { id: 'one' })).toEqual({ id: 'one', seq: 2 });
    expect(await ref.send(greet('Ada'), { id: 'one' })).toEqual({ id: 'one', seq: 2 });
    expect(await ref.ask(greet('Bob'))).toEqual({ type: 'hello', text: 'Hello, Bob!' });
    expect(await ref.state()).toMatchObject({
      address: 'greeter',
      seq: 3,
      status: 'active',
      context: { greeted: ['Ada', 'Bob'] },
    });
    expect((await mesh.list()).map((a) => [a.address, a.phase, a.seq])).toEqual([
      ['@root', 'running', 3],
      ['greeter', 'running', 3],
    ]);
  });

  test('replays without doing anything', async () => {
    await using mesh = await startMesh(CONFIG, { greeter });
    await mesh.ask('greeter', greet('Ada'));
    const frames = (await all(mesh.replay('greeter'))).map(({ seq, before, after, effects }) => ({
      seq,
      before: before?.context,
      after: after?.context,
      effects: effects.map((e) => e.kind),
    }));
    expect(frames).toEqual([
      { seq: 1, before: undefined, after: { greeted: [] }, effects: [] },
      { seq: 2, before: { greeted: [] }, after: { greeted: ['Ada'] }, effects: ['send'] },
    ]);
    expect(await mesh.inspect.state('greeter', 1)).toMatchObject({ seq: 1, context: { greeted: [] } });
  });

  test('tells what actors emit', async () => {
    const bell = setup({ types: { events: {} as { type: 'ring' }, emitted: {} as { type: 'rang' } } }).createMachine({
      id: 'bell',
      version: '1',
      on: { ring: { actions: emit({ type: 'rang' }) } },
    });
    await using mesh = await startMesh({ ...CONFIG, actors: { bell: {} } }, { bell });
    const heard: unknown[] = [];
    const end = mesh.onEmitted((actor, event) => heard.push([actor, event]));
    await mesh.send('bell', { type: 'ring' });
    end();
    await mesh.send('bell', { type: 'ring' });
    expect(heard).toEqual([['bell', { type: 'rang' }]]);
  });

  test('goes on where it was, from its file', async () => {
    const config = { mesh: 'kept', store: 'sqlite:./kept.db', actors: { greeter: {} } };
    for (const name of ['Ada', 'Bob', 'Cy']) {
      await using mesh = await startMesh(config, { greeter }, { folder });
      await mesh.send('greeter', greet(name));
    }
    await using mesh = await startMesh(config, { greeter }, { folder });
    expect((await mesh.ref('greeter').state()).context).toEqual({ greeted: ['Ada', 'Bob', 'Cy'] });
  });

  test('under virtual time it waits for nothing', async () => {
    const nap = setup({ delays: { hours: 5 * 3_600_000 } }).createMachine({
      id: 'nap',
      version: '1',
      initial: 'asleep',
      states: { asleep: { after: { hours: 'awake' } }, awake: {} },
    });
    const clock = virtualClock(undefined, () => new Promise((resolve) => setImmediate(resolve)));
    const mesh = await clock.run(
      startMesh(
        { ...CONFIG, actors: { nap: {} } },
        { nap },
        { store: memory({ now: () => clock.now() }), clock, entropy: seededEntropy(1) },
      ),
    );
    await clock.advance(4 * 3_600_000);
    expect(await mesh.ref('nap').state()).toMatchObject({ value: 'asleep' });
    await clock.advance(3_600_000);
    expect(await mesh.ref('nap').state()).toMatchObject({ value: 'awake' });
    await clock.run(mesh.stop());
  });
});

describe('keyed actors', () => {
  const config = { ...CONFIG, actors: { case: { kind: 'keyed' as const, input: { desk: 'north' } } } };
  const born = setup({ types: { context: {} as { input: unknown } } }).createMachine({
    id: 'born',
    version: '1',
    context: ({ input }) => ({ input }),
    on: { open: {} },
  });

  test('are created by their first message, which is in their input with the key', async () => {
    await using mesh = await startMesh(config, { case: born });
    await mesh.send('case/A%2F17', { type: 'open', sum: 3 });
    expect((await mesh.ref('case/A%2F17').state()).context).toEqual({
      input: { desk: 'north', key: 'A/17', event: { type: 'open', sum: 3 } },
    });
  });
  test('take what their schema makes of it, and refuse what does not pass', async () => {
    const input = z
      .object({ key: z.string(), event: z.object({ sum: z.number() }) })
      .transform(({ key, event }) => ({ key, sum: event.sum }));
    await using mesh = await startMesh(config, { case: { machine: born, input } });
    await mesh.send('case/a', { type: 'open', sum: 3 });
    expect((await mesh.ref('case/a').state()).context).toEqual({ input: { key: 'a', sum: 3 } });
    await expect(mesh.send('case/b', { type: 'open' })).rejects.toMatchObject({
      code: 'EVENT_REJECTED',
      message: expect.stringContaining('the first message of case/b does not pass its schema: event.sum: ') as unknown,
    });
    await expect(mesh.ref('case/b').state()).rejects.toMatchObject({ code: 'ACTOR_NOT_FOUND' });
  });
  test('are sent to by key, not as a kind', async () => {
    await using mesh = await startMesh(config, { case: born });
    expect(() => mesh.ref('case')).toThrow("'case' is a kind of actors by key: send to case/KEY");
    await expect(mesh.send('case/%zz', { type: 'open' })).rejects.toMatchObject({ code: 'ADDRESS_INVALID' });
    await expect(mesh.send('case/a/b', { type: 'open' })).rejects.toMatchObject({ code: 'ACTOR_NOT_FOUND' });
  });
});

describe('what is refused', () => {
  test.each([
    ['an unknown actor', 'greter', greet('x'), 'ACTOR_NOT_FOUND', `no actor 'greter' (did you mean "greeter"?)`],
    ['no address', 'a b', greet('x'), 'ADDRESS_INVALID', "'a b' is no actor address"],
    ['a reserved type', 'greeter', { type: 'xstate.stop' }, 'EVENT_REJECTED', 'may not come from outside'],
    ['no type', 'greeter', {} as { type: string }, 'EVENT_REJECTED', 'needs a type'],
  ])('%s', async (_what, to, event, code, message) => {
    await using mesh = await startMesh(CONFIG, { greeter });
    const refused = { code, message: expect.stringContaining(message) as unknown };
    await expect(mesh.send(to, event)).rejects.toMatchObject(refused);
    await expect(mesh.ask(to, event)).rejects.toMatchObject(refused);
  });
  test('an event that the schema of the actor does not let pass', async () => {
    const events = z.object({ type: z.literal('greet'), name: z.string() });
    await using mesh = await startMesh(CONFIG, { greeter: { machine: greeter, events } });
    await expect(mesh.send('greeter', { type: 'greet' })).rejects.toMatchObject({
      code: 'EVENT_REJECTED',
      message: expect.stringContaining("'greet' for greeter does not pass its schema: name: ") as unknown,
    });
    expect(await mesh.send('greeter', greet('Ada'))).toMatchObject({ seq: 2 });
  });
  test('a config that is wrong, a machine that is none, one that its log could not be folded with', async () => {
    await expect(startMesh({ ...CONFIG, shards: 0 }, { greeter })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(startMesh(CONFIG, {})).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: 'mesh config actors.greeter: needs "module" or "logic"',
    });
    await expect(startMesh(CONFIG, { greeter: {} as never })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining("actor 'greeter' is no machine") as unknown,
    });
    const unversioned = setup({}).createMachine({ id: 'greeter' });
    await expect(startMesh(CONFIG, { greeter: unversioned })).rejects.toSatisfy(
      (error) => isMeshError(error, 'LINT_FAILED') && error.message.includes('greeter: no-version. Give the machine a `version`'),
    );
  });
  test('another number of shards than the store was made with', async () => {
    const store = memory();
    await (await startMesh({ ...CONFIG, shards: 4 }, { greeter }, { store })).stop();
    await expect(startMesh({ ...CONFIG, shards: 5 }, { greeter }, { store })).rejects.toMatchObject({
      code: 'SHARD_COUNT_CHANGED',
    });
  });
});

describe('an edited tree', () => {
  test('reaches the supervisors as an event: new actors start, those that are gone are stopped and kept', async () => {
    const store = memory();
    const first = await startMesh(
      { ...CONFIG, actors: { a: { logic: 'greeter' }, b: { logic: 'greeter' } } },
      { greeter },
      { store },
    );
    await first.send('b', greet('Ada'));
    await first.stop();
    await using mesh = await startMesh(
      { ...CONFIG, actors: { a: { logic: 'greeter' }, c: { logic: 'greeter' } } },
      { greeter },
      { store },
    );
    expect(await mesh.send('c', greet('Bob'))).toMatchObject({ seq: 2 });
    await expect(mesh.send('b', greet('Bob'))).rejects.toMatchObject({ code: 'ACTOR_NOT_FOUND' });
    const rows = (await mesh.list()).map((actor) => actor.address);
    expect(rows).toEqual(['@root', 'a', 'b', 'c']);
    expect((await all(mesh.inspect.records('b'))).map((record) => record.kind)).toContain('event');
  });
});

describe('the names that a machine calls', () => {
  const caller = (server: string, name: string) =>
    setup({ actors: { read: tool(`${server}.read`), think: model(name), other: ask() } }).createMachine({
      id: 'caller',
      version: '1',
    });
  const config: MeshConfig = {
    ...CONFIG,
    actors: { caller: {} },
    tools: { files: { stdio: { command: process.execPath, args: ['-e', ''] } } },
    models: { main: { kind: 'scripted', replies: [] } },
  };
  test('lead somewhere, or are refused with what was meant', async () => {
    await expect(startMesh(config, { caller: caller('filez', 'mian') })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: [
        `actor 'caller': 'read' calls the tool server 'filez', which is not under tools (did you mean "files"?)`,
        `actor 'caller': 'think' calls the model 'mian', which is not under models (did you mean "main"?)`,
      ].join('\n'),
    });
    await using mesh = await startMesh(config, { caller: caller('files', 'main') });
    expect(mesh.plan.tools.map((server) => server.name)).toEqual(['files']);
  });
  test('also in machines that it spawns', async () => {
    const parent = setup({ actors: { child: caller('filez', 'main') } }).createMachine({ id: 'parent', version: '1' });
    await expect(startMesh(config, { caller: parent })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
