/**
 * A node on the network: an `OverlayNode` with sockets, clock and names. All of its I/O is here and in `endpoint/`.
 *
 *   sockets -> node.receive        users -> node.send, connect
 *   timer   -> node.tick           and once a turn of the event loop: node.take -> sockets, users
 */
import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { isMeshError, MeshError } from '../../core/errors.ts';
import { noDrops, type Drops } from './drops.ts';
import type { EndpointFault } from './endpoint/events.ts';
import { UdpEndpoint } from './endpoint/udp.ts';
import { WebSocketEndpoint } from './endpoint/websocket.ts';
import type { WebSocketListen } from './endpoint/websocket-server.ts';
import { addressOf, type OverlayAddress } from './identity/address.ts';
import type { Identity } from './identity/identity.ts';
import { JOIN_CHANNEL } from './node/channels.ts';
import { OverlayNode } from './node/node.ts';
import type { KnownPeer, NodeOutput, NodeView, OverlayEvent, PeerView, Ticket } from './node/ports.ts';
import { kindOfPath, type Endpoint, type PathKind } from './paths/endpoint.ts';
import type { RelayAddress } from './relay/ports.ts';
import { Dials } from './host/dials.ts';
import { Members } from './host/members.ts';
import { Pending } from './host/pending.ts';
import { Targets } from './host/targets.ts';
import type { PathId } from './session/source.ts';
import type { PublicKey } from './session/output.ts';
import type { Authority } from './trust/authority.ts';
import type { DenyLists } from './trust/deny-list.ts';
import type { Network } from './trust/descriptor.ts';
import type { Trust } from './trust/trust.ts';
import type { ChannelMode } from './wire/frames.ts';

export interface OverlayOptions {
  readonly identity: Identity;
  /** Undefined: a newcomer, whose `trust` is a `JoiningTrust`. */
  readonly network: Network | undefined;
  readonly trust: Trust;
  /** Those of `trust`, where members have certificates. */
  readonly denyLists?: DenyLists;
  /** How this node is called; what its certificate says, if it has one. */
  readonly name?: string;
  /** UDP sockets. Default: any port of all IPv4 addresses. */
  readonly listen?: readonly { readonly host: string; readonly port: number }[];
  /** Takes the same packets over WebSockets, for those who have no UDP: at relays. */
  readonly webSocket?: WebSocketListen;
  /** Serve registrations and relay. Its certificate has to have the role. */
  readonly relay?: boolean;
  readonly relays?: readonly RelayAddress[];
  readonly peers?: readonly KnownPeer[];
  /** Answers those who ask for certificates. */
  readonly authority?: Authority;
  /** Awaited before an answer of the authority leaves: its state is to be kept. */
  readonly saveAuthority?: (authority: Authority) => Promise<void>;
  /** A renewed certificate, to be kept. */
  readonly onCertificate?: (certificate: Uint8Array) => void;
  /** Newer deny lists, to be kept. */
  readonly onDenyLists?: (lists: readonly Uint8Array[]) => void;
  /** May guess ports, with hundreds of datagrams, where exactly one side is behind a symmetric NAT. */
  readonly birthday?: boolean;
  /** The URL of an HTTP proxy for WebSockets; asked at each dial. */
  readonly proxy?: () => string | undefined;
  /** PEM of certificates by which `wss://` relays are judged; default: the system's. */
  readonly ca?: readonly string[];
}

/** Who a message is from. */
export interface PeerRef {
  readonly publicKey: PublicKey;
  /** Of its certificate, or of the configuration; empty: it has none. */
  readonly name: string;
  readonly address: OverlayAddress | undefined;
}

export interface Pong {
  readonly path: PathId;
  readonly kind: PathKind;
  readonly rttMs: number;
}

export interface OverlayStatus extends NodeView {
  readonly name: string;
  readonly address: OverlayAddress;
  readonly endpoints: readonly Endpoint[];
  readonly webSocket: Endpoint | undefined;
  /** Of its certificate, ms since 1970; undefined: it has none. */
  readonly certificate:
    | { readonly notBeforeMs: number; readonly notAfterMs: number; readonly renewalFailed: string | undefined }
    | undefined;
}

