import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AWAY_MS, SLEEP_POLL_MS, SleepWatch } from '../../../transport/overlay/endpoint/sleep.ts';

const clocks = { at: 0, ahead: 0, now: () => clocks.at, wall: () => clocks.at + clocks.ahead };
let woken: number;
let watch: SleepWatch;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  woken = 0;
  Object.assign(clocks, { at: 0, ahead: 1_000_000 });
  watch = new SleepWatch(clocks, () => woken++);
});

afterEach(() => {
  watch.stop();
  vi.useRealTimers();
});

/** The next look, when both clocks say that so much has passed. */
function passes(ms: number): void {
  clocks.at += ms;
  vi.advanceTimersByTime(SLEEP_POLL_MS);
}

test('looks that come in time, a busy process and a clock that is corrected a little are no sleep', () => {
  for (let n = 0; n < 100; n++) passes(SLEEP_POLL_MS);
  passes(SLEEP_POLL_MS + AWAY_MS);
  clocks.ahead += AWAY_MS;
  passes(SLEEP_POLL_MS);
  clocks.ahead -= 3_600_000;
  passes(SLEEP_POLL_MS);
  expect(woken).toBe(0);
});

test('a machine that slept is noticed at the next look, once, whether its monotonic clock stood still or not', () => {
  clocks.ahead += 60_000;
  passes(SLEEP_POLL_MS);
  expect(woken).toBe(1);
  passes(60_000);
  expect(woken).toBe(2);
  passes(SLEEP_POLL_MS);
  expect(woken).toBe(2);
});

test('a slow drift between the clocks never adds up to one', () => {
  for (let n = 0; n < 1_000; n++) {
    clocks.ahead += 100;
    passes(SLEEP_POLL_MS);
  }
  expect(woken).toBe(0);
});
