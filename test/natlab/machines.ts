/**
 * The newcomer's way across the lab, by the real CLI in processes of their own: relay1 makes a network and relays, `a` and `b` join by an invite
 * each and are up. Each has its folder in a temporary one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { main } from '../../cli/dispatch.ts';
import type { PeerRow } from '../../cli/net/status.ts';
import { captured } from '../cli/processes.ts';
import { NatLab, nodeCommand, RELAY_ADDRESSES, type Place, type Side } from './lab.ts';
import type { LabProcess, Line } from './lab-process.ts';
import type { NatKind } from './nat.ts';
import type { Tools } from './tools.ts';

const CLI = '../../cli/main.ts';
const [RELAY, RELAY_OTHER] = RELAY_ADDRESSES.relay1;
const UDP = 7337;
const WEB_SOCKET = 7443;
const START_MS = 30_000;
const POLL_MS = 50;

export class Machines implements AsyncDisposable {
  readonly lab: NatLab;
  private readonly path: string;
  private readonly clients: Client[] = [];

  private constructor(lab: NatLab, path: string) {
    this.lab = lab;
    this.path = path;
  }

  static async open(tools: Tools, kinds: Readonly<Record<Side, NatKind>>): Promise<Machines> {
    const path = mkdtempSync(join(tmpdir(), 'reprise-natlab-'));
    const machines = new Machines(await NatLab.open(tools, kinds), path);
    try {
      await machines.found();
      await Promise.all([machines.join('a'), machines.join('b')]);
      return machines;
    } catch (error) {
      await machines[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** `serve-mcp` at a place, until it says that it serves. */
  async serve(place: Place, name: string, command: readonly string[]): Promise<void> {
    await this.goesOn(place, 'serving', ['serve-mcp', name], ['--', ...command]);
  }

  /** An MCP client of this process, whose server is `connect-mcp` at a place. */
  async client(place: Place, target: string): Promise<Client> {
    const [command, args] = this.lab.inside(place, ...this.cli(place, ['connect-mcp', target]));
    const client = new Client({ name: 'natlab', version: '1.0.0' });
    this.clients.push(client);
    await client.connect(new StdioClientTransport({ command, args, stderr: 'inherit' }));
    return client;
  }

  /** How a place sees another. */
  async peer(place: Place, other: Place): Promise<PeerRow | undefined> {
    const { io, text } = captured({});
    const code = await main(['net', 'peers', '--json', '--dir', this.folder(place)], io);
    if (code !== 0) throw new Error(`net peers at ${place} ended with ${code}: ${text.stderr}`);
    const { peers } = JSON.parse(text.stdout) as { readonly peers: readonly PeerRow[] };
    return peers.find(({ name }) => name === other);
  }

  /** Waits until a place sees the other in this way; gives how it does when `limitMs` are over. */
  async settle(place: Place, other: Place, kind: PeerRow['kind'], limitMs: number): Promise<PeerRow | undefined> {
    for (const until = performance.now() + limitMs; ; await wait(POLL_MS)) {
      const peer = await this.peer(place, other);
      if (peer?.kind === kind || performance.now() > until) return peer;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()));
    await this.lab[Symbol.asyncDispose]();
    rmSync(this.path, { recursive: true, force: true });
  }

  /** relay1 makes the network, and relays. */
  private async found(): Promise<void> {
    const endpoints = [`${RELAY}:${UDP}`, `${RELAY_OTHER}:${UDP}`, `ws://${RELAY}:${WEB_SOCKET}`];
    const listen = [RELAY, RELAY_OTHER].flatMap((host) => ['--listen', `${host}:${UDP}`]);
    await this.run('relay1', ['init', 'natlab', '--name', 'relay1', ...listen, ...endpoints.flatMap((at) => ['--endpoint', at])]);
    await this.goesOn('relay1', 'net.ready', ['relay', '--ws', `0.0.0.0:${WEB_SOCKET}`]);
  }

  /** As `ssh relay1 reprise net invite | reprise net join -`. */
  private async join(side: Side): Promise<void> {
    const invite = await this.run('relay1', ['invite']);
    await this.run(side, ['join', '-', '--name', side], invite);
    await this.goesOn(side, 'net.ready', ['up']);
  }

  private run(place: Place, args: readonly string[], input = ''): Promise<string> {
    return this.lab.exec(place, ...this.cli(place, args), input);
  }

  /** A verb that goes on, until it has written a line of this type. */
  private async goesOn(place: Place, type: string, args: readonly string[], last: readonly string[] = []): Promise<void> {
    const process: LabProcess<Line> = this.lab.run(place, ...this.cli(place, [...args, '--json'], last));
    await process.next(type, START_MS);
  }

  private cli(place: Place, args: readonly string[], last: readonly string[] = []): [command: string, args: string[]] {
    return nodeCommand(CLI, ['net', ...args, '--dir', this.folder(place), ...last]);
  }

  private folder(place: Place): string {
    return join(this.path, place);
  }
}