/** `target`: a key in hex, an address, or a name. All but the key may have to be asked of the relays: NET_NAME_UNKNOWN, NET_ADDRESS_CONFLICT. */
export interface Overlay extends AsyncDisposable {
  readonly publicKey: PublicKey;
  readonly address: OverlayAddress;
  /** Where it listens. */
  readonly endpoints: readonly Endpoint[];
  readonly webSocket: Endpoint | undefined;
  /** Rejects with NET_PEER_UNREACHABLE, NET_PEER_REFUSED, and as of `target`. */
  connect(target: string, options?: { readonly timeoutMs?: number }): Promise<PeerView>;
  /**
   * Resolves when the peer's node has it (at once for mode 2, unreliable); nothing is sent again after it rejected. Keeps `bytes`. Channels that begin with `net/` are not for users.
   *
   * Rejects with NET_BACKPRESSURE (nothing was kept; `drained` says when to go on), NET_CLOSED, NET_PEER_RESTARTED, NET_UNDELIVERED, NET_CHANNEL_REFUSED, PAYLOAD_TOO_LARGE, and as `connect`.
   */
  send(target: string, channel: string, bytes: Uint8Array, options?: { readonly mode?: ChannelMode }): Promise<void>;
  /** Resolves when a peer takes messages again. */
  drained(publicKey: PublicKey): Promise<void>;
  /** Best effort: never throws. */
  post(target: string, channel: string, bytes: Uint8Array): void;
  /** One handler a channel, which must not throw. Returns what ends it. */
  onMessage(channel: string, handler: (from: PeerRef, bytes: Uint8Array) => void): () => void;
  onEvent(listener: (event: OverlayEvent) => void): () => void;
  /** Rejects with NET_PEER_UNREACHABLE when no answer comes within `timeoutMs` (5,000). */
  ping(target: string, options?: { readonly timeoutMs?: number }): Promise<Pong>;
  status(): OverlayStatus;
  /** Whom the node knows: connected ones and those of the configuration. */
  peers(): readonly (PeerRef & { readonly isConnected: boolean })[];
  /** Sends a request (trust/join.ts) to an authority: one that is connected, a relay, or who is known. Rejects with NET_PEER_UNREACHABLE. */
  requestMembership(request: Uint8Array): Promise<Uint8Array>;
  /** Gives what became of it, as `DenyLists.install`: 'installed', 'known', or why not. */
  installDenyList(list: Uint8Array): string;
  /** After a change of pins. */
  reauthorize(): void;
  /** Says goodbye to all peers, for a second at most. */
  stop(): Promise<void>;
}

const ANY = [{ host: '0.0.0.0', port: 0 }] as const;
const PING_MS = 5_000;
const CONNECT_MS = 15_000;
const STOP_MS = 1_000;
/** Timers go off this much too early at most. */
const TIMER_SLACK_MS = 0.5;
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Throws TRANSPORT_UNAVAILABLE where it cannot listen. */
export async function startOverlay(options: OverlayOptions): Promise<Overlay> {
  const overlay = new RunningOverlay(options);
  try {
    await overlay.start();
  } catch (error) {
    await overlay.stop();
    throw error;
  }
  return overlay;
}

class RunningOverlay implements Overlay {
  readonly publicKey: PublicKey;
  readonly address: OverlayAddress;
  private readonly options: OverlayOptions;
  private readonly drops: Drops = noDrops();
  private readonly udp: UdpEndpoint;
  private readonly webSockets: WebSocketEndpoint;
  private readonly node: OverlayNode;
  private readonly dials: Dials;
  private readonly pending = new Pending();
  private readonly targets: Targets;
  private readonly members: Members;
  private readonly handlers = new Map<string, (from: PeerRef, bytes: Uint8Array) => void>();
  private readonly listeners = new Set<(event: OverlayEvent) => void>();
  private listening: readonly Endpoint[] = [];
  private served: Endpoint | undefined;
  private isFlushDue = false;
  private isStopped = false;
  private timer: NodeJS.Timeout | undefined;
  private timerAt = Infinity;

