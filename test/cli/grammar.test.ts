/** What may be typed, and what is said to what may not. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { main } from '../../cli/dispatch.ts';
import { Invocation } from '../../cli/invocation.ts';
import { exitCodeOf } from '../../cli/exit.ts';
import { GROUPS, VERBS } from '../../cli/verbs.ts';
import { CODES, MeshError } from '../../core/errors.ts';
import { captured } from './processes.ts';

const DESK = resolve(import.meta.dirname, '../../examples/support-desk');

async function cli(...args: readonly string[]) {
  const { io, text } = captured({});
  const help = vi.spyOn(console, 'info').mockImplementation((line: string) => void (text.stdout += line));
  const code = await main(args, io);
  help.mockRestore();
  return { code, ...text };
}

/** Titles of columns stand as they are printed. */
const code = (word: string): string => (word === word.toUpperCase() ? word : `\`${word}\``);

describe('help', () => {
  test('lists every verb, and no verb is without code', async () => {
    const { code, stdout } = await cli('help');
    expect(code).toBe(0);
    for (const { name, about } of VERBS) {
      expect(stdout).toContain(name);
      expect(stdout).toContain(about);
    }
    for (const verb of VERBS) expect(typeof (await verb.load()).run, verb.name).toBe('function');
  });
  test('of a verb names its options', async () => {
    for (const { name, options = [] } of VERBS) {
      const { code, stdout } = await cli(name, '--help');
      expect(code, name).toBe(0);
      for (const { flags } of options) expect(stdout, name).toContain(flags);
    }
  });
  test('explains the words of its output, as docs/cli.md does', async () => {
    const page = readFileSync(join(DESK, '../../docs/cli.md'), 'utf8');
    for (const { name, words = [] } of VERBS) {
      const { stdout } = await cli(name, '--help');
      for (const [word, meaning] of words) {
        expect(stdout.split('\n'), name).toContainEqual(expect.stringMatching(new RegExp(`^ {2}${word} `)));
        expect(stdout, name).toContain(`  ${meaning}`);
        expect(page).toContain(`| ${code(word)} | ${meaning} |`);
      }
    }
    const explained = VERBS.flatMap(({ words = [] }) => words.map(([word]) => word));
    for (const word of ['activated', 'unclean', 'reopened', 'ready', 'bridge', 'mark', 'passive', 'MAILBOX', 'DEAD', 'SEQ'])
      expect(explained).toContain(word);
  });
  test('is what an empty line gives, with the exit code of a wrong call', async () => {
    expect(await cli()).toMatchObject({ code: 2, stdout: expect.stringContaining('Usage') as unknown });
  });
  test('every verb reads the mesh file, with the variables that it needs', () => {
    for (const { name, options = [] } of VERBS) {
      const flags = options.map((option) => option.flags);
      expect(flags, name).toContainEqual(expect.stringMatching(/--file <file>$/));
      expect(flags, name).toContain('--env-file <file>');
    }
  });
  test('every verb that reads has --json', () => {
    const readers = [
      'ps',
      'tree',
      'logs',
      'events',
      'state',
      'diff',
      'replay',
      'verify',
      'deadletters',
      'doctor',
      'config',
      'prune',
      'send',
      'ask',
    ];
    for (const name of readers)
      expect(
        VERBS.find((v) => v.name === name)?.options?.some((o) => o.flags === '--json'),
        name,
      ).toBe(true);
  });
  test('the version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(DESK, '../../package.json'), 'utf8')) as { version: string };
    expect(await cli('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });
  test('docs/cli.md has every verb and every exit code', () => {
    const page = readFileSync(join(DESK, '../../docs/cli.md'), 'utf8');
    for (const { name } of VERBS) expect(page, name).toMatch(new RegExp(`\`(?:reprise )?${name}[ \`]`));
    for (const code of [0, 1, 2, 3, 130]) expect(page).toMatch(new RegExp(`^\\| ${code} \\|`, 'm'));
  });
});

describe.each(GROUPS)('$name', ({ name: group, about, verbs }) => {
  test('is in the help of all, and has its own', async () => {
    expect((await cli('help')).stdout).toMatch(new RegExp(`^ {2}${group} <verb> `, 'm'));
    expect((await cli('help')).stdout).toContain(about);
    for (const args of [
      [group, 'help'],
      [group, '--help'],
    ]) {
      const { code, stdout } = await cli(...args);
      expect(code).toBe(0);
      for (const verb of verbs) expect(stdout).toContain(`  ${verb.name}`);
    }
    expect(await cli(group)).toMatchObject({ code: 2, stdout: expect.stringContaining('Usage') as unknown });
  });
  test('has code, options and a row in docs/cli.md for each verb', async () => {
    const page = readFileSync(join(DESK, '../../docs/cli.md'), 'utf8');
    for (const verb of verbs) {
      expect(typeof (await verb.load()).run, verb.name).toBe('function');
      const { stdout } = await cli(group, verb.name, '--help');
      for (const { flags } of verb.options ?? []) expect(stdout, verb.name).toContain(flags);
      expect(
        verb.options?.map(({ flags }) => flags),
        verb.name,
      ).toContain('--dir <folder>');
      expect(page, verb.name).toMatch(new RegExp(`^\\| \`${group} ${verb.name}[ \`]`, 'm'));
      for (const [word, meaning] of verb.words ?? []) expect(page).toContain(`| ${code(word)} | ${meaning} |`);
    }
  });
  test('names its verbs whole in what is wrong', async () => {
    expect(await cli(group, 'upp')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`unknown command '${group} upp' (did you mean "up"?)`) as unknown,
    });
    expect((await cli(group, 'ping')).stderr).toContain(`see \`reprise ${group} ping --help\``);
    expect((await cli(group, 'ping', 'a', '--cuont', '1')).stderr).toContain(
      `unknown option '--cuont' (did you mean "count"?); see \`reprise ${group} ping --help\``,
    );
  });
});

describe('a wrong call ends with 2 and the cure', () => {
  test.each([
    ['an unknown verb', ['stat'], `unknown command 'stat' (did you mean "state"?)`],
    ['a verb that is near none', ['xyzzy'], '(known: ask, backup,'],
    [
      'an unknown option',
      ['state', 'a', '--att', '1'],
      `unknown option '--att' (did you mean "at"?); see \`reprise state --help\``,
    ],
    ['a missing argument', ['state'], 'missing required args'],
    ['an argument too many', ['state', 'a', 'b'], 'Unused args'],
    ['an option without its value', ['state', 'a', '--at'], '--at'],
    [
      'a seq that is no number',
      ['state', 'a', '--at', 'x', '-f', join(DESK, 'mesh.yaml')],
      '--at is a whole number of at least 1',
    ],
    [
      'a seq that is no seq',
      ['diff', 'desk/intake', '0', '1', '-f', join(DESK, 'mesh.yaml')],
      'A is a whole number of at least 1',
    ],
    [
      'an event whose quotes the shell took',
      ['send', 'desk/intake', '{type:inc}', '-f', join(DESK, 'mesh.yaml')],
      `write '{"type":"greet","name":"Ada"}', with all its quotes, or only a type, greet`,
    ],
    ['an event that is no JSON', ['send', 'desk/intake', '{"type":', '-f', join(DESK, 'mesh.yaml')], 'the event is no JSON'],
    ['an address that is none', ['send', 'desk intake', 'x', '-f', join(DESK, 'mesh.yaml')], "ADDRESS_INVALID: 'desk intake'"],
    [
      'a decision that is none',
      ['resolve', 'a!1.0', '-f', join(DESK, 'mesh.yaml')],
      'decide with one of --retry, --fail and --output',
    ],
    ['two decisions', ['resolve', 'a!1.0', '--retry', '--fail', '-f', join(DESK, 'mesh.yaml')], 'decide with one of'],
    ['two ranges', ['events', 'desk', '--last', '1', '--from', '2', '-f', join(DESK, 'mesh.yaml')], '--last goes without'],
    ['an unknown action', ['config', 'chek'], "config knows validate, schema, print, not 'chek'"],
    ['an unknown action of dead letters', ['deadletters', 'drop'], 'deadletters knows list and resend'],
    ['a mesh file that is not there', ['ps', '-f', 'nowhere.yaml'], 'nowhere.yaml: there is no such file'],
  ])('%s', async (_what, args, expected) => {
    const { code, stdout, stderr } = await cli(...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(expected);
  });

  test('as JSON where JSON was asked for', async () => {
    const { code, stderr } = await cli('ps', '--json', '-f', 'nowhere.yaml');
    expect(code).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: 'CONFIG_INVALID', message: expect.stringContaining('nowhere.yaml') as unknown },
    });
    const nowhere = join(DESK, 'nowhere');
    const known = await cli('net', 'peers', '--json', '--dir', nowhere);
    const cure = new Invocation({}, undefined, nowhere).text(CODES.NET_FOLDER_MISSING.cure);
    expect([known.code, JSON.parse(known.stderr)]).toEqual([
      1,
      { error: { code: 'NET_FOLDER_MISSING', message: expect.any(String) as unknown, cure } },
    ]);
  });
});

