/**
 * The leaves of a model gateway: `port`, which makes the port where its credentials are and lives as long as the gateway, and `generate`,
 * one try of one call. They close over the one port; the gateway itself stays pure.
 */
import {
  type Backoff,
  backoffMs,
  type Clock,
  type ErrorData,
  errorData,
  type EventObject,
  type InDoubt,
  isMeshError,
  type Leaf,
  MeshError,
} from '../core/index.ts';
import { Awaited } from './awaited.ts';
import { runLeaf } from './leaf.ts';
import { RESULT_BYTES_MAX } from './limits.ts';
import type { ModelLeaves, ModelTerms, PortEvent } from './model-gateway.ts';
import {
  type GenerateContext,
  type ModelDelta,
  modelFailed,
  type ModelPort,
  type ModelRequest,
  type ModelResult,
  modelResultOf,
} from './model-port.ts';
import { Redactor } from './secret.ts';

/** Makes the port; called where the gateway runs, so that secrets are read there only. May throw: it is called again with pauses. */
export type PortSource = () => ModelPort | Promise<ModelPort>;

export interface ModelLeavesOptions {
  readonly clock: Clock;
  /** What goes into errors and results is cleaned by it. */
  readonly redactor?: Redactor;
  /** Ephemeral: never in a log. `key` is the id of the effect that asked. */
  readonly onDelta?: (key: string, delta: ModelDelta) => void;
  /** Of one answer, as JSON. Default 8 MiB. */
  readonly resultBytesMax?: number;
}

/** Of an error, which may quote what came. */
const MESSAGE_CHARS_MAX = 1_000;
const BACKOFF: Backoff = { minMs: 1_000, maxMs: 60_000, factor: 2, jitter: 0 };

/** `terms` are told to the gateway at each start: an edited mesh file does not change what an old log folds to. */
export function modelLeaves(source: PortSource, terms: ModelTerms, options: ModelLeavesOptions): ModelLeaves {
  const opened = new OpenedPort(source, terms, options);
  return { port: portLeaf(opened), generate: generateLeaf(opened, options) };
}

/** Makes the port of this process, and keeps trying until it is there. */
class OpenedPort {
  private readonly source: PortSource;
  private readonly terms: ModelTerms;
  private readonly clock: Clock;
  private readonly redactor: Redactor;
  readonly port: Awaited<ModelPort> = new Awaited();
  private life = 0;
  private cancelPause: (() => void) | undefined;

  constructor(source: PortSource, terms: ModelTerms, { clock, redactor = new Redactor() }: ModelLeavesOptions) {
    this.source = source;
    this.terms = terms;
    this.clock = clock;
    this.redactor = redactor;
  }

  open(tell: (event: PortEvent) => void): void {
    tell({ type: 'reprise.model.opening', terms: this.terms });
    void this.make(++this.life, 1, '', tell);
  }

  close(): void {
    this.life++;
    this.port.clear();
    this.cancelPause?.();
  }

  /** The same failure again and again is told once. */
  private async make(life: number, attempt: number, told: string, tell: (event: PortEvent) => void): Promise<void> {
    try {
      const port = await this.source();
      if (life !== this.life) return;
      tell({ type: 'reprise.model.port', id: port.id });
      this.port.set(port);
    } catch (failure) {
      if (life !== this.life) return;
      const error = shortened(this.redactor.json(errorData(failure)));
      if (error.message !== told) tell({ type: 'reprise.model.down', error });
      const pauseMs = backoffMs(BACKOFF, attempt, 0);
      this.cancelPause = this.clock.after(pauseMs, () => void this.make(life, attempt + 1, error.message, tell));
    }
  }
}

function portLeaf(opened: OpenedPort): Leaf {
  return {
    endless: true,
    inDoubt: () => 'retry',
    start(_job, deliver) {
      opened.open(deliver);
      return { stop: () => opened.close(), send: () => undefined };
    },
  };
}

/** Input of the `generate` leaf, as the gateway makes it. */
interface GenerateInput {
  readonly request: ModelRequest;
  readonly nth: number;
  readonly key: string;
  readonly timeoutMs: number;
  readonly remainingMs: number;
  readonly inDoubt: InDoubt;
}

function generateLeaf(
  opened: OpenedPort,
  { clock, redactor = new Redactor(), onDelta, resultBytesMax = RESULT_BYTES_MAX }: ModelLeavesOptions,
): Leaf {
  return {
    inDoubt: (input) => (input as GenerateInput).inDoubt,
    admit: (output) => admitted(output, resultBytesMax),
    start(job, deliver) {
      const { request, nth, key, timeoutMs, remainingMs } = job.input as GenerateInput;
      return runLeaf(
        { clock, child: job.child, timeoutMs, totalMs: remainingMs, deliver: (event) => deliver(cleaned(redactor, event)) },
        (limitMs) => new MeshError('MODEL_TIMEOUT', `the model did not answer within ${limitMs} ms`),
        async (signal, alive) => {
          const port = await opened.port.when(signal);
          const delta = (d: ModelDelta): void => {
            alive();
            onDelta?.(key, d);
          };
          return checked(
            port.id,
            await answer(port, request, { signal, idempotencyKey: key, nth, onDelta: delta }),
            resultBytesMax,
          );
        },
      );
    },
  };
}

/** Without secrets. Messages are cut after that: half a secret is found by nobody. */
function cleaned(redactor: Redactor, event: EventObject): EventObject {
  const { error, ...rest } = redactor.json(event) as EventObject & { readonly error?: ErrorData };
  return error === undefined ? rest : { ...rest, error: shortened(error) };
}

const shortened = (error: ErrorData): ErrorData => ({
  ...error,
  message: error.message.slice(0, MESSAGE_CHARS_MAX),
  ...(error.cause !== undefined && { cause: shortened(error.cause) }),
});

/** A port of a user's own may throw anything; a chart always gets a code. */
async function answer(port: ModelPort, request: ModelRequest, context: GenerateContext): Promise<ModelResult> {
  try {
    return await port.generate(request, context);
  } catch (error) {
    if (isMeshError(error) || context.signal.aborted) throw error;
    throw modelFailed(`${port.id} failed: ${errorData(error).message}`, { retryable: false }, error);
  }
}

/** An answer that a person gives in place of the model. */
function admitted(output: unknown, bytesMax: number): ModelResult {
  try {
    return checked('a person', output, bytesMax);
  } catch (error) {
    const example = '{ "content": [{ "type": "text", "text": "the answer" }] }';
    throw new MeshError('USAGE', `${errorData(error).message}; an answer of a model looks like ${example}`, { cause: error });
  }
}

/** What a port of a user's own answers, or a person, is not trusted to be a result in plain JSON. Throws MODEL_FAILED, PAYLOAD_TOO_LARGE. */
function checked(id: string, result: unknown, bytesMax: number): ModelResult {
  const text = (JSON.stringify(result) as string | undefined) ?? 'null';
  const plain = modelResultOf(JSON.parse(text));
  if (plain === undefined) throw modelFailed(`${id} answered with something that is no model result`, { retryable: false });
  const bytes = Buffer.byteLength(text);
  if (bytes > bytesMax)
    throw new MeshError('PAYLOAD_TOO_LARGE', `${id} answered with ${bytes} bytes, the limit is ${bytesMax}`, {
      data: { retryable: false },
    });
  return plain;
}
