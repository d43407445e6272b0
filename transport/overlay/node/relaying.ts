/** Relays, from both ends: those that this node is reached by, and those who are reached by this node, where it has the role. */
import { isMeshError } from '../../../core/errors.ts';
import type { OverlayAddress } from '../identity/address.ts';
import { relayPath } from '../paths/endpoint.ts';
import { parseRelay } from '../relay/bodies.ts';
import type { Query, RelayStatus, RendezvousOutput } from '../relay/ports.ts';
import { RelayServer, type ControlBody, type RelayView } from '../relay/relay-server.ts';
import { Rendezvous } from '../relay/rendezvous.ts';
import { hexOf, type PublicKey } from '../key-text.ts';
import type { PathId } from '../source.ts';
import { CONTROL } from '../wire/frames.ts';
import type { Carrier } from './carrier.ts';
import type { NodeOptions, NodeOutput } from './ports.ts';
import type { RemotePeer } from './remote-peer.ts';
import { Visits } from './visits.ts';

export interface RelayingOptions {
  readonly options: NodeOptions;
  readonly peers: ReadonlyMap<PublicKey, RemotePeer>;
  readonly emit: (output: NodeOutput) => void;
  readonly carrier: Carrier;
  readonly touch: (peer: RemotePeer) => void;
  /** Undefined: it is being computed, and `addressIs` follows. */
  readonly addressOf: (key: PublicKey) => OverlayAddress | undefined;
  readonly reach: (now: number, key: PublicKey, paths: readonly PathId[]) => void;
  /** A packet that came by way of a relay. */
  readonly inner: (now: number, path: PathId, packet: Uint8Array) => void;
}

type RegisterCode = typeof CONTROL.register | typeof CONTROL.resolve;

/** Peers whose address is being computed. Of each the last REGISTER and the last RESOLVE wait, which it sends again anyway. */
const WAITING_MAX = 1_024;

export class Relaying {
  private readonly o: RelayingOptions;
  private readonly rendezvous: Rendezvous | undefined;
  private readonly server: RelayServer | undefined;
  private readonly waiting = new Map<PublicKey, Map<RegisterCode, Uint8Array>>();
  /** Questions of this node itself, for peers that it wants to reach. */
  private readonly finding = new Map<number, PublicKey>();
  private readonly visits = new Visits();
  private readyBefore: readonly PublicKey[] = [];
  private isStarted = false;
  private isClosed = false;

  constructor(o: RelayingOptions) {
    this.o = o;
    const { identity, network, random, wallClock, drops, relays = [], name = '', seq = 0, relay = false } = o.options;
    if (network === undefined) return;
    this.rendezvous = new Rendezvous({ identity, network, random, wallClock, drops, relays, name, seq });
    const endpoints = new Map(relays.map((known) => [known.publicKey, known.endpoints]));
    if (o.options.endpoints !== undefined) endpoints.set(hexOf(identity.publicKey), o.options.endpoints);
    if (relay) this.server = new RelayServer({ network, wallClock, drops, endpoints });
  }

  /** Relays at which this node is registered. */
  ready(): readonly PublicKey[] {
    return this.rendezvous?.ready() ?? [];
  }

  isRelay(key: PublicKey): boolean {
    return this.rendezvous?.has(key) === true;
  }

  /** To a peer by way of each relay that may have it. */
  pathsTo(peer: RemotePeer): readonly PathId[] {
    return this.ready()
      .filter((relay) => relay !== peer.key)
      .map((relay) => relayPath(relay, peer.hash));
  }

  /** Ask where a peer is registered, and go there where it is no relay of this node. */
  find(now: number, peer: RemotePeer): void {
    if (this.rendezvous === undefined || this.isRelay(peer.key)) return;
    // It is asked again and again as it is.
    if ([...this.finding.values()].includes(peer.key)) return;
    this.finding.set(this.rendezvous.resolve(now, { key: peer.key }), peer.key);
  }

  /** The id that its 'resolved' has. Without relays nothing is found. */
  resolve(now: number, query: Query): number {
    return this.rendezvous?.resolve(now, query) ?? -1;
  }

  private get canResolve(): boolean {
    return this.rendezvous?.hasRelays === true;
  }

  up(now: number, peer: RemotePeer): void {
    if (peer.isMember && this.isRelay(peer.key)) this.rendezvous?.up(now, peer.key, peer.connection.rttMs);
  }

