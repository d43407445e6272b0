/**
 * One connection to one MCP server: child process or HTTP session, with its credentials. Made anew with backoff when it dies, always with
 * a new transport. Knows nothing of actors: `mcp-leaves.ts` tells a gateway what it reports. Sends nothing twice by itself.
 *
 *   closed -> connecting -> ready -> [lost] -> pausing -> connecting ...
 */
import { Client, type ClientOptions, type Progress, type Tool, type Transport } from '@modelcontextprotocol/client';
import { backoffMs, type Clock, errorData, MeshError, type ToolServerPlan, type TraceContext } from '../core/index.ts';
import { Awaited } from './awaited.ts';
import { ARGS_BYTES_MAX, RESULT_BYTES_MAX } from './limits.ts';
import { type CallFacts, callFailure, connectFailure, streamEnded, type Wording } from './mcp-failure.ts';
import { type ConnectionEvent, termsOf } from './mcp-gateway.ts';
import { toolOutput } from './mcp-result.ts';
import { mcpTransport, pidOf, watched, type WireWatch } from './mcp-transport.ts';
import { type SecretSources, Vault } from './secret.ts';
import { StderrTail } from './stderr-tail.ts';
import type { ToolDescription } from './tool.ts';

/** Member of `_meta` that holds the idempotency key of a call: the id of the effect that asked for it. */
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
  /** One line of the server's stderr, or of what is wrong on the wire, without secrets. */
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
/** A message holds an answer twice at most, as content and as structured content, and some more. */
const MESSAGE_BYTES_MORE = 256 * 1024;
const NOISE_CHARS_MAX = 500;
/** Limits are kept with our own clock; the SDK's must not come before. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;

interface Live {
  readonly client: Client;
  readonly transport: Transport;
  /** Monotonic, ms. */
  readonly since: number;
  /** Calls under way. A connection that was given up is closed after the last of them. */
  calls: number;
}

export class McpConnection {
  private readonly plan: ToolServerPlan;
  private readonly options: ConnectionOptions;
  private readonly limits: Required<McpLimits>;
  private readonly vault: Vault;
  private readonly stderr: StderrTail;
  private tell: ((event: ConnectionEvent) => void) | undefined;
  /** Connecting or live. */
  private client: Client | undefined;
  private readonly live: Awaited<Live> = new Awaited();
  /** Grows with each open and close: what an older one began has no say any more. */
  private life = 0;
  private failures = 0;
  private cancelPause: (() => void) | undefined;
  /** Resolves when what was closed is gone. */
  private closed: Promise<unknown> = Promise.resolve();
  private readonly inFlight = new Map<string, WireWatch>();
  /** The last thing that was wrong on the wire of the present connection. */
  private noise = '';
  private toldTools = '';
  private toldDown = '';

  constructor(plan: ToolServerPlan, options: ConnectionOptions) {
    this.plan = plan;
    this.options = options;
    this.limits = { argsBytesMax: ARGS_BYTES_MAX, resultBytesMax: RESULT_BYTES_MAX, connectMs: CONNECT_MS, ...options.limits };
    this.vault = new Vault(options.secrets);
    this.stderr = new StderrTail(this.vault.redactor, (line) => options.onLog?.(plan.name, line));
  }

  /** Of the child process; undefined over HTTP and while there is none. */
  get pid(): number | undefined {
    const live = this.live.get();
    return live === undefined ? undefined : pidOf(live.transport);
  }

  // ---- life ----------------------------------------------------------------------------------------------------------

  /** Connects, and keeps connecting until `close`. Not before an earlier server has ended: two would be in each other's way. */
  open(tell: (event: ConnectionEvent) => void): void {
    this.tell = tell;
    this.toldTools = '';
    this.toldDown = '';
    tell({ type: 'reprise.mcp.opening', terms: termsOf(this.plan) });
    const life = ++this.life;
    void this.closed.then(() => (life === this.life ? this.connect(life) : undefined));
  }

  /** A child process gets its stdin closed, then SIGTERM, then SIGKILL; resolves when that is done. */
  async close(): Promise<void> {
    this.life++;
    this.tell = undefined;
    this.cancelPause?.();
    const { client } = this;
    this.client = undefined;
    this.live.clear();
    this.closed = Promise.all([this.closed, client?.close().catch(() => undefined)]);
    await this.closed;
  }

  private async connect(life: number): Promise<void> {
    const client = new Client(CLIENT, this.clientOptions());
    this.client = client;
    this.noise = '';
    // Whatever matters ends a call or the connection; this says why.
    client.onerror = (error) => this.heard(error);
    try {
      const transport = watched(this.transport(), (meta) => this.inFlight.get(String(meta[KEY_META])));
      client.onclose = () =>
        this.lost(transport, new MeshError('MCP_FAILED', `server '${this.plan.name}' closed its connection${this.lastWords()}`));
      client.setNotificationHandler('notifications/tools/list_changed', () => void this.toolsChanged(transport));
      const limit = { timeout: this.limits.connectMs };
      await client.connect(transport, limit);
      const tools = await this.listTools(client, limit);
      if (life === this.life) this.ready({ client, transport, since: this.options.clock.monotonic(), calls: 0 }, tools);
      else await client.close();
    } catch (error) {
      await client.close().catch(() => undefined);
      if (life === this.life) this.again(connectFailure(this.plan.name, error, this.wording()));
    }
  }

  private clientOptions(): ClientOptions {
    return this.options.protocol === 'auto' ? { versionNegotiation: { mode: 'auto' } } : {};
  }

