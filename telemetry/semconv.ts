/**
 * The names of OpenTelemetry's conventions for messaging, GenAI and MCP, and nothing else knows them: they are in development and move.
 *
 *   process, send -> messaging    turn -> invoke_agent    tool -> execute_tool (MCP's attributes on it)    model -> chat
 *
 * Contents (prompts, arguments, results) are never attributes: they may be secret, and they are in the log.
 */
type Value = string | number | boolean;
export type NeutralAttributes = Readonly<Record<string, Value>>;

/** Our short names -> theirs. What is not here becomes `reprise.<name>`. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  agent: 'gen_ai.agent.name',
  version: 'gen_ai.agent.version',
  conversation: 'gen_ai.conversation.id',
  destination: 'messaging.destination.name',
  'message.id': 'messaging.message.id',
  'message.conversation': 'messaging.message.conversation_id',
  tool: 'gen_ai.tool.name',
  provider: 'gen_ai.provider.name',
  model: 'gen_ai.request.model',
  'response.model': 'gen_ai.response.model',
  'usage.input': 'gen_ai.usage.input_tokens',
  'usage.output': 'gen_ai.usage.output_tokens',
  finish: 'gen_ai.response.finish_reasons',
  event: 'reprise.event.type',
  effect: 'reprise.effect.id',
  server: 'reprise.tool.server',
};
/** A list there, one value here. */
const LISTS = new Set(['finish']);

export const ERROR_TYPE = 'error.type';

export function conventional(attributes: NeutralAttributes): Record<string, Value | string[]> {
  return Object.fromEntries(
    Object.entries(attributes).map(([key, value]) => [
      ATTRIBUTES[key] ?? `reprise.${key}`,
      LISTS.has(key) ? [String(value)] : value,
    ]),
  );
}

interface Named {
  readonly name: string;
  readonly attributes: Record<string, Value | string[]>;
}

const build = (
  name: string,
  subject: Value | undefined,
  attributes: NeutralAttributes,
  fixed: Readonly<Record<string, Value>>,
): Named => ({
  name: subject === undefined ? name : `${name} ${subject}`,
  attributes: { ...conventional(attributes), ...fixed },
});
const messaging =
  (operation: string) =>
  (a: NeutralAttributes): Named =>
    build(operation, a['destination'], a, {
      'messaging.system': 'reprise',
      'messaging.operation.name': operation,
      'messaging.operation.type': operation,
    });
const genAi =
  (operation: string, subject: string, fixed: Readonly<Record<string, Value>> = {}) =>
  (a: NeutralAttributes): Named =>
    build(operation, a[subject], a, { 'gen_ai.operation.name': operation, ...fixed });
const invokeAgent = genAi('invoke_agent', 'agent');

const OPERATIONS: Readonly<Record<string, (attributes: NeutralAttributes) => Named>> = {
  send: messaging('send'),
  process: messaging('process'),
  turn: (a) => {
    const { name, attributes } = invokeAgent(a);
    return { name, attributes: { ...attributes, 'gen_ai.agent.id': a['actor'] ?? '' } };
  },
  // MCP's convention asks for its attributes on this span rather than for a second one below it.
  tool: genAi('execute_tool', 'tool', { 'gen_ai.tool.type': 'function', 'mcp.method.name': 'tools/call' }),
  model: genAi('chat', 'model'),
  leaf: (a) => build('perform', a['source'], a, {}),
};

/** The span name and attributes of one of our operations; an unknown one keeps its name. */
export function named(operation: string, attributes: NeutralAttributes): Named {
  return (OPERATIONS[operation] ?? ((a) => build(operation, undefined, a, {})))(attributes);
}
