/**
 * What a supervisor remembers, as plain JSON: its children in the order of their specifications, the operation that is under
 * way, what waits for its end, and the restart window. Decides nothing.
 */
import type { Address } from '../address.ts';
import type { EventObject } from '../effect.ts';
import type { ErrorData } from '../errors.ts';
import { type ChildSpec, defaultFlags, type SupervisorFlags } from './child-spec.ts';

/** `restarting`: its restart is decided, but waits for a backoff, a sibling's stop or a next try. `idle`: it has no life. */
export type ChildStatus = 'idle' | 'starting' | 'running' | 'restarting' | 'stopping' | 'parked';
/** Who asked for a start: what a failure of it means depends on that. */
export type StartCause = 'boot' | 'restart' | 'configure' | 'add' | 'hand' | 'unpark';
export type StartMode = 'fresh' | 'history';

export interface Child {
  /** Id of the spec; of one keyed actor, its address. */
  key: string;
  address: Address;
  spec: ChildSpec;
  status: ChildStatus;
  /** ms since 1970 of the status. */
  since: number;
  /** Names one life: reports of another are ignored. Absent: it was never ordered to start (keyed actors begin by themselves). */
  run?: string;
  /** The run before, whose holder may answer that it lives on. */
  prev?: string;
  cause?: StartCause;
  mode?: StartMode;
  /** It has failed and lives on without working until it is ordered: it must be ended when it is not restarted. */
  waits?: true;
  /** Its start has failed and is tried again behind what waits in the queue. */
  again?: true;
  /** It is parked because it did not start: a config that says `again` starts it. */
  unstarted?: true;
  /** A supervisor that runs, but whose children are not all up yet. */
  greeted?: true;
  /** One keyed actor below the address of its spec; only those in trouble are remembered. */
  instance?: true;
  /** Added at run time: a new config does not remove it. */
  added?: true;
  /** Takes the place of `spec` when the child has stopped. */
  next?: ChildSpec;
  /** Restarts in a row, for the backoff; and all of them. */
  row: number;
  restarts: number;
  /** ms since 1970 when it was last up. */
  upAt?: number;
  error?: ErrorData;
  /** Message or effect that it failed on. */
  event?: string;
}

/** Stops, then a wait, then starts, one child after another. Nothing else is decided meanwhile. */
export interface Operation {
  readonly cause: StartCause;
  /** Keys still to be stopped; the first is being stopped. */
  stop: string[];
  /** Keys still to be started; once `stop` is empty the first is being started. */
  start: string[];
  /** Those of `stop` that are forgotten once they are stopped. */
  readonly forget: readonly string[];
  /** ms between the stops and the starts. */
  readonly waitMs: number;
  /** The supervisor itself ends when all is stopped. */
  readonly end?: { readonly status: 'stopped' | 'error'; readonly error?: ErrorData };
}

export interface SupervisionState {
  readonly address: Address;
  /** Makes runs of this life of the supervisor differ from those of its earlier ones. */
  readonly life: string;
  phase: 'waiting' | 'booting' | 'up' | 'stopping' | 'ended';
  flags: SupervisorFlags;
  children: Child[];
  /** Keyed actors in trouble, by address. */
  instances: Record<string, Child>;
  /** Runs given out. */
  runs: number;
  /** ms since 1970 of the restarts that count. */
  restarts: number[];
  operation: Operation | null;
  /** Reports and orders that wait for the end of the operation. */
  queue: EventObject[];
  /** Backoffs under way: who failed, and who is started when it is over. */
  waits: Record<string, string[]>;
}

export const emptySupervision = (address: Address, ts: number, random: number): SupervisionState => ({
  address,
  life: ts.toString(36) + Math.floor(random * 36 ** 3).toString(36),
  phase: 'waiting',
  flags: defaultFlags,
  children: [],
  instances: {},
  runs: 0,
  restarts: [],
  operation: null,
  queue: [],
  waits: {},
});

export const newChild = (spec: ChildSpec, ts: number): Child => ({
  key: spec.id,
  address: spec.address,
  spec,
  status: 'idle',
  since: ts,
  row: 0,
  restarts: 0,
});

/** For `reprise tree`: who is supervised, and how each is. */
export interface SupervisionView {
  readonly address: Address;
  readonly phase: SupervisionState['phase'];
  readonly strategy: SupervisorFlags['strategy'];
  /** Restarts that count at the last event, of `intensity` that are allowed within `periodMs`. */
  readonly budget: { readonly used: number; readonly intensity: number; readonly periodMs: number };
  readonly waiting: number;
  readonly children: readonly ChildView[];
}
export interface ChildView {
  readonly id: string;
  readonly address: Address;
  readonly kind: ChildSpec['kind'];
  readonly restart: ChildSpec['restart'];
  readonly status: ChildStatus;
  /** ms since 1970 of the status. */
  readonly since: number;
  readonly restarts: number;
  readonly error?: string;
}

export function describe(state: SupervisionState): SupervisionView {
  const { strategy, intensity, periodMs } = state.flags;
  return {
    address: state.address,
    phase: state.phase,
    strategy,
    budget: { used: state.restarts.length, intensity, periodMs },
    waiting: state.queue.length,
    children: [...state.children, ...Object.values(state.instances)].map(viewOf),
  };
}

const viewOf = (c: Child): ChildView => ({
  id: c.key,
  address: c.address,
  kind: c.spec.kind,
  restart: c.spec.restart,
  status: c.status,
  since: c.since,
  restarts: c.restarts,
  ...(c.error !== undefined && { error: c.error.message }),
});
