/**
 * What becomes of that which a cell takes. Messages go by the protocol: one that was taken before is acknowledged again, an early one is
 * held for the one before it, and one that cannot be taken is a dead letter.
 *
 *   message -> cursor, or window of ids -> order? birth? answer of an effect? -> step
 *   result  -> timer or leaf that it is of -> step
 */
import { type Address, type EffectId, OUTSIDE, positionOf } from '../address.ts';
import type { Cell } from '../cell.ts';
import type { Envelope } from '../envelope.ts';
import { assert, MeshError } from '../errors.ts';
import { isEnd, isExpected } from '../fold/outcomes.ts';
import { cursorKey, receive } from '../protocol/cursors.ts';
import { emptyHeld, type Held, hold, release } from '../protocol/held.ts';
import { acceptOutside, OUTSIDE_MAX } from '../protocol/outside.ts';
import type { DeadCause, RecordMeta } from '../record.ts';
import { NOBODY } from '../recovery.ts';
import type { PendingLeaf, Tables } from '../tables.ts';
import type { CellHost } from './host.ts';
import type { Item, Mailbox, Result } from './mailbox.ts';
import { born, obey } from './orders.ts';
import type { Outlet } from './outlet.ts';

const askedBy = (leaf: PendingLeaf | undefined): Pick<RecordMeta, 'chain'> =>
  leaf?.asked === undefined ? {} : { chain: leaf.asked };

const endOf = ({ status, error }: Tables): string => (status === 'error' ? `has failed: ${error?.message}` : `is ${status}`);

export class Intake {
  private readonly host: CellHost;
  private readonly cell: Cell;
  private readonly mailbox: Mailbox;
  private readonly outlet: Outlet;
  private held: Held<Envelope> | undefined;

  constructor(host: CellHost, cell: Cell, mailbox: Mailbox, outlet: Outlet) {
    this.host = host;
    this.cell = cell;
    this.mailbox = mailbox;
    this.outlet = outlet;
  }

  /** Nothing is held. */
  get isEmpty(): boolean {
    return this.held === undefined || this.held.total === 0;
  }

  take(item: Item): void {
    if (item.envelope !== undefined) this.message(item.envelope);
    else this.result(item.result);
  }

  /** A message that was taken before. */
  isKnown(item: Item | undefined): boolean {
    const e = item?.envelope;
    if (e === undefined) return false;
    const { cursors } = this.cell.actor.tables;
    if (e.from === OUTSIDE) return this.accepted(e) !== 'take';
    return positionOf(e.id) <= (cursors?.get(cursorKey(e.from, e.lane))?.at ?? -1);
  }

  // ---- by the protocol -----------------------------------------------------------------------------------------------

  private message(e: Envelope): void {
    const t = this.cell.actor.tables;
    if (e.from === OUTSIDE) return this.fromOutside(e);
    if (t.failing?.id === e.id && this.mailbox.again === undefined && this.cell.ordersOnly) {
      // The failing message came again while it waits for its retry.
      this.mailbox.again = { envelope: e };
      return;
    }
    const key = cursorKey(e.from, e.lane);
    const arrival = {
      position: positionOf(e.id),
      after: e.after,
      ts: e.ts,
      expired: e.until !== undefined && e.until <= this.host.clock.now(),
      void: e.void === true,
    };
    const verdict = receive(t.cursors?.get(key), arrival, this.host.clock.now(), this.host.horizonMs);
    switch (verdict.kind) {
      case 'known':
        return this.ackAgain(e);
      case 'hold':
        hold((this.held ??= emptyHeld()), e.from, e.lane, arrival.position, e);
        return;
      case 'dead':
        this.cell.dead(e, verdict.cause);
        break;
      case 'take':
        this.meet(e);
        break;
    }
    if (this.held === undefined || this.cell.actor.tables.failing !== undefined) return;
    const cursor = this.cell.actor.tables.cursors?.get(key);
    if (cursor === undefined) return;
    for (const next of release(this.held, e.from, e.lane, cursor.at, (h) => h.after)) this.message(next);
  }

  private ackAgain(e: Envelope): void {
    const cursor = this.cell.actor.tables.cursors?.get(cursorKey(e.from, e.lane));
    if (cursor !== undefined) this.outlet.ackAgain(e, cursor.at);
  }

  private fromOutside(e: Envelope): void {
    // Its client was told that it is not taken: it asks again if it wants to.
    if (this.outlet.doors?.has(e.id) !== true) return;
    const verdict = this.accepted(e);
    if (verdict === 'take') return this.meet(e);
    if (verdict === 'busy') {
      const why = `${this.cell.address} remembers ${OUTSIDE_MAX} ids that came with messages of the last 24 hours, or 16 MiB of replies to them`;
      return this.refuse(
        e,
        new MeshError('BUSY', `${why}; a message without an id of your own is taken, but not safe to repeat`),
      );
    }
    // It was taken before, maybe by a record that is on its way: the answer leaves when that is durable.
    this.outlet.doors.recorded(e.id, verdict.seq, verdict.refusal);
    if (verdict.reply !== undefined) this.outlet.leaving.work.push({ kind: 'reply', id: e.id, event: verdict.reply });
  }

