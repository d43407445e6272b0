/**
 * What `reprise up` prints on a terminal: a line for each declared actor, drawn again in its place as things happen, and above them what
 * needs a person. Actors by key share a line.
 */
import type { Address } from '../core/address.ts';
import { ROOT } from '../core/address.ts';
import { AddressBook } from '../core/operator/address-book.ts';
import type { ActorPlan, MeshPlan } from '../core/config/plan.ts';
import type { NodeEvent } from '../core/node.ts';
import type { LogRecord } from '../core/record.ts';
import type { Io, Style } from './io.ts';
import { misfitLines } from './misfit.ts';
import { eventText } from './render/event.ts';
import { isTold, type Report, URGENT } from './report.ts';
import { counted } from './words.ts';

/** ms between two drawings. */
const DRAW_MS = 100;
/** Lines that are left for what stands above. */
const ABOVE = 4;
/** Of a terminal that does not know its size. */
const ROWS = 24;
/** Lines of one sort about one kind of actor that are told within so many ms. */
const TOLD_MAX = 20;
const TOLD_MS = 10_000;
/** Columns of the counts. */
const COUNT = 14;

interface Row {
  readonly plan: ActorPlan;
  /** Records since the start of this process. */
  records: number;
  seq: number;
  last: string;
  readonly parked: Set<Address>;
  /** Of a kind: actors that have begun and not ended, as this process has seen. */
  open: number;
  ended: number;
  trouble: string;
}

export function liveReport(io: Io, plan: MeshPlan, quiet: boolean): Report {
  return new LiveReport(io, plan, quiet);
}

class LiveReport implements Report {
  private readonly io: Io;
  private readonly quiet: boolean;
  private readonly book: AddressBook;
  private readonly rows: ReadonlyMap<Address, Row>;
  private drawn = 0;
  private timer: NodeJS.Timeout | undefined;
  private header: readonly string[] = [];
  private over = false;
  /** Lines told in this stretch of time, by sort. */
  private readonly told = new Map<string, number>();
  private toldSince = 0;

  constructor(io: Io, plan: MeshPlan, quiet: boolean) {
    this.io = io;
    this.quiet = quiet;
    this.book = new AddressBook(plan);
    this.rows = new Map(
      plan.actors
        .filter((actor) => actor.kind !== 'supervisor')
        .map((actor) => [
          actor.address,
          { plan: actor, records: 0, seq: 0, last: '', parked: new Set<Address>(), open: 0, ended: 0, trouble: '' },
        ]),
    );
  }

  ready({ mesh, actors, store, survives }: Parameters<Report['ready']>[0]): void {
    const { io } = this;
    this.header = [
      `${io.paint('green', mesh)} is up: ${counted(actors, 'actor')}. ${store} ${survives}.`,
      io.paint('dim', 'Ctrl-C stops it; `reprise ps`, `send`, `replay` work beside it.'),
    ];
    this.above(this.header);
    this.soon();
  }

  event(event: NodeEvent): void {
    const { actor } = event;
    const row = actor === undefined || actor === ROOT ? undefined : this.rowOf(actor);
    if (row !== undefined && actor !== undefined) this.take(row, actor, event);
    // Why an actor does not fit its code is explained below.
    const isMisfit = event['code'] === 'REPLAY_DIVERGED' || event['code'] === 'CHECKPOINT_INCOMPATIBLE';
    if (!isMisfit && (URGENT.has(event.type) || (event.type === 'actor.log' && isTold(event, this.quiet))) && this.isFew(event))
      this.above([eventText({ ts: Date.now(), ...event }, this.io)]);
    this.soon();
  }

  /** Not more of one sort than people read: the line of the actor counts the rest. */
  private isFew({ type, actor }: NodeEvent): boolean {
    const now = performance.now();
    if (now - this.toldSince > TOLD_MS) {
      this.toldSince = now;
      this.told.clear();
    }
    const sort = `${type} ${actor === undefined ? '' : (this.book.at(actor)?.address ?? actor)}`;
    const count = (this.told.get(sort) ?? 0) + 1;
    this.told.set(sort, count);
    return count <= TOLD_MAX;
  }

