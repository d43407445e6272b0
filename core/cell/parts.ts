/** What only a busy cell needs. It is made with the first thing to do, and goes when nothing has been done for a while: idle actors are many. */
import type { Cell } from '../cell.ts';
import type { Doors } from './doors.ts';
import type { CellHost } from './host.ts';
import type { CursorReport, Envelope } from '../envelope.ts';
import type { Work } from '../fold.ts';
import { Journal } from './journal.ts';
import { type Item, Mailbox } from './mailbox.ts';
import { Performer } from './perform.ts';
import type { Span } from '../ports/tracer.ts';
import type { Held } from '../protocol/held.ts';

export type Ack = { -readonly [K in keyof CursorReport]: CursorReport[K] };

/** What leaves the cell when the records that it belongs to are durable. */
export interface Leaving {
  acks: Ack[];
  readonly work: Work[];
  /** How many of them have left. */
  left: number;
  spans?: Span[];
}

export class CellParts {
  readonly mailbox: Mailbox;
  readonly performer: Performer;
  readonly journal: Journal<Leaving>;
  held: Held<Envelope> | undefined;
  /** Clients from outside that wait. */
  doors: Doors | undefined;
  /** The failing input, kept for its retry. */
  retry: Item | undefined;
  /** Of the records that wait for the append before them. */
  outgoing: Leaving | undefined;
  /** Durable, but the session's deadline has passed: it waits for the next renewal. */
  detained: Leaving[] | undefined;

  /** All that the cell has recorded is durable. */
  constructor(host: CellHost, cell: Cell) {
    const { stream, epoch, actor } = cell;
    this.mailbox = new Mailbox(host.mailboxMax(stream.actor));
    this.performer = new Performer(host, cell);
    this.journal = new Journal<Leaving>(host, stream, epoch, actor.tables.head, cell);
  }

  get leaving(): Leaving {
    return (this.outgoing ??= { acks: [], work: [], left: 0 });
  }
  /** All that was taken is durable, and what that caused has left. */
  get quiet(): boolean {
    return this.journal.quiet && this.detained === undefined;
  }
  /** Nothing to take, and nobody waits. */
  get isIdle(): boolean {
    return this.quiet && this.mailbox.size === 0 && this.retry === undefined && this.doors === undefined;
  }
  /** Nobody would miss them. */
  get isSpare(): boolean {
    return this.isIdle && this.outgoing === undefined && (this.held?.total ?? 0) === 0;
  }
}
