/**
 * The derived tables of one actor: everything besides its snapshot that a fold of its log gives. They are in each checkpoint,
 * so nothing is ever re-derived from before it. The fold is the only writer. Maps are made when first needed: idle actors are many.
 */
import type { Address, EffectId } from './address.ts';
import type { ActionEffect, EventObject } from './effect.ts';
import type { TraceContext } from './envelope.ts';
import type { ErrorData } from './errors.ts';
import { type Cursors, decodeCursors, encodeCursors } from './protocol/cursors.ts';
import { decodeOutbox, encodeOutbox, type Outbox } from './protocol/outbox.ts';
import { decodeOutside, encodeOutside, type Outside } from './protocol/outside.ts';
import type { InitData, LogicStamp } from './record.ts';

/** Something that runs, or an ask that waits, for a child of the chart. */
export interface PendingLeaf {
  readonly id: EffectId;
  readonly child: string;
  readonly src: string;
  readonly input: unknown;
  readonly sync: boolean;
  readonly at: number;
  /** Who waits for what it is a part of, outermost first: its result belongs to their question. */
  readonly asked?: readonly Address[];
  /** Of the turn that started it. */
  readonly trace?: TraceContext;
  /** An ask: it needs no process. */
  readonly ask?: {
    readonly to: Address;
    readonly deadline: number;
    /** It was never sent: what the invoke fails with. */
    readonly refused?: ErrorData;
  };
}
export interface PendingTimer {
  readonly id: EffectId;
  /** Name that `cancel` uses. */
  readonly timer: string;
  readonly due: number;
  readonly event: EventObject;
  /** `cancel` does not find it: its name was given to a later one, or one of that name has fired. */
  readonly nameless?: true;
  /** A delayed send: where to. Neither this nor `leaf`: a timer of the chart. */
  readonly to?: Address;
  readonly via?: EffectId;
  /** A delayed send to what this effect has started in this process. */
  readonly leaf?: EffectId;
  /** Of the turn that set it. */
  readonly trace?: TraceContext;
}
export interface Child {
  readonly spawn: EffectId;
  readonly kind: 'actor' | 'leaf' | 'ask';
  /** Of an actor of its own. */
  readonly address?: Address;
  readonly systemId?: string;
}
export interface DeadLetter {
  readonly seq: number;
  readonly cause: string;
  readonly at: number;
}
export interface Failing {
  /** Message or result that fails. */
  readonly id: EffectId;
  readonly error: ErrorData;
  /** No order has come since. */
  readonly waits: boolean;
  /** Of a leaf's result or a timer: retries read it here. */
  readonly event?: EventObject;
  readonly via?: EffectId;
}

export interface Tables {
  head: number;
  epoch: number;
  lastTs: number;
  init: InitData;
  logic: LogicStamp;
  status: 'active' | 'done' | 'stopped' | 'error';
  /** ms since 1970 when it ended. */
  endedAt?: number | undefined;
  /** What it ended with, when it failed. */
  error?: ErrorData | undefined;
  cursors?: Cursors | undefined;
  outbox?: Outbox | undefined;
  /** Ids that clients outside brought, and those that a node made for them. */
  outside?: Outside | undefined;
  made?: Outside | undefined;
  leaves?: Map<EffectId, PendingLeaf> | undefined;
  timers?: Map<EffectId, PendingTimer> | undefined;
  actions?: Map<EffectId, ActionEffect> | undefined;
  children?: Map<string, Child> | undefined;
  /** Actors that were stopped as children, the last few: what had spawned them, by name. Their end may be on its way. */
  left?: Map<string, EffectId> | undefined;
  /** The last snapshot that its parent was sent. */
  told?: EffectId | undefined;
  /** Dead letters that were not sent again: the last 100. */
  dead?: DeadLetter[] | undefined;
  deadCount: number;
  failing?: Failing | undefined;
  /** How often messages, results and actions have failed that have not succeeded since; the last thousand. */
  failures?: Map<EffectId, number> | undefined;
  /** It was reset: the cell that opens it begins a new life from `init`. */
  toBegin?: true | undefined;
  /** Its log was removed. */
  gone?: true | undefined;
  parked?: { readonly reason: string; readonly seq: number } | undefined;
  /** `activated` without `ready` so far; 'trial': by the last one. */
  activated?: boolean | 'trial' | undefined;
  /** Deaths of its process between `activated` and `ready`, in a row. */
  strikes: number;
  /** Epoch in which it has passed its trial. */
  tried?: number | undefined;
}

