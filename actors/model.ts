/** Asks a model from inside a chart. The gateway of that model owns the key and the retries; one call is one effect. */
import { type Address, checkAddress, type EventObject, type InDoubt, MeshError } from '../core/index.ts';
import {
  type AskLogic,
  askLogic,
  callLimits,
  type CallKey,
  cancelAt,
  positive,
  readReply,
  REPLY_GRACE_MS,
  type RetryPolicy,
} from './ask-logic.ts';
import type { ModelRequest, ModelResult } from './model-port.ts';

export interface ModelOptions {
  /** ms without an answer or a delta after which one try is cancelled. Default: `timeout` of the model in the mesh file. */
  readonly timeoutMs?: number;
  /** ms for the whole call: waiting, tries and pauses together. Default ten times `timeoutMs`, 20 minutes without. */
  readonly deadlineMs?: number;
  readonly retry?: RetryPolicy;
  /** What to do with a call that was under way when its process died. Default 'retry': a second answer costs money, but harms nothing. */
  readonly inDoubt?: Exclude<InDoubt, 'ask'>;
}

/** What a model gateway is sent. */
export interface GenerateCall extends EventObject {
  readonly type: 'reprise.generate';
  readonly request: ModelRequest;
  readonly key: CallKey;
  readonly timeoutMs?: number;
  readonly deadlineMs: number;
  readonly policy: RetryPolicy & { readonly inDoubt?: InDoubt };
}

/** What the mesh file has when it says nothing. */
const USUAL_TIMEOUT_MS = 120_000;

export const modelAddress = (name: string): Address => checkAddress(`models/${name}`);

/**
 * Logic for `setup({ actors: { ... } })`: input = `ModelRequest`, output = `ModelResult`.
 *
 * ```ts
 * actors: { think: model('main', { timeoutMs: 120_000, retry: { attempts: 5 } }) }
 * ```
 *
 * Fails with: MODEL_FAILED, MODEL_TIMEOUT, EFFECT_IN_DOUBT, BUSY, PAYLOAD_TOO_LARGE, ASK_TIMEOUT (no gateway).
 * Throws: USAGE for a limit that is no positive number; ADDRESS_INVALID for the name.
 */
export function model(name: string, options: ModelOptions = {}): AskLogic<ModelResult, ModelRequest> {
  const to = modelAddress(name);
  const limits = callLimits(`model '${name}'`, options, USUAL_TIMEOUT_MS);
  if (options.retry?.attempts !== undefined) positive(`model '${name}'`, 'retry.attempts', options.retry.attempts);
  const policy: GenerateCall['policy'] = { ...options.retry, ...(options.inDoubt !== undefined && { inDoubt: options.inDoubt }) };
  return askLogic<ModelResult, ModelRequest>(`model '${name}'`, {
    request(request, key) {
      if (!Array.isArray((request as Partial<ModelRequest> | null | undefined)?.messages))
        throw new MeshError('USAGE', `model '${name}' is asked nothing: the input of the invoke is { messages: [...] }`);
      return {
        to,
        event: { type: 'reprise.generate', request, key, ...limits, policy },
        timeoutMs: limits.deadlineMs + REPLY_GRACE_MS,
      };
    },
    result: readReply,
    cancel: cancelAt(to),
  });
}
