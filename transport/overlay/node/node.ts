/**
 * One node of the overlay, whole, without its sockets and its clock: sessions, and for each peer a connection, paths and punching; relays and
 * what is asked of them; and the relay role.
 *
 *   datagram -> Sessions -> payload -> RELAY frames: Relaying     path frames: Paths     all else: Connection -> message
 *   send     -> Connection -> Sessions -> Carrier -> datagram, or RELAY
 *
 * Inputs only mark peers as touched; `take` moves everything that is touched, so that what was sent in one turn shares packets and ACKs. Whoever
 * drives it calls `take` after its inputs, and `tick` at `nextAt`.
 */
import { MeshError } from '../../../core/errors.ts';
import { Agenda } from '../../../core/agenda.ts';
import { keptBudget } from '../channels/kept.ts';
import { CONNECTION_LIMITS, connectionLimits, type ConnectionLimits } from '../channels/limits.ts';
import { Bbr } from '../congestion/bbr.ts';
import type { OverlayAddress } from '../identity/address.ts';
import { parseEndpointBytes, type Endpoint } from '../paths/endpoint.ts';
import { Paths, type PathError } from '../paths/paths.ts';
import { keyHash } from '../relay/hash.ts';
import type { Query, RelayStatus } from '../relay/ports.ts';
import { hexOf, type PublicKey } from '../key-text.ts';
import type { PayloadOutput, SessionOutput, UpOutput } from '../session/output.ts';
import { Sessions } from '../session/sessions.ts';
import type { PathId } from '../source.ts';
import { JOIN_ANSWER_BYTES_MAX } from '../trust/join.ts';
import { CONTROL, parseFrames, type ChannelMode } from '../wire/frames.ts';
import { DATA_OVERHEAD_BYTES } from '../wire/packets.ts';
import { Carrier } from './carrier.ts';
import { isReserved } from './channels.ts';
import { Denials } from './denials.ts';
import { Endings } from './endings.ts';
import { Farewell } from './farewell.ts';
import type { NodeOptions, NodeOutput, NodeView, Ticket } from './ports.ts';
import { Inbound } from './inbound.ts';
import { Reaching } from './reaching.ts';
import { Relaying } from './relaying.ts';
import { RemotePeer } from './remote-peer.ts';
import { isOfPath, observedBytes, Steering } from './steering.ts';
import { Traversal } from './traversal.ts';
import { Views } from './view.ts';

/** Of messages that are not whole, or not in their turn: of all peers. */
const KEPT_BYTES = 64 * 2 ** 20;
/** A request to join takes a packet or two. */
const GUEST_KEPT_BYTES = 64 * 2 ** 10;
const MAX_DATAGRAM = 16_384;
const PEERS_MAX = 65_536;

export class OverlayNode {
  private readonly options: NodeOptions;
  private readonly peersMax: number;
  private readonly limits: ConnectionLimits;
  /** Of users. */
  private readonly messageBytesMax: number;
  private readonly budget = keptBudget(KEPT_BYTES);
  private readonly peers = new Map<PublicKey, RemotePeer>();
  private readonly agenda = new Agenda<RemotePeer>();
  private readonly sessions: Sessions;
  private readonly carrier: Carrier;
  private readonly relaying: Relaying;
  private readonly reaching: Reaching;
  private readonly traversal: Traversal;
  private readonly steering: Steering;
  private readonly endings: Endings;
  private readonly denials: Denials;
  private readonly inbound: Inbound;
  private readonly farewell: Farewell;
  readonly views: Views;
  private readonly addresses = new Map<PublicKey, OverlayAddress>();
  private touched = new Set<RemotePeer>();
  private generations = 0;
  private outputs: NodeOutput[] = [];

