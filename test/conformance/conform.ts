/** Runs a conformance kit under vitest. */
import { describe, expect, test } from 'vitest';
import type { Case } from './case.ts';

/** `has`: capabilities of the adapter. A case that needs another one is skipped, and says so. */
export function conform<S>(name: string, cases: readonly Case<S>[], make: () => Promise<S>, has: readonly string[] = []): void {
  describe(`${name} conforms`, () => {
    test.for([...cases])('$name', async (c, { skip }) => {
      const missing = (c.needs ?? []).filter((need) => !has.includes(need));
      if (missing.length > 0) skip(`${name} has no ${missing.join(', ')}`);
      await expect(c.run(make)).resolves.toBeUndefined();
    });
  });
}
