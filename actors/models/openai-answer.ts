/**
 * An answer in the words of the chat completions API, whole or in chunks, as a `ModelResult`. Servers that speak this API differ:
 * everything that is not needed may be missing, and what is there is looked at before it is believed.
 */
import { isObject, type JsonObject, MeshError } from '../../core/index.ts';
import {
  type FinishReason,
  type ModelDelta,
  modelFailed,
  type ModelResult,
  type ModelUsage,
  toolCallPart,
} from '../model-port.ts';

/** Characters of one answer. */
const ANSWER_CHARS_MAX = 8 * 1024 * 1024;

interface Call {
  id: string;
  name: string;
  text: string;
}

export class Answer {
  /** There was at least a piece of an answer. */
  begun = false;
  private text = '';
  private reasoning = '';
  private readonly calls: Call[] = [];
  /** By `index` of the chunks. */
  private readonly byIndex = new Map<number, Call>();
  private finish: string | undefined;
  private refused = false;
  private usage: ModelUsage = {};
  private model: string | undefined;
  private chars = 0;
  private readonly metadata: Record<string, unknown> = {};
  private readonly who: string;
  private readonly tell: (delta: ModelDelta) => void;

  constructor(who: string, tell: (delta: ModelDelta) => void) {
    this.who = who;
    this.tell = tell;
  }

  /** The provider said why it ended. */
  get finished(): boolean {
    return this.finish !== undefined;
  }

  /** One chunk of a stream, or a whole answer. Throws MODEL_FAILED, PAYLOAD_TOO_LARGE. */
  take(chunk: unknown): void {
    if (!isObject(chunk))
      throw modelFailed(`${this.who} sent something that is no answer: ${quoted(chunk)}`, { retryable: true });
    if (chunk['error'] !== undefined && chunk['error'] !== null) throw providerError(this.who, chunk['error']);
    if (typeof chunk['model'] === 'string') this.model = chunk['model'];
    for (const key of ['id', 'system_fingerprint', 'service_tier']) if (chunk[key] != null) this.metadata[key] = chunk[key];
    if (isObject(chunk['usage'])) this.usage = usageOf(chunk['usage']);
    const choice = Array.isArray(chunk['choices']) ? (chunk['choices'] as unknown[])[0] : undefined;
    if (!isObject(choice)) return;
    this.begun = true;
    const part = isObject(choice['delta']) ? choice['delta'] : choice['message'];
    if (isObject(part)) this.part(part);
    if (typeof choice['finish_reason'] === 'string') this.finish = choice['finish_reason'];
  }

  private part(part: JsonObject): void {
    const reasoning = part['reasoning_content'] ?? part['reasoning'];
    if (typeof reasoning === 'string' && reasoning !== '') {
      this.reasoning += this.counted(reasoning);
      this.tell({ type: 'reasoning', text: reasoning });
    }
    if (typeof part['refusal'] === 'string' && part['refusal'] !== '') this.refused = true;
    for (const text of [part['content'], part['refusal']]) {
      if (typeof text !== 'string' || text === '') continue;
      this.text += this.counted(text);
      this.tell({ type: 'text', text });
    }
    if (Array.isArray(part['tool_calls']))
      for (const call of part['tool_calls'] as unknown[]) if (isObject(call)) this.call(call);
  }

  /** Pieces of one call share an index. Some servers leave it out, or give all calls the same one: a new id is a new call. */
  private call(piece: JsonObject): void {
    const { id, index } = piece;
    const fn = isObject(piece['function']) ? piece['function'] : {};
    const at =
      typeof index === 'number' ? index : typeof id === 'string' ? this.calls.length : Math.max(0, this.calls.length - 1);
    let call = this.byIndex.get(at);
    if (call === undefined || (typeof id === 'string' && id !== '' && call.id !== '' && call.id !== id)) {
      call = { id: '', name: '', text: '' };
      this.calls.push(call);
      this.byIndex.set(at, call);
    }
    if (typeof id === 'string' && id !== '') call.id = id;
    if (typeof fn['name'] === 'string') call.name ||= fn['name'];
    const given = fn['arguments'];
    const text = typeof given === 'string' ? given : given == null ? '' : JSON.stringify(given);
    call.text += this.counted(text);
    this.tell({ type: 'tool-call', id: call.id, name: call.name, text });
  }

  private counted(text: string): string {
    this.chars += text.length;
    if (this.chars > ANSWER_CHARS_MAX)
      throw new MeshError('PAYLOAD_TOO_LARGE', `${this.who} answered with more than ${ANSWER_CHARS_MAX} characters`, {
        data: { retryable: false },
      });
    return text;
  }

  result(): ModelResult {
    const calls = this.calls.map(({ id, name, text }, i) => toolCallPart(id === '' ? `call-${i}` : id, name, text));
    return {
      content: [
        ...(this.reasoning === '' ? [] : [{ type: 'reasoning' as const, text: this.reasoning }]),
        ...(this.text === '' ? [] : [{ type: 'text' as const, text: this.text }]),
        ...calls,
      ],
      finishReason: this.refused
        ? 'content-filter'
        : calls.length > 0 && this.finish !== 'length'
          ? 'tool-calls'
          : reason(this.finish),
      usage: this.usage,
      ...(this.model !== undefined && { model: this.model }),
      ...(Object.keys(this.metadata).length > 0 && { metadata: this.metadata }),
    };
  }
}

function reason(finish: string | undefined): FinishReason {
  switch (finish) {
    case 'stop':
    case 'length':
      return finish;
    case 'tool_calls':
    case 'function_call':
      return 'tool-calls';
    case 'content_filter':
      return 'content-filter';
    default:
      return 'other';
  }
}

function usageOf(usage: JsonObject): ModelUsage {
  const number = (of: unknown, key: string): number | undefined => {
    const value = isObject(of) ? of[key] : undefined;
    return typeof value === 'number' ? value : undefined;
  };
  const counts = {
    inputTokens: number(usage, 'prompt_tokens'),
    outputTokens: number(usage, 'completion_tokens'),
    totalTokens: number(usage, 'total_tokens'),
    reasoningTokens: number(usage['completion_tokens_details'], 'reasoning_tokens'),
    cachedInputTokens: number(usage['prompt_tokens_details'], 'cached_tokens'),
  };
  return Object.fromEntries(Object.entries(counts).filter(([, value]) => value !== undefined));
}

/** What a provider says in the middle of a stream, or with status 200. */
function providerError(who: string, error: unknown): MeshError {
  const said = isObject(error) ? error : { message: String(error) };
  const code = said['code'] ?? said['type'];
  const status = typeof code === 'number' ? code : undefined;
  const transient =
    (status !== undefined && (status === 429 || status >= 500)) ||
    /server_error|overloaded|rate_limit|timeout/.test(String(code));
  return modelFailed(`${who} broke off: ${quoted(said['message'] ?? error)}`, {
    retryable: transient,
    ...(status !== undefined && { status }),
  });
}

/** For a message, whole: who throws it takes secrets out and then cuts. */
export const quoted = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value)));
