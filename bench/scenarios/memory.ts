/** W6: what a node weighs under load. */
import { of, type Scenario, scenario } from '../lib/scenario.ts';
import { spanOf } from './ring.ts';
import { BARE } from './start.ts';

/** V8 lets the heap of a busy process grow; a process that has to be small is told so. */
const SMALL_HEAP = ['--max-semi-space-size=4', '--max-old-space-size=64'] as const;

export function memory(quick: boolean): Scenario {
  const input = { sample: 'ring', agents: 64, tokens: 64, ...spanOf(quick) } as const;
  return scenario({
    name: 'memory',
    title: `W6: resident memory of a node after W1 with 64 tokens; small: under node ${SMALL_HEAP.join(' ')}`,
    subjects: { ours: input, small: { ...input, flags: SMALL_HEAP }, bare: { node: ['-e', BARE] } },
    metrics: ({ ours, small, bare }) => [
      { name: 'rss', unit: 'MB', value: of(ours, 'rssMb') },
      { name: 'rss-small', unit: 'MB', value: of(small, 'rssMb') },
      { name: 'rss-bare-node', unit: 'MB', value: of(bare, 'rssMb') },
      { name: 'hops', unit: 'hops/s', value: of(ours, 'rate') },
      { name: 'hops-small', unit: 'hops/s', value: of(small, 'rate') },
    ],
  });
}
