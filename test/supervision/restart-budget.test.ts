import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addRestart, backoffMs, checkBudgetSpendable, isSpent } from '../../core/supervision/restart-budget.ts';
import { supervisorFlags } from '../../core/supervision/child-spec.ts';
import { Bench } from './bench.ts';

describe('the window', () => {
  it('keeps what lies inside the period, the edge included', () => {
    expect(addRestart([1_000, 2_000, 3_000], 7_000, 5_000)).toEqual([2_000, 3_000, 7_000]);
  });
});

describe('the wait before a restart', () => {
  it('grows by the factor up to its maximum', () => {
    const backoff = { minMs: 100, maxMs: 1_000, factor: 3, jitter: 0 };
    expect([1, 2, 3, 4, 500].map((row) => backoffMs(backoff, row, 0.7))).toEqual([100, 300, 900, 1_000, 1_000]);
  });

  it('is shortened by at most the share of jitter', () => {
    const backoff = { minMs: 1_000, maxMs: 1_000, factor: 1, jitter: 0.2 };
    expect(backoffMs(backoff, 1, 0)).toBe(1_000);
    expect(backoffMs(backoff, 1, 0.999)).toBe(800);
  });
});

describe('checkBudgetSpendable', () => {
  it('says nothing about the defaults', () => {
    expect(checkBudgetSpendable({})).toBeUndefined();
  });

  it('says with numbers why a budget cannot be spent', () => {
    expect(checkBudgetSpendable({ intensity: 3, periodMs: 5_000, backoff: { minMs: 2_000, jitter: 0 } })).toBe(
      'the backoff makes the restart budget unspendable: 4 restarts of one child take at least 14000 ms, but only those within 5000 ms are counted, ' +
        "so a child that always fails is restarted for ever; raise 'periodMs' to 14000 or more, or lower 'intensity' or the waits",
    );
  });

  it('names the child whose own waits are the reason', () => {
    expect(checkBudgetSpendable({}, [{ id: 'quick' }, { id: 'slow', backoff: { minMs: 60_000, maxMs: 60_000 } }])).toMatch(
      /backoff of 'slow' makes/,
    );
  });

  it('is true: a child that fails at once after each start spends the budget or not, as it says', () => {
    const flags = fc.record({
      intensity: fc.integer({ min: 0, max: 8 }),
      periodMs: fc.integer({ min: 1, max: 10_000 }),
      backoff: fc.record({
        minMs: fc.integer({ min: 0, max: 3_000 }),
        maxMs: fc.integer({ min: 1, max: 6_000 }),
        factor: fc.constantFrom(1, 1.5, 2, 4),
        jitter: fc.constantFrom(0, 0.2, 1),
      }),
    });
    fc.assert(
      fc.property(flags, (given) => {
        const sup = Bench.up([{ id: 'a' }], given);
        sup.random = 1;
        for (let i = 0; i < 40 && sup.child('a').status !== 'parked'; i++) {
          sup.failed('a');
          sup.elapse(waitOf(sup)).settle();
        }
        expect(sup.child('a').status === 'parked').toBe(checkBudgetSpendable(given) === undefined);
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it('a budget of 0 is always spent at once', () => {
    expect(isSpent(addRestart([], 1, 5_000), supervisorFlags({ intensity: 0 }))).toBe(true);
    expect(checkBudgetSpendable({ intensity: 0, backoff: { minMs: 60_000, maxMs: 60_000 } })).toBeUndefined();
  });
});

/** ms until the restart that waits. */
function waitOf(sup: Bench): number {
  const timer = sup.effects.find((e) => e.kind === 'timer' && e.timer.startsWith('backoff:'));
  return timer?.kind === 'timer' ? timer.delay : 0;
}
