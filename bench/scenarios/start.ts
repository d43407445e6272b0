/** W6: from the spawn of a process to its first durable step, beside Node with nothing to do. */
import { of, type Scenario, scenario } from '../lib/scenario.ts';

/** Node that says what it weighs. */
export const BARE = `console.log('up'); console.log(JSON.stringify({ measured: { rssMb: process.memoryUsage().rss / 1e6 }, cpuMs: 0 }))`;

export const starting = (): Scenario =>
  scenario({
    name: 'start',
    title:
      "W6: from the spawn of a process to the first durable step, in a new store; cached: with Node's compile cache, as the CLI",
    subjects: {
      ours: { sample: 'first-step' },
      cached: { sample: 'first-step', cached: true },
      bare: { node: ['-e', BARE] },
    },
    metrics: ({ ours, cached, bare }) => [
      { name: 'first-step', unit: 'ms', value: ours.firstWordMs },
      { name: 'bare-node', unit: 'ms', value: bare.firstWordMs },
      { name: 'above-bare', unit: 'ms', value: ours.firstWordMs - bare.firstWordMs },
      { name: 'cached-above-bare', unit: 'ms', value: cached.firstWordMs - bare.firstWordMs },
      { name: 'rss', unit: 'MB', value: of(ours, 'rssMb') },
      { name: 'bare-rss', unit: 'MB', value: of(bare, 'rssMb') },
    ],
  });
