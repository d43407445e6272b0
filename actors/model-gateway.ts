/**
 * The gateway actor of one model: an actor with a log of its own at `models/<name>`. One call is one effect; tries, pauses and the answers
 * are in its log. Keys and sockets belong to the port, which only its leaves touch.
 */
import {
  type Effect,
  type ErrorData,
  errorData,
  type EventObject,
  type Leaf,
  type Logic,
  MeshError,
  reducer,
  type ReducerContext,
} from '../core/index.ts';
import { type CallBook, type CallEvent, type CallKind, Calls, EMPTY_BOOK, isEnd, type Terms } from './call-book.ts';
import { REQUEST_BYTES_MAX } from './limits.ts';
import { modelResultOf } from './model-port.ts';

/** What the config says of a model: it reaches the gateway as a recorded event. What the code says of one call wins. */
export interface ModelTerms {
  readonly timeoutMs: number;
  /** Calls at once. */
  readonly concurrency: number;
  /** Tries in all. Default 3. */
  readonly attempts?: number;
}

export interface ModelGatewayState {
  readonly name: string;
  /** `provider/model` of the port that answers now. */
  readonly model: string | null;
  /** Why there is none. */
  readonly error: ErrorData | null;
  readonly terms: ModelTerms;
  /** Calls taken so far: the number of the next one. */
  readonly calls: number;
  /** Answers and tokens so far. */
  readonly answers: number;
  readonly tokens: number;
  readonly book: CallBook;
}

/** Events of the `port` leaf. */
export type PortEvent =
  | { readonly type: 'reprise.model.opening'; readonly terms: ModelTerms }
  | { readonly type: 'reprise.model.port'; readonly id: string }
  | { readonly type: 'reprise.model.down'; readonly error: ErrorData };

export interface ModelLeaves {
  readonly port: Leaf;
  readonly generate: Leaf;
}

const KIND: CallKind = { src: 'generate', inputBytesMax: REQUEST_BYTES_MAX, timeoutCode: 'MODEL_TIMEOUT' };
/** Until the port has said its own. */
const TERMS: ModelTerms = { timeoutMs: 120_000, concurrency: 16 };
const PORT: Effect = { kind: 'spawn', child: 'port', src: 'port', input: null, sync: false };
const REOPEN_MS = 1_000;

/** The logic of `models/<name>`. Takes `reprise.generate` and `reprise.cancel`, answers with `reprise.reply`; a repeated key gets the answer it got before. */
export function modelGateway({ name, leaves }: { readonly name: string; readonly leaves: ModelLeaves }): Logic {
  return reducer<ModelGatewayState, unknown>({
    id: 'reprise.model-gateway',
    version: '1',
    init: () => ({
      state: { name, model: null, error: null, terms: TERMS, calls: 0, answers: 0, tokens: 0, book: EMPTY_BOOK },
      effects: [PORT],
    }),
    step,
    sources: { port: { kind: 'leaf', leaf: leaves.port }, generate: { kind: 'leaf', leaf: leaves.generate } },
  });
}

interface Turned {
  readonly state: ModelGatewayState;
  readonly effects: Effect[];
}

function step(state: ModelGatewayState, event: EventObject, ctx: ReducerContext): Turned {
  const calls = new Calls(state.book, KIND, ctx);
  const { state: next, effects } = react(state, event, calls);
  calls.pump(next.model === null ? 0 : next.terms.concurrency, (call): Terms => {
    const { attempts, timeoutMs } = next.terms;
    // A second answer costs money, but harms nothing.
    return { inDoubt: call.asked ?? 'retry', attempts: call.attempts ?? attempts, timeoutMs: call.timeoutMs ?? timeoutMs };
  });
  return { state: { ...next, book: calls.book() }, effects: [...effects, ...calls.effects] };
}

function react(state: ModelGatewayState, event: EventObject, calls: Calls): Turned {
  switch (event.type) {
    case 'reprise.generate':
      return { state: asked(state, event as CallEvent, calls), effects: [] };
    case 'reprise.cancel':
      calls.cancel(String(event['key']));
      break;
    case 'reprise.call.again':
      calls.again(String(event['key']));
      break;
    case 'reprise.call.deadline':
      calls.deadline(String(event['key']), () => notThere(state));
      break;
    case 'reprise.model.opening':
      return { state: { ...state, model: null, terms: event['terms'] as ModelTerms }, effects: [] };
    case 'reprise.model.port':
      return { state: { ...state, model: String(event['id']), error: null }, effects: [] };
    case 'reprise.model.down':
      return down(state, event['error'] as ErrorData);
    case 'reprise.model.reopen':
      return { state, effects: [PORT] };
    default:
      return other(state, event, calls);
  }
  return { state, effects: [] };
}

function asked(state: ModelGatewayState, event: CallEvent, calls: Calls): ModelGatewayState {
  const isNew = calls.accept(event, `model '${state.name}'`, { request: event['request'], nth: state.calls });
  return isNew ? { ...state, calls: state.calls + 1 } : state;
}

function down(state: ModelGatewayState, error: ErrorData): Turned {
  return {
    state: { ...state, model: null, error },
    effects: [{ kind: 'log', label: 'model.down', value: { model: state.name, error: error.message } }],
  };
}

function notThere({ name, model, error }: ModelGatewayState): ErrorData | undefined {
  if (model !== null || error === null) return undefined;
  return errorData(
    new MeshError('MODEL_FAILED', `model '${name}' is not there: ${error.message}`, { data: { retryable: false } }),
  );
}

function other(state: ModelGatewayState, event: EventObject, calls: Calls): Turned {
  if (isEnd(event) && event['actorId'] === 'port') {
    return { state, effects: [{ kind: 'timer', timer: 'reopen', event: { type: 'reprise.model.reopen' }, delay: REOPEN_MS }] };
  }
  const answer = event.type.startsWith('xstate.done.') ? modelResultOf(event['output']) : undefined;
  if (!isEnd(event) || !calls.ended(answer === undefined ? failed(event, state) : event))
    return { state, effects: [{ kind: 'log', label: 'gateway.ignored', value: { type: event.type } }] };
  if (answer === undefined) return { state, effects: [] };
  const { usage } = answer;
  const tokens = usage.totalTokens ?? (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0);
  return { state: { ...state, answers: state.answers + 1, tokens: state.tokens + tokens }, effects: [] };
}

/** The end of a call without an answer. An output that is none is a failure of that call, and of no other. */
function failed(event: EventObject, { name }: ModelGatewayState): EventObject {
  if (event['error'] !== undefined) return event;
  const message = `model '${name}' was given an answer that is none`;
  const error = errorData(new MeshError('MODEL_FAILED', message, { data: { retryable: false } }));
  return { type: `xstate.error.actor.${String(event['actorId'])}`, error, actorId: event['actorId'] };
}
