/**
 * INITs that came and were not looked at: at most one of each source, the last. Where all places are taken, the one that has waited longest
 * gives way: its sender will send it again. So a flood keeps nobody out by being there first, and from few sources keeps out nobody at all.
 */
import { Bucket, type BucketRate } from './buckets.ts';
import { sourceOf, type PathId } from './source.ts';

export const PLACES = 512;

export interface Arrived {
  readonly from: PathId;
  readonly bytes: Uint8Array;
}

export class Room {
  private readonly pace: Bucket;
  private readonly places = new Map<string, Arrived>();

  /** `rate`: how many may leave it. */
  constructor(rate: BucketRate) {
    this.pace = new Bucket(Number.NEGATIVE_INFINITY, rate);
  }

  /** Keeps a copy. False: another one gave way. */
  put(from: PathId, bytes: Uint8Array): boolean {
    const { size } = this.places;
    // A map keeps the place of what it has: the source is not served later for having come again, nor earlier.
    this.places.set(sourceOf(from), { from, bytes: new Uint8Array(bytes) });
    if (this.places.size > PLACES) this.places.delete(this.longest as string);
    return this.places.size > size;
  }

  /** Undefined: none waits, or it is not time. */
  take(now: number): Arrived | undefined {
    const { longest } = this;
    if (longest === undefined || !this.pace.take(now)) return undefined;
    const arrived = this.places.get(longest);
    this.places.delete(longest);
    return arrived;
  }

  /** When `take` has one; Infinity: none waits. */
  nextAt(now: number): number {
    return this.places.size === 0 ? Infinity : this.pace.nextAt(now);
  }

  private get longest(): string | undefined {
    return this.places.keys().next().value;
  }
}
