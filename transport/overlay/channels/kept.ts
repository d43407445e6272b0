/** What one peer makes this node keep: fragments, whole messages that wait for one that is missing, and which ones are missing where none waits. */

/** When half of the budget is taken, no peer has more than this part of what is left: those who are too many and hold on leave some for others. */
const SHARE = 1 / 16;

/** Bytes, shared by all peers. */
export interface KeptBudget {
  readonly bytes: number;
  bytesLeft: number;
}

export const keptBudget = (bytes: number): KeptBudget => ({ bytes, bytesLeft: bytes });

export class Kept {
  /** Of this peer. */
  bytes = 0;
  /** Beyond this nothing fits; whoever comes to it has broken no rule. */
  bytesMax = Infinity;
  private readonly budget: KeptBudget;

  constructor(budget: KeptBudget) {
    this.budget = budget;
  }

  /**
   * Whether so many bytes more may be kept. `isOldest`: of the oldest message of a channel that is missing. Those that wait for it take at most half
   * of what the peer may have, so that they do not keep it out.
   */
  fits(bytes: number, isOldest: boolean): boolean {
    const wanted = (this.bytes + bytes) * (isOldest ? 1 : 2);
    return wanted <= this.bytesMax && this.leaves(bytes, wanted);
  }

  /** Whether a message of so many bytes may be kept beside all that is: as if the peer had nothing yet. */
  fitsBeside(bytes: number): boolean {
    return this.bytes + bytes <= this.bytesMax && this.leaves(bytes, bytes);
  }

  add(bytes: number): void {
    this.bytes += bytes;
    this.budget.bytesLeft -= bytes;
  }

  /** Whether there is enough for others, if the peer has `wanted` and `bytes` of it are new. */
  private leaves(bytes: number, wanted: number): boolean {
    const left = this.budget.bytesLeft - bytes;
    return left >= 0 && (2 * left >= this.budget.bytes || wanted <= SHARE * left);
  }
}
