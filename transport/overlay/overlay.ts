/**
 * A node on the network: an `OverlayNode` with sockets, clock and names. All of its I/O is here and in `endpoint/`.
 *
 *   sockets -> node.receive        users -> node.send, connect
 *   turns   -> node.tick, and node.take -> sockets, users
 */
import { randomFillSync } from 'node:crypto';
import { isIP } from 'node:net';
import { isMeshError, MeshError } from '../../core/errors.ts';
import { noDrops, type Drops } from './drops.ts';
import type { EndpointFault } from './endpoint/events.ts';
import { SleepWatch } from './endpoint/sleep.ts';
import { UdpEndpoint } from './endpoint/udp.ts';
import { WebSocketEndpoint } from './endpoint/websocket.ts';
import { Addresses } from './host/addresses.ts';
import { Dials } from './host/dials.ts';
import { Members } from './host/members.ts';
import { NOTHING, Pending, type Resolution } from './host/pending.ts';
import type { Overlay, OverlayOptions, OverlayStatus, PeerRef, Pong, UnclaimedHandler } from './host/ports.ts';
import { WaitingRoom } from './host/waiting-room.ts';
import { registered } from './host/registered.ts';
import { Targets } from './host/targets.ts';
import { Turns } from './host/turns.ts';
import { addressOf, type OverlayAddress } from './identity/address.ts';
import { isReserved, JOIN_CHANNEL } from './node/channels.ts';
import { OverlayNode } from './node/node.ts';
import type { NodeOutput, OverlayEvent, PeerView, Ticket } from './node/ports.ts';
import { kindOfPath, type Endpoint } from './paths/endpoint.ts';
import type { Query } from './relay/ports.ts';
import { hexOf, type PublicKey } from './key-text.ts';
import type { PathId } from './source.ts';
import type { ChannelMode } from './wire/frames.ts';

export type { Overlay, OverlayOptions, OverlayStatus, PeerRef, Pong } from './host/ports.ts';