  /**
   * The session with this peer has ended, at least for what is new: nobody is registered, or reached, in it. `hasRefused`: one of both sides does
   * not let the other in.
   */
  down(now: number, peer: RemotePeer, hasRefused: boolean): void {
    this.server?.gone(peer.key);
    if (this.isRelay(peer.key)) this.rendezvous?.down(now, peer.key, hasRefused);
  }

  /** There is a sample of the round trip, or another path. Where this node is registered, keepalives go on: NATs forget who is silent for 30 s. */
  measured(now: number, peer: RemotePeer): void {
    if (!this.isRelay(peer.key)) return;
    if (this.readyBefore.includes(peer.key)) peer.paths?.traffic(now);
    const rttMs = peer.activePath?.rttMs;
    if (rttMs !== undefined) this.rendezvous?.rtt(now, peer.key, rttMs);
  }

  /** What was sent to this relay, or by way of it, is not acknowledged. */
  doubt(now: number, peer: RemotePeer): void {
    if (this.isRelay(peer.key)) this.rendezvous?.doubt(now, peer.key);
  }

  gone(now: number, peer: RemotePeer, hasRefused: boolean): void {
    this.waiting.delete(peer.key);
    for (const relay of this.visits.end(peer.key)) this.rendezvous?.leave(now, relay);
    this.down(now, peer, hasRefused);
  }

  /** The way to this relay is no UDP path, and it is time to look for one. */
  wantDirect(now: number, peer: RemotePeer): void {
    if (this.isRelay(peer.key)) this.rendezvous?.wantDirect(now, peer.key);
  }

  networkChanged(now: number): void {
    this.rendezvous?.networkChanged(now);
  }

  /** REGISTER, RESOLVE or RECORD of a member. */
  control(now: number, peer: RemotePeer, code: RegisterCode | typeof CONTROL.record, bytes: Uint8Array): void {
    if (code === CONTROL.record) {
      this.rendezvous?.control(now, peer.key, code, bytes);
      return;
    }
    if (this.server === undefined) {
      this.o.options.drops.relay_role += 1;
      return;
    }
    const address = this.o.addressOf(peer.key);
    const name = peer.isCertified ? peer.certifiedName : undefined;
    if (address !== undefined) this.answer(now, peer, this.server.control(now, peer.key, code, bytes, address, name));
    else this.keep(peer.key, code, bytes);
  }

  private keep(key: PublicKey, code: RegisterCode, bytes: Uint8Array): void {
    const waiting = this.waiting.get(key);
    if (waiting !== undefined) waiting.set(code, Uint8Array.from(bytes));
    else if (this.waiting.size < WAITING_MAX) this.waiting.set(key, new Map([[code, Uint8Array.from(bytes)]]));
  }

  /** The address for which requests wait. */
  addressIs(now: number, key: PublicKey): void {
    const requests = this.waiting.get(key) ?? [];
    const peer = this.o.peers.get(key);
    this.waiting.delete(key);
    if (peer?.isMember === true) for (const [code, bytes] of requests) this.control(now, peer, code, bytes);
  }

  /** The body of a RELAY frame of this peer. */
  relay(now: number, peer: RemotePeer, body: Uint8Array): void {
    const { drops } = this.o.options;
    const parsed = parseRelay(body);
    if (parsed === undefined || !peer.isMember) drops.relay_malformed += 1;
    else if (parsed.type === 'to') {
      if (this.server === undefined) drops.relay_role += 1;
      else this.answer(now, peer, this.server.relay(now, peer.key, body));
    } else if (!this.isRelay(peer.key)) drops.relay_role += 1;
    else this.o.inner(now, relayPath(peer.key, hexOf(parsed.hash)), parsed.packet);
  }

  /** Sends what clients have for each other, and acts on what the rendezvous says. */
  flush(now: number): void {
    if (!this.isStarted) {
      this.isStarted = true;
      this.rendezvous?.start(now);
    }
    for (const { to, body } of this.server?.take() ?? []) {
      const client = this.o.peers.get(to);
      if (client !== undefined) this.o.carrier.relay(now, client, body);
    }
    if (!this.isClosed) this.takeRendezvous(now);
  }

  /** This node stops: no more relays are looked for, and nobody is reached by them. Clients are served on. */
  close(): void {
    this.isClosed = true;
  }

  nextAt(): number {
    const server = this.server?.nextAt() ?? Infinity;
    if (this.isClosed) return server;
    return Math.min(this.isStarted ? Infinity : 0, this.rendezvous?.nextAt() ?? Infinity, server);
  }

