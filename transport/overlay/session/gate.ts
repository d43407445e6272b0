/**
 * What stands between an INIT of anyone and the first key agreement (0.1 ms of CPU time): cheap questions first.
 *
 *   mac1     does it know who this node is, in which network?                       else silence
 *   mac2     only under load: does it receive at the address that it sends from?     else a COOKIE, shorter than the INIT
 *   bucket   20/s of one IPv4 address or IPv6 /64, 10 at once                        else silence
 *
 * Load is more than 200 INITs in a second, or more than 64 that wait to be worked on.
 */
import type { KeyObject } from 'node:crypto';
import { buildPacket, mac1At, mac2At, type InitPacket } from '../wire/packets.ts';
import { SourceBuckets } from '../buckets.ts';
import { cookieTagKey, mac, mac1Key, macKey, sameMac } from './macs.ts';
import { sourceOf, type PathId } from '../source.ts';

const SECRET_BYTES = 32;
export const COOKIE_SECRET_MS = 120_000;
export const LOADED_INITS_PER_SECOND = 200;
export const LOADED_QUEUE = 64;
const SECOND = 1000;

/** Undefined: it may be worked on. */
export type GateAnswer =
  | undefined
  | { readonly drop: 'mac1_wrong' | 'source_busy' }
  | { readonly drop: 'cookie_required'; readonly reply: Uint8Array };

export class Gate {
  private readonly random: (bytes: number) => Uint8Array;
  private readonly mac1Key: KeyObject;
  private readonly cookieTagKey: KeyObject;
  private readonly buckets = new SourceBuckets({ perSecond: 20, burst: 10 });
  private secret: KeyObject | undefined;
  private secretAt = 0;
  /** INITs with a good mac1 in the second that began at `secondAt`, and whether the one before had too many. */
  private secondAt = Number.NEGATIVE_INFINITY;
  private inits = 0;
  private wasLoaded = false;

  /** `publicKey`: Ed25519, of this node. */
  constructor(options: {
    readonly publicKey: Uint8Array;
    readonly networkId: Uint8Array;
    readonly psk: Uint8Array;
    readonly random: (bytes: number) => Uint8Array;
  }) {
    this.random = options.random;
    this.mac1Key = mac1Key(options.publicKey, options.networkId, options.psk);
    this.cookieTagKey = cookieTagKey(options.publicKey);
  }

  /** `bytes`: those of `init`. `queued`: how many INITs wait to be worked on. */
  ask(now: number, from: PathId, init: InitPacket, bytes: Uint8Array, queued: number): GateAnswer {
    if (!sameMac(init.mac1, mac(this.mac1Key, bytes.subarray(0, mac1At(bytes.length))))) return { drop: 'mac1_wrong' };
    if (this.isLoaded(now, queued)) {
      const cookie = this.cookie(now, from);
      // Zeros are what everyone sends first: not worth a comparison.
      if (isZero(init.mac2) || !sameMac(init.mac2, mac(macKey(cookie), bytes.subarray(0, mac2At(bytes.length)))))
        return { drop: 'cookie_required', reply: this.cookiePacket(init, cookie) };
    }
    return this.buckets.take(now, sourceOf(from)) ? undefined : { drop: 'source_busy' };
  }

  /** Counts one INIT. */
  private isLoaded(now: number, queued: number): boolean {
    if (now - this.secondAt >= SECOND) {
      this.wasLoaded = this.inits > LOADED_INITS_PER_SECOND && now - this.secondAt < 2 * SECOND;
      this.secondAt = now;
      this.inits = 0;
    }
    this.inits += 1;
    return this.wasLoaded || this.inits > LOADED_INITS_PER_SECOND || queued > LOADED_QUEUE;
  }

  /** What proves that one receives on this path, for as long as the secret lives. */
  private cookie(now: number, from: PathId): Uint8Array {
    if (this.secret === undefined || now - this.secretAt >= COOKIE_SECRET_MS) {
      this.secret = macKey(this.random(SECRET_BYTES));
      this.secretAt = now;
    }
    return mac(this.secret, from);
  }

  private cookiePacket(init: InitPacket, cookie: Uint8Array): Uint8Array {
    return buildPacket({ type: 'cookie', receiver: init.sender, cookie, tag: mac(this.cookieTagKey, cookie, init.mac1) });
  }
}

export const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);
