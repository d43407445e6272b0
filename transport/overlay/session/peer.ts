/** What a node keeps of one peer: its keys by their state, and the association that outlives them. */
import { INSTANCE_ID_BYTES } from '../wire/hello.ts';
import type { Initiation, InitTarget, Shown } from './handshake.ts';
import type { PacketKeys } from './keys.ts';
import type { PathId } from '../source.ts';
import { hexOf } from '../key-text.ts';

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
  /** Where the INIT came from, and its bytes. */
  readonly from: PathId;
  readonly initBytes: number;
}

export class Peer implements InitTarget {
  /** Ed25519 in 64 hex digits. */
  readonly name: string;
  readonly publicKey: Uint8Array;
  /** X25519. */
  readonly exchangeKey: Uint8Array;
  /**
   * Drawn with this record and forgotten with it: where a forgotten peer is spoken to again, it sees another instance, and so another association,
   * even if it never heard that the one before had ended.
   */
  readonly ownInstanceId: Uint8Array;
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
  /** Of the peer, once it was proved. Another one is another association. */
  instanceId: Uint8Array | undefined;
  /** Counts associations of this node from 1; 0: none yet. */
  association = 0;
  /** Of the next packet to the peer. Goes on over all keys. */
  nextPn = 0;
  /** The highest number that came of it in this association. */
  highestPn = -1;
  /** When a HINT last made a handshake. */
  hintedAt = Number.NEGATIVE_INFINITY;
  /** Its association ends: this node begins no handshake any more. */
  isRetired = false;

  /** `own`: the key of this node. `publicKey`: Ed25519 of the peer, and `exchangeKey` X25519. */
  constructor(own: Uint8Array, publicKey: Uint8Array, exchangeKey: Uint8Array, random: (bytes: number) => Uint8Array) {
    this.name = hexOf(publicKey);
    this.publicKey = publicKey;
    this.exchangeKey = exchangeKey;
    this.leads = Buffer.compare(own, publicKey) < 0;
    this.ownInstanceId = random(INSTANCE_ID_BYTES);
  }

  /** When a handshake of it goes on, or keys of it end; Infinity: never. */
  nextAt(): number {
    const { initiation, current, previous, tentative } = this;
    return Math.min(
      initiation?.nextAt ?? Infinity,
      current?.stopAt ?? Infinity,
      previous?.stopAt ?? Infinity,
      ...tentative.map(({ keys }) => keys.createdAt + TENTATIVE_MS),
    );
  }

  /** Whether nothing is kept of it that another handshake would not make anew. */
  get isForgotten(): boolean {
    return this.association === 0 && this.initiation === undefined && this.tentative.length === 0;
  }

  /**
   * Forgets older tentative keys of other instances of the peer than the one that `keys` have proved; gives them. A late packet must not prove
   * them any more: the peer would seem to have begun anew, and then again when it is heard the next time, which it would know nothing of.
   */
  outdate(keys: PacketKeys, { instanceId }: Shown): PacketKeys[] {
    const isOutdated = (other: Tentative): boolean =>
      other.keys.createdAt <= keys.createdAt && Buffer.compare(other.shown.instanceId, instanceId) !== 0;
    const outdated = this.tentative.filter(isOutdated);
    this.tentative = this.tentative.filter((other) => !isOutdated(other));
    return outdated.map((other) => other.keys);
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
