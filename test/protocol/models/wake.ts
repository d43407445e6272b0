/**
 * That a send leaves until it is acknowledged, whatever its actor does meanwhile: it is put away and woken, its node's session runs out, its
 * node dies, the next owner finds it clean or dirty. Driven by the times of `outbox.ts`; once m1 is made nobody sends
 * this actor anything but acks.
 */
import { effectId } from '../../../core/address.ts';
import {
  addSend,
  decodeOutbox,
  dueSends,
  earliestSend,
  emptyOutbox,
  encodeOutbox,
  heard,
  type NewSend,
  type Outbox,
  outboxSize,
  sent,
} from '../../../core/protocol/outbox.ts';
import { at, less, memo, type Model, put, type State, type To, Values } from '../explore.ts';

export interface WakeOptions {
  readonly name: string;
  readonly crashes: number;
  /** How often the session's deadline passes before the next renewal. */
  readonly lapses: number;
  readonly variant?: 'due-is-forgotten' | 'checkpoint-before-it-left' | 'checkpoint-without-wake';
}

/** The outbox of the one send. Times are relative to now; null: never, or not yet. */
interface Box {
  readonly nextAt: number | null;
  readonly dueFrom: number | null;
}
interface Cell {
  /** A record of this epoch is durable. */
  readonly active: boolean;
  /** Null: nothing is pending. */
  readonly box: Box | null;
  /** Durable, and not left: the session's deadline has passed. */
  readonly detained: boolean;
  /** An acknowledgement was heard that no record tells. */
  readonly heard: boolean;
  readonly timer: boolean;
}
interface Stream {
  readonly head: number;
  readonly epoch: number;
  readonly made: boolean;
  /** A record tells that it is acknowledged. */
  readonly marked: boolean;
  readonly saved: { readonly seq: number; readonly wakes: boolean; readonly pending: boolean };
}

const SEND: NewSend = { id: effectId('a', 1, 0), position: 1, to: 'b', lane: 'user', event: { type: 'm1' }, ts: 0 };
/** `sent` at 0 makes it due then. */
const PAUSE = 500;

const [STREAM, CELL, EPOCH, ACTS, SLEEPS, NET, TAKEN, ACK, CRASHES, LAPSES] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] as const;

