/** W1: the durable ring on one node, beside what SQLite gives with nothing in the ring. */
import { of, type Scenario, scenario } from '../lib/scenario.ts';
import type { Span } from '../samples/meter.ts';

export const rings = (quick: boolean): readonly Scenario[] => [1, 64, 1_000].map((tokens) => ring(tokens, quick));

/** How long a sample of it runs. */
export const spanOf = (quick: boolean): Span => (quick ? { warmMs: 200, measureMs: 300 } : { warmMs: 1_000, measureMs: 2_000 });

function ring(tokens: number, quick: boolean): Scenario {
  const span = spanOf(quick);
  const agents = Math.max(64, tokens);
  return scenario({
    name: `ring-${tokens}`,
    title: `W1: ${tokens === 1 ? 'one token goes' : `${tokens} tokens go`} round ${agents} agents; each hop is durable before it is sent on`,
    note: 'The limit is SQLite alone with the same group commit: event, message in, message out, as JSON; no actors, no statechart.',
    subjects: {
      ours: { sample: 'ring', agents, tokens, ...span },
      limit: { sample: 'limit', agents, tokens, writes: 3, ...span },
    },
    metrics: ({ ours, limit }) => [
      { name: 'hops', unit: 'hops/s', value: of(ours, 'rate') },
      { name: 'limit', unit: 'hops/s', value: of(limit, 'rate') },
      { name: 'of-limit', unit: 'x', value: of(ours, 'rate') / of(limit, 'rate') },
      { name: 'hops-per-fsync', unit: 'hops', value: (of(ours, 'rate') * ours.fsyncUs) / 1e6 },
      { name: 'cpu', unit: 'us/hop', value: of(ours, 'cpuUs') },
      { name: 'limit-cpu', unit: 'us/hop', value: of(limit, 'cpuUs') },
    ],
  });
}
