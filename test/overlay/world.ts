/**
 * Whole nodes on a model of the internet (`nat-model.ts`), on virtual time and by one seed: what `overlay.ts` does with sockets and clocks, done
 * here without. WebSockets are a reliable wire to a public node, which NATs do not stop.
 */
import { OverlayNode } from '../../transport/overlay/node/node.ts';
import type { KnownPeer, NodeOutput, OverlayEvent, RelayAddress, Ticket } from '../../transport/overlay/node/ports.ts';
import { noDrops, type Drops } from '../../transport/overlay/drops.ts';
import { addressOf, type OverlayAddress } from '../../transport/overlay/identity/address.ts';
import type { Identity } from '../../transport/overlay/identity/identity.ts';
import { parseEndpoint, parseUdpPath, udpPath, webSocketPath, type Endpoint } from '../../transport/overlay/paths/endpoint.ts';
import type { Query } from '../../transport/overlay/relay/ports.ts';
import type { KeyLimits } from '../../transport/overlay/session/keys.ts';
import type { PathId } from '../../transport/overlay/source.ts';
import { LIMITS, networkOf, type Network } from '../../transport/overlay/trust/descriptor.ts';
import type { DenyLists } from '../../transport/overlay/trust/deny-list.ts';
import type { SignedRecord } from '../../transport/overlay/trust/record.ts';
import type { Role } from '../../transport/overlay/trust/roles.ts';
import { PinnedTrust, type Trust } from '../../transport/overlay/trust/trust.ts';
import { identityOf } from './identities.ts';
import { Internet, type Weather } from './nat-model.ts';
import { bytesFrom, dice } from './simulated-link.ts';

const NAMES = ['a', 'b', 'c', 'r1', 'r2', 'stranger'] as const;
export type Name = (typeof NAMES)[number];
export const EPOCH = Date.UTC(2026, 11, 1);
const PORT = 4000;
/** Rounds at one instant after which something evidently spins. */
const SPIN = 2_000;
/** Datagrams that wait for a frozen node, as in the buffer of a socket whose process is stopped. */
const WAITING_MAX = 100;

const identities = new Map<Name, Identity>();
const addresses = new Map<string, OverlayAddress>();
for (const name of NAMES) {
  const identity = await identityOf(name);
  identities.set(name, identity);
  addresses.set(keyOf(identity), (await addressOf(identity.publicKey, 'cheap')) as OverlayAddress);
}

export function keyOf({ publicKey }: Identity): string {
  return Buffer.from(publicKey).toString('hex');
}

export const identity = (name: Name): Identity => identities.get(name) as Identity;

const network: Network = networkOf({ name: 'world', caKeys: [], addressProfile: 'cheap', limits: LIMITS });

export function pinned(): PinnedTrust {
  const trust = new PinnedTrust({ network });
  for (const name of NAMES) {
    if (name === 'stranger') continue;
    const roles: readonly Role[] = name.startsWith('r') ? ['node', 'relay'] : ['node'];
    trust.pin(identity(name).publicKey, roles);
  }
  return trust;
}

export interface NodeSetup {
  /** On the internet, or behind this NAT. */
  readonly nat?: string;
  readonly addresses?: readonly string[];
  readonly relay?: boolean;
  readonly relays?: readonly RelayAddress[];
  readonly peers?: readonly KnownPeer[];
  readonly birthday?: boolean;
  readonly trust?: Trust;
  /** Default: the one whose members are pinned. */
  readonly network?: Network;
  readonly denyLists?: DenyLists;
  readonly keyLimits?: Partial<KeyLimits>;
  readonly peersMax?: number;
}

export interface Message {
  readonly from: string;
  readonly channel: string;
  readonly text: string;
}

