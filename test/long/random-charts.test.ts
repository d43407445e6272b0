/**
 * Random charts at length, by a live XState actor and by our kernel. `REPRISE_RUNS` (default 20,000) and `REPRISE_SEED` (default: a fresh
 * one, which is printed) choose what is run; a failure names the seed and path that show it again.
 */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { checkRandomCharts } from '../kernel/random-run.ts';

const numRuns = Number(process.env['REPRISE_RUNS'] ?? 20_000);
const seed = Number(process.env['REPRISE_SEED'] ?? Date.now() % 2 ** 31);

beforeEach(() => {
  vi.spyOn(console, 'warn').mockReturnValue();
});
afterEach(() => {
  vi.restoreAllMocks();
});

test(`${numRuns} random charts of seed ${seed}`, async () => {
  await expect(checkRandomCharts({ numRuns, seed })).resolves.toBeUndefined();
});
