/** All members that the relays know, page by page. */
import type { PeerRef } from './ports.ts';
import { FIRST_HASH } from '../relay/ports.ts';
import { hexOf, type PublicKey } from '../key-text.ts';
import type { Resolution } from './pending.ts';

/** Pages that may end with members of one relay, four of them each: who makes members up, or is slow, ends its own part, and the others are heard out. */
export const PAGES_OF_RELAY_MAX = 512;
/** What is known by then is given, in ms. */
export const REGISTERED_MS = 300_000;

/** All but `own`. `ask` gives a page: of those whose hash is greater, as relays know them that are not in `without`. `now`: monotonic ms. */
export async function registered(
  own: PublicKey,
  ask: (after: string, without: ReadonlySet<PublicKey>) => Promise<Resolution>,
  now: () => number,
): Promise<readonly PeerRef[]> {
  const members = new Map<PublicKey, PeerRef>();
  const pages = new Map<PublicKey, number>();
  const without = new Set<PublicKey>();
  const until = now() + REGISTERED_MS;
  for (let after: string | undefined = FIRST_HASH; after !== undefined && now() < until;) {
    const { records, next, endedBy }: Resolution = await ask(after, new Set(without));
    for (const { publicKey: key, name, address } of records) {
      const publicKey = hexOf(key);
      if (publicKey !== own) members.set(publicKey, { publicKey, name, address });
    }
    if (endedBy !== undefined) {
      const count = (pages.get(endedBy) ?? 0) + 1;
      pages.set(endedBy, count);
      if (count >= PAGES_OF_RELAY_MAX) without.add(endedBy);
    }
    after = next;
  }
  return [...members.values()];
}
