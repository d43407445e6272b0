/** How many challenges of a path are not answered: of the last 64 that measured, one a round. */

const WINDOW = 64;
/** Fewer say nothing. */
const OUTCOMES_MIN = 20;
const LOSSY_ABOVE = 0.1;
/** Lower than `LOSSY_ABOVE`, so that a path near it does not go to and fro. */
const CURED_AT = 0.05;

export class Loss {
  /** It loses more than 10 %, and has not come down to 5 % since. */
  isLossy = false;
  private outcomes: boolean[] = [];
  private lost = 0;

  /** 0 to 1. */
  get share(): number {
    return this.outcomes.length === 0 ? 0 : this.lost / this.outcomes.length;
  }

  record(isLost: boolean): void {
    this.outcomes.push(isLost);
    if (isLost) this.lost++;
    if (this.outcomes.length > WINDOW && this.outcomes.shift() === true) this.lost--;
    this.isLossy = this.isLossy ? this.share > CURED_AT : this.outcomes.length >= OUTCOMES_MIN && this.share > LOSSY_ABOVE;
  }

  /** What was measured does not hold any more. */
  clear(): void {
    this.isLossy = false;
    this.outcomes = [];
    this.lost = 0;
  }
}
