/**
 * One connection to one MCP server: child process or HTTP session, with its credentials. Made anew with backoff when it dies, always with
 * a new transport. Knows nothing of actors: `mcp-leaves.ts` tells a gateway what it reports. Sends nothing twice by itself.
 *
 *   closed -> connecting -> ready -> [lost] -> pausing -> connecting ...
 */
import { resolve } from 'node:path';
import {
  Client,
  type ClientOptions,
  type Progress,
  StreamableHTTPClientTransport,
  type Tool,
  type Transport,
} from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import type { ToolServerPlan } from '../core/config/gateway-plan.ts';
import type { TraceContext } from '../core/envelope.ts';
import { errorData, MeshError } from '../core/errors.ts';
import type { Clock } from '../core/ports/clock.ts';
import { type ConnectionEvent, termsOf } from './mcp-gateway.ts';
import { callFailure, connectFailure, type CallFacts, streamEnded } from './mcp-failure.ts';
import { toolOutput } from './mcp-result.ts';
import { type Redactor, type SecretSources, Vault } from './secret.ts';
import { StderrTail } from './stderr-tail.ts';
import type { ToolDescription } from './tool.ts';

export const KEY_META = 'reprise/idempotencyKey';

export interface ConnectionOptions {
  /** Where references of the plan lead; asked at each connect. */
  readonly secrets: SecretSources;
  /** `cwd` of the plan is relative to it. Default: the folder of this process. */
  readonly dir?: string;
  /** 'legacy' (default) is the handshake of every server of today; 'auto' tries the revision of 2026-07-28 first. */
  readonly protocol?: 'legacy' | 'auto';
  readonly limits?: McpLimits;
  readonly clock: Clock;
  /** 0 <= x < 1: jitter of pauses. */
  readonly random: () => number;
  /** One line of the server's stderr, without secrets. */
  readonly onLog?: (server: string, line: string) => void;
  readonly onProgress?: (server: string, key: string, progress: Progress) => void;
}

export interface McpLimits {
  /** Of one request, as JSON. Default 1 MiB. */
  readonly argsBytesMax?: number;
  /** Of one answer, as JSON. Default 8 MiB. */
  readonly resultBytesMax?: number;
  /** ms for process start, handshake and tool list. Default 30,000. */
  readonly connectMs?: number;
}

export interface ToolRequest {
  readonly name: string;
  readonly args: unknown;
  readonly key: string;
  readonly keyArgument?: string | undefined;
  readonly trace?: TraceContext | undefined;
  /** Called when it is handed to the wire. */
  readonly onSent?: () => void;
  /** Called at each sign of life. */
  readonly onProgress?: () => void;
}

