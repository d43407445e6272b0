/** Promise, callback and observable logic as a `Leaf`: a live XState actor under a parent that hands on what it is sent. */
import { type AnyActorLogic, type AnyActorRef, createActor } from 'xstate';
import { asEffect } from './action-run.ts';
import type { EventObject } from '../effect.ts';
import { errorData, isMeshError } from '../errors.ts';
import { kindOfLeaf } from './stubs.ts';
import { captureScope, type SystemInside } from './xstate.ts';
import type { Leaf } from '../logic.ts';
import { type PlainOptions, reviveRefs, toPlain } from './plain.ts';

const leaves = new WeakMap<AnyActorLogic, Leaf>();

/** Callbacks and observables count as endless. In doubt after a crash a leaf starts again from its input, as XState restores it. */
export function leafOf(logic: AnyActorLogic): Leaf {
  let leaf = leaves.get(logic);
  if (leaf === undefined) leaves.set(logic, (leaf = makeLeaf(logic)));
  return leaf;
}

function makeLeaf(logic: AnyActorLogic): Leaf {
  return {
    ...(kindOfLeaf(logic) !== 'other' && { endless: true as const }),
    inDoubt: () => 'retry',
    start: (job, deliver) =>
      asEffect(job.id, () => {
        const owner = job.id.slice(0, job.id.lastIndexOf('!'));
        const { scope, self: hub } = captureScope(owner);
        const system = scope.system as unknown as SystemInside;
        let stopped = false;
        system._relay = (_source, target, event) => {
          if (target !== hub) (target as { _send(event: EventObject): void })._send(event);
          else if (!stopped) deliver(deliverable(event, job.child));
        };
        const input = reviveRefs(job.input, ({ id }) => (id === owner ? hub : forwarding(id, deliver)));
        const child = createActor(logic, {
          id: job.child,
          parent: hub,
          input,
          syncSnapshot: job.sync,
        } as never) as unknown as AnyActorRef;
        child.start();
        return {
          stop: () => {
            stopped = true;
            scope.stopChild(child);
          },
          send: (event) => system._relay(undefined, child, event),
        };
      }),
  };
}

/** Another actor in the input of a leaf: what it is sent goes through the log of the leaf's owner. */
function forwarding(id: string, deliver: (event: EventObject) => void): object {
  const ref = {
    id,
    sessionId: id,
    send: (event: EventObject) => deliver({ type: 'reprise.forward', to: id, event: toPlain(event, outgoing(event)) }),
    toJSON: () => ({ xstate$$type: 1, id }),
  };
  return Object.assign(ref, { ref });
}
const outgoing = (event: EventObject): PlainOptions => ({
  what: `event '${event.type}'`,
  code: 'EVENT_NOT_PLAIN',
  marker: (ref) => ({ xstate$$type: 1, id: (ref as { id: string }).id }),
  copy: true,
});

/** A copy, so that the leaf holds no part of what the machine keeps. What cannot be carried becomes the leaf's error. */
function deliverable(event: EventObject, child: string): EventObject {
  try {
    // A live snapshot tells how its actor is, not how it is subscribed.
    const snapshot = event.type.startsWith('xstate.snapshot.') ? (event['snapshot'] as Record<string, unknown>) : undefined;
    const given =
      snapshot === undefined
        ? event
        : { ...event, snapshot: Object.fromEntries(Object.entries(snapshot).filter(([key]) => key !== '_subscription')) };
    return toPlain(given, { ...outgoing(event), what: `what '${child}' delivers (${event.type})` });
  } catch (error) {
    if (!isMeshError(error)) throw error;
    return { type: `xstate.error.actor.${child}`, error: errorData(error), actorId: child };
  }
}