export class SimNode {
  readonly name: Name;
  readonly host: string;
  readonly key: string;
  readonly drops: Drops = noDrops();
  readonly sockets = new Map<string, Endpoint>();
  readonly heard: Message[] = [];
  readonly events: OverlayEvent[] = [];
  readonly delivered: Ticket[] = [];
  readonly lost: Extract<NodeOutput, { type: 'lost' }>[] = [];
  readonly failed: Extract<NodeOutput, { type: 'failed' }>[] = [];
  readonly pongs: Extract<NodeOutput, { type: 'pong' }>[] = [];
  readonly resolved = new Map<number, readonly SignedRecord[]>();
  readonly setup: NodeSetup;
  node: OverlayNode;
  /** As by SIGSTOP; see `World.thaw`. */
  isFrozen = false;
  /** What came while it was frozen. */
  readonly waiting: (readonly [path: PathId, bytes: Uint8Array])[] = [];
  /** By how much its wall clock is wrong. */
  skewMs: number;
  private nextPort = 50_000;

  constructor(name: Name, host: string, setup: NodeSetup, random: (bytes: number) => Uint8Array, skewMs: number) {
    this.name = name;
    this.host = host;
    this.setup = setup;
    this.skewMs = skewMs;
    this.key = keyOf(identity(name));
    const { relay = false, relays = [], peers = [], birthday = false, trust = pinned(), denyLists, keyLimits = {} } = setup;
    this.node = new OverlayNode({
      identity: identity(name),
      network: setup.network ?? network,
      trust,
      ...(denyLists === undefined ? {} : { denyLists }),
      name,
      relay,
      relays,
      peers,
      birthday,
      random,
      keyLimits,
      ...(setup.peersMax === undefined ? {} : { peersMax: setup.peersMax }),
      wallClock: (now) => EPOCH + now + this.skewMs,
      drops: this.drops,
    });
  }

  open(names: readonly string[], host: string): void {
    for (const name of names) this.sockets.set(name, { host, port: this.nextPort++ });
  }

  texts(from: string): readonly string[] {
    return this.heard.filter((message) => message.from === from).map(({ text }) => text);
  }

  /** How the way to a peer is: 'direct', 'relayed', 'tcp', or undefined. */
  way(peer: SimNode): string | undefined {
    return this.node.view().peers.find(({ publicKey }) => publicKey === peer.key)?.kind;
  }

  path(peer: SimNode): PathId | undefined {
    return this.node.view().peers.find(({ publicKey }) => publicKey === peer.key)?.path;
  }
}

interface Wire {
  readonly from: SimNode;
  readonly to: SimNode;
  readonly path: PathId;
}

export class World {
  now = 0;
  readonly internet: Internet;
  readonly random: () => number;
  readonly nodes = new Map<Name, SimNode>();
  /** Sees each datagram before it is sent; true: it is lost. */
  cut: ((from: SimNode, path: PathId, bytes: Uint8Array) => boolean) | undefined;
  /** Sees each datagram that arrives. */
  tap: ((to: SimNode, path: PathId, bytes: Uint8Array) => void) | undefined;
  /** Sees each output of a node, before anything is done about it. */
  watch: ((sim: SimNode, output: NodeOutput) => void) | undefined;
  private readonly wires = new Map<string, Wire>();
  private wireCount = 0;
  /** Steps at this instant. */
  private stuck = 0;
  private later: { readonly at: number; readonly fn: () => void }[] = [];
  private readonly hosts = new Set<string>();

  constructor(seed: number, weather: Partial<Weather> = {}) {
    this.random = dice(seed);
    this.internet = new Internet({ random: this.random, weather });
  }

  /** A node that starts now; under a name that is in use it takes the place of the one before, as after a crash. */
  add(name: Name, setup: NodeSetup = {}, { skewMs = 0 }: { readonly skewMs?: number } = {}): SimNode {
    const [address = '203.0.113.1'] = setup.addresses ?? [];
    if (!this.hosts.has(name)) {
      this.internet.host(name, {
        addresses: setup.addresses ?? [address],
        ...(setup.nat === undefined ? {} : { nat: setup.nat }),
      });
      this.hosts.add(name);
    }
    const sim = new SimNode(name, name, setup, bytesFrom(this.random), skewMs);
    this.nodes.set(name, sim);
    const hosts = (setup.addresses ?? [address]).map((host) => ({ host, port: PORT }));
    // One socket for each address, as a relay with two has them.
    hosts.forEach((at, i) => sim.sockets.set(`${i}`, at));
    sim.node.listening(
      hosts.map(({ host }, i) => ({ name: `${i}`, family: host.includes(':') ? 6 : 4 })),
      hosts,
    );
    return sim;
  }

