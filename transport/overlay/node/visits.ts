/** Relays of peers, at which this node is registered to reach them: for whom, so that it leaves when nobody needs it there any more. */
import type { PublicKey } from '../key-text.ts';

export class Visits {
  /** By peer: those to which this node went for it. */
  private readonly relays = new Map<PublicKey, ReadonlySet<PublicKey>>();

  /** The relays of a peer are these now. `isNeeded`: it has no other way, so that none is too few. Gives those that nobody needs any more. */
  begin(peer: PublicKey, relays: readonly PublicKey[], isNeeded: boolean): readonly PublicKey[] {
    const before = this.relays.get(peer);
    if (isNeeded) this.relays.set(peer, new Set(relays));
    else this.relays.delete(peer);
    return this.unneeded(before);
  }

  /** The peer is gone. Gives those that nobody needs any more. */
  end(peer: PublicKey): readonly PublicKey[] {
    const before = this.relays.get(peer);
    this.relays.delete(peer);
    return this.unneeded(before);
  }

  isVisited(relay: PublicKey): boolean {
    return [...this.relays.values()].some((relays) => relays.has(relay));
  }

  /** It has relays that this node is not at, and went to none of them: there are too many such peers. */
  isWithout(peer: PublicKey): boolean {
    return this.relays.get(peer)?.size === 0;
  }

  private unneeded(relays: ReadonlySet<PublicKey> = new Set()): readonly PublicKey[] {
    return [...relays].filter((relay) => !this.isVisited(relay));
  }
}
