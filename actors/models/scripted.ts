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
 * Answers come in the order of the calls: call n of a gateway gets answer n, in every try and after a crash. Without a gateway a repeated
 * idempotency key gets the answer that it got before. An error in the list is thrown once; the next try gets what stands behind it.
 */
export function scripted(
  answers: readonly ScriptedAnswer[],
  { id = 'scripted/list', repeat = false }: ScriptedOptions = {},
): ModelPort {
  const places = new Map<string, number>();
  let errors = 0;
  const pick = (key: string, nth: number | undefined): ScriptedAnswer => {
    const place = nth ?? places.get(key) ?? places.size;
    places.set(key, place);
    const at = place + errors;
    const answer = answers[repeat && answers.length > 0 ? at % answers.length : at];
    if (answer === undefined)
      throw modelFailed(`${id} has ${answers.length} answers and was asked for one more`, { retryable: false });
    if (answer instanceof Error) errors++;
    return answer;
  };
  return {
    id,
    async generate(request, { signal, idempotencyKey, nth, onDelta }) {
      signal.throwIfAborted();
      const answer = pick(idempotencyKey, nth);
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
