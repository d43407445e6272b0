/** What the kernel uses of XState's inside: the scope that logic is given, and what logic hands to it. */
import { type AnyActorLogic, type AnyActorRef, type AnyActorScope, type AnyStateMachine, createActor } from 'xstate';
import type { EventObject } from '../effect.ts';
import { assert } from '../errors.ts';
import type { ChildRef } from './refs.ts';
import type { View } from '../logic.ts';

export const isMachine = (logic: AnyActorLogic): logic is AnyStateMachine =>
  'root' in logic && 'implementations' in logic && 'provide' in logic;
/** Pure logic can be an actor with a log; what has a `start` runs something. */
export const isPure = (logic: AnyActorLogic): boolean => isMachine(logic) || logic.start === undefined;

/** What snapshots of all kinds of logic have. */
export interface PlainSnapshot {
  readonly status: View['status'];
  readonly context?: unknown;
  readonly output?: unknown;
  readonly error?: unknown;
}

const NO_CHILDREN: Readonly<Record<string, ChildRef>> = Object.freeze({});
export const childrenOf = (snapshot: unknown): Readonly<Record<string, ChildRef>> =>
  (snapshot as { readonly children?: Readonly<Record<string, ChildRef>> } | undefined)?.children ?? NO_CHILDREN;

const NO_HISTORY = Object.freeze({});
const NO_TAGS = new Set<string>();

/**
 * The same snapshot, with the empty parts that XState makes anew for each in common: idle actors are many. XState copies these before it
 * adds to them.
 */
export function slim<T>(snapshot: T): T {
  const s = snapshot as { tags?: ReadonlySet<string>; children?: object; historyValue?: object };
  if (s.tags?.size === 0) s.tags = NO_TAGS;
  if (s.children !== undefined && isEmpty(s.children)) s.children = NO_CHILDREN;
  if (s.historyValue !== undefined && isEmpty(s.historyValue)) s.historyValue = NO_HISTORY;
  return snapshot;
}

function isEmpty(object: object): boolean {
  for (const _ in object) return false;
  return true;
}

/** An action, as the executor of a scope is given it. */
export interface Recorded {
  readonly type: string;
  readonly info?: unknown;
  readonly params: unknown;
  readonly exec?: ((info: unknown, params: unknown) => unknown) | undefined;
}
/** Parameters of the actions that XState itself defines. */
export interface Params {
  readonly actorRef?: object;
  readonly src?: unknown;
  readonly to?: object | string;
  readonly event: EventObject;
  readonly id?: string;
  readonly delay?: number;
  readonly sendId?: string;
  readonly label?: string;
  readonly value?: unknown;
}

export type Scope = { -readonly [K in keyof AnyActorScope]: AnyActorScope[K] };

/** The inside of XState's system that a recording scope has to replace. */
export interface SystemInside {
  _bookId(): string;
  _set(systemId: string, ref: object): void;
  _relay(source: object | undefined, target: object, event: EventObject): void;
  _sendInspectionEvent(event: { readonly type: string }): void;
  get(systemId: string): unknown;
  getAll(): Record<string, unknown>;
}

/** A genuine scope, by public means: throw-away logic is handed one. Throws INTERNAL where the installed XState is another one. */
export function captureScope(id: string): { readonly scope: Scope; readonly self: AnyActorRef } {
  let scope: Scope | undefined;
  const logic = {
    getInitialSnapshot: (given: AnyActorScope) => ((scope = given), { status: 'active', output: undefined, error: undefined }),
    transition: (snapshot: unknown) => snapshot,
    getPersistedSnapshot: (snapshot: unknown) => snapshot,
  };
  const self = createActor(logic as unknown as AnyActorLogic, { id, logger: () => {} });
  assert(scope !== undefined, 'XState hands a scope to getInitialSnapshot');
  for (const name of ['_bookId', '_set', '_relay', '_sendInspectionEvent'] as const) {
    assert(
      typeof (scope.system as unknown as Partial<SystemInside>)[name] === 'function',
      `the installed XState has no system.${name}: Reprise needs xstate >=5.24 <6`,
    );
  }
  return { scope, self };
}
