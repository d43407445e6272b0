/**
 * Tells when this process was away: the machine slept, the process was stopped, or the clock of the machine was set ahead.
 *
 * Timers know nothing of it. On Linux the monotonic clock, and so every timer, stands still while a machine sleeps; certificates, registrations and
 * the mappings of NATs do not. Elsewhere it goes on, and all timers are late at once.
 */

export interface Clocks {
  /** Monotonic, ms. */
  readonly now: () => number;
  /** ms since 1970. */
  readonly wall: () => number;
}

/** How often it looks, in ms. */
export const SLEEP_POLL_MS = 2_000;
/** By so much more than that a look has to be late, on either clock: less than what any NAT or peer forgets in. */
export const AWAY_MS = 5_000;

export class SleepWatch {
  private readonly clocks: Clocks;
  private readonly timer: NodeJS.Timeout;
  private last: { readonly now: number; readonly wall: number };

  /** Looks until `stop`. */
  constructor(clocks: Clocks, woke: () => void) {
    this.clocks = clocks;
    this.last = this.look();
    this.timer = setInterval(() => this.check(woke), SLEEP_POLL_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private check(woke: () => void): void {
    const { last } = this;
    this.last = this.look();
    const passed = Math.max(this.last.now - last.now, this.last.wall - last.wall);
    if (passed > SLEEP_POLL_MS + AWAY_MS) woke();
  }

  private look(): { readonly now: number; readonly wall: number } {
    return { now: this.clocks.now(), wall: this.clocks.wall() };
  }
}
