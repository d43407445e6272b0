/** All members that the relays know, page by page. */
import type { PeerRef } from './ports.ts';
import { FIRST_HASH } from '../relay/ports.ts';
import type { PublicKey } from '../session/output.ts';
import type { Resolution } from './pending.ts';

/** A page has four members and more. A relay that makes members up makes no more pages than that. */
export const PAGES_MAX = 4_096;

/** All but `own`. `ask` gives a page: of those whose hash is greater. */
export async function registered(own: PublicKey, ask: (after: string) => Promise<Resolution>): Promise<readonly PeerRef[]> {
  const members = new Map<PublicKey, PeerRef>();
  let after: string | undefined = FIRST_HASH;
  for (let page = 0; after !== undefined && page < PAGES_MAX; page++) {
    const { records, next }: Resolution = await ask(after);
    for (const { publicKey: key, name, address } of records) {
      const publicKey = Buffer.from(key).toString('hex');
      if (publicKey !== own) members.set(publicKey, { publicKey, name, address });
    }
    after = next;
  }
  return [...members.values()];
}
