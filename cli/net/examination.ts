/** What `net doctor` looks at: how the node is, and whether the relays that should be there answer at this moment. */
import type { RunningNode } from './running-node.ts';
import type { NetStatus, RelayRow } from './status.ts';

/** ms for an answer. A path that has died may be held for alive for some seconds more. */
const ANSWER_MS = 3_000;

export async function examined(node: RunningNode): Promise<NetStatus> {
  const { relays, ...status } = node.status();
  return { ...status, relays: await Promise.all(relays.map((relay) => asked(node, relay))) };
}

/** One that is held to be there, and does not answer, has no path. */
async function asked(node: RunningNode, relay: RelayRow): Promise<RelayRow> {
  if (relay.kind === undefined) return relay;
  const { rttMs } = await node.overlay.ping(relay.key, { timeoutMs: ANSWER_MS }).catch(() => ({ rttMs: undefined }));
  return rttMs === undefined ? { ...relay, kind: undefined, rttMs: undefined } : { ...relay, rttMs };
}
