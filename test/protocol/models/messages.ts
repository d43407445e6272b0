/**
 * DELIVERY §4: senders and one receiver, two lanes, a network that loses, copies and reorders; crashes, deadlines, sends that are given
 * up, replaced, or made again. Senders and receiver run on the protocol's own functions; the network, the operator and time are here.
 */
import type { Lane } from '../../../core/effect.ts';
import { at, less, memo, type Model, put, Sets, type State, type To, Values } from '../explore.ts';
import { addressOf, type Receiver, Receivers } from './messages-receiver.ts';
import { type Sender, Senders } from './messages-sender.ts';

export interface Message {
  readonly of: string;
  readonly lane: Lane;
  /** Its deadline may pass, or an operator may give it up. */
  readonly may?: 'expire' | 'void';
  /** Takes the place of this earlier one, if that is not acknowledged yet. */
  readonly replaces?: string;
}
export interface MessagesOptions {
  readonly name: string;
  /** What each sender sends, in order. */
  readonly scripts: readonly (readonly Message[])[];
  readonly senderCrashes?: number;
  readonly receiverCrashes?: number;
  /** How many deadlines pass, or sends are given up. */
  readonly ends?: number;
  /** How many dead letters are sent again. */
  readonly agains?: number;
  /** Envelopes on their way at once. */
  readonly net: number;
  /** Senders step ahead of their appends. */
  readonly stepsAhead?: boolean;
  readonly variant?:
    | 'ack-before-append'
    | 'no-after'
    | 'one-cursor'
    | 'pub-ack'
    | 'silent-deadline'
    | 'void-skips-after'
    | 'again-from-ack'
    | 'again-twice'
    | 'replaced-is-forgotten'
    | 'replaced-before-durable';
}

/** An envelope on its way. Positions are 1, 2, 3 for each sender; `after` -1: none. */
export interface Copy {
  readonly of: string;
  readonly from: number;
  readonly lane: Lane;
  readonly position: number;
  readonly after: number;
  readonly void: boolean;
  readonly expired: boolean;
}
export interface Ack {
  readonly from: number;
  readonly lane: Lane;
  readonly upTo: number;
}

const LANES: readonly Lane[] = ['user', 'system'];
/** Records that the receiver makes ahead of its store. */
const AHEAD_MAX = 2;

export function messages(o: MessagesOptions): Model {
  return new Messages(o);
}

class Messages implements Model {
  readonly name: string;
  readonly init: State;
  private readonly o: MessagesOptions;
  private readonly senders: Senders;
  private readonly receivers: Receivers;
  private readonly copies = new Values<Copy>();
  private readonly acks = new Values<Ack>();
  private readonly sets = new Sets();
  /** The receiver sends dead letters again to itself, after the others. */
  private readonly self: number;
  private readonly count: number;
  /** Where in the state the receiver is, copies and acks on their way, and what may still happen. */
  private readonly b: number;
  private readonly net: number;
  private readonly ackNet: number;
  private readonly senderCrashes: number;
  private readonly receiverCrashes: number;
  private readonly ends: number;
  private readonly agains: number;

  constructor(o: MessagesOptions) {
    this.o = o;
    this.name = o.name;
    this.senders = new Senders(o);
    this.receivers = new Receivers(o);
    this.self = o.scripts.length;
    this.count = this.self + ((o.agains ?? 0) > 0 ? 1 : 0);
    this.b = this.count;
    this.net = this.count + 1;
    this.ackNet = this.count + 2;
    this.senderCrashes = this.count + 3;
    this.receiverCrashes = this.count + 4;
    this.ends = this.count + 5;
    this.agains = this.count + 6;
    const senders = Array.from({ length: this.count }, () => this.senders.empty);
    const faults = [o.senderCrashes, o.receiverCrashes, o.ends, o.agains].map((n) => n ?? 0);
    this.init = [...senders, this.receivers.empty, this.sets.empty, this.sets.empty, ...faults];
  }

  // ---- steps ---------------------------------------------------------------------------------------------------------------

  steps(state: State, to: To): void {
    for (let i = 0; i < this.count; i++) this.senderSteps(state, to, i);
    this.receiverSteps(state, to);
    for (const ack of this.sets.of(at(state, this.ackNet))) {
      const { from, lane, upTo } = this.acks.at(ack);
      const rest = [this.ackNet, this.sets.without(at(state, this.ackNet), ack)] as const;
      to(`${this.who(from)} hears the ack ${lane} ${upTo}`, put(state, [from, this.hears(at(state, from), ack)], rest));
      to(`the network loses the ack ${lane} ${upTo} to ${this.who(from)}`, put(state, rest), true);
    }
  }

