/** One path to a peer: what is known of it, and the challenges under way. What follows from it is for paths.ts. */
import type { PathId } from '../source.ts';
import { kindOfPath, type PathKind } from './endpoint.ts';
import { Loss } from './loss.ts';
import { Mtu, type ProbeSize } from './mtu.ts';
import type { PathState } from './ports.ts';

/** Bytes of a packet with a PATH_CHALLENGE: 32 of the packet, 9 of the frame, and a PING on the path in use. */
export const CHALLENGE_BYTES = 42;
/** Bytes of a packet with a PATH_RESPONSE and an OBSERVED, which has at most 21. */
export const RESPONSE_BYTES = 62;
/** To an address that is not proved goes at most this multiple of what came from it. */
const AMPLIFICATION_MAX = 3;
/** Challenges of a path that are remembered: as many as punching sends in two seconds. */
const REMEMBERED_MAX = 32;
/** Steps between the challenges of a round, and from the last one to its end. */
const GAPS = [1, 1, 2, 4, 8] as const;
const STEP_MIN_MS = 100;
const STEP_MAX_MS = 500;
/** Of a path that was proved, but not by a challenge. */
const STEP_UNMEASURED_MS = 250;
const RTT_ASSUMED_MS = 333;
/** RTTs are compared where there are so many samples; until then the path is measured every second. */
export const SAMPLES_MIN = 8;
const MEASURE_SOON_MS = 1_000;
/** Samples that a round-trip time is made of, more or less. */
const SMOOTHED = 4;
const KEEPALIVE_MS = 15_000;
/** A path that was left for not working is not come back to for a second; for twice that the next time, up to a minute. */
const HOLD_MS = 1_000;
const HOLD_MAX_MS = 64_000;
/** After so long without trouble the first hold is a second again. */
const HOLD_FORGOTTEN_MS = 300_000;

interface Challenge {
  /** In hex. */
  readonly data: string;
  readonly sentAt: number;
  readonly size: ProbeSize;
}

/** Challenges in a row: at once, then after 1, 2, 4 and 8 steps. Given up after 16. */
export interface Round {
  readonly startedAt: number;
  readonly stepMs: number;
  sent: number;
  nextAt: number;
}

export class Path {
  readonly id: PathId;
  readonly kind: PathKind;
  readonly mtu: Mtu;
  readonly loss = new Loss();
  state: PathState = 'probing';
  /** When it came into this state. */
  since: number;
  /** Smoothed; undefined: never measured. */
  rttMs: number | undefined;
  samples = 0;
  /** When an authentic packet came, or the peer is known to have got one that went here. */
  heardAt = -Infinity;
  /** When the last challenge that was answered had been sent. */
  provedAt = -Infinity;
  /** This node asked for the path, or it was proved once: a few challenges more do no harm. */
  isWanted: boolean;
  round: Round | undefined;
  /** When the next round is due that only measures. */
  measureAt: number;
  /** It was left: not before then is it come back to of own will. */
  heldUntil = -Infinity;
  /** Challenges in the last packet that may still be answered. */
  answersLeft = 0;
  private received = 0;
  private sent = 0;
  /** Bytes of outputs that nobody took yet. */
  private pending = 0;
  private remembered: Challenge[] = [];
  /** The challenge by which loss is measured at present. */
  private sample: Challenge | undefined;
  private holdMs = HOLD_MS;
  private leftAt = -Infinity;

  constructor(now: number, id: PathId, maxDatagram: number, isWanted: boolean) {
    this.id = id;
    this.kind = kindOfPath(id);
    this.mtu = new Mtu(id, maxDatagram);
    this.isWanted = isWanted;
    this.since = now;
    this.measureAt = now;
  }

  /** In doubt, and two challenges since were not answered; nothing came at all. */
  isSilent(now: number): boolean {
    const { round } = this;
    if (this.state !== 'suspect' || round === undefined || this.heardAt >= round.startedAt) return false;
    return round.sent > 2 && now - round.startedAt >= 2.5 * (this.rttMs ?? 0);
  }

  /** Whoever has the address is the peer. */
  get isProved(): boolean {
    return this.state === 'valid' || this.state === 'suspect';
  }

  enter(now: number, state: PathState): void {
    // What loss and limits were is of no use for a path that was away.
    if (this.state === 'dead') {
      this.loss.clear();
      this.sample = undefined;
      this.received = 0;
      this.sent = 0;
    }
    this.state = state;
    this.since = now;
    if (state === 'dead') this.round = undefined;
    if (state === 'valid') this.isWanted = true;
  }

  /** An authentic packet. */
  heard(now: number, bytes: number): void {
    this.heardAt = now;
    this.received += bytes;
  }

  /** Whether so many bytes may go there, more than have gone and are pending. */
  allows(bytes: number): boolean {
    return this.isProved || this.sent + this.pending + bytes <= AMPLIFICATION_MAX * this.received;
  }

