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
   * of what the peer may have, so that they never keep it out.
   */
  fits(bytes: number, isOldest: boolean): boolean {
    const wanted = (this.bytes + bytes) * (isOldest ? 1 : 2);
    const left = this.budget.bytesLeft - bytes;
    return wanted <= this.bytesMax && left >= 0 && (2 * left >= this.budget.bytes || wanted <= SHARE * left);
  }

  add(bytes: number): void {
    this.bytes += bytes;
    this.budget.bytesLeft -= bytes;
  }
}
