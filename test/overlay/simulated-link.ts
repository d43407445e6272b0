/** Two connections and the link between them, on virtual time: latency, jitter, loss, duplication, reordering and a bottleneck, from one seed. */
import { NewReno } from './new-reno.ts';
import type { CongestionController } from '../../transport/overlay/congestion/controller.ts';
import { Connection } from '../../transport/overlay/channels/connection.ts';
import { CONNECTION_LIMITS, type ConnectionLimits } from '../../transport/overlay/channels/limits.ts';
import type { ConnectionOutput } from '../../transport/overlay/channels/ports.ts';
import { keptBudget } from '../../transport/overlay/channels/kept.ts';
import { Writer } from '../../transport/overlay/wire/bytes.ts';
import { parseFrames, putFrame, type Frame } from '../../transport/overlay/wire/frames.ts';

/** mulberry32 */
export function dice(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), 1 | state);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export const bytesFrom =
  (random: () => number) =>
  (count: number): Uint8Array =>
    Uint8Array.from({ length: count }, () => Math.floor(random() * 256));

export function bytesOfFrames(frames: readonly Frame[]): Uint8Array {
  const writer = new Writer();
  for (const frame of frames) putFrame(writer, frame);
  return Uint8Array.from(writer.written());
}

/** As the wire makes them: bytes and back. */
export function overTheWire(frames: readonly Frame[]): { frames: readonly Frame[]; bytes: number } {
  const bytes = bytesOfFrames(frames);
  const parsed = parseFrames(bytes);
  if (parsed === undefined) throw new Error('own frames are malformed');
  return { frames: parsed, bytes: bytes.length };
}

export interface Weather {
  /** One way, and up to `jitterMs` more. Jitter alone reorders nothing. */
  readonly latencyMs: number;
  readonly jitterMs: number;
  readonly loss: number;
  readonly duplication: number;
  /** Packets that may be overtaken by later ones. */
  readonly reordering: number;
  /** Bytes per ms of the bottleneck, and bytes that queue before it. */
  readonly rate: number;
  readonly queueBytes: number;
  /** Turns of the receiver's event loop: what has come is taken when one begins. 0: at once. */
  readonly turnMs: number;
  /** Bytes that wait for a turn, at most. */
  readonly turnBytes: number;
}
export const CALM: Weather = {
  latencyMs: 15,
  jitterMs: 0,
  loss: 0,
  duplication: 0,
  reordering: 0,
  rate: Infinity,
  queueBytes: Infinity,
  turnMs: 0,
  turnBytes: Infinity,
};

/** Header and tag of a DATA packet. */
const OVERHEAD = 32;
/** Wake-ups of a side at one instant after which something evidently spins. */
const SPIN = 64;

/** What is before the bottleneck. */
export interface Bottleneck {
  /** When it is free. */
  freeAt: number;
}

export class Side implements Bottleneck {
  readonly connection: Connection;
  readonly outputs: ConnectionOutput[] = [];
  readonly heard: { readonly channel: string; readonly bytes: Uint8Array }[] = [];
  readonly delivered: string[] = [];
  closed: Extract<ConnectionOutput, { type: 'closed' }> | undefined;
  ticks = 0;
  packets = 0;
  bytes = 0;
  /** Nothing is taken, as a node does that is stuck. */
  isStuck = false;
  pn = 0;
  timerAt = Infinity;
  lastTickAt = -1;
  atInstant = 0;
  readonly seen = new Set<number>();
  /** Of the bottleneck before the other side. */
  freeAt = 0;
  lastArrival = 0;
  /** Bytes that wait for the next turn of the other side, and when that is. */
  waiting = { at: 0, bytes: 0 };

  constructor(connection: Connection) {
    this.connection = connection;
  }
}

export interface SimulationOptions {
  readonly seed: number;
  readonly weather?: Partial<Weather>;
  readonly limits?: Partial<ConnectionLimits>;
  readonly controller?: (() => CongestionController) | undefined;
  readonly initialRttMs?: number;
  /** Bytes of a datagram. */
  readonly datagram?: number;
  /** Bytes that each side may keep of what it has not handed over. */
  readonly budgetBytes?: number;
  /** From `a` to `b`, where it is shared with other simulations, which are then run by turns. */
  readonly bottleneck?: Bottleneck;
}

export class Simulation {
  now = 0;
  weather: Weather;
  datagram: number;
  readonly random: () => number;
  readonly a: Side;
  readonly b: Side;
  /** Called for every packet that arrives, before it is received. */
  tap: ((to: Side, frames: readonly Frame[]) => void) | undefined;
  private readonly bottleneck: Bottleneck;
  private readonly events: Event[] = [];
  private order = 0;

