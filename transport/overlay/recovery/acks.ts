/**
 * When and what to acknowledge: at once for every second packet, for one that shows or fills a gap and for the first 32; else after 5 ms.
 * Packets that ask for no ACK are told of with the next one.
 */
import { ACK_RANGES_MAX, type Frame } from '../wire/frames.ts';
import { RangeSet } from './ranges.ts';
import { ACK_DELAY_MAX_MS } from './rtt.ts';

const FIRST_PACKETS = 32;
const EVERY = 2;
/** ACKs in a row that nobody acknowledged, with so many ranges, after which one asks for an ACK itself, so that old ranges can be forgotten. */
const UNCONFIRMED_ACKS = 32;
const UNCONFIRMED_RANGES = 4;

export type AckFrame = Extract<Frame, { readonly type: 'ack' }>;

export class Acks {
  /** When an ACK must be sent by itself; Infinity: never. */
  dueAt = Infinity;
  private readonly received = new RangeSet(ACK_RANGES_MAX);
  private largest = -1;
  private largestAt = 0;
  /** Packets since the last ACK that ask for one. */
  private waiting = 0;
  private eliciting = 0;
  private alone = 0;

  onReceived(now: number, pn: number, isEliciting: boolean): void {
    const isNext = pn === this.largest + 1;
    this.received.add(pn);
    if (pn > this.largest) {
      this.largest = pn;
      this.largestAt = now;
    }
    if (!isEliciting) return;
    this.waiting++;
    this.eliciting++;
    const isNow = this.eliciting <= FIRST_PACKETS || this.waiting >= EVERY || !isNext;
    this.dueAt = Math.min(this.dueAt, isNow ? now : now + ACK_DELAY_MAX_MS);
  }

  /** Undefined: nothing is to be told. */
  frame(now: number): AckFrame | undefined {
    const largest = this.received.largest;
    if (this.waiting === 0 || largest === undefined) return undefined;
    const delayUs = Math.max(0, Math.round((now - this.largestAt) * 1_000));
    return { type: 'ack', largest, delayUs, ranges: this.received.descending() };
  }

  /** An ACK went out. `isAlone`: in a packet that asks for no ACK itself. */
  onSent(isAlone: boolean): void {
    this.waiting = 0;
    this.dueAt = Infinity;
    this.alone = isAlone ? this.alone + 1 : 0;
  }

  /** The next ACK should go with a PING. */
  get wantsPing(): boolean {
    return this.alone >= UNCONFIRMED_ACKS && this.received.size > UNCONFIRMED_RANGES;
  }

  /** The peer has our ACK of all up to `largest`: they need not be told again. */
  onAcked(largest: number): void {
    this.received.dropBelow(largest + 1);
  }
}