export const emptyTables = (init: InitData, logic: LogicStamp): Tables => ({
  head: 0,
  epoch: 0,
  lastTs: 0,
  init,
  logic,
  status: 'active',
  deadCount: 0,
  strikes: 0,
});

const entries = <K, V>(map: Map<K, V> | undefined): [K, V][] | undefined =>
  map === undefined || map.size === 0 ? undefined : [...map];
const mapOf = <K, V>(list: unknown): Map<K, V> | undefined => (list === undefined ? undefined : new Map(list as [K, V][]));

/** Plain JSON. Throws nothing: an action that is pending has no closure and keeps its actor from being checkpointed. */
export function encodeTables(t: Tables): unknown {
  return {
    ...t,
    cursors: t.cursors && encodeCursors(t.cursors),
    outbox: t.outbox && encodeOutbox(t.outbox),
    outside: t.outside && encodeOutside(t.outside),
    made: t.made && encodeOutside(t.made),
    leaves: entries(t.leaves),
    timers: entries(t.timers),
    actions: entries(t.actions),
    failures: entries(t.failures),
    children: entries(t.children),
    left: entries(t.left),
  };
}

export function decodeTables(json: unknown): Tables {
  const t = json as Record<string, unknown> & Tables;
  return {
    ...t,
    cursors: t.cursors === undefined ? undefined : decodeCursors(t.cursors),
    outbox: t.outbox === undefined ? undefined : decodeOutbox(t.outbox),
    outside: t.outside === undefined ? undefined : decodeOutside(t.outside),
    made: t.made === undefined ? undefined : decodeOutside(t.made),
    leaves: mapOf(t.leaves),
    timers: mapOf(t.timers),
    actions: mapOf(t.actions),
    failures: mapOf(t.failures),
    children: mapOf(t.children),
    left: mapOf(t.left),
  };
}

/** Does a leaf run (or should it) in this process? Only that keeps an actor in memory. */
export function hasRunningLeaf(t: Tables): boolean {
  if (t.leaves !== undefined) for (const leaf of t.leaves.values()) if (leaf.ask === undefined) return true;
  return false;
}

/** Does something fail that may yet succeed: what it takes, or an action? */
export function isFailing(t: Tables): boolean {
  if (t.failing !== undefined) return true;
  if (t.failures !== undefined) for (const id of t.failures.keys()) if (t.actions?.has(id) === true) return true;
  return false;
}

/** Has its next owner to go on with something at once: a leaf, or the result of one that failed and is tried again? */
export const isUnfinished = (t: Tables): boolean =>
  t.status === 'active' && (hasRunningLeaf(t) || (t.failing?.event !== undefined && t.parked === undefined));

/** ms since 1970 of the earliest timer or deadline whose result is not on its way; undefined: none. */
export function earliestDue(t: Tables, hasFired: (id: EffectId) => boolean): number | undefined {
  let due = Infinity;
  for (const timer of t.timers?.values() ?? []) if (timer.due < due && !hasFired(timer.id)) due = timer.due;
  for (const leaf of t.leaves?.values() ?? [])
    if (leaf.ask !== undefined && leaf.ask.deadline < due && !hasFired(leaf.id)) due = leaf.ask.deadline;
  return due === Infinity ? undefined : due;
}
