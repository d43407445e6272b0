/** What became of an actor's effects: which are done, and which events answer one. */
import type { EffectId } from '../address.ts';
import type { EventObject } from '../effect.ts';
import { settleSend } from '../protocol/outbox.ts';
import type { Tables } from '../tables.ts';
import { takeTimer } from './timers.ts';

/** Children whose end is waited for after they were stopped. */
const LEFT_MAX = 16;
const ENDS = /^xstate\.(?:done|error)\.actor\./;

/** The end of a child: after it there is no more of it. */
export const isEnd = (event: EventObject): boolean => ENDS.test(event.type);

/** An effect that is known to be done. */
export function settle(t: Tables, id: EffectId): void {
  t.failures?.delete(id);
  if (t.actions?.delete(id) === true) return;
  if (t.outbox !== undefined) settleSend(t.outbox, id);
}

/** The event answers an effect of ours: a timer has fired, a leaf or child has ended, an ask was answered. */
export function answer(t: Tables, via: EffectId, event: EventObject): void {
  if (takeTimer(t, via) !== undefined) return;
  if (isEnd(event)) forget(t, via);
}

/** A leaf or a child is there no more. */
export function forget(t: Tables, via: EffectId): void {
  t.leaves?.delete(via);
  if (t.children !== undefined)
    for (const [name, child] of t.children)
      if (child.spawn === via) {
        t.children.delete(name);
        return;
      }
}

/**
 * Does this event answer a child that the chart has or has just left? XState goes by the order of the mailbox: the end of a child that
 * came before the stop got to it is an event like any other, unless another child has its name by now. Everything else is stale.
 */
export function isExpected(t: Tables, via: EffectId, event: EventObject): boolean {
  for (const child of t.children?.values() ?? []) if (child.spawn === via) return true;
  const name = event['actorId'] as string;
  return event.type === `xstate.done.actor.${name}` && t.left?.get(name) === via && t.children?.has(name) !== true;
}

/** A child of this name was stopped: its end may be on its way. */
export function leave(t: Tables, name: string, spawn: EffectId): void {
  const left = (t.left ??= new Map());
  left.delete(name);
  left.set(name, spawn);
  if (left.size > LEFT_MAX) left.delete(left.keys().next().value as string);
}
