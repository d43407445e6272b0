/**
 * How a node says goodbye: to peers first, and to its relays when that has been said, or has had its time. A relay lets nothing through of one
 * whom it has heard the end of.
 */
import type { PublicKey } from '../key-text.ts';
import type { RemotePeer } from './remote-peer.ts';

/** So long the relays wait for what peers still say. */
const PEERS_MS = 600;

export interface FarewellOptions {
  readonly peers: ReadonlyMap<PublicKey, RemotePeer>;
  readonly isRelay: (key: PublicKey) => boolean;
  readonly end: (now: number, peer: RemotePeer) => void;
}

export class Farewell {
  private readonly o: FarewellOptions;
  private relaysAt = Number.POSITIVE_INFINITY;
  private isBegun = false;
  private readonly told = new WeakSet<RemotePeer>();

  constructor(o: FarewellOptions) {
    this.o = o;
  }

  begin(now: number): void {
    if (!this.isBegun) this.relaysAt = now + PEERS_MS;
    this.isBegun = true;
    this.go(now);
  }

  /** Whoever can be told now is told, once. */
  go(now: number): void {
    if (!this.isBegun) return;
    const left = [...this.o.peers.values()].filter(({ endsAt }) => endsAt === Infinity);
    const others = left.filter(({ key }) => !this.o.isRelay(key));
    const isTime = others.length === 0 || now >= this.relaysAt;
    for (const peer of isTime ? left : others) {
      if (this.told.has(peer)) continue;
      this.told.add(peer);
      this.o.end(now, peer);
    }
    if (isTime) this.relaysAt = Infinity;
  }

  /** When `go` has something to do that is not of another input. */
  nextAt(): number {
    return this.relaysAt;
  }
}
