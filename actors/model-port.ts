/**
 * The model port: one method, plain JSON in and out, so that one call is one effect and a recorded answer is as good as a real one.
 * No tool loop here: the loop is the statechart. Deltas are for eyes only; the result is the record.
 */
import { createHash } from 'node:crypto';
import { type ErrorCode, isObject, MeshError } from '../core/index.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** What a provider wants back with a part in the next request, such as the signature of its reasoning. Hand parts on as they came. */
interface FromProvider {
  readonly provider?: Readonly<Record<string, unknown>>;
}

export interface TextPart extends FromProvider {
  readonly type: 'text';
  readonly text: string;
}
export interface ReasoningPart extends FromProvider {
  readonly type: 'reasoning';
  readonly text: string;
}
/** `data` is base64, or a `https:` URL that the provider fetches. */
export interface FilePart {
  readonly type: 'file';
  readonly mediaType: string;
  readonly data: string;
  readonly filename?: string;
}
/** `input` is JSON that was parsed; text when the model wrote something that is no JSON (`invalid`). */
export interface ToolCallPart extends FromProvider {
  readonly type: 'tool-call';
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
  readonly invalid?: true;
}
export interface ToolResultPart {
  readonly type: 'tool-result';
  readonly id: string;
  readonly name: string;
  readonly output: unknown;
  readonly isError?: boolean;
}

export type ModelMessage =
  | { readonly role: 'system'; readonly content: string }
  | { readonly role: 'user'; readonly content: string | readonly (TextPart | FilePart)[] }
  | { readonly role: 'assistant'; readonly content: string | readonly (TextPart | ReasoningPart | ToolCallPart | FilePart)[] }
  | { readonly role: 'tool'; readonly content: readonly ToolResultPart[] };

export interface ModelTool {
  readonly name: string;
  readonly description?: string;
  readonly inputSchema: JsonSchema;
}

export interface ModelSettings {
  readonly temperature?: number;
  readonly topP?: number;
  readonly maxOutputTokens?: number;
  readonly stop?: readonly string[];
  readonly seed?: number;
}

export interface ModelRequest {
  readonly messages: readonly ModelMessage[];
  readonly tools?: readonly ModelTool[];
  readonly toolChoice?: 'auto' | 'none' | 'required' | { readonly tool: string };
  /** The answer shall be JSON of this schema. */
  readonly responseSchema?: JsonSchema;
  readonly settings?: ModelSettings;
  /** Passed on as it is, by provider name; `openaiCompatible` merges `providerOptions.openai` into the body. */
  readonly providerOptions?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export type FinishReason = 'stop' | 'length' | 'tool-calls' | 'content-filter' | 'error' | 'other';

/** Tokens; absent where the provider says nothing. */
export interface ModelUsage {
  readonly inputTokens?: number;
  readonly outputTokens?: number;
  readonly totalTokens?: number;
  readonly reasoningTokens?: number;
  readonly cachedInputTokens?: number;
}

export interface ModelResult {
  readonly content: readonly (TextPart | ReasoningPart | ToolCallPart | FilePart)[];
  readonly finishReason: FinishReason;
  readonly usage: ModelUsage;
  /** The model that answered, as the provider names it. */
  readonly model?: string;
  /** What the provider said besides, raw. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export type ModelDelta =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  | { readonly type: 'tool-call'; readonly id: string; readonly name: string; readonly text: string };

export interface GenerateContext {
  /** Aborts when the call is over for its caller; `generate` then rejects. */
  readonly signal: AbortSignal;
  /** The same for every try of one call. */
  readonly idempotencyKey: string;
  /** Which call of its gateway this is, from 0: the same for every try, and after a crash. */
  readonly nth?: number;
  readonly onDelta?: (delta: ModelDelta) => void;
}

export interface ModelPort {
  /** `provider/model`: goes into the log. */
  readonly id: string;
  /** Rejects with MODEL_FAILED; `data: ModelFailure` says whether to try again. */
  generate(request: ModelRequest, context: GenerateContext): Promise<ModelResult>;
}

export interface ModelFailure {
  readonly retryable: boolean;
  /** ms that the provider asked to wait. */
  readonly retryAfterMs?: number;
  readonly status?: number;
}

export function modelFailed(message: string, data: ModelFailure, cause?: unknown, code: ErrorCode = 'MODEL_FAILED'): MeshError {
  return new MeshError(code, message, { data, ...(cause !== undefined && { cause }) });
}

/** An idempotency key as a provider sees it: names of actors are none of its business. */
export const providerKey = (key: string): string => createHash('sha256').update(key).digest('base64url');

// ---- checking results -----------------------------------------------------------------------------------------------

/** Plain JSON as a result: what charts read of one is there. Undefined: it is none. */
export function modelResultOf(value: unknown): ModelResult | undefined {
  if (!isObject(value) || !Array.isArray(value['content']) || !value['content'].every(isPart)) return undefined;
  const { usage, finishReason } = value;
  const counts = Object.entries(isObject(usage) ? usage : {}).filter(([, count]) => typeof count === 'number');
  return {
    ...(value as unknown as ModelResult),
    usage: Object.fromEntries(counts),
    finishReason: typeof finishReason === 'string' ? (finishReason as FinishReason) : 'other',
  };
}

function isPart(part: unknown): boolean {
  if (!isObject(part)) return false;
  const has = (...keys: readonly string[]): boolean => keys.every((key) => typeof part[key] === 'string');
  switch (part['type']) {
    case 'text':
    case 'reasoning':
      return has('text');
    case 'tool-call':
      return has('id', 'name');
    case 'file':
      return has('mediaType', 'data');
    default:
      return has('type');
  }
}

// ---- reading results -------------------------------------------------------------------------------------------------

/** All text of a result, joined. */
export const textOf = (result: Pick<ModelResult, 'content'>): string =>
  result.content.map((part) => (part.type === 'text' ? part.text : '')).join('');

export const toolCallsOf = (result: Pick<ModelResult, 'content'>): readonly ToolCallPart[] =>
  result.content.filter((part): part is ToolCallPart => part.type === 'tool-call');

/**
 * The text of a result as JSON, with or without a Markdown fence around it.
 *
 * Returns: `{ value }`, or `{ problem }`: what a chart feeds back to the model.
 */
export function jsonOf(result: Pick<ModelResult, 'content'>): { readonly value: unknown } | { readonly problem: string } {
  const text = textOf(result).trim();
  const fenced = /^```(?:json)?\s*\n([\s\S]*?)\n?```$/.exec(text);
  try {
    return { value: JSON.parse(fenced?.[1] ?? text) as unknown };
  } catch (error) {
    return { problem: `the answer is no JSON (${(error as Error).message}): ${text.slice(0, 200)}` };
  }
}

/** The arguments of a tool call: parsed, or marked as invalid so that a chart can tell the model. */
export function toolCallPart(id: string, name: string, input: string): ToolCallPart {
  if (input.trim() === '') return { type: 'tool-call', id, name, input: {} };
  try {
    return { type: 'tool-call', id, name, input: JSON.parse(input) as unknown };
  } catch {
    return { type: 'tool-call', id, name, input, invalid: true };
  }
}