  private readonly hears = memo((sender, ack) => this.senders.hears(sender, this.acks.at(ack)));
  private readonly offers = memo((sender, from) => this.senders.copies(sender, from).map((copy) => this.copies.id(copy)));
  private readonly meets = memo((receiver, copy) => this.receivers.meets(receiver, this.copies.at(copy)));

  private who(sender: number): string {
    return sender === this.self ? 'b' : addressOf(sender);
  }
  private what(copy: number): string {
    const { of, position, after, void: isVoid, expired } = this.copies.at(copy);
    const mark = isVoid ? ' (void)' : expired ? ' (expired)' : '';
    return `${of}#${position}${mark} after ${after < 0 ? 'none' : after}`;
  }
  private withAcks(state: State, acks: readonly Ack[]): readonly [number, number] {
    const ids = acks.map((ack) => this.acks.id(ack));
    return [this.ackNet, this.sets.withAll(at(state, this.ackNet), ids)];
  }

  private senderSteps(state: State, to: To, i: number): void {
    const { senders } = this;
    const id = at(state, i);
    const who = this.who(i);
    const next = this.o.scripts[i]?.[senders.made(id)];
    if (next !== undefined) to(`${who} logs ${next.of} (${next.lane})`, put(state, [i, senders.sends(id, i)]));
    const { log, durable } = senders.at(id);
    if (durable < log.length) to(`${who}'s append is durable`, put(state, [i, senders.appendDone(id)]));
    this.transmits(state, to, i);
    if (i === this.self) return;
    if (at(state, this.senderCrashes) > 0)
      to(`${who} crashes and recovers`, put(state, [i, senders.crashes(id)], less(state, this.senderCrashes)), true);
    if (at(state, this.ends) > 0) this.ending(state, to, i);
  }

  private transmits(state: State, to: To, i: number): void {
    const id = at(state, i);
    const net = at(state, this.net);
    if (this.sets.of(net).length >= this.o.net) return;
    for (const copy of this.offers(id, i)) {
      const filled = this.sets.with(net, copy);
      if (filled === net) continue;
      const { lane, position } = this.copies.at(copy);
      const pubAck = this.o.variant === 'pub-ack' ? this.senders.hears(id, { from: i, lane, upTo: position }) : id;
      to(`${this.who(i)} sends ${this.what(copy)}`, put(state, [this.net, filled], [i, pubAck]));
    }
  }

  /** A deadline passes, or an operator gives a send up. */
  private ending(state: State, to: To, i: number): void {
    const { senders } = this;
    const id = at(state, i);
    const { log, durable, expired } = senders.at(id);
    for (const position of senders.pending(id)) {
      const send = log[position - 1]?.send;
      if (position > durable || send?.may === undefined) continue;
      const fewer = less(state, this.ends);
      if (send.may === 'expire' && !expired.includes(position))
        to(`the deadline of ${send.of} passes`, put(state, [i, senders.expires(id, position)], fewer), true);
      if (send.may === 'void' && !log.some((r) => r.voids === position))
        to(`an operator gives ${send.of} up`, put(state, [i, senders.givesUp(id, position)], fewer), true);
    }
  }

  private receiverSteps(state: State, to: To): void {
    const { receivers, sets } = this;
    const id = at(state, this.b);
    const r = receivers.at(id);
    const net = at(state, this.net);
    for (const copy of sets.of(net)) {
      const what = this.what(copy);
      const gone = [this.net, sets.without(net, copy)] as const;
      if (r.log.length - r.durable < AHEAD_MAX) {
        const moved = this.meets(id, copy);
        const acks = this.withAcks(state, moved.acks);
        to(`b receives ${what}`, put(state, [this.b, moved.to], gone, acks));
        to(`b receives ${what}; a copy stays on its way`, put(state, [this.b, moved.to], acks), true);
      }
      to(`the network loses ${what}`, put(state, gone), true);
    }
    if (r.flight > 0) {
      const moved = receivers.appendDone(id);
      to("b's append is durable; acks leave", put(state, [this.b, moved.to], this.withAcks(state, moved.acks)));
    }
    if (at(state, this.receiverCrashes) > 0) {
      const parts: (readonly [number, number])[] = [[this.b, receivers.crashes(id)], less(state, this.receiverCrashes)];
      if (this.count > this.self) parts.push([this.self, this.senders.crashes(at(state, this.self))]);
      to('b crashes and recovers', put(state, ...parts), true);
    }
    if (at(state, this.agains) > 0 && r.log.length === r.durable) this.sendingAgain(state, to, r);
  }

