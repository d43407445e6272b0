/** The benches themselves: that they run, say what they promise to say, and mean what `goals.json` names. No speed is asserted. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { goalText, isMet, readGoals } from '../../bench/lib/goals.ts';
import { optionsOf } from '../../bench/lib/options.ts';
import { goalsText, type Report, reportOf } from '../../bench/lib/report.ts';
import type { SampleResult } from '../../bench/lib/scenario.ts';
import { shown, summary } from '../../bench/lib/statistics.ts';
import { scenarios } from '../../bench/scenarios/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'reprise-bench-test-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const bench = (...args: readonly string[]) =>
  spawnSync(process.execPath, ['--conditions=reprise-source', '--expose-gc', 'bench/run.ts', '--dir', folder, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });

describe('npm run bench', () => {
  test('runs the scenarios that it is asked for, each sample in a process of its own, and keeps every figure', () => {
    const json = join(folder, 'report.json');
    const { status, stdout, stderr } = bench('--quick', '--source', '--json', json, 'kernel-agent', 'ring-64');
    expect(stderr).toBe('');
    expect(stdout).toMatch(/Node \d+.*, SQLite [\d.]+, synchronous=FULL/);
    expect(stdout).toMatch(/^kernel-agent {2}kernel: /m);
    expect(stdout).toMatch(/^ {2}of-limit +[\d.]+ x +goal >= 0\.40/m);
    expect(stdout).toMatch(/^ {2}fsync before each: /m);
    expect(stdout).toMatch(/^\d of 4 goals met\.$/m);
    // A goal that is missed is told, and no more.
    expect(status).toBe(0);
    const report = JSON.parse(readFileSync(json, 'utf8')) as Report;
    expect(report).toMatchObject({ quick: true, samples: 1, synchronous: 'FULL', machine: { node: expect.any(String) } });
    expect(report.scenarios.map((s) => [s.name, s.turns.length, Object.keys(s.turns[0] ?? {})])).toEqual([
      ['ring-64', 1, ['ours', 'limit']],
      ['kernel-agent', 1, ['step', 'digests', 'send', 'transition']],
    ]);
    for (const { metrics } of report.scenarios) for (const { median } of metrics) expect(median).toBeGreaterThan(0);
  });

  test('lists what it would run, and knows a name that it does not have', () => {
    expect(bench('--list', 'ring').stdout.match(/^\S+/gm)).toEqual(['ring-1', 'ring-64', 'ring-1000']);
    const unknown = bench('nothing-like-it');
    expect([unknown.status, unknown.stdout]).toEqual([2, expect.stringContaining('there are: ring-1')]);
    const wrong = bench('--samples', 'many');
    expect([wrong.status, wrong.stderr]).toEqual([
      2,
      expect.stringContaining("--samples has to be a number from 1 on, not 'many'"),
    ]);
  });
});

/** What a sample might have measured: everything, and 2 of it. */
const anything: SampleResult = {
  measured: new Proxy({}, { get: () => 2 }),
  firstWordMs: 3,
  fsyncUs: 200,
  foreignCores: 0,
};

describe('goals.json', () => {
  test('names metrics that there are', () => {
    const turn = new Proxy({}, { get: () => anything });
    const names = scenarios(false).flatMap((s) => s.metrics(turn).map((metric) => `${s.name}/${metric.name}`));
    expect(Object.keys(readGoals()).filter((name) => !names.includes(name))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
  });

  test('is held against the median, and what is missed is told with its reason', () => {
    const scenario = scenarios(false).find(({ name }) => name === 'idle');
    if (scenario === undefined) throw new RangeError('no scenario idle');
    const turns = [1, 9, 5].map((n) => ({
      ours: { ...anything, measured: { residentBytes: n, passiveBytes: 0, contextBytes: 0 } },
    }));
    const met = reportOf(scenario, turns, { 'idle/resident': { atMost: 5, why: 'small' } });
    expect(met.metrics[0]).toMatchObject({
      name: 'idle/resident',
      values: [1, 9, 5],
      median: 5,
      min: 1,
      max: 9,
      n: 3,
      met: true,
    });
    const missed = reportOf(scenario, turns, { 'idle/resident': { atMost: 4, why: 'small' } });
    expect(goalsText([met, missed])).toBe('\n1 of 2 goals met.\nmissed: idle/resident is 5.00 bytes, goal <= 4.00 (small)');
  });

  test('may have two sides', () => {
    const goal = { atLeast: 1, atMost: 2, why: '' };
    expect([0.9, 1, 2, 2.1].map((median) => isMet(goal, { median, min: 0, max: 0, n: 1 }))).toEqual([false, true, true, false]);
    expect(goalText(goal)).toBe('>= 1.00 <= 2.00');
  });
});

describe('figures', () => {
  test('a median of an even number lies between the middle ones', () => {
    expect([summary([3, 1, 2]).median, summary([4, 1, 3, 2]).median]).toEqual([2, 2.5]);
    expect(() => summary([])).toThrow('nothing was measured');
  });

  test('are shown with three digits', () => {
    expect([0, 0.0123, 1.234, 12.34, 123.4, 1234, 12_345, 1_234_567].map(shown)).toEqual([
      '0.00',
      '0.012',
      '1.23',
      '12.3',
      '123',
      '1234',
      '12.3k',
      '1.23M',
    ]);
  });

  test('quick runs take one sample of each unless they are told otherwise', () => {
    expect([optionsOf([]), optionsOf(['--quick']), optionsOf(['--quick', '--samples', '3'])].map((o) => o.samples)).toEqual([
      5, 1, 3,
    ]);
    expect(() => optionsOf(['--quiet', 'soon'])).toThrow("--quiet has to be a number of seconds, not 'soon'");
  });
});
