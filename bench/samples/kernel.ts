/**
 * One step of a chart, four ways: by our kernel with and without the digests that a record carries, by a live XState actor, and by XState's
 * own pure `transition()`. One way a process: what one does to the engine's caches is nothing that another has to pay for.
 */
import { effectsDigest, type EventObject, machineLogic, type Step } from 'reprise/testing';
import { type AnyActorLogic, createActor, initialTransition, transition } from 'xstate';
import { agent, agentCycle } from '../charts/agent.ts';
import { small, smallCycle } from '../charts/small.ts';
import type { Measured } from '../lib/scenario.ts';
import { measureEach, type Span } from './meter.ts';

export interface KernelInput extends Span {
  readonly sample: 'kernel';
  readonly chart: 'small' | 'agent';
  readonly way: 'step' | 'digests' | 'send' | 'transition';
}

const CHARTS: Readonly<
  Record<KernelInput['chart'], { readonly machine: AnyActorLogic; readonly cycle: readonly EventObject[] }>
> = {
  small: { machine: small, cycle: smallCycle },
  agent: { machine: agent, cycle: agentCycle },
};
const CYCLES = 20;

export async function kernel({ chart, way, ...span }: KernelInput): Promise<Measured> {
  const { machine, cycle } = CHARTS[chart];
  const once = WAYS[way](machine);
  const batch = (): number => {
    for (let i = 0; i < CYCLES; i++) for (const event of cycle) once(event);
    return CYCLES * cycle.length;
  };
  return { ...measureEach(batch, span) };
}

type Once = (event: EventObject) => void;
const WAYS: Readonly<Record<KernelInput['way'], (machine: AnyActorLogic) => Once>> = {
  step: (machine) => byKernel(machine, () => {}),
  digests: (machine) =>
    byKernel(machine, (digest, { snapshot, effects }) => {
      digest(snapshot);
      effectsDigest(effects);
    }),
  send(machine) {
    // Its timers go nowhere: else it would pay for timers of Node, and ours not.
    const actor = createActor(machine, { clock: { setTimeout: () => 0, clearTimeout: () => {} } });
    actor.start();
    return (event) => actor.send(event);
  },
  transition(machine) {
    let [snapshot] = initialTransition(machine);
    return (event) => {
      [snapshot] = transition(machine, snapshot, event);
    };
  },
};

function byKernel(machine: AnyActorLogic, digested: (digest: (snapshot: unknown) => string, step: Step) => void): Once {
  const logic = machineLogic(machine);
  const digest = (snapshot: unknown): string => logic.digest(snapshot);
  const env = { address: 'bench', parent: undefined };
  let seq = 1;
  const meta = (): { readonly ts: number; readonly seed: number } => ({ ts: 1_700_000_000_000 + seq, seed: seq });
  let { snapshot } = logic.init(env, undefined, meta(), String(seq));
  return (event) => {
    seq++;
    const step = logic.step(env, snapshot, event, meta(), String(seq));
    if (step.failed !== undefined) throw new Error(step.failed.message);
    ({ snapshot } = step);
    digested(digest, step);
  };
}
