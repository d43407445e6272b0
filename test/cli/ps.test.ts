/** States that `ps` shows of a mesh that does not run. */
import { expect, test } from 'vitest';
import { setup } from 'xstate';
import { startMesh } from '../../index.ts';
import { memory } from '../../testing.ts';
import { Folder, GREETER, HELLO } from './processes.ts';

interface Listed {
  readonly actors: readonly { readonly address: string; readonly phase: string; readonly state?: unknown }[];
}
const statesOf = ({ actors }: Listed): unknown => Object.fromEntries(actors.map((a) => [a.address, a.state]));
const greet = '{"type":"greet","name":"Ada"}';

test('after kill -9, and after a stop, the states are those that the logs lead to', async () => {
  await using folder = new Folder({
    ...HELLO,
    'mesh.yaml': `${HELLO['mesh.yaml']}  each: { kind: keyed, module: ./greeter.ts }\n`,
  });
  const killed = await folder.up();
  await folder.json('send', 'greeter', greet, '--json');
  await folder.json('send', 'each/a', 'rest', '--json');
  await killed.kill('SIGKILL');

  const listed = await folder.json<Listed>('ps', '--json');
  expect(listed.actors.map(({ phase }) => phase)).toEqual(['unfinished', 'unfinished', 'unfinished']);
  expect(statesOf(listed)).toEqual({ '@root': 'active', greeter: 'awake', 'each/a': 'asleep' });
  const { stdout, stderr } = await folder.call('ps');
  expect(stdout).toMatch(/^each\/a +unfinished +asleep /m);
  expect(stderr).toBe('hello is not running: this is what its store has\n');

  await (await folder.up()).kill('SIGTERM');
  // In a process of its own: functions of modules have another text here, so the code would be other code.
  const stopped = JSON.parse((await folder.run('ps', '--json')).stdout) as Listed;
  expect(stopped.actors.map(({ phase }) => phase)).toEqual(['passive', 'passive', 'passive']);
  expect(statesOf(stopped)).toEqual(statesOf(listed));
});

test('what cannot be known has …, and the note says what shows it', async () => {
  const other = GREETER.replaceAll('greeter', 'other');
  await using folder = new Folder({
    'greeter.ts': GREETER,
    'lost.ts': other,
    'edited.ts': other,
    'mesh.yaml': `${HELLO['mesh.yaml']}  lost: { module: ./lost.ts }\n  edited: { module: ./edited.ts }\n`,
  });
  const up = await folder.up();
  await folder.json('send', 'edited', greet, '--json');
  await up.kill('SIGKILL');
  folder.write('lost.ts', 'export const other = ;');
  folder.write('edited.ts', other.replaceAll('awake', 'up'));

  const listed = await folder.json<Listed>('ps', '--json');
  expect(statesOf(listed)).toEqual({ '@root': 'active', greeter: 'awake' });
  expect(listed.actors.map((actor) => 'state' in actor)).toEqual([true, false, true, false]);
  const { code, stdout, stderr } = await folder.call('ps');
  const command = `reprise state ACTOR -f ${folder.file('mesh.yaml')}`;
  expect([code, stderr]).toEqual([0, `hello is not running: this is what its store has (…: \`${command}\` shows it)\n`]);
  expect(stdout).toMatch(/^lost +unfinished +… /m);
  expect(stdout).toMatch(/^edited +unfinished +… /m);
});

test('of many actors the first 200 are folded', async () => {
  await using folder = new Folder({
    'greeter.ts': GREETER,
    'bell.ts': `
      import { enqueueActions, setup } from 'xstate';
      export const bell = setup({}).createMachine({
        id: 'bell',
        version: '1',
        entry: enqueueActions(({ enqueue, system }) => {
          for (let i = 1; i <= 250; i++) enqueue.sendTo(system.get('each/' + i), { type: 'rest' });
        }),
      });`,
    'mesh.yaml': 'mesh: many\nactors:\n  bell: { module: ./bell.ts }\n  each: { kind: keyed, module: ./greeter.ts }\n',
  });
  const up = await folder.up();
  for (let asleep = 0; asleep < 250;) {
    const { actors } = await folder.json<Listed>('ps', 'each', '--json');
    asleep = actors.filter(({ state }) => state === 'asleep').length;
  }
  await up.kill('SIGKILL');
  const { actors } = await folder.json<Listed>('ps', 'each', '--json');
  expect(actors.map(({ state }) => state)).toEqual([...Array<string>(200).fill('asleep'), ...Array<undefined>(50)]);
});

test('a log is folded that is short above its checkpoint, which this code wrote', async () => {
  const store = memory();
  const counter = (version: string) =>
    setup({}).createMachine({
      id: 'counter',
      version,
      initial: 'low',
      states: { low: { on: { count: 'high' } }, high: {} },
    });
  const mesh = async (version: string) =>
    startMesh({ mesh: 'm', actors: { counter: {} } }, { counter: counter(version) }, { store });
  {
    await using first = await mesh('1');
    await first.send('counter', { type: 'count' });
    const { head } = await store.head(first.inspect.stream('counter'));
    expect(await first.inspect.nearState('counter', head - 1)).toBeUndefined();
    expect(await first.inspect.nearState('counter', head)).toMatchObject({ seq: head, value: 'high' });
    expect(await first.inspect.nearState('nobody', head)).toBeUndefined();
  }
  await using second = await mesh('2');
  expect(await second.inspect.state('counter')).toMatchObject({ value: 'high' });
  expect(await second.inspect.nearState('counter', 1_000)).toBeUndefined();
});

test('imported logs are listed as they are, whatever runs', async () => {
  await using folder = new Folder(HELLO);
  await folder.up();
  await folder.json('send', 'greeter', greet, '--json');
  await folder.call('export', 'greeter', '--out', folder.file('copy.jsonl'));
  await folder.call('import', folder.file('copy.jsonl'), '--as', 'copy');
  await folder.json('send', 'greeter', 'rest', '--json');
  const { actors } = await folder.json<{ actors: object[] }>('ps', '--imported', 'copy', '--json');
  expect(actors).toEqual([expect.objectContaining({ address: 'greeter', phase: 'unfinished', seq: 2, state: 'awake' })]);
  expect(await folder.call('ps', '--imported', 'copy')).toMatchObject({ code: 0, stderr: '' });
});
