/**
 * Rate-based congestion control in the manner of BBR (Cardwell et al., draft-cardwell-iccrg-bbr-congestion-control).
 *
 * It models the path by two numbers, the highest rate at which it delivered lately and the lowest RTT, and sends at that rate with twice their
 * product in flight at most. A single loss means nothing; only heavy loss while the RTT rises, a queue that overflows, makes it slow down.
 *
 *   startup (double each round until the rate grows no more) -> drain (the queue that startup made) -> cruise (1.25, 0.75, then 1, a min RTT each)
 *   and from any, when the lowest RTT is 10 s old: probe_rtt (half as much in flight for 200 ms, so that a queue of our own becomes visible)
 */
import type { AckSample, CongestionController, LossSample } from './controller.ts';
import { Highest } from './highest.ts';
import { Pauses } from './pauses.ts';

type Phase = 'startup' | 'drain' | 'cruise' | 'probe_rtt';

const PACKET = 1_200;
const WINDOW_INITIAL_PACKETS = 10;
const WINDOW_MIN_PACKETS = 4;
/** Sent in bursts, and acknowledged in pairs: so much is in flight beyond what the path holds. */
const WINDOW_EXTRA_PACKETS = 16;
const STARTUP_GAIN = 2.77;
const WINDOW_GAIN = 2;
const CRUISE_GAINS = [1.25, 0.75, 1, 1, 1, 1, 1, 1] as const;
/** Startup ends after so many rounds in which the rate grew by less than a quarter. */
const FULL_ROUNDS = 3;
const FULL_GROWTH = 1.25;
/** Rounds for which a rate counts as the highest. */
const RATE_ROUNDS = 10;
const RTT_LIFE_MS = 10_000;
const PROBE_RTT_MS = 200;
const PROBE_RTT_GAIN = 0.5;
/** A round with more loss than this, and an RTT longer than this many times the lowest, brakes. */
const BRAKE_LOSS = 0.2;
const BRAKE_RTT = 1.25;
const BRAKE = 0.7;
const BRAKE_MIN = 0.2;
const RELEASE = 1.15;

export class Bbr implements CongestionController {
  private phase: Phase = 'startup';
  private packet = PACKET;
  /** Bytes per ms. */
  private readonly rates = new Highest(RATE_ROUNDS);
  private pauses = new Pauses();
  private minRttMs = Infinity;
  private minRttAt = 0;
  private rttMs = Infinity;
  /** Bytes delivered when the present round ends. */
  private roundEnd = 0;
  private roundDelivered = 0;
  private roundLost = 0;
  private fullRate = 0;
  private fullRounds = 0;
  private isFull = false;
  private cruiseStep = 2;
  private stepAt = 0;
  private probeUntil = 0;
  /** Part of rate and window that is used. */
  private brake = 1;
  private initialWindow = WINDOW_INITIAL_PACKETS * PACKET;

  get window(): number {
    if (this.highestRate === 0) return this.initialWindow;
    const least = WINDOW_MIN_PACKETS * this.packet;
    if (this.phase === 'probe_rtt') return Math.max(PROBE_RTT_GAIN * this.product, least);
    const extra = Math.max(WINDOW_EXTRA_PACKETS * this.packet, this.pauses.ms * this.highestRate);
    const window = this.brake * (WINDOW_GAIN * this.product + extra);
    return Math.max(window, this.isFull ? least : this.initialWindow);
  }

  get pacingRate(): number {
    // Until there is an RTT the first window goes as it comes.
    if (this.highestRate === 0) return (STARTUP_GAIN * this.initialWindow) / Math.min(this.minRttMs, 1);
    return Math.max(this.gain * this.brake * this.highestRate, this.packet / 1_000);
  }

  onSent(_now: number, bytes: number): void {
    if (bytes <= this.packet) return;
    this.packet = bytes;
    this.initialWindow = WINDOW_INITIAL_PACKETS * bytes;
  }