  constructor(options: SimulationOptions) {
    this.random = dice(options.seed);
    this.weather = { ...CALM, ...options.weather };
    this.datagram = options.datagram ?? 1_200;
    const side = (): Side =>
      new Side(
        new Connection({
          controller: options.controller?.() ?? new NewReno(),
          random: bytesFrom(this.random),
          limits: { ...CONNECTION_LIMITS, ...options.limits },
          initialRttMs: options.initialRttMs ?? 100,
          budget: keptBudget(options.budgetBytes ?? 64 * 2 ** 20),
        }),
      );
    this.a = side();
    this.bottleneck = options.bottleneck ?? this.a;
    this.b = side();
  }

  at(ms: number, run: () => void): void {
    const { events } = this;
    events.push({ at: ms, order: this.order++, run });
    let child = events.length - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!before(events[child], events[parent])) break;
      swap(events, child, parent);
      child = parent;
    }
  }

  /** Sends what the side has to say, and sets its timer. */
  pump(side: Side): void {
    const { connection } = side;
    if (!side.isStuck) {
      for (const output of connection.take()) {
        side.outputs.push(output);
        if (output.type === 'message') side.heard.push(output);
        if (output.type === 'delivered') side.delivered.push(`${output.channel} ${output.message}`);
        if (output.type === 'closed') side.closed = output;
      }
    }
    for (;;) {
      const packet = connection.next(this.now, this.datagram - OVERHEAD);
      if (packet === undefined) break;
      const wire = overTheWire(packet.frames);
      if (wire.bytes > this.datagram - OVERHEAD) throw new Error(`a packet of ${wire.bytes} bytes`);
      const pn = side.pn++;
      connection.sent(this.now, pn, packet, wire.bytes + OVERHEAD);
      side.packets++;
      side.bytes += wire.bytes + OVERHEAD;
      this.carry(side, pn, wire.frames, wire.bytes + OVERHEAD);
    }
    const at = connection.nextAt();
    if (at === side.timerAt) return;
    side.timerAt = at;
    if (at < Infinity) this.at(Math.max(at, this.now), () => this.wake(side, at));
  }

  pumpBoth(): void {
    this.pump(this.a);
    this.pump(this.b);
  }

  /** Until `isDone`, or nothing happens any more, or the time is up. */
  run(untilMs: number, isDone: () => boolean = () => false): void {
    this.pumpBoth();
    while (!isDone()) {
      const next = this.events[0];
      if (next === undefined || next.at > untilMs) {
        this.now = Math.max(this.now, untilMs);
        return;
      }
      this.now = Math.max(this.now, next.at);
      pop(this.events);
      next.run();
    }
  }

  private wake(side: Side, at: number): void {
    if (side.timerAt !== at) return;
    side.timerAt = Infinity;
    side.ticks++;
    side.atInstant = side.lastTickAt === this.now ? side.atInstant + 1 : 0;
    side.lastTickAt = this.now;
    if (side.atInstant > SPIN) throw new Error(`it spins at ${this.now} ms`);
    side.connection.tick(this.now);
    this.pump(side);
  }

  private carry(from: Side, pn: number, frames: readonly Frame[], bytes: number): void {
    const { latencyMs, jitterMs, loss, duplication, reordering, rate, queueBytes, turnMs, turnBytes } = this.weather;
    const [isLost, isDoubled] = [this.random() < loss, this.random() < duplication];
    const line = from === this.a ? this.bottleneck : from;
    const start = Math.max(this.now, line.freeAt);
    if ((start - this.now) * rate > queueBytes || isLost) return;
    line.freeAt = start + bytes / rate;
    for (let copy = 0; copy < (isDoubled ? 2 : 1); copy++) {
      let at = line.freeAt + latencyMs + this.random() * jitterMs;
      if (this.random() < reordering) at += this.random() * 2 * latencyMs;
      else at = from.lastArrival = Math.max(at, from.lastArrival);
      if (turnMs > 0) {
        at = Math.ceil(at / turnMs) * turnMs;
        if (from.waiting.at !== at) from.waiting = { at, bytes: 0 };
        from.waiting.bytes += bytes;
        if (from.waiting.bytes > turnBytes) continue;
      }
      this.at(at, () => this.arrive(from === this.a ? this.b : this.a, pn, frames));
    }
  }

  private arrive(to: Side, pn: number, frames: readonly Frame[]): void {
    // As the anti-replay window does.
    if (to.seen.has(pn)) return;
    to.seen.add(pn);
    this.tap?.(to, frames);
    to.connection.receive(this.now, pn, frames);
    this.pump(to);
  }
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}
const before = (a: Event | undefined, b: Event | undefined): boolean =>
  a !== undefined && (b === undefined || a.at < b.at || (a.at === b.at && a.order < b.order));

function swap(list: Event[], i: number, j: number): void {
  [list[i], list[j]] = [list[j] as Event, list[i] as Event];
}

function pop(heap: Event[]): void {
  const last = heap.pop() as Event;
  if (heap.length === 0) return;
  heap[0] = last;
  for (let at = 0; ;) {
    let least = at;
    for (const child of [2 * at + 1, 2 * at + 2]) if (before(heap[child], heap[least])) least = child;
    if (least === at) return;
    swap(heap, at, least);
    at = least;
  }
}
