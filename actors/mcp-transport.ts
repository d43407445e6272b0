/** A new transport to an MCP server: child process or HTTP session, with its secrets read now and its answers bounded. */
import { resolve } from 'node:path';
import { StreamableHTTPClientTransport, type Transport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import type { ToolServerPlan } from '../core/index.ts';
import { boundedFetch } from './bounded-fetch.ts';
import type { Vault } from './secret.ts';
import type { StderrTail } from './stderr-tail.ts';

export interface TransportOptions {
  /** `cwd` of the plan is relative to it. */
  readonly dir: string;
  readonly vault: Vault;
  readonly stderr: StderrTail;
  /** Of one message from the server. */
  readonly messageBytesMax: number;
}

/** Always a new one: a transport that is connected again leaks. Throws SECRET_MISSING. */
export function mcpTransport({ transport }: ToolServerPlan, options: TransportOptions): Transport {
  const { vault, messageBytesMax } = options;
  if (transport.kind === 'stdio') return stdio(transport, options);
  // Redirects are followed within the origin only (the SDK's default), so credentials go nowhere else.
  return new StreamableHTTPClientTransport(new URL(transport.url), {
    requestInit: { headers: vault.values(transport.headers) },
    fetch: boundedFetch(messageBytesMax),
  });
}

/** The child sees `env` of the plan and the SDK's safe list (PATH, HOME, ..), nothing else of ours. */
function stdio(
  { command, args, env, cwd }: Extract<ToolServerPlan['transport'], { kind: 'stdio' }>,
  { dir, vault, stderr, messageBytesMax }: TransportOptions,
): Transport {
  const transport = new StdioClientTransport({
    command,
    args: [...args],
    env: vault.values(env),
    cwd: resolve(dir, cwd ?? '.'),
    stderr: 'pipe',
    maxBufferSize: messageBytesMax,
  });
  stderr.follow(transport.stderr);
  return transport;
}

/** Of the child process; undefined over HTTP and when there is none. */
export const pidOf = (transport: Transport): number | undefined =>
  transport instanceof StdioClientTransport ? (transport.pid ?? undefined) : undefined;

/** What becomes of a request on the wire. */
export interface WireWatch {
  /** It has been handed over. */
  sent(): void;
  /** The stream of its response has ended without one. */
  ended(): void;
}

/** Watches the calls among the requests of a transport; `watchOf` finds the watch of a call by its `_meta`. */
export function watched<T extends Transport>(
  transport: T,
  watchOf: (meta: Readonly<Record<string, unknown>>) => WireWatch | undefined,
): T {
  const send = transport.send.bind(transport);
  transport.send = (message, options) => {
    const meta = 'method' in message && message.method === 'tools/call' ? message.params?._meta : undefined;
    const watch = meta === undefined ? undefined : watchOf(meta);
    if (watch === undefined) return send(message, options);
    watch.sent();
    return send(message, { ...options, onRequestStreamEnd: () => watch.ended() });
  };
  return transport;
}
