/**
 * The arithmetic of restarts: the sliding window of OTP, in ms instead of whole seconds, and the waits between restarts.
 * Source: add_restart of OTP's supervisor: keep what lies inside the period, add now, compare the length.
 */
import type { Backoff, ChildSpecInput, FlagsInput, SupervisorFlags } from './child-spec.ts';
import { supervisorFlags } from './child-spec.ts';

/** The window with one restart more. A gap of exactly `periodMs` still counts. */
export const addRestart = (restarts: readonly number[], ts: number, periodMs: number): number[] => [
  ...restarts.filter((at) => at >= ts - periodMs),
  ts,
];

export const isSpent = (restarts: readonly number[], flags: SupervisorFlags): boolean => restarts.length > flags.intensity;

/** ms before restart number `row` in a row (1-based), never above `maxMs`. `random`: 0 <= x < 1. */
export function backoffMs(backoff: Backoff, row: number, random: number): number {
  const whole = Math.min(backoff.maxMs, backoff.minMs * backoff.factor ** (row - 1));
  return Math.round(whole * (1 - backoff.jitter * random));
}

/** A child that ran this long has recovered: its waits begin anew. */
export const quietMs = (flags: SupervisorFlags, backoff: Backoff): number => Math.max(flags.periodMs, 2 * backoff.maxMs);

/**
 * Says why a budget can never be spent, because the waits keep its restarts too far apart; undefined when it can be.
 * Looks at one child that fails at once after each start, at the shortest waits that jitter leaves.
 */
export function checkBudgetSpendable(
  given: FlagsInput,
  children: readonly Pick<ChildSpecInput, 'id' | 'backoff'>[] = [],
): string | undefined {
  const flags = supervisorFlags(given);
  const policies = [
    { backoff: flags.backoff, whose: '' },
    ...children
      .filter((c) => c.backoff !== undefined)
      .map((c) => ({ backoff: { ...flags.backoff, ...c.backoff }, whose: ` of '${c.id}'` })),
  ];
  const worst = policies.map((p) => ({ ...p, ms: quickestMs(p.backoff, flags.intensity) })).find((p) => p.ms > flags.periodMs);
  if (worst === undefined) return undefined;
  const { intensity, periodMs } = flags;
  return (
    `the backoff${worst.whose} makes the restart budget unspendable: ${intensity + 1} restarts of one child take at least ${worst.ms} ms, but only those within ${periodMs} ms are counted, ` +
    `so a child that always fails is restarted for ever; raise 'periodMs' to ${worst.ms} or more, or lower 'intensity' or the waits`
  );
}

/** ms between the first and the last of `intensity + 1` restarts in a row: the waits of all but the last. */
function quickestMs(backoff: Backoff, intensity: number): number {
  let sum = 0;
  // Beyond this many the waits are all `maxMs`.
  const growing = Math.min(intensity, 64);
  for (let row = 1; row <= growing; row++) sum += backoffMs(backoff, row, 1);
  return sum + (intensity - growing) * backoffMs(backoff, 64, 1);
}
