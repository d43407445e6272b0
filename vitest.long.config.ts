import { defineConfig } from 'vitest/config';
import usual from './vitest.config.ts';

/** Everything at full scope, with fresh seeds: hours, not minutes. What it ran and found goes to docs/evidence/. */
export default defineConfig({
  ...usual,
  test: {
    include: ['test/long/**/*.test.ts'],
    env: { REPRISE_LONG: '1' },
    testTimeout: 3_600_000,
    hookTimeout: 600_000,
    maxWorkers: 2,
  },
});
