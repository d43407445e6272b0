/** A sender in the model of messages: its log, and the outbox that follows from it (`core/protocol/outbox.ts`). */
import { type Address, effectId } from '../../../core/address.ts';
import type { Lane } from '../../../core/effect.ts';
import {
  addSend,
  afterOf,
  decodeOutbox,
  emptyOutbox,
  encodeOutbox,
  giveUp,
  heard,
  type Outbox,
  type PendingSend,
  pendingSends,
  settleSend,
} from '../../../core/protocol/outbox.ts';
import { memo, Values } from '../explore.ts';
import type { Ack, Copy, Message, MessagesOptions } from './messages.ts';

interface SenderRecord {
  /** Its position is the place of the record in the log, 1-based. */
  readonly send?: Message;
  /** The send at this position is given up. */
  readonly voids?: number;
  /** Positions that were known to be acknowledged when the record was made. */
  readonly done: readonly number[];
}
export interface Sender {
  readonly log: readonly SenderRecord[];
  /** Records of `log` that are durable. */
  readonly durable: number;
  /** The outbox, as in a checkpoint. */
  readonly box: unknown;
  /** Positions whose deadline has passed. */
  readonly expired: readonly number[];
}

export const RECEIVER: Address = 'b';
const LANES: readonly Lane[] = ['user', 'system'];
const idOf = (position: number): string => effectId('a', position, 0);

/** Position of a send by its name; 0: there is none. */
const positionOf = (log: readonly SenderRecord[], of: string): number => log.findIndex((r) => r.send?.of === of) + 1;

/** A sender by number; each function gives the number of the sender that it becomes. */
export class Senders {
  private readonly values = new Values<Sender>();
  private readonly o: MessagesOptions;
  readonly empty = this.values.id({ log: [], durable: 0, box: [], expired: [] });

  constructor(o: MessagesOptions) {
    this.o = o;
  }

  at(id: number): Sender {
    return this.values.at(id);
  }
  readonly pending = memo((id) => Array.from(pendingSends(decodeOutbox(this.at(id).box)), (send) => send.position));
  /** How many sends it has made. */
  readonly made = memo((id) => this.at(id).log.filter((r) => r.send !== undefined).length);

  // ---- records -------------------------------------------------------------------------------------------------------------

  readonly sends = memo((id, script) => this.record(id, { send: this.o.scripts[script]?.[this.made(id)] as Message }));
  readonly givesUp = memo((id, position) => this.record(id, { voids: position }));
  sendsAgain(id: number, of: string): number {
    return this.record(id, { send: { of: `again ${of}`, lane: 'user' } });
  }

  /** The fold: what a record does to the outbox. */
  private enter(outbox: Outbox, { send, voids, done }: SenderRecord, position: number): void {
    for (const one of done) settleSend(outbox, idOf(one));
    if (voids !== undefined) giveUp(outbox, idOf(voids));
    if (send !== undefined)
      addSend(outbox, { id: idOf(position), position, to: RECEIVER, lane: send.lane, event: { type: send.of }, ts: 0 });
  }
  /** What a send replaces goes when its record is durable: in recovery, every record is. */
  private replace(outbox: Outbox, log: readonly SenderRecord[], from: number): void {
    for (const { send } of log.slice(from))
      if (send?.replaces !== undefined) settleSend(outbox, idOf(positionOf(log, send.replaces)));
  }

  private record(id: number, what: Omit<SenderRecord, 'done'>): number {
    const s = this.at(id);
    const marked = s.log.flatMap((r) => r.done);
    const pending = this.pending(id);
    const done = s.log.flatMap(({ send }, i) => {
      const known = send === undefined || pending.includes(i + 1) || marked.includes(i + 1);
      return known ? [] : [i + 1];
    });
    const outbox = decodeOutbox(s.box);
    const log = [...s.log, { ...what, done }];
    this.enter(outbox, { ...what, done }, log.length);
    const ahead = this.o.stepsAhead === true;
    if (!ahead || this.o.variant === 'replaced-before-durable') this.replace(outbox, log, log.length - 1);
    return this.values.id({ ...s, log, durable: ahead ? s.durable : log.length, box: encodeOutbox(outbox) });
  }

  readonly appendDone = memo((id) => {
    const s = this.at(id);
    const outbox = decodeOutbox(s.box);
    this.replace(outbox, s.log, s.durable);
    return this.values.id({ ...s, durable: s.log.length, box: encodeOutbox(outbox) });
  });
  readonly crashes = memo((id) => {
    const s = this.at(id);
    const log = s.log.slice(0, s.durable);
    const outbox = emptyOutbox();
    for (const [i, record] of log.entries()) {
      this.enter(outbox, record, i + 1);
      this.replace(outbox, log.slice(0, i + 1), i);
    }
    return this.values.id({ ...s, log, box: encodeOutbox(outbox), expired: s.expired.filter((p) => p <= log.length) });
  });

  // ---- time, acks, what leaves ---------------------------------------------------------------------------------------------

  readonly expires = memo((id, position) => {
    const s = this.at(id);
    const outbox = decodeOutbox(s.box);
    if (this.o.variant === 'silent-deadline') settleSend(outbox, idOf(position));
    const expired = [...s.expired, position].sort((a, b) => a - b);
    return this.values.id({ ...s, expired, box: encodeOutbox(outbox) });
  });
  hears(id: number, { lane, upTo }: Ack): number {
    const outbox = decodeOutbox(this.at(id).box);
    for (const one of LANES) if (one === lane || this.o.variant === 'one-cursor') heard(outbox, RECEIVER, one, upTo);
    return this.values.id({ ...this.at(id), box: encodeOutbox(outbox) });
  }
  /** Of each durable send that is pending, the copy that it puts on the network now. */
  copies(id: number, from: number): readonly Copy[] {
    const { log, durable, box, expired } = this.at(id);
    const pending = [...pendingSends(decodeOutbox(box))].filter((send) => send.position <= durable);
    return pending.map((send) => ({
      of: send.event?.type ?? '',
      from,
      lane: send.lane,
      position: send.position,
      after: this.o.variant === 'replaced-is-forgotten' ? nextBefore(log, pending, send) : afterOf(send),
      void: send.void === true,
      expired: expired.includes(send.position),
    }));
  }
}

/** A wrong `after`: the send just before, or none when that one is gone, although one before it may be pending. */
function nextBefore(log: readonly SenderRecord[], pending: readonly PendingSend[], { position, lane }: PendingSend): number {
  const before = log.slice(0, position - 1).findLastIndex((r) => r.send?.lane === lane) + 1;
  return pending.some((send) => send.position === before) ? before : -1;
}
