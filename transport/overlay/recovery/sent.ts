/**
 * Packets in flight: which ACK removes them, which are lost, when a probe is due (RFC 9002 with RACK's adaptive windows, RFC 8985).
 *
 *   onSent -> onAck: acknowledged | lost by packets or by time -> onTimeout: lost by time | probes (the first is RACK's TLP)
 *
 * A packet carries items, what is to be done when it is acknowledged or lost. Packets are never sent again, their items are.
 */
import type { AckRange } from '../wire/frames.ts';
import { DeliveryRate, type RateSample, type RateStamp } from './rate.ts';
import type { Rtt } from './rtt.ts';

/** A packet is lost when so many that were sent later arrived; raised by losses that prove wrong. */
const PACKET_THRESHOLD = 3;
const PACKET_THRESHOLD_MAX = 256;
/** A packet is lost when one arrived that was sent (1 + steps/8) RTT later; from one step up to eight. */
const TIME_STEPS_MAX = 8;
/** Rounds without a wrong loss, after which the windows narrow again. */
const CALM_ROUNDS = 16;
const TIMER_MIN_MS = 1;
const PROBE_CAP_MS = 2_000;
const PROBE_JITTER = 0.25;
/** Lost packets of which a late ACK may still be told. */
const LOST_MAX = 1_024;
/** Probe timeouts that a row of lost packets must span to be persistent congestion (RFC 9002 §7.6). */
const PERSISTENT = 3;

export interface SentPacket<Item> {
  readonly pn: number;
  readonly sentAt: number;
  /** On the wire. */
  readonly bytes: number;
  readonly items: readonly Item[];
  readonly stamp: RateStamp;
}
export interface AckOutcome<Item> {
  readonly acked: readonly SentPacket<Item>[];
  readonly lost: readonly SentPacket<Item>[];
  /** Counted as lost before, and were only late. */
  readonly late: readonly SentPacket<Item>[];
  readonly isPersistent: boolean;
  readonly inFlightBefore: number;
  readonly rttMs: number | undefined;
  readonly rate: RateSample | undefined;
}

export class SentPackets<Item> {
  /** Bytes in flight. */
  inFlight = 0;
  /** Probe timeouts since the last ACK of something new. */
  timeouts = 0;
  /** Last ACK of something new, or the first packet in flight. */
  progressAt = 0;
  readonly rate = new DeliveryRate();
  private readonly random: () => number;
  private rtt: Rtt;
  /** By pn, from `head` on. */
  private flying: SentPacket<Item>[] = [];
  private head = 0;
  private largestSent = -1;
  private largestAcked = -1;
  private lossAt = Infinity;
  private lastSentAt = 0;
  private timeoutAt = -Infinity;
  /** Timeouts since anything came of the peer: each doubles the wait for the next. */
  private silent = 0;
  private jitter = 1;
  private readonly lost = new Map<number, SentPacket<Item>>();
  private packetThreshold = PACKET_THRESHOLD;
  private timeSteps = 1;
  private calmUntil = 0;

  /** `random`: 0 <= x < 1. */
  constructor(rtt: Rtt, random: () => number) {
    this.rtt = rtt;
    this.random = random;
  }

  /** Packets that wait for an ACK. */
  get size(): number {
    return this.flying.length - this.head;
  }

  /** The oldest first. */
  oldest(count: number): readonly SentPacket<Item>[] {
    return this.flying.slice(this.head, this.head + count);
  }

  /** `pn` is in use, for a packet that is not watched: it asks for no ACK, or is not of this connection. */
  onUnwatched(pn: number): void {
    this.largestSent = Math.max(this.largestSent, pn);
  }

  onSent(now: number, pn: number, bytes: number, items: readonly Item[]): void {
    this.onUnwatched(pn);
    if (this.size === 0) this.progressAt = now;
    this.flying.push({ pn, sentAt: now, bytes, items, stamp: this.rate.stamp(now, this.inFlight) });
    this.inFlight += bytes;
    this.lastSentAt = now;
  }

  /** Anything came of the peer: it is there again, so it is not waited as long for an ACK as if it were not. */
  onHeard(): void {
    this.silent = 0;
  }

  /** 'unsent': the peer acknowledges what was never sent. `ranges`: highest first. */
  onAck(now: number, ranges: readonly AckRange[], delayMs: number): AckOutcome<Item> | 'unsent' {
    const largest = ranges[0]?.[1] ?? -1;
    if (largest > this.largestSent) return 'unsent';
    const late = this.takeLate(now, ranges);
    const inFlightBefore = this.inFlight;
    const acked = this.removeAcked(ranges, largest);
    const newest = acked.at(-1);
    if (newest === undefined)
      return { acked, lost: [], late, isPersistent: false, inFlightBefore, rttMs: undefined, rate: undefined };
    this.progressAt = now;
    this.largestAcked = Math.max(this.largestAcked, largest);
    // A newer packet of the ACK that asks for none itself has waited for this ACK: only the RTT of its largest is true.
    const rttMs = newest.pn === largest ? Math.max(0, now - newest.sentAt) : undefined;
    if (rttMs !== undefined) this.rtt.sample(rttMs, delayMs);
    for (const p of acked) this.rate.onAcked(now, p.stamp, p.sentAt, p.bytes);
    this.timeouts = 0;
    this.silent = 0;
    this.jitter = 1;
    const { lost, isPersistent } = this.detectLost(now);
    // Nothing is under way or to be sent again: what could still be late matters no more, and holds memory.
    if (this.size === 0 && lost.length === 0) this.lost.clear();
    return { acked, lost, late, isPersistent, inFlightBefore, rttMs, rate: this.rate.take(this.rtt.min) };
  }

