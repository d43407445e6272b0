/** Calls a tool of an MCP server from inside a chart. The gateway of that server owns connection, credentials and retries. */
import { type Address, checkAddress } from '../core/address.ts';
import { MeshError } from '../core/errors.ts';
import type { EventObject } from '../core/effect.ts';
import type { InDoubt } from '../core/logic.ts';
import {
  type AskLogic,
  askLogic,
  callLimits,
  type CallKey,
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
  /** What to do when nobody knows whether a call took effect. The config wins over this, this over the tool's annotations. */
  readonly inDoubt?: InDoubt;
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

export const toolsAddress = (server: string): Address => checkAddress(`tools/${server}`);

/**
 * Logic for `setup({ actors: { ... } })`: input = the arguments of the tool, output = its structured content, else its text.
 *
 * ```ts
 * actors: { read: tool<{ path: string }, { content: string }>('files.read_text_file', { timeoutMs: 10_000 }) }
 * ```
 *
 * Fails with: TOOL_FAILED (the tool said no; `data.content`), TOOL_TIMEOUT (`data.inDoubt`: it may have taken effect), EFFECT_IN_DOUBT,
 * MCP_FAILED (no server), BUSY, PAYLOAD_TOO_LARGE, ASK_TIMEOUT (no gateway).
 * Throws: USAGE for a name that is not `server.tool`, or a limit that is no positive number.
 */
export function tool<Args = Record<string, unknown>, Result = unknown>(
  name: string,
  options: ToolOptions = {},
): AskLogic<Result, Args> {
  const dot = name.indexOf('.');
  if (dot < 1 || dot === name.length - 1)
    throw new MeshError('USAGE', `'${name}' is no tool: name it 'server.tool', with the server as the mesh file names it`);
  const request = requests(name.slice(0, dot), `tool '${name}'`, options);
  return askLogic<Result, Args>(`tool '${name}'`, {
    request: (args, key) => request(name.slice(dot + 1), args ?? {}, key),
    result: readReply,
  });
}

/**
 * Like `tool`, for a tool that is chosen while the chart runs, by a model for example: input = `{ name, args }`.
 * What the server offers is asked with `toolList`.
 */
export function anyTool<Result = unknown>(
  server: string,
  options: ToolOptions = {},
): AskLogic<Result, { readonly name: string; readonly args?: unknown }> {
  const request = requests(server, `anyTool('${server}')`, options);
  return askLogic<Result, { readonly name: string; readonly args?: unknown }>(`anyTool('${server}')`, {
    request(input, key) {
      const { name, args } = (input ?? {}) as { name?: unknown; args?: unknown };
      return request(String(name), args ?? {}, key);
    },
    result: readReply,
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

function requests(server: string, what: string, options: ToolOptions) {
  const to = toolsAddress(server);
  const limits = callLimits(what, options, DEFAULT_TIMEOUT_MS);
  if (options.retry?.attempts !== undefined) positive(what, 'retry.attempts', options.retry.attempts);
  const policy: ToolCall['policy'] = { ...options.retry, ...(options.inDoubt !== undefined && { inDoubt: options.inDoubt }) };
  return (name: string, args: unknown, key: CallKey): { to: Address; event: ToolCall; timeoutMs: number } => ({
    to,
    event: { type: 'reprise.call', name, args, key, ...limits, policy },
    timeoutMs: limits.deadlineMs + REPLY_GRACE_MS,
  });
}
