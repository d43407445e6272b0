/**
 * DELIVERY §1 and §4: lives of a keyed sender with its tombstone and the floor, cursors that are dropped after twice the horizon, messages
 * that are too old. One tick of time is one horizon. Driven by `cursors.ts`, `held.ts` and `outbox.ts`.
 */
import { effectId } from '../../../core/address.ts';
import {
  advance,
  type Cursor,
  cursorKey,
  decodeCursors,
  dropStill,
  encodeCursors,
  receive,
} from '../../../core/protocol/cursors.ts';
import { emptyHeld, hold, release } from '../../../core/protocol/held.ts';
import { addSend, afterOf, decodeOutbox, encodeOutbox, giveUp, heard, pendingSends } from '../../../core/protocol/outbox.ts';
import { at, less, memo, type Model, put, Sets, type State, type To, Values } from '../explore.ts';

export interface HorizonOptions {
  readonly name: string;
  /** @default 2 */
  readonly sends?: number;
  /** How often the sender is pruned. */
  readonly lives?: number;
  /** How many horizons pass. @default 4 */
  readonly ticks?: number;
  readonly crashes?: number;
  readonly agains?: number;
  /** How many sends are given up. */
  readonly voids?: number;
  readonly variant?:
    | 'seq-restarts'
    | 'floor-not-raised'
    | 'cursor-early'
    | 'ts-renewed'
    | 'no-age-check'
    | 'age-only-without-cursor'
    | 'old-does-not-wait'
    | 'old-may-be-sent-again'
    | 'void-before-age'
    | 'outbox-forgotten';
}

interface Sender {
  /** 0: only its tombstone is left, or nothing. */
  readonly alive: 0 | 1;
  readonly head: number;
  /** When it was pruned. */
  readonly tombAt: number | null;
  /** Above which a stream without tombstone begins. */
  readonly floor: number;
  /** The outbox as its log tells it, and as its memory has it: acknowledgements that were heard are written later. */
  readonly logged: unknown;
  readonly box: unknown;
  /** All that it ever sent: a ghost. */
  readonly sent: readonly { readonly id: number; readonly of: string }[];
}
interface Copy {
  readonly of: string;
  readonly position: number;
  readonly after: number;
  readonly ts: number;
  readonly void: boolean;
}
interface Receiver {
  readonly cursors: unknown;
  readonly held: readonly Copy[];
  readonly log: readonly { readonly of: string; readonly how: 'take' | 'dead' | 'forgotten' }[];
}

const HORIZON = 1;
const [NOW, SENDER, RECEIVER, NET, ACKS, LIVES, CRASHES, AGAINS, VOIDS] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;
const NET_MAX = 2;
/** A copy and the time are one number: time * TIMES + copy. */
const TIMES = 2 ** 16;
const idOf = (position: number): string => effectId('a', position, 0);

