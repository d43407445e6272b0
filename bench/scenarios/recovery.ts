/** How long an actor with a long log takes to be there again. */
import { of, type Scenario, scenario } from '../lib/scenario.ts';

export const recovering = (quick: boolean): Scenario =>
  scenario({
    name: 'recovery',
    title: `recovery: an actor of ${quick ? '20 thousand' : 'a million'} events whose process was killed; from opening the store to its state`,
    prepare: [{ sample: 'long-log', events: quick ? 20_000 : 1_000_000 }],
    subjects: { ours: { sample: 'recovery' } },
    metrics: ({ ours }) => [
      { name: 'events', unit: 'records', value: of(ours, 'seq') },
      { name: 'start', unit: 'ms', value: of(ours, 'startMs') },
      { name: 'state', unit: 'ms', value: of(ours, 'stateMs') },
    ],
  });
