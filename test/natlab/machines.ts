/**
 * The newcomer's way across the lab, by the real CLI in processes of their own: relay1 makes a network and relays, `a` and `b` join by an invite
 * each and are up. Each has its folder in a temporary one. Where a side has nothing but a proxy, the relay is at a `wss:` as in the docs, with a
 * certificate that the machines trust by NODE_EXTRA_CA_CERTS.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { setTimeout as wait } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { main } from '../../cli/dispatch.ts';
import type { NetStatus, PeerRow } from '../../cli/net/status.ts';
import { captured } from '../cli/processes.ts';
import { NatLab, nodeCommand } from './lab.ts';
import type { LabProcess, Line } from './lab-process.ts';
import type { NatKind } from './nat.ts';
import type { Tools } from './tools.ts';
import { RELAY_ADDRESSES, SIDES, type Place, type Side } from './topology.ts';

const CLI = '../../cli/main.ts';
const [RELAY, RELAY_OTHER] = RELAY_ADDRESSES.relay1;
const UDP = 7337;
const UDP_OTHER = 7338;
const WEB_SOCKET = 443;
const EVERYTHING = fileURLToPath(
  new URL('../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url),
);
/** Longer than one message of the overlay. */
const LONG = 'x'.repeat(2_000_000);
const SETTLE_MS = 15_000;
const START_MS = 30_000;
const POLL_MS = 50;

export interface MachinesOptions {
  /** Who joins. Both by default. */
  readonly sides?: readonly Side[];
  /** Two addresses with one port each (the default), or one address with two ports, as docs/overlay.md has it. */
  readonly relay?: 'addresses' | 'ports';
}

export class Machines implements AsyncDisposable {
  readonly lab: NatLab;
  private readonly path: string;
  private readonly hasTls: boolean;
  private readonly options: Required<MachinesOptions>;
  /** Of the processes at a place. */
  private readonly environments = new Map<Place, readonly string[]>();
  private readonly clients: Client[] = [];

  private constructor(lab: NatLab, path: string, hasTls: boolean, options: Required<MachinesOptions>) {
    this.lab = lab;
    this.options = options;
    this.path = path;
    this.hasTls = hasTls;
  }

