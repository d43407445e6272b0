/** What an actor remembers of failures: what fails now, and how often each thing has. */
import type { Address, EffectId } from '../address.ts';
import type { FailedRecord } from '../record.ts';
import type { Tables } from '../tables.ts';

/** Things that have failed and not succeeded since, of which it is counted how often. */
const FAILURES_MAX = 1_000;

/** What has failed; undefined: a life could not begin. */
export const failedId = ({ action, meta }: FailedRecord): EffectId | undefined => action ?? meta.id ?? meta.via;

export function failed(t: Tables, record: FailedRecord): void {
  const id = failedId(record) as EffectId;
  if (record.attempt > 0) countFailure(t, id, record.attempt);
  if (record.parked !== undefined) t.parked = { reason: record.parked, seq: record.seq };
  const waits = record.parked === undefined;
  // What it takes goes on to fail, whatever an action does meanwhile, and whoever parks it.
  if (record.action !== undefined) t.failing = t.failing && { ...t.failing, waits: t.failing.waits && waits };
  else
    t.failing = {
      id,
      error: record.error,
      waits,
      ...(record.event !== undefined && { event: record.event }),
      ...(record.meta.via !== undefined && { via: record.meta.via }),
    };
  // A leaf's result that fails is settled with this record: retries read it from `failing`.
  if (record.event !== undefined && record.meta.via !== undefined) t.leaves?.delete(record.meta.via);
}

function countFailure(t: Tables, id: EffectId, attempt: number): void {
  const failures = (t.failures ??= new Map());
  failures.delete(id);
  failures.set(id, attempt);
  if (failures.size > FAILURES_MAX) failures.delete(failures.keys().next().value as EffectId);
}

/** It succeeded, or is given up. */
export function overcome(t: Tables, id: EffectId | undefined): void {
  if (id === undefined) return;
  t.failures?.delete(id);
  if (t.failing?.id === id) t.failing = undefined;
}

/** A life is over. Messages that failed come again: they go on being counted. */
export function forgetFailures(t: Tables, address: Address): void {
  t.failing = undefined;
  if (t.failures === undefined) return;
  for (const id of t.failures.keys()) if (id.startsWith(`${address}!`)) t.failures.delete(id);
  if (t.failures.size === 0) t.failures = undefined;
}