  tick(now: number): void {
    if (!this.isClosed) this.rendezvous?.tick(now);
    this.server?.tick(now);
  }

  view(): { readonly relays: readonly RelayStatus[]; readonly server: RelayView | undefined } {
    return { relays: this.rendezvous?.view() ?? [], server: this.server?.view() };
  }

  /** In words, for who waited for this peer. */
  whyUnreachable(peer: RemotePeer): string {
    if (!this.canResolve && peer.hints.size === 0)
      return `no endpoint of ${peer.key} is known, and this node has no relay to ask`;
    if (this.ready().length === 0 && peer.hints.size === 0)
      return `no endpoint of ${peer.key} is known, and no relay of this node answers`;
    if (this.visits.isWithout(peer.key))
      return `${peer.key} has other relays than this node, which is at as many relays of others as it may be`;
    return `${peer.key} did not answer in time`;
  }

  private takeRendezvous(now: number): void {
    const { rendezvous } = this;
    if (rendezvous === undefined) return;
    for (const output of rendezvous.take()) {
      switch (output.type) {
        case 'connect':
          this.o.emit({ type: 'look_up', peer: output.relay, endpoints: output.endpoints });
          break;
        case 'dial':
          this.o.emit({ type: 'dial', peer: output.relay, url: output.url });
          break;
        case 'control': {
          const relay = this.o.peers.get(output.relay);
          if (relay !== undefined) this.answer(now, relay, [output]);
          break;
        }
        case 'home':
          if (output.relay !== undefined) this.o.emit({ type: 'event', event: { type: 'home_relay', relay: output.relay } });
          break;
        case 'resolved':
          this.onResolved(now, rendezvous, output);
          break;
        case 'not_here':
          this.notHere(now, relayPath(output.relay, output.hash), output.hash);
          break;
        case 'signed':
          this.o.emit({ type: 'signed', seq: output.seq });
          break;
        case 'release':
          // It idles, and ends by itself: without traffic nothing renews its keys. That is safer than an end: the peer may be used by others than the
          // rendezvous, from either side, and is wanted again as soon as something is asked for.
          break;
      }
    }
    this.onReady(now);
  }

  private onResolved(
    now: number,
    rendezvous: Rendezvous,
    { id, records, relays, next, endedBy }: Extract<RendezvousOutput, { readonly type: 'resolved' }>,
  ): void {
    const wanted = this.finding.get(id);
    this.finding.delete(id);
    if (wanted === undefined) {
      this.o.emit({ type: 'resolved', id, records, next, endedBy });
      return;
    }
    const [record] = records;
    if (record === undefined || !this.o.peers.has(wanted)) return;
    const named = record.relays.map(hexOf);
    const ready = new Set(this.ready());
    // One that both are registered at will do. Where this node is only for another peer's sake, it is for this one's too.
    const shared = named.filter((key) => ready.has(key));
    const isNear = shared.some((key) => !this.visits.isVisited(key));
    const foreign = isNear ? [] : shared.length > 0 ? shared : named;
    const visited = foreign.filter((key) => rendezvous.visit(now, key, relays.get(key) ?? []));
    for (const key of this.visits.begin(wanted, visited, foreign.length > 0)) rendezvous.leave(now, key);
  }

  /** A relay at which this node was not registered before may lead to anyone. */
  private onReady(now: number): void {
    const ready = this.ready();
    if (ready === this.readyBefore) return;
    const isNew = ready.some((relay) => !this.readyBefore.includes(relay));
    this.readyBefore = ready;
    if (!isNew) return;
    for (const peer of this.o.peers.values()) {
      if (peer.endsAt !== Infinity || !(peer.isConnecting || peer.isUp)) continue;
      if (peer.isConnecting) this.find(now, peer);
      this.o.reach(now, peer.key, this.pathsTo(peer));
    }
  }

  private notHere(now: number, path: PathId, hash: string): void {
    for (const peer of this.o.peers.values()) {
      if (peer.hash !== hash) continue;
      peer.paths?.failed(now, path, 'unreachable');
      this.o.touch(peer);
    }
  }

  private answer(now: number, peer: RemotePeer, frames: readonly Pick<ControlBody, 'code' | 'bytes'>[]): void {
    try {
      for (const { code, bytes } of frames) peer.connection.control(now, { type: 'control', code, bytes });
    } catch (error) {
      // It asks again, if it still wants to know.
      if (!isMeshError(error)) throw error;
      this.o.options.drops.control_full += 1;
    }
    this.o.touch(peer);
  }
}
