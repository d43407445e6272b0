/** What a node keeps of one peer: its keys by their state, and the association that outlives them. */
import type { Initiation, Shown } from './handshake.ts';
import type { PacketKeys } from './keys.ts';
import type { PathId } from './source.ts';

/** Tentative keys of one peer, and for how long they wait for the packet that proves them. */
export const TENTATIVE_MAX = 4;
export const TENTATIVE_MS = 5000;
/** Keys of two handshakes that were made within this time, one by each side, come of a simultaneous open. */
const CROSSED_MS = 5000;

/** Keys of an INIT that was answered. It may have been a replay, so nothing is sent under them before a packet came that they open. */
export interface Tentative {
  readonly keys: PacketKeys;
  readonly shown: Shown;
  /** Its answer, for when the INIT comes again. */
  readonly resp: Uint8Array;
}

export class Peer {
  /** Ed25519 in 64 hex digits. */
  readonly name: string;
  readonly publicKey: Uint8Array;
  /** X25519. */
  readonly exchangeKey: Uint8Array;
  /** Whether this node stays initiator where both begin: the lower key does. */
  readonly leads: boolean;
  /** Packets are sealed with these. */
  current: PacketKeys | undefined;
  /** Packets that were under way are opened with these. */
  previous: PacketKeys | undefined;
  tentative: readonly Tentative[] = [];
  initiation: Initiation | undefined;
  /** Where handshakes for new keys go. */
  paths: readonly PathId[] = [];
  /** Of the peer, once it was proved. With the one of this node it names the association. */
  instanceId: Uint8Array | undefined;
  /** Counts associations of this node from 1; 0: none yet. */
  association = 0;
  /** Of the next packet to the peer. Goes on over all keys. */
  nextPn: number;
  /** The highest number that came of it in this association. */
  highestPn = -1;
  /** When a HINT last made a handshake. */
  hintedAt = Number.NEGATIVE_INFINITY;

  constructor(own: Uint8Array, publicKey: Uint8Array, exchangeKey: Uint8Array, nextPn: number) {
    this.name = nameOf(publicKey);
    this.publicKey = publicKey;
    this.exchangeKey = exchangeKey;
    this.leads = Buffer.compare(own, publicKey) < 0;
    this.nextPn = nextPn;
  }

  /** Whether nothing is kept of it that another handshake would not make anew. */
  get isForgotten(): boolean {
    return this.association === 0 && this.initiation === undefined && this.tentative.length === 0;
  }

  /**
   * Puts proved keys in their place; gives those that have none any more.
   *
   * They become current, but for one case: when both sides began at once and both handshakes succeeded, those of the one who leads are current
   * on both sides, and the others are only opened with.
   */
  place(keys: PacketKeys, isSameInstance: boolean, replaces: boolean): PacketKeys[] {
    const { current, previous } = this;
    const isCrossed =
      isSameInstance &&
      !replaces &&
      current !== undefined &&
      current.isInitiator === this.leads &&
      keys.isInitiator !== this.leads &&
      Math.abs(keys.createdAt - current.createdAt) < CROSSED_MS;
    this.current = isCrossed ? current : keys;
    this.previous = isCrossed ? keys : isSameInstance ? current : undefined;
    return [current, previous].filter(
      (old) => old !== undefined && old !== this.current && old !== this.previous,
    ) as PacketKeys[];
  }
}

export const nameOf = (publicKey: Uint8Array): string => Buffer.from(publicKey).toString('hex');
