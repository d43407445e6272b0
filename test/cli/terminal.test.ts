/** On a real terminal: live lines of `up`, stepping by hand. A pty comes from util-linux's `script`; without it these are skipped, and say so. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { Folder, HELLO } from './processes.ts';

const hasScript = spawnSync('script', ['--version']).stdout?.toString().includes('util-linux') ?? false;
const MAIN = resolve(import.meta.dirname, '../../cli/main.ts');

/** Of the outside only what starts programs: many a variable (NO_COLOR, FORCE_COLOR, CI, TERM) decides whether Node paints. */
const { PATH = '', HOME = '/' } = process.env;
const TERMINAL_ENV = { PATH, HOME, TERM: 'xterm' };

/** Types each answer when its text has been seen, in turn. Resolves with all that the terminal showed. */
async function onTerminal(
  folder: Folder,
  args: readonly string[],
  dialog: readonly (readonly [seen: string, type: string])[],
  env: Record<string, string> = {},
  around: (command: string) => string = (command) => `exec ${command}`,
) {
  const command = around([process.execPath, '--conditions=reprise-source', MAIN, ...args].join(' '));
  const child = spawn('script', ['--quiet', '--return', '--command', `stty rows 24 cols 100; ${command}`, '/dev/null'], {
    cwd: folder.path,
    env: { ...TERMINAL_ENV, ...env },
  });
  const deadline = setTimeout(() => child.kill('SIGKILL'), 30_000);
  let shown = '';
  let next = 0;
  let from = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
    for (let step = dialog[next]; step !== undefined; step = dialog[next]) {
      const at = shown.indexOf(step[0], from);
      if (at < 0) return;
      from = at + step[0].length;
      next++;
      child.stdin.write(step[1]);
    }
  });
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(deadline);
  return { code, shown, answered: next };
}
/** Without what moves the cursor and colours. */
// oxlint-disable-next-line no-control-regex -- escape sequences are what this is about
const plain = (text: string): string => text.replaceAll(/\u001b\[[0-9;]*[A-Za-z]/g, '').replaceAll('\r', '');

test.skipIf(!hasScript)('replay --step goes forward and back by keys, and q leaves the terminal as it was', async () => {
  await using folder = new Folder(HELLO);
  const up = await folder.up();
  for (const name of ['Ada', 'Bob']) await folder.call('send', 'greeter', JSON.stringify({ type: 'greet', name }));
  await up.kill('SIGTERM');
  const { code, shown, answered } = await onTerminal(
    folder,
    ['replay', 'greeter', '--step'],
    [
      ['[1/', 'n'],
      ['"Ada"', 'n'],
      ['"Bob"', 'p'],
      ['[2/', 'g'],
      ['go to record', '3\r'],
      ['[3/', 's'],
      ['"greeted"', 'q'],
    ],
  );
  expect([code, answered]).toEqual([0, 7]);
  // Nobody was asked where to go before `g` was typed.
  expect(plain(shown).indexOf('go to record')).toBeGreaterThan(plain(shown).indexOf('[3/'));
  expect(shown.startsWith('hello is not running: this is what its records say\r\n\r\u001b[K\u001b[1m#1')).toBe(true);
  expect(plain(shown)).toMatch(/#1 [\s\S]*#2 [\s\S]*#3 [\s\S]*#2 [\s\S]*#3 [\s\S]*"Ada",\n {6}"Bob"/);
});

test.skipIf(!hasScript)('replay --step is left by q, Esc, Ctrl-D and Ctrl-C, with the terminal as it was', async () => {
  await using folder = new Folder(HELLO);
  await (await folder.up()).kill('SIGTERM');
  const left = async (...dialog: (readonly [string, string])[]): Promise<number | null> => {
    const settings = (command: string): string => `stty -g; ${command}; code=$?; stty -g; exit $code`;
    const { code, shown } = await onTerminal(folder, ['replay', 'greeter', '--step'], dialog, {}, settings);
    const [before, after] = plain(shown).match(/^[\da-f]+(?::[\da-f]+){10,}$/gm) ?? [];
    expect(before).toBeDefined();
    expect(after).toBe(before);
    return code;
  };
  expect(
    await Promise.all([
      left(['[1/', 'q']),
      left(['[1/', '\u001b']),
      left(['[1/', '\u0004']),
      left(['[1/', 'g'], ['go to record', '\u0004']),
      left(['[1/', '\u0003']),
      left(['[1/', 'g'], ['go to record', '\u0003']),
    ]),
  ).toEqual([0, 0, 0, 0, 130, 130]);
});

test.skipIf(!hasScript)('up shows a line for each actor, what fails above it, and stops at Ctrl-C', async () => {
  await using folder = new Folder({
    ...HELLO,
    'mesh.yaml': `${HELLO['mesh.yaml']}  desk:\n    kind: supervisor\n    children:\n      inner: { module: ./greeter.ts }\n      each: { kind: keyed, module: ./greeter.ts }\n`,
  });
  const terminal = onTerminal(
    folder,
    ['up'],
    [
      ['desk/each', ''],
      ['1 begun', '\u0003'],
    ],
  );
  const socket = join(folder.path, 'hello.db.sock');
  for (let i = 0; i < 500 && !existsSync(socket); i++) await new Promise((done) => setTimeout(done, 20));
  const sent = (async () => {
    // The socket is there before the tree is up.
    for (let i = 0; i < 200; i++) {
      const { stderr } = await folder.call('send', 'desk/each/a', JSON.stringify({ type: 'greet', name: 'nobody' }));
      if (/STEP_FAILED|NODE_STOPPING|NOT_RUNNING/.test(stderr)) return;
      await new Promise((done) => setTimeout(done, 50));
    }
  })();
  const { code, shown } = await terminal;
  await sent;
  const text = plain(shown);
  expect([code, text]).toEqual([0, expect.stringContaining('hello is up: 2 actors, 1 kind of actor.')]);
  expect(text).toContain('survives kill -9 and power loss.');
  expect(text).toMatch(/^ {2}greeter +seq 1/m);
  expect(text).toMatch(/^ {2}desk\/each +0 events +1 begun, 0 ended since start/m);
  expect(text).toContain('stopping: what is in hand is finished first');
  // Drawn in place: the cursor goes up as many lines as there are actors.
  expect(shown).toContain('\u001b[3A\u001b[J');
});

test.skipIf(!hasScript)('up counts the events that came since it started, and no others', async () => {
  await using folder = new Folder({
    ...HELLO,
    'mesh.yaml': `${HELLO['mesh.yaml']}  each: { kind: keyed, module: ./greeter.ts }\n`,
  });
  const greet = async (name: string): Promise<number | null> =>
    (await folder.call('send', 'each/a', JSON.stringify({ type: 'greet', name }))).code;
  const before = await folder.up();
  for (const name of ['Ada', 'Bob']) expect(await greet(name)).toBe(0);
  await before.kill('SIGKILL');
  const terminal = onTerminal(
    folder,
    ['up'],
    [
      ['each', ''],
      ['2 events', '\u0003'],
    ],
  );
  for (const name of ['Cleo', 'Dan']) while ((await greet(name)) !== 0) await new Promise((done) => setTimeout(done, 50));
  const { code, shown } = await terminal;
  expect(code).toBe(0);
  // What the kill left is taken up in records of its own.
  const { events } = await folder.json<{ events: { kind: string }[] }>('events', 'each/a', '--json');
  expect(events.map(({ kind }) => kind)).toContain('activated');
  expect(events.filter(({ kind }) => kind === 'event')).toHaveLength(4);
  expect(plain(shown)).toMatch(/^ {2}each +2 events +0 begun, 0 ended since start$/m);
});

test('without a terminal --step prints all records', async () => {
  await using folder = new Folder(HELLO);
  await (await folder.up()).kill('SIGTERM');
  const { code, stdout, stderr } = await folder.run('replay', 'greeter', '--step');
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^this is no terminal: all records follow, without stops$/m)]);
  expect(stdout).toContain('#1 ');
});

test.skipIf(!hasScript)('a terminal gets colours, and none with NO_COLOR', async () => {
  await using folder = new Folder(HELLO);
  await (await folder.up()).kill('SIGTERM');
  expect((await onTerminal(folder, ['ps'], [])).shown).toContain('\u001b[1mACTOR');
  const { shown } = await onTerminal(folder, ['ps'], [], { NO_COLOR: '1' });
  expect(shown).toContain('ACTOR');
  expect(shown).not.toContain('\u001b[');
});