test('exit codes follow from the code of the error', () => {
  expect(exitCodeOf(new MeshError('USAGE', ''))).toBe(2);
  expect(exitCodeOf(new MeshError('LINT_FAILED', ''))).toBe(2);
  expect(exitCodeOf(new MeshError('REPLAY_DIVERGED', ''))).toBe(3);
  expect(exitCodeOf(new MeshError('STORE_FULL', ''))).toBe(1);
  expect(exitCodeOf(new TypeError('a bug'))).toBe(1);
});

describe('config', () => {
  const file = join(DESK, 'mesh.yaml');
  test('schema prints what the package ships', async () => {
    expect((await cli('config', 'schema')).stdout).toBe(readFileSync(join(DESK, '../../mesh.schema.json'), 'utf8'));
  });
  test('print shows defaults and references, never a secret', async () => {
    const { code, stdout } = await cli('config', 'print', '--json', '-f', file);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      mesh: 'support-desk',
      shards: 16,
      tools: [{ name: 'files' }, { name: 'ledger', transport: { env: { LEDGER_KEY: { env: 'LEDGER_KEY' } } } }],
    });
  });
  test('validate loads every module and lints it', async () => {
    const { code, stdout } = await cli('config', 'validate', '-f', file);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/is right: 3 actors, 1 kind of actor, 2 tool servers, 1 model\n$/)]);
  });
});
