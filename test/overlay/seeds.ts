/**
 * How many seeds a test goes through: a few in CI, many in `npm run test:long`, which sets `REPRISE_LONG`. There `REPRISE_SEED` is the first
 * one (default 1): another one is another run.
 */
const isLong = process.env['REPRISE_LONG'] === '1';
const first = isLong ? Number(process.env['REPRISE_SEED'] ?? 1) : 1;

export const seeds = (few: number, many: number): number => (isLong ? many : few);

export const eachSeed = (few: number, many: number): readonly number[] =>
  Array.from({ length: seeds(few, many) }, (_, i) => first + i);