  constructor(options: NodeOptions) {
    const { identity, trust, random, wallClock, drops, network, keyLimits = {}, maxDatagram = MAX_DATAGRAM } = options;
    this.options = options;
    this.peersMax = options.peersMax ?? PEERS_MAX;
    this.messageBytesMax = network?.limits.messageBytesMax ?? CONNECTION_LIMITS.messageBytesMax;
    // Deny lists and certificates get through whatever the network allows its users.
    this.limits = connectionLimits(Math.max(this.messageBytesMax, JOIN_ANSWER_BYTES_MAX));
    const observed = (from: PathId): Uint8Array => observedBytes(from);
    this.sessions = new Sessions({ identity, trust, random, wallClock, drops, maxDatagram, observed, keyLimits });
    const emit = (output: NodeOutput): void => void this.outputs.push(output);
    const { sessions, peers } = this;
    const drain = (now: number): void => this.drain(now);
    this.carrier = new Carrier({ sessions, peers, emit, drops, drain });
    const shared = { options, peers, emit, carrier: this.carrier, touch: (peer: RemotePeer) => this.touch(peer) };
    this.relaying = new Relaying({
      ...shared,
      addressOf: (key) => this.addressFor(key),
      reach: (now, key, paths) => this.reach(now, key, paths),
      inner: (now, path, packet) => this.sessions.receive(now, path, packet),
    });
    this.reaching = new Reaching({ ...shared, sessions, relaying: this.relaying, drain });
    this.traversal = new Traversal({ ...shared, relays: () => this.relaying.ready() });
    const { relaying, traversal, addresses } = this;
    const nameOf = (peer: RemotePeer): string => this.views.nameOf(peer);
    this.steering = new Steering({ ...shared, random, sessions, relaying, traversal, nameOf });
    const { steering } = this;
    const dismiss = (peer: RemotePeer): void => {
      this.agenda.delete(peer);
      this.touched.delete(peer);
    };
    this.endings = new Endings({ ...shared, drops, addresses, sessions, relaying, traversal, steering, nameOf, dismiss });
    const { endings } = this;
    this.denials = new Denials({ ...shared, expel: (now, peer, reason, proofs) => endings.expel(now, peer, reason, proofs) });
    const { denials } = this;
    this.inbound = new Inbound({ drops, relaying, traversal, denials, endings, emit });
    const isRelay = (peer: PublicKey): boolean => relaying.isRelay(peer);
    this.farewell = new Farewell({ peers, isRelay, end: (now, peer) => endings.goodbye(now, peer) });
    const key = hexOf(identity.publicKey);
    const { expelledBy } = endings;
    this.views = new Views({ key, peers, known: options.peers ?? [], relaying, traversal, drops, addresses, expelledBy });
  }

  /** A datagram of anyone. Keeps none of its bytes. */
  receive(now: number, path: PathId, bytes: Uint8Array): void {
    this.sessions.receive(now, path, bytes);
    this.drain(now);
  }

  /** What listens: the name of each socket, its family, and the endpoints at which others on the same networks may reach it. */
  listening(sockets: readonly { readonly name: string; readonly family: 4 | 6 }[], hosts: readonly Endpoint[]): void {
    this.traversal.listening(sockets, hosts);
  }

  /** Other interfaces, or other addresses: all paths are looked at. */
  networkChanged(now: number, hosts: readonly Endpoint[]): void {
    this.traversal.networkChanged(hosts);
    this.relaying.networkChanged(now);
    for (const peer of this.peers.values()) {
      peer.paths?.networkChanged(now);
      for (const hint of peer.hints) peer.paths?.probe(now, hint);
      this.touch(peer);
    }
  }

  /** A path can carry nothing: as the endpoint says. Undefined: all paths of this socket. */
  pathFailed(now: number, path: PathId | undefined, socket: string, error: PathError): void {
    for (const peer of this.peers.values()) {
      // Anyone may open a WebSocket and close it: of those who have no such path nothing is moved.
      for (const each of peer.pathsOf(path, socket)) {
        peer.paths?.failed(now, each, error);
        if (error === 'closed') peer.hints.delete(each);
        this.touch(peer);
      }
    }
  }

  /** Where a peer may be reached by UDP: what was looked up. */
  hints(now: number, key: PublicKey, endpoints: readonly Endpoint[]): void {
    if (!this.isWanted(key)) return;
    this.reach(
      now,
      key,
      endpoints.flatMap((endpoint) => this.traversal.pathsTo(endpoint)),
    );
  }

  /** A WebSocket to this peer is open. */
  opened(now: number, key: PublicKey, path: PathId): void {
    if (this.isWanted(key)) this.reach(now, key, [path]);
    else this.outputs.push({ type: 'gone', peer: key });
  }

  /** The address of a key, which the caller has computed. */
  addressIs(now: number, key: PublicKey, address: OverlayAddress): void {
    this.addresses.set(key, address);
    this.relaying.addressIs(now, key);
  }

