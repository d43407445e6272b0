/** A request in the words of the chat completions API, which OpenAI, Ollama, vLLM, LM Studio, OpenRouter and others speak. */
import {
  type FilePart,
  modelFailed,
  type ModelMessage,
  type ModelRequest,
  type ModelSettings,
  type TextPart,
  textOf,
  toolCallsOf,
  type ToolResultPart,
} from '../model-port.ts';

export interface BodyOptions {
  readonly model: string;
  /** Further members of the body. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** What the provider calls the limit of an answer. */
  readonly maxTokens: 'max_tokens' | 'max_completion_tokens';
}

/** Settings of the plan come after those of the request, `providerOptions.openai` last. Throws MODEL_FAILED for a file it cannot carry. */
export function bodyOf(request: ModelRequest, { model, settings, maxTokens }: BodyOptions): Record<string, unknown> {
  const { messages, tools = [], toolChoice, responseSchema, providerOptions } = request;
  return {
    model,
    messages: messages.flatMap(wireMessages),
    stream: true,
    stream_options: { include_usage: true },
    ...(tools.length > 0 && {
      tools: tools.map(({ name, description, inputSchema }) => ({
        type: 'function',
        function: { name, ...(description !== undefined && { description }), parameters: inputSchema },
      })),
    }),
    ...(toolChoice !== undefined && {
      tool_choice: typeof toolChoice === 'string' ? toolChoice : { type: 'function', function: { name: toolChoice.tool } },
    }),
    ...(responseSchema !== undefined && {
      response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: responseSchema } },
    }),
    ...wireSettings(request.settings ?? {}, maxTokens),
    ...settings,
    ...providerOptions?.['openai'],
  };
}

function wireSettings(
  { temperature, topP, maxOutputTokens, stop, seed }: ModelSettings,
  maxTokens: BodyOptions['maxTokens'],
): Record<string, unknown> {
  return {
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { top_p: topP }),
    ...(maxOutputTokens !== undefined && { [maxTokens]: maxOutputTokens }),
    ...(stop !== undefined && { stop }),
    ...(seed !== undefined && { seed }),
  };
}

/** Results of tools are one message each; reasoning is not sent back: the API has no place for it. */
function wireMessages(message: ModelMessage): Record<string, unknown>[] {
  switch (message.role) {
    case 'system':
      return [{ role: 'system', content: message.content }];
    case 'user':
      return [{ role: 'user', content: typeof message.content === 'string' ? message.content : message.content.map(wirePart) }];
    case 'assistant':
      return [assistant(message.content)];
    case 'tool':
      return message.content.map(({ id, output, isError }: ToolResultPart) => {
        const text = typeof output === 'string' ? output : JSON.stringify(output);
        return { role: 'tool', tool_call_id: id, content: isError === true ? `Error: ${text}` : text };
      });
  }
}

function assistant(content: (ModelMessage & { role: 'assistant' })['content']): Record<string, unknown> {
  if (typeof content === 'string') return { role: 'assistant', content };
  const text = textOf({ content });
  const calls = toolCallsOf({ content }).map(({ id, name, input, invalid }) => ({
    id,
    type: 'function',
    function: { name, arguments: invalid === true ? String(input) : JSON.stringify(input) },
  }));
  return { role: 'assistant', content: text === '' ? null : text, ...(calls.length > 0 && { tool_calls: calls }) };
}

function wirePart(part: TextPart | FilePart): Record<string, unknown> {
  if (part.type === 'text') return { type: 'text', text: part.text };
  const { mediaType, data, filename } = part;
  const isUrl = /^https?:/.test(data);
  const url = isUrl ? data : `data:${mediaType};base64,${data}`;
  if (mediaType.startsWith('image/')) return { type: 'image_url', image_url: { url } };
  const audio = /^audio\/(?:(wav|x-wav)|(?:mp3|mpeg))$/.exec(mediaType);
  if (audio !== null && !isUrl)
    return { type: 'input_audio', input_audio: { data, format: audio[1] === undefined ? 'mp3' : 'wav' } };
  if (mediaType === 'application/pdf' && !isUrl)
    return { type: 'file', file: { filename: filename ?? 'document.pdf', file_data: url } };
  throw modelFailed(`the chat completions API takes no ${mediaType}${isUrl ? ' by URL' : ''}`, { retryable: false });
}
