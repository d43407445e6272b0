/**
 * Random stories of whole nodes at length. `REPRISE_RUNS` (default 5,000) and `REPRISE_SEED` (default: a fresh one) choose what is told; a
 * failure names its seed and its last steps.
 */
import { expect, test } from 'vitest';
import { runChaos } from '../overlay/chaos.ts';

const runs = Number(process.env['REPRISE_RUNS'] ?? 5_000);
const first = Number(process.env['REPRISE_SEED'] ?? Date.now() % 2 ** 31);

test(`${runs} stories of nodes from seed ${first} on`, async () => {
  const failures: string[] = [];
  for (let seed = first; seed < first + runs && failures.length < 10; seed++)
    await runChaos(seed).catch((error: unknown) => failures.push(String(error)));
  expect(failures).toEqual([]);
});
