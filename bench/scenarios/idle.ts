/** Memory of actors that have nothing to do. */
import { of, type Scenario, scenario } from '../lib/scenario.ts';

export const idling = (quick: boolean): Scenario =>
  scenario({
    name: 'idle',
    title: `idle: heap of each of ${quick ? '500' : '10,000'} keyed actors with 2 KB of context, in memory and put away`,
    subjects: { ours: { sample: 'idle', actors: quick ? 500 : 10_000 } },
    metrics: ({ ours }) => [
      { name: 'resident', unit: 'bytes', value: of(ours, 'residentBytes') },
      { name: 'context-alone', unit: 'bytes', value: of(ours, 'contextBytes') },
      { name: 'passive', unit: 'bytes', value: of(ours, 'passiveBytes') },
    ],
  });
