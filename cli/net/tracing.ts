/** All ways to a node, for `net trace`: those that there are, and of one that does not answer where it was looked for. */
import { isMeshError } from '../../core/errors.ts';
import type { PeerView } from '../../transport/overlay/node/ports.ts';
import type { RunningNode } from './running-node.ts';
import { type PeerRow, peerRow, type RelayRow } from './status.ts';

export interface Trace extends PeerRow {
  /** Why it is not reached; undefined: it is. */
  readonly unreachable: string | undefined;
  /** By which it may be found. */
  readonly relays: readonly RelayRow[];
}

/** ms between two looks at what is tried: the node forgets it when it gives up. */
const LOOK_MS = 100;
const KEY = /\b[0-9a-f]{64}\b/;

/** Throws what `connect` throws, but for NET_PEER_UNREACHABLE where there is something to show. */
export async function trace(node: RunningNode, target: string): Promise<Trace> {
  const { overlay } = node;
  const tried = new Map<string, PeerView>();
  const look = (): void => {
    for (const peer of overlay.status().peers) if (peer.state !== 'up') tried.set(peer.publicKey, peer);
  };
  const looking = setInterval(look, LOOK_MS);
  try {
    const peer = await overlay.connect(target);
    const now = overlay.status().peers.find(({ publicKey }) => publicKey === peer.publicKey) ?? peer;
    return { ...peerRow(now, node.names()), unreachable: undefined, relays: node.status().relays };
  } catch (error) {
    if (!isMeshError(error, 'NET_PEER_UNREACHABLE')) throw error;
    const [key = ''] = KEY.exec(error.message) ?? [];
    const peer = tried.get(key);
    if (peer === undefined) throw error;
    const names = node.names();
    const unreachable = error.message.replaceAll(key, names(key));
    return { ...peerRow(peer, names), unreachable, relays: node.status().relays };
  } finally {
    clearInterval(looking);
  }
}
