/** The three terminals of docs/overlay.md are typed, and what they print is compared (`…` stands for anything). */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { afterAll, expect, test } from 'vitest';

const run = promisify(execFile);
const PAGE = readFileSync('docs/overlay.md', 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'reprise-net-page-'));
const bin = join(folder, 'bin');
// npm says so to what `npx` starts: commands are printed with it.
const env = {
  ...process.env,
  PATH: [bin, dirname(process.execPath), process.env['PATH']].join(delimiter),
  NO_COLOR: '1',
  npm_command: 'exec',
};
const running: ChildProcess[] = [];

afterAll(() => {
  for (const { pid } of running) if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const transcript = [...PAGE.matchAll(/^```console\n([\s\S]*?)^```$/gm)]
  .flatMap(([, text = '']) => text.split(/^\$ /m).slice(1))
  .map((part) => {
    const [command = '', ...output] = part.split('\n');
    return { command, output: output.join('\n').trimEnd() };
  });

/** `…` stands for anything within a line, as a line of its own for all that follows or lies between. */
const patternOf = (expected: string): RegExp =>
  new RegExp(
    `^${expected
      .split('\n')
      .map((line) =>
        line === '…'
          ? '[\\s\\S]*'
          : line
              .split('…')
              .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
              .join('.*'),
      )
      .join('\\n')}$`,
  );

/** A command that goes on, as on a terminal, until it has printed so many lines. */
async function begun(command: string, lines: number): Promise<string> {
  const child = spawn('script', ['-qec', `stty cols 200; ${command}`, '/dev/null'], {
    cwd: folder,
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  running.push(child);
  return new Promise((resolve, reject) => {
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const whole = stripVTControlCharacters(said).split(/\r?\n/).slice(0, -1);
      if (whole.length >= lines) resolve(whole.slice(0, lines).join('\n'));
    });
    child.once('exit', () => reject(new Error(`${command} ended: ${said}`)));
  });
}

async function typed(command: string, lines: number): Promise<string> {
  if (/net (?:up|listen) [^>]*$/.test(command)) return begun(command, lines);
  if (command.endsWith('&')) {
    running.push(spawn('bash', ['-c', command.replace(/ &$/, '')], { cwd: folder, env, stdio: 'ignore', detached: true }));
    return '';
  }
  const { stdout } = await run('bash', ['-c', `{ ${command}; } 2>&1`], { cwd: folder, env });
  return stdout.replaceAll(/[ \t]+$/gm, '').trimEnd();
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

test('three terminals print what the page says', { timeout: 90_000 }, async () => {
  mkdirSync(bin);
  const npx = join(bin, 'npx');
  writeFileSync(npx, `#!/bin/sh\nshift\nexec node --conditions=reprise-source "${resolve('cli/main.ts')}" "$@"\n`);
  chmodSync(npx, 0o755);
  const port = String(await freePort());
  expect(transcript.length).toBeGreaterThan(10);
  for (const { command, output } of transcript) {
    const expected = output.replaceAll('7337', port);
    // A node that was just started needs a moment to be found: a person types more slowly.
    await expect
      .poll(
        () =>
          typed(command.replaceAll('7337', port), expected.split('\n').length).catch(
            (error: { stdout?: string }) => error.stdout ?? String(error),
          ),
        {
          timeout: 30_000,
          message: `$ ${command}`,
        },
      )
      .toMatch(patternOf(expected));
  }
});