  constructor(options: OverlayOptions) {
    const { identity, network, trust, denyLists, name, relay, relays, peers, birthday, proxy, ca } = options;
    this.options = options;
    this.publicKey = Buffer.from(identity.publicKey).toString('hex');
    this.address = identity.address;
    const { drops } = this;
    this.node = new OverlayNode({
      identity,
      network,
      trust,
      drops,
      random: (bytes) => new Uint8Array(randomBytes(bytes)),
      wallClock: () => Date.now(),
      ...(denyLists === undefined ? {} : { denyLists }),
      ...(name === undefined ? {} : { name }),
      ...(relay === undefined ? {} : { relay }),
      ...(relays === undefined ? {} : { relays }),
      ...(peers === undefined ? {} : { peers }),
      ...(birthday === undefined ? {} : { birthday }),
    });
    const onDatagram = (path: PathId, bytes: Uint8Array): void => {
      this.node.receive(this.now(), path, bytes);
      this.soon();
    };
    const onError = (path: PathId | undefined, socket: string, fault: EndpointFault): void => {
      if (fault === 'other') return;
      if (path !== undefined && socket === 'ws') this.dials.closed(path);
      this.node.pathFailed(this.now(), path, socket, fault);
      this.soon();
    };
    const onNetworkChanged = (): void => {
      this.node.networkChanged(this.now(), this.udp.addresses());
      this.soon();
    };
    this.udp = new UdpEndpoint({ drops, events: { onDatagram, onError, onNetworkChanged } });
    const onOpen = (path: PathId): void => {
      const peer = this.dials.opened(path);
      if (peer !== undefined) this.node.opened(this.now(), peer, path);
      this.soon();
    };
    this.webSockets = new WebSocketEndpoint({
      drops,
      events: { onDatagram, onError, onOpen },
      ...(ca === undefined ? {} : { ca }),
    });
    this.dials = new Dials({ dial: (url) => this.webSockets.dial(url, { proxy }), close: (path) => this.webSockets.close(path) });
    this.targets = new Targets({
      known: peers ?? [],
      profile: network?.addressProfile ?? 'standard',
      connected: () => this.node.view().peers,
      resolve: (query) => {
        const id = this.node.resolve(this.now(), query);
        this.soon();
        return id < 0 ? Promise.resolve([]) : this.pending.resolution(id);
      },
    });
    this.members = new Members({
      ...options,
      publicKey: this.publicKey,
      candidates: () => this.authorities(),
      ask: (peer, request) => this.ask(peer, request),
      reply: (peer, answer) => void this.send(peer, JOIN_CHANNEL, answer).catch(() => undefined),
    });
  }

  get endpoints(): readonly Endpoint[] {
    return this.listening;
  }

  get webSocket(): Endpoint | undefined {
    return this.served;
  }

  async start(): Promise<void> {
    const { listen = ANY, webSocket } = this.options;
    const sockets = await Promise.all(listen.map(async (at, i) => ({ name: `${i}`, at: await this.udp.listen(`${i}`, at) })));
    this.listening = sockets.map(({ at }) => at);
    if (webSocket !== undefined) this.served = await this.webSockets.listen(webSocket);
    const families = sockets.map(({ name, at }) => ({ name, family: isIP(at.host) === 6 ? (6 as const) : (4 as const) }));
    this.node.listening(families, this.udp.addresses());
    this.members.start();
    this.soon();
  }

  async connect(target: string, { timeoutMs = CONNECT_MS }: { readonly timeoutMs?: number } = {}): Promise<PeerView> {
    const key = await this.targets.keyOf(target);
    this.mustRun();
    const connected = this.pending.connection(key, timeoutMs);
    this.node.connect(this.now(), key);
    this.soon();
    await connected;
    const peer = this.node.view().peers.find(({ publicKey }) => publicKey === key);
    if (peer === undefined) throw new MeshError('NET_PEER_UNREACHABLE', `${target} was reached, and is gone again`);
    this.targets.check(target, peer);
    return peer;
  }

