/** A request in the words of the AI SDK's language model specification, versions 2 to 4. They differ in how files are held only. */
import type {
  FilePart,
  ModelMessage,
  ModelRequest,
  ReasoningPart,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from '../model-port.ts';

export type AiSdkVersion = 'v2' | 'v3' | 'v4';
type Json = Readonly<Record<string, unknown>>;

/** Options of `doGenerate` and `doStream`, but for signal and headers. */
export function callOptions(version: AiSdkVersion, request: ModelRequest): Record<string, unknown> {
  const { messages, tools = [], toolChoice, responseSchema, settings = {}, providerOptions } = request;
  const { temperature, topP, maxOutputTokens, stop, seed } = settings;
  return {
    prompt: messages.map((message) => promptMessage(version, message)),
    ...(tools.length > 0 && {
      tools: tools.map(({ name, description, inputSchema }) => ({
        type: 'function',
        name,
        ...(description !== undefined && { description }),
        inputSchema,
      })),
    }),
    ...(toolChoice !== undefined && {
      toolChoice: typeof toolChoice === 'string' ? { type: toolChoice } : { type: 'tool', toolName: toolChoice.tool },
    }),
    ...(responseSchema !== undefined && { responseFormat: { type: 'json', schema: responseSchema } }),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { topP }),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(stop !== undefined && { stopSequences: [...stop] }),
    ...(seed !== undefined && { seed }),
    ...(providerOptions !== undefined && { providerOptions }),
  };
}

function promptMessage(version: AiSdkVersion, message: ModelMessage): Json {
  const { role, content } = message;
  if (role === 'system') return { role, content };
  if (typeof content === 'string') return { role, content: [{ type: 'text', text: content }] };
  return { role, content: content.map((part) => promptPart(version, part)) };
}

function promptPart(version: AiSdkVersion, part: TextPart | ReasoningPart | FilePart | ToolCallPart | ToolResultPart): Json {
  switch (part.type) {
    case 'text':
    case 'reasoning':
      return { type: part.type, text: part.text, ...back(part) };
    case 'file':
      return {
        type: 'file',
        mediaType: part.mediaType,
        data: fileData(version, part.data),
        ...(part.filename !== undefined && { filename: part.filename }),
      };
    case 'tool-call':
      return { type: 'tool-call', toolCallId: part.id, toolName: part.name, input: part.input, ...back(part) };
    case 'tool-result':
      return { type: 'tool-result', toolCallId: part.id, toolName: part.name, output: toolOutput(part) };
  }
}

/** What the provider gave with a part goes back with it. */
const back = ({ provider }: { readonly provider?: Json }): { providerOptions?: Json } =>
  provider === undefined ? {} : { providerOptions: provider };

function fileData(version: AiSdkVersion, data: string): unknown {
  const url = /^https?:/.test(data) ? new URL(data) : undefined;
  if (version !== 'v4') return url ?? data;
  return url === undefined ? { type: 'data', data } : { type: 'url', url };
}

function toolOutput({ output, isError }: ToolResultPart): Json {
  const kind = isError === true ? 'error-' : '';
  return typeof output === 'string' ? { type: `${kind}text`, value: output } : { type: `${kind}json`, value: output ?? null };
}
