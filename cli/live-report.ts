/**
 * What `reprise up` prints on a terminal: a line for each declared actor, drawn again in its place as things happen, and above them what
 * needs a person. Actors by key share a line.
 */
import type { Address } from '../core/address.ts';
import { ROOT } from '../core/address.ts';
import { AddressBook } from '../core/operator/address-book.ts';
import type { MeshPlan } from '../core/config/plan.ts';
import type { NodeEvent } from '../core/node/news.ts';
import type { LogRecord } from '../core/record.ts';
import type { Invocation } from './invocation.ts';
import type { Io } from './io.ts';
import { LiveRow } from './live-rows.ts';
import type { Misfit } from './misfit.ts';
import { eventText } from './render/event.ts';
import { grouped, misfitLines } from './render/misfit.ts';
import { isTold, type Ready, type Report, URGENT } from './report.ts';
import { actorsText } from './words.ts';

/** ms between two drawings. */
const DRAW_MS = 100;
/** Lines that are left for what stands above. */
const ABOVE = 4;
/** Of a terminal that does not know its size. */
const ROWS = 24;
/** Lines of one sort about one kind of actor that are told within so many ms. */
const TOLD_MAX = 20;
const TOLD_MS = 10_000;
/** Columns of the counts, at least: so that they do not move with the first records. */
const COUNT_MIN = 12;
/** ms in which misfits are gathered before they are told. */
const GATHER_MS = 500;

export function liveReport(io: Io, reprise: Invocation, plan: MeshPlan, quiet: boolean): Report {
  return new LiveReport(io, reprise, plan, quiet);
}

class LiveReport implements Report {
  private readonly io: Io;
  private readonly reprise: Invocation;
  private readonly quiet: boolean;
  private readonly book: AddressBook;
  private readonly rows: ReadonlyMap<Address, LiveRow>;
  private drawn = 0;
  private timer: NodeJS.Timeout | undefined;
  private header: readonly string[] = [];
  private over = false;
  /** Lines told in this stretch of time, by sort. */
  private readonly told = new Map<string, number>();
  private toldSince = 0;
  /** Misfits that were not told yet, and of each sort the first that was. */
  private readonly misfits: Misfit[] = [];
  private readonly toldOf = new Map<string, Address>();
  private gathering: NodeJS.Timeout | undefined;

  constructor(io: Io, reprise: Invocation, plan: MeshPlan, quiet: boolean) {
    this.io = io;
    this.reprise = reprise;
    this.quiet = quiet;
    this.book = new AddressBook(plan);
    this.rows = new Map(
      plan.actors.filter((actor) => actor.kind !== 'supervisor').map((actor) => [actor.address, new LiveRow(actor)]),
    );
  }

  ready({ mesh, pid, actors, kinds, store, survives }: Ready): void {
    const { io, reprise } = this;
    this.header = [
      `${io.paint('green', mesh)} is up: ${actorsText(actors, kinds)}. ${store} ${survives}.`,
      io.paint('dim', reprise.text(`pid ${pid}. Ctrl-C stops it; \`reprise ps\`, \`send\`, \`replay\` work beside it.`)),
    ];
    this.above(this.header);
    this.soon();
  }

  event(event: NodeEvent): void {
    const { actor } = event;
    const row = actor === undefined || actor === ROOT ? undefined : this.rowOf(actor);
    if (row !== undefined && actor !== undefined) row.event(actor, event);
    // Why an actor does not fit its code is explained below.
    const isMisfit = event['code'] === 'REPLAY_DIVERGED' || event['code'] === 'CHECKPOINT_INCOMPATIBLE';
    if (!isMisfit && (URGENT.has(event.type) || (event.type === 'actor.log' && isTold(event, this.quiet))) && this.isFew(event))
      this.above([this.reprise.text(eventText({ ts: Date.now(), ...event }, this.io))]);
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

  records(actor: Address, records: readonly LogRecord[]): void {
    const row = this.rowOf(actor);
    if (row === undefined) return;
    for (const record of records) row.record(actor, record);
    this.soon();
  }

  /** They come one after the other: what is alike among them is told together. */
  misfit(misfit: Misfit): void {
    this.misfits.push(misfit);
    this.gathering ??= setTimeout(() => this.tellMisfits(), GATHER_MS).unref();
  }
  private tellMisfits(): void {
    clearTimeout(this.gathering);
    this.gathering = undefined;
    for (const [sort, group] of grouped(this.misfits.splice(0))) {
      const like = this.toldOf.get(sort);
      // One that comes again was edited again: all is said again.
      const isNew = like === undefined || group.some(({ actor }) => actor === like);
      this.above(misfitLines(group, this.io, this.reprise, isNew ? undefined : like));
      const [first] = group;
      if (isNew && first !== undefined) this.toldOf.set(sort, first.actor);
    }
  }
  note(text: string): void {
    this.above([this.reprise.text(text)]);
  }
  stopping(): void {
    this.above(['stopping: what is in hand is finished first; once more ends it at once']);
  }
  end(): void {
    this.tellMisfits();
    this.draw();
    this.over = true;
    clearTimeout(this.timer);
  }

  private rowOf(actor: Address): LiveRow | undefined {
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
    const all = [...this.rows.values()];
    const rows = all.slice(0, all.length > room ? room - 1 : room);
    const widths: Widths = [
      Math.max(0, ...rows.map((row) => row.plan.address.length)),
      Math.max(COUNT_MIN, ...rows.map((row) => row.count.length)),
    ];
    const lines = rows.map((row) => this.line(row, widths));
    if (all.length > room) lines.push(this.io.paint('dim', `… and ${all.length - room + 1} more`));
    return lines;
  }

  private line({ plan, count, phase: [style, text] }: LiveRow, [width, counts]: Widths): string {
    const { io } = this;
    const room = Math.max(8, io.columns - width - counts - 6);
    return `  ${plan.address.padEnd(width)}  ${io.paint('dim', count.padEnd(counts))}  ${io.paint(style, text.slice(0, room))}`.trimEnd();
  }
}

/** Of the addresses, of the counts. */
type Widths = readonly [addresses: number, counts: number];
