/**
 * How long the packets of one path may be. Found with padded challenges, each size once: a lost one is never sent again, since it was either
 * lost to the size, or will be on a path that loses much. So a path keeps a size too small at worst, until the network changes.
 *
 *   direct     1200, then 1400 and 1452 at once when the path is proved: 1500 of Ethernet less the headers of IPv6 and UDP
 *   loopback   1200, then 16 KiB; 1400 and 1452 if that is not answered within a second
 *   relayed    1184, never more: the packet around it is to fit in 1280
 *   tcp        16 KiB
 *
 * Nothing is above what the peer takes. Black hole: where short challenges come back and long ones do not, three times, the path is back at
 * 1200. One trial is a short and a long challenge at the same moment.
 */
import { RELAYED_BYTES_MAX } from '../relay/bodies.ts';
import type { PathId } from '../source.ts';
import { isLoopback, kindOfPath, parseUdpPath } from './endpoint.ts';

/** Bytes of a packet that every path is to carry. */
const BASE_BYTES = 1_200;
const LADDER = [1_400, 1_452];
const LONG_BYTES_MAX = 16_384;
const LONG_WAIT_MS = 1_000;
const STRIKES_MAX = 3;

interface Trial {
  readonly startedAt: number;
  readonly waitMs: number;
  isShortAnswered: boolean;
}

/** Bytes to which a challenge is padded; undefined: a short one. */
export type ProbeSize = number | undefined;

export class Mtu {
  /** Bytes of the longest packet, by what is known. */
  datagram: number;
  private readonly base: number;
  /** Sizes above the base. */
  private readonly ladder: readonly number[];
  private readonly long: number | undefined;
  private isProbed = false;
  /** When the long probe of a loopback path counts as lost. */
  private longUntil = Infinity;
  /** Longer packets were refused or lost: answers to probes that come late change nothing. */
  private isFinal = false;
  private trial: Trial | undefined;
  private strikes = 0;

  constructor(path: PathId, maxDatagram: number) {
    const kind = kindOfPath(path);
    const usual = kind === 'relayed' ? RELAYED_BYTES_MAX : kind === 'tcp' ? LONG_BYTES_MAX : BASE_BYTES;
    this.base = Math.min(usual, maxDatagram);
    this.datagram = this.base;
    this.ladder = kind === 'direct' ? LADDER.filter((size) => size <= maxDatagram) : [];
    const host = parseUdpPath(path)?.endpoint.host;
    const long = Math.min(LONG_BYTES_MAX, maxDatagram);
    this.long = host !== undefined && isLoopback(host) && long > Math.max(...LADDER) ? long : undefined;
  }

  /** The path has been proved: probes to be sent, the first time. */
  proved(now: number): readonly ProbeSize[] {
    if (this.isProbed) return [];
    this.isProbed = true;
    if (this.long === undefined) return this.ladder;
    this.longUntil = now + LONG_WAIT_MS;
    return [this.long];
  }

  /** An answer to a challenge of this size. */
  answered(size: ProbeSize, sentAt: number): void {
    if (size === undefined) {
      if (this.trial !== undefined && sentAt >= this.trial.startedAt) this.trial.isShortAnswered = true;
      return;
    }
    if (this.isFinal || size < this.datagram) return;
    this.datagram = size;
    this.longUntil = Infinity;
    this.trial = undefined;
    this.strikes = 0;
  }

  /** Packets seem to be lost: are long ones? Challenges to be sent, each of which gets `waitMs` to be answered. */
  doubted(now: number, waitMs: number): readonly ProbeSize[] {
    return this.datagram <= this.base || this.trial !== undefined ? [] : this.tryBoth(now, waitMs);
  }

  /** Whether it is open if long packets arrive: till then answers to short challenges prove too little. */
  get isOnTrial(): boolean {
    return this.trial !== undefined;
  }

  /** A packet was refused for its length. */
  tooLong(): void {
    this.isFinal = true;
    this.datagram = this.base;
    this.longUntil = Infinity;
    this.trial = undefined;
  }

  /** The path may lead another way now. */
  networkChanged(): void {
    this.tooLong();
    this.isFinal = false;
    this.isProbed = false;
    this.strikes = 0;
  }

  nextAt(): number {
    return Math.min(this.longUntil, this.trial === undefined ? Infinity : this.trial.startedAt + this.trial.waitMs);
  }

  /** Challenges to be sent. */
  tick(now: number): readonly ProbeSize[] {
    if (this.nextAt() > now) return [];
    if (this.trial === undefined) {
      this.longUntil = Infinity;
      return this.ladder;
    }
    const { isShortAnswered, waitMs } = this.trial;
    this.trial = undefined;
    // Neither came back: that is no matter of length.
    if (!isShortAnswered) return [];
    this.strikes++;
    if (this.strikes < STRIKES_MAX) return this.tryBoth(now, waitMs);
    this.tooLong();
    return [];
  }

  private tryBoth(now: number, waitMs: number): readonly ProbeSize[] {
    this.trial = { startedAt: now, waitMs, isShortAnswered: false };
    return [undefined, this.datagram];
  }
}