const ANY = [{ host: '0.0.0.0', port: 0 }] as const;
const PING_MS = 5_000;
const CONNECT_MS = 15_000;
const STOP_MS = 1_000;

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
  private readonly waiting: WaitingRoom;
  private readonly membership: Members;
  private readonly handlers = new Map<string, (from: PeerRef, bytes: Uint8Array) => void>();
  private unclaimed: UnclaimedHandler | undefined;
  private readonly listeners = new Set<(event: OverlayEvent) => void>();
  private readonly addresses: Addresses;
  private readonly turns: Turns;
  private readonly sleep: SleepWatch;
  private listening: readonly Endpoint[] = [];
  private served: Endpoint | undefined;
  private stopping: Promise<void> | undefined;
  private isStopped = false;

  constructor(options: OverlayOptions) {
    const { identity, network, peers, proxy, ca } = options;
    this.options = options;
    this.publicKey = hexOf(identity.publicKey);
    this.address = identity.address;
    const { drops } = this;
    this.node = new OverlayNode({
      ...options,
      drops,
      // Secrets are among them, which are wiped after use: so there is no other copy.
      random: (bytes) => randomFillSync(new Uint8Array(bytes)),
      wallClock: () => Date.now(),
    });
    this.turns = new Turns({
      now: () => this.now(),
      nextAt: () => this.node.nextAt(),
      tick: (now) => this.node.tick(now),
      act: (now) => {
        for (const output of this.node.take(now)) this.act(output);
      },
    });
    const onDatagram = (path: PathId, bytes: Uint8Array): void => {
      this.node.receive(this.now(), path, bytes);
      this.turns.soon();
    };
    const onError = (path: PathId | undefined, socket: string, fault: EndpointFault, cause: Error): void => {
      if (fault === 'other') return;
      if (path !== undefined && socket === 'ws') this.dials.closed(path, cause);
      this.node.pathFailed(this.now(), path, socket, fault);
      this.turns.soon();
    };
    const onNetworkChanged = (): void => {
      this.node.networkChanged(this.now(), this.udp.addresses());
      this.turns.soon();
    };
    this.udp = new UdpEndpoint({ drops, events: { onDatagram, onError, onNetworkChanged } });
    this.sleep = new SleepWatch({ now: () => this.now(), wall: () => Date.now() }, () => {
      onNetworkChanged();
      this.reauthorize();
    });
    const onOpen = (path: PathId): void => {
      const peer = this.dials.opened(path);
      if (peer !== undefined) this.node.opened(this.now(), peer, path);
      this.turns.soon();
    };
    this.webSockets = new WebSocketEndpoint({
      drops,
      events: { onDatagram, onError, onOpen },
      ...(ca === undefined ? {} : { ca }),
    });
    this.dials = new Dials({
      dial: (url) => this.webSockets.dial(url, { proxy }),
      close: (path) => this.webSockets.close(path),
      configured: [...(options.relays ?? []), ...(peers ?? [])].flatMap(({ endpoints }) => endpoints ?? []),
    });
    this.targets = new Targets({
      known: peers ?? [],
      profile: network?.addressProfile ?? 'standard',
      isCertified: (network?.caKeys.length ?? 0) > 0,
      relays: () => {
        const relays = this.node.relays();
        if (relays.length === 0) return 'none';
        return relays.some(({ state }) => state === 'registered') ? 'registered' : 'cut off';
      },
      peer: (key) => this.node.views.summary(key),
      peers: () => this.node.views.summaries(),
      resolve: async (query) => (await this.resolve(query)).records,
    });
    this.waiting = new WaitingRoom({
      known: (target) => this.targets.known(target),
      connect: async (target) => (await this.connect(target)).publicKey,
    });
    this.addresses = new Addresses({
      compute: (key) => addressOf(key, network?.addressProfile),
      found: (key, address) => {
        this.node.addressIs(this.now(), key, address);
        this.turns.soon();
      },
    });
    this.membership = new Members({
      ...options,
      drops,
      publicKey: this.publicKey,
      onReadmitted: () => {
        this.node.beginAnew(this.now());
        this.turns.soon();
      },
      candidates: () => this.authorities(),
      ask: (peer, request) => this.ask(peer, request),
      reply: (peer, answer) => void this.sendTo(peer, JOIN_CHANNEL, answer, 0).catch(() => undefined),
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
    this.membership.start();
    this.turns.soon();
  }

  async connect(target: string, { timeoutMs = CONNECT_MS }: { readonly timeoutMs?: number } = {}): Promise<PeerView> {
    const key = await this.targets.keyOf(target);
    this.mustRun();
    const connected = this.pending.connection(key, timeoutMs);
    this.node.connect(this.now(), key);
    this.turns.soon();
    await connected;
    const peer = this.node.views.peer(key);
    if (peer === undefined) throw new MeshError('NET_PEER_UNREACHABLE', `${target} was reached, and is gone again`);
    this.targets.check(target, peer);
    return peer;
  }

  send(target: string, channel: string, bytes: Uint8Array, { mode = 0 }: { readonly mode?: ChannelMode } = {}): Promise<void> {
    if (isReserved(channel))
      return Promise.reject(new MeshError('NET_CHANNEL_REFUSED', `the channel '${channel}' is one of the overlay itself`));
    const key = this.waiting.known(target);
    if (key !== undefined) return this.sendTo(key, channel, bytes, mode);
    return this.waiting.reached(target, bytes.length, (found) => this.sendTo(found, channel, bytes, mode));
  }

  post(target: string, channel: string, bytes: Uint8Array): void {
    if (isReserved(channel)) return;
    const key = this.waiting.known(target);
    if (key === undefined)
      void this.waiting
        .reached(target, bytes.length, (found) => this.quietly(found, channel, bytes))
        .catch((error: unknown) => {
          if (!isMeshError(error)) throw error;
        });
    else this.quietly(key, channel, bytes);
  }

  drained(publicKey: PublicKey): Promise<void> {
    return this.pending.writable(publicKey);
  }

  reset(publicKey: PublicKey, channel: string): void {
    this.mustRun();
    if (isReserved(channel)) return;
    this.node.reset(this.now(), publicKey, channel);
    this.turns.soon();
  }

  onMessage(channel: string, handler: (from: PeerRef, bytes: Uint8Array) => void): () => void {
    this.handlers.set(channel, handler);
    return () => {
      if (this.handlers.get(channel) === handler) this.handlers.delete(channel);
    };
  }

  onUnclaimed(handler: UnclaimedHandler): () => void {
    this.unclaimed = handler;
    return () => {
      if (this.unclaimed === handler) this.unclaimed = undefined;
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
    this.turns.soon();
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
      certificate: this.membership.certificate,
      dialFaults: this.dials.faults(),
    };
  }

  peers(): readonly (PeerRef & { readonly isConnected: boolean })[] {
    const seen = this.node.views.summaries();
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

  members(): Promise<readonly PeerRef[]> {
    return registered(
      this.publicKey,
      (after, without) => this.resolve({ after, without }),
      () => this.now(),
    );
  }

  requestMembership(request: Uint8Array): Promise<Uint8Array> {
    return this.membership.request(request);
  }

  installDenyList(list: Uint8Array): string {
    const taken = this.node.installDenyList(this.now(), list);
    this.turns.soon();
    return taken;
  }

  reauthorize(): void {
    this.node.reauthorize(this.now());
    this.turns.soon();
  }

  stop(): Promise<void> {
    this.stopping ??= this.end();
    return this.stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private async end(): Promise<void> {
    this.sleep.stop();
    this.membership.stop();
    this.dials.stop();
    this.node.close(this.now());
    for (const until = this.now() + STOP_MS; this.now() < until && !this.node.isClosed;) {
      this.turns.run();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.turns.run();
    this.isStopped = true;
    this.turns.stop();
    this.pending.stop(new MeshError('NET_CLOSED', 'this node has stopped'));
    await Promise.all([this.udp.stop(), this.webSockets.stop()]);
  }

  private now(): number {
    return performance.now();
  }

  private mustRun(): void {
    if (this.isStopped) throw new MeshError('NET_CLOSED', 'this node has stopped');
  }

  private resolve(query: Query): Promise<Resolution> {
    const id = this.node.resolve(this.now(), query);
    this.turns.soon();
    return id < 0 ? Promise.resolve(NOTHING) : this.pending.resolution(id);
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
    try {
      return this.node.send(this.now(), key, channel, bytes, mode);
    } catch (error) {
      if (isMeshError(error, 'NET_BACKPRESSURE')) this.pending.isFull(key);
      throw error;
    } finally {
      this.turns.soon();
    }
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
      case 'gone':
        return this.dials.gone(output.peer);
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
      case 'path_proved':
        return this.webSockets.proved(output.path);
      case 'path_unproved':
        return this.webSockets.unproved(output.path);
      case 'resolved':
        return this.pending.resolved(output.id, output);
      case 'address_wanted':
        return void this.addresses.want(output.publicKey);
      case 'signed':
        return aside(() => this.options.onSeq?.(output.seq));
      case 'deny_lists':
        return aside(() => this.options.onDenyLists?.(this.options.denyLists?.lists() ?? []));
      case 'event':
        return this.onNodeEvent(output.event);
    }
  }

  private onNodeEvent(event: OverlayEvent): void {
    if (event.type === 'peer_up' || event.type === 'peer_down') this.targets.forget(event.peer);
    if (event.type === 'peer_up') this.targets.came(event.peer, event.name);
    for (const listener of this.listeners) aside(() => listener(event));
  }

  private onIncoming(from: PublicKey, channel: string, bytes: Uint8Array): void {
    if (channel === JOIN_CHANNEL) return this.membership.received(from, bytes);
    const handler = this.handlers.get(channel);
    if (handler !== undefined) return aside(() => handler(this.targets.refOf(from), bytes));
    aside(() => {
      if (isReserved(channel) || this.unclaimed?.(channel, this.targets.refOf(from), bytes) !== true)
        this.drops.channel_unheard += 1;
    });
  }

  private lookUp(peer: PublicKey, endpoints: readonly string[]): void {
    this.dials.lookUp(peer, endpoints, (found) => {
      if (this.isStopped || found.length === 0) return;
      this.node.hints(this.now(), peer, found);
      this.turns.soon();
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
    await this.sendTo(peer, JOIN_CHANNEL, request, 0);
  }
}

/** What one of the user's functions throws is an uncaught exception, as with any listener: but the node first does all that it was at. */
function aside(fn: () => void): void {
  try {
    fn();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