  /** When `onTimeout` is to be called. */
  nextAt(): number {
    if (this.size === 0) return Infinity;
    if (this.lossAt < Infinity) return this.lossAt;
    const backoff = this.rtt.probeTimeout() * 2 ** Math.min(this.silent, 16) * this.jitter;
    return this.probeFrom + Math.min(backoff, PROBE_CAP_MS);
  }

  /**
   * The probe timer counts from the last packet, as in RFC 9002. But where packets follow each other faster than it expires, it would never, until
   * the window is full: so no later than from the last progress, and from the last timeout.
   */
  private get probeFrom(): number {
    return Math.max(this.timeoutAt, Math.min(this.lastSentAt, this.progressAt));
  }

  /** `probes`: packets that must be sent now, whatever window and pacing say. */
  onTimeout(now: number): {
    readonly lost: readonly SentPacket<Item>[];
    readonly isPersistent: boolean;
    readonly probes: number;
  } {
    if (this.nextAt() > now) return { lost: [], isPersistent: false, probes: 0 };
    if (this.lossAt < Infinity) return { ...this.detectLost(now), probes: 0 };
    this.timeouts++;
    this.silent++;
    this.timeoutAt = now;
    this.jitter = 1 + PROBE_JITTER * (2 * this.random() - 1);
    return { lost: [], isPersistent: false, probes: this.timeouts === 1 ? 1 : 2 };
  }

  /** Another path: what is in flight counts as lost, without blame. The probe timer starts anew. */
  restart(rtt: Rtt): readonly SentPacket<Item>[] {
    const lost = this.flying.slice(this.head);
    for (const packet of lost) this.remember(packet);
    this.flying = [];
    this.head = 0;
    this.inFlight = 0;
    this.lossAt = Infinity;
    this.rtt = rtt;
    this.timeouts = 0;
    this.silent = 0;
    this.jitter = 1;
    return lost;
  }

  /** One walk over what was sent up to `largest`; what is left of it goes back to the front. */
  private removeAcked(ranges: readonly AckRange[], largest: number): SentPacket<Item>[] {
    const acked: SentPacket<Item>[] = [];
    const left: SentPacket<Item>[] = [];
    let at = ranges.length - 1;
    for (; this.head < this.flying.length; this.head++) {
      const packet = this.flying[this.head] as SentPacket<Item>;
      if (packet.pn > largest) break;
      while (at > 0 && (ranges[at] as AckRange)[1] < packet.pn) at--;
      if ((ranges[at] as AckRange)[0] > packet.pn) left.push(packet);
      else {
        acked.push(packet);
        this.inFlight -= packet.bytes;
      }
    }
    this.putBack(left);
    return acked;
  }

  private putBack(packets: readonly SentPacket<Item>[]): void {
    for (const packet of packets.toReversed()) this.flying[--this.head] = packet;
    if (this.head > 256 && this.head * 2 > this.flying.length) {
      this.flying = this.flying.slice(this.head);
      this.head = 0;
    }
  }

  private detectLost(now: number): { readonly lost: readonly SentPacket<Item>[]; readonly isPersistent: boolean } {
    const lost: SentPacket<Item>[] = [];
    const left: SentPacket<Item>[] = [];
    const window = Math.max((1 + this.timeSteps / 8) * Math.max(this.rtt.latest, this.rtt.smoothed), TIMER_MIN_MS);
    this.lossAt = Infinity;
    for (; this.head < this.flying.length; this.head++) {
      const packet = this.flying[this.head] as SentPacket<Item>;
      if (packet.pn > this.largestAcked) break;
      if (packet.sentAt + window <= now || packet.pn + this.packetThreshold <= this.largestAcked) {
        lost.push(packet);
        this.inFlight -= packet.bytes;
        this.remember(packet);
      } else {
        left.push(packet);
        this.lossAt = Math.min(this.lossAt, packet.sentAt + window);
      }
    }
    this.putBack(left);
    const span = (lost.at(-1)?.sentAt ?? 0) - (lost[0]?.sentAt ?? 0);
    return { lost, isPersistent: this.rtt.hasSample && lost.length > 1 && span > PERSISTENT * this.rtt.probeTimeout() };
  }

  private remember(packet: SentPacket<Item>): void {
    this.lost.set(packet.pn, packet);
    if (this.lost.size <= LOST_MAX) return;
    for (const pn of this.lost.keys()) {
      this.lost.delete(pn);
      return;
    }
  }

  /** An ACK of packets that counted as lost: both windows were too narrow. */
  private takeLate(now: number, ranges: readonly AckRange[]): SentPacket<Item>[] {
    const old = now - PERSISTENT * this.rtt.probeTimeout();
    const late: SentPacket<Item>[] = [];
    for (const [pn, packet] of this.lost) {
      const isAcked = ranges.some(([from, to]) => pn >= from && pn <= to);
      if (isAcked) late.push(packet);
      if (isAcked || packet.sentAt < old) this.lost.delete(pn);
    }
    const first = late[0];
    if (first !== undefined) this.widen(now, this.largestAcked - first.pn);
    else if (this.timeSteps > 1 && now >= this.calmUntil) {
      this.timeSteps = 1;
      this.packetThreshold = PACKET_THRESHOLD;
    }
    return late;
  }

  /** By a step a round trip. `distance`: packets by which one was overtaken. */
  private widen(now: number, distance: number): void {
    if (now >= this.calmUntil - (CALM_ROUNDS - 1) * this.rtt.smoothed) {
      this.timeSteps = Math.min(this.timeSteps + 1, TIME_STEPS_MAX);
      this.calmUntil = now + CALM_ROUNDS * this.rtt.smoothed;
    }
    this.packetThreshold = Math.min(Math.max(this.packetThreshold, distance + 1), PACKET_THRESHOLD_MAX);
  }
}