  /** Get into touch. 'connected' or 'failed' follows. */
  connect(now: number, key: PublicKey): void {
    const peer = this.peerFor(now, key);
    if (peer === undefined) {
      this.outputs.push({ type: 'failed', peer: key, error: this.noRoom() });
      return;
    }
    if (peer.isUp && peer.paths?.active !== undefined) {
      this.outputs.push({ type: 'connected', peer: key });
      return;
    }
    this.reaching.begin(now, peer);
  }

  /**
   * Queues a message for a peer, and connects to it if need be. 'delivered' or 'lost' with this ticket follows for reliable ones. Keeps `bytes`.
   *
   * Throws: NET_BACKPRESSURE ('writable' follows), NET_CLOSED, NET_CHANNEL_REFUSED, PAYLOAD_TOO_LARGE, NET_PEER_UNREACHABLE where there are too many peers.
   */
  send(now: number, key: PublicKey, channel: string, bytes: Uint8Array, mode: ChannelMode = 0): Ticket {
    if (bytes.length > this.messageBytesMax && !isReserved(channel))
      throw new MeshError('PAYLOAD_TOO_LARGE', `a message of ${bytes.length} bytes; at most ${this.messageBytesMax} may be sent`);
    const peer = this.peerFor(now, key);
    if (peer === undefined) throw this.noRoom();
    const number = peer.connection.send(now, channel, bytes, mode);
    peer.trafficAt = now;
    peer.paths?.traffic(now);
    if (!peer.isUp) this.reaching.begin(now, peer);
    this.touch(peer);
    return { generation: peer.generation, channel, number };
  }

  /** Gives up what waits for a peer on a channel: 'lost' follows for each, though the peer may have it. */
  reset(now: number, key: PublicKey, channel: string): void {
    const peer = this.peers.get(key);
    if (peer === undefined) return;
    peer.connection.reset(now, channel);
    this.touch(peer);
  }

  /** Measures the way to a peer: 'pong' follows, or nothing. False: there is no path. */
  ping(now: number, key: PublicKey): boolean {
    const peer = this.peers.get(key);
    return peer !== undefined && this.steering.ping(now, peer);
  }

  /** Who is this? Asked of the relays; 'resolved' follows with the same id. */
  resolve(now: number, query: Query): number {
    return this.relaying.resolve(now, query);
  }

  /** A deny list, of a file or an authority. Peers who stand in it are closed, and the others get it. */
  installDenyList(now: number, list: Uint8Array): string {
    return this.denials.install(now, list);
  }

  /** Whoever is not let in any more is closed: after a change of pins. */
  reauthorize(now: number): void {
    this.denials.reauthorize(now);
  }

  /** This node is let in as somebody else from now on: as a member, who was a guest. What there is between it and others ends, and begins anew. */
  beginAnew(now: number): void {
    for (const peer of this.peers.values()) if (peer.isUp) this.endings.forget(now, peer, 'this node is a member again');
  }

  /** Say goodbye to all. When nothing is left in `isClosed`, everything that was sent has arrived. */
  close(now: number): void {
    this.relaying.close();
    this.farewell.begin(now);
  }

  get isClosed(): boolean {
    return [...this.peers.values()].every((peer) => peer.endsAt !== Infinity);
  }

  nextAt(): number {
    if (this.touched.size > 0) return 0;
    return Math.min(this.sessions.nextAt(), this.agenda.nextAt(), this.relaying.nextAt(), this.farewell.nextAt());
  }

  tick(now: number): void {
    this.sessions.tick(now);
    this.drain(now);
    this.relaying.tick(now);
    for (const peer of this.agenda.due(now)) this.tickPeer(now, peer);
    this.farewell.go(now);
  }

  /** Moves what is touched, and gives what has come of all inputs since the last `take`. */
  take(now: number): readonly NodeOutput[] {
    this.relaying.flush(now);
    while (this.touched.size > 0) {
      const { touched } = this;
      this.touched = new Set();
      for (const peer of touched) if (this.peers.get(peer.key) === peer) this.move(now, peer);
      this.drain(now);
      this.relaying.flush(now);
      this.farewell.go(now);
    }
    const taken = this.outputs;
    this.outputs = [];
    return taken;
  }

  view(): NodeView {
    return this.views.node();
  }

  /** Of this node. */
  relays(): readonly RelayStatus[] {
    return this.relaying.view().relays;
  }

  private drain(now: number): void {
    for (let outputs = this.sessions.take(); outputs.length > 0; outputs = this.sessions.take())
      for (const output of outputs) this.onSession(now, output);
  }

