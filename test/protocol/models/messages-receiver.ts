/** The receiver in the model of messages: its log, its cursors (`core/protocol/cursors.ts`), what it holds (`held.ts`), its appends. */
import type { Address } from '../../../core/address.ts';
import type { Lane } from '../../../core/effect.ts';
import { advance, type Cursors, cursorKey, receive } from '../../../core/protocol/cursors.ts';
import { emptyHeld, type Held, hold, release } from '../../../core/protocol/held.ts';
import { memo, Values } from '../explore.ts';
import type { Ack, Copy, MessagesOptions } from './messages.ts';

export interface Entry {
  readonly of: string;
  readonly from: number;
  readonly lane: Lane;
  readonly position: number;
  /** `again`: the operator's record beside a dead letter. */
  readonly how: 'take' | 'dead' | 'again';
}
export interface Receiver {
  /** The durable ones first, then `flight` on their way to the store, then those that wait. */
  readonly log: readonly Entry[];
  readonly durable: number;
  readonly flight: number;
  /** What leaves when the append in flight is done, and with the one after it. */
  readonly leaves: readonly Ack[];
  readonly waits: readonly Ack[];
  readonly held: readonly Copy[];
}
/** What the receiver becomes, and the acks that leave with that. */
export interface Moved {
  readonly to: number;
  readonly acks: readonly Ack[];
}
/** Made anew for each copy that is met. */
interface Taking {
  readonly cursors: Cursors;
  readonly held: Held<Copy>;
  log: readonly Entry[];
  waits: readonly Ack[];
}

const HORIZON = 1;
export const addressOf = (sender: number): Address => `a${sender + 1}`;

export class Receivers {
  private readonly values = new Values<Receiver>();
  private readonly variant: MessagesOptions['variant'];
  readonly empty = this.values.id({ log: [], durable: 0, flight: 0, leaves: [], waits: [], held: [] });

  constructor(o: MessagesOptions) {
    this.variant = o.variant;
  }

  at(id: number): Receiver {
    return this.values.at(id);
  }

  /** A pump with one copy in the mailbox. */
  meets(id: number, copy: Copy): Moved {
    const r = this.at(id);
    const held = emptyHeld<Copy>();
    for (const c of r.held) hold(held, addressOf(c.from), this.lane(c), c.position, c);
    const t: Taking = { cursors: this.cursors(r.log), held, log: r.log, waits: r.waits };
    this.take(t, copy);
    const kept = [...held.lanes.values()].flatMap((lane) => [...lane.values()]);
    kept.sort((a, b) => a.from - b.from || a.position - b.position);
    const moved = this.flush({ ...r, log: t.log, waits: t.waits, held: kept });
    return this.variant === 'ack-before-append' ? { to: moved.to, acks: [...moved.acks, ...t.waits] } : moved;
  }

  readonly appendDone = memo((id): Moved => {
    const r = this.at(id);
    const next = this.flush({ ...r, durable: r.durable + r.flight, flight: 0, leaves: [] });
    return { to: next.to, acks: [...r.leaves, ...next.acks] };
  });
  readonly crashes = memo((id) => {
    const r = this.at(id);
    return this.values.id({ ...r, log: r.log.slice(0, r.durable), flight: 0, leaves: [], waits: [], held: [] });
  });
  /** The dead letter at `index` is sent again, and that is durable. */
  readonly again = memo((id, index) => {
    const r = this.at(id);
    const log = [...r.log, { ...(r.log[index] as Entry), how: 'again' as const }];
    return this.values.id({ ...r, log, durable: log.length });
  });

  private lane({ lane }: { readonly lane: Lane }): Lane {
    return this.variant === 'one-cursor' ? 'user' : lane;
  }
  private cursors(log: readonly Entry[]): Cursors {
    const cursors: Cursors = new Map();
    for (const e of log) if (e.how !== 'again') advance(cursors, addressOf(e.from), this.lane(e), e.position, 0);
    return cursors;
  }

  private take(t: Taking, copy: Copy): void {
    const from = addressOf(copy.from);
    const lane = this.lane(copy);
    const key = cursorKey(from, lane);
    const marked = copy.void || copy.expired;
    const skips = this.variant === 'no-after' || (this.variant === 'void-skips-after' && marked);
    const verdict = receive(t.cursors.get(key), { ...copy, after: skips ? -1 : copy.after, ts: 0 }, 0, HORIZON);
    if (verdict.kind === 'hold') {
      hold(t.held, from, lane, copy.position, copy);
      return;
    }
    if (verdict.kind !== 'known') {
      t.log = [...t.log, { of: copy.of, from: copy.from, lane: copy.lane, position: copy.position, how: verdict.kind }];
      advance(t.cursors, from, lane, copy.position, 0);
    }
    const { at } = t.cursors.get(key) as { at: number };
    t.waits = withAck(t.waits, { from: copy.from, lane, upTo: at });
    if (verdict.kind !== 'known') for (const next of release(t.held, from, lane, at, (c) => c.after)) this.take(t, next);
  }

  /** The batch goes to the store unless one is on its way; with nothing to write, what waits leaves at once. */
  private flush(r: Receiver): Moved {
    if (r.flight > 0) return { to: this.values.id(r), acks: [] };
    const flight = r.log.length - r.durable;
    if (flight > 0) return { to: this.values.id({ ...r, flight, leaves: r.waits, waits: [] }), acks: [] };
    return { to: this.values.id({ ...r, waits: [] }), acks: r.waits };
  }
}

/** Of one sender and lane the highest counts. */
function withAck(list: readonly Ack[], ack: Ack): readonly Ack[] {
  const of = (a: Ack): boolean => a.from === ack.from && a.lane === ack.lane;
  const upTo = Math.max(ack.upTo, ...list.filter(of).map((a) => a.upTo));
  const all = [...list.filter((a) => !of(a)), { ...ack, upTo }];
  return all.sort((a, b) => a.from - b.from || (a.lane < b.lane ? -1 : 1));
}