  private accepted(e: Envelope): ReturnType<typeof acceptOutside> {
    const { made, outside } = this.cell.actor.tables;
    // Whoever asked in vain brings the id back that the node had made for it.
    return made?.ids.get(e.id) ?? (e.made === true ? 'take' : acceptOutside(outside, e.id, this.host.clock.now()));
  }

  // ---- whose turn it is ----------------------------------------------------------------------------------------------

  private meet(e: Envelope): void {
    const { cell } = this;
    if (obey(cell, this.host, e)) return;
    const t = cell.actor.tables;
    if (cell.actor.logic === NOBODY && t.status !== 'error' && !this.begins(e)) return;
    if (t.status !== 'active') return this.giveBack(e, 'stopped', new MeshError('ACTOR_STOPPED', `${cell.address} ${endOf(t)}`));
    if (e.via !== undefined) return this.reply(e, e.via);
    if (e.event.type.startsWith('xstate.') && e.from !== cell.actor.env.parent && !this.isChild(e.from))
      return cell.dead(e, 'rejected');
    cell.step(e.event, cell.metaOf(e), { envelope: e });
  }

  /** False: the message does not create the actor, and is dealt with. */
  private begins(e: Envelope): boolean {
    const { address, actor } = this.cell;
    const t = actor.tables;
    try {
      if (born(this.cell, this.host, address, e.event)) return true;
    } catch (error) {
      this.giveBack(e, 'rejected', error as MeshError);
      return false;
    }
    // Its supervisor's order is on another lane, and may come later: until then it waits at its sender, as its sender's order does.
    if (e.from !== OUTSIDE && this.host.plan.isSupervised(address)) return false;
    // Dead letters alone are no life.
    const never = t.init.logic === '' && t.gone !== true;
    this.giveBack(e, never ? 'unknown' : 'gone', new MeshError('ACTOR_NOT_FOUND', `nothing is at ${address}`));
    return false;
  }

  /** A client hears of it at once; another actor's message is kept as a dead letter. */
  private giveBack(e: Envelope, cause: DeadCause, error: MeshError): void {
    if (e.from === OUTSIDE) this.refuse(e, error);
    else this.cell.dead(e, cause, cause === 'rejected' ? error.message : undefined);
  }

  private refuse(e: Envelope, error: MeshError): void {
    this.outlet.doors?.refuse(e.id, error);
  }

  private isChild(from: Address): boolean {
    const { address } = this.cell;
    return from.startsWith(`${address}/`) && from.indexOf('@', address.length) > 0;
  }

  // ---- what answers an effect ----------------------------------------------------------------------------------------

  /** The end or the snapshot of a child, or the reply to an ask. */
  private reply(e: Envelope, via: EffectId): void {
    const { cell } = this;
    const t = cell.actor.tables;
    const leaf = t.leaves?.get(via);
    if (leaf?.ask !== undefined) {
      const source = cell.actor.logic.source(leaf.src);
      assert(source?.kind === 'ask', `${leaf.src} of ${cell.address} is no ask`);
      const answer = source.ask.result(e.event);
      const event =
        'error' in answer
          ? { type: `xstate.error.actor.${leaf.child}`, error: answer.error, actorId: leaf.child }
          : { type: `xstate.done.actor.${leaf.child}`, output: answer.output, actorId: leaf.child };
      return cell.step(event, { ...cell.metaOf(e), ...askedBy(leaf) }, { envelope: e });
    }
    if (isExpected(t, via, e.event)) return cell.step(e.event, cell.metaOf(e), { envelope: e });
    cell.dead(e, e.event.type.startsWith('xstate.') ? 'stale' : 'late');
  }

  private result(r: Result): void {
    const { cell } = this;
    const t = cell.actor.tables;
    const timer = t.timers?.get(r.via);
    if (timer?.to !== undefined || timer?.leaf !== undefined)
      return void cell.record({ kind: 'fired', timer: r.via, meta: cell.plainMeta() });
    const leaf = t.leaves?.get(r.via);
    if (timer === undefined && leaf === undefined && t.failing?.via !== r.via) return;
    // What a call comes to is part of the question that it was made for; what a subscription goes on to say is not.
    const asked = isEnd(r.event) ? askedBy(leaf) : {};
    cell.step(r.event, { ...cell.plainMeta(), via: r.via, ...asked }, { result: r });
  }
}
