/** Direct ways to peers: what this node looks like from outside, and punching with each of them. */
import { createHmac } from 'node:crypto';
import { isIP } from 'node:net';
import { endpointText, parseUdpPath, udpPath, type Endpoint } from '../paths/endpoint.ts';
import { PunchBudget } from '../punch/budget.ts';
import { gather, type NatKind } from '../punch/candidates.ts';
import { NatObserver, type NatView } from '../punch/nat.ts';
import type { OwnSide, ProbeSocket, PunchCode, PunchOutput } from '../punch/output.ts';
import { Punching } from '../punch/punching.ts';
import { hexOf, type PublicKey } from '../key-text.ts';
import type { PathId } from '../source.ts';
import type { Carrier } from './carrier.ts';
import type { NodeOptions, NodeOutput } from './ports.ts';
import type { RemotePeer } from './remote-peer.ts';

export interface TraversalOptions {
  readonly options: NodeOptions;
  readonly peers: ReadonlyMap<PublicKey, RemotePeer>;
  readonly emit: (output: NodeOutput) => void;
  readonly carrier: Carrier;
  readonly touch: (peer: RemotePeer) => void;
  /** Relays at which this node is registered. */
  readonly relays: () => readonly PublicKey[];
}

const SECRET_BYTES = 32;
const DATA_BYTES = 8;

export class Traversal {
  readonly nat: NatObserver;
  private readonly o: TraversalOptions;
  private readonly ownKey: PublicKey;
  private readonly budget = new PunchBudget();
  /** By which answers to probes are known, without a note of each: hundreds go to ports that nobody has. */
  private readonly secret: Uint8Array;
  private sockets: readonly ProbeSocket[] = [];
  private hosts: readonly Endpoint[] = [];

  constructor(o: TraversalOptions) {
    this.o = o;
    this.ownKey = hexOf(o.options.identity.publicKey);
    this.secret = o.options.random(SECRET_BYTES);
    this.nat = new NatObserver({ addresses: () => this.hosts });
  }

  listening(sockets: readonly ProbeSocket[], hosts: readonly Endpoint[]): void {
    this.sockets = sockets;
    this.hosts = hosts;
  }

  networkChanged(hosts: readonly Endpoint[]): void {
    this.hosts = hosts;
    this.nat.networkChanged();
    for (const { punching } of this.o.peers.values()) punching?.networkChanged();
  }

  /** From each socket that can send there. */
  pathsTo(endpoint: Endpoint): readonly PathId[] {
    const family = isIP(endpoint.host);
    return this.sockets.filter((socket) => socket.family === family).map(({ name }) => udpPath(name, endpoint));
  }

  /** A peer told how it sees this node, on this path. Only relays are believed. */
  observed(now: number, peer: RemotePeer, path: PathId, seen: Endpoint | undefined): void {
    const parsed = parseUdpPath(path);
    const isRelay = peer.authorization?.type === 'member' && peer.authorization.roles.includes('relay');
    if (parsed === undefined || seen === undefined || !isRelay) return;
    this.nat.observed(now, `${peer.key}/${endpointText(parsed.endpoint)}`, parsed.socket, seen);
  }

  /** The path in use is no direct one, and it is time to look for one. */
  wantDirect(now: number, peer: RemotePeer): void {
    if (!peer.isMember) return;
    this.punchingOf(peer).start(now, peer.connection.rttMs);
  }

  /** CANDIDATES or PUNCH of a member. */
  control(now: number, peer: RemotePeer, code: PunchCode, bytes: Uint8Array): void {
    this.punchingOf(peer).control(now, code, bytes);
  }

  /** A challenge came by this path. While both look for a way, one that leads here is worth a look in return. */
  challenged(now: number, peer: RemotePeer, path: PathId): void {
    if (peer.punching !== undefined && isUnderWay(peer.punching) && parseUdpPath(path) !== undefined)
      peer.paths?.probe(now, path);
  }

  /** Whether it answers a probe of punching: then the path leads there and back. */
  response(now: number, peer: RemotePeer, path: PathId, data: Uint8Array): boolean {
    if (peer.punching === undefined || Buffer.compare(data, this.dataFor(peer, path)) !== 0) return false;
    peer.paths?.probe(now, path);
    return true;
  }

