/**
 * When to look for a direct path: at once when there is none, 1, 5, 15 and 60 s later, then every 60 s while there is traffic; when the
 * network changed at once, and then as after a loss.
 */

/** The first in the next turn, so that what else is known of paths at this moment counts. */
const AFTER_MS = [1, 1_000, 5_000, 15_000, 60_000];
const EVERY_MS = 60_000;

export class Upgrades {
  /** Undefined: a direct path is there, or no path at all. */
  private wantedSince: number | undefined;
  private done = 0;
  private dueAt = Infinity;

  /** To be told after each input. */
  update(now: number, isWanted: boolean): void {
    if (isWanted === (this.wantedSince !== undefined)) return;
    this.wantedSince = isWanted ? now : undefined;
    this.done = 0;
    this.dueAt = isWanted ? now + (AFTER_MS[0] as number) : Infinity;
  }

  networkChanged(now: number): void {
    if (this.wantedSince === undefined) return;
    this.wantedSince = now;
    this.done = 0;
    this.dueAt = now;
  }

  /** `trafficUntil`: when what the user sent last counts no more. */
  nextAt(trafficUntil: number): number {
    return this.done < AFTER_MS.length || this.dueAt < trafficUntil ? this.dueAt : Infinity;
  }

  /** True: it is to be looked for now. */
  tick(now: number, trafficUntil: number): boolean {
    if (this.nextAt(trafficUntil) > now) return false;
    this.done++;
    const after = AFTER_MS[this.done];
    this.dueAt = after === undefined || this.wantedSince === undefined ? now + EVERY_MS : this.wantedSince + after;
    return true;
  }
}
