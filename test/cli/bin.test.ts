/** The executable, under a Node that is too old for the rest. Where the machine has none, that is skipped, and says so. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { EXIT } from '../../cli/exit.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const SOURCE = join(ROOT, 'cli/bin.ts');
const OLD = ['/usr/bin/node', '/usr/local/bin/node', '/usr/bin/nodejs'].find((path) => {
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(spawnSync(path, ['--version']).stdout?.toString() ?? '') ?? [];
  return major !== undefined && (Number(major) < 22 || (Number(major) === 22 && Number(minor) < 18));
});

const folder = mkdtempSync(join(tmpdir(), 'reprise-bin-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.skipIf(OLD === undefined)('an older Node says in one line what is needed, and ends as a wrong call does', () => {
  const bin = join(folder, 'bin.mjs');
  writeFileSync(bin, stripTypeScriptTypes(readFileSync(SOURCE, 'utf8')));
  const version = spawnSync(OLD as string, ['--version'])
    .stdout.toString()
    .trim()
    .slice(1);
  const { status, stdout, stderr } = spawnSync(OLD as string, [bin, 'ps'], { env: {} });
  expect([status, stdout.toString(), stderr.toString()]).toEqual([
    EXIT.usage,
    '',
    `reprise needs Node 22.18 or newer, this is ${version} (npm install node@24, then npx reprise)\n`,
  ]);
});

test('this Node runs the command', () => {
  const { status, stdout } = spawnSync(process.execPath, ['--conditions=reprise-source', SOURCE, '--version']);
  expect([status, stdout.toString()]).toEqual([0, `${manifest().version}\n`]);
});

test('is what the package calls, and asks for the Node that the package asks for', () => {
  const { bin, engines } = manifest();
  expect([bin.reprise, engines.node]).toEqual(['./dist/cli/bin.js', '>=22.18']);
});

const manifest = (): { version: string; bin: { reprise: string }; engines: { node: string } } =>
  JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as ReturnType<typeof manifest>;