  send(target: string, channel: string, bytes: Uint8Array, { mode = 0 }: { readonly mode?: ChannelMode } = {}): Promise<void> {
    const key = this.targets.known(target);
    if (key !== undefined) return this.sendTo(key, channel, bytes, mode);
    // What is sent to one name stays in order: all wait for the same answer.
    return this.targets.keyOf(target).then((found) => this.sendTo(found, channel, bytes, mode));
  }

  post(target: string, channel: string, bytes: Uint8Array): void {
    const key = this.targets.known(target);
    if (key === undefined)
      void this.targets.keyOf(target).then(
        (found) => this.quietly(found, channel, bytes),
        () => undefined,
      );
    else this.quietly(key, channel, bytes);
  }

  drained(publicKey: PublicKey): Promise<void> {
    return this.pending.writable(publicKey);
  }

  onMessage(channel: string, handler: (from: PeerRef, bytes: Uint8Array) => void): () => void {
    this.handlers.set(channel, handler);
    return () => {
      if (this.handlers.get(channel) === handler) this.handlers.delete(channel);
    };
  }

  onEvent(listener: (event: OverlayEvent) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  async ping(target: string, { timeoutMs = PING_MS }: { readonly timeoutMs?: number } = {}): Promise<Pong> {
    const { publicKey } = await this.connect(target, { timeoutMs });
    const pong = this.pending.pong(publicKey, timeoutMs);
    this.node.ping(this.now(), publicKey);
    this.soon();
    const { path, rttMs } = await pong;
    return { path, rttMs, kind: kindOfPath(path) };
  }

  status(): OverlayStatus {
    return {
      ...this.node.view(),
      name: this.options.name ?? '',
      address: this.address,
      endpoints: this.listening,
      webSocket: this.served,
      certificate: this.members.certificate,
    };
  }

  peers(): readonly (PeerRef & { readonly isConnected: boolean })[] {
    const seen = this.node.view().peers;
    const connected = seen.map(({ publicKey, name, address, state }) => ({
      publicKey,
      name,
      address,
      isConnected: state === 'up',
    }));
    const others = (this.options.peers ?? []).filter(({ publicKey }) => !seen.some((peer) => peer.publicKey === publicKey));
    return [
      ...connected,
      ...others.map(({ publicKey, name = '' }) => ({ publicKey, name, address: undefined, isConnected: false })),
    ];
  }

  requestMembership(request: Uint8Array): Promise<Uint8Array> {
    return this.members.request(request);
  }

  installDenyList(list: Uint8Array): string {
    const taken = this.node.installDenyList(this.now(), list);
    this.soon();
    return taken;
  }

  reauthorize(): void {
    this.node.reauthorize(this.now());
    this.soon();
  }

  async stop(): Promise<void> {
    if (this.isStopped) return;
    this.members.stop();
    this.dials.stop();
    this.node.close(this.now());
    for (const until = this.now() + STOP_MS; this.now() < until && !this.node.isClosed;) {
      this.flush();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.flush();
    this.isStopped = true;
    clearTimeout(this.timer);
    this.pending.stop(new MeshError('NET_CLOSED', 'this node has stopped'));
    await Promise.all([this.udp.stop(), this.webSockets.stop()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private now(): number {
    return performance.now();
  }

  private mustRun(): void {
    if (this.isStopped) throw new MeshError('NET_CLOSED', 'this node has stopped');
  }

  private async sendTo(key: PublicKey, channel: string, bytes: Uint8Array, mode: ChannelMode): Promise<void> {
    const ticket = this.put(key, channel, bytes, mode);
    if (mode !== 2) await this.pending.delivery(key, ticket);
  }

  private quietly(key: PublicKey, channel: string, bytes: Uint8Array): void {
    try {
      this.put(key, channel, bytes, 0);
    } catch (error) {
      if (!isMeshError(error)) throw error;
    }
  }

  private put(key: PublicKey, channel: string, bytes: Uint8Array, mode: ChannelMode): Ticket {
    this.mustRun();
    const ticket = this.node.send(this.now(), key, channel, bytes, mode);
    this.soon();
    return ticket;
  }

  /** What a turn of the event loop brings shares packets, and ACKs. */
  private soon(): void {
    if (this.isFlushDue || this.isStopped) return;
    this.isFlushDue = true;
    setImmediate(() => {
      this.isFlushDue = false;
      if (!this.isStopped) this.flush();
    });
  }

  private flush(): void {
    const { node } = this;
    const now = this.now();
    if (node.nextAt() <= now) node.tick(now);
    for (const output of node.take(now)) this.act(output);
    this.arm();
  }

  private arm(): void {
    const at = this.node.nextAt();
    const wait = at - this.now();
    if (wait <= TIMER_SLACK_MS) return this.soon();
    // A timer that goes off too early costs less than setting one for each packet.
    if (this.timerAt <= at || wait === Infinity) return;
    clearTimeout(this.timer);
    this.timerAt = at;
    this.timer = setTimeout(
      () => {
        this.timerAt = Infinity;
        this.timer = undefined;
        if (!this.isStopped) this.flush();
      },
      Math.min(wait, TIMER_MAX_MS),
    );
  }

  private act(output: NodeOutput): void {
    switch (output.type) {
      case 'datagram':
        if (output.to.startsWith('udp:')) this.udp.send(output.to, output.bytes, output.ttl);
        else this.webSockets.send(output.to, output.bytes);
        return;
      case 'message':
        return this.onIncoming(output.from, output.channel, output.bytes);
      case 'delivered':
        return this.pending.delivered(output.peer, output.ticket);
      case 'lost':
        return this.pending.lost(output.peer, output.generation, output.ticket, output.error);
      case 'writable':
        return this.pending.isWritable(output.peer);
      case 'connected':
        return this.pending.connected(output.peer);
      case 'failed':
        return this.pending.failed(output.peer, output.error);
      case 'pong':
        return this.pending.ponged(output.peer, output);
      case 'open_sockets':
        return this.udp.open(output.sockets);
      case 'close_sockets':
        return this.udp.close(output.sockets);
      case 'look_up':
        return this.lookUp(output.peer, output.endpoints);
      case 'dial':
        return this.dials.dial(output.peer, output.url);
      case 'resolved':
        return this.pending.resolved(output.id, output.records);
      case 'address_wanted':
        return this.computeAddress(output.publicKey);
      case 'deny_lists':
        return this.options.onDenyLists?.(this.options.denyLists?.lists() ?? []);
      case 'event':
        return this.onNodeEvent(output.event);
    }
  }

  private onNodeEvent(event: OverlayEvent): void {
    if (event.type === 'peer_up' || event.type === 'peer_down') this.targets.forget(event.peer);
    if (event.type === 'peer_down') this.dials.gone(event.peer);
    for (const listener of this.listeners) listener(event);
  }

  private onIncoming(from: PublicKey, channel: string, bytes: Uint8Array): void {
    if (channel === JOIN_CHANNEL) return this.members.received(from, bytes);
    const handler = this.handlers.get(channel);
    if (handler === undefined) this.drops.channel_unheard += 1;
    else handler(this.targets.refOf(from), bytes);
  }

  private lookUp(peer: PublicKey, endpoints: readonly string[]): void {
    void this.dials.lookUp(peer, endpoints, (found) => {
      if (this.isStopped || found.length === 0) return;
      this.node.hints(this.now(), peer, found);
      this.soon();
    });
  }

  private computeAddress(key: PublicKey): void {
    void addressOf(Buffer.from(key, 'hex'), this.options.network?.addressProfile ?? 'standard').then((address) => {
      if (address === undefined || this.isStopped) return;
      this.node.addressIs(this.now(), key, address);
      this.soon();
    });
  }

  /** Whom to ask for a certificate: those who say that they give them, then those who may know. */
  private authorities(): readonly PublicKey[] {
    const { relays = [], peers = [] } = this.options;
    const admins = this.node.view().peers.filter(({ roles }) => roles.includes('admin'));
    return [...new Set([...admins, ...relays, ...peers].map(({ publicKey }) => publicKey))];
  }

  private async ask(peer: PublicKey, request: Uint8Array): Promise<void> {
    await this.connect(peer);
    await this.send(peer, JOIN_CHANNEL, request);
  }
}