  onAcked(now: number, sample: AckSample): void {
    this.roundDelivered += sample.bytes;
    const isRound = sample.deliveredThen >= this.roundEnd;
    if (isRound) this.rates.next();
    this.noteRate(sample);
    this.noteRtt(now, sample.rttMs);
    this.pauses.onAcked(now, sample.sentAt, this.minRttMs);
    if (isRound) this.onRound(sample);
    this.advance(now, sample.inFlight);
  }

  onLost(_now: number, sample: LossSample): void {
    this.roundLost += sample.bytes;
    if (sample.isPersistent) this.brake = BRAKE_MIN;
  }

  reset(): void {
    const fresh = new Bbr();
    fresh.onSent(0, this.packet);
    Object.assign(this, fresh);
  }

  private get highestRate(): number {
    return this.rates.value;
  }

  /** Bytes that the path itself holds. */
  private get product(): number {
    return this.highestRate * this.minRttMs;
  }

  private get gain(): number {
    switch (this.phase) {
      case 'startup':
        return STARTUP_GAIN;
      case 'drain':
        return 1 / STARTUP_GAIN;
      case 'cruise':
        return CRUISE_GAINS[this.cruiseStep] ?? 1;
      case 'probe_rtt':
        return 1;
    }
  }

  private noteRate({ rate }: AckSample): void {
    if (rate === undefined || (rate.isAppLimited && rate.rate <= this.highestRate)) {
      // What had too little to send says nothing against what the path did before.
      if (rate?.isAppLimited === true) this.rates.note(this.highestRate);
    } else this.rates.note(rate.rate);
  }

  private noteRtt(now: number, rttMs: number | undefined): void {
    if (rttMs === undefined) return;
    this.rttMs = rttMs;
    const isOld = now > this.minRttAt + RTT_LIFE_MS;
    if (rttMs <= this.minRttMs || isOld) {
      if (isOld && this.isFull && rttMs > this.minRttMs) {
        this.phase = 'probe_rtt';
        this.probeUntil = now + Math.max(PROBE_RTT_MS, rttMs);
      }
      this.minRttMs = Math.max(rttMs, 0.01);
      this.minRttAt = now;
    }
  }

  private onRound(sample: AckSample): void {
    this.roundEnd = sample.delivered;
    const loss = this.roundLost / Math.max(1, this.roundLost + this.roundDelivered);
    const isOverflow = loss > BRAKE_LOSS && this.rttMs > BRAKE_RTT * this.minRttMs;
    this.pauses.onRound(loss);
    this.brake = isOverflow ? Math.max(BRAKE_MIN, BRAKE * this.brake) : Math.min(1, RELEASE * this.brake);
    this.roundLost = 0;
    this.roundDelivered = 0;
    if (this.isFull || sample.rate === undefined || sample.rate.isAppLimited) return;
    if (this.highestRate >= this.fullRate * FULL_GROWTH) {
      this.fullRate = this.highestRate;
      this.fullRounds = 0;
    } else if (++this.fullRounds >= FULL_ROUNDS) {
      this.isFull = true;
      this.phase = 'drain';
    }
  }

  private advance(now: number, inFlight: number): void {
    if (this.phase === 'drain' && inFlight <= this.product) this.cruise(now, 2);
    if (this.phase === 'probe_rtt' && now >= this.probeUntil) {
      this.minRttAt = now;
      this.cruise(now, 2);
    }
    if (this.phase !== 'cruise') return;
    const isOver = now - this.stepAt > this.minRttMs;
    const isDrained = this.cruiseStep === 1 && inFlight <= this.product;
    if (isOver || isDrained) this.cruise(now, (this.cruiseStep + 1) % CRUISE_GAINS.length);
  }

  private cruise(now: number, step: number): void {
    this.phase = 'cruise';
    this.cruiseStep = step;
    this.stepAt = now;
  }
}
