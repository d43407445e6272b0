/** A step of a chart by the kernel, with and without digests, beside a live XState actor and XState's own pure function. */
import { of, type Scenario, scenario } from '../lib/scenario.ts';
import type { KernelInput } from '../samples/kernel.ts';

const TITLES = {
  small: 'a step of a chart of 3 states',
  agent: 'a step of a chart of 13 states, nested and parallel, with 2 KB of context',
} as const;

export const kernels = (quick: boolean): readonly Scenario[] => [kernel('small', quick), kernel('agent', quick)];

function kernel(chart: KernelInput['chart'], quick: boolean): Scenario {
  const span = quick ? { warmMs: 100, measureMs: 100 } : { warmMs: 500, measureMs: 1_000 };
  const subject = (way: KernelInput['way']): KernelInput => ({ sample: 'kernel', chart, way, ...span });
  return scenario({
    name: `kernel-${chart}`,
    title: `kernel: CPU time of ${TITLES[chart]}`,
    subjects: { step: subject('step'), digests: subject('digests'), send: subject('send'), transition: subject('transition') },
    metrics: ({ step, digests, send, transition }) => [
      { name: 'step', unit: 'us', value: of(step, 'us') },
      { name: 'step-with-digests', unit: 'us', value: of(digests, 'us') },
      { name: 'actor-send', unit: 'us', value: of(send, 'us') },
      { name: 'transition', unit: 'us', value: of(transition, 'us') },
      { name: 'step-to-send', unit: 'x', value: of(step, 'us') / of(send, 'us') },
      { name: 'step-to-transition', unit: 'x', value: of(step, 'us') / of(transition, 'us') },
      { name: 'digests-to-send', unit: 'x', value: of(digests, 'us') / of(send, 'us') },
    ],
  });
}
