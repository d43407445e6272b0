/** What is done to logs: export, import, backup, prune, delete; and reading them without a mesh that runs. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { setup } from 'xstate';
import { startMesh } from '../../index.ts';
import { Folder, HELLO } from './processes.ts';

const CASE = `
import { setup } from 'xstate';
export const deskCase = setup({}).createMachine({
  id: 'case', version: '1', initial: 'open', states: { open: { on: { close: 'closed' } }, closed: { type: 'final' } },
});
`;
const files = {
  ...HELLO,
  'case.ts': CASE,
  'mesh.yaml': `${HELLO['mesh.yaml']}  case: { kind: keyed, module: ./case.ts, retention: 0s }\n`,
};
const greet = (name: string): string => JSON.stringify({ type: 'greet', name });

const head = (actor: string, last: number): string =>
  JSON.stringify({ stream: { format: 1, mesh: 'hello', actor, after: 0, head: last } });
const ready = (seq: number): string => JSON.stringify({ v: 1, seq, epoch: 1, kind: 'ready', meta: { ts: 1, seed: 0 } });

interface Listed {
  readonly actors: readonly { readonly address: string; readonly phase: string; readonly seq: number }[];
}

describe('logs of a mesh that was stopped', () => {
  const folder = new Folder(files);
  beforeAll(async () => {
    const up = await folder.up();
    for (const name of ['Ada', 'Bob']) await folder.call('send', 'greeter', greet(name));
    for (const key of ['a', 'b', 'c']) await folder.call('send', `case/${key}`, 'ping');
    for (const key of ['a', 'b']) await folder.call('send', `case/${key}`, 'close');
    await up.kill('SIGTERM');
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  test('finished actors are listed when asked for', async () => {
    const shown = (await folder.json<Listed>('ps', '--json')).actors.map((a) => a.address);
    expect(shown).toEqual(['@root', 'case/c', 'greeter']);
    const all = await folder.json<Listed>('ps', 'case', '--all', '--json');
    expect(all.actors.map((a) => [a.address, a.phase])).toEqual([
      ['case/a', 'ended'],
      ['case/b', 'ended'],
      ['case/c', 'passive'],
    ]);
  });

  test('their records say what the log of a running mesh would', async () => {
    const { stdout, stderr } = await folder.call('logs', 'case');
    expect(stderr).toContain('hello is not running');
    expect(stdout.trim().split('\n')).toHaveLength(3);
    expect(stdout).toMatch(/case\/a started seq=1 logic=case/);
    expect((await folder.call('logs', '--follow')).stderr).toContain('MESH_NOT_RUNNING');
  });

  test.each([
    ['gretter', `ACTOR_NOT_FOUND: no actor 'gretter' in mesh.yaml (did you mean "greeter"?)\n`],
    ['case/d', "ACTOR_NOT_FOUND: no actor 'case/d': it has no log yet"],
    ['a b', 'ADDRESS_INVALID'],
  ])('logs of %s, which is nobody, are an error', async (address, error) => {
    const { code, stdout, stderr } = await folder.call('logs', address);
    expect([code === 0, stdout, stderr]).toEqual([false, '', expect.stringContaining(error)]);
  });

  test('export and import: the same log again, to be replayed and never run', async () => {
    const out = folder.file('logs.jsonl');
    expect(await folder.call('export', '--out', out)).toMatchObject({ code: 0, stderr: `5 logs in ${out}\n` });
    expect((await folder.call('export', '--out', out)).stderr).toContain('is there already: an export overwrites nothing');
    const one = await folder.call('export', 'greeter');
    const lines = one.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const logic = { id: 'greeter', version: '1', hash: expect.any(String) as unknown };
    expect(lines[0]).toEqual({ stream: { format: 1, mesh: 'hello', actor: 'greeter', logic, after: 0, head: 3 } });
    expect(lines.slice(1).map((record) => record['kind'])).toEqual(['init', 'event', 'event']);

    expect(await folder.call('import', out, '--as', 'copy')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('greeter: 3 records\n') as unknown,
    });
    expect((await folder.call('import', out, '--as', 'copy')).stderr).toMatch(/^ARCHIVE_EXISTS: [\s\S]*--as NAME/);
    const original = await folder.json<{ frames: unknown[] }>('replay', 'greeter', '--json');
    expect(await folder.json('replay', 'greeter', '--imported', 'copy', '--json')).toEqual(original);
    expect(await folder.json('verify', 'greeter', '--imported', 'copy', '--json')).toMatchObject({ actors: [{ ok: true }] });
    expect((await folder.json<Listed>('ps', '--imported', 'copy', '--all', '--json')).actors).toHaveLength(5);
    // The living ones are still those that there were.
    expect((await folder.json<Listed>('ps', '--all', '--json')).actors).toHaveLength(5);
  });

  test.each([
    ['no JSON', 'x', /:1: the line is no JSON/],
    ['no head', '{"v":1,"seq":1}', /:1: the line begins no actor/],
    ['a record that is none', `${head('a', 1)}\n{"seq":1}`, /:2: the line is no record/],
    ['a log that was cut', `${head('a', 2)}\n${ready(1)}`, /:2: the line ends the log of a before seq 2 of 2/],
    ['a later format', `${head('a', 1)}\n${ready(1).replace('"v":1', '"v":9')}`, /STORE_NEWER.*:2: the record is of format 9/],
    ['one good log and a bad one', `${head('a', 1)}\n${ready(1)}\n${head('a b', 0)}`, /:3: the line names no actor/],
  ])('an import of %s is refused at its line, and leaves nothing behind', async (what, text, expected) => {
    writeFileSync(folder.file('bad.jsonl'), text);
    const { code, stderr } = await folder.call('import', folder.file('bad.jsonl'), '--as', `bad ${what}`);
    expect([code === 0, stderr]).toEqual([false, expect.stringMatching(expected)]);
    expect((await folder.json<Listed>('ps', '--imported', `bad ${what}`, '--all', '--json')).actors).toEqual([]);
  });

  test('backup: a store of its own, which overwrites nothing', async () => {
    const path = folder.file('backup.db');
    expect(await folder.call('backup', path)).toMatchObject({ code: 0 });
    expect((await folder.call('backup', path)).stderr).toContain('is there already');
    folder.write('backup.yaml', `${files['mesh.yaml']}store: sqlite:./backup.db\n`);
    const { stdout } = await folder.run('ps', '--all', '--json', '-f', 'backup.yaml');
    expect((JSON.parse(stdout) as Listed).actors).toHaveLength(5);
  });

  test('prune: what is past its retention, said before it is done', async () => {
    const dry = await folder.json<{ actors: { address: string; records: number }[] }>('prune', '--dry-run', '--json');
    expect(dry.actors.map((a) => a.address)).toEqual(['case/a', 'case/b']);
    for (const { records } of dry.actors) expect(records).toBeGreaterThanOrEqual(3);
    expect((await folder.json<Listed>('ps', 'case', '--all', '--json')).actors).toHaveLength(3);
    const { stdout } = await folder.call('prune');
    expect(stdout).toMatch(/^case\/a: \d+ records went; it ended/);
    const after = (await folder.json<Listed>('ps', 'case', '--all', '--json')).actors;
    expect(after.map((a) => [a.address, a.phase])).toEqual([
      ['case/a', 'gone'],
      ['case/b', 'gone'],
      ['case/c', 'passive'],
    ]);
    expect((await folder.call('prune')).stderr).toBe('nothing is past its retention\n');
    expect((await folder.call('state', 'case/a')).stderr).toContain('nothing lives at case/a: its log was removed');
  });

  test('delete: the log goes, and its seq never starts again', async () => {
    expect(await folder.call('delete', 'case/c')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+ records of case\/c are gone/) as unknown,
    });
    const up = await folder.up();
    await folder.call('send', 'case/c', 'ping');
    const { events } = await folder.json<{ events: { seq: number; kind: string }[] }>('events', 'case/c', '--json');
    expect(events[0]?.seq).toBeGreaterThan(2);
    expect(events.map((e) => e.kind)).toContain('init');
    expect((await folder.call('delete', 'case/c')).code).toBe(0);
    expect(await up.kill('SIGTERM')).toBe(0);
  });
});

test('a payload too large for its record goes through export and import', async () => {
  await using folder = new Folder(HELLO);
  const up = await folder.up();
  const name = 'x'.repeat(100_000);
  expect((await folder.call('send', 'greeter', greet(name))).code).toBe(0);
  await up.kill('SIGTERM');
  const out = folder.file('large.jsonl');
  await folder.call('export', '--out', out);
  expect(statSync(out).mode & 0o777).toBe(0o600);
  expect(readFileSync(out, 'utf8')).toContain(name);
  await folder.call('import', out, '--as', 'large');
  const state = await folder.json<{ context: { greeted: string[] } }>('state', 'greeter', '--imported', 'large', '--json');
  expect(state.context.greeted).toEqual([name]);
});

test('a store that is not there yet says so', async () => {
  await using folder = new Folder(HELLO);
  for (const args of [['ps'], ['state', 'greeter'], ['prune'], ['reset', 'greeter'], ['export']]) {
    const { code, stderr } = await folder.call(...args);
    expect([code, stderr]).toEqual([1, expect.stringContaining('STORE_MISSING')]);
  }
  expect(existsSync(folder.file('hello.db'))).toBe(false);
});

test('long logs are read from their ends, as far back as lines are asked for', async () => {
  await using folder = new Folder({
    ...HELLO,
    'mesh.yaml': 'mesh: hello\nactors: { old: { module: ./greeter.ts }, new: { module: ./greeter.ts } }\n',
  });
  const counter = setup({}).createMachine({ id: 'counter', version: '1', on: { count: {} } });
  const actors = { old: {}, new: {} };
  {
    await using mesh = await startMesh(
      { mesh: 'hello', store: `sqlite:${folder.file('hello.db')}`, actors },
      { old: counter, new: counter },
    );
    // More than one page, and the only line of each log is its first record.
    for (let i = 0; i < 600; i++) await mesh.send('old', { type: 'count' });
    await mesh.send('new', { type: 'count' });
  }
  const logs = async (...args: string[]): Promise<string[]> => {
    const { stdout } = await folder.call('logs', '--json', ...args);
    const lines = stdout
      .trim()
      .split('\n')
      .filter((line) => line !== '');
    return lines.map((line) => (JSON.parse(line) as { actor: string }).actor);
  };
  const all = await logs();
  expect(all.toSorted()).toEqual(['@root', 'new', 'old']);
  expect(await logs('--last', '2')).toEqual(all.slice(-2));
  expect(await logs('old', '--last', '1')).toEqual(['old']);
  expect(await logs('--last', '0')).toEqual([]);
});
