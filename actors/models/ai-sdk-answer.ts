/** An answer of an AI SDK model, whole or as the parts of a stream, as a `ModelResult`. */
import { isObject, type JsonObject } from '../../core/index.ts';
import {
  type FilePart,
  type FinishReason,
  type ModelDelta,
  modelFailed,
  type ModelResult,
  type ModelUsage,
  type ReasoningPart,
  type TextPart,
  toolCallPart,
  type ToolCallPart,
} from '../model-port.ts';

type Part = TextPart | ReasoningPart | ToolCallPart | FilePart;

/** Collects the parts of a stream. Blocks of text come in pieces, under an id; all else comes whole. */
export class AiSdkAnswer {
  private readonly parts: (Part | undefined)[] = [];
  /** Where a block stands among the parts, by kind and id. */
  private readonly blocks = new Map<string, number>();
  private readonly toolNames = new Map<string, string>();
  private readonly others: JsonObject[] = [];
  private ending: JsonObject | undefined;
  private warnings: unknown;
  private response: JsonObject = {};
  private readonly tell: (delta: ModelDelta) => void;

  constructor(tell: (delta: ModelDelta) => void) {
    this.tell = tell;
  }

  get finished(): boolean {
    return this.ending !== undefined;
  }

  /** A whole answer, as `doGenerate` gives it. */
  whole(result: JsonObject): void {
    for (const part of list(result['content'])) this.content(part);
    this.warnings = result['warnings'];
    if (isObject(result['response'])) this.response = result['response'];
    this.ending = result;
  }

  /** One part of a stream. Throws the error that the stream reports. */
  take(part: JsonObject): void {
    const id = String(part['id']);
    switch (part['type']) {
      case 'text-start':
      case 'text-delta':
      case 'text-end':
        return this.block('text', id, part);
      case 'reasoning-start':
      case 'reasoning-delta':
      case 'reasoning-end':
        return this.block('reasoning', id, part);
      case 'tool-input-start':
        this.toolNames.set(id, String(part['toolName']));
        return;
      case 'tool-input-delta':
        return this.tell({ type: 'tool-call', id, name: this.toolNames.get(id) ?? '', text: String(part['delta']) });
      case 'tool-input-end':
      case 'ping':
      case 'raw':
        return;
      case 'stream-start':
        this.warnings = part['warnings'];
        return;
      case 'response-metadata':
        this.response = part;
        return;
      case 'finish':
        this.ending = part;
        return;
      case 'error':
        throw part['error'];
      default:
        this.content(part);
    }
  }

  private block(kind: 'text' | 'reasoning', id: string, { delta, providerMetadata }: JsonObject): void {
    const name = `${kind} ${id}`;
    const at = this.blocks.get(name) ?? this.parts.length;
    this.blocks.set(name, at);
    const before = this.parts[at] as TextPart | ReasoningPart | undefined;
    const text = typeof delta === 'string' ? delta : '';
    this.parts[at] = {
      type: kind,
      ...provided(before?.provider),
      ...provided(providerMetadata),
      text: (before?.text ?? '') + text,
    };
    if (text !== '') this.tell({ type: kind, text });
  }

  /** Content that comes whole. What has no place in a result is kept in its metadata. */
  private content(part: JsonObject): void {
    const known = contentPart(part);
    if (known === undefined) this.others.push(part);
    else this.parts.push(known);
  }

  result(id: string): ModelResult {
    const { finishReason, usage, providerMetadata } = this.ending ?? {};
    const content = this.parts.filter((part): part is Part => part !== undefined && (part.type !== 'text' || part.text !== ''));
    const metadata = {
      ...(providerMetadata !== undefined && { provider: providerMetadata }),
      ...(list(this.warnings).length > 0 && { warnings: this.warnings }),
      ...(typeof this.response['id'] === 'string' && { id: this.response['id'] }),
      ...(this.others.length > 0 && { content: this.others }),
    };
    return {
      content,
      finishReason: reason(finishReason),
      usage: usageOf(isObject(usage) ? usage : {}),
      model: typeof this.response['modelId'] === 'string' ? this.response['modelId'] : id,
      ...(Object.keys(metadata).length > 0 && { metadata }),
    };
  }
}

/** Undefined: nothing that a chart could hand on. A call that the provider makes itself is not ours to make. */
function contentPart(part: JsonObject): Part | undefined {
  const { type, text, providerMetadata, mediaType, providerExecuted } = part;
  if ((type === 'text' || type === 'reasoning') && typeof text === 'string') return { type, text, ...provided(providerMetadata) };
  if (type === 'tool-call' && providerExecuted !== true)
    return {
      ...toolCallPart(String(part['toolCallId']), String(part['toolName']), String(part['input'])),
      ...provided(providerMetadata),
    };
  if (type !== 'file' || typeof mediaType !== 'string') return undefined;
  const data = fileData(part['data']);
  return data === undefined ? undefined : { type, mediaType, data };
}

/** Base64, or a URL; as tagged data (v4) or plain (v2, v3). */
function fileData(data: unknown): string | undefined {
  if (typeof data === 'string') return data;
  if (data instanceof Uint8Array) return Buffer.from(data).toString('base64');
  if (data instanceof URL) return data.href;
  return isObject(data) ? fileData(data['type'] === 'url' ? data['url'] : data['data']) : undefined;
}

const provided = (metadata: unknown): { provider?: JsonObject } => (isObject(metadata) ? { provider: metadata } : {});

/** A word in v2, `{ unified, raw }` since v3. */
function reason(finish: unknown): FinishReason {
  const word = isObject(finish) ? finish['unified'] : finish;
  switch (word) {
    case 'stop':
    case 'length':
    case 'tool-calls':
    case 'content-filter':
    case 'error':
      return word;
    case 'interrupted':
      throw modelFailed('the provider broke off in the middle of the answer', { retryable: true });
    default:
      return 'other';
  }
}

/** Numbers in v2, groups of numbers since v3. */
function usageOf({ inputTokens: input, outputTokens: output, ...flat }: JsonObject): ModelUsage {
  const number = (value: unknown, key: string): number | undefined => {
    const found = isObject(value) ? value[key] : value;
    return typeof found === 'number' ? found : undefined;
  };
  const counts = {
    inputTokens: number(input, 'total'),
    outputTokens: number(output, 'total'),
    totalTokens: number(flat['totalTokens'], ''),
    reasoningTokens: isObject(output) ? number(output, 'reasoning') : number(flat['reasoningTokens'], ''),
    cachedInputTokens: isObject(input) ? number(input, 'cacheRead') : number(flat['cachedInputTokens'], ''),
  };
  return Object.fromEntries(Object.entries(counts).filter(([, value]) => value !== undefined));
}

const list = (value: unknown): readonly JsonObject[] => (Array.isArray(value) ? (value as JsonObject[]) : []);