  private onSession(now: number, output: SessionOutput): void {
    switch (output.type) {
      case 'datagram':
        return this.carrier.transmit(now, output.to, output.bytes);
      case 'payload':
        return this.onPayload(now, output);
      case 'up':
        return this.onUp(now, output);
      case 'renewed': {
        const peer = this.peers.get(output.peer);
        if (peer !== undefined) this.authorized(now, peer, output.authorization);
        return;
      }
      case 'down':
        return this.onDown(now, output.peer);
      case 'failed':
        return this.onFailed(now, output.peer, output.error);
    }
  }

  private onUp(now: number, up: UpOutput): void {
    if (up.authorization.type === 'guest' && !this.denials.mayVisit(up.peer)) return this.endings.refuseGuest(now, up.peer);
    const peer = this.peers.get(up.peer) ?? this.newPeer(now, up.peer);
    if (peer === undefined) return this.sessions.close(up.peer);
    const isAnother = up.association !== peer.association;
    // Its connection has ended, so nothing could be said with these keys.
    if (!isAnother && peer.endsAt !== Infinity) return this.endings.forget(now, peer, peer.endReason);
    if (isAnother && peer.association !== 0) {
      this.endings.lose(
        peer,
        new MeshError('NET_PEER_RESTARTED', `${peer.key} has started again: it may not have got what was under way`),
      );
      // A guest that has become a member did not start again: it begins.
      if (peer.isMember) this.tell({ type: 'peer_restarted', peer: peer.key, name: this.views.nameOf(peer) });
      peer.renewConnection();
      peer.punching?.reset();
    }
    peer.association = up.association;
    peer.isUp = true;
    this.endings.expelledBy.delete(peer.key);
    peer.isConnecting = false;
    peer.connectBy = Infinity;
    peer.retryAt = Infinity;
    peer.askedSince = Infinity;
    peer.restsSince = Infinity;
    peer.endsAt = Infinity;
    this.authorized(now, peer, up.authorization);
    this.steering.prove(peer, up.from);
    const maxDatagram = Math.min(up.maxDatagram, this.options.maxDatagram ?? MAX_DATAGRAM);
    peer.paths = new Paths({ random: this.options.random, maxDatagram, drops: this.options.drops });
    if (!isAnother) peer.connection.pathChanged(now);
    // Of whoever wanted it.
    peer.paths.traffic(peer.trafficAt);
    peer.paths.begin(now, up.from, up.isInitiator, up.handshake);
    for (const path of [...peer.hints, ...this.relaying.pathsTo(peer)]) if (path !== up.from) peer.paths.probe(now, path);
    this.traversal.observed(now, peer, up.from, parseEndpointBytes(up.observed));
    this.outputs.push({ type: 'connected', peer: peer.key });
    this.tell({ type: 'peer_up', peer: peer.key, name: this.views.nameOf(peer), path: up.from });
    this.relaying.up(now, peer);
    this.denials.up(now, peer);
    if (peer.isMember && peer.certifiedAddress === undefined) this.addressFor(peer.key);
    this.touch(peer);
  }

  private authorized(now: number, peer: RemotePeer, authorization: UpOutput['authorization']): void {
    peer.authorization = authorization;
    peer.connection.limitKept(authorization.type === 'guest' ? GUEST_KEPT_BYTES : Infinity);
    const { certificate } = authorization.type === 'member' ? authorization : {};
    if (certificate !== undefined) this.addresses.set(peer.key, certificate.address);
    this.denials.watch(now, peer);
  }

  private onDown(now: number, key: PublicKey): void {
    const peer = this.peers.get(key);
    if (peer === undefined) return;
    peer.isUp = false;
    peer.restsSince = now;
    this.steering.unprove(peer);
    this.relaying.down(now, peer, false);
    if (peer.connection.memory.outgoing > 0) this.reaching.begin(now, peer);
    this.touch(peer);
  }

  private onFailed(now: number, key: PublicKey, error: MeshError): void {
    const peer = this.peers.get(key);
    this.outputs.push({ type: 'failed', peer: key, error });
    if (peer === undefined) return;
    if (error.code === 'NET_PEER_REFUSED' || !peer.isUp) this.endings.forget(now, peer, error.message, error);
  }

