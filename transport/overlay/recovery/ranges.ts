/** A set of whole numbers as ranges: packets that came, messages that were delivered. */
import type { AckRange } from '../wire/frames.ts';

export class RangeSet {
  /** Ascending, with at least one number missing between two. */
  private readonly ranges: [from: number, to: number][] = [];
  private readonly rangesMax: number;

  /** With more than `rangesMax` ranges the lowest are forgotten. Without a bound the caller has one for the numbers. */
  constructor(rangesMax = Infinity) {
    this.rangesMax = rangesMax;
  }

  /** Number of ranges. */
  get size(): number {
    return this.ranges.length;
  }

  /** Runs of missing numbers below the largest. */
  get gaps(): number {
    return this.ranges.length - (this.floor > 0 ? 1 : 0);
  }

  get largest(): number | undefined {
    return this.ranges.at(-1)?.[1];
  }

  /** Numbers from 0 on without a gap: the first that is missing. */
  get floor(): number {
    const first = this.ranges[0];
    return first?.[0] === 0 ? first[1] + 1 : 0;
  }

  has(n: number): boolean {
    const range = this.ranges[this.below(n)];
    return range !== undefined && n <= range[1];
  }

  /** False: it was there. */
  add(n: number): boolean {
    const at = this.below(n);
    const [left, right] = [this.ranges[at], this.ranges[at + 1]];
    if (left !== undefined && n <= left[1]) return false;
    const touchesLeft = left !== undefined && n === left[1] + 1;
    if (right !== undefined && n === right[0] - 1) {
      right[0] = touchesLeft ? left[0] : n;
      if (touchesLeft) this.ranges.splice(at, 1);
    } else if (touchesLeft) left[1] = n;
    else this.ranges.splice(at + 1, 0, [n, n]);
    if (this.ranges.length > this.rangesMax) this.ranges.shift();
    return true;
  }

  /** Forgets all numbers below `n`. */
  dropBelow(n: number): void {
    let first = this.ranges[0];
    while (first !== undefined && first[1] < n) {
      this.ranges.shift();
      first = this.ranges[0];
    }
    if (first !== undefined && first[0] < n) first[0] = n;
  }

  /** Highest first; copies. */
  descending(): AckRange[] {
    return this.ranges.toReversed().map(([from, to]) => [from, to]);
  }

  /** Index of the last range that begins at or below `n`; -1: none. */
  private below(n: number): number {
    let low = 0;
    let high = this.ranges.length;
    // What comes is mostly near the end.
    const last = this.ranges[high - 1];
    if (last !== undefined && last[0] <= n) return high - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.ranges[middle] as [number, number])[0] <= n) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
