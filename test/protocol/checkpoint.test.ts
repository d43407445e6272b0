import { describe, expect, test } from 'vitest';
import { checkpointDue } from '../../core/protocol/checkpoint.ts';

const KIB = 1024;

describe('a checkpoint is due', () => {
  test.each([
    ['not for a small log, whatever the state', 32 * KIB, 1, 0, false],
    ['as soon as the log outgrows the least', 32 * KIB + 1, 1, 0, true],
    ['not while the log is no longer than the state', 100 * KIB, 1, 100 * KIB, false],
    ['as soon as it is', 100 * KIB + 1, 1, 100 * KIB, true],
    ['not below 4096 records', 0, 4_095, 10 * KIB, false],
    ['at 4096 records, however small', 0, 4_096, 10_000 * KIB, true],
  ])('%s', (_, logBytes, records, stateBytes, due) => {
    expect(checkpointDue(logBytes, records, stateBytes)).toBe(due);
  });
});

/** Steps of 500 bytes of log that each add 300 to the state. */
function grow(steps: number): { readonly log: number; readonly saved: number; readonly longest: number } {
  let [saved, last, sinceLast, records, longest] = [0, 0, 0, 0, 0];
  for (let step = 1; step <= steps; step++) {
    sinceLast += 500;
    records++;
    longest = Math.max(longest, records);
    if (!checkpointDue(sinceLast, records, last)) continue;
    last = step * 300;
    saved += last;
    sinceLast = records = 0;
  }
  return { log: steps * 500, saved, longest };
}

test('what is saved stays a small multiple of the log while the state grows with it', () => {
  for (const steps of [500, 2_000, 10_000]) {
    const { log, saved } = grow(steps);
    expect(saved).toBeGreaterThan(0);
    expect(saved).toBeLessThan(2 * log);
  }
});

test('recovery never folds more than 4096 records', () => {
  expect(grow(50_000).longest).toBe(4_096);
});
