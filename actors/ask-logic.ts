/**
 * Actor logic that stands for a message and its reply. To XState it is promise logic, so that machines are typed by it; Reprise finds
 * the ask source under a symbol and sends the message instead. Run outside a mesh it fails with OUTSIDE_MESH.
 */
import type { PromiseActorLogic, PromiseSnapshot } from 'xstate';
import {
  type Address,
  type AskSource,
  type EffectId,
  type ErrorData,
  type EventObject,
  MeshError,
  type Source,
} from '../core/index.ts';

/** Where the kernel looks for the source that a logic object stands for. */
export const SOURCE: unique symbol = Symbol.for('reprise.source') as never;

export type AskLogic<Output, Input> = PromiseActorLogic<Output, Input> & { readonly [SOURCE]: Source };

/** `what` is how errors name it: "tool 'files.read'". */
export function askLogic<Output, Input>(what: string, ask: AskSource): AskLogic<Output, Input> {
  const outside = (input: Input | undefined): PromiseSnapshot<Output, Input> => ({
    status: 'error',
    output: undefined,
    input,
    error: new MeshError(
      'OUTSIDE_MESH',
      `${what} needs a mesh: run the machine with startMesh() or 'reprise up', or provide() a stand-in in a unit test`,
    ),
  });
  return {
    config: what,
    getInitialSnapshot: (_scope, input) => outside(input),
    transition: (snapshot) => snapshot,
    getPersistedSnapshot: (snapshot) => snapshot,
    restoreSnapshot: (snapshot) => snapshot as PromiseSnapshot<Output, Input>,
    [SOURCE]: { kind: 'ask', ask },
  };
}

/** What gateways answer. */
export interface Reply extends EventObject {
  readonly type: 'reprise.reply';
  readonly output?: unknown;
  readonly error?: ErrorData;
}

/** Reads a reply: a gateway's, or any event of a chart, which is then the output as it stands. */
export function readReply(reply: EventObject): { readonly output: unknown } | { readonly error: ErrorData } {
  if (reply.type !== 'reprise.reply') return { output: reply };
  const { error, output } = reply as Reply;
  return error === undefined ? { output } : { error };
}

/** How retries are spaced and counted; the gateway owns them, so they are in its log. */
export interface RetryPolicy {
  /** Tries in all, the first included. Default 3. */
  readonly attempts?: number;
  /** First wait between tries, ms; each next one is twice as long. Default 500. */
  readonly minMs?: number;
  /** Longest wait between tries, ms. Default 30,000. */
  readonly maxMs?: number;
}

/** How long the asker waits beyond the gateway's deadline, so that the gateway's own, better error arrives first. */
export const REPLY_GRACE_MS = 5_000;

export const DEFAULT_TIMEOUT_MS = 60_000;
/** The whole call, unless told: this many times the limit of one try. */
const DEADLINE_FACTOR = 10;

/** Limits of a call, checked. Without `timeoutMs` the gateway takes the one of its config. Throws USAGE. */
export function callLimits(
  what: string,
  options: { readonly timeoutMs?: number; readonly deadlineMs?: number },
  usualMs: number,
): { readonly timeoutMs?: number; readonly deadlineMs: number } {
  const timeoutMs = positive(what, 'timeoutMs', options.timeoutMs ?? usualMs);
  const deadlineMs = positive(what, 'deadlineMs', options.deadlineMs ?? DEADLINE_FACTOR * timeoutMs);
  if (deadlineMs < timeoutMs)
    throw new MeshError(
      'USAGE',
      `${what}: deadlineMs (${deadlineMs}) is the whole call and cannot be below timeoutMs (${timeoutMs}), which is one try`,
    );
  return { ...(options.timeoutMs !== undefined && { timeoutMs }), deadlineMs };
}

export function positive(what: string, name: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new MeshError('USAGE', `${what}: ${name} must be a positive number, not ${value}`);
}

/** What a gateway is told when a chart leaves the state that invoked the call. */
export const cancelAt =
  (to: Address): NonNullable<AskSource['cancel']> =>
  (_input, key) => ({ to, event: { type: 'reprise.cancel', key } });

/** The key that makes a repeated call recognisable: the id of the effect that asks. */
export type CallKey = EffectId;
