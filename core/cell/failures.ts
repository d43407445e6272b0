/**
 * What follows when a step or an action fails (DELIVERY §5): it is tried again, the actor waits for orders of its supervisor, is parked
 * for a person, or has ended. The rules are in `protocol/failure.ts`.
 */
import type { EffectId } from '../address.ts';
import type { Cell } from '../cell.ts';
import type { EventObject } from '../effect.ts';
import type { Envelope } from '../envelope.ts';
import { type ErrorData, errorData, MeshError } from '../errors.ts';
import { afterFailure, ATTEMPTS_MAX } from '../protocol/failure.ts';
import type { FailedRecord, RecordMeta } from '../record.ts';
import type { CellHost } from './host.ts';
import type { Item, Mailbox } from './mailbox.ts';
import type { Outlet } from './outlet.ts';

/** First pause before a failing step or action is tried again, when nobody else decides, ms. */
export const RETRY_MS = 100;

type FailuresHost = Pick<CellHost, 'clock' | 'limits' | 'plan' | 'news'>;
type FailingCell = Pick<Cell, 'address' | 'actor' | 'enter' | 'plainMeta' | 'record' | 'dead' | 'arm' | 'ready'>;

export class Failures {
  /** ms since 1970 until which it waits for orders; undefined: it does not. */
  waitsUntil: number | undefined;
  private readonly host: FailuresHost;
  private readonly cell: FailingCell;
  private readonly mailbox: Mailbox;
  private readonly outlet: Outlet;

  constructor(host: FailuresHost, cell: FailingCell, mailbox: Mailbox, outlet: Outlet) {
    this.host = host;
    this.cell = cell;
    this.mailbox = mailbox;
    this.outlet = outlet;
  }

  step(error: ErrorData, event: EventObject, meta: RecordMeta, input: Item): void {
    const { cell } = this;
    const t = cell.actor.tables;
    const id = meta.id ?? meta.via;
    const attempt = ((id === undefined ? undefined : t.failures?.get(id)) ?? 0) + 1;
    const chartChild = t.init.parent !== undefined && !this.host.plan.retriesOf(cell.address);
    const verdict = afterFailure({ attempt, hasVia: meta.via !== undefined, chartChild });
    // A failing message is not taken: its cursor stays, so it is held against its id only.
    const { from: _from, lane: _lane, made: _made, ...unread } = meta;
    const draft = { kind: 'failed' as const, error, attempt, meta: unread, ...(input.result !== undefined && { event }) };
    switch (verdict) {
      case 'retry':
        cell.record(draft);
        this.mailbox.again = input;
        this.wait();
        return;
      case 'end':
        cell.record({ ...draft, meta, ends: true });
        // It has ended: so this one is given back.
        this.mailbox.again = input;
        return;
      case 'park':
        cell.record({ ...draft, parked: `poison: ${error.message}` });
        this.mailbox.again = input;
        this.parked(`poison: ${error.message}`);
        return;
      case 'dead':
        cell.record(draft);
        cell.dead(input.envelope as Envelope, 'poison', error.message);
        return;
    }
  }

  /** Returns after how many ms it is tried again; undefined: it is not. */
  action(id: EffectId, error: unknown): number | undefined {
    const t = this.cell.actor.tables;
    const attempt = (t.failures?.get(id) ?? 0) + 1;
    const data = errorData(error);
    this.host.news.threw(this.cell.address, error);
    const last = attempt >= ATTEMPTS_MAX;
    const ends = last && t.init.parent !== undefined;
    const what: Partial<Pick<FailedRecord, 'parked' | 'ends'>> = !last
      ? {}
      : ends
        ? { ends: true }
        : { parked: `action: ${data.message}` };
    this.cell.record({ kind: 'failed', action: id, error: data, attempt, meta: this.cell.plainMeta(), ...what });
    if (what.parked !== undefined) this.parked(what.parked);
    this.cell.ready();
    return last ? undefined : RETRY_MS * 2 ** (attempt - 1);
  }

  /** What failed when its last owner stopped. A message comes again from its sender, a result is in the log alone. */
  resume(): void {
    const { failing, parked, status } = this.cell.actor.tables;
    if (failing === undefined || parked !== undefined || status !== 'active') return;
    const { event, via, waits } = failing;
    if (event !== undefined && via !== undefined) this.mailbox.again = { result: { via, event } };
    if (waits) this.wait();
  }

  /** Until the supervisor orders; on its own after a while without orders. */
  private wait(): void {
    const { init, failing, failures } = this.cell.actor.tables;
    const alone = init.supervisor === undefined;
    const attempt = failures?.get(failing?.id ?? '') ?? 1;
    const pause = alone ? RETRY_MS * 2 ** (attempt - 1) : this.host.limits.ordersMs;
    this.waitsUntil = this.host.clock.now() + pause;
    this.cell.arm();
  }

  /** Nobody has ordered in time. `now`: ms since 1970. */
  alarm(now: number): void {
    if (this.waitsUntil === undefined || this.waitsUntil > now) return;
    this.waitsUntil = undefined;
    this.cell.ready();
  }

  /** The wall clock has jumped by `ms`: a pause is as long as before. */
  clockJumped(ms: number): void {
    if (this.waitsUntil !== undefined) this.waitsUntil += ms;
  }

  /** An order came: what failed is tried again, or is no more. */
  goOn(): void {
    this.waitsUntil = undefined;
    // A message is one in a new life as well, but a result is of the life that asked for it.
    if (this.mailbox.again?.result !== undefined && this.cell.actor.tables.failing === undefined) this.mailbox.again = undefined;
  }

  /** Whoever waits outside is told, and what they sent is not taken: a person may let it go on in days. */
  parked(reason: string): void {
    this.waitsUntil = undefined;
    this.outlet.doors?.refuseWaiting(new MeshError('ACTOR_PARKED', `${this.cell.address} is parked: ${reason}`));
  }

  park(reason: string): void {
    const { cell } = this;
    cell.enter();
    const t = cell.actor.tables;
    const id = t.failing?.id ?? `${cell.address}!${t.head}.0`;
    this.parked(reason);
    cell.record({
      kind: 'failed',
      action: id,
      error: { name: 'Parked', message: reason },
      attempt: 0,
      meta: cell.plainMeta(),
      parked: reason,
    });
    cell.ready();
  }
}
