/**
 * When probes go out, and how far. A volley is one probe to each target from each socket. The first ones are openers: they die on the way,
 * behind the own NAT and before the other one, so that the own NAT knows the flow before anything of the peer arrives. A NAT that takes in
 * what nobody asked for (`poison`, OVERLAY.md §3.2) otherwise gives the own flow another port, and punching fails.
 *
 * A TTL of n opens n - 1 NATs. The first round opens the nearest one, which in a container host is the one that needs it, and is too short for
 * even the nearest peer. The second, on a fresh port, takes 250 ms, for a relayed path that is slower in one direction, so that the two sides do
 * not start at the same time; and it goes deeper at last.
 */
import type { Target } from './targets.ts';

export const OPENER_TTL = 2;
const DEEP_TTL = 5;
const OPENERS: readonly [first: readonly number[], fresh: readonly number[]] = [
  [OPENER_TTL, OPENER_TTL],
  [...Array.from({ length: 8 }, () => OPENER_TTL), DEEP_TTL, DEEP_TTL],
];

const VOLLEYS = 30;
/** Unlikely targets are probed in the first volleys. */
const VOLLEYS_UNLIKELY = 6;
/** Ports are guessed, if they are, after this many volleys; the others go on beside it. */
export const VOLLEYS_BEFORE_BIRTHDAY = 12;
const QUICK_VOLLEYS = 10;
const QUICK_MS = 25;
const SLOW_MS = 100;

/** The volleys of one round. */
export class Volleys {
  readonly targets: readonly Target[];
  /** Volleys that went out. */
  count = 0;
  private readonly openers: readonly number[];
  private at: number;

  /** Without targets there are none. */
  constructor(now: number, round: 0 | 1, targets: readonly Target[]) {
    this.targets = targets;
    this.openers = OPENERS[round];
    this.at = targets.length > 0 ? now : Infinity;
  }

  /** Infinity: that was the last one. */
  nextAt(): number {
    return this.at;
  }

  /** The volley that is due: to whom, and with which TTL (undefined: as usual). */
  next(now: number): { readonly to: readonly Target[]; readonly ttl: number | undefined } {
    const n = this.count;
    this.count += 1;
    this.at = this.count < VOLLEYS ? now + (n < QUICK_VOLLEYS ? QUICK_MS : SLOW_MS) : Infinity;
    return { to: this.targets.filter(({ isLikely }) => isLikely || n < VOLLEYS_UNLIKELY), ttl: this.openers[n] };
  }
}
