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
        before: ({ mesh }) => {
          // A live actor starts children that are done from the first after all others; ours learns that when they have run.
          fc.pre([...mesh.actors.values()].every((actor) => actor.folded.env.parent === undefined || !actor.endedAtOnce));
          // A parallel root that a history target enters again invokes its child anew each time: a live actor hears the end of each of
          // them, ours that of the last. (Of other states a live actor hears only the last as well.)
          fc.pre(!mesh.respawns);
          // A live actor takes what answers an earlier invocation for the answer of the present one.
          fc.pre(!mesh.hadStale);
        },
      });
    }),
    parameters,
  );
}
