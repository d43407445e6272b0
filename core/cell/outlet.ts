/**
 * The way out of a cell. What a record causes (acks, answers, effects) leaves when the record is durable, in order.
 *
 *   add -> flush -> journal -> written -> leave          past the session's deadline: detained, until it is renewed
 */
import { type EffectId, OUTSIDE, positionOf } from '../address.ts';
import type { Cell } from '../cell.ts';
import type { Lane } from '../effect.ts';
import type { CursorReport, Envelope } from '../envelope.ts';
import { refusalOf } from '../fold/refusals.ts';
import type { Work } from '../fold.ts';
import { errorData, isMeshError, MeshError } from '../errors.ts';
import type { Span } from '../ports/tracer.ts';
import type { LogRecord } from '../record.ts';
import type { Doors } from './doors.ts';
import type { CellHost } from './host.ts';
import { Journal, type JournalOwner } from './journal.ts';
import type { Performer } from './perform.ts';

/** Looks, one a second, after which whoever waits at the door is told that the store takes nothing. A frozen process does not look. */
const LOOKS_MAX = 5;

type Ack = { -readonly [K in keyof CursorReport]: CursorReport[K] };

/** What leaves the cell when the records that it belongs to are durable. */
export interface Leaving {
  acks: Ack[];
  readonly work: Work[];
  /** How many of them have left. */
  left: number;
  spans?: Span[];
}

type OutletCell = Pick<
  Cell,
  'address' | 'stream' | 'epoch' | 'closed' | 'mayAct' | 'actor' | 'enter' | 'moved' | 'proceed' | 'arm' | 'broken' | 'close'
>;

export class Outlet implements JournalOwner<Leaving> {
  readonly journal: Journal<Leaving>;
  /** Clients from outside that wait. */
  doors: Doors | undefined;
  /** A record of this epoch is durable: things may leave. */
  isOpen: boolean;
  /** Why the store does not take what was recorded, for now. */
  stall: MeshError | undefined;
  /** At the append that is on its way. */
  private looks = 0;
  private readonly host: CellHost;
  private readonly cell: OutletCell;
  private readonly performer: Performer;
  /** Of the records that wait for the append before them. */
  private outgoing: Leaving | undefined;
  /** Durable, but the session's deadline has passed: it waits for the next renewal. */
  private detained: Leaving[] | undefined;

  /** All that the cell has recorded is durable. */
  constructor(host: CellHost, cell: OutletCell, performer: Performer) {
    const { head, epoch } = cell.actor.tables;
    this.host = host;
    this.cell = cell;
    this.performer = performer;
    this.isOpen = epoch === cell.epoch;
    this.journal = new Journal<Leaving>(host, cell.stream, cell.epoch, head, this);
  }

  /** What goes with the next append. */
  get leaving(): Leaving {
    return (this.outgoing ??= { acks: [], work: [], left: 0 });
  }
  get hasOutgoing(): boolean {
    return this.outgoing !== undefined;
  }
  /** All that was recorded is durable, and what that caused has left. */
  get quiet(): boolean {
    return this.journal.quiet && this.detained === undefined;
  }

  /** A record that was applied; what it takes is acknowledged with it. */
  add(record: LogRecord): void {
    this.journal.add(record);
    const { id, from, lane = 'user' } = record.meta;
    if (id === undefined || from === undefined) return;
    if (from === OUTSIDE) this.doors?.recorded(id, record.seq, refusalOf(this.cell.address, record));
    else this.took(id, from, lane);
  }

  private took(id: EffectId, from: string, lane: Lane): void {
    const { acks } = this.leaving;
    const last = acks.at(-1);
    const upTo = positionOf(id);
    if (last !== undefined && last.from === from && last.lane === lane) last.upTo = upTo;
    else acks.push({ from, to: this.cell.address, lane, shard: this.host.shardOf(from), upTo });
  }

  /** Its sender has not heard of the cursor: that leaves again, never ahead of what is durable. */
  ackAgain(e: Envelope, upTo: number): void {
    this.leaving.acks.push({ from: e.from, to: this.cell.address, lane: e.lane, shard: e.fromShard, upTo });
  }

  /** Appends what was recorded, if no append is on its way. */
  flush(): void {
    if (this.journal.inFlight) return;
    if (this.journal.waiting === 0 && this.outgoing === undefined && this.doors === undefined) return this.cell.arm();
    if (!this.isOurs) return this.cell.close('its shard was taken over');
    const { leaving } = this;
    this.outgoing = undefined;
    this.journal.flush(leaving);
  }

  /** Called by the journal, as the next two. */
  written(records: readonly LogRecord[], leaving: Leaving): void {
    this.looks = 0;
    this.stall = undefined;
    this.host.news.answered(this.cell.address);
    if (records.length > 0) {
      this.isOpen = true;
      for (const span of leaving.spans ?? []) span.end();
      this.cell.moved(records);
    }
    if (this.isOpen) {
      if (this.detained === undefined) this.detained = [leaving];
      else this.detained.push(leaving);
      this.leave();
    } else if (leaving.acks.length + leaving.work.length > 0) {
      // Nothing of this epoch is durable yet, so nothing may leave: a record first.
      this.outgoing = leaving;
      this.cell.enter();
    }
    if (!this.cell.closed) this.cell.proceed();
  }

  ended(reason: string, error?: unknown): void {
    this.cell.close(reason, error);
  }
  stalled(error: unknown): void {
    this.host.news.stalled(this.cell.address, error);
    this.stall = isMeshError(error)
      ? error
      : new MeshError('STORE_UNAVAILABLE', `the store fails: ${errorData(error).message}`, { cause: error });
  }

  /** Called once a second: a store that says nothing does not take it either. */
  watch(): void {
    if (!this.journal.inFlight || ++this.looks < LOOKS_MAX) return;
    if (this.stall === undefined)
      this.stalled(new MeshError('STORE_UNAVAILABLE', `the store has not answered for ${LOOKS_MAX} s`));
    // What is on its way to the store may get there yet.
    this.doors?.refuseAll(this.stall);
  }

  /** Why nobody should wait at the door; undefined: what comes is soon durable, for all that is known. */
  get keepsOut(): MeshError | undefined {
    return this.looks < LOOKS_MAX ? undefined : this.stall;
  }

  /** Ownership is checked at each: an answer 'done' that is handled after a freeze proves nothing. */
  private leave(): void {
    for (let next = this.detained?.[0]; next !== undefined && !this.cell.closed; next = this.detained?.[0]) {
      if (!this.cell.mayAct) return this.detain();
      const { acks } = next;
      next.acks = [];
      for (const ack of acks) this.host.report(ack);
      this.doors?.settle(this.journal.durable);
      if (this.doors?.size === 0) this.doors = undefined;
      for (let work = next.work[next.left]; work !== undefined && !this.cell.closed; work = next.work[next.left]) {
        if (!this.cell.mayAct) return this.detain();
        // Off the list before it is performed: what throws is not performed a second time.
        next.left++;
        try {
          this.performer.one(work);
        } catch (error) {
          this.cell.broken(error);
        }
      }
      if (this.detained?.length === 1) this.detained = undefined;
      else this.detained?.shift();
    }
  }

  private detain(): void {
    if (!this.isOurs) return this.cell.close('its shard was taken over');
    this.host.whenRegained(() => {
      if (!this.cell.closed) this.leave();
    });
  }

  private get isOurs(): boolean {
    return this.host.epochOf(this.cell.stream.shard) === this.cell.epoch;
  }
}
