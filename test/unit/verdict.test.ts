/** `npm test` fails whenever vitest does. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { verdictOf } from '../verdict.ts';

const VITEST = resolve(import.meta.dirname, '../../node_modules/vitest/vitest.mjs');
const folder = mkdtempSync(join(tmpdir(), 'reprise-verdict-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a run over this one file comes to. */
function ran(text: string): ReturnType<typeof verdictOf> {
  writeFileSync(join(folder, 'one.test.mjs'), text);
  const file = join(folder, 'result.json');
  const args = [VITEST, 'run', '--globals', '--root', folder, '--reporter=json', `--outputFile.json=${file}`];
  const { status } = spawnSync(process.execPath, args, { stdio: 'ignore', env: { ...process.env, CI: 'true' } });
  return verdictOf(file, status ?? 1);
}

test('what passes, fails and is skipped is counted', () => {
  const verdict = ran(`
    test('a', () => undefined);
    test('b', () => { throw new Error('no'); });
    test.skip('c', () => undefined);
    test.todo('d');
  `);
  expect(verdict).toEqual({ passed: 1, failed: 1, skipped: 2, failures: ['b'] });
});

test('an error that no test waited for is a failure', () => {
  const verdict = ran(`test('a', () => { void Promise.reject(new Error('nobody waits')); });`);
  expect(verdict).toEqual({ passed: 1, failed: 1, skipped: 0, failures: [expect.stringContaining('vitest ended with 1')] });
});

test('so are a file that cannot be loaded, and a run that leaves no result', () => {
  expect(ran('throw new Error("not today")')).toMatchObject({ passed: 0, failed: 1 });
  expect(verdictOf(join(folder, 'none.json'), 0)).toMatchObject({ failed: 1, failures: [expect.stringContaining('no result')] });
});
