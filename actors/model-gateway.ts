/**
 * The gateway actor of one model: an actor with a log of its own at `models/<name>`. One call is one effect; tries, pauses and the answers
 * are in its log. Keys and sockets belong to the port, which only its leaves touch.
 */
import {
  type Clock,
  type Effect,
  type EventObject,
  type InDoubt,
  type Leaf,
  type Logic,
  MeshError,
  reducer,
  type ReducerContext,
} from '../core/index.ts';
import { type CallBook, type CallEvent, type CallKind, Calls, EMPTY_BOOK, isEnd, type Terms } from './call-book.ts';
import { runLeaf } from './leaf.ts';
import type { ModelDelta, ModelPort, ModelRequest, ModelResult } from './model-port.ts';
import { modelFailed } from './model-port.ts';
import { Redactor } from './secret.ts';

/** What the config says of a model: it reaches the gateway as a recorded event. What the code says of one call wins. */
export interface ModelTerms {
  readonly timeoutMs: number;
  /** Calls at once. */
  readonly concurrency: number;
  /** Tries in all. Default 3. */
  readonly attempts?: number;
  /** Default 'retry': a second answer costs money, but harms nothing. Wins over the code. */
  readonly inDoubt?: Exclude<InDoubt, 'ask'>;
}

export interface ModelGatewayState {
  readonly name: string;
  /** `provider/model` of the port that answers now. */
  readonly model: string | null;
  readonly terms: ModelTerms;
  /** Answers and tokens so far. */
  readonly answers: number;
  readonly tokens: number;
  readonly book: CallBook;
}

export interface ModelLeaves {
  readonly port: Leaf;
  readonly generate: Leaf;
}

export interface ModelLeavesOptions {
  readonly clock: Clock;
  /** What goes into errors and results is cleaned by it. */
  readonly redactor?: Redactor;
  /** Ephemeral: never in a log. */
  readonly onDelta?: (key: string, delta: ModelDelta) => void;
  /** Of one answer, as JSON. Default 8 MiB. */
  readonly resultBytesMax?: number;
}

const KIND: CallKind = { src: 'generate', timeoutCode: 'MODEL_TIMEOUT' };
/** Until the port has said its own. */
const TERMS: ModelTerms = { timeoutMs: 120_000, concurrency: 16 };
const RESULT_BYTES_MAX = 8 * 1024 * 1024;
const PORT: Effect = { kind: 'spawn', child: 'port', src: 'port', input: null, sync: false };
const REOPEN_MS = 1_000;

/** The logic of `models/<name>`. Takes `reprise.generate`, answers with `reprise.reply`; a repeated key gets the answer it got before. */
export function modelGateway({ name, leaves }: { readonly name: string; readonly leaves: ModelLeaves }): Logic {
  return reducer<ModelGatewayState, unknown>({
    id: 'reprise.model-gateway',
    version: '1',
    init: () => ({ state: { name, model: null, terms: TERMS, answers: 0, tokens: 0, book: EMPTY_BOOK }, effects: [PORT] }),
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
    const { inDoubt = call.asked ?? 'retry', attempts, timeoutMs } = next.terms;
    return {
      inDoubt: inDoubt === 'ask' ? 'retry' : inDoubt,
      attempts: call.attempts ?? attempts,
      timeoutMs: call.timeoutMs ?? timeoutMs,
    };
  });
  return { state: { ...next, book: calls.book() }, effects: [...effects, ...calls.effects] };
}

function react(state: ModelGatewayState, event: EventObject, calls: Calls): Turned {
  switch (event.type) {
    case 'reprise.generate':
      calls.accept(event as CallEvent, `model '${state.name}'`, { request: event['request'] });
      break;
    case 'reprise.call.again':
      calls.again(String(event['key']));
      break;
    case 'reprise.call.deadline':
      calls.deadline(String(event['key']), () => undefined);
      break;
    case 'reprise.model.port':
      return { state: { ...state, model: String(event['id']), terms: event['terms'] as ModelTerms }, effects: [] };
    case 'reprise.model.reopen':
      return { state, effects: [PORT] };
    default:
      return other(state, event, calls);
  }
  return { state, effects: [] };
}

function other(state: ModelGatewayState, event: EventObject, calls: Calls): Turned {
  if (isEnd(event) && event['actorId'] === 'port') {
    return { state, effects: [{ kind: 'timer', timer: 'reopen', event: { type: 'reprise.model.reopen' }, delay: REOPEN_MS }] };
  }
  if (!isEnd(event) || !calls.ended(event))
    return { state, effects: [{ kind: 'log', label: 'gateway.ignored', value: { type: event.type } }] };
  if (!event.type.startsWith('xstate.done.')) return { state, effects: [] };
  const { usage } = event['output'] as ModelResult;
  const tokens = usage.totalTokens ?? (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0);
  return { state: { ...state, answers: state.answers + 1, tokens: state.tokens + tokens }, effects: [] };
}

// ---- leaves ----------------------------------------------------------------------------------------------------------

/** `port` tells the gateway which model answers and on what terms; `generate` is one try of one call. */
export function modelLeaves(port: ModelPort, terms: ModelTerms, options: ModelLeavesOptions): ModelLeaves {
  return {
    port: {
      endless: true,
      inDoubt: () => 'retry',
      start(_job, deliver) {
        deliver({ type: 'reprise.model.port', id: port.id, terms });
        return { stop: () => undefined, send: () => undefined };
      },
    },
    generate: generateLeaf(port, options),
  };
}

interface GenerateInput {
  readonly request: ModelRequest;
  readonly key: string;
  readonly timeoutMs: number;
  readonly remainingMs: number;
  readonly inDoubt: InDoubt;
}

function generateLeaf(
  port: ModelPort,
  { clock, redactor = new Redactor(), onDelta, resultBytesMax = RESULT_BYTES_MAX }: ModelLeavesOptions,
): Leaf {
  return {
    inDoubt: (input) => (input as GenerateInput).inDoubt,
    start(job, deliver) {
      const { request, key, timeoutMs, remainingMs } = job.input as GenerateInput;
      return runLeaf(
        { clock, child: job.child, timeoutMs, totalMs: remainingMs, deliver: (event) => deliver(redactor.json(event)) },
        () => new MeshError('MODEL_TIMEOUT', `${port.id} did not answer within ${timeoutMs} ms`),
        async (signal, alive) => {
          const delta = (d: ModelDelta): void => {
            alive();
            onDelta?.(key, d);
          };
          return checked(port.id, await port.generate(request, { signal, idempotencyKey: key, onDelta: delta }), resultBytesMax);
        },
      );
    },
  };
}

/** What a port of a user's own answers is not trusted to be plain JSON. Throws MODEL_FAILED, PAYLOAD_TOO_LARGE. */
function checked(id: string, result: ModelResult, bytesMax: number): ModelResult {
  const text = JSON.stringify(result) as string | undefined;
  if (text === undefined || !Array.isArray(result?.content))
    throw modelFailed(`${id} answered with something that is no model result`, { retryable: false });
  const bytes = Buffer.byteLength(text);
  if (bytes > bytesMax)
    throw new MeshError('PAYLOAD_TOO_LARGE', `${id} answered with ${bytes} bytes, the limit is ${bytesMax}`, {
      data: { retryable: false },
    });
  const plain = JSON.parse(text) as ModelResult;
  return { ...plain, usage: plain.usage ?? {}, finishReason: plain.finishReason ?? 'other' };
}
