/**
 * Two nodes of a network on the loopback, each with a folder as `reprise net` makes it: `hub`, where servers run, and `laptop`, where
 * clients do. The nodes run in this process, `serve-mcp` and `connect-mcp` in processes of their own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { main } from '../../../cli/dispatch.ts';
import { NetFolder } from '../../../cli/net/folder.ts';
import { RunningNode } from '../../../cli/net/running-node.ts';
import { startOverlay } from '../../../transport/overlay/overlay.ts';
import { endpointText } from '../../../transport/overlay/paths/endpoint.ts';
import { captured } from '../processes.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const CLI = ['--conditions=reprise-source', join(ROOT, 'cli/main.ts')];
/** ms after which what should have happened has not. */
const PATIENCE_MS = 20_000;

export const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

export async function until(what: string, check: () => boolean): Promise<void> {
  for (const began = performance.now(); !check(); await sleep(10))
    if (performance.now() - began > PATIENCE_MS) throw new Error(`not in time: ${what}`);
}

async function typed(...argv: readonly string[]): Promise<string> {
  const { io, text } = captured();
  const code = await main(argv, io);
  if (code !== 0) throw new Error(`reprise ${argv.join(' ')} ended with ${code}: ${text.stderr}`);
  return text.stdout.trim();
}

async function node(folder: string, port = 0): Promise<RunningNode> {
  const options = {
    listen: [{ host: '127.0.0.1', port }],
    webSocket: undefined,
    mustRelay: false,
    proxy: () => undefined,
    onEvent: () => undefined,
    onNote: () => undefined,
    onUnheard: () => undefined,
  };
  return RunningNode.start(new NetFolder(folder), options, startOverlay);
}

export class Machines implements AsyncDisposable {
  readonly path: string;
  hub: RunningNode;
  readonly laptop: RunningNode;
  private isHubUp = true;
  private readonly served: Served[] = [];
  private readonly clients: Connected[] = [];

  private constructor(path: string, hub: RunningNode, laptop: RunningNode) {
    this.path = path;
    this.hub = hub;
    this.laptop = laptop;
  }

  static async start(): Promise<Machines> {
    const path = mkdtempSync(join(tmpdir(), 'reprise-mcp-'));
    const [hubFolder, laptopFolder] = [join(path, 'hub'), join(path, 'laptop')];
    await typed('net', 'init', 'home', '--name', 'hub', '--dir', hubFolder);
    const hub = await node(hubFolder);
    const endpoint = hub.overlay.endpoints.map(endpointText)[0] ?? '';
    const invite = await typed('net', 'invite', '--endpoint', endpoint, '--dir', hubFolder);
    await typed('net', 'join', invite, '--name', 'laptop', '--dir', laptopFolder);
    const laptop = await node(laptopFolder);
    await laptop.overlay.connect('hub');
    return new Machines(path, hub, laptop);
  }

  /** `serve-mcp` at the hub, until it says that it serves. */
  async serve(name: string, command: readonly string[], ...options: readonly string[]): Promise<Served> {
    const child = this.cli('serve-mcp', name, '--dir', join(this.path, 'hub'), '--json', ...options, '--', ...command);
    const served = new Served(child);
    this.served.push(served);
    await until(`serving ${name}`, () => served.events.some(({ type }) => type === 'serving'));
    return served;
  }

  /** A real MCP client on `connect-mcp` at the laptop. */
  async connect(target: string): Promise<Connected> {
    const connected = this.client(target);
    await connected.client.connect(connected.transport);
    return connected;
  }

  /** The same, not connected yet. */
  client(target: string): Connected {
    const made = new Connected([...CLI, 'net', 'connect-mcp', target, '--dir', join(this.path, 'laptop')]);
    this.clients.push(made);
    return made;
  }

  async stopHub(): Promise<void> {
    if (this.isHubUp) await this.hub.stop();
    this.isHubUp = false;
  }

  /** At the port where it was. */
  async startHub(): Promise<void> {
    const [{ port } = { port: 0 }] = this.hub.overlay.endpoints;
    this.hub = await node(join(this.path, 'hub'), port);
    this.isHubUp = true;
  }

  cli(...args: readonly string[]): ChildProcess {
    return spawn(process.execPath, [...CLI, 'net', ...args], { stdio: ['pipe', 'pipe', 'pipe'], cwd: this.path });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.clients.map(({ client }) => client.close()));
    for (const { child } of this.served) child.kill('SIGTERM');
    await Promise.all(this.served.map(({ exited }) => exited));
    await this.laptop.stop();
    await this.stopHub();
    rmSync(this.path, { recursive: true, force: true });
  }
}

interface ServingLine {
  readonly type: string;
  readonly pid?: number;
  readonly from?: string;
  readonly why?: string;
  readonly text?: string;
}

export class Served {
  readonly child: ChildProcess;
  readonly events: ServingLine[] = [];
  readonly exited: Promise<number | null>;
  stderr = '';

  constructor(child: ChildProcess) {
    this.child = child;
    this.exited = once(child, 'exit').then(([code]) => code as number | null);
    child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    if (child.stdout !== null)
      createInterface({ input: child.stdout }).on('line', (line) => this.events.push(JSON.parse(line) as ServingLine));
  }

  /** Of the server processes, in the order of their clients. */
  get pids(): readonly number[] {
    return this.events.flatMap(({ type, pid }) => (type === 'session' && pid !== undefined ? [pid] : []));
  }
}

export class Connected {
  readonly client = new Client(
    { name: 'test', version: '1.0.0' },
    { capabilities: { sampling: {}, elicitation: {}, roots: { listChanged: true } } },
  );
  readonly transport: StdioClientTransport;
  readonly closed: Promise<void>;
  stderr = '';

  constructor(args: readonly string[]) {
    this.transport = new StdioClientTransport({ command: process.execPath, args: [...args], stderr: 'pipe' });
    this.transport.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.closed = new Promise((resolve) => {
      this.client.onclose = resolve;
    });
  }

  get pid(): number {
    return this.transport.pid ?? 0;
  }

  async call(name: string, args: Record<string, unknown> = {}): Promise<string> {
    const { content } = await this.client.callTool({ name, arguments: args });
    return (content as readonly { readonly text?: string }[]).map(({ text }) => text ?? '').join('');
  }
}
