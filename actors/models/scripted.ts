/** A model that answers from a list, for tests, demos and first steps. No network, no key; deterministic. */
import { modelFailed, type ModelPort, type ModelRequest, type ModelResult, type ToolCallPart } from '../model-port.ts';

/** Text; or parts of a result; or what makes one of them from the request. An error is thrown as it is. */
export type ScriptedAnswer =
  | string
  | Partial<ModelResult>
  | Error
  | ((request: ModelRequest) => string | Partial<ModelResult> | Promise<string | Partial<ModelResult>>);

export interface ScriptedOptions {
  readonly id?: string;
  /** At the end of the list: begin again. Default false: MODEL_FAILED. */
  readonly repeat?: boolean;
}

/**
 * Answers come in the order of the calls. A repeated idempotency key gets the answer that it got before, as a provider that honours keys
 * would give it; so a crash between answer and record does not shift the script. The memory of it is this process's.
 */
export function scripted(
  answers: readonly ScriptedAnswer[],
  { id = 'scripted/list', repeat = false }: ScriptedOptions = {},
): ModelPort {
  const given = new Map<string, ScriptedAnswer>();
  let next = 0;
  const pick = (key: string): ScriptedAnswer => {
    const before = given.get(key);
    if (before !== undefined) return before;
    const answer = answers[repeat && answers.length > 0 ? next % answers.length : next];
    if (answer === undefined)
      throw modelFailed(`${id} has ${answers.length} answers and was asked for one more`, { retryable: false });
    next++;
    // A thrown one may be asked for again: a try that failed is no answer.
    if (!(answer instanceof Error)) given.set(key, answer);
    return answer;
  };
  return {
    id,
    async generate(request, { signal, idempotencyKey, onDelta }) {
      signal.throwIfAborted();
      const answer = pick(idempotencyKey);
      if (answer instanceof Error) throw answer;
      const result = full(typeof answer === 'function' ? await answer(request) : answer, id);
      for (const part of result.content) if (part.type === 'text') onDelta?.({ type: 'text', text: part.text });
      return result;
    },
  };
}

/** A call of a tool, as an answer of `scripted`. */
export const callsTool = (name: string, input: unknown, id = `call-${name}`): Partial<ModelResult> => ({
  content: [{ type: 'tool-call', id, name, input } satisfies ToolCallPart],
  finishReason: 'tool-calls',
});

function full(answer: string | Partial<ModelResult>, id: string): ModelResult {
  const partial: Partial<ModelResult> = typeof answer === 'string' ? { content: [{ type: 'text', text: answer }] } : answer;
  return { content: [], finishReason: 'stop', usage: {}, model: id, ...partial };
}
