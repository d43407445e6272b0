/** The highest value of the last rounds, the present one among them. */
export class Highest {
  /** As of the last `note`: an old value counts until a new one says otherwise. 0: nothing was noted. */
  value = 0;
  /** Of each round; the present one's is at `at`. */
  private readonly rounds: number[];
  private at = 0;

  constructor(rounds: number) {
    this.rounds = Array.from({ length: rounds }, () => 0);
  }

  note(value: number): void {
    this.rounds[this.at] = Math.max(this.rounds[this.at] as number, value);
    let highest = 0;
    for (const one of this.rounds) highest = Math.max(highest, one);
    this.value = highest;
  }

  /** Another round begins. */
  next(): void {
    this.at = (this.at + 1) % this.rounds.length;
    this.rounds[this.at] = 0;
  }
}
