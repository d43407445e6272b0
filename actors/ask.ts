/** Asks another actor from inside a chart: an invoked source whose output is the reply. Survives a crash on either side. */
import { type Address, type EventObject, MeshError } from '../core/index.ts';
import { type AskLogic, askLogic, DEFAULT_TIMEOUT_MS, positive, readReply } from './ask-logic.ts';

export interface AskOptions {
  /** Whom to ask, unless the input says. */
  readonly to?: Address;
  /** ms until the ask fails with ASK_TIMEOUT. Default 60,000. */
  readonly timeoutMs?: number;
}

export interface AskInput<Event extends EventObject = EventObject> {
  readonly to?: Address;
  readonly event: Event;
  readonly timeoutMs?: number;
}

/**
 * Logic for `setup({ actors: { ... } })`. The asked actor finds `replyTo` in the event and sends its answer there; the answer
 * (or the `output` of a `reprise.reply`) is the output of the invoke.
 *
 * ```ts
 * actors: { policy: ask<{ type: 'policy'; limit: number }>({ to: 'desk/policy', timeoutMs: 10_000 }) }
 * invoke: { id: 'policy', src: 'policy', input: ({ context }) => ({ event: { type: 'policy.of', customer: context.customer } }), ... }
 * ```
 *
 * Fails with: ASK_TIMEOUT; ASK_CYCLE when the asked actor waits for this one; what the reply says.
 * Throws: USAGE for a limit that is no positive number, or when nobody is named to ask.
 */
export function ask<Output = EventObject, Event extends EventObject = EventObject>(
  options: AskOptions = {},
): AskLogic<Output, AskInput<Event>> {
  const usual = positive('ask', 'timeoutMs', options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  return askLogic<Output, AskInput<Event>>('ask()', {
    request(input) {
      const { to = options.to, event, timeoutMs = usual } = (input ?? {}) as Partial<AskInput<Event>>;
      if (to === undefined)
        throw new MeshError('USAGE', 'ask() names nobody: give `to` in ask({ to }) or in the input of the invoke');
      if (typeof event?.type !== 'string')
        throw new MeshError('USAGE', `ask() of ${to} has no event: the input of the invoke is { event: { type, ... } }`);
      return { to, event, timeoutMs: positive(`ask() of ${to}`, 'timeoutMs', timeoutMs) };
    },
    result: readReply,
  });
}
