/** What of an actor is due when: timers, deadlines of asks, sends that nobody has acknowledged. */
import { type EffectId, positionOf } from '../address.ts';
import { errorData, MeshError } from '../errors.ts';
import type { Folded } from '../fold.ts';
import { earliestSend } from '../protocol/outbox.ts';
import { earliestDue, type Tables } from '../tables.ts';
import type { Result } from './mailbox.ts';

/**
 * ms since 1970 when it has to be in memory; undefined: a message wakes it. `waitsUntil`: for orders. `isUnderWay`: of a timer or
 * deadline, its result waits in the mailbox.
 */
export function wakeOf(t: Tables, waitsUntil: number | undefined, isUnderWay: (id: EffectId) => boolean): number | undefined {
  const due = Math.min(
    t.parked === undefined ? (earliestDue(t, isUnderWay) ?? Infinity) : Infinity,
    t.outbox === undefined ? Infinity : (earliestSend(t.outbox) ?? Infinity),
    waitsUntil ?? Infinity,
  );
  return due === Infinity ? undefined : due;
}

/** Timers and deadlines that are due, in the order of deadline, then of scheduling. `isFirst`: asked once of each that is due. */
export function dueResults({ env, tables: t }: Folded, now: number, isFirst: (id: EffectId) => boolean): Result[] {
  const due: (Result & { readonly due: number })[] = [];
  for (const timer of t.timers?.values() ?? [])
    if (timer.due <= now && isFirst(timer.id)) due.push({ due: timer.due, via: timer.id, event: timer.event });
  for (const leaf of t.leaves?.values() ?? []) {
    if (leaf.ask === undefined || leaf.ask.deadline > now || !isFirst(leaf.id)) continue;
    const what = `${leaf.ask.to} did not reply to ${leaf.child} of ${env.address} in ${leaf.ask.deadline - leaf.at} ms`;
    const error = errorData(new MeshError('ASK_TIMEOUT', what));
    const event = { type: `xstate.error.actor.${leaf.child}`, error, actorId: leaf.child };
    due.push({ due: leaf.ask.deadline, via: leaf.id, event });
  }
  due.sort((a, b) => a.due - b.due || positionOf(a.via) - positionOf(b.via));
  return due.map(({ via, event }) => ({ via, event }));
}
