/** Calls a tool of an MCP server from inside a chart. The gateway of that server owns connection, credentials and retries. */
import {
  type Address,
  type AskSource,
  checkAddress,
  type ErrorData,
  errorData,
  type EventObject,
  type InDoubt,
  MeshError,
  type StandardSchema,
  validated,
} from '../core/index.ts';
import {
  type AskLogic,
  askLogic,
  callLimits,
  type CallKey,
  cancelAt,
  DEFAULT_TIMEOUT_MS,
  positive,
  readReply,
  REPLY_GRACE_MS,
  type RetryPolicy,
} from './ask-logic.ts';

export interface ToolOptions {
  /** ms without an answer or a sign of progress after which one try is cancelled. Default: `timeout` of the server in the mesh file. */
  readonly timeoutMs?: number;
  /** ms for the whole call: waiting, tries and pauses together. Default ten times `timeoutMs`, ten minutes without. */
  readonly deadlineMs?: number;
  readonly retry?: RetryPolicy;
  /**
   * What to do when nobody knows whether a call took effect. The config wins over this, this over the tool's annotations. `ask` is the
   * config's to say: it names the tool to ask.
   */
  readonly inDoubt?: Exclude<InDoubt, 'ask'>;
}

/** What types a tool: given a schema, arguments and result are checked and typed by it. */
export interface TypedToolOptions<Args, Result> extends ToolOptions {
  /** Of the input of the invoke; what it makes of it is sent. */
  readonly args?: StandardSchema<Args, unknown>;
  /** Of the answer; what it makes of it is the output of the invoke. */
  readonly result?: StandardSchema<unknown, Result>;
}

/** A tool with what a model needs to know of it. */
export interface ToolDescription {
  readonly name: string;
  readonly description?: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly annotations?: ToolAnnotations;
}

/** MCP's hints. They come from the server, so they are defaults, never truths. */
export interface ToolAnnotations {
  readonly readOnlyHint?: boolean;
  readonly destructiveHint?: boolean;
  readonly idempotentHint?: boolean;
  readonly openWorldHint?: boolean;
}

/** What a gateway is sent. */
export interface ToolCall extends EventObject {
  readonly type: 'reprise.call';
  readonly name: string;
  readonly args: unknown;
  /** Idempotency key: the effect id of the caller. */
  readonly key: CallKey;
  readonly timeoutMs?: number;
  readonly deadlineMs: number;
  readonly policy: RetryPolicy & { readonly inDoubt?: InDoubt };
}

/** Output of `anyTool`; fits into a `tool-result` part of a message to a model. */
export interface ToolAnswer {
  readonly output: unknown;
  /** The tool said no, or refused the arguments: `output` says why, in words for the model. */
  readonly isError: boolean;
}

export const toolsAddress = (server: string): Address => checkAddress(`tools/${server}`);

/**
 * Logic for `setup({ actors: { ... } })`: input = the arguments of the tool, output = its structured content, else its text.
 *
 * ```ts
 * actors: { read: tool<{ path: string }, { content: string }>('files.read_text_file', { timeoutMs: 10_000 }) }
 * actors: { read: tool('files.read_text_file', { args: z.object({ path: z.string() }), result: z.object({ content: z.string() }) }) }
 * ```
 *
 * Fails with: TOOL_FAILED (the tool said no: `data.content`; or a schema: `data.issues`), TOOL_TIMEOUT (`data.inDoubt`: it may have
 * taken effect), EFFECT_IN_DOUBT, MCP_FAILED (no server), BUSY, PAYLOAD_TOO_LARGE, ASK_TIMEOUT (no gateway).
 * Throws: USAGE for a name that is not `server.tool`, or a limit that is no positive number.
 */
