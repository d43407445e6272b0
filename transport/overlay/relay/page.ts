/**
 * How far the answers to one question for members reach: up to which hash nobody is missing.
 *
 * A relay tells the first few of its members behind the cursor, in the order of their hashes. One that told fewer than it may has no others. Any
 * other has told all of its own up to the last of them. So up to the least of these lasts nothing of any relay is missing, whatever the relays are and
 * whoever is registered where; what lies behind it comes again with the next page. Where no relay told as many as it may, it is the end.
 *
 * It goes by what was told, not by what was taken: a relay may still have an old record of a member that has a newer one elsewhere. Only
 * signed records count, each hash once, so a relay that invents bytes ends its own part alone; one that makes keys up makes more pages, at worst, of
 * which it is known whose they are.
 */
import { RECORDS_MAX } from './bodies.ts';
import type { PublicKey } from '../key-text.ts';

export class Page {
  private readonly hashes = new Map<PublicKey, Set<string>>();

  /** This relay has a member with this hash, which lies behind the cursor. */
  told(relay: PublicKey, hash: string): void {
    const known = this.hashes.get(relay);
    if (known === undefined) this.hashes.set(relay, new Set([hash]));
    else known.add(hash);
  }

  /** The last hash of this page, where the next one begins, and the relay that told it. Undefined: there is no more, and all that was told counts. */
  end(): { readonly hash: string; readonly relay: PublicKey } | undefined {
    const full = [...this.hashes].filter(([, { size }]) => size >= RECORDS_MAX);
    const lasts = full.map(([relay, hashes]) => ({
      relay,
      hash: [...hashes].reduce((last, hash) => (hash > last ? hash : last)),
    }));
    return lasts.length === 0 ? undefined : lasts.reduce((least, last) => (last.hash < least.hash ? last : least));
  }
}
