/** Who else is a member: asked of the relays, which may not answer. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PeerRef } from '../../transport/overlay/overlay.ts';
import type { NetOverlay } from './port.ts';
import type { MemberRow } from './status.ts';

/** ms that the relays have to say whom they know: one that has died a moment ago is not known to be dead. */
const PATIENCE_MS = 3_000;

/** Members that the relays know of, and that this node is not connected to. None where no relay answers in time; at once where none serves this node. */
export async function otherMembers(
  overlay: Pick<NetOverlay, 'status' | 'members'>,
  patienceMs = PATIENCE_MS,
): Promise<readonly MemberRow[]> {
  const { peers, relays } = overlay.status();
  const reached = new Set(peers.filter(({ path }) => path !== undefined).map(({ publicKey }) => publicKey));
  if (relays.length > 0 && !relays.some(({ relay, state }) => state === 'registered' && reached.has(relay))) return [];
  const met = new Set(peers.map(({ publicKey }) => publicKey));
  const none: readonly PeerRef[] = [];
  const late = new AbortController();
  const found = await Promise.race([
    overlay.members().catch(() => none),
    sleep(patienceMs, none, { signal: late.signal }).catch(() => none),
  ]);
  late.abort();
  return found
    .filter(({ publicKey }) => !met.has(publicKey))
    .map(({ publicKey: key, name, address }) => ({ key, name, address }));
}
