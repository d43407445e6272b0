/** The three terminals of docs/overlay.md are typed and its programs run, and what they print is compared (`…` stands for anything). */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { begun, fencesOf, killGroup, patternOf, shown, transcriptOf } from '../../transcript.ts';

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
  NODE_OPTIONS: '--conditions=reprise-source',
};
const running = new Set<ChildProcess>();

function goesOn(child: ChildProcess): void {
  running.add(child);
  child.once('exit', () => running.delete(child));
}

afterAll(() => {
  for (const child of running) killGroup(child);
  rmSync(folder, { recursive: true, force: true });
});

const transcript = transcriptOf(PAGE);

async function typed(command: string, lines: number): Promise<string> {
  if (/net (?:up|listen) [^>]*$/.test(command)) {
    const { child, said } = begun(command, { cwd: folder, env }, (printed) => (printed.length >= lines ? lines : undefined));
    goesOn(child);
    return said;
  }
  if (command.endsWith('&')) {
    goesOn(spawn('bash', ['-c', command.replace(/ &$/, '')], { cwd: folder, env, stdio: 'ignore', detached: true }));
    return '';
  }
  const { stdout } = await run('bash', ['-c', `{ ${command}; } 2>&1`], { cwd: folder, env });
  return shown(stdout);
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

test('three terminals and the programs print what the page says', { timeout: 90_000 }, async () => {
  mkdirSync(bin);
  const npx = join(bin, 'npx');
  // As npm does it: the process that was started stays, and does not hand signals on.
  writeFileSync(npx, `#!/bin/sh\nshift\nnode "${resolve('cli/main.ts')}" "$@"\nexit $?\n`);
  chmodSync(npx, 0o755);
  // As `npm install reprise` has it.
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(resolve('.'), join(folder, 'node_modules', 'reprise'));
  for (const { file, text } of fencesOf(PAGE)) if (file !== undefined) writeFileSync(join(folder, file), text);
  const [relay, pinned] = [await freePort(), await freePort()];
  const here = (text: string): string => text.replaceAll('7337', `${relay}`).replaceAll('7338', `${pinned}`);
  expect(transcript.length).toBeGreaterThan(10);
  for (const { command, output } of transcript) {
    const expected = here(output);
    // A node that was just started needs a moment to be found: a person types more slowly.
    await expect
      .poll(
        () =>
          typed(here(command), expected.split('\n').length).catch((error: { stdout?: string }) => error.stdout ?? String(error)),
        {
          timeout: 30_000,
          message: `$ ${command}`,
        },
      )
      .toMatch(patternOf(expected));
  }
});

test('what the pages of the overlay have to be typed is written with `npx`, as a folder with the package needs it', () => {
  for (const page of ['overlay.md', 'overlay-mcp.md', 'overlay-trust.md', 'overlay-wire.md']) {
    const typed = readFileSync(`docs/${page}`, 'utf8').match(/(?:^|`|\$ |\| )reprise [a-z].*/gm) ?? [];
    expect(typed, page).toEqual([]);
  }
});