  reserve(bytes: number): void {
    this.pending += bytes;
  }

  /** Outputs were taken: from here on they are told by `onSent`. */
  release(): void {
    this.pending = 0;
  }

  /** An INIT came from there, and was answered. */
  onHandshake({ received, sent }: { readonly received: number; readonly sent: number }): void {
    this.received += received;
    this.sent += sent;
  }

  onSent(bytes: number): void {
    this.sent += bytes;
  }

  /** A challenge went out. */
  remember(now: number, data: Uint8Array, size: ProbeSize): void {
    const challenge = { data: Buffer.from(data).toString('hex'), sentAt: now, size };
    this.remembered.push(challenge);
    if (this.remembered.length > REMEMBERED_MAX) this.remembered.shift();
    // The first of a round measures loss: those that follow it are sent because it was lost.
    if (this.state === 'valid' && size === undefined && this.round?.sent === 0) this.measureLoss(now, challenge);
  }

  get lastChallengeAt(): number {
    return this.remembered.at(-1)?.sentAt ?? -Infinity;
  }

  /** The answer to a challenge that went here came by another path: the peer got the challenge, and no more is known. */
  reached(now: number, data: string): void {
    if (!this.remembered.some((challenge) => challenge.data === data)) return;
    this.heardAt = now;
    if (this.sample?.data === data) this.gotThrough();
  }

  /** An answer that came by this path. Undefined: it answers no challenge that went here. */
  answered(now: number, data: string): Challenge | undefined {
    const challenge = this.remembered.find((one) => one.data === data);
    if (challenge === undefined) return undefined;
    this.remembered = this.remembered.filter((one) => one !== challenge);
    this.heardAt = now;
    this.provedAt = Math.max(this.provedAt, challenge.sentAt);
    if (challenge.size === undefined) this.measured(now - challenge.sentAt);
    if (challenge === this.sample) this.gotThrough();
    if (this.round !== undefined && challenge.sentAt >= this.round.startedAt) this.endRound(now);
    return challenge;
  }

  /** Answers that come late prove nothing any more. */
  forgetChallenges(): void {
    this.remembered = [];
    this.sample = undefined;
  }

  startRound(now: number): void {
    this.round = { startedAt: now, stepMs: this.stepMs(), sent: 0, nextAt: now };
  }

  /** The challenge that was due is out, or was not allowed. */
  stepRound(now: number, round: Round): void {
    round.nextAt = now + (GAPS[round.sent] ?? 0) * round.stepMs;
    round.sent++;
  }

  isOver(round: Round): boolean {
    return round.sent >= GAPS.length;
  }

  endRound(now: number): void {
    this.round = undefined;
    this.measureAt =
      now + (this.samples < SAMPLES_MIN || this.loss.share > 0 || this.state === 'suspect' ? MEASURE_SOON_MS : KEEPALIVE_MS);
  }

  /** ms after which a challenge should have been answered. */
  get patienceMs(): number {
    return Math.max(2 * this.stepMs(), 3 * (this.rttMs ?? 0));
  }

  /** It was left because it did not work. */
  hold(now: number): void {
    this.holdMs = now - this.leftAt > HOLD_FORGOTTEN_MS ? HOLD_MS : Math.min(2 * this.holdMs, HOLD_MAX_MS);
    this.leftAt = now;
    this.heldUntil = now + this.holdMs;
  }

  isHeld(now: number): boolean {
    return now < this.heldUntil;
  }

  /** Nothing that was measured holds. */
  networkChanged(): void {
    this.mtu.networkChanged();
    this.loss.clear();
    this.sample = undefined;
    this.rttMs = undefined;
    this.samples = 0;
    this.heldUntil = -Infinity;
  }

  private gotThrough(): void {
    this.sample = undefined;
    this.loss.record(false);
  }

  /** The first sample has much in it that is not the path's, as a handshake, so it counts until there is another. Then means; later ones count for a quarter. */
  measured(rttMs: number): void {
    this.samples++;
    if (this.rttMs === undefined || this.samples <= 2) this.rttMs = rttMs;
    else this.rttMs += (rttMs - this.rttMs) / Math.min(this.samples - 1, SMOOTHED);
  }

  private measureLoss(now: number, challenge: Challenge): void {
    if (this.sample !== undefined) {
      // It may only be late.
      if (now - this.sample.sentAt < Math.max(MEASURE_SOON_MS, 4 * (this.rttMs ?? RTT_ASSUMED_MS)) - 1) return;
      this.loss.record(true);
    }
    this.sample = challenge;
  }

  private stepMs(): number {
    if (this.rttMs === undefined) return this.isProved ? STEP_UNMEASURED_MS : STEP_MIN_MS;
    return Math.min(Math.max(1.5 * this.rttMs, STEP_MIN_MS), STEP_MAX_MS);
  }
}
