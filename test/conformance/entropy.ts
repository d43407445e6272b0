/** What every `Entropy` keeps. */
import assert from 'node:assert/strict';
import type { Entropy } from '../../core/ports/entropy.ts';
import { type Case, caseOf } from './case.ts';

export interface EntropySubject {
  readonly entropy: Entropy;
  close(): Promise<void>;
}

const entropy = (name: string, body: (entropy: Entropy) => void): Case<EntropySubject> =>
  caseOf(name, async (subject) => body(subject.entropy));

export const entropyCases: readonly Case<EntropySubject>[] = [
  entropy('numbers lie in 0 <= x < 1 and spread', (e) => {
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 10_000; i++) {
      const x = e.random();
      assert.ok(x >= 0 && x < 1);
      counts[Math.floor(x * 10)] = (counts[Math.floor(x * 10)] ?? 0) + 1;
    }
    for (const n of counts) assert.ok(n > 750 && n < 1_250, String(counts));
  }),

  entropy('ids are unique and sort in the order of their making', (e) => {
    const ids = Array.from({ length: 10_000 }, () => e.id());
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual([...ids].sort(), ids);
  }),

  entropy('an id is a UUID of version 7', (e) => {
    assert.match(e.id(), /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }),
];
