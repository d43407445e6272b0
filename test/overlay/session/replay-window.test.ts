import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ReplayWindow, WINDOW_PACKETS } from '../../../transport/overlay/session/replay-window.ts';

/** Takes `pn` as a packet with a good tag would; whether it was new. */
function offer(window: ReplayWindow, pn: number): boolean {
  const isNew = window.isNew(pn);
  if (isNew) window.take(pn);
  return isNew;
}

describe('a replay window', () => {
  test('takes each number once, in any order', () => {
    const window = new ReplayWindow();
    expect([5, 3, 5, 4, 3, 0, 0, 6].map((pn) => offer(window, pn))).toEqual([true, true, false, true, false, true, false, true]);
  });

  test('takes the last 4096 numbers and none behind them', () => {
    const window = new ReplayWindow();
    const highest = 100_003;
    expect(offer(window, highest)).toBe(true);
    expect(offer(window, highest - WINDOW_PACKETS)).toBe(false);
    expect(offer(window, highest - WINDOW_PACKETS + 1)).toBe(true);
    expect(offer(window, highest - WINDOW_PACKETS + 1)).toBe(false);
  });

  test('A2: is not moved by being asked, be it for the highest number', () => {
    const window = new ReplayWindow();
    offer(window, 7);
    expect(window.isNew(Number.MAX_SAFE_INTEGER)).toBe(true);
    expect(offer(window, 6)).toBe(true);
    expect(offer(window, 8)).toBe(true);
  });

  test('is as a set of all numbers, whatever the jumps', () => {
    const step = fc.oneof(
      fc.integer({ min: -70, max: 70 }),
      fc.constantFrom(4095, 4096, 4097, 4128, 4129, -4094, -4095, -4096, 31, 32, 33),
      fc.integer({ min: -5000, max: 20_000 }),
    );
    fc.assert(
      fc.property(fc.nat(2 ** 40), fc.array(step, { minLength: 1, maxLength: 300 }), (start, steps) => {
        const window = new ReplayWindow();
        const taken = new Set<number>();
        let highest = -1;
        let at = start;
        for (const by of steps) {
          at = Math.max(0, at + by);
          const isNew = at > highest - WINDOW_PACKETS && !taken.has(at);
          expect(offer(window, at)).toBe(isNew);
          taken.add(at);
          highest = Math.max(highest, at);
        }
      }),
      { seed: 6479 },
    );
  });
});
