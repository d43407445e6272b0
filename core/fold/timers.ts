/**
 * The timers of one actor: what `after`, a delayed `raise` and a delayed `sendTo` have set. Names are those of XState's scheduler: one
 * name finds the timer that was set last under it, an earlier one goes on without it, and when one of them fires the name is free.
 */
import type { EffectId } from '../address.ts';
import type { PendingTimer, Tables } from '../tables.ts';

export function setTimer(t: Tables, timer: PendingTimer): void {
  if (t.timers === undefined) t.timers = new Map();
  else freeName(t, timer);
  t.timers.set(timer.id, timer);
}

/** It fires; undefined: it is not pending. */
export function takeTimer(t: Tables, id: EffectId): PendingTimer | undefined {
  const timer = t.timers?.get(id);
  if (timer === undefined) return undefined;
  t.timers?.delete(id);
  freeName(t, timer);
  return timer;
}

export function cancelTimer(t: Tables, name: string): void {
  if (t.timers === undefined) return;
  for (const timer of t.timers.values())
    if (timer.timer === name && timer.nameless !== true) {
      t.timers.delete(timer.id);
      return;
    }
}

function freeName(t: Tables, { id, timer: name }: PendingTimer): void {
  if (name === id || t.timers === undefined) return;
  for (const other of t.timers.values())
    if (other.timer === name && other.nameless !== true) t.timers.set(other.id, { ...other, nameless: true });
}
