/**
 * `Logic` from a plain function: supervisors, pools, gateways. The state is immutable plain JSON, so it is its own persisted form.
 * A step that throws has failed and changes nothing. It adds no features: what an actor does is in the function.
 */
import type { Address } from './address.ts';
import { fraction, numbersOf } from './kernel/determinism.ts';
import { digestOf } from './digest.ts';
import type { Effect, EventObject } from './effect.ts';
import { errorData } from './errors.ts';
import type { ActorEnv, Logic, Source, Step, StepMeta, View } from './logic.ts';

export interface ReducerContext {
  readonly address: Address;
  /** Of a child that a chart spawned. */
  readonly parent: Address | undefined;
  /** ms since 1970, never going back. */
  readonly ts: number;
  /** 0 <= x < 1, the same in replay. */
  random(): number;
}

export interface Reduced<S> {
  readonly state: S;
  readonly effects: Effect[];
}

export interface ReducerOptions<S, I> {
  readonly id: string;
  /** Change it with the rules: logs written under another version are checked before they go on. */
  readonly version: string;
  /** It takes `reprise.*` orders as events of its own (supervisors, pools). */
  readonly controls?: true;
  init(input: I, ctx: ReducerContext): Reduced<S>;
  /** Must not change `state`. */
  step(state: S, event: EventObject, ctx: ReducerContext): Reduced<S>;
  readonly sources?: Readonly<Record<string, Source>>;
  /** For people. The default shows the state as context. */
  view?(state: S): Partial<View>;
}

/** Pure logic: the same input, events, times and seeds give the same states and effects. */
export function reducer<S, I>(options: ReducerOptions<S, I>): Logic {
  const { id, version, sources } = options;
  return {
    id,
    version,
    hash: digestOf({ id, version }),
    ...(options.controls === true && { controls: true as const }),
    init: (env, input, meta) => attempt(() => options.init(input as I, contextOf(env, meta))),
    step: (env, snapshot, event, meta) => attempt(() => options.step((snapshot as Held<S>).state, event, contextOf(env, meta))),
    persist: (snapshot) => snapshot,
    restore: (_env, json) => json,
    digest: digestOf,
    view: (snapshot) => {
      const { state, status, output, error } = snapshot as Held<S>;
      const plain: View = {
        status,
        value: status,
        context: state,
        tags: [],
        children: [],
        ...(output !== undefined && { output }),
        ...(error !== undefined && { error }),
      };
      return { ...plain, ...options.view?.(state) };
    },
    source: (src) => sources?.[src],
    incompatibilities: (persisted) => (isHeld(persisted) ? [] : [`it is no state of '${id}'`]),
    renamedTimers: () => new Map(),
  };
}

/** The snapshot: the state, and how the actor has ended. */
interface Held<S> {
  readonly state: S;
  readonly status: View['status'];
  readonly output?: unknown;
  readonly error?: unknown;
}

const isHeld = (json: unknown): boolean => typeof json === 'object' && json !== null && 'state' in json && 'status' in json;

function attempt<S>(turn: () => Reduced<S>): Step {
  try {
    const { state, effects } = turn();
    const end = effects.find((e) => e.kind === 'terminate');
    const held: Held<S> =
      end?.kind === 'terminate'
        ? {
            state,
            status: end.status,
            ...(end.output !== undefined && { output: end.output }),
            ...(end.error !== undefined && { error: end.error }),
          }
        : { state, status: 'active' };
    return { snapshot: held, effects };
  } catch (error) {
    return { snapshot: undefined, effects: [], failed: errorData(error) };
  }
}

function contextOf(env: ActorEnv, meta: StepMeta): ReducerContext {
  let next: (() => number) | undefined;
  const random = (): number => fraction((next ??= numbersOf(meta.ts, meta.seed)));
  return { address: env.address, parent: env.parent, ts: meta.ts, random };
}
