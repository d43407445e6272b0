/** Actors that are put away and have to be in memory again at a time. One timer for all of them, set to the earliest. */
import type { Address } from '../address.ts';
import { Agenda } from '../agenda.ts';
import type { Clock } from '../ports/clock.ts';

/** Woken in one turn. */
const BATCH = 100;

export class Sleepers {
  private readonly clock: Clock;
  private readonly wake: (address: Address) => void;
  private readonly agenda = new Agenda<Address>();
  private cancel: (() => void) | undefined;
  /** ms since 1970 for which the timer is set. */
  private timerAt = Infinity;

  constructor(clock: Clock, wake: (address: Address) => void) {
    this.clock = clock;
    this.wake = wake;
  }

  /** `at`: ms since 1970. */
  set(address: Address, at: number): void {
    this.agenda.set(address, at);
    this.arm();
  }
  /** It is in memory. */
  delete(address: Address): void {
    this.agenda.delete(address);
  }

  /**
   * The wall clock has jumped by `ms`. When it went back, who sleeps until a pause is over would sleep until it has caught up: all are
   * woken, and look themselves what is due.
   */
  clockJumped(ms: number): void {
    if (ms < 0) for (const address of this.agenda.due(Infinity)) this.wake(address);
    this.stop();
    this.arm();
  }

  stop(): void {
    this.cancel?.();
    this.cancel = undefined;
    this.timerAt = Infinity;
  }

  private arm(): void {
    const at = this.agenda.nextAt();
    if (at >= this.timerAt) return;
    this.cancel?.();
    this.timerAt = at;
    this.cancel = this.clock.after(Math.max(0, at - this.clock.now()), () => {
      this.stop();
      for (const address of this.agenda.due(this.clock.now(), BATCH)) this.wake(address);
      this.arm();
    });
  }
}
