/**
 * A model behind the chat completions API: OpenAI, Ollama, vLLM, LM Studio, OpenRouter and whoever else speaks it. Streams, so that a call
 * shows signs of life; one request for one `generate`, never repeated here: the gateway owns tries and pauses.
 */
import { isMeshError, MeshError, type PlainOrSecret, type SecretRef } from '../../core/index.ts';
import { boundedFetch, failureWords, type Fetch } from '../bounded-fetch.ts';
import {
  type GenerateContext,
  modelFailed,
  type ModelPort,
  type ModelRequest,
  type ModelResult,
  providerKey,
} from '../model-port.ts';
import { PROCESS_SECRETS, Vault } from '../secret.ts';
import { Answer, quoted } from './openai-answer.ts';
import { bodyOf } from './openai-request.ts';
import { isTransient, retryAfter } from './retry-after.ts';

export interface OpenAiCompatibleOptions {
  /** Up to and with the version: `http://127.0.0.1:11434/v1`. */
  readonly baseUrl: string;
  readonly model: string;
  /** Sent as a bearer token; read at each call, so a new key needs no restart. */
  readonly apiKey?: SecretRef;
  readonly headers?: Readonly<Record<string, PlainOrSecret>>;
  /** Further members of the request body, such as `{ temperature: 0 }`. `{ stream: false }` is understood. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Default: host and model. */
  readonly id?: string;
  /** Reads references, and takes what it has read out of answers and errors. Default: of environment and files of this process. */
  readonly vault?: Vault;
  readonly fetch?: Fetch;
}

/** Of one body, or one event of a stream. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;
/** Of an error, which quotes what came. */
const MESSAGE_CHARS_MAX = 400;

/** `generate` fails with MODEL_FAILED (`data.status`, `data.retryAfterMs`), PAYLOAD_TOO_LARGE, SECRET_MISSING. */
export function openaiCompatible(options: OpenAiCompatibleOptions): ModelPort {
  const { baseUrl, model, apiKey, headers = {}, settings = {}, vault = new Vault(PROCESS_SECRETS) } = options;
  const { hostname } = new URL(baseUrl);
  const id = options.id ?? `${hostname}/${model}`;
  const url = `${baseUrl.replace(/\/+$/, '')}/chat/completions`;
  const maxTokens = hostname === 'api.openai.com' ? 'max_completion_tokens' : 'max_tokens';
  const send = boundedFetch(BODY_BYTES_MAX, options.fetch);

  const request = async (body: unknown, { signal, idempotencyKey }: GenerateContext): Promise<Response> => {
    const init: RequestInit = {
      method: 'POST',
      signal,
      // Credentials go to the address that was named, and nowhere else.
      redirect: 'error',
      headers: {
        accept: 'text/event-stream, application/json',
        'content-type': 'application/json',
        'idempotency-key': providerKey(idempotencyKey),
        ...vault.values(headers),
        ...(apiKey !== undefined && { authorization: `Bearer ${vault.value(apiKey)}` }),
      },
      body: JSON.stringify(body),
    };
    const response = await send(url, init);
    if (!response.ok) throw await refusal(id, response);
    return response;
  };

  return {
    id,
    async generate(asked: ModelRequest, context: GenerateContext): Promise<ModelResult> {
      const body = bodyOf(asked, { model, settings, maxTokens });
      const answer = new Answer(id, (delta) => context.onDelta?.(delta));
      try {
        await read(id, await request(body, context), answer);
      } catch (error) {
        context.signal.throwIfAborted();
        throw cleaned(vault, id, error);
      }
      // Some providers and gateways before them echo what they were sent.
      return vault.redactor.json(answer.result());
    },
  };
}

/** Throws MODEL_FAILED for what is no answer, or only a part of one. */
async function read(id: string, response: Response, answer: Answer): Promise<void> {
  const type = response.headers.get('content-type') ?? '';
  if (type.includes('text/event-stream')) return readStream(id, response, answer);
  const text = await response.text();
  if (!/\bjson\b/.test(type))
    throw modelFailed(`${id} answered with ${type === '' ? 'no content type' : type}: ${quoted(text)}`, { retryable: false });
  answer.take(parsed(id, text));
  if (!answer.begun) throw modelFailed(`${id} gave an answer without choices: ${quoted(text)}`, { retryable: true });
}

async function readStream(id: string, response: Response, answer: Answer): Promise<void> {
  // Loaded at the first call: who imports this file may never make one.
  const { createParser } = await import('eventsource-parser');
  let failure: unknown;
  let done = false;
  const parser = createParser({
    onEvent({ data }) {
      if (done || failure !== undefined) return;
      if (data === '[DONE]') {
        done = true;
        return;
      }
      try {
        answer.take(parsed(id, data));
      } catch (error) {
        failure = error;
      }
    },
  });
  const body = (response.body ?? new Blob([]).stream()).pipeThrough(new TextDecoderStream());
  for await (const chunk of body) {
    parser.feed(chunk);
    if (failure !== undefined) throw failure;
    if (done) break;
  }
  if (!done && !answer.finished) throw modelFailed(`the stream of ${id} ended in the middle of the answer`, { retryable: true });
}

function parsed(id: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw modelFailed(`${id} sent something that is no JSON: ${quoted(text)}`, { retryable: true });
  }
}

/** An HTTP error as the provider words it. */
async function refusal(id: string, response: Response): Promise<MeshError> {
  const { status } = response;
  const text = await response.text().catch(() => '');
  const { message, code } = wordsOf(text);
  const retryAfterMs = retryAfter(response.headers);
  // Whose money is spent does not get any by waiting.
  const retryable = isTransient(status) && code !== 'insufficient_quota';
  return modelFailed(`${id} refused with HTTP ${status}: ${quoted(message)}`, {
    retryable,
    status,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

function wordsOf(text: string): { readonly message: string; readonly code?: unknown } {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown; code?: unknown } | string };
    if (typeof error === 'string') return { message: error };
    if (typeof error?.message === 'string') return { message: error.message, code: error.code };
  } catch {
    // No JSON: as it stands.
  }
  return { message: text };
}

/** Without secrets, then cut: providers like to quote the key that they refuse. */
function cleaned({ redactor }: Vault, id: string, error: unknown): MeshError {
  if (isMeshError(error))
    return new MeshError(error.code, redactor.excerpt(error.message, MESSAGE_CHARS_MAX), { data: error.data });
  return modelFailed(`${id} could not be reached, or broke off: ${failureWords(error, redactor)}`, { retryable: true });
}