  private take(row: Row, actor: Address, event: NodeEvent): void {
    switch (event.type) {
      case 'actor.started':
        row.open++;
        row.parked.delete(actor);
        row.trouble = '';
        return;
      case 'actor.ended':
        row.ended++;
        row.open = Math.max(0, row.open - 1);
        return;
      case 'actor.parked':
        row.parked.add(actor);
        return;
      case 'actor.recovered':
        row.parked.delete(actor);
        return;
      case 'actor.dead_letter':
        // What it failed on is out of the way.
        row.trouble = '';
        return;
      case 'actor.failed':
        row.trouble = `failed: ${String(event['error'])}`;
        return;
      default:
    }
  }

  records(actor: Address, records: readonly LogRecord[]): void {
    const row = this.rowOf(actor);
    if (row === undefined) return;
    row.records += records.length;
    for (const record of records) this.taken(row, actor, record);
    this.soon();
  }

  private taken(row: Row, actor: Address, record: LogRecord): void {
    if (actor === row.plan.address) row.seq = record.seq;
    switch (record.kind) {
      case 'event':
        row.last = record.event.type;
        row.trouble = '';
        return;
      case 'activated':
        if (record.reason === 'unparked') row.parked.delete(actor);
        return;
      default:
    }
  }

  misfit(misfit: Parameters<Report['misfit']>[0]): void {
    this.above(misfitLines(misfit, this.io));
  }
  note(text: string): void {
    this.above([text]);
  }
  stopping(): void {
    this.above(['stopping: what is in hand is finished first; once more ends it at once']);
  }
  end(): void {
    this.draw();
    this.over = true;
    clearTimeout(this.timer);
  }

  private rowOf(actor: Address): Row | undefined {
    const declared = this.book.at(actor);
    return declared === undefined ? undefined : this.rows.get(declared.address);
  }

  // ---- drawing -----------------------------------------------------------------------------------------------------

  private soon(): void {
    if (this.over || this.header.length === 0) return;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.draw();
    }, DRAW_MS).unref();
  }

  private above(lines: readonly string[]): void {
    this.write([...lines], this.header.length === 0 || this.over ? [] : this.body());
  }
  private draw(): void {
    if (this.header.length > 0 && !this.over) this.write([], this.body());
  }

  /** What was drawn goes, `fixed` stays above for good, `body` will go again. */
  private write(fixed: readonly string[], body: readonly string[]): void {
    const back = this.drawn === 0 ? '' : `\u001b[${this.drawn}A\u001b[J`;
    this.drawn = body.length;
    this.io.stdout.write(`${back}${[...fixed, ...body].map((line) => `${line}\n`).join('')}`);
  }

  private body(): string[] {
    const room = Math.max(1, (this.io.stdout.rows || ROWS) - ABOVE);
    const rows = [...this.rows.values()];
    const width = Math.max(...rows.map((row) => row.plan.address.length), 0);
    const lines = rows.slice(0, rows.length > room ? room - 1 : room).map((row) => this.line(row, width));
    if (rows.length > room) lines.push(this.io.paint('dim', `… and ${rows.length - room + 1} more`));
    return lines;
  }

  private line(row: Row, width: number): string {
    const { io } = this;
    const { plan, records, seq } = row;
    const count = plan.kind === 'worker' ? (seq === 0 ? '' : `seq ${seq}`) : `${records} records`;
    const room = Math.max(8, io.columns - width - COUNT - 6);
    const [style, text] = this.phase(row);
    return `  ${plan.address.padEnd(width)}  ${io.paint('dim', count.padEnd(COUNT))}  ${io.paint(style, text.slice(0, room))}`.trimEnd();
  }

  private phase({ plan, last, parked, open, ended, trouble }: Row): [Style, string] {
    const isOne = plan.kind === 'worker';
    if (parked.size > 0) return ['red', isOne ? 'parked' : `${parked.size} parked, ${open} open, ${ended} ended`];
    if (trouble !== '') return ['yellow', trouble];
    if (isOne) return ['reset', ended > 0 && open === 0 ? 'ended' : last];
    return ['reset', `${open} open, ${ended} ended`];
  }
}
