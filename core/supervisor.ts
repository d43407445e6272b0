/**
 * A supervisor as an actor with a log of its own: `supervision/` run by a reducer. Its config comes as its input or as a
 * `reprise.configure` event, so it is in the log; nothing is read from a closure.
 */
import { type Address, ROOT } from './address.ts';
import { SUPERVISOR_LOGIC, type SupervisorConfig } from './supervision/child-spec.ts';
import type { Effect, EventObject } from './effect.ts';
import type { Logic } from './logic.ts';
import { reducer, type ReducerContext } from './reducer.ts';
import { emptySupervision, supervise, type SupervisionState } from './supervision/supervision.ts';

interface Turned {
  readonly state: SupervisionState;
  readonly effects: Effect[];
}

/** Who supervises an address: the path above it, or the root. Undefined: nobody. */
export function supervisorOf(address: Address): Address | undefined {
  if (address === ROOT) return undefined;
  const slash = address.lastIndexOf('/');
  return slash < 0 ? ROOT : address.slice(0, slash);
}

/** Without children in its input it waits for its first `reprise.configure`. */
function begin(input: Partial<SupervisorConfig> | null | undefined, ctx: ReducerContext): Turned {
  const state = emptySupervision(ctx.address, ctx.ts, ctx.random());
  return input?.children === undefined ? { state, effects: [] } : step(state, { type: 'reprise.configure', ...input }, ctx);
}

function step(before: SupervisionState, event: EventObject, ctx: ReducerContext): Turned {
  const { state, effects } = supervise(before, event, ctx);
  const above = supervisorOf(ctx.address);
  // A supervisor counts as started when its children are up: the one above starts the next only then.
  const isUp = before.phase !== 'up' && state.phase === 'up';
  if (isUp && above !== undefined)
    effects.push({
      kind: 'send',
      to: { kind: 'address', address: above },
      event: { type: 'reprise.ready', child: ctx.address },
      lane: 'system',
    });
  return { state, effects };
}

/** Input: `SupervisorConfig`, or nothing. Ends with SUPERVISOR_GAVE_UP when it fails upward. */
export const supervisor: Logic = reducer<SupervisionState, Partial<SupervisorConfig> | null | undefined>({
  id: SUPERVISOR_LOGIC,
  version: '1',
  controls: true,
  init: begin,
  step,
});
