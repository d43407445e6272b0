/** Spreads packets over time: a bucket that fills at the rate of the controller and holds 16 packets, or 2 ms where that is more. */

const BURST_PACKETS = 16;
/** Timers of Node go off up to 1 ms late: with less the time that they are late would be lost. */
const BURST_MS = 2;

export class Pacer {
  private tokens = Infinity;
  private filledAt = 0;

  /** When a packet of `bytes` may go; at most `now`: at once. `rate`: bytes per ms. */
  readyAt(now: number, bytes: number, rate: number): number {
    this.fill(now, bytes, rate);
    if (this.tokens >= bytes) return now;
    // At high rates a wake-up serves half a burst, not one packet.
    const wanted = Math.max(bytes, Math.min(rate * BURST_MS, (bytes * BURST_PACKETS) / 2));
    return now + (wanted - this.tokens) / rate;
  }

  onSent(bytes: number): void {
    this.tokens = Math.max(0, this.tokens - bytes);
  }

  private fill(now: number, bytes: number, rate: number): void {
    const room = Math.max(BURST_PACKETS * bytes, BURST_MS * rate);
    this.tokens = Math.min(room, this.tokens + Math.max(0, now - this.filledAt) * rate);
    this.filledAt = Math.max(now, this.filledAt);
  }
}
