/**
 * Delivery rate: how fast the path takes bytes off us, one sample an ACK (Cheng et al., draft-cheng-iccrg-delivery-rate-estimation).
 *
 * A packet remembers how much had been delivered when it was sent; its ACK tells how much has been since. The longer of the time of sending and
 * the time of acknowledging counts, so neither a burst nor ACKs that come together make the path look faster than it is.
 */

/** What a packet remembers of the time when it was sent. */
export interface RateStamp {
  readonly delivered: number;
  readonly deliveredAt: number;
  readonly firstSentAt: number;
  readonly isAppLimited: boolean;
}
export interface RateSample {
  /** Bytes per ms. */
  readonly rate: number;
  /** There was not enough to send: the path may be faster than that. */
  readonly isAppLimited: boolean;
}

export class DeliveryRate {
  /** Bytes acknowledged so far. */
  delivered = 0;
  private deliveredAt = 0;
  private firstSentAt = 0;
  /** Until so much is delivered, samples are limited by what there was to send. */
  private appLimitedUntil = 0;
  private newest: { readonly stamp: RateStamp; readonly sentAt: number } | undefined;

  stamp(now: number, inFlight: number): RateStamp {
    if (inFlight === 0) {
      this.firstSentAt = now;
      this.deliveredAt = now;
    }
    const { delivered, deliveredAt, firstSentAt } = this;
    return { delivered, deliveredAt, firstSentAt, isAppLimited: this.appLimitedUntil > 0 };
  }

  onAcked(now: number, stamp: RateStamp, sentAt: number, bytes: number): void {
    this.delivered += bytes;
    this.deliveredAt = now;
    const { newest } = this;
    const isNewer =
      newest === undefined ||
      stamp.delivered > newest.stamp.delivered ||
      (stamp.delivered === newest.stamp.delivered && sentAt > newest.sentAt);
    if (isNewer) this.newest = { stamp, sentAt };
    this.firstSentAt = Math.max(this.firstSentAt, sentAt);
  }

  /** After all packets of an ACK. Undefined: the ACK tells nothing. `rttMinMs`: a shorter interval cannot be true. */
  take(rttMinMs: number): RateSample | undefined {
    const { newest } = this;
    this.newest = undefined;
    if (newest === undefined) return undefined;
    const { stamp, sentAt } = newest;
    if (this.delivered > this.appLimitedUntil) this.appLimitedUntil = 0;
    const interval = Math.max(sentAt - stamp.firstSentAt, this.deliveredAt - stamp.deliveredAt);
    if (interval <= 0 || interval < rttMinMs) return undefined;
    return { rate: (this.delivered - stamp.delivered) / interval, isAppLimited: stamp.isAppLimited };
  }

  /** Nothing is left to send, though more would be allowed. */
  onAppLimited(inFlight: number): void {
    this.appLimitedUntil = Math.max(1, this.delivered + inFlight);
  }
}
