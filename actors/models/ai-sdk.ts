/**
 * Models of the AI SDK as a model port. Takes what `@ai-sdk/openai` and its like make, by its shape: nothing of the AI SDK is imported, so
 * any of its versions fits whose specification is known here. One step of a model only: the loop over tools is the chart.
 */
import { isMeshError, MeshError } from '../../core/index.ts';
import {
  type GenerateContext,
  modelFailed,
  type ModelPort,
  type ModelRequest,
  type ModelResult,
  providerKey,
} from '../model-port.ts';
import { AiSdkAnswer } from './ai-sdk-answer.ts';
import { type AiSdkVersion, callOptions } from './ai-sdk-prompt.ts';
import { isTransient, retryAfter } from './retry-after.ts';

/** `LanguageModelV2`, `V3` and `V4` of the AI SDK. */
export interface AiSdkModel {
  readonly specificationVersion: string;
  readonly provider: string;
  readonly modelId: string;
  doGenerate(options: never): PromiseLike<unknown>;
  doStream(options: never): PromiseLike<unknown>;
}

export interface AiSdkOptions {
  /** Default: provider and model. */
  readonly id?: string;
  /** Default true: a call then shows signs of life. False for models that cannot. */
  readonly stream?: boolean;
}

const VERSIONS: readonly string[] = ['v2', 'v3', 'v4'] satisfies AiSdkVersion[];

export const isAiSdkModel = (value: unknown): value is AiSdkModel =>
  typeof value === 'object' && value !== null && 'doGenerate' in value && 'modelId' in value;

/**
 * `generate` fails with MODEL_FAILED (`data.status`, `data.retryAfterMs`).
 *
 * Throws: USAGE for something that is no model, or one of a specification that is not known here.
 */
export function fromAiSdk(model: AiSdkModel, options: AiSdkOptions = {}): ModelPort {
  if (!isAiSdkModel(model))
    throw new MeshError(
      'USAGE',
      `fromAiSdk() takes a language model of the AI SDK, such as openai('gpt-5-mini'), not ${typeof model}`,
    );
  const { specificationVersion: version, provider, modelId } = model;
  if (!VERSIONS.includes(version))
    throw new MeshError(
      'USAGE',
      `the model ${provider}/${modelId} speaks specification '${version}' of the AI SDK; known here are ${VERSIONS.join(', ')} (ai 5, 6 and 7): install a fitting version of its package`,
    );
  const { id = `${provider}/${modelId}`, stream = true } = options;
  return {
    id,
    async generate(request: ModelRequest, context: GenerateContext): Promise<ModelResult> {
      const call = {
        ...callOptions(version as AiSdkVersion, request),
        abortSignal: context.signal,
        headers: { 'idempotency-key': providerKey(context.idempotencyKey) },
      };
      const answer = new AiSdkAnswer((delta) => context.onDelta?.(delta));
      try {
        if (stream) await readStream(id, ((await model.doStream(call as never)) as StreamResult).stream, answer);
        else answer.whole((await model.doGenerate(call as never)) as Readonly<Record<string, unknown>>);
        return answer.result(modelId);
      } catch (error) {
        context.signal.throwIfAborted();
        throw failure(id, error);
      }
    },
  };
}

interface StreamResult {
  readonly stream: ReadableStream<Readonly<Record<string, unknown>>>;
}

async function readStream(id: string, stream: StreamResult['stream'], answer: AiSdkAnswer): Promise<void> {
  for await (const part of stream) answer.take(part);
  if (!answer.finished) throw modelFailed(`the stream of ${id} ended in the middle of the answer`, { retryable: true });
}

/** The SDK's errors by their shape. Without their cause, which holds the whole request. */
function failure(id: string, error: unknown): MeshError {
  if (isMeshError(error)) return error;
  const { message, statusCode, isRetryable, responseHeaders } = (
    typeof error === 'object' && error !== null ? error : { message: error }
  ) as {
    message?: unknown;
    statusCode?: unknown;
    isRetryable?: unknown;
    responseHeaders?: Record<string, string>;
  };
  const status = typeof statusCode === 'number' ? statusCode : undefined;
  const retryAfterMs = responseHeaders === undefined ? undefined : retryAfter(new Headers(responseHeaders));
  const retryable = typeof isRetryable === 'boolean' ? isRetryable : status !== undefined && isTransient(status);
  return modelFailed(`${id} failed: ${String(message ?? JSON.stringify(error))}`, {
    retryable,
    ...(status !== undefined && { status }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}