  /** The host is gone: nobody is told. */
  crash(name: Name): void {
    this.nodes.delete(name);
    for (const [path, { to }] of this.wires) if (to.name === name || path.startsWith(`${name} `)) this.wires.delete(path);
  }

  /** WebSockets of this node are closed, and both ends are told. */
  cutWires(name: Name): void {
    for (const [key, { to, path, from }] of this.wires) {
      if (to.name !== name && from.name !== name) continue;
      this.wires.delete(key);
      if (this.nodes.get(to.name) === to) to.node.pathFailed(this.now, path, path, 'closed');
    }
  }

  /** Another address: the sockets stay. */
  move(sim: SimNode, address: string): void {
    this.internet.move(sim.host, [address]);
    for (const [name, { port }] of sim.sockets) sim.sockets.set(name, { host: address, port });
    sim.node.networkChanged(this.now, [{ host: address, port: PORT }]);
  }

  /** It goes on where it stopped, with what came meanwhile. */
  thaw(sim: SimNode): void {
    sim.isFrozen = false;
    for (const [path, bytes] of sim.waiting.splice(0)) this.arrive(sim, path, bytes);
  }

  connect(from: SimNode, to: SimNode): void {
    from.node.connect(this.now, to.key);
  }

  send(from: SimNode, to: SimNode, text: string, channel = 'x'): void {
    from.node.send(this.now, to.key, channel, new TextEncoder().encode(text));
  }

  resolve(from: SimNode, query: Query): number {
    return from.node.resolve(this.now, query);
  }

  /** As an attacker on the way, or a stranger: from this endpoint to a socket of a node. */
  inject(to: SimNode, from: Endpoint, bytes: Uint8Array, socket = '0'): void {
    to.node.receive(this.now, udpPath(socket, from), bytes);
  }

  async until(what: string, check: () => boolean, limitMs = 30_000): Promise<void> {
    const end = this.now + limitMs;
    while (!check()) {
      if (this.now > end) throw new Error(`${what} did not happen within ${limitMs} ms of virtual time`);
      this.step(end + 1);
    }
  }

  run(ms: number): void {
    const end = this.now + ms;
    while (this.now < end) this.step(end);
  }

  /** To the next thing that happens, at the latest to `end`. */
  private step(end: number): void {
    this.settle();
    const nodes = [...this.nodes.values()].filter(({ isFrozen }) => !isFrozen);
    const next = Math.min(this.internet.nextAt(), this.later[0]?.at ?? Infinity, ...nodes.map(({ node }) => node.nextAt()));
    if (next > this.now) this.stuck = 0;
    else if (++this.stuck > SPIN)
      throw new Error(
        `time stands still: ${nodes.map(({ name, node }) => `${name} ${node.nextAt()}`).join(', ')} at ${this.now}`,
      );
    this.now = Math.max(this.now, Math.min(next, end));
    for (const { host, from, to, bytes } of this.internet.take(this.now)) {
      const sim = this.nodes.get(host as Name);
      const socket = sim && [...sim.sockets].find(([, at]) => at.port === to.port && at.host === to.host)?.[0];
      if (sim !== undefined && socket !== undefined) this.arrive(sim, udpPath(socket, from), bytes);
    }
    while ((this.later[0]?.at ?? Infinity) <= this.now) this.later.shift()?.fn();
    for (const { node } of nodes) if (node.nextAt() <= this.now) node.tick(this.now);
    this.settle();
  }

  private settle(): void {
    for (let round = 0, isBusy = true; isBusy; round++) {
      if (round > SPIN) throw new Error('a node spins');
      isBusy = false;
      for (const sim of this.nodes.values()) {
        if (sim.isFrozen) continue;
        for (const output of sim.node.take(this.now)) {
          isBusy = true;
          this.act(sim, output);
        }
      }
    }
  }

  private arrive(sim: SimNode, path: PathId, bytes: Uint8Array): void {
    if (!sim.isFrozen) {
      this.tap?.(sim, path, bytes);
      sim.node.receive(this.now, path, bytes);
    } else if (sim.waiting.length < WAITING_MAX || parseUdpPath(path) === undefined) sim.waiting.push([path, bytes]);
  }

