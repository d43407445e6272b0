/**
 * INITs on their way to an answer. Anyone may send them, as many as the line carries, so each stage lets through no more than it is to cost,
 * and established traffic waits for none of them: a datagram only gets a place, the rest is done at the end of a turn.
 *
 *   put    into a room: of those that claim a cookie, or of the others                     1 us
 *   look   the gate: macs, and under load COOKIEs                                           10 to 16 us of CPU time
 *   next   out of the queue of what the gate let in: to be worked on, two agreements       1.2 ms
 */
import type { Drops } from '../drops.ts';
import { MAC_BYTES, parsePacket, type InitPacket } from '../wire/packets.ts';
import { Bucket } from '../buckets.ts';
import { isZero, type Gate } from './gate.ts';
import { Room, type Arrived } from './room.ts';
import type { PathId } from '../source.ts';

/** INITs that are looked at, with a cookie and without one each: a fifth of one CPU at most. */
const LOOKS = { perSecond: 10_000, burst: 32 };
/** INITs that are worked on: a quarter of one CPU at most. */
const BUDGET = { perSecond: 200, burst: 20 };
export const QUEUE_MAX = 128;

export interface ArrivedInit extends Arrived {
  readonly init: InitPacket;
}

export class Intake {
  private readonly gate: Gate;
  private readonly drops: Drops;
  private readonly fresh: Room;
  private readonly returning: Room;
  private readonly budget = new Bucket(Number.NEGATIVE_INFINITY, BUDGET);
  private readonly queue: ArrivedInit[] = [];

  constructor(gate: Gate, drops: Drops, random: (bytes: number) => Uint8Array) {
    this.gate = gate;
    this.drops = drops;
    this.fresh = new Room(LOOKS, random);
    this.returning = new Room(LOOKS, random);
  }

  /** A datagram that begins as an INIT does. Keeps a copy, if anything. */
  put(from: PathId, bytes: Uint8Array): void {
    // Who has a cookie has been told so, and comes again: those that never had one cannot take its place.
    const room = isZero(bytes.subarray(-MAC_BYTES)) ? this.fresh : this.returning;
    this.drops.init_flooded += room.put(from, bytes);
  }

  /** The next that the gate lets in, or the COOKIE by which it is answered instead. What is not let in is counted. */
  look(now: number): ArrivedInit | { readonly from: PathId; readonly cookie: Uint8Array } | undefined {
    for (let arrived = this.arrived(now); arrived !== undefined; arrived = this.arrived(now)) {
      const { from, bytes } = arrived;
      const init = parsePacket(bytes);
      if (typeof init === 'string') {
        this.drops[init] += 1;
        continue;
      }
      const answer = this.gate.ask(now, from, init as InitPacket, bytes, this.queue.length);
      if (answer === undefined) return kept(from, bytes);
      this.drops[answer.drop] += 1;
      if (answer.drop === 'cookie_required') return { from, cookie: answer.reply };
    }
    return undefined;
  }

  /** One that was let in waits for its turn. */
  admit(arrived: ArrivedInit): void {
    if (this.queue.length >= QUEUE_MAX) this.drops.queue_full += 1;
    else this.queue.push(arrived);
  }

  /** The next that may be worked on now. */
  next(now: number): ArrivedInit | undefined {
    return this.queue.length > 0 && this.budget.take(now) ? this.queue.shift() : undefined;
  }

  /** When `look` or `next` may have one; Infinity: none waits. */
  nextAt(now: number): number {
    const queued = this.queue.length === 0 ? Infinity : this.budget.nextAt(now);
    return Math.min(queued, this.returning.nextAt(now), this.fresh.nextAt(now));
  }

  private arrived(now: number): Arrived | undefined {
    return this.returning.take(now) ?? this.fresh.take(now);
  }
}

/** Of what the room lends, a copy. */
function kept(from: PathId, lent: Uint8Array): ArrivedInit {
  const bytes = Uint8Array.from(lent);
  return { from, bytes, init: parsePacket(bytes) as InitPacket };
}
