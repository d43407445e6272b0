/** Runs random charts. */
import * as fc from 'fast-check';
import { compare } from './compare.ts';
import { charts, machineOf, scripts } from './random-chart.ts';

/** Throws with the smallest chart and script that differ. */
export async function checkRandomCharts(parameters: {
  readonly numRuns: number;
  readonly seed?: number;
  readonly path?: string;
}): Promise<void> {
  await fc.assert(
    fc.asyncProperty(charts, scripts, async (chart, script) => {
      await compare(machineOf(chart), script, {
        // A live actor starts children that are done from the first after all others; ours learns that when they have run.
        before: ({ mesh }) =>
          fc.pre([...mesh.actors.values()].every((actor) => actor.folded.env.parent === undefined || !actor.endedAtOnce)),
      });
    }),
    parameters,
  );
}