  private onPayload(now: number, payload: PayloadOutput): void {
    const peer = this.peers.get(payload.peer);
    if (peer?.paths === undefined) return;
    const frames = parseFrames(payload.bytes);
    if (frames === undefined) {
      this.options.drops.frames_malformed += 1;
      peer.connection.receive(now, payload.pn, undefined);
      return this.touch(peer);
    }
    this.steering.prove(peer, payload.from);
    const bytes = payload.bytes.length + DATA_OVERHEAD_BYTES;
    peer.receivedBytes += bytes;
    peer.askedSince = Infinity;
    const own = frames.filter((frame) => !isOfPath(frame));
    // A packet of path frames alone comes by a path that is only looked at: it moves nothing there.
    peer.paths.received(now, payload.from, bytes, payload.isNewest && own.length > 0);
    const [first] = own;
    if (first?.type === 'control' && first.code === CONTROL.relay) this.relaying.relay(now, peer, first.bytes);
    else {
      for (const frame of frames) this.steering.received(now, peer, payload.from, frame);
      if (own.length > 0 && !peer.connection.receive(now, payload.pn, own)) this.options.drops.not_taken += 1;
    }
    this.touch(peer);
  }

  /** Everything that one peer has to do now. */
  private move(now: number, peer: RemotePeer): void {
    for (const output of peer.connection.take()) {
      // One of them may be its end: a deny list, silence.
      if (this.peers.get(peer.key) !== peer) return;
      this.inbound.received(now, peer, output);
    }
    if (this.peers.get(peer.key) !== peer) return;
    this.steering.move(now, peer);
    this.traversal.move(now, peer);
    this.steering.move(now, peer);
    this.carrier.fill(now, peer);
    if (this.peers.get(peer.key) === peer) this.agenda.set(peer, peer.nextAt());
  }

  private tickPeer(now: number, peer: RemotePeer): void {
    if (now >= peer.endsAt) return this.endings.lingered(now, peer);
    if (now >= peer.idleAt) return this.endings.forget(now, peer, 'idle');
    if (now >= peer.silentAt) return this.endings.forget(now, peer, 'it does not answer');
    if (now >= peer.connectBy && !peer.isUp)
      return this.onFailed(now, peer.key, new MeshError('NET_PEER_UNREACHABLE', this.relaying.whyUnreachable(peer)));
    if (this.denials.isOver(now, peer)) return;
    if (peer.isUp && peer.paths?.active !== undefined) peer.connection.tick(now);
    peer.paths?.tick(now);
    peer.punching?.tick(now);
    if (now >= peer.retryAt) this.reaching.retry(now, peer);
    this.touch(peer);
  }

  private reach(now: number, key: PublicKey, paths: readonly PathId[]): void {
    const peer = this.peerFor(now, key);
    if (peer !== undefined) this.reaching.by(now, peer, paths);
  }

  /** What was looked up or dialled for it is still of use. */
  private isWanted(key: PublicKey): boolean {
    return this.peers.get(key)?.endsAt === Infinity || this.relaying.isRelay(key);
  }

  private noRoom(): MeshError {
    return new MeshError('NET_PEER_UNREACHABLE', `this node has ${this.peersMax} peers, which is all that it takes`);
  }

  private peerFor(now: number, key: PublicKey): RemotePeer | undefined {
    const known = this.peers.get(key);
    // Who comes back to one whose association has ended begins another.
    if (known !== undefined && known.endsAt !== Infinity) this.endings.forget(now, known, known.endReason);
    return this.peers.get(key) ?? this.newPeer(now, key);
  }

  private newPeer(now: number, key: PublicKey): RemotePeer | undefined {
    if (this.peers.size >= this.peersMax) return undefined;
    const { random } = this.options;
    const { limits, budget } = this;
    const newGeneration = (): number => ++this.generations;
    const controller = (): Bbr => new Bbr();
    const peer = new RemotePeer(now, key, keyHash(key), { random, limits, budget, controller, newGeneration });
    this.peers.set(key, peer);
    return peer;
  }

  /** The address of a key; undefined: it is not known yet, and the caller of the node is asked. */
  private addressFor(key: PublicKey): OverlayAddress | undefined {
    const known = this.addresses.get(key);
    if (known === undefined) this.outputs.push({ type: 'address_wanted', publicKey: key });
    return known;
  }

  private touch(peer: RemotePeer): void {
    this.touched.add(peer);
  }

  private tell(event: Extract<NodeOutput, { readonly type: 'event' }>['event']): void {
    this.outputs.push({ type: 'event', event });
  }
}
