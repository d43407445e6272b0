/**
 * The protocol's own functions under every interleaving of small scopes, and broken variants, each of which must be caught. What is run is in
 * `cases.ts`; `test/long/explorer.test.ts` runs more and leaves docs/evidence/explorer.md.
 */
import { describe, expect, test } from 'vitest';
import { CASES } from './cases.ts';
import { explore } from './explore.ts';

const ci = CASES.filter((c) => c.ci);

describe('holds in every state, and no state is stuck', () => {
  test.each(ci.filter((c) => c.caught === undefined))('$name', ({ name, states, make }) => {
    const report = explore(make(name));
    expect(report.violation).toBeUndefined();
    expect(report.complete).toBe(true);
    expect(report.states).toBeGreaterThanOrEqual(states ?? Infinity);
  });
});

describe('a broken variant is caught', () => {
  test.each(ci.filter((c) => c.caught !== undefined))('$name: in $caught.steps steps', ({ name, caught, make }) => {
    const { violation } = explore(make(name));
    expect(violation?.what).toMatch(caught?.what ?? /never/);
    expect(violation?.trace).toHaveLength(caught?.steps ?? 0);
  });
});
