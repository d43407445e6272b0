/** Runs a conformance kit under vitest. */
import { describe, expect, test } from 'vitest';
import type { Case } from './case.ts';

export function conform<S>(name: string, cases: readonly Case<S>[], make: () => Promise<S>): void {
  describe(`${name} conforms`, () => {
    test.for([...cases])('$name', async (c) => {
      await expect(c.run(make)).resolves.toBeUndefined();
    });
  });
}
