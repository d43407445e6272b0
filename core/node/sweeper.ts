/** Looks once a second what has come to rest, what gets no answer of the store, and whether the wall clock has jumped. */
import type { Address } from '../address.ts';
import type { Cell } from '../cell.ts';
import type { Clock } from '../ports/clock.ts';

const SWEEP_MS = 1_000;
/** Idle for so long, a cell keeps only what it must. */
const SLIM_MS = 1_000;
/** Of the wall clock, against the monotonic one. It is slewed by less. */
const JUMP_MS = 1_000;

interface SweeperHost {
  readonly clock: Clock;
  readonly cells: ReadonlyMap<Address, Cell>;
  passivateAfterMs(address: Address): number;
  /** An idle actor has done nothing for so long. */
  passivate(cell: Cell): void;
  /** The wall clock has jumped by `ms`. */
  clockJumped(ms: number): void;
}

export class Sweeper {
  private readonly host: SweeperHost;
  /** ms by which the wall clock is ahead of the monotonic one. */
  private lead: number;
  private cancel: (() => void) | undefined;

  constructor(host: SweeperHost) {
    this.host = host;
    this.lead = host.clock.now() - host.clock.monotonic();
  }

  start(): void {
    this.cancel = this.host.clock.after(SWEEP_MS, () => {
      this.sweep();
      this.start();
    });
  }
  stop(): void {
    this.cancel?.();
  }

  private sweep(): void {
    const { clock, cells } = this.host;
    const now = clock.now();
    this.watchClock(now - clock.monotonic());
    for (const cell of cells.values()) {
      if (!cell.idle) cell.watch();
      else if (now - cell.movedAt >= this.restsAfterMs(cell)) this.host.passivate(cell);
      else if (now - cell.movedAt >= SLIM_MS) cell.slim();
    }
  }

  /** What has ended is seldom spoken to again; once it is in a checkpoint, no next owner has to look at it. */
  private restsAfterMs({ address, phase }: Cell): number {
    const ms = this.host.passivateAfterMs(address);
    return phase === 'ended' || phase === 'failed' ? Math.min(SLIM_MS, ms) : ms;
  }

  /** Timers were set in monotonic time, for instants of a wall clock that may have jumped since: by hand, by NTP, or in a suspended machine. */
  private watchClock(lead: number): void {
    const ms = lead - this.lead;
    this.lead = lead;
    if (Math.abs(ms) >= JUMP_MS) this.host.clockJumped(ms);
  }
}
