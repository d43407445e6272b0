/** What only a busy cell needs. It is made with the first thing to do, and goes when nothing has been done for a while: idle actors are many. */
import type { Cell } from '../cell.ts';
import { Failures } from './failures.ts';
import type { CellHost } from './host.ts';
import { Intake } from './intake.ts';
import { Mailbox } from './mailbox.ts';
import { Outlet } from './outlet.ts';
import { Performer } from './perform.ts';
import { Pump } from './pump.ts';

export class CellParts {
  readonly mailbox: Mailbox;
  readonly performer: Performer;
  readonly outlet: Outlet;
  readonly failures: Failures;
  readonly pump: Pump;
  private readonly intake: Intake;

  /** All that the cell has recorded is durable. */
  constructor(host: CellHost, cell: Cell) {
    this.mailbox = new Mailbox(host.plan.mailboxMax(cell.address) ?? host.limits.mailbox);
    this.performer = new Performer(host, cell);
    this.outlet = new Outlet(host, cell, this.performer);
    this.failures = new Failures(host, cell, this.mailbox, this.outlet);
    this.intake = new Intake(host, cell, this.mailbox, this.outlet);
    this.pump = new Pump(host, cell, this.mailbox, this.intake, this.outlet);
  }

  /** All that was taken is durable, and what that caused has left. A checkpoint before would hide it from the next owner. */
  get quiet(): boolean {
    return this.outlet.quiet && !this.pump.isHeldUp;
  }
  /** Nothing to take, and nobody waits. */
  get isIdle(): boolean {
    const { mailbox, outlet } = this;
    return this.quiet && mailbox.size === 0 && mailbox.again === undefined && outlet.doors === undefined;
  }
  /** Nobody would miss them. */
  get isSpare(): boolean {
    return this.isIdle && !this.outlet.hasOutgoing && this.intake.isEmpty && this.failures.waitsUntil === undefined;
  }
}
