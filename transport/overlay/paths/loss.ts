/** How many challenges of a path are not answered: of the last 64 that measured, one a round. */

const WINDOW = 64;
/** Fewer, or fewer lost ones, say nothing. */
const OUTCOMES_MIN = 20;
const LOST_MIN = 6;
/**
 * Of a row of lost ones no more count. Chance makes few longer ones; a long one is a path that is away, or one whose challenges somebody else
 * gets before the peer's answers can come here (A12), and neither is a matter of loss.
 */
const ROW_MAX = 3;
const LOSSY_ABOVE = 0.1;
/** Lower than `LOSSY_ABOVE`, so that a path near it does not go to and fro. */
const CURED_AT = 0.05;

export class Loss {
  /** It loses more than 10 %, and has not come down to 5 % since. */
  isLossy = false;
  private outcomes: boolean[] = [];
  private lost = 0;
  /** Of the last ones, lost in a row. */
  private row = 0;

  /** 0 to 1. */
  get share(): number {
    return this.outcomes.length === 0 ? 0 : this.lost / this.outcomes.length;
  }

  record(isLost: boolean): void {
    this.row = isLost ? this.row + 1 : 0;
    if (this.row > ROW_MAX) return;
    this.outcomes.push(isLost);
    if (isLost) this.lost++;
    if (this.outcomes.length > WINDOW && this.outcomes.shift() === true) this.lost--;
    this.isLossy = this.isLossy ? this.share > CURED_AT : this.isProved && this.share > LOSSY_ABOVE;
  }

  private get isProved(): boolean {
    return this.outcomes.length >= OUTCOMES_MIN && this.lost >= LOST_MIN;
  }

  /** What was measured does not hold any more. */
  clear(): void {
    this.isLossy = false;
    this.outcomes = [];
    this.lost = 0;
    this.row = 0;
  }
}
