/**
 * When a node is driven: once in a turn of the event loop after it was given something, and at its own times.
 *
 *   soon() ──┐
 *   timer  ──┴─> setImmediate -> run: tick if it is time, then act; once more for what has come of that
 *
 * A timer does not run the node itself: where the process was busy or stopped, what the sockets hold is read before, and an acknowledgement that
 * has come already is not missed.
 */

export interface TurnsOptions {
  /** Monotonic, ms. */
  readonly now: () => number;
  /** When `tick` has something to do; Infinity: never. */
  readonly nextAt: () => number;
  readonly tick: (now: number) => void;
  /** Does all that is to be done. What it calls may call `soon` and `run`. */
  readonly act: (now: number) => void;
}

const TIMER_MAX_MS = 2 ** 31 - 1;

export class Turns {
  private readonly o: TurnsOptions;
  private isDue = false;
  private isRunning = false;
  /** Something came of what was done in a run. */
  private isWanted = false;
  private isStopped = false;
  private timer: NodeJS.Timeout | undefined;
  private timerAt = Infinity;

  constructor(o: TurnsOptions) {
    this.o = o;
  }

  /** What a turn of the event loop brings shares packets, and ACKs. */
  soon(): void {
    if (this.isRunning) this.isWanted = true;
    if (this.isDue || this.isRunning || this.isStopped) return;
    this.isDue = true;
    setImmediate(() => {
      this.isDue = false;
      this.run();
    });
  }

  /** At once; within a run, right after it. */
  run(): void {
    if (this.isStopped) return;
    if (this.isRunning) {
      this.isWanted = true;
      return;
    }
    const now = this.o.now();
    if (this.o.nextAt() <= now) this.o.tick(now);
    this.isRunning = true;
    try {
      this.act(now);
      // What a handler has sent meanwhile goes at once, and not a turn later.
      if (this.isWanted) this.act(now);
    } finally {
      this.isRunning = false;
    }
    if (this.isWanted) this.soon();
    this.arm();
  }

  /** Nothing is done any more. */
  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
  }

  private act(now: number): void {
    this.isWanted = false;
    this.o.act(now);
  }

  private arm(): void {
    const at = this.o.nextAt();
    const wait = at - this.o.now();
    // A timer of less than a ms takes one all the same: pacing has room for that, and turns without work would cost more.
    if (wait <= 0) return this.soon();
    // A timer that goes off too early costs less than setting one for each packet.
    if (this.isStopped || this.timerAt <= at || wait === Infinity) return;
    clearTimeout(this.timer);
    this.timerAt = at;
    this.timer = setTimeout(
      () => {
        this.timerAt = Infinity;
        this.timer = undefined;
        this.soon();
      },
      Math.min(wait, TIMER_MAX_MS),
    );
  }
}
