/** What a person is shown of a node. */
import type { Drops } from '../drops.ts';
import type { OverlayAddress } from '../identity/address.ts';
import type { RelayStatus } from '../relay/ports.ts';
import type { RelayView } from '../relay/relay-server.ts';
import type { PublicKey } from '../session/output.ts';
import type { NodeView, PeerView } from './ports.ts';
import type { RemotePeer } from './remote-peer.ts';
import type { Traversal } from './traversal.ts';

export interface ViewSources {
  readonly key: PublicKey;
  readonly peers: ReadonlyMap<PublicKey, RemotePeer>;
  readonly relays: { readonly relays: readonly RelayStatus[]; readonly server: RelayView | undefined };
  readonly traversal: Traversal;
  readonly drops: Readonly<Drops>;
  readonly addressOf: (key: PublicKey) => OverlayAddress | undefined;
  readonly nameOf: (peer: RemotePeer) => string;
  readonly expelledBy: readonly PublicKey[];
}

export function viewOf(sources: ViewSources): NodeView {
  const { key, peers, relays, traversal, drops, expelledBy } = sources;
  return {
    publicKey: key,
    nat: traversal.kind,
    reflexive: traversal.reflexive,
    sockets: traversal.view(),
    relays: relays.relays,
    serves: relays.server,
    peers: Array.from(peers.values(), (peer) => peerView(peer, sources)),
    expelledBy,
    drops: { ...drops },
  };
}

function peerView(peer: RemotePeer, { addressOf, nameOf }: ViewSources): PeerView {
  const active = peer.activePath;
  const punching = peer.punching?.view();
  const isDirect = active?.kind === 'direct';
  return {
    publicKey: peer.key,
    name: nameOf(peer),
    address: addressOf(peer.key),
    roles: peer.authorization?.type === 'member' ? peer.authorization.roles : [],
    state: stateOf(peer),
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

function stateOf(peer: RemotePeer): PeerView['state'] {
  if (peer.endsAt < Infinity) return 'ending';
  if (peer.isUp) return peer.paths?.active === undefined ? 'searching' : 'up';
  return peer.isConnecting ? 'connecting' : 'resting';
}
