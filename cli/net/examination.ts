/** What `net doctor` looks at: how the node is, and whether the relays and peers that should be there answer at this moment. */
import { otherMembers } from './others.ts';
import type { RunningNode } from './running-node.ts';
import type { NetStatus, PeerRow, RelayRow } from './status.ts';

/** ms for an answer. A path that has died may be held for alive for some seconds more. */
const ANSWER_MS = 3_000;
/** Peers that are asked; with more of them, those that are listed first. */
const PEERS_MAX = 32;

export async function examined(node: RunningNode): Promise<NetStatus> {
  const { relays, peers, gone, ...status } = node.status();
  const [askedRelays, askedPeers, others] = await Promise.all([
    Promise.all(relays.map((relay) => asked(node, relay))),
    Promise.all(peers.map((peer, i) => (peer.state === 'up' && i < PEERS_MAX ? asked(node, peer) : Promise.resolve(peer)))),
    gone.length === 0 ? [] : otherMembers(node.overlay),
  ]);
  // Those have come back, and nobody has spoken to them yet.
  const isKnown = new Set(others.map(({ key }) => key));
  return { ...status, relays: askedRelays, peers: askedPeers, gone: gone.filter(({ key }) => !isKnown.has(key)) };
}

/** One that is held to be there, and does not answer, has no path. */
async function asked<Row extends RelayRow | PeerRow>(node: RunningNode, row: Row): Promise<Row> {
  if (row.kind === undefined) return row;
  const { rttMs } = await node.overlay.ping(row.key, { timeoutMs: ANSWER_MS }).catch(() => ({ rttMs: undefined }));
  return rttMs === undefined ? { ...row, kind: undefined, rttMs: undefined } : { ...row, rttMs };
}
