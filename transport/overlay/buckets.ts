/** Token buckets: how often something may happen, with a burst. */

export interface BucketRate {
  readonly perSecond: number;
  /** Tokens of a full bucket. */
  readonly burst: number;
}

/** A token but for what rounding took: else `nextAt` could name a time at which there is none. */
const ENOUGH = 1 - 1e-6;

/** One bucket, full at first. */
export class Bucket {
  private readonly rate: BucketRate;
  private tokens: number;
  private at: number;

  constructor(now: number, rate: BucketRate) {
    this.rate = rate;
    this.tokens = rate.burst;
    this.at = now;
  }

  /** Takes a token, or as many as that; false: there are fewer, and none is taken. */
  take(now: number, count = 1): boolean {
    this.fill(now);
    if (this.tokens < count * ENOUGH) return false;
    this.tokens -= count;
    return true;
  }

  /** When there is a token, in ms. */
  nextAt(now: number): number {
    this.fill(now);
    return this.tokens >= ENOUGH ? now : now + ((1 - this.tokens) * 1000) / this.rate.perSecond;
  }

  private fill(now: number): void {
    this.tokens = Math.min(this.rate.burst, this.tokens + (Math.max(0, now - this.at) * this.rate.perSecond) / 1000);
    this.at = now;
  }
}

/** A bucket for each source. Of more than 8192 the one that was asked longest ago is forgotten, so that strangers cannot fill the memory. */
export class SourceBuckets {
  private readonly rate: BucketRate;
  private readonly bySource = new Map<string, Bucket>();

  constructor(rate: BucketRate) {
    this.rate = rate;
  }

  take(now: number, source: string): boolean {
    const bucket = this.bySource.get(source) ?? new Bucket(now, this.rate);
    // A map keeps the order of insertion: the first is the one that was asked longest ago.
    this.bySource.delete(source);
    this.bySource.set(source, bucket);
    if (this.bySource.size > SOURCES_MAX) {
      const [oldest] = this.bySource.keys();
      this.bySource.delete(oldest as string);
    }
    return bucket.take(now);
  }
}

export const SOURCES_MAX = 8192;
