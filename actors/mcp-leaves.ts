/**
 * The leaves of a tool gateway: `connection`, which lives as long as the gateway and tells it how the server is, and `call`, one try of one
 * call. They close over the one `McpConnection`; the gateway itself stays pure.
 */
import { type Clock, type EventObject, type InDoubt, type Leaf, MeshError, type ToolServerPlan } from '../core/index.ts';
import { type Deliver, runLeaf } from './leaf.ts';
import { type ConnectionOptions, McpConnection, type ToolRequest } from './mcp-client.ts';
import { fateOf, type ToolQuery } from './mcp-query.ts';

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
      return { stop: () => mcp.close(), send: () => undefined };
    },
  };
}

/** How far a try has come; what is known of the fate of the call depends on it. `asking`: what became of an earlier try. */
type Stage = 'asking' | 'waiting' | 'sent';

function callLeaf(mcp: McpConnection, server: string, clock: Clock): Leaf {
  return {
    inDoubt: (input) => (input as CallInput).inDoubt,
    start(job, deliver) {
      const input = job.input as CallInput;
      const { name, args, key, keyArgument, query, timeoutMs, remainingMs } = input;
      let stage: Stage = job.doubt === true && query !== undefined ? 'asking' : 'waiting';
      const end: Deliver = (event) =>
        deliver(isInDoubt(event, input, stage) ? { type: 'reprise.doubt', error: event['error'] } : event);
      return runLeaf(
        { clock, child: job.child, timeoutMs, totalMs: remainingMs, deliver: end },
        (limitMs) => expired(`tool '${server}.${name}'`, input, stage, limitMs),
        async (signal, alive) => {
          const request: ToolRequest = {
            name,
            args,
            key,
            keyArgument,
            trace: job.trace,
            onProgress: alive,
            onSent: () => {
              stage = 'sent';
            },
          };
          if (stage === 'asking' && query !== undefined) {
            const earlier = await fateOf(mcp, clock, query, request, signal);
            if (earlier !== undefined) return earlier.result;
            stage = 'waiting';
          }
          return mcp.call(request, signal);
        },
      );
    },
  };
}

/**
 * Nobody knows whether the call took effect, and it must not simply be repeated: `reprise.doubt` lets the policy decide, as after a crash.
 * Of one that only did not answer in time the chart is told at once, unless the tool can be asked. Everything else is an ordinary end.
 */
function isInDoubt(event: EventObject, { inDoubt }: CallInput, stage: Stage): boolean {
  const error = event['error'] as { readonly code?: string; readonly data?: { readonly sent?: boolean } } | undefined;
  switch (error?.code) {
    case 'MCP_FAILED':
      return stage === 'asking' || (error.data?.sent === true && inDoubt !== 'retry');
    case 'TOOL_TIMEOUT':
      return inDoubt === 'ask';
    default:
      return false;
  }
}

function expired(what: string, { inDoubt }: CallInput, stage: Stage, limitMs: number): MeshError {
  return stage === 'waiting'
    ? new MeshError('MCP_FAILED', `${what} was not sent: no connection to the server within ${limitMs} ms`, {
        data: { sent: false, retryable: true },
      })
    : new MeshError('TOOL_TIMEOUT', `${what} did not answer within ${limitMs} ms`, { data: { inDoubt: inDoubt !== 'retry' } });
}
