/** How much may be in flight and how fast it goes out. A controller does no I/O, reads no clock, and draws no randomness but what it is given. */
import type { RateSample } from '../recovery/rate.ts';

/** What one ACK says. Bytes are those on the wire. */
export interface AckSample {
  /** Bytes that it acknowledges for the first time. */
  readonly bytes: number;
  /** Bytes that were in flight before it, and after it and the losses that it shows. */
  readonly inFlightBefore: number;
  readonly inFlight: number;
  /** When the newest packet was sent that it acknowledges. */
  readonly sentAt: number;
  /** Undefined: the ACK gave no sample of the RTT. */
  readonly rttMs: number | undefined;
  /** ms */
  readonly smoothedRttMs: number;
  /** Bytes delivered since the start, and when that newest packet was sent. */
  readonly delivered: number;
  readonly deliveredThen: number;
  readonly rate: RateSample | undefined;
}
export interface LossSample {
  readonly bytes: number;
  /** Bytes in flight without them. */
  readonly inFlight: number;
  /** When the newest lost packet was sent. */
  readonly sentAt: number;
  /** All that was sent for several probe timeouts is lost. */
  readonly isPersistent: boolean;
}
export interface CongestionController {
  onSent(now: number, bytes: number, inFlight: number): void;
  onAcked(now: number, sample: AckSample): void;
  onLost(now: number, sample: LossSample): void;
  /** Another path: all that was learnt is void. */
  reset(): void;
  /** Bytes that may be in flight. */
  readonly window: number;
  /** Bytes per ms. */
  readonly pacingRate: number;
}
