/**
 * The kernel on the oldest XState that it promises to run on, one in between, and the latest 5.x: every test of `test/kernel`, against
 * live actors of that version. Each version is installed into a temporary folder; skipped, out loud, where npm reaches no registry.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const VERSIONS = ['5.24.0', '5.28.0', '5'];
const NEEDED = [
  'core',
  'persistence',
  'transport',
  'test/kernel',
  'test/simulation',
  'test/vectors',
  'docs/xstate.md',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
];

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const folder = mkdtempSync(join(tmpdir(), 'reprise-xstate-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Ran {
  readonly code: number;
  readonly output: string;
}
const run = (command: string, args: readonly string[], cwd: string): Promise<Ran> =>
  new Promise((resolve) => {
    execFile(command, args, { cwd, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, output: stdout + stderr });
    });
  });

/** A copy of what the tests need, with the packages of this checkout but for XState. */
function copyInto(place: string): void {
  for (const part of NEEDED) cpSync(join(root, part), join(place, part), { recursive: true });
  mkdirSync(join(place, 'node_modules'));
  const packages = join(root, 'node_modules');
  for (const name of readdirSync(packages))
    if (name !== 'xstate') symlinkSync(join(packages, name), join(place, 'node_modules', name));
}

test.for(VERSIONS)('xstate@%s', async (version, { skip }) => {
  const place = join(folder, version);
  const fetched = join(place, 'fetched');
  mkdirSync(fetched, { recursive: true });
  const options = ['--no-audit', '--no-fund', '--no-save', '--ignore-scripts', '--prefix', fetched];
  const install = await run('npm', ['install', ...options, `xstate@${version}`], fetched);
  if (install.code !== 0) skip(`xstate@${version} could not be installed: ${install.output.trim().split('\n').at(-1)}`);
  copyInto(place);
  const installed = join(fetched, 'node_modules', 'xstate');
  cpSync(installed, join(place, 'node_modules', 'xstate'), { recursive: true });
  const { version: got } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { version: string };
  expect(got.startsWith(version)).toBe(true);
  const { code, output } = await run(
    process.execPath,
    [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', 'test/kernel', '--testTimeout=600000'],
    place,
  );
  expect(code === 0 ? '' : output).toBe('');
});
