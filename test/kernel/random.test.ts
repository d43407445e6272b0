/** Random charts by a live XState actor and by our kernel, with and without recovery before each event. `test/long` runs more of them. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { checkRandomCharts } from './random-run.ts';

beforeEach(() => {
  vi.spyOn(console, 'warn').mockReturnValue();
});
afterEach(() => {
  vi.restoreAllMocks();
});

test('random charts: the same states, effects and order', async () => {
  await expect(checkRandomCharts({ numRuns: 200, seed: 1 })).resolves.toBeUndefined();
});