export function horizon(o: HorizonOptions): Model {
  const v = o.variant;
  const senders = new Values<Sender>();
  const receivers = new Values<Receiver>();
  const copies = new Values<Copy>();
  const sets = new Sets();

  // ---- the sender ------------------------------------------------------------------------------------------------------------

  const sends = (id: number, of: string, now: number): number => {
    const s = senders.at(id);
    const head = s.head + 1;
    const outbox = decodeOutbox(s.box);
    addSend(outbox, { id: idOf(head), position: head, to: 'b', lane: 'user', event: { type: of }, ts: now });
    const box = encodeOutbox(outbox);
    return senders.id({ ...s, head, box, logged: box, sent: [...s.sent, { id: head, of }] });
  };
  const pending = memo((id) => [...pendingSends(decodeOutbox(senders.at(id).box))]);
  const offers = memo((id, now) =>
    pending(id).map((send) =>
      copies.id({
        of: send.event?.type ?? '',
        position: send.position,
        after: afterOf(send),
        ts: v === 'ts-renewed' ? now : send.ts,
        void: send.void === true,
      }),
    ),
  );
  const hears = memo((id, upTo) => {
    const outbox = decodeOutbox(senders.at(id).box);
    heard(outbox, 'b', 'user', upTo);
    return senders.id({ ...senders.at(id), box: encodeOutbox(outbox) });
  });
  const givesUp = memo((id, position) => {
    const outbox = decodeOutbox(senders.at(id).box);
    giveUp(outbox, idOf(position));
    const box = encodeOutbox(outbox);
    return senders.id({ ...senders.at(id), box, logged: box });
  });
  const marks = memo((id) => senders.id({ ...senders.at(id), logged: senders.at(id).box }));
  const crashes = memo((id) => senders.id({ ...senders.at(id), box: senders.at(id).logged }));
  const pruned = memo((id, now) => {
    const s = senders.at(id);
    const box = v === 'outbox-forgotten' ? [] : s.box;
    return senders.id({ ...s, alive: 0, tombAt: now, box, logged: box });
  });
  const tombGoes = memo((id) => {
    const s = senders.at(id);
    const floor = v === 'floor-not-raised' ? s.floor : Math.max(s.floor, s.head);
    return senders.id({ ...s, tombAt: null, floor });
  });
  const born = memo((id) => {
    const s = senders.at(id);
    const head = v === 'seq-restarts' ? 0 : s.tombAt === null ? s.floor : s.head;
    return senders.id({ ...s, alive: 1, tombAt: null, head });
  });

  // ---- the receiver ----------------------------------------------------------------------------------------------------------

  const KEY = cursorKey('a', 'user');
  const fate = (c: Copy, cursor: Cursor | undefined, now: number): 'hold' | 'known' | 'take' | 'dead' | 'forgotten' => {
    const old = c.ts < (cursor?.birth ?? now) - HORIZON;
    const arrival = { ...c, after: v === 'old-does-not-wait' && old ? -1 : c.after, expired: false };
    const ageless = v === 'age-only-without-cursor' && cursor !== undefined ? { ...cursor, birth: -Infinity } : cursor;
    const verdict = receive(ageless, arrival, now, v === 'no-age-check' ? Infinity : HORIZON);
    if (verdict.kind !== 'dead') return verdict.kind;
    const decided = v === 'old-may-be-sent-again' || (v === 'void-before-age' && c.void);
    return verdict.cause === 'forgotten' && !decided ? 'forgotten' : 'dead';
  };
  const meets = memo((id, copyAt) => {
    const now = Math.floor(copyAt / TIMES);
    const copy = copies.at(copyAt % TIMES);
    const r = receivers.at(id);
    const cursors = decodeCursors(r.cursors);
    const held = emptyHeld<Copy>();
    for (const c of r.held) hold(held, 'a', 'user', c.position, c);
    const log = [...r.log];
    const take = (c: Copy): void => {
      const how = fate(c, cursors.get(KEY), now);
      if (how === 'known') return;
      if (how === 'hold') {
        hold(held, 'a', 'user', c.position, c);
        return;
      }
      log.push({ of: c.of, how });
      advance(cursors, 'a', 'user', c.position, now);
      for (const next of release(held, 'a', 'user', c.position, (h) => h.after)) take(next);
    };
    take(copy);
    const kept = [...(held.lanes.get(KEY)?.values() ?? [])].sort((x, y) => x.position - y.position);
    const upTo = cursors.get(KEY)?.at ?? 0;
    return {
      to: receivers.id({ cursors: encodeCursors(cursors), held: kept, log }),
      acks: copy.position <= upTo ? [upTo] : [],
    };
  });
  const drops = memo((id, now) => {
    const cursors = decodeCursors(receivers.at(id).cursors);
    dropStill(cursors, now, v === 'cursor-early' ? 0 : HORIZON);
    return receivers.id({ ...receivers.at(id), cursors: encodeCursors(cursors) });
  });
  const evicts = memo((id) => receivers.id({ ...receivers.at(id), held: [] }));

  // ---- steps -----------------------------------------------------------------------------------------------------------------

  const plainly = (s: Sender): number => s.sent.filter((m) => !m.of.startsWith('again')).length;

  function senderSteps(state: State, to: To): void {
    const id = at(state, SENDER);
    const now = at(state, NOW);
    const s = senders.at(id);
    const of = `m${plainly(s) + 1}`;
    if (s.alive === 1 && plainly(s) < (o.sends ?? 2)) to(`a logs ${of}#${s.head + 1}`, put(state, [SENDER, sends(id, of, now)]));
    const net = at(state, NET);
    if (sets.of(net).length < NET_MAX) {
      for (const copy of offers(id, now)) {
        const { of: what, position, after } = copies.at(copy);
        const label = `a sends ${what}#${position} after ${after < 0 ? 'none' : after}`;
        if (sets.with(net, copy) !== net) to(label, put(state, [NET, sets.with(net, copy)]));
      }
    }
    if (marks(id) !== id) to('a marks what is acknowledged', put(state, [SENDER, marks(id)]));
    if (at(state, CRASHES) > 0) to('a crashes and recovers', put(state, [SENDER, crashes(id)], less(state, CRASHES)), true);
    if (at(state, VOIDS) > 0)
      for (const send of pending(id))
        if (send.void !== true)
          to(`${send.event?.type} is given up`, put(state, [SENDER, givesUp(id, send.position)], less(state, VOIDS)), true);
    if (s.alive === 1 && at(state, LIVES) > 0)
      to(`a is pruned at ${s.head}`, put(state, [SENDER, pruned(id, now)], less(state, LIVES)), true);
    // A tombstone goes when it is older than twice the horizon, and nothing is unacknowledged.
    if (s.alive === 0 && s.tombAt !== null && now - s.tombAt > 2 * HORIZON && pending(id).length === 0)
      to('the floor is raised, the tombstone goes', put(state, [SENDER, tombGoes(id)]), true);
    if (s.alive === 0) to('a is created again', put(state, [SENDER, born(id)]));
    if (s.alive === 0 || at(state, AGAINS) === 0) return;
    // Here by its first sender; what counts is the new id.
    const dead = receivers
      .at(at(state, RECEIVER))
      .log.find((e) => e.how === 'dead' && !s.sent.some((m) => m.of === `again ${e.of}`));
    if (dead !== undefined)
      to(`dead ${dead.of} is sent again`, put(state, [SENDER, sends(id, `again ${dead.of}`, now)], less(state, AGAINS)), true);
  }

  function receiverSteps(state: State, to: To): void {
    const id = at(state, RECEIVER);
    const now = at(state, NOW);
    for (const copy of sets.of(at(state, NET))) {
      const { of, position, ts } = copies.at(copy);
      const what = `${of}#${position}, ${now - ts} horizons old`;
      const gone = [NET, sets.without(at(state, NET), copy)] as const;
      const met = meets(id, now * TIMES + copy);
      const acks = [ACKS, sets.withAll(at(state, ACKS), met.acks)] as const;
      to(`b receives ${what}`, put(state, [RECEIVER, met.to], gone, acks));
      to(`b receives ${what}; a copy stays on its way`, put(state, [RECEIVER, met.to], acks), true);
      to(`the network loses ${what}`, put(state, gone), true);
    }
    if (evicts(id) !== id) to('b evicts what it holds', put(state, [RECEIVER, evicts(id)]), true);
    if (drops(id, now) !== id) to('b drops its cursor', put(state, [RECEIVER, drops(id, now)]), true);
  }

  const wrong = memo((sender, receiver) => {
    const { log } = receivers.at(receiver);
    const takes = log.flatMap((e) => (e.how === 'take' ? [e.of.replaceAll('again ', '')] : []));
    const twice = takes.find((of, i) => takes.indexOf(of) !== i);
    if (twice !== undefined) return `${twice} was taken twice`;
    const { sent } = senders.at(sender);
    let due = 0;
    for (const e of log) {
      const which = sent.findIndex((m) => m.of === e.of);
      if (which > due) return `${sent[due]?.of} is swallowed: ${e.of} is recorded before it`;
      if (which === due) due++;
    }
    const kept = pending(sender).map((send) => send.event?.type);
    const lost = sent.find(({ of }) => !kept.includes(of) && !log.some((e) => e.of === of));
    return lost && `${lost.of}: nobody keeps it, and it is neither taken nor dead`;
  });

  return {
    name: o.name,
    init: [
      0,
      senders.id({ alive: 1, head: 0, tombAt: null, floor: 0, logged: [], box: [], sent: [] }),
      receivers.id({ cursors: [], held: [], log: [] }),
      sets.empty,
      sets.empty,
      ...[o.lives, o.crashes, o.agains, o.voids].map((n) => n ?? 0),
    ],
    steps(state, to) {
      senderSteps(state, to);
      receiverSteps(state, to);
      for (const upTo of sets.of(at(state, ACKS))) {
        const rest = [ACKS, sets.without(at(state, ACKS), upTo)] as const;
        to(`a hears the ack ${upTo}`, put(state, [SENDER, hears(at(state, SENDER), upTo)], rest));
        to(`the network loses the ack ${upTo}`, put(state, rest), true);
      }
      if (at(state, NOW) < (o.ticks ?? 4)) to('a horizon passes', put(state, [NOW, at(state, NOW) + 1]), true);
    },
    broken: (state) => wrong(at(state, SENDER), at(state, RECEIVER)),
    settled(state) {
      const s = senders.at(at(state, SENDER));
      return (
        plainly(s) === (o.sends ?? 2) && pending(at(state, SENDER)).length === 0 && marks(at(state, SENDER)) === at(state, SENDER)
      );
    },
  };
}
