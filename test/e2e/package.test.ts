/**
 * What users get: the packed tarball, installed in an empty folder. An agent of theirs is type-checked there against the published
 * declarations, runs under the published CLI on published JavaScript, is killed, goes on, and is performed again.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'reprise-package-'));
const env = {
  ...process.env,
  // The Node of the project, as a user's own would be.
  PATH: [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
  NODE_OPTIONS: '',
};
const reprise = join(folder, 'node_modules', '.bin', 'reprise');
let mesh: ChildProcess | undefined;

const FILES: Readonly<Record<string, string>> = {
  'package.json': '{ "name": "user", "private": true, "type": "module" }',
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      target: 'es2024',
      lib: ['es2024', 'esnext.disposable'],
      module: 'nodenext',
      strict: true,
      noEmit: true,
      erasableSyntaxOnly: true,
      skipLibCheck: false,
      types: ['node'],
    },
    include: ['*.ts'],
  }),
  'mesh.yaml': 'mesh: user\nactors:\n  tea: { module: ./tea.ts }\n',
  'tea.ts': `
import { ask, MeshError, model, startMesh, tool } from 'reprise';
import { memory, virtualClock } from 'reprise/testing';
import { assign, sendTo, setup, type AnyActorRef } from 'xstate';

export const tea = setup({
  types: {
    context: {} as { cups: string[] },
    events: {} as { type: 'brew'; kind: string } | { type: 'count'; replyTo: AnyActorRef },
  },
}).createMachine({
  id: 'tea',
  version: '1',
  context: { cups: [] },
  on: {
    brew: { actions: assign({ cups: ({ context, event }) => [...context.cups, event.kind] }) },
    count: { actions: sendTo(({ event }) => event.replyTo, ({ context }) => ({ type: 'counted', cups: context.cups.length })) },
  },
});

/** Not of the mesh: they have to compile. */
export const callers = setup({
  actors: { think: model('main'), write: tool('files.write_file'), other: ask({ to: 'tea' }) },
});
export async function inCode(): Promise<number> {
  const clock = virtualClock();
  await using mesh = await startMesh({ mesh: 'code', store: 'memory:', actors: { tea: {} } }, { tea }, { store: memory(), clock });
  const { seq } = await mesh.ref('tea').send({ type: 'brew', kind: 'mint' });
  const reply = await mesh.ask('tea', { type: 'count' });
  if (reply.type !== 'counted') throw new MeshError('INTERNAL', String(seq));
  return seq;
}
export default tea;
`,
};

async function up(): Promise<ChildProcess> {
  const child = spawn(reprise, ['up'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((ready, failed) => {
    child.stdout.on('data', (bytes: Buffer) => {
      if (bytes.toString().includes('mesh.ready')) ready();
    });
    child.on('exit', (code) => failed(new Error(`reprise up ended with ${code}`)));
  });
  return child;
}
async function cli(...args: readonly string[]): Promise<string> {
  return (await run(reprise, args, { cwd: folder, env })).stdout;
}

beforeAll(async () => {
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
  const packed = mkdtempSync(join(tmpdir(), 'reprise-pack-'));
  await run('npm', ['pack', '--silent', '--pack-destination', packed], { env: process.env });
  const [tarball] = readdirSync(packed);
  const { version } = JSON.parse(readFileSync('node_modules/@types/node/package.json', 'utf8')) as { version: string };
  const types = `@types/node@${version}`;
  const install = [
    'install',
    '--no-audit',
    '--no-fund',
    '--prefer-offline',
    '--loglevel=error',
    join(packed, tarball ?? ''),
    'xstate@5',
    types,
  ];
  await run('npm', install, { cwd: folder, env: process.env });
  rmSync(packed, { recursive: true, force: true });
}, 240_000);

afterAll(async () => {
  mesh?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

describe('the package, installed', () => {
  test("type-checks a user's agent", async () => {
    const { stdout } = await run(resolve('node_modules/.bin/tsc'), ['-p', '.'], { cwd: folder, env }).catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout).toBe('');
  });

  test('runs it, is killed, goes on, and performs it again', async () => {
    mesh = await up();
    await cli('send', 'tea', '{"type":"brew","kind":"mint"}');
    mesh.kill('SIGKILL');
    await once(mesh, 'exit');
    mesh = await up();
    await cli('send', 'tea', '{"type":"brew","kind":"oolong"}');
    expect(JSON.parse(await cli('ask', 'tea', '{"type":"count"}', '--json'))).toEqual({ type: 'counted', cups: 2 });
    mesh.kill('SIGTERM');
    const [code] = (await once(mesh, 'exit')) as [number];
    expect(code).toBe(0);
    expect(JSON.parse(await cli('state', 'tea', '--json'))).toMatchObject({ context: { cups: ['mint', 'oolong'] } });
    const replayed = await cli('replay', 'tea');
    expect(replayed).toContain('brew');
    expect(replayed).not.toContain('diverged');
  });
});
