/**
 * The leaves of a tool gateway: `connection`, which lives as long as the gateway and tells it how the server is, and `call`, one try of one
 * call. They close over the one `McpConnection`; the gateway itself stays pure.
 */
import {
  type Clock,
  errorData,
  type InDoubt,
  isMeshError,
  type Leaf,
  MeshError,
  type ToolPolicy,
  type ToolServerPlan,
} from '../core/index.ts';
import { type Deliver, runLeaf } from './leaf.ts';
import { type ConnectionOptions, McpConnection, type ToolRequest } from './mcp-client.ts';

type ToolQuery = NonNullable<ToolPolicy['query']>;

/** Input of the `call` leaf, as the gateway makes it. */
export interface CallInput {
  readonly name: string;
  readonly args: unknown;
  readonly key: string;
  readonly timeoutMs: number;
  readonly remainingMs: number;
  readonly inDoubt: InDoubt;
  readonly keyArgument?: string;
  readonly query?: ToolQuery;
}

export interface McpLeaves {
  readonly connection: Leaf;
  readonly call: Leaf;
  /** For `doctor` and tests: the connection itself. */
  readonly mcp: McpConnection;
}

/** `options.secrets` says where references lead; nothing is read or started before the gateway starts its connection. */
export function mcpLeaves(plan: ToolServerPlan, options: ConnectionOptions): McpLeaves {
  const mcp = new McpConnection(plan, options);
  return { connection: connectionLeaf(mcp), call: callLeaf(mcp, plan.name, options.clock), mcp };
}

function connectionLeaf(mcp: McpConnection): Leaf {
  return {
    endless: true,
    inDoubt: () => 'retry',
    start(_job, deliver) {
      mcp.open(deliver);
      return { stop: () => void mcp.close(), send: () => undefined };
    },
  };
}

function callLeaf(mcp: McpConnection, server: string, clock: Clock): Leaf {
  return {
    inDoubt: (input) => (input as CallInput).inDoubt,
    start(job, deliver) {
      const input = job.input as CallInput;
      const what = `tool '${server}.${input.name}'`;
      let sent = false;
      return runLeaf(
        { clock, child: job.child, timeoutMs: input.timeoutMs, totalMs: input.remainingMs, deliver: doubting(input, deliver) },
        () =>
          sent
            ? new MeshError('TOOL_TIMEOUT', `${what} did not answer within ${input.timeoutMs} ms`, {
                data: { inDoubt: input.inDoubt !== 'retry' },
              })
            : new MeshError('MCP_FAILED', `${what} was not sent: no connection to the server within ${input.timeoutMs} ms`, {
                data: { sent: false, retryable: true },
              }),
        async (signal, alive) => {
          const request: ToolRequest = {
            name: input.name,
            args: input.args,
            key: input.key,
            keyArgument: input.keyArgument,
            trace: job.trace,
            onProgress: alive,
            onSent: () => {
              sent = true;
            },
          };
          const known =
            job.doubt === true && input.query !== undefined ? await asked(mcp, input.query, request, signal) : undefined;
          return known === undefined ? mcp.call(request, signal) : known.result;
        },
      );
    },
  };
}

/**
 * A connection that died under a call which must not simply be repeated: `reprise.doubt` lets the policy decide, as after a crash.
 * Everything else is an ordinary end.
 */
const doubting =
  (input: CallInput, deliver: Deliver): Deliver =>
  (event) => {
    const error = event['error'] as { code?: string; data?: { sent?: boolean } } | undefined;
    const inDoubt = error?.code === 'MCP_FAILED' && error.data?.sent === true && input.inDoubt !== 'retry';
    deliver(inDoubt ? { type: 'reprise.doubt', error } : event);
  };

/**
 * Asks the query tool what became of the key. Undefined: it is not known there, so the call may be made.
 *
 * Throws: EFFECT_IN_DOUBT when the query tool gives no clear answer.
 */
async function asked(
  mcp: McpConnection,
  query: ToolQuery,
  { key, name, trace, onProgress }: ToolRequest,
  signal: AbortSignal,
): Promise<{ readonly result: unknown } | undefined> {
  let answer: unknown;
  try {
    answer = await mcp.call(
      {
        name: query.tool,
        args: { [query.keyArgument]: key },
        key: `${key}?`,
        trace,
        ...(onProgress !== undefined && { onProgress }),
      },
      signal,
    );
  } catch (error) {
    if (signal.aborted || isMeshError(error, 'MCP_FAILED')) throw error;
    throw unclear(name, query.tool, error);
  }
  const { found, result } = asRecord(answer);
  if (found === false) return undefined;
  if (found === true) return { result: result ?? null };
  throw unclear(name, query.tool, undefined);
}

const unclear = (name: string, tool: string, cause: unknown): MeshError =>
  new MeshError(
    'EFFECT_IN_DOUBT',
    `'${name}' is in doubt, and '${tool}' did not answer { found: true | false }`,
    cause === undefined ? {} : { data: { query: errorData(cause) } },
  );

/** Tools without structured content answer JSON as text. */
function asRecord(answer: unknown): { readonly found?: unknown; readonly result?: unknown } {
  let value = answer;
  if (typeof value === 'string') {
    try {
      value = JSON.parse(value) as unknown;
    } catch {
      return {};
    }
  }
  return typeof value === 'object' && value !== null ? value : {};
}