export function wake(o: WakeOptions): Model {
  const v = o.variant;
  const streams = new Values<Stream>();
  const cells = new Values<Cell | null>();

  // ---- the outbox ------------------------------------------------------------------------------------------------------------

  const open = (box: Box | null): Outbox => {
    const outbox = emptyOutbox();
    if (box === null) return outbox;
    addSend(outbox, SEND, { nextAt: box.nextAt ?? Infinity });
    outbox.dueFrom = box.dueFrom ?? Infinity;
    return outbox;
  };
  const close = (outbox: Outbox): Box | null => {
    const send = outbox.byId.get(SEND.id);
    const finite = (n: number): number | null => (n === Infinity ? null : n);
    return send === undefined ? null : { nextAt: finite(send.nextAt), dueFrom: finite(outbox.dueFrom) };
  };
  const leaves = (box: Box | null): Box | null => {
    const outbox = open(box);
    const send = outbox.byId.get(SEND.id);
    if (send !== undefined) sent(outbox, send, 0);
    return close(outbox);
  };
  const wakes = (box: Box | null): boolean => earliestSend(open(box)) !== undefined;
  const armed = (cell: Cell): Cell => ({ ...cell, timer: wakes(cell.box) });
  const isQuiet = (cell: Cell): boolean => !cell.detained;

  // ---- steps -----------------------------------------------------------------------------------------------------------------

  /** With what its stream tells: dirty, it is activated and resumed; clean, its alarm is set. */
  function opens(state: State): State {
    const s = streams.at(at(state, STREAM));
    const pending = s.made && !s.marked;
    if (s.head === s.saved.seq) {
      const box = s.saved.pending ? close(decodeOutbox([{ ...SEND, nextAt: 0 }])) : null;
      const cell = armed({ active: s.epoch === at(state, EPOCH), box, detained: false, heard: false, timer: false });
      return put(state, [CELL, cells.id(cell)], [SLEEPS, 0]);
    }
    const stream = streams.id({ ...s, head: s.head + 1, epoch: at(state, EPOCH) });
    const folded = pending ? close(filled()) : null;
    const acts = at(state, ACTS) === 1;
    const box = acts && pending ? leaves(folded) : folded;
    const cell = armed({ active: true, box, detained: !acts && pending, heard: false, timer: false });
    return put(state, [STREAM, stream], [CELL, cells.id(cell)], [SLEEPS, 0], [NET, acts && pending ? 1 : at(state, NET)]);
  }
  const filled = (): Outbox => {
    const outbox = emptyOutbox();
    addSend(outbox, SEND);
    return outbox;
  };

  function alarm(state: State, cell: Cell): State {
    const outbox = open(cell.box);
    if (at(state, ACTS) === 0) return state;
    const due = dueSends(outbox, 0);
    if (v === 'due-is-forgotten' && due.length > 0) outbox.dueFrom = Infinity;
    if (due.length > 0 && !cell.active) {
      // A record of this epoch first.
      const s = streams.at(at(state, STREAM));
      const stream = streams.id({ ...s, head: s.head + 1, epoch: at(state, EPOCH) });
      return put(state, [STREAM, stream], [CELL, cells.id(armed({ ...cell, active: true, box: close(outbox) }))]);
    }
    for (const send of due) sent(outbox, send, 0);
    const next = armed({ ...cell, box: close(outbox) });
    return put(state, [CELL, cells.id(next)], [NET, due.length > 0 ? 1 : at(state, NET)]);
  }

  const saves = (state: State, cell: Cell): State => {
    const s = streams.at(at(state, STREAM));
    const pending = (encodeOutbox(open(cell.box)) as unknown[]).length > 0;
    const saved = { seq: s.head, wakes: v !== 'checkpoint-without-wake' && wakes(cell.box), pending };
    return put(state, [STREAM, streams.id({ ...s, saved })]);
  };

  function cellSteps(state: State, to: To, cell: Cell): void {
    const s = streams.at(at(state, STREAM));
    const acts = at(state, ACTS) === 1;
    if (!s.made) {
      const outbox = filled();
      const box = acts ? leaves(close(outbox)) : close(outbox);
      const next = armed({ ...cell, active: true, box, detained: !acts });
      const stream = streams.id({ ...s, head: s.head + 1, epoch: at(state, EPOCH), made: true });
      to('a logs m1', put(state, [STREAM, stream], [CELL, cells.id(next)], [NET, acts ? 1 : 0]));
    }
    if (cell.detained && acts)
      to(
        'm1 leaves: the session is renewed',
        put(state, [CELL, cells.id(armed({ ...cell, detained: false, box: leaves(cell.box) }))], [NET, 1]),
      );
    if (cell.timer && (cell.box?.dueFrom ?? 1) <= 0 && alarm(state, cell) !== state) to("a's alarm", alarm(state, cell));
    if (at(state, ACK) === 1) {
      const outbox = open(cell.box);
      const settled = heard(outbox, 'b', 'user', SEND.position).length > 0;
      const next = { ...cell, box: close(outbox), heard: cell.heard || settled };
      to('a hears the ack', put(state, [ACK, 0], [CELL, cells.id(armed(next))]));
    }
    const may = isQuiet(cell) || v === 'checkpoint-before-it-left';
    if (may && s.head > s.saved.seq && !cell.heard) to('a is saved', saves(state, cell));
    if (!isQuiet(cell)) return;
    if (cell.heard) {
      const stream = streams.id({ ...s, head: s.head + 1, epoch: at(state, EPOCH), marked: true });
      to('a marks the ack', put(state, [STREAM, stream], [CELL, cells.id({ ...cell, active: true, heard: false })]));
    } else if (s.made && s.head === s.saved.seq)
      to('a is put away', put(state, [CELL, cells.id(null)], [SLEEPS, wakes(cell.box) ? 1 : 0]));
  }

  const later = memo((id) => {
    const cell = cells.at(id);
    if (cell === null || cell.box === null) return id;
    const soon = (t: number | null): number | null => (t === null ? null : Math.max(0, t - PAUSE));
    return cells.id({ ...cell, box: { nextAt: soon(cell.box.nextAt), dueFrom: soon(cell.box.dueFrom) } });
  });

  return {
    name: o.name,
    init: [
      streams.id({ head: 1, epoch: 1, made: false, marked: false, saved: { seq: 1, wakes: false, pending: false } }),
      cells.id({ active: true, box: null, detained: false, heard: false, timer: false }),
      1,
      1,
      0,
      0,
      0,
      0,
      o.crashes,
      o.lapses,
    ],
    steps(state, to) {
      const s = streams.at(at(state, STREAM));
      const cell = cells.at(at(state, CELL));
      if (at(state, EPOCH) === 0) {
        const epoch = s.epoch + 1;
        const claimed = put(state, [EPOCH, epoch], [ACTS, 1]);
        const dirty = s.head > s.saved.seq;
        to(
          `the next owner claims epoch ${epoch}: a is ${dirty ? 'dirty' : 'clean'}`,
          dirty ? opens(claimed) : put(claimed, [SLEEPS, s.saved.wakes ? 1 : 0]),
        );
      } else if (cell !== null) cellSteps(state, to, cell);
      else if (at(state, SLEEPS) === 1 || !s.made) to('a is woken', opens(state));
      if (later(at(state, CELL)) !== at(state, CELL)) to('time passes', put(state, [CELL, later(at(state, CELL))]));
      if (at(state, ACTS) === 0 && at(state, EPOCH) > 0) to('the session is renewed', put(state, [ACTS, 1]));
      if (at(state, NET) === 1) {
        to('b takes m1, acks', put(state, [NET, 0], [TAKEN, 1], [ACK, 1]));
        to('the network loses m1', put(state, [NET, 0]), true);
      }
      if (at(state, ACK) === 1) to('the network loses the ack', put(state, [ACK, 0]), true);
      if (at(state, LAPSES) > 0 && at(state, ACTS) === 1)
        to("the session's deadline passes", put(state, [ACTS, 0], less(state, LAPSES)), true);
      if (at(state, CRASHES) > 0 && at(state, EPOCH) > 0)
        to("a's node dies", put(state, [EPOCH, 0], [CELL, cells.id(null)], [SLEEPS, 0], less(state, CRASHES)), true);
    },
    broken(state) {
      const cell = cells.at(at(state, CELL));
      const forgotten =
        cell !== null && streams.at(at(state, STREAM)).made && at(state, TAKEN) === 0 && outboxSize(open(cell.box)) === 0;
      return forgotten ? 'nobody has taken m1, and its sender has forgotten it' : undefined;
    },
    /** b has it, and a is done with it or at rest. */
    settled: (state) =>
      at(state, TAKEN) === 1 && (streams.at(at(state, STREAM)).marked || cells.at(at(state, CELL))?.heard === true),
  };
}
