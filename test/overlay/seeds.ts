/** How many seeds a test goes through: a few in CI, many in `npm run test:long`, which sets `REPRISE_LONG`. */
export const seeds = (few: number, many: number): number => (process.env['REPRISE_LONG'] === '1' ? many : few);
