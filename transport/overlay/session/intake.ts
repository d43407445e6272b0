/**
 * INITs on their way to be worked on: past the gate, into a queue, and out of it at the pace of a budget, so that handshakes take a quarter
 * of one CPU at most, whoever asks for them.
 */
import type { Drops } from '../drops.ts';
import { parsePacket, type InitPacket } from '../wire/packets.ts';
import { Bucket } from './buckets.ts';
import type { Gate } from './gate.ts';
import type { PathId } from './source.ts';

/** INITs that are worked on. One costs about 1.2 ms. */
const BUDGET = { perSecond: 200, burst: 20 };
export const QUEUE_MAX = 128;

export interface WaitingInit {
  readonly from: PathId;
  readonly init: InitPacket;
  /** Those of `init`. */
  readonly bytes: Uint8Array;
}

export class Intake {
  private readonly gate: Gate;
  private readonly drops: Drops;
  private readonly budget = new Bucket(Number.NEGATIVE_INFINITY, BUDGET);
  private readonly queue: { readonly from: PathId; readonly bytes: Uint8Array }[] = [];

  constructor(gate: Gate, drops: Drops) {
    this.gate = gate;
    this.drops = drops;
  }

  /** Whether the gate lets this INIT in; bytes: the COOKIE by which it is answered instead. What is not let in is counted. */
  admits(now: number, from: PathId, init: InitPacket, bytes: Uint8Array): boolean | Uint8Array {
    const answer = this.gate.ask(now, from, init, bytes, this.queue.length);
    if (answer === undefined) return true;
    this.drops[answer.drop] += 1;
    return answer.drop === 'cookie_required' && answer.reply;
  }

  /** One that was let in waits for its turn. Keeps a copy. */
  put(from: PathId, bytes: Uint8Array): void {
    if (this.queue.length >= QUEUE_MAX) this.drops.queue_full += 1;
    else this.queue.push({ from, bytes: Uint8Array.from(bytes) });
  }

  /** The next that may be worked on now. */
  next(now: number): WaitingInit | undefined {
    if (this.queue.length === 0 || !this.budget.take(now)) return undefined;
    const { from, bytes } = this.queue.shift() as { from: PathId; bytes: Uint8Array };
    return { from, bytes, init: parsePacket(bytes) as InitPacket };
  }

  /** When `next` has one; Infinity: none waits. */
  nextAt(now: number): number {
    return this.queue.length === 0 ? Infinity : this.budget.nextAt(now);
  }
}
