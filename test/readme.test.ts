/**
 * The README is run: files of its fences are written, transcripts are typed, and what they print is compared (`…` stands for anything).
 * Types of its agents are checked. `npx reprise` is the CLI of this checkout.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

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

interface Fence {
  readonly language: string;
  readonly file: string | undefined;
  readonly text: string;
}
const fences: Fence[] = [...README.matchAll(/^```(\w*) ?(\S*)\n([\s\S]*?)^```$/gm)].map(
  ([, language = '', file = '', text = '']) => ({
    language,
    file: file === '' ? undefined : file,
    text,
  }),
);
const transcript = fences
  .filter((f) => f.language === 'console')
  .flatMap((f) => f.text.split(/^\$ /m).slice(1))
  .map((part) => {
    const [command = '', ...output] = part.split('\n');
    return { command, output: output.join('\n').trimEnd() };
  });

/** A pattern in which `…` stands for anything within a line, as a line of its own for the rest; and the number of a process for any. */
function patternOf(expected: string): RegExp {
  const lines = expected
    .replaceAll(/^pid \d+/gm, 'pid …')
    .split('\n')
    .map((line) =>
      line === '…'
        ? '[\\s\\S]*'
        : line
            .split('…')
            .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
            .join('.*'),
    );
  return new RegExp(`^${lines.join('\\n')}$`);
}
/** Columns of tables move with what is in them. */
const shown = (text: string): string => text.replaceAll(/[ \t]+$/gm, '').trimEnd();

let mesh: ChildProcess | undefined;
/** As on a terminal: `script` gives it one. Returns its first lines, up to that with its pid. */
async function up(command: string): Promise<string> {
  kill();
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    cwd: folder,
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  mesh = child;
  return new Promise<string>((ready, failed) => {
    let said = '';
    child.stdout.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      const lines = stripVTControlCharacters(said).split(/\r?\n/);
      const last = lines.slice(0, -1).findIndex((line) => line.startsWith('pid '));
      if (last >= 0) ready(lines.slice(0, last + 1).join('\n'));
    });
    child.on('exit', (code) => failed(new Error(`reprise up ended with ${code}: ${said}`)));
  });
}
function kill(): void {
  if (mesh?.pid !== undefined) process.kill(-mesh.pid, 'SIGKILL');
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
