/**
 * How many seeds a test goes through: a few in CI, many in `npm run test:long`, which sets `REPRISE_LONG`. There `REPRISE_SEED` is the first
 * one (default 1): another one is another run.
 */
const isLong = process.env['REPRISE_LONG'] === '1';
const first = isLong ? Number(process.env['REPRISE_SEED'] ?? 1) : 1;

export const seeds = (few: number, many: number): number => (isLong ? many : few);

/** One after the other. Says at which one a loop over them was left by an error, so that it can be the first one of the next run. */
export function* eachSeed(few: number, many: number): Generator<number> {
  for (let seed = first; seed < first + seeds(few, many); seed++) {
    let isPassed = false;
    try {
      yield seed;
      isPassed = true;
    } finally {
      if (!isPassed) console.error(`failed with REPRISE_SEED=${seed}`);
    }
  }
}
