/**
 * Runs one asynchronous piece of work as a leaf: silence limit, total limit, abort when it is stopped, and exactly one end, in the event
 * that XState would send to the parent. Limits are kept by the Clock port.
 */
import { type Clock, errorData, type EventObject, type LeafHandle } from '../core/index.ts';

export type Deliver = (event: EventObject) => void;

export interface LeafLimits {
  readonly clock: Clock;
  readonly child: string;
  /** ms without a sign of life. */
  readonly timeoutMs: number;
  /** ms in all. */
  readonly totalMs: number;
  readonly deliver: Deliver;
}

/**
 * `work` gets a signal that aborts at a limit or at stop, and a function to call at each sign of life. `timeout` makes the error, of the
 * limit (ms) that was met.
 */
export function runLeaf(
  limits: LeafLimits,
  timeout: (limitMs: number) => Error,
  work: (signal: AbortSignal, alive: () => void) => Promise<unknown>,
): LeafHandle {
  const { clock, child, deliver } = limits;
  const abort = new AbortController();
  let ended = false;
  const end = (event: EventObject | undefined): void => {
    if (ended) return;
    ended = true;
    cancelSilence();
    cancelTotal();
    if (event !== undefined) deliver(event);
  };
  const fail = (error: unknown): void => end({ type: `xstate.error.actor.${child}`, error: errorData(error), actorId: child });
  const expire = (limitMs: number): void => {
    if (ended) return;
    const error = timeout(limitMs);
    fail(error);
    abort.abort(error);
  };
  const silence = (): (() => void) => clock.after(limits.timeoutMs, () => expire(limits.timeoutMs));
  let cancelSilence = silence();
  const cancelTotal = clock.after(limits.totalMs, () => expire(limits.totalMs));
  const alive = (): void => {
    if (ended) return;
    cancelSilence();
    cancelSilence = silence();
  };
  work(abort.signal, alive).then((output) => end({ type: `xstate.done.actor.${child}`, output, actorId: child }), fail);
  return {
    stop() {
      end(undefined);
      abort.abort(new DOMException('stopped', 'AbortError'));
    },
    send: () => undefined,
  };
}
