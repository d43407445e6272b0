/** What is shown of a node: everything, for people, and the little that is asked for often. */
import type { Drops } from '../drops.ts';
import type { OverlayAddress } from '../identity/address.ts';
import type { RelayStatus } from '../relay/ports.ts';
import type { RelayView } from '../relay/relay-server.ts';
import type { PublicKey } from '../key-text.ts';
import type { KnownPeer, NodeView, PeerSummary, PeerView } from './ports.ts';
import type { RemotePeer } from './remote-peer.ts';
import type { Traversal } from './traversal.ts';

export interface ViewSources {
  readonly key: PublicKey;
  readonly peers: ReadonlyMap<PublicKey, RemotePeer>;
  /** Of the configuration. */
  readonly known: readonly KnownPeer[];
  readonly relaying: { view(): { readonly relays: readonly RelayStatus[]; readonly server: RelayView | undefined } };
  readonly traversal: Traversal;
  readonly drops: Readonly<Drops>;
  readonly addresses: ReadonlyMap<PublicKey, OverlayAddress>;
  readonly expelledBy: ReadonlySet<PublicKey>;
}

export class Views {
  private readonly o: ViewSources;
  private readonly names: ReadonlyMap<PublicKey, string>;

  constructor(o: ViewSources) {
    this.o = o;
    this.names = new Map(o.known.map(({ publicKey, name = '' }) => [publicKey, name]));
  }

  /** Of its certificate, or of the configuration; empty: none. */
  nameOf(peer: RemotePeer): string {
    return peer.certifiedName === '' ? (this.names.get(peer.key) ?? '') : peer.certifiedName;
  }

  /** Takes as long as there are many peers: 2 ms for a thousand. */
  node(): NodeView {
    const { key, peers, relaying, traversal, drops, expelledBy } = this.o;
    const { relays, server } = relaying.view();
    return {
      publicKey: key,
      nat: traversal.kind,
      reflexive: traversal.reflexive,
      sockets: traversal.view(),
      relays,
      serves: server,
      peers: Array.from(peers.values(), (peer) => this.view(peer)),
      expelledBy: [...expelledBy],
      drops: { ...drops },
    };
  }

  /** Undefined: it is not here. */
  peer(key: PublicKey): PeerView | undefined {
    const peer = this.o.peers.get(key);
    return peer && this.view(peer);
  }

  summary(key: PublicKey): PeerSummary | undefined {
    const peer = this.o.peers.get(key);
    return peer && this.summaryOf(peer);
  }

  summaries(): readonly PeerSummary[] {
    return Array.from(this.o.peers.values(), (peer) => this.summaryOf(peer));
  }

  private summaryOf(peer: RemotePeer): PeerSummary {
    return { publicKey: peer.key, name: this.nameOf(peer), address: this.o.addresses.get(peer.key), state: stateOf(peer) };
  }

  private view(peer: RemotePeer): PeerView {
    const active = peer.activePath;
    const punching = peer.punching?.view();
    const isDirect = active?.kind === 'direct';
    return {
      ...this.summaryOf(peer),
      roles: peer.authorization?.type === 'member' ? peer.authorization.roles : [],
      path: active?.path,
      kind: active?.kind,
      rttMs: active?.rttMs,
      loss: active?.loss,
      datagram: active?.datagram,
      sentBytes: peer.sentBytes,
      receivedBytes: peer.receivedBytes,
      queuedBytes: peer.connection.memory.outgoing,
      paths: peer.paths?.view() ?? [],
      tried: [...peer.hints],
      punching,
      whyRelayed: isDirect || punching === undefined || punching.why === '' ? undefined : punching.why,
    };
  }
}

function stateOf(peer: RemotePeer): PeerView['state'] {
  if (peer.endsAt < Infinity) return 'ending';
  if (peer.isUp) return peer.paths?.active === undefined ? 'searching' : 'up';
  return peer.isConnecting ? 'connecting' : 'resting';
}