  /** An operator sends a dead letter again: recorded beside it, once, under a new id. */
  private sendingAgain(state: State, to: To, r: Receiver): void {
    const { senders, receivers, self } = this;
    const me = at(state, self);
    for (const [index, e] of r.log.entries()) {
      if (e.how !== 'dead' || e.from === self) continue;
      const before = r.log.some((x) => x.how === 'again' && x.from === e.from && x.position === e.position);
      if (before && this.o.variant !== 'again-twice') continue;
      const again = [this.b, receivers.again(at(state, this.b), index)] as const;
      to(`dead ${e.of} is sent again`, put(state, again, [self, senders.sendsAgain(me, e.of)], less(state, this.agains)), true);
    }
    if (this.o.variant !== 'again-from-ack') return;
    for (let i = 0; i < self; i++) {
      const { log, expired } = senders.at(at(state, i));
      for (const [index, { send }] of log.entries()) {
        const ended = expired.includes(index + 1) || log.some((x) => x.voids === index + 1);
        if (send === undefined || !ended || senders.pending(at(state, i)).includes(index + 1)) continue;
        const again = [self, senders.sendsAgain(me, send.of)] as const;
        to(`${send.of}, given up and acknowledged, is sent again`, put(state, again, less(state, this.agains)), true);
      }
    }
  }

  // ---- what must hold ------------------------------------------------------------------------------------------------------

  broken(state: State): string | undefined {
    const twice = this.takenTwice(at(state, this.b));
    if (twice !== undefined) return `${twice} was taken twice`;
    for (let i = 0; i < this.count; i++) {
      const wrong = this.wrongs[i]?.(at(state, i), at(state, this.b));
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  private readonly takenTwice = memo((receiver) => {
    const { log, durable } = this.receivers.at(receiver);
    const takes = log.slice(0, durable).flatMap((e) => (e.how === 'take' ? [e.of.replaceAll('again ', '')] : []));
    return takes.find((of, i) => takes.indexOf(of) !== i);
  });
  private readonly wrongs = [0, 1, 2].map((from) =>
    memo((sender, receiver) => wrongOf(this.senders.at(sender), this.senders.pending(sender), from, this.receivers.at(receiver))),
  );

  settled(state: State): boolean {
    const r = this.receivers.at(at(state, this.b));
    if (r.log.length > r.durable) return false;
    for (let i = 0; i < this.count; i++) {
      const { log, durable } = this.senders.at(at(state, i));
      const made = this.senders.made(at(state, i));
      if (made < (this.o.scripts[i]?.length ?? 0) || durable < log.length) return false;
      if (this.senders.pending(at(state, i)).length > 0) return false;
    }
    return true;
  }
}

/** Of one sender: in its order, nothing left out but what was replaced, and nothing acknowledged that is not in the receiver's log. */
function wrongOf(sender: Sender, pending: readonly number[], from: number, r: Receiver): string | undefined {
  const entries = r.log.slice(0, r.durable).filter((e) => e.from === from && e.how !== 'again');
  const sends = sender.log.slice(0, sender.durable).map((x) => x.send);
  const replaced = new Set(sender.log.map((x) => x.send?.replaces));
  const nameOf = (position: number): string => sends[position - 1]?.of ?? '?';
  for (const lane of LANES) {
    const due = sends.flatMap((send, i) => (send?.lane === lane ? [i + 1] : []));
    for (const { of, position } of entries.filter((e) => e.lane === lane)) {
      let next = due.shift();
      while (next !== undefined && next < position && replaced.has(nameOf(next))) next = due.shift();
      if (next === position) continue;
      const missed = next === undefined ? 'nothing' : nameOf(next);
      return `${of} is recorded where ${missed} is due in lane ${lane}: swallowed, or out of order`;
    }
  }
  for (const [i, send] of sends.entries()) {
    if (send === undefined || pending.includes(i + 1) || replaced.has(send.of)) continue;
    if (!entries.some((e) => e.position === i + 1)) return `${send.of} is acknowledged, and neither taken nor dead`;
  }
  return undefined;
}
