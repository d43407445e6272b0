/**
 * Custom actions of a machine while they are performed, and the effect id that user code may ask for.
 *
 * What an action sends by hand (`self.send`, `child.send`, `system.get(x).send`) is collected and given back: the cell records it, and
 * only then it leaves. So an action that is performed again after a crash sends once. What it sends after its first `await` is told
 * when it is sent; a crash before that loses it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Address, EffectId } from '../address.ts';
import type { ActionEffect, EventObject, Target } from '../effect.ts';
import { MeshError } from '../errors.ts';

export interface ActionSend {
  readonly target: Target;
  readonly event: EventObject;
}

/** Who hears what an action does after it has returned. */
export interface Afterwards {
  sent(send: ActionSend): void;
  /** It was asynchronous, and its promise was rejected. */
  rejected(error: unknown): void;
}

interface Acting {
  readonly id: EffectId;
  /** Undefined once the action has returned, and for a leaf. */
  sends: ActionSend[] | undefined;
  readonly afterwards: Afterwards | undefined;
}

const current = new AsyncLocalStorage<Acting>();

/**
 * Id of the effect that is being performed: `actor!seq.index`, the same in every try. Use it as idempotency key.
 * Known inside custom actions and inside promise, callback and observable logic, also after an `await`; undefined elsewhere.
 */
export const currentEffect = (): EffectId | undefined => current.getStore()?.id;

/** Runs `fn` as part of the effect `id`. */
export const asEffect = <T>(id: EffectId, fn: () => T): T => current.run({ id, sends: undefined, afterwards: undefined }, fn);

/** Performs a custom action. Returns what it sent by hand, in order. Throws what it throws; then nothing of it was sent. */
export function runAction(effect: ActionEffect, id: EffectId, afterwards?: Afterwards): readonly ActionSend[] {
  const { run } = effect;
  if (run === undefined) return [];
  const sends: ActionSend[] = [];
  const acting: Acting = { id, sends, afterwards };
  try {
    const result = current.run(acting, run);
    if (afterwards !== undefined && result instanceof Promise) result.catch((error: unknown) => afterwards.rejected(error));
  } finally {
    acting.sends = undefined;
  }
  return sends;
}

/** A send by hand outside of a step. Throws USAGE where nothing could record it. */
export function sendByHand(from: Address, send: ActionSend): void {
  const acting = current.getStore();
  if (acting?.sends !== undefined) acting.sends.push(send);
  else if (acting?.afterwards !== undefined) acting.afterwards.sent(send);
  else
    throw new MeshError(
      'USAGE',
      `'${send.event.type}' was sent by hand from ${from} outside of a step and of an action, where no log can hold it: invoke promise logic and send on its result`,
    );
}