export function tool<Args = Record<string, unknown>, Result = unknown>(
  name: string,
  options: TypedToolOptions<Args, Result> = {},
): AskLogic<Result, Args> {
  const dot = name.indexOf('.');
  if (dot < 1 || dot === name.length - 1)
    throw new MeshError('USAGE', `'${name}' is no tool: name it 'server.tool', with the server as the mesh file names it`);
  const { args: argsSchema, result: resultSchema, ...rest } = options;
  const what = `tool '${name}'`;
  const { call, cancel } = gatewayOf(name.slice(0, dot), what, rest);
  return askLogic<Result, Args>(what, {
    request(input, key) {
      const args: unknown = input ?? {};
      const checked = argsSchema === undefined ? args : passed(argsSchema, args, `arguments of ${what}`);
      return call(name.slice(dot + 1), checked, key);
    },
    result(reply) {
      const answer = readReply(reply);
      if ('error' in answer || resultSchema === undefined) return answer;
      try {
        return { output: passed(resultSchema, answer.output, `contents of the answer of ${what}`) };
      } catch (error) {
        return { error: errorData(error) };
      }
    },
    cancel,
  });
}

/**
 * Like `tool`, for a tool that is chosen while the chart runs, by a model for example: input = `{ name, args }`. What a tool refuses is
 * an answer here (`isError`), because the model that chose it should read it; no answer at all is still an error of the invoke.
 * What the server offers is asked with `toolList`.
 */
export function anyTool(
  server: string,
  options: ToolOptions = {},
): AskLogic<ToolAnswer, { readonly name: string; readonly args?: unknown }> {
  const { call, cancel } = gatewayOf(server, `anyTool('${server}')`, options);
  return askLogic<ToolAnswer, { readonly name: string; readonly args?: unknown }>(`anyTool('${server}')`, {
    request(input, key) {
      const { name, args } = (input ?? {}) as { name?: unknown; args?: unknown };
      return call(String(name), args ?? {}, key);
    },
    result(reply) {
      const answer = readReply(reply);
      if (!('error' in answer)) return { output: { output: answer.output, isError: false } };
      return answer.error.code === 'TOOL_FAILED' ? { output: { output: refusal(answer.error), isError: true } } : answer;
    },
    cancel,
  });
}

/** Logic whose output is `ToolDescription[]`: what the server offers, for the request to a model. */
export function toolList(
  server: string,
  options: { readonly timeoutMs?: number } = {},
): AskLogic<readonly ToolDescription[], void> {
  const to = toolsAddress(server);
  const timeoutMs = positive(`toolList('${server}')`, 'timeoutMs', options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  return askLogic<readonly ToolDescription[], void>(`toolList('${server}')`, {
    request: (_input, key) => ({
      to,
      event: { type: 'reprise.tools', key, deadlineMs: timeoutMs },
      timeoutMs: timeoutMs + REPLY_GRACE_MS,
    }),
    result: readReply,
  });
}

/** The content that the tool gave for its refusal, else our words. */
function refusal(error: ErrorData): unknown {
  const { content } = (error.data ?? {}) as { content?: unknown };
  return content ?? error.message;
}

/** The value as the schema makes it. Throws TOOL_FAILED with `data.issues`. */
function passed<Output>(schema: StandardSchema<unknown, Output>, value: unknown, what: string): Output {
  const result = validated(schema, value, what);
  if (result.issues === undefined) return result.value;
  throw new MeshError('TOOL_FAILED', `${what} do not pass the schema of the code: ${result.issues.join('; ')}`, {
    data: { issues: result.issues, retryable: false },
  });
}

/** How the gateway of a server is spoken to, with limits and policy checked. */
function gatewayOf(server: string, what: string, options: ToolOptions): ToolGatewayDoor {
  const to = toolsAddress(server);
  const limits = callLimits(what, options, DEFAULT_TIMEOUT_MS);
  if (options.retry?.attempts !== undefined) positive(what, 'retry.attempts', options.retry.attempts);
  const policy: ToolCall['policy'] = { ...options.retry, ...(options.inDoubt !== undefined && { inDoubt: options.inDoubt }) };
  return {
    call: (name, args, key) => ({
      to,
      event: { type: 'reprise.call', name, args, key, ...limits, policy },
      timeoutMs: limits.deadlineMs + REPLY_GRACE_MS,
    }),
    cancel: cancelAt(to),
  };
}

interface ToolGatewayDoor {
  readonly call: (name: string, args: unknown, key: CallKey) => { to: Address; event: ToolCall; timeoutMs: number };
  readonly cancel: NonNullable<AskSource['cancel']>;
}
