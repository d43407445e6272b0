/** Commands that are printed run where they are printed. */
import { describe, expect, test } from 'vitest';
import { Invocation } from '../../cli/invocation.ts';
import { Folder, HELLO } from './processes.ts';

const NPX = { npm_command: 'exec' };

test.each<[string, Invocation, string]>([
  ['as it was installed for all', new Invocation({}), 'reprise ps desk'],
  ['through npx', new Invocation(NPX), 'npx reprise ps desk'],
  ['with a file of its own', new Invocation({}, 'conf/other.yaml'), 'reprise ps desk -f conf/other.yaml'],
  ['with the file that is meant anyway', new Invocation({}, './mesh.yaml'), 'reprise ps desk'],
  [
    'with a file that a shell would take apart',
    new Invocation(NPX, "it's one.yaml"),
    `npx reprise ps desk -f 'it'\\''s one.yaml'`,
  ],
])('a command is written %s', (_, reprise, expected) => {
  expect(reprise.command('ps desk')).toBe(expected);
});

test('a command of `net` has the folder of the network, and no mesh file', () => {
  const reprise = new Invocation(NPX, 'b.yaml', 'nets/my home');
  expect(reprise.command('net up')).toBe(`npx reprise net up --dir 'nets/my home'`);
  expect(reprise.command('net serve-mcp x -- a -- b')).toBe(`npx reprise net serve-mcp x --dir 'nets/my home' -- a -- b`);
  expect(reprise.command('net up --help')).toBe('npx reprise net up --help');
  expect(new Invocation({}, undefined, './.reprise/net').command('net ping hub')).toBe('reprise net ping hub');
});

test('a command for another folder, on another machine perhaps, has not the one that was typed here', () => {
  const reprise = new Invocation(NPX, undefined, 'alice');
  expect(reprise.text('ask for one (`reprise net invite`, where the network was made), or see `reprise net doctor`')).toBe(
    'ask for one (`npx reprise net invite`, where the network was made), or see `npx reprise net doctor --dir alice`',
  );
  expect(reprise.text('`reprise net join INVITE --dir FOLDER`')).toBe('`npx reprise net join INVITE --dir FOLDER`');
  expect(reprise.text('`reprise net id`, there, and `reprise net id` here')).toBe(
    '`npx reprise net id`, there, and `npx reprise net id --dir alice` here',
  );
  expect(reprise.elsewhere('net connect-mcp files')).toBe('npx reprise net connect-mcp files');
});

test('in texts, only commands in backquotes are', () => {
  const reprise = new Invocation(NPX, 'b.yaml');
  expect(
    reprise.text('reprise says: `reprise logs A`, `reprise migrate ACTOR`, `reprise VERB --help`, `reprise`, `ps`', 'desk/a$&'),
  ).toBe(
    'reprise says: `npx reprise logs A --file b.yaml`, `npx reprise migrate desk/a$& -f b.yaml`, `npx reprise VERB --help`, `npx reprise`, `ps`',
  );
  expect(reprise.text('`reprise help` and `reprise ps --help`')).toBe('`npx reprise help` and `npx reprise ps --help`');
});

describe('where the mesh file has another name, through npx', () => {
  test('errors, notes, help, the banner and NOTE of ps say what can be typed, and so do errors as JSON', async () => {
    await using folder = new Folder({ ...HELLO, 'other.yaml': HELLO['mesh.yaml'] });
    const run = async (...args: string[]) => {
      const child = folder.start(args, NPX);
      let [stdout, stderr] = ['', ''];
      child.stdout?.on('data', (bytes: Buffer) => (stdout += bytes.toString()));
      child.stderr?.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
      await new Promise((resolve) => child.once('close', resolve));
      return { stdout, stderr };
    };
    const sent = ['send', 'greeter', 'rest', '-f', 'other.yaml'];
    expect((await run(...sent)).stderr).toMatch(/^MESH_NOT_RUNNING: .*\n {2}.*`npx reprise up -f other\.yaml`/);
    expect((await run('ps', '--file=other.yaml')).stderr).toMatch(/^STORE_MISSING: .*\n {2}.*`npx reprise up -f other\.yaml`/);
    expect((await run('logs', '--file', 'other.yaml')).stderr).toContain('`npx reprise up -f other.yaml`');
    expect(JSON.parse((await run(...sent, '--json')).stderr)).toMatchObject({
      error: { cure: expect.stringContaining('`npx reprise up -f other.yaml`') as string },
    });
    expect((await run('up', '--help')).stdout).toMatch(/^ {2}\$ npx reprise up$[\s\S]*^npx reprise up --watch$/m);
    expect((await run('up', '--wach')).stderr).toContain('see `npx reprise up --help`');
  });
});