  /** A direct path came into use. */
  direct(peer: RemotePeer, path: PathId): void {
    peer.punching?.direct(path);
  }

  gone(peer: RemotePeer): void {
    peer.punching?.stop();
    for (const output of peer.punching?.take() ?? []) if (output.type === 'close') this.close(output.sockets);
  }

  /** Sends what punching with this peer wants to be sent. */
  move(now: number, peer: RemotePeer): void {
    for (const output of peer.punching?.take() ?? []) this.act(now, peer, output);
  }

  view(): readonly NatView[] {
    return this.nat.view();
  }

  /** Of the first socket of which anything is known. */
  get kind(): NatKind {
    return this.sockets.map(({ name }) => this.nat.kind(name)).find((kind) => kind !== 'unknown') ?? 'unknown';
  }

  get reflexive(): readonly Endpoint[] {
    return this.sockets.flatMap(({ name }) => this.nat.reflexive(name));
  }

  private act(now: number, peer: RemotePeer, output: PunchOutput): void {
    switch (output.type) {
      case 'control':
        try {
          peer.connection.control(now, { type: 'control', code: output.code, bytes: output.bytes });
        } catch {
          // There will be another attempt.
          this.o.options.drops.control_full += 1;
        }
        return;
      case 'probe': {
        const { path, ttl } = output;
        this.o.carrier.unwatched(now, peer, path, [{ type: 'path_challenge', data: this.dataFor(peer, path) }], undefined, ttl);
        return;
      }
      case 'vantage':
        return this.look(now, output.socket);
      case 'open':
        return this.o.emit({ type: 'open_sockets', sockets: output.sockets });
      case 'close':
        return this.close(output.sockets);
      case 'ended':
        return;
    }
  }

  /** Challenges all relays from a socket, so that they tell how they see it. */
  private look(now: number, socket: string): void {
    for (const key of this.o.relays()) {
      const relay = this.o.peers.get(key);
      if (relay?.paths === undefined) continue;
      const endpoints = new Map<string, Endpoint>();
      for (const path of [...relay.hints, ...relay.paths.view().map((view) => view.path)]) {
        const endpoint = parseUdpPath(path)?.endpoint;
        if (endpoint !== undefined && isIP(endpoint.host) === 4) endpoints.set(endpointText(endpoint), endpoint);
      }
      for (const endpoint of endpoints.values()) {
        const path = udpPath(socket, endpoint);
        this.o.carrier.unwatched(now, relay, path, [{ type: 'path_challenge', data: this.dataFor(relay, path) }]);
      }
    }
  }

  private close(sockets: readonly string[]): void {
    for (const socket of sockets) this.nat.forget(socket);
    this.o.emit({ type: 'close_sockets', sockets });
  }

  private punchingOf(peer: RemotePeer): Punching {
    const { random, drops, birthday = false } = this.o.options;
    peer.punching ??= new Punching({
      random,
      drops,
      birthday,
      peer: peer.key,
      leads: this.ownKey < peer.key,
      own: (fresh) => this.own(fresh),
      sockets: () => this.sockets,
      budget: this.budget,
      forbidden: (endpoint) => this.isRelay(endpoint),
    });
    this.o.touch(peer);
    return peer.punching;
  }

  private own(fresh: string | undefined): OwnSide {
    if (fresh !== undefined)
      return { candidates: gather({ hosts: [], reflexive: this.nat.reflexive(fresh) }), kind: this.nat.kind(fresh) };
    return { candidates: gather({ hosts: this.hosts, reflexive: this.reflexive }), kind: this.kind };
  }

  private isRelay(endpoint: Endpoint): boolean {
    const text = endpointText(endpoint);
    return this.o.relays().some((key) => {
      const relay = this.o.peers.get(key);
      const paths = [...(relay?.hints ?? []), ...(relay?.paths?.view() ?? []).map((view) => view.path)];
      return paths.some((path) => path.endsWith(`/${text}`));
    });
  }

  private dataFor(peer: RemotePeer, path: PathId): Uint8Array {
    return createHmac('sha256', this.secret).update(peer.key).update(path).digest().subarray(0, DATA_BYTES);
  }
}

const isUnderWay = (punching: Punching): boolean => !['relayed', 'direct'].includes(punching.view().state);