  private transport(): Transport {
    return mcpTransport(this.plan, {
      dir: this.options.dir ?? '.',
      vault: this.vault,
      stderr: this.stderr,
      messageBytesMax: 2 * this.limits.resultBytesMax + MESSAGE_BYTES_MORE,
    });
  }

  private ready(live: Live, tools: readonly ToolDescription[]): void {
    this.toldDown = '';
    const server = live.client.getServerVersion();
    const text = JSON.stringify(tools);
    this.tell?.({
      type: 'reprise.mcp.connected',
      identity: this.vault.redactor.json({
        name: server?.name ?? '',
        version: server?.version ?? '',
        protocol: live.client.getNegotiatedProtocolVersion() ?? '',
      }),
      ...(text !== this.toldTools && { tools }),
    });
    this.toldTools = text;
    this.live.set(live);
  }

  private lost(transport: Transport, error: MeshError): void {
    const live = this.live.get();
    if (live === undefined || live.transport !== transport) return;
    this.live.clear();
    if (this.options.clock.monotonic() - live.since >= HELD_MS) this.failures = 0;
    this.again(error);
  }

  /** Pauses, then connects. The same failure again and again is told once: it would only fill the log. */
  private again(failure: MeshError): void {
    const { life } = this;
    const againMs = Math.round(backoffMs(this.plan.backoff, ++this.failures, this.options.random()));
    const error = errorData(this.clean(failure));
    if (error.message === this.toldDown) this.options.onLog?.(this.plan.name, error.message);
    else this.tell?.({ type: 'reprise.mcp.down', error, againMs });
    this.toldDown = error.message;
    this.cancelPause = this.options.clock.after(againMs, () => void this.connect(life));
  }

  private heard(error: Error): void {
    this.noise = this.vault.redactor.excerpt(error.message, NOISE_CHARS_MAX);
    this.options.onLog?.(this.plan.name, this.noise);
  }

  private wording(): Wording {
    return { redactor: this.vault.redactor, lastWords: this.lastWords() };
  }

  private lastWords(): string {
    return `${this.noise === '' ? '' : ` (${this.noise})`}${this.stderr.said()}`;
  }

  // ---- tools ---------------------------------------------------------------------------------------------------------

  private async listTools(client: Client, limit: { readonly timeout: number }): Promise<readonly ToolDescription[]> {
    if (client.getServerCapabilities()?.tools === undefined) return [];
    const { tools } = await client.listTools(undefined, { ...limit, cacheMode: 'refresh' });
    return this.vault.redactor.json(tools.map(description));
  }

  private async toolsChanged(transport: Transport): Promise<void> {
    const live = this.live.get();
    if (live === undefined || live.transport !== transport) return;
    const tools = await this.listTools(live.client, { timeout: this.limits.connectMs }).catch(() => undefined);
    const text = JSON.stringify(tools);
    if (tools === undefined || text === this.toldTools || this.live.get() !== live) return;
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
      live = await this.live.when(signal);
      live.calls++;
      this.inFlight.set(request.key, {
        sent: () => {
          facts.sent = true;
          request.onSent?.();
        },
        ended: () => own.abort(streamEnded()),
      });
      const raw = await live.client.callTool(
        { name: request.name, arguments: args, _meta: metaOf(request) },
        {
          signal: AbortSignal.any([signal, own.signal]),
          timeout: NO_TIMEOUT_MS,
          onprogress: (progress) => this.progressed(request, progress),
        },
      );
      return toolOutput(`${this.plan.name}.${request.name}`, this.vault.redactor.json(raw), this.limits.resultBytesMax);
    } catch (error) {
      signal.throwIfAborted();
      throw this.failure(request, error, facts, live);
    } finally {
      this.inFlight.delete(request.key);
      if (live !== undefined) this.release(live);
    }
  }

  private progressed(request: ToolRequest, progress: Progress): void {
    request.onProgress?.();
    this.options.onProgress?.(this.plan.name, request.key, progress);
  }

  private argumentsOf({ name, args, key, keyArgument }: ToolRequest): Record<string, unknown> {
    const refused = { data: { sent: false, retryable: false } };
    if (typeof args !== 'object' || args === null || Array.isArray(args))
      throw new MeshError('TOOL_FAILED', `arguments of '${this.plan.name}.${name}' must be an object`, refused);
    const given = keyArgument === undefined ? args : { ...args, [keyArgument]: key };
    const max = this.limits.argsBytesMax;
    const bytes = Buffer.byteLength(JSON.stringify(given));
    if (bytes > max)
      throw new MeshError(
        'PAYLOAD_TOO_LARGE',
        `arguments of '${this.plan.name}.${name}' are ${bytes} bytes, the limit is ${max}`,
        refused,
      );
    return given as Record<string, unknown>;
  }

  private failure(request: ToolRequest, error: unknown, facts: CallFacts, live: Live | undefined): MeshError {
    const { error: failure, sessionLost } = callFailure(`${this.plan.name}.${request.name}`, error, facts, this.wording());
    if (sessionLost && live !== undefined) this.lost(live.transport, failure);
    return this.clean(failure);
  }

  /** Without secrets, and without a cause that could hold one. */
  private clean(failure: MeshError): MeshError {
    const { message, data } = this.vault.redactor.json({ message: failure.message, data: failure.data });
    return new MeshError(failure.code, message, { data });
  }

  private release(live: Live): void {
    live.calls--;
    // Other calls of a lost session may still be answered.
    if (live !== this.live.get() && live.calls === 0) void live.client.close().catch(() => undefined);
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
