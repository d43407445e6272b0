/** How quick a log is folded. */
import { of, type Scenario, scenario } from '../lib/scenario.ts';

export const folding = (quick: boolean): Scenario =>
  scenario({
    name: 'fold',
    title: 'fold: records of the chart of 3 states become its state again, every digest compared; for each second of CPU time',
    subjects: {
      ours: {
        sample: 'fold',
        events: quick ? 1_000 : 10_000,
        ...(quick ? { warmMs: 100, measureMs: 100 } : { warmMs: 500, measureMs: 1_000 }),
      },
    },
    metrics: ({ ours }) => [
      { name: 'events', unit: 'events/s', value: of(ours, 'rate') },
      { name: 'parse', unit: 'us/event', value: of(ours, 'parseUs') },
    ],
  });
