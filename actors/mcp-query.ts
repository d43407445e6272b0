/** Asking a server what became of a call that was under way when its process, or the connection, died. */
import { type Backoff, backoffMs, type Clock, errorData, isMeshError, MeshError, type ToolPolicy } from '../core/index.ts';
import type { McpConnection, ToolRequest } from './mcp-client.ts';

export type ToolQuery = NonNullable<ToolPolicy['query']>;

/** Between askings that failed: the fate of the call stays unknown until one is answered. */
const PAUSES: Backoff = { minMs: 200, maxMs: 30_000, factor: 2, jitter: 0 };

/**
 * The result of the earlier try; undefined: the key is not known, so the call may be made. Asks for as long as the signal allows.
 *
 * Throws: EFFECT_IN_DOUBT when the query tool gives no clear answer.
 */
export async function fateOf(
  mcp: McpConnection,
  clock: Clock,
  query: ToolQuery,
  request: ToolRequest,
  signal: AbortSignal,
): Promise<{ readonly result: unknown } | undefined> {
  for (let asking = 1; ; asking++) {
    try {
      return await ask(mcp, query, request, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isMeshError(error, 'MCP_FAILED')) throw error;
    }
    await new Promise<void>((resolve) => {
      clock.after(backoffMs(PAUSES, asking, 0), resolve);
    });
    signal.throwIfAborted();
    request.onProgress?.();
  }
}

async function ask(
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
