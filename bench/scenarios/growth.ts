/** W4: an agent that keeps 300 bytes more at each step. */
import { of, type Scenario, scenario } from '../lib/scenario.ts';

export const growth = (quick: boolean): Scenario =>
  scenario({
    name: 'growth',
    title: 'W4: 300 bytes are added to the context at each step; bytes are of a consistent copy of the store',
    subjects: {
      bytes: { sample: 'growth-bytes', at: [10, 100, 500, 1_000] },
      rate: { sample: 'growth-rate', young: 100, old: 1_000, rounds: quick ? 1 : 3 },
    },
    metrics: ({ bytes, rate }) => [
      { name: 'step-10', unit: 'bytes/step', value: of(bytes, 'bytes10') / 10 },
      { name: 'step-100', unit: 'bytes/step', value: of(bytes, 'bytes100') / 100 },
      { name: 'step-1000', unit: 'bytes/step', value: of(bytes, 'bytes1000') / 1_000 },
      // What the second half has cost, over what the first has: 1 is linear.
      { name: 'linear', unit: 'x', value: (of(bytes, 'bytes1000') - of(bytes, 'bytes500')) / of(bytes, 'bytes500') },
      { name: 'rate-100', unit: 'steps/s', value: of(rate, 'young') },
      { name: 'rate-1000', unit: 'steps/s', value: of(rate, 'old') },
      { name: 'rate-1000-to-100', unit: 'x', value: of(rate, 'old') / of(rate, 'young') },
    ],
  });
