/**
 * INITs that came and were not looked at, of at most 512 sources. Nothing of them is proved, so nobody may be kept out by what others send:
 *
 *   another source   sources take turns, an INIT each. Where too many wait, the one whose turn is next gives way: its sender will send it again.
 *                    So a flood keeps nobody out by being there first, and from few sources keeps out nobody at all
 *   the same source  four INITs of it wait, and each that came of it while they do had the same chance to be among them. So who forges the address
 *                    of another keeps it out only by sending many times more; and who shares an address with others meets them seldom
 *
 * INITs are copied over those that have left, so that a flood allocates no more than what waits at once: 2.4 MB at most.
 */
import { HANDSHAKE_BYTES_MAX } from '../wire/packets.ts';
import { Bucket, type BucketRate } from '../buckets.ts';
import { sourceOf, type PathId } from '../source.ts';

export const SOURCES_WAITING = 512;
export const PLACES_OF_SOURCE = 4;
/** Places that are made together. */
const BLOCK = 16;
const DICE_BYTES = 256;

export interface Arrived {
  readonly from: PathId;
  readonly bytes: Uint8Array;
}

interface Place {
  from: PathId;
  /** Longer than the INIT, of `length`. */
  readonly bytes: Uint8Array;
  length: number;
}

interface Source {
  /** The first to come first, but for those that were replaced. At least one, at most `PLACES_OF_SOURCE`. */
  readonly waiting: Place[];
  /** Those that wait, and those that came since the last one left and do not. */
  came: number;
}

export class Room {
  private readonly pace: Bucket;
  private readonly random: (bytes: number) => Uint8Array;
  /** Whose turn is next first. */
  private readonly sources = new Map<string, Source>();
  /** Places that are free. */
  private readonly pool: Place[] = [];
  private dice = new DataView<ArrayBufferLike>(new ArrayBuffer(0));
  private diceAt = 0;

  /** `rate`: how many may leave it. */
  constructor(rate: BucketRate, random: (bytes: number) => Uint8Array) {
    this.pace = new Bucket(Number.NEGATIVE_INFINITY, rate);
    this.random = random;
  }

  /** Keeps a copy, of 1,200 bytes at most. Returns how many INITs gave way, be it this one. */
  put(from: PathId, bytes: Uint8Array): number {
    const key = sourceOf(from);
    const source = this.sources.get(key);
    if (source === undefined) {
      const gone = this.sources.size < SOURCES_WAITING ? 0 : this.giveWay();
      this.sources.set(key, { waiting: [fill(this.freePlace(), from, bytes)], came: 1 });
      return gone;
    }
    source.came += 1;
    if (source.waiting.length < PLACES_OF_SOURCE) {
      source.waiting.push(fill(this.freePlace(), from, bytes));
      return 0;
    }
    // The n-th to come gets one of k places by a chance of k/n: then all n had the same.
    const place = source.waiting[this.draw(source.came)];
    if (place !== undefined) fill(place, from, bytes);
    return 1;
  }

  /** Undefined: none waits, or it is not time. Its bytes are good until the next `put`. */
  take(now: number): Arrived | undefined {
    const [next] = this.sources;
    if (next === undefined || !this.pace.take(now)) return undefined;
    const [key, source] = next;
    const place = source.waiting.shift() as Place;
    source.came = source.waiting.length;
    // A map keeps the order of insertion: what else there is of it comes after all others.
    this.sources.delete(key);
    if (source.waiting.length > 0) this.sources.set(key, source);
    this.pool.push(place);
    return { from: place.from, bytes: place.bytes.subarray(0, place.length) };
  }

  /** When `take` has one; Infinity: none waits. */
  nextAt(now: number): number {
    return this.sources.size === 0 ? Infinity : this.pace.nextAt(now);
  }

  private giveWay(): number {
    const [next] = this.sources;
    if (next === undefined) return 0;
    const [key, { waiting }] = next;
    this.sources.delete(key);
    this.pool.push(...waiting);
    return waiting.length;
  }

  private freePlace(): Place {
    if (this.pool.length === 0) {
      const block = new Uint8Array(BLOCK * HANDSHAKE_BYTES_MAX);
      for (let at = 0; at < block.length; at += HANDSHAKE_BYTES_MAX)
        this.pool.push({ from: '', bytes: block.subarray(at, at + HANDSHAKE_BYTES_MAX), length: 0 });
    }
    return this.pool.pop() as Place;
  }

  /** A whole number of at least 0, below that one. 2^32 is no multiple of it, which makes a difference that nobody notices. */
  private draw(below: number): number {
    if (this.diceAt + 4 > this.dice.byteLength) {
      const { buffer, byteOffset, byteLength } = this.random(DICE_BYTES);
      this.dice = new DataView(buffer, byteOffset, byteLength);
      this.diceAt = 0;
    }
    const number = this.dice.getUint32(this.diceAt);
    this.diceAt += 4;
    return number % below;
  }
}

function fill(place: Place, from: PathId, bytes: Uint8Array): Place {
  place.from = from;
  place.bytes.set(bytes);
  place.length = bytes.length;
  return place;
}
