/**
 * The README is run: files of its fences are written, transcripts are typed, and what they print is compared (`…` stands for anything).
 * Types of its agents are checked. `npx reprise` is the CLI of this checkout.
 */
import { type ChildProcess, execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { begun, fencesOf, killGroup, patternOf, shown, transcriptOf } from './transcript.ts';

const run = promisify(execFile);
const README = readFileSync('README.md', 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'reprise-readme-'));
const bin = join(folder, 'bin');
const env = {
  ...process.env,
  PATH: [bin, dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
  NO_COLOR: '1',
  NODE_OPTIONS: '--conditions=reprise-source',
};

const fences = fencesOf(README);
const transcript = transcriptOf(README);

let mesh: ChildProcess | undefined;
/** Returns its first lines, up to that with its pid. */
async function up(command: string): Promise<string> {
  kill();
  const { child, said } = begun(command, { cwd: folder, env }, (lines) => {
    const last = lines.findIndex((line) => line.startsWith('pid '));
    return last < 0 ? undefined : last + 1;
  });
  mesh = child;
  return said;
}
function kill(): void {
  if (mesh !== undefined) killGroup(mesh);
  mesh = undefined;
}
/** What a line of a transcript prints. */
async function typed(command: string): Promise<string> {
  if (command.startsWith('npx reprise up')) return up(command.replace(/^npx /, ''));
  if (command.startsWith('kill -9')) {
    kill();
    return '';
  }
  const { stdout } = await run('bash', ['-c', command.replace(/^npx /, '')], { cwd: folder, env });
  return shown(stdout);
}

beforeAll(() => {
  mkdirSync(bin);
  const cli = join(bin, 'reprise');
  writeFileSync(cli, `#!/bin/sh\nexec node --conditions=reprise-source "${resolve('cli/main.ts')}" "$@"\n`);
  chmodSync(cli, 0o755);
  mkdirSync(join(folder, 'node_modules'));
  for (const name of ['xstate', '@types']) symlinkSync(resolve('node_modules', name), join(folder, 'node_modules', name));
  symlinkSync(resolve('.'), join(folder, 'node_modules', 'reprise'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  mkdirSync(join(folder, 'texts'));
  mkdirSync(join(folder, 'node_modules', '.bin'));
  symlinkSync(resolve('node_modules/.bin/mcp-server-filesystem'), join(folder, 'node_modules', '.bin', 'mcp-server-filesystem'));
  for (const { file, text } of fences) if (file !== undefined) writeFileSync(join(folder, file), text);
});
afterAll(() => {
  kill();
  rmSync(folder, { recursive: true, force: true });
});

describe('the README', () => {
  test('has scripts for its shell commands', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    const named = [...README.matchAll(/npm (?:run )?(test(?::\w+)?|demo|bench|pack)\b/g)].map(([, name = '']) => name);
    for (const name of named.filter((n) => n !== 'pack')) expect(Object.keys(scripts)).toContain(name);
  });

  test('type-checks', async () => {
    const compilerOptions = {
      ...(JSON.parse(readFileSync('tsconfig.json', 'utf8')) as { compilerOptions: object }).compilerOptions,
      rootDir: '/',
      preserveSymlinks: false,
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
    const { stdout } = await run(resolve('node_modules/.bin/tsc'), ['-p', '.'], { cwd: folder, env }).catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout).toBe('');
  });

  test('prints what it says, through a kill', { timeout: 120_000 }, async () => {
    expect(transcript.length).toBeGreaterThan(8);
    for (const { command, output } of transcript) expect(await typed(command), `$ ${command}`).toMatch(patternOf(output));
  });
});
