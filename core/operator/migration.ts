/**
 * What a migration function is given and gives back: the persisted snapshot of the old code, and beside it the timers that are set. A
 * timer of an `after` is named by its state, so renaming the state renames the timer.
 */
import { type Address, effectId } from '../address.ts';
import type { EventObject } from '../effect.ts';
import { MeshError } from '../errors.ts';
import type { Logic } from '../logic.ts';
import type { PendingTimer, Tables } from '../tables.ts';

/** Makes a snapshot that the new code can be in from the one that the old code left. */
export type MigrateSnapshot = (old: MigratedState, from: { readonly version?: string; readonly hash: string }) => unknown;

/** XState's persisted snapshot, and timers. What comes back without `timers` keeps them as they are. */
export interface MigratedState {
  readonly status: string;
  readonly value: unknown;
  readonly context: unknown;
  readonly timers: readonly MigratedTimer[];
  readonly [member: string]: unknown;
}
export interface MigratedTimer {
  /** Of one that is set; without it the timer is new. */
  readonly id?: string;
  /** `xstate.after.DELAY.STATE_ID` of an `after`, else the id of the delayed `raise`. */
  readonly name: string;
  /** ms since 1970. */
  readonly due: number;
  /** Of a delayed `raise`; an `after` has none but its name. */
  readonly event?: EventObject;
}

export interface Migrated {
  readonly snapshot: unknown;
  readonly timers: readonly PendingTimer[];
}

/** Timers of the chart: delayed sends to others are messages, and no part of its state. */
const isOfChart = (t: PendingTimer): boolean => t.to === undefined && t.leaf === undefined;

/** What the function makes of `snapshot` and `tables`; new timers get ids of record `seq`. Throws CHECKPOINT_INCOMPATIBLE. */
export function migrated(
  at: { readonly address: Address; readonly snapshot: unknown; readonly tables: Tables; readonly seq: number },
  logic: Logic,
  snapshotOf: MigrateSnapshot,
): Migrated {
  const all = [...(at.tables.timers?.values() ?? [])];
  const set = all.filter(isOfChart);
  const given = {
    ...(structuredClone(at.snapshot) as object),
    timers: set.map(({ id, timer, due, event }) => ({ id, name: timer, due, ...(event.type !== timer && { event }) })),
  };
  const result = snapshotOf(given as unknown as MigratedState, at.tables.logic);
  const { timers: wanted, ...snapshot } = Object(result) as { readonly timers?: unknown };
  const chosen = wanted === undefined ? set : chosenOf(at, set, wanted);
  const renamed = logic.renamedTimers(
    snapshot,
    chosen.map((t) => t.event.type),
  );
  const timers = chosen.map((t) => {
    const name = renamed.get(t.event.type);
    return name === undefined ? t : { ...t, timer: name, event: { ...t.event, type: name } };
  });
  return { snapshot, timers: [...all.filter((t) => !isOfChart(t)), ...timers] };
}

function chosenOf(
  { address, seq }: { readonly address: Address; readonly seq: number },
  set: readonly PendingTimer[],
  wanted: unknown,
) {
  const refuse = (what: string): MeshError =>
    new MeshError('CHECKPOINT_INCOMPATIBLE', `the migrated timers of ${address} are not right: ${what}`);
  if (!Array.isArray(wanted)) throw refuse('`timers` is no list');
  return (wanted as Partial<MigratedTimer>[]).map(({ id, name, due, event }, i): PendingTimer => {
    if (typeof name !== 'string' || !Number.isFinite(due))
      throw refuse(`entry ${i} needs a \`name\` and a \`due\` in ms since 1970`);
    const known = set.find((t) => t.id === id);
    if (id !== undefined && known === undefined) throw refuse(`entry ${i} has the id ${id}, of which no timer is set`);
    const base = known ?? { id: effectId(address, seq, i), timer: name, due: 0, event: { type: name } };
    return { ...base, timer: name, due: due as number, event: event ?? { type: name } };
  });
}
