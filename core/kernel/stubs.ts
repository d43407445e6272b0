/** Children are stubs in the machine of their parent: logic without behaviour that stands for what is started elsewhere. */
import { type AnyActorLogic, type AnyStateMachine, fromCallback, fromEventObservable, fromObservable } from 'xstate';
import {
  type ChildRef,
  hiddenSnapshot,
  leafSnapshot,
  refuseOn,
  refuseSnapshot,
  refuseSubscribe,
  STUB,
  type Stub,
} from './refs.ts';
import { isPure } from './xstate.ts';
import type { Source } from '../logic.ts';

/** Where logic objects of `ask()`, `tool()`, `model()` carry what they stand for. */
const SOURCE = Symbol.for('reprise.source');
export const sourceOf = (logic: AnyActorLogic): Source | undefined => (logic as { [SOURCE]?: Source })[SOURCE];

/** XState tells its kinds of logic apart by nothing but what they do. */
const STARTS = {
  callback: String(fromCallback(() => {}).start),
  observable: String(fromObservable(() => undefined as never).start),
  events: String(fromEventObservable(() => undefined as never).start),
};
export function kindOfLeaf(logic: AnyActorLogic): keyof typeof STARTS | 'other' {
  const start = String(logic.start);
  return start === STARTS.callback
    ? 'callback'
    : start === STARTS.observable
      ? 'observable'
      : start === STARTS.events
        ? 'events'
        : 'other';
}

function stubKind(logic: AnyActorLogic): Stub['kind'] {
  const source = sourceOf(logic);
  if (source !== undefined) return source.kind === 'actor' ? 'actor' : 'leaf';
  if (isPure(logic)) return 'actor';
  return kindOfLeaf(logic) === 'observable' ? 'hidden' : 'leaf';
}

const SNAPSHOTS = { actor: refuseSnapshot, hidden: hiddenSnapshot, leaf: leafSnapshot };

/** Told of each stub that is made, but not of those that are restored. */
export type Created = (ref: ChildRef, stub: Stub) => void;

type StubScope = { readonly self: unknown };

function stubLogic(name: string, original: AnyActorLogic, created: Created): AnyActorLogic {
  const kind = stubKind(original);
  const attach = (scope: StubScope, saved: Partial<Stub>, input: unknown): Stub => {
    const ref = scope.self as ChildRef;
    const stub: Stub = {
      kind,
      sync: ref._syncSnapshot === true,
      status: saved.status ?? 'active',
      output: saved.output,
      error: saved.error,
      context: saved.context,
      at: saved.at,
      id: saved.id,
      input,
      created: 0,
      stopped: 0,
      placed: 0,
      gone: 0,
      index: -1,
    };
    ref[STUB] = stub;
    ref.getSnapshot = SNAPSHOTS[kind];
    ref.subscribe = refuseSubscribe;
    ref.on = refuseOn;
    if (stub.id !== undefined) ref.id = stub.id;
    return stub;
  };
  return {
    config: { stubOf: name },
    getInitialSnapshot: (scope: StubScope, input: unknown) => {
      const stub = attach(scope, {}, input);
      created(scope.self as ChildRef, stub);
      return stub;
    },
    transition: (stub: unknown) => stub,
    getPersistedSnapshot: ({ status, output, error, context, at, id }: Stub) => ({
      status,
      ...(at !== undefined && { at }),
      ...(id !== undefined && { id }),
      ...(output !== undefined && { output }),
      ...(error !== undefined && { error }),
      ...(context !== undefined && { context }),
    }),
    restoreSnapshot: (json: Partial<Stub>, scope: StubScope) => attach(scope, json, undefined),
  } as unknown as AnyActorLogic;
}

interface NodeConfig {
  readonly id?: string;
  readonly invoke?: unknown;
  readonly states?: Readonly<Record<string, NodeConfig>>;
}

/**
 * The same chart with a stub for each source, and what the stubs stand for by name. Inline invokes keep the name that XState gives them:
 * `xstate.invoke.<index>.<state id>`.
 */
export function withStubs(
  machine: AnyStateMachine,
  created: Created,
): { readonly machine: AnyStateMachine; readonly sources: ReadonlyMap<string, AnyActorLogic> } {
  const sources = new Map<string, AnyActorLogic>();
  const stub = (name: string, logic: AnyActorLogic): AnyActorLogic => {
    sources.set(name, logic);
    return stubLogic(name, logic, created);
  };
  const actors: Record<string, AnyActorLogic> = {};
  for (const name of Object.keys(machine.implementations.actors))
    actors[name] = stub(name, machine.implementations.actors[name] as AnyActorLogic);

  const rewrite = (config: NodeConfig, id: string): NodeConfig => {
    let { invoke, states } = config;
    const list = (Array.isArray(invoke) ? invoke : invoke === undefined ? [] : [invoke]) as {
      readonly src: string | AnyActorLogic;
    }[];
    if (list.some((i) => typeof i.src !== 'string'))
      invoke = list.map((one, i) =>
        typeof one.src === 'string' ? one : { ...one, src: stub(`xstate.invoke.${i}.${id}`, one.src) },
      );
    if (states !== undefined)
      states = Object.fromEntries(
        Object.entries(states).map(([key, child]) => [key, rewrite(child, child.id ?? `${id}.${key}`)]),
      );
    return invoke === config.invoke && states === undefined
      ? config
      : { ...config, ...(invoke !== undefined && { invoke }), ...(states !== undefined && { states }) };
  };
  const Machine = machine.constructor as new (config: unknown, implementations: unknown) => AnyStateMachine;
  return {
    machine: new Machine(rewrite(machine.config as NodeConfig, machine.id), { ...machine.implementations, actors }),
    sources,
  };
}
