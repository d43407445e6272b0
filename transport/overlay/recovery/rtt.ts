/** Round-trip time of a path (RFC 9002 §5), and the probe timeout that follows from it. All in ms. */

/** How long a receiver may wait with an ACK. */
export const ACK_DELAY_MAX_MS = 5;
const GRANULARITY_MS = 1;

export class Rtt {
  /** Of the last sample. */
  latest: number;
  smoothed: number;
  variance: number;
  /** Least of all samples; Infinity before the first. */
  min = Infinity;

  constructor(initialMs: number) {
    this.latest = initialMs;
    this.smoothed = initialMs;
    this.variance = initialMs / 2;
  }

  get hasSample(): boolean {
    return this.min < Infinity;
  }

  /** `ackDelayMs` is what the receiver says that it waited; it is believed up to `ACK_DELAY_MAX_MS`, and never below the least RTT. */
  sample(rttMs: number, ackDelayMs: number): void {
    const isFirst = !this.hasSample;
    this.min = Math.min(this.min, rttMs);
    const delay = Math.min(ackDelayMs, ACK_DELAY_MAX_MS);
    const adjusted = rttMs - delay >= this.min ? rttMs - delay : rttMs;
    this.latest = adjusted;
    if (isFirst) {
      this.smoothed = adjusted;
      this.variance = adjusted / 2;
      return;
    }
    this.variance += (Math.abs(this.smoothed - adjusted) - this.variance) / 4;
    this.smoothed += (adjusted - this.smoothed) / 8;
  }

  /** After this time without an ACK a probe is due, before any backoff. */
  probeTimeout(): number {
    return this.smoothed + Math.max(4 * this.variance, GRANULARITY_MS) + ACK_DELAY_MAX_MS;
  }
}