const CLIENT = { name: 'reprise', version: '0.1.0' };
const CONNECT_MS = 30_000;
/** A connection that held this long begins its pauses anew. */
const HELD_MS = 10_000;
const ARGS_BYTES_MAX = 1024 * 1024;
const RESULT_BYTES_MAX = 8 * 1024 * 1024;
const STDIO_BUFFER_MIN_BYTES = 10 * 1024 * 1024;
/** Limits are kept with our own clock; the SDK's must not come before. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;

interface Live {
  readonly client: Client;
  readonly transport: Transport;
  readonly since: number;
}

export class McpConnection {
  private readonly plan: ToolServerPlan;
  private readonly options: ConnectionOptions;
  private readonly limits: Required<McpLimits>;
  private readonly vault: Vault;
  private readonly stderr: StderrTail;
  private tell: ((event: ConnectionEvent) => void) | undefined;
  private live: Live | undefined;
  private wanted = false;
  private failures = 0;
  private cancelPause: (() => void) | undefined;
  private waiters: ((client: Live) => void)[] = [];
  /** Calls on their way, by key: for the end of a response stream. */
  private readonly inFlight = new Map<string, { sent(): void; abort(reason: unknown): void }>();
  private toldTools = '';

  constructor(plan: ToolServerPlan, options: ConnectionOptions) {
    this.plan = plan;
    this.options = options;
    this.limits = { argsBytesMax: ARGS_BYTES_MAX, resultBytesMax: RESULT_BYTES_MAX, connectMs: CONNECT_MS, ...options.limits };
    this.vault = new Vault(options.secrets);
    this.stderr = new StderrTail(this.vault.redactor, (line) => options.onLog?.(plan.name, line));
  }

  get redactor(): Redactor {
    return this.vault.redactor;
  }
  /** Of the child process; undefined over HTTP and while there is none. */
  get pid(): number | undefined {
    const transport = this.live?.transport;
    return transport instanceof StdioClientTransport ? (transport.pid ?? undefined) : undefined;
  }

  // ---- life ----------------------------------------------------------------------------------------------------------

  /** Connects, and keeps connecting until `close`. */
  open(tell: (event: ConnectionEvent) => void): void {
    this.tell = tell;
    this.wanted = true;
    this.toldTools = '';
    tell({ type: 'reprise.mcp.opening', terms: termsOf(this.plan) });
    void this.connect();
  }

  async close(): Promise<void> {
    this.wanted = false;
    this.tell = undefined;
    this.cancelPause?.();
    const { live } = this;
    this.live = undefined;
    await live?.client.close().catch(() => undefined);
  }

  private async connect(): Promise<void> {
    let client: Client | undefined;
    try {
      const transport = this.transport();
      client = new Client(CLIENT, this.clientOptions());
      client.onclose = () =>
        this.lost(
          transport,
          new MeshError('MCP_FAILED', `server '${this.plan.name}' closed its connection${this.stderr.said()}`),
        );
      // Whatever matters ends a call or the connection, and is reported there.
      client.onerror = () => undefined;
      client.setNotificationHandler('notifications/tools/list_changed', () => void this.toolsChanged(transport));
      const limit = { timeout: this.limits.connectMs };
      await client.connect(transport, limit);
      const tools = await this.listTools(client, limit);
      if (!this.wanted) return await client.close();
      this.ready({ client, transport, since: this.options.clock.monotonic() }, tools);
    } catch (error) {
      await client?.close().catch(() => undefined);
      this.again(connectFailure(this.plan.name, error, this.stderr.said()));
    }
  }

  private clientOptions(): ClientOptions {
    return this.options.protocol === 'auto' ? { versionNegotiation: { mode: 'auto' } } : {};
  }

  /** Always a new one: a transport that is connected again leaks. Secrets are read here, at each connect. */
  private transport(): Transport {
    const { transport } = this.plan;
    if (transport.kind === 'stdio') return this.stdio(transport);
    const headers = this.vault.values(transport.headers);
    return this.watched(new StreamableHTTPClientTransport(new URL(transport.url), { requestInit: { headers } }));
  }

  /** The child sees `env` of the plan and the SDK's safe list (PATH, HOME, ..), nothing else of ours. */
  private stdio({ command, args, env, cwd }: Extract<ToolServerPlan['transport'], { kind: 'stdio' }>): Transport {
    const maxBufferSize = Math.max(STDIO_BUFFER_MIN_BYTES, 2 * this.limits.resultBytesMax);
    const transport = new StdioClientTransport({
      command,
      args: [...args],
      env: this.vault.values(env),
      cwd: resolve(this.options.dir ?? '.', cwd ?? '.'),
      stderr: 'pipe',
      maxBufferSize,
    });
    this.stderr.follow(transport.stderr);
    return this.watched(transport);
  }

  /** Notes when a call has been handed to the wire, and when the stream of its response ends without one. */
  private watched<T extends Transport>(transport: T): T {
    const send = transport.send.bind(transport);
    transport.send = (message, options) => {
      const meta = 'method' in message && message.method === 'tools/call' ? message.params?._meta : undefined;
      const call = meta === undefined ? undefined : this.inFlight.get(String(meta[KEY_META]));
      if (call === undefined) return send(message, options);
      call.sent();
      return send(message, { ...options, onRequestStreamEnd: () => call.abort(streamEnded()) });
    };
    return transport;
  }

  private ready(live: Live, tools: readonly ToolDescription[]): void {
    this.live = live;
    const server = live.client.getServerVersion();
    const text = JSON.stringify(tools);
    this.tell?.({
      type: 'reprise.mcp.connected',
      identity: {
        name: server?.name ?? '',
        version: server?.version ?? '',
        protocol: live.client.getNegotiatedProtocolVersion() ?? '',
      },
      ...(text !== this.toldTools && { tools }),
    });
    this.toldTools = text;
    for (const waiter of this.waiters.splice(0)) waiter(live);
  }

  private lost(transport: Transport, error: MeshError): void {
    const { live } = this;
    if (live === undefined || live.transport !== transport) return;
    this.live = undefined;
    if (this.options.clock.monotonic() - live.since >= HELD_MS) this.failures = 0;
    this.again(error);
  }

  private again(error: MeshError): void {
    if (!this.wanted) return;
    const againMs = Math.round(backoffMs(this.plan.backoff, ++this.failures, this.options.random()));
    this.tell?.({ type: 'reprise.mcp.down', error: this.redactor.json(errorData(error)), againMs });
    this.cancelPause = this.options.clock.after(againMs, () => void this.connect());
  }

  // ---- tools ---------------------------------------------------------------------------------------------------------

  private async listTools(client: Client, limit: { readonly timeout: number }): Promise<readonly ToolDescription[]> {
    if (client.getServerCapabilities()?.tools === undefined) return [];
    const { tools } = await client.listTools(undefined, limit);
    return this.redactor.json(tools.map(description));
  }

  private async toolsChanged(transport: Transport): Promise<void> {
    const { live } = this;
    if (live === undefined || live.transport !== transport) return;
    const tools = await this.listTools(live.client, { timeout: this.limits.connectMs }).catch(() => undefined);
    if (tools === undefined) return;
    const text = JSON.stringify(tools);
    if (text === this.toldTools) return;
    this.toldTools = text;
    this.tell?.({ type: 'reprise.mcp.tools', tools });
  }

  // ---- calls ---------------------------------------------------------------------------------------------------------

  /**
   * One try of one call.
   *
   * Throws: TOOL_FAILED (`data.content`, or the server's JSON-RPC error), MCP_FAILED (`data.sent`: false means that certainly nothing was
   * sent), PAYLOAD_TOO_LARGE; the signal's reason when it aborts.
   */
  async call(request: ToolRequest, signal: AbortSignal): Promise<unknown> {
    const args = this.argumentsOf(request);
    const facts = { sent: false };
    let live: Live | undefined;
    const own = new AbortController();
    try {
      live = await this.connected(signal);
      this.inFlight.set(request.key, {
        sent: () => {
          facts.sent = true;
          request.onSent?.();
        },
        abort: (reason) => own.abort(reason),
      });
      const raw = await live.client.callTool(
        { name: request.name, arguments: args, _meta: metaOf(request) },
        {
          signal: AbortSignal.any([signal, own.signal]),
          timeout: NO_TIMEOUT_MS,
          onprogress: (progress) => this.progressed(request, progress),
        },
      );
      return this.redactor.json(toolOutput(`${this.plan.name}.${request.name}`, raw, this.limits.resultBytesMax));
    } catch (error) {
      signal.throwIfAborted();
      throw this.failure(request, error, facts, live);
    } finally {
      this.inFlight.delete(request.key);
    }
  }

  private progressed(request: ToolRequest, progress: Progress): void {
    request.onProgress?.();
    this.options.onProgress?.(this.plan.name, request.key, progress);
  }

  private argumentsOf({ name, args, key, keyArgument }: ToolRequest): Record<string, unknown> {
    if (typeof args !== 'object' || args === null || Array.isArray(args))
      throw new MeshError('TOOL_FAILED', `arguments of '${this.plan.name}.${name}' must be an object`, {
        data: { sent: false, retryable: false },
      });
    const given = keyArgument === undefined ? args : { ...args, [keyArgument]: key };
    const max = this.limits.argsBytesMax;
    const bytes = Buffer.byteLength(JSON.stringify(given));
    if (bytes > max)
      throw new MeshError(
        'PAYLOAD_TOO_LARGE',
        `arguments of '${this.plan.name}.${name}' are ${bytes} bytes, the limit is ${max}`,
        { data: { sent: false, retryable: false } },
      );
    return given as Record<string, unknown>;
  }

  private failure(request: ToolRequest, error: unknown, facts: CallFacts, live: Live | undefined): MeshError {
    const { error: failure, sessionLost } = callFailure(`${this.plan.name}.${request.name}`, error, facts);
    if (sessionLost && live !== undefined) {
      this.lost(live.transport, failure);
      void live.client.close().catch(() => undefined);
    }
    const clean = this.redactor.json({ message: failure.message, data: failure.data });
    return new MeshError(failure.code, clean.message, { data: clean.data });
  }

  /** The connection, as soon as there is one. Rejects when the signal aborts. */
  private connected(signal: AbortSignal): Promise<Live> {
    if (this.live !== undefined) return Promise.resolve(this.live);
    return new Promise((resolve, reject) => {
      const settle = (live: Live): void => {
        signal.removeEventListener('abort', abort);
        resolve(live);
      };
      const abort = (): void => {
        this.waiters = this.waiters.filter((w) => w !== settle);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', abort, { once: true });
      this.waiters.push(settle);
    });
  }
}

function metaOf({ key, trace }: ToolRequest): Record<string, unknown> {
  return {
    [KEY_META]: key,
    ...(trace !== undefined && { traceparent: trace.traceparent }),
    ...(trace?.tracestate !== undefined && { tracestate: trace.tracestate }),
  };
}

function description({ name, description: text, inputSchema, annotations }: Tool): ToolDescription {
  return {
    name,
    inputSchema,
    ...(text !== undefined && { description: text }),
    ...(annotations !== undefined && {
      annotations: JSON.parse(JSON.stringify(annotations)) as NonNullable<ToolDescription['annotations']>,
    }),
  };
}
