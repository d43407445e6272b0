/** `reprise up` and what works beside it, as processes. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ended, Folder, GREETER, HELLO, type Up } from './processes.ts';

interface Listed {
  readonly running: boolean;
  readonly actors: readonly { readonly address: string; readonly phase: string; readonly seq: number }[];
}
interface State {
  readonly seq: number;
  readonly value: unknown;
  readonly context: { readonly greeted: readonly string[] };
}

const greet = (name: string): string => JSON.stringify({ type: 'greet', name });

describe('a mesh that runs', () => {
  const folder = new Folder(HELLO);
  let up: Up;
  beforeAll(async () => {
    up = await folder.up();
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  test('says what its store survives', () => {
    expect(up.lines.find((line) => line['type'] === 'mesh.ready')).toMatchObject({
      mesh: 'hello',
      pid: up.process.pid,
      actors: 1,
      kinds: 0,
      store: folder.file('hello.db'),
      survives: 'survives kill -9 and power loss',
    });
  });

  test('its control socket is for this user only', () => {
    const { mode } = statSync(folder.file('hello.db.sock'));
    expect(mode & 0o777).toBe(0o600);
  });

  test('takes what is sent, once under an id', async () => {
    const first = await folder.json<{ seq: number }>('send', 'greeter', greet('Ada'), '--id', '007', '--json');
    const again = await folder.json<{ seq: number; id: string }>('send', 'greeter', greet('Ada'), '--id', '007', '--json');
    expect(again).toEqual({ actor: 'greeter', id: '007', seq: first.seq, handled: true });
    expect((await folder.json<State>('state', 'greeter', '--json')).context.greeted).toEqual(['Ada']);
  });

  test('answers what is asked', async () => {
    expect(await folder.json('ask', 'greeter', greet('Bob'))).toEqual({ type: 'hello', text: 'Hello, Bob!' });
  });

  test('is listed with its actors', async () => {
    const { running, actors } = await folder.json<Listed>('ps', '--json');
    expect(running).toBe(true);
    expect(actors).toMatchObject([
      { address: '@root', phase: 'running' },
      { address: 'greeter', phase: 'running', state: 'awake' },
    ]);
  });

  test('shows its tree, its log, and any state in it', async () => {
    const [tree, events, early, diff] = await Promise.all([
      folder.json<{ root: { children: unknown[] } }>('tree', '--json'),
      folder.json<{ events: { seq: number; kind: string }[] }>('events', 'greeter', '--json'),
      folder.json<State>('state', 'greeter', '--at', '1', '--json'),
      folder.json('diff', 'greeter', '1', '3', '--json'),
    ]);
    expect(tree.root.children).toMatchObject([{ id: 'greeter', status: 'running', restarts: 0 }]);
    expect(events.events.map((e) => [e.seq, e.kind])).toEqual([
      [1, 'init'],
      [2, 'event'],
      [3, 'event'],
    ]);
    expect(early).toMatchObject({ seq: 1, value: 'awake', context: { greeted: [] } });
    expect(diff).toEqual({
      actor: 'greeter',
      from: 1,
      to: 3,
      changes: [
        { path: 'context.greeted[0]', after: 'Ada' },
        { path: 'context.greeted[1]', after: 'Bob' },
      ],
    });
  });

  test('replays without doing anything', async () => {
    const { frames } = await folder.json<{ frames: { seq: number; effects: unknown[]; after: State }[] }>(
      'replay',
      'greeter',
      '--to',
      '3',
      '--json',
    );
    expect(frames.map((f) => f.after.context.greeted.length)).toEqual([0, 1, 2]);
    expect(frames[2]?.effects).toMatchObject([{ kind: 'send', event: { type: 'hello' }, id: 'greeter!3.0' }]);
    const { stdout } = await folder.call('replay', 'greeter', '--from', '2', '--to', '2');
    expect(stdout).toContain('#2');
    expect(stdout).toContain('+ context.greeted[0]: "Ada"');
  });

  test('its log can be followed', async () => {
    const following = folder.start(['events', 'greeter', '--follow', '--last', '1', '--json']);
    const lines = createInterface({ input: following.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
    expect(JSON.parse((await lines.next()).value as string)).toMatchObject({ seq: 3 });
    await folder.call('send', 'greeter', greet('Dee'));
    expect(JSON.parse((await lines.next()).value as string)).toMatchObject({ seq: 4, event: { name: 'Dee' } });
    following.kill('SIGINT');
    expect((await ended(following)).signal).toBe('SIGINT');
  });

  test('repeats its log: verify', async () => {
    expect(await folder.json('verify', 'greeter', '--json')).toEqual({ actors: [{ actor: 'greeter', head: 4, ok: true }] });
    const { code, stdout, stderr } = await folder.call('verify');
    expect([code, stdout, stderr]).toEqual([
      0,
      expect.stringMatching(/^@root: the same up to seq \d+\ngreeter: the same up to seq 4\n$/),
      '2 actors verified: all the same\n',
    ]);
  });

  test('says what happens', async () => {
    const { stdout } = await folder.call('logs', 'greeter', '--json');
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toMatchObject([{ type: 'actor.started', actor: 'greeter' }]);
  });

  test('a poison message becomes a dead letter, is listed, and can be sent again', async () => {
    await folder.call('send', 'greeter', greet('nobody'));
    await up.until((line) => line['type'] === 'actor.dead_letter');
    const failures = up.lines.filter((line) => line['type'] === 'actor.failed');
    expect(failures).toHaveLength(3);
    const line = GREETER.split('\n').findIndex((text) => text.includes("new Error('whom?')")) + 1;
    for (const { at } of failures) expect(at).toMatch(new RegExp(`/greeter\\.ts:${line}:\\d+$`));
    const { letters } = await folder.json<{ letters: { actor: string; seq: number; cause: string }[] }>('deadletters', '--json');
    expect(letters).toMatchObject([{ actor: 'greeter', cause: 'poison', event: { type: 'greet', name: 'nobody' } }]);
    const [letter] = letters;
    expect((await folder.call('deadletters', 'resend', 'greeter', String(letter?.seq))).code).toBe(0);
    const again = await folder.call('deadletters', 'resend', 'greeter', String(letter?.seq));
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('was sent again already')]);
  });

  test('a second one is refused, and the first goes on', async () => {
    const { pid } = up.process;
    const second = await folder.run('up');
    expect([second.code, second.stderr]).toEqual([
      1,
      expect.stringMatching(
        new RegExp(
          `^STORE_LOCKED: .* is owned by process ${pid}, .*\\n.* \`reprise ps\`, .*Ctrl-C where it runs, or \`kill ${pid}\`\\.\\n$`,
        ),
      ),
    ]);
    expect((await folder.json<Listed>('ps', '--json')).running).toBe(true);
  });

  test('what is unknown is named with what was meant', async () => {
    const [actor, verb, event] = await Promise.all([
      folder.call('state', 'greter'),
      folder.call('stat', 'greeter'),
      folder.call('send', 'greeter', '{"name":"x"}'),
    ]);
    expect([actor.code, actor.stderr]).toEqual([
      1,
      expect.stringContaining(`no actor 'greter' in mesh.yaml (did you mean "greeter"?)`),
    ]);
    expect([verb.code, verb.stderr]).toEqual([2, expect.stringContaining(`unknown command 'stat' (did you mean "state"?)`)]);
    expect([event.code, event.stderr]).toEqual([2, expect.stringContaining('an event has a type: write ')]);
  });

  test('parked when its budget is spent, it goes on when a person says so', async () => {
    const parked = await up.until((line) => line['type'] === 'actor.parked');
    expect(parked).toMatchObject({
      actor: 'greeter',
      reason: expect.stringMatching(/^more than 1 restart within 5000 ms; the last error: ./) as string,
    });
    const { stdout } = await folder.call('ps');
    expect(stdout).toMatch(/greeter +parked +awake .* more than 1 restart within 5000 ms; the last error: ./);
    expect((await folder.call('send', 'greeter', greet('Eve'))).stderr).toContain('ACTOR_PARKED');
    expect((await folder.call('unpark', 'greeter')).stdout).toBe('greeter goes on\n');
    expect((await folder.call('unpark', 'greeter')).stderr).toContain('greeter is not parked');
  });

  test('is not deleted while it runs', async () => {
    const refused = await folder.call('delete', 'greeter');
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('Stop it first')]);
    expect((await folder.call('delete', '@root')).stderr).toContain('@root cannot be removed');
  });

  test('stops by hand and is started again', async () => {
    expect((await folder.call('stop', 'greeter')).stdout).toBe('greeter is stopped\n');
    expect((await folder.call('stop', 'greeter')).stdout).toBe('greeter did not run: there was nothing to stop\n');
    const refused = await folder.call('send', 'greeter', greet('Cy'));
    expect(refused.stderr).toContain('ACTOR_STOPPED');
    expect((await folder.call('restart', 'greeter')).stdout).toBe('greeter was started\n');
    expect((await folder.call('send', 'greeter', greet('Cy'))).code).toBe(0);
  });

  test('SIGTERM: finishes, saves checkpoints, exits 0; then its log is read without it', async () => {
    expect(await up.kill('SIGTERM')).toBe(0);
    expect(up.lines.at(-1)).toMatchObject({ type: 'node.stopped' });
    expect(existsSync(folder.file('hello.db.sock'))).toBe(false);
    const { running, actors } = await folder.json<Listed>('ps', '--json');
    expect(running).toBe(false);
    expect(actors.map((actor) => [actor.address, actor.phase])).toEqual([
      ['@root', 'passive'],
      ['greeter', 'passive'],
    ]);
    expect((await folder.json<State>('state', 'greeter', '--json')).context.greeted).toEqual(['Cy']);
    const send = await folder.call('send', 'greeter', greet('Dee'));
    expect([send.code, send.stderr]).toEqual([1, expect.stringMatching(/^MESH_NOT_RUNNING: /)]);
  });
});

describe('a mesh that is killed', () => {
  test('in the middle: nothing acknowledged is lost, and it goes on', async () => {
    await using folder = new Folder(HELLO);
    const first = await folder.up();
    const acknowledged: string[] = [];
    // Sends until the kill meets one of them.
    const sending = (async () => {
      for (let i = 0; ; i++) {
        const { code } = await folder.run('send', 'greeter', greet(String(i)), '--id', `m${i}`);
        if (code !== 0) return;
        acknowledged.push(String(i));
      }
    })();
    while (acknowledged.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    await first.kill('SIGKILL');
    await sending;
    const unfinished = await folder.json<Listed>('ps', '--json');
    expect(unfinished.actors.find((a) => a.address === 'greeter')?.phase).toBe('unfinished');
    await folder.up();
    const { greeted } = (await folder.json<State>('state', 'greeter', '--json')).context;
    expect(greeted.slice(0, acknowledged.length)).toEqual(acknowledged);
    expect(new Set(greeted).size).toBe(greeted.length);
  });

  test('a second signal ends it at once, with 130', async () => {
    await using folder = new Folder({
      'slow.ts': `
        import { fromPromise, setup } from 'xstate';
        export const slow = setup({ actors: { never: fromPromise(() => new Promise<void>(() => undefined)) } })
          .createMachine({ id: 'slow', version: '1', invoke: { id: 'never', src: 'never' } });`,
      'mesh.yaml': 'mesh: slow\nactors:\n  slow: { module: ./slow.ts }\n',
    });
    const up = await folder.up();
    up.process.kill('SIGINT');
    await up.until((line) => line['type'] === 'node.stopping');
    // An echo of the first, as npm sends it, is none.
    up.process.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(up.isRunning).toBe(true);
    expect(await up.kill('SIGINT')).toBe(130);
  });
});

test('a store in memory is read through the mesh that holds it', async () => {
  await using folder = new Folder({ ...HELLO, 'mesh.yaml': `${HELLO['mesh.yaml']}store: "memory:"\n` });
  const before = await folder.call('ps');
  expect([before.code, before.stderr]).toEqual([1, expect.stringMatching(/^MESH_NOT_RUNNING: /)]);
  const up = await folder.up();
  expect(up.lines.at(-1)).toMatchObject({ store: 'memory:', survives: 'survives nothing: all is gone when this process ends' });
  await folder.call('send', 'greeter', greet('Ada'));
  const [state, events, second] = await Promise.all([
    folder.json<State>('state', 'greeter', '--json'),
    folder.json<{ events: unknown[] }>('events', 'greeter', '--json'),
    folder.run('up'),
  ]);
  expect(state.context.greeted).toEqual(['Ada']);
  expect(events.events).toHaveLength(2);
  expect([second.code, second.stderr]).toEqual([1, expect.stringContaining(`runs already, as process ${up.process.pid}`)]);
});

test('variables come from --env-file, and a wrong mesh file says where', async () => {
  await using folder = new Folder({
    ...HELLO,
    'mesh.yaml': 'mesh: ${NAME}\nactors:\n  greeter: { module: ./greeter.ts }\n',
    '.env': 'NAME=named\n',
    'wrong.yaml': 'mesh: hello\nactors:\n  greeter:\n    modle: ./greeter.ts\n',
  });
  const up = await folder.up('--env-file', '.env');
  expect(up.lines.at(-1)).toMatchObject({ mesh: 'named' });
  const listed = await folder.run('ps', '--env-file', '.env', '--json');
  expect(JSON.parse(listed.stdout)).toMatchObject({ mesh: 'named', running: true });
  const without = await folder.run('ps');
  expect([without.code, without.stderr]).toEqual([2, expect.stringContaining('NAME')]);
  const nowhere = await folder.call('config', 'validate', '--env-file', 'gone.env');
  expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringMatching(/^USAGE: --env-file: .*gone\.env/)]);
  const wrong = await folder.run('up', '-f', 'wrong.yaml');
  expect([wrong.code, wrong.stderr]).toEqual([
    2,
    'CONFIG_INVALID: wrong.yaml:4:5 actors.greeter.modle: unrecognized key "modle" (did you mean "module"?)\n',
  ]);
  expect(readFileSync(folder.file('mesh.yaml'), 'utf8')).toContain('${NAME}');
});