  after(ms: number, fn: () => void): void {
    const at = this.now + ms;
    const place = this.later.findIndex((other) => other.at > at);
    this.later.splice(place < 0 ? this.later.length : place, 0, { at, fn });
  }

  private act(sim: SimNode, output: NodeOutput): void {
    this.watch?.(sim, output);
    switch (output.type) {
      case 'datagram':
        return this.transmit(sim, output);
      case 'message':
        sim.heard.push({ from: output.from, channel: output.channel, text: new TextDecoder().decode(output.bytes) });
        return;
      case 'delivered':
        sim.delivered.push(output.ticket);
        return;
      case 'lost':
        sim.lost.push(output);
        return;
      case 'failed':
        sim.failed.push(output);
        return;
      case 'pong':
        sim.pongs.push(output);
        return;
      case 'open_sockets':
        return sim.open(output.sockets, sim.sockets.get('0')?.host ?? '');
      case 'close_sockets':
        for (const socket of output.sockets) sim.sockets.delete(socket);
        return;
      case 'look_up': {
        const found = output.endpoints.map(parseEndpoint).filter((endpoint) => endpoint !== undefined);
        sim.node.hints(this.now, output.peer, found);
        for (const url of output.endpoints) if (url.startsWith('ws:')) this.after(400, () => this.dial(sim, output.peer, url));
        return;
      }
      case 'dial':
        return this.dial(sim, output.peer, output.url);
      case 'resolved':
        sim.resolved.set(output.id, output.records);
        return;
      case 'address_wanted': {
        const address = addresses.get(output.publicKey);
        if (address !== undefined) sim.node.addressIs(this.now, output.publicKey, address);
        return;
      }
      case 'event':
        sim.events.push(output.event);
        return;
      case 'writable':
      case 'connected':
      case 'gone':
      case 'path_proved':
      case 'path_unproved':
      case 'deny_lists':
      case 'signed':
        return;
    }
  }

  private transmit(sim: SimNode, { to, bytes, ttl }: Extract<NodeOutput, { type: 'datagram' }>): void {
    if (this.cut?.(sim, to, bytes) === true) return;
    const udp = parseUdpPath(to);
    const from = udp && sim.sockets.get(udp.socket);
    if (udp !== undefined && from !== undefined)
      this.internet.send(this.now, sim.host, from, udp.endpoint, Uint8Array.from(bytes), ttl);
    const wire = this.wires.get(`${sim.name} ${to}`);
    const copy = Uint8Array.from(bytes);
    if (wire !== undefined)
      this.after(this.internet.weather.latencyMs, () => {
        if (this.wires.get(`${sim.name} ${to}`) === wire) this.arrive(wire.to, wire.path, copy);
      });
  }

  /** `ws://<name>:80` */
  private dial(sim: SimNode, peer: string, url: string): void {
    const to = this.nodes.get(new URL(url).hostname as Name);
    if (to === undefined || this.nodes.get(sim.name) !== sim) return;
    const near = webSocketPath(++this.wireCount);
    const far = webSocketPath(++this.wireCount, sim.sockets.get('0')?.host);
    const key = `${sim.name} ${near}`;
    this.wires.set(key, { from: sim, to, path: far });
    this.wires.set(`${to.name} ${far}`, { from: to, to: sim, path: near });
    this.after(2 * this.internet.weather.latencyMs, () => {
      if (this.wires.has(key)) sim.node.opened(this.now, peer, near);
    });
  }
}

/** A relay on the internet, with two addresses. */
export function addRelay(
  world: World,
  name: 'r1' | 'r2' = 'r1',
  setup: NodeSetup = {},
): { readonly sim: SimNode; readonly at: RelayAddress } {
  const last = name === 'r1' ? 10 : 20;
  const own = [`198.51.100.${last}`, `198.51.100.${last + 1}`];
  const sim = world.add(name, { relay: true, addresses: own, ...setup });
  return { sim, at: { publicKey: sim.key, endpoints: [...own.map((host) => `${host}:${PORT}`), `ws://${name}:80`] } };
}
