/**
 * When a cell takes something. It may step ahead of an append, so far; and not at all while what the last owner left is not taken up.
 *
 * After an unclean end an actor's first step is on trial: `activated` is durable before it and `ready` comes after it, so that an actor
 * that kills its process is known by its log. Also that of one which is not there yet, if the message was there at the process's death.
 */
import type { Cell } from '../cell.ts';
import { NOBODY } from '../recovery.ts';
import type { CellHost } from './host.ts';
import type { Intake } from './intake.ts';
import type { Item, Mailbox } from './mailbox.ts';
import type { Outlet } from './outlet.ts';

/** Records that may be made while an append is on its way. */
const AHEAD_MAX = 512;

export type Trial = 'over' | 'owed' | 'begun';

export class Pump {
  /** What the last owner left unfinished waits for the next renewal as well. */
  isHeldUp = false;
  private readonly host: Pick<CellHost, 'trials' | 'uncleanSince'>;
  private readonly cell: Cell;
  private readonly mailbox: Mailbox;
  private readonly intake: Intake;
  private readonly outlet: Outlet;

  constructor(host: Pick<CellHost, 'trials' | 'uncleanSince'>, cell: Cell, mailbox: Mailbox, intake: Intake, outlet: Outlet) {
    this.host = host;
    this.cell = cell;
    this.mailbox = mailbox;
    this.intake = intake;
    this.outlet = outlet;
  }

  /** Takes what may be taken, then appends. */
  run(): void {
    const { cell } = this;
    while (!cell.closed && this.mayTake()) {
      const item = this.mailbox.next(cell.ordersOnly);
      if (item === undefined) break;
      try {
        cell.enter();
        const { head } = cell.actor.tables;
        this.intake.take(item);
        if (cell.actor.tables.head > head) this.passTrial();
      } catch (error) {
        cell.broken(error);
      }
    }
    if (!cell.closed) this.outlet.flush();
  }

  private mayTake(): boolean {
    const { cell, mailbox } = this;
    const { journal } = this.outlet;
    // A step ahead of what the last owner left would be performed twice.
    if (this.isHeldUp || journal.waiting >= AHEAD_MAX) return false;
    // A checkpoint needs a head at which nothing is open: no stepping ahead until it is taken.
    if (journal.inFlight && cell.checkpointDue) return false;
    if (cell.trial === 'over' || !mailbox.has(cell.ordersOnly)) return true;
    const item = mailbox.peek(cell.ordersOnly);
    if (this.isHarmless(item)) return true;
    if (cell.trial === 'owed') this.beginTrial();
    return cell.trial === 'begun' && journal.quiet;
  }

  /** No process can die of it, or has: it was taken before, its actor has ended, or it creates one and was not there yet. */
  private isHarmless(item: Item | undefined): boolean {
    const { actor, stream } = this.cell;
    const { epoch, status } = actor.tables;
    if (this.intake.isKnown(item)) return true;
    if (epoch === 0) return (item?.envelope?.ts ?? 0) >= (this.host.uncleanSince(stream.shard) ?? 0);
    return status !== 'active' && actor.logic !== NOBODY && item?.envelope?.event.type !== 'reprise.start';
  }

  private beginTrial(): void {
    const { cell } = this;
    // Of those that were seen before at a process's death, one at a time: else the innocent are struck with the guilty.
    const { strikes } = cell.actor.tables;
    if (strikes > 0 && !this.host.trials.enter(cell, strikes)) return;
    cell.trial = 'begun';
    cell.activated('trial');
    this.outlet.flush();
  }

  private passTrial(): void {
    const { cell } = this;
    if (cell.trial !== 'begun') return;
    cell.trial = 'over';
    cell.record({ kind: 'ready', meta: cell.plainMeta() });
    this.host.trials.leave(cell);
  }
}
