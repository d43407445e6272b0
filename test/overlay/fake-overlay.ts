/**
 * Overlays in memory: what `Overlay` promises of messages, without packets. In order within a channel, at most once, and a promise that
 * says whether the peer's node has it. Tests cut, restart and fill them.
 */
import { MeshError } from '../../core/errors.ts';
import type { OverlayEvent } from '../../transport/overlay/node/ports.ts';
import type { McpOverlay, McpPeer } from '../../transport/overlay/mcp/port.ts';

type Handler = (from: McpPeer, bytes: Uint8Array) => void;

export class FakeNetwork {
  readonly nodes: FakeOverlay[] = [];
  /** Of each message; ms on the clock that is given. */
  readonly delay: () => Promise<void>;

  constructor(delay: () => Promise<void> = () => Promise.resolve()) {
    this.delay = delay;
  }

  node(name: string): FakeOverlay {
    const node = new FakeOverlay(this, name, this.nodes.length + 1);
    this.nodes.push(node);
    return node;
  }

  find(target: string): FakeOverlay | undefined {
    return this.nodes.find((n) => n.publicKey === target || n.name === target || n.address === target);
  }
}

export class FakeOverlay implements McpOverlay, McpPeer {
  readonly publicKey: string;
  readonly address: string;
  readonly name: string;
  /** Messages to these nodes (and from this one) are lost, and their promises reject. */
  isCut = false;
  /** So many of the next messages find no room. */
  refusals = 0;
  /** Everything that was sent: to whom, on which channel. */
  readonly sent: { readonly to: string; readonly channel: string; readonly bytes: Uint8Array }[] = [];
  private readonly network: FakeNetwork;
  private readonly handlers = new Map<string, Handler>();
  private readonly listeners = new Set<(event: OverlayEvent) => void>();
  private readonly order = new Map<string, Promise<void>>();
  /** Only these are connected when somebody asks; default: all. */
  connected: readonly FakeOverlay[] | undefined;
  /** Only these are known to it: the others are, to its relays. Default: all. */
  known: readonly FakeOverlay[] | undefined;

  constructor(network: FakeNetwork, name: string, number: number) {
    this.network = network;
    this.name = name;
    this.publicKey = number.toString(16).padStart(64, '0');
    this.address = `0000.0000.${number.toString(16).toUpperCase().padStart(4, '0')}`;
  }

  connect(target: string): Promise<McpPeer> {
    const peer = this.network.find(target);
    if (peer === undefined) return Promise.reject(new MeshError('NET_PEER_UNREACHABLE', `no node '${target}'`));
    return peer.isCut || this.isCut ? Promise.reject(unreachable(peer)) : Promise.resolve(peer);
  }

  async send(target: string, channel: string, bytes: Uint8Array): Promise<void> {
    const peer = this.network.find(target);
    if (peer === undefined) throw new MeshError('NET_PEER_UNREACHABLE', `no node '${target}'`);
    if (this.refusals > 0) {
      this.refusals--;
      throw new MeshError('NET_BACKPRESSURE', 'too much waits');
    }
    this.sent.push({ to: target, channel, bytes });
    const before = this.order.get(channel) ?? Promise.resolve();
    const delivery = before.then(() => this.deliver(peer, channel, bytes));
    this.order.set(
      channel,
      delivery.catch(() => undefined),
    );
    return delivery;
  }

  onMessage(channel: string, handler: Handler): () => void {
    this.handlers.set(channel, handler);
    return () => this.handlers.delete(channel);
  }

  onEvent(listener: (event: OverlayEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  peers(): readonly (McpPeer & { readonly isConnected: boolean })[] {
    const others = this.known ?? this.network.nodes.filter((node) => node !== this);
    return others.map((node) => ({
      publicKey: node.publicKey,
      name: node.name,
      address: node.address,
      isConnected: this.connected?.includes(node) ?? true,
    }));
  }

  /** As records say: each calls itself what it likes. */
  members(): Promise<readonly McpPeer[]> {
    const others = this.network.nodes.filter((node) => node !== this);
    return Promise.resolve(others.map(({ publicKey, address }) => ({ publicKey, address, name: 'claimed' })));
  }

  /** The process died, and another one runs: its handlers are gone, and the others notice. */
  restart(): void {
    this.handlers.clear();
    this.listeners.clear();
    const event = { type: 'peer_restarted', peer: this.publicKey, name: this.name } as const;
    for (const node of this.network.nodes) if (node !== this) for (const tell of node.listeners) tell(event);
  }

  private async deliver(peer: FakeOverlay, channel: string, bytes: Uint8Array): Promise<void> {
    await this.network.delay();
    if (this.isCut || peer.isCut) throw unreachable(peer);
    peer.handlers.get(channel)?.({ publicKey: this.publicKey, name: this.name, address: this.address }, bytes.slice());
  }
}

const unreachable = (peer: FakeOverlay): MeshError => new MeshError('NET_PEER_UNREACHABLE', `${peer.name} did not answer`);