  static async open(tools: Tools, kinds: Readonly<Record<Side, NatKind>>, options: MachinesOptions = {}): Promise<Machines> {
    const { sides = SIDES, relay = 'addresses' } = options;
    const path = mkdtempSync(join(tmpdir(), 'reprise-natlab-'));
    const hasTls = sides.some((side) => kinds[side] === 'proxy');
    const machines = new Machines(await NatLab.open(tools, kinds), path, hasTls, { sides, relay });
    try {
      for (const side of sides) await machines.equip(side, kinds[side]);
      await machines.found();
      await Promise.all(sides.map((side) => machines.join(side)));
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

  /** What the node at a place says of itself. */
  async status(place: Place): Promise<NetStatus> {
    const { io, text } = captured({});
    const code = await main(['net', 'peers', '--json', '--dir', this.folder(place)], io);
    if (code !== 0) throw new Error(`net peers at ${place} ended with ${code}: ${text.stderr}`);
    return JSON.parse(text.stdout) as NetStatus;
  }

  /** How a place sees another. */
  async peer(place: Place, other: Place): Promise<PeerRow | undefined> {
    return (await this.status(place)).peers.find(({ name }) => name === other);
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

  /** What the processes of a side are told by their environment. */
  private async equip(side: Side, kind: NatKind): Promise<void> {
    const proxy = kind === 'proxy' ? [`HTTPS_PROXY=${await this.lab.startProxy(side)}`] : [];
    const trust = this.hasTls ? [`NODE_EXTRA_CA_CERTS=${join(this.path, 'cert.pem')}`] : [];
    this.environments.set(side, [...proxy, ...trust]);
  }

  /** Options of a relay with a certificate that it has signed itself. */
  private tls(): readonly string[] {
    const [key, cert] = [join(this.path, 'key.pem'), join(this.path, 'cert.pem')];
    const wanted = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=relay1 -addext subjectAltName=IP:${RELAY}`;
    execFileSync('openssl', [...wanted.split(' '), '-keyout', key, '-out', cert], { stdio: 'pipe' });
    return ['--tls-cert', cert, '--tls-key', key];
  }

  /** relay1 makes the network, and relays. */
  private async found(): Promise<void> {
    const udp =
      this.options.relay === 'ports'
        ? [`${RELAY}:${UDP}`, `${RELAY}:${UDP_OTHER}`]
        : [`${RELAY}:${UDP}`, `${RELAY_OTHER}:${UDP}`];
    const endpoints = [...udp, `${this.hasTls ? 'wss' : 'ws'}://${RELAY}:${WEB_SOCKET}`];
    const listen = this.options.relay === 'ports' ? [UDP, UDP_OTHER].map((port) => `0.0.0.0:${port}`) : udp;
    const at = [...listen.flatMap((here) => ['--listen', here]), ...endpoints.flatMap((there) => ['--endpoint', there])];
    await this.run('relay1', ['init', 'natlab', '--name', 'relay1', ...at]);
    await this.goesOn('relay1', 'net.ready', ['relay', '--ws', `0.0.0.0:${WEB_SOCKET}`, ...(this.hasTls ? this.tls() : [])]);
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
    const [command, rest] = nodeCommand(CLI, ['net', ...args, '--dir', this.folder(place), ...last]);
    return [command, [...(this.environments.get(place) ?? []), ...rest]];
  }

  private folder(place: Place): string {
    return join(this.path, place);
  }
}

/** What an MCP client at `b` comes to with a server at `a`. */
export interface Called {
  /** Of `echo` as soon as all are up, of a long one when the paths have settled, of `get-sum`. */
  readonly answers: readonly unknown[];
  /** How `b` sees `a`, and `a` the relay. */
  readonly kinds: readonly (PeerRow['kind'] | undefined)[];
}

export const CALLED: Called['answers'] = ['Echo: at once', `Echo: ${LONG}`, 'The sum of 19 and 23 is 42.'];

/** `kind`: of the path from `b` to `a` that is waited for. */
export async function callAcross(tools: Tools, a: NatKind, b: NatKind, kind: PeerRow['kind']): Promise<Called> {
  await using machines = await Machines.open(tools, { a, b });
  await machines.serve('a', 'everything', [process.execPath, EVERYTHING]);
  const client = await machines.client('b', 'everything');
  const call = async (name: string, args: Readonly<Record<string, unknown>>): Promise<unknown> => {
    const { content } = await client.callTool({ name, arguments: args });
    return (content as readonly { readonly text?: string }[])[0]?.text;
  };
  const atOnce = await call('echo', { message: 'at once' });
  const peer = await machines.settle('b', 'a', kind, SETTLE_MS);
  const answers = [atOnce, await call('echo', { message: LONG }), await call('get-sum', { a: 19, b: 23 })];
  return { answers, kinds: [peer?.kind, (await machines.peer('a', 'relay1'))?.kind] };
}

/** What `net up` says of where it is, when it talks to nobody but its relay. */
export interface Surroundings {
  readonly kind: NetStatus['nat']['kind'];
  /** The hosts of the endpoints that the relay has seen. */
  readonly hosts: readonly string[];
  /** How the relay is reached. */
  readonly relay: PeerRow['kind'];
}

const OUTSIDE = '203.0.113.10';
/** By who has asked from two endpoints. Without UDP nobody is seen. */
export const SEEN: Readonly<Record<NatKind, Surroundings>> = {
  none: { kind: 'none', hosts: ['198.18.1.2'], relay: 'direct' },
  full: { kind: 'eim', hosts: [OUTSIDE], relay: 'direct' },
  addr: { kind: 'eim', hosts: [OUTSIDE], relay: 'direct' },
  port: { kind: 'eim', hosts: [OUTSIDE], relay: 'direct' },
  poison: { kind: 'eim', hosts: [OUTSIDE], relay: 'direct' },
  sym: { kind: 'sym', hosts: [OUTSIDE], relay: 'direct' },
  block: { kind: 'unknown', hosts: [], relay: 'tcp' },
  proxy: { kind: 'unknown', hosts: [], relay: 'tcp' },
};

/** As soon as it is what it should be, else how it is after some seconds. */
export async function surroundings(tools: Tools, kind: NatKind, relay: 'addresses' | 'ports'): Promise<Surroundings> {
  await using machines = await Machines.open(tools, { a: kind, b: 'none' }, { sides: ['a'], relay });
  for (const until = performance.now() + SETTLE_MS; ; await wait(POLL_MS)) {
    const { nat, relays } = await machines.status('a');
    const hosts = [...new Set(nat.reflexive.map((endpoint) => endpoint.split(':')[0] as string))];
    const seen = { kind: nat.kind, hosts, relay: relays[0]?.kind };
    if (isDeepStrictEqual(seen, SEEN[kind]) || performance.now() > until) return seen;
  }
}
