/** W3: journaled steps, twenty to a run. */
import { of, type Scenario, scenario } from '../lib/scenario.ts';
import { spanOf } from './ring.ts';

export const stepping = (quick: boolean): readonly Scenario[] => [1, 64].map((inFlight) => steps(inFlight, quick));

function steps(inFlight: number, quick: boolean): Scenario {
  const span = spanOf(quick);
  return scenario({
    name: `steps-${inFlight}`,
    title: `W3: ${inFlight === 1 ? 'one run' : `${inFlight} runs`} in flight, each of 20 promises whose results are durable before the next begins`,
    note: 'The limit is SQLite alone: one event a step, as JSON. Restate and DBOS are not run here: see docs/bench.md for what they gave elsewhere.',
    subjects: {
      ours: { sample: 'steps', inFlight, ...span },
      limit: { sample: 'limit', agents: Math.max(64, inFlight), tokens: inFlight, writes: 1, ...span },
    },
    metrics: ({ ours, limit }) => [
      { name: 'steps', unit: 'steps/s', value: of(ours, 'rate') },
      { name: 'limit', unit: 'steps/s', value: of(limit, 'rate') },
      { name: 'of-limit', unit: 'x', value: of(ours, 'rate') / of(limit, 'rate') },
      { name: 'steps-per-fsync', unit: 'steps', value: (of(ours, 'rate') * ours.fsyncUs) / 1e6 },
      { name: 'cpu', unit: 'us/step', value: of(ours, 'cpuUs') },
    ],
  });
}
