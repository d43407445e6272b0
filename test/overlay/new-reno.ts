/** NewReno as RFC 9002 §7 has it. Under random loss it collapses (OVERLAY.md §3.4): a reference to test against, not for paths that lose. */
import type { AckSample, CongestionController, LossSample } from '../../transport/overlay/congestion/controller.ts';

/** Nominal bytes of a packet, for the window. */
const PACKET = 1_200;
const WINDOW_INITIAL = 10 * PACKET;
const WINDOW_MIN = 2 * PACKET;
/** Until there is a sample. */
const RTT_INITIAL_MS = 333;
/** Faster than the window a round trip, so that pacing never is what limits. */
const PACING_SLOW_START = 2;
const PACING = 1.25;

export class NewReno implements CongestionController {
  window = WINDOW_INITIAL;
  private threshold = Infinity;
  private rttMs = RTT_INITIAL_MS;
  /** Losses of what was sent before are of one event. */
  private recoveryFrom = -Infinity;

  get pacingRate(): number {
    const gain = this.window < this.threshold ? PACING_SLOW_START : PACING;
    return (gain * this.window) / Math.max(this.rttMs, 0.01);
  }

  onSent(): void {}

  onAcked(_now: number, sample: AckSample): void {
    this.rttMs = sample.smoothedRttMs;
    // A window that is not used proves nothing.
    if (sample.sentAt <= this.recoveryFrom || sample.inFlightBefore * 2 < this.window) return;
    if (this.window < this.threshold) this.window += sample.bytes;
    else this.window += (PACKET * sample.bytes) / this.window;
  }

  onLost(now: number, sample: LossSample): void {
    if (sample.isPersistent) {
      this.window = WINDOW_MIN;
      this.recoveryFrom = now;
      return;
    }
    if (sample.sentAt <= this.recoveryFrom) return;
    this.recoveryFrom = now;
    this.window = Math.max(this.window / 2, WINDOW_MIN);
    this.threshold = this.window;
  }

  reset(): void {
    this.window = WINDOW_INITIAL;
    this.threshold = Infinity;
    this.rttMs = RTT_INITIAL_MS;
    this.recoveryFrom = -Infinity;
  }
}
