/** The leaves of a tool gateway with a real server behind them, and no gateway before them. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions } from '../../actors/mcp-client.ts';
import type { ConnectionEvent } from '../../actors/mcp-gateway.ts';
import { type CallInput, mcpLeaves, type McpLeaves } from '../../actors/mcp-leaves.ts';
import { systemClock } from '../../cli/system.ts';
import { type ToolServerPlan } from '../../core/config/gateway-plan.ts';
import type { EventObject } from '../../core/effect.ts';
import type { ErrorData } from '../../core/errors.ts';
import type { LeafHandle } from '../../core/logic.ts';

export type TransportPlan = ToolServerPlan['transport'];

const here = import.meta.dirname;
const modules = join(here, '../../node_modules');
/** Of a server whose package is installed. */
export const serverPath = (name: string): string => join(modules, '@modelcontextprotocol', name, 'dist/index.js');

export const stdio = (args: readonly string[], env: Record<string, string | { env: string }> = {}): TransportPlan => ({
  kind: 'stdio',
  command: process.execPath,
  args,
  env,
});
export const probe = (env: Record<string, string | { env: string }> = {}): TransportPlan =>
  stdio([join(here, 'probe-server.ts')], env);
export const probeV1 = (): TransportPlan => stdio([join(here, 'probe-server-v1.ts')]);

/** A folder that goes with the test. */
export function folder(): { readonly path: string; file(name: string): string; lines(name: string): string[]; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'reprise-tools-'));
  const file = (name: string): string => join(path, name);
  return {
    path,
    file,
    lines: (name) => (existsSync(file(name)) ? readFileSync(file(name), 'utf8').split('\n').filter(Boolean) : []),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

export type End =
  | { readonly output: unknown }
  | { readonly error: ErrorData & { readonly data?: Record<string, unknown> } }
  | { readonly doubt: ErrorData };

const BACKOFF = { minMs: 10, maxMs: 100, factor: 2, jitter: 0 };

export class LeafDrive {
  readonly events: ConnectionEvent[] = [];
  readonly logs: string[] = [];
  readonly leaves: McpLeaves;
  private connection: LeafHandle;
  private watchers: (() => void)[] = [];
  private calls = 0;

  constructor(transport: TransportPlan, options: Partial<ConnectionOptions> = {}) {
    const plan: ToolServerPlan = {
      name: 'probe',
      address: 'tools/probe',
      transport,
      tools: {},
      timeoutMs: 10_000,
      concurrency: 16,
      backoff: BACKOFF,
    };
    this.leaves = mcpLeaves(plan, {
      secrets: { env: {}, readFile: (path) => readFileSync(path, 'utf8') },
      clock: systemClock(),
      random: () => 0,
      onLog: (_server, line) => this.logs.push(line),
      ...options,
    });
    this.connection = this.open();
  }

  private open(): LeafHandle {
    const job = { id: 'tools/probe!1.0', child: 'connection', input: null, sync: false };
    return this.leaves.connection.start(job, (event) => {
      this.events.push(event as ConnectionEvent);
      for (const watcher of this.watchers) watcher();
    });
  }
  /** As a gateway that is taken up again at once. */
  reopen(): void {
    void this.connection.stop();
    this.connection = this.open();
  }

  get pid(): number | undefined {
    return this.leaves.mcp.pid;
  }

  /** The n-th event of this type, as soon as there is one. */
  async event<T extends ConnectionEvent['type']>(type: T, n = 1): Promise<Extract<ConnectionEvent, { type: T }>> {
    for (;;) {
      const found = this.events.filter((e) => e.type === type)[n - 1];
      if (found !== undefined) return found as Extract<ConnectionEvent, { type: T }>;
      await new Promise<void>((resolve) => {
        this.watchers.push(resolve);
      });
    }
  }
  connected(n = 1): Promise<Extract<ConnectionEvent, { type: 'reprise.mcp.connected' }>> {
    return this.event('reprise.mcp.connected', n);
  }

  /** One try, as the gateway would start it. `stop` ends it from outside. */
  begin(
    name: string,
    args: unknown,
    more: Partial<CallInput> & { doubt?: true } = {},
  ): { readonly end: Promise<End>; stop(): void } {
    const { doubt, ...rest } = more;
    const key = `agent!${++this.calls}.0`;
    const input: CallInput = { name, args, key, timeoutMs: 10_000, remainingMs: 20_000, inDoubt: 'retry', ...rest };
    let handle: LeafHandle | undefined;
    const end = new Promise<End>((resolve) => {
      const job = { id: 'tools/probe!2.0', child: `${input.key}#1`, input, sync: false, ...(doubt && { doubt }) };
      handle = this.leaves.call.start(
        { ...job, trace: { traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`, tracestate: 'a=b' } },
        (event) => resolve(endOf(event)),
      );
    });
    return { end, stop: () => void handle?.stop() };
  }
  call(name: string, args: unknown = {}, more: Parameters<LeafDrive['begin']>[2] = {}): Promise<End> {
    return this.begin(name, args, more).end;
  }
  /** The output, or the error as a rejection. */
  async output(name: string, args: unknown = {}, more: Parameters<LeafDrive['begin']>[2] = {}): Promise<unknown> {
    const end = await this.call(name, args, more);
    if ('output' in end) return end.output;
    throw new Error(`${name} failed: ${JSON.stringify(end)}`);
  }

  async close(): Promise<void> {
    await this.connection.stop();
  }
}

function endOf(event: EventObject): End {
  if (event.type === 'reprise.doubt') return { doubt: event['error'] as ErrorData };
  if (event.type.startsWith('xstate.done.')) return { output: event['output'] };
  return { error: event['error'] as ErrorData & { data?: Record<string, unknown> } };
}
