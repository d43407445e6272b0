/** An orderly end: CLOSE goes when all messages have been sent once, names how many there are, and is sent until it is acknowledged. */
import { frameSize, type Frame } from '../wire/frames.ts';
import type { Outgoing } from './outgoing.ts';
import type { Packing } from './packing.ts';

export class Closing {
  isBegun = false;
  isAcked = false;
  private isDue = false;
  private deadline = Infinity;
  private lingersUntil = Infinity;

  begin(deadline: number): void {
    if (this.isBegun) return;
    this.isBegun = true;
    this.isDue = true;
    this.deadline = deadline;
  }

  /** Puts CLOSE, if it is its time and there is room; with many channels it waits until fewer have messages in flight. */
  put(outgoing: Outgoing, packing: Packing): void {
    if (!this.isDue || outgoing.hasUnsent) return;
    const close: Frame = { type: 'close', code: 0, finals: outgoing.finals() };
    // Messages that open a channel may be lost or late: CLOSE names channels, so it opens them as well.
    const frames = [...outgoing.opens(), close];
    if (frames.reduce((size, frame) => size + frameSize(frame), 0) > packing.left) return;
    for (const frame of frames) packing.put(frame, frame === close ? { type: 'close' } : undefined);
    this.isDue = false;
  }

  onLost(): void {
    this.isDue = !this.isAcked;
  }

  onAcked(): void {
    this.isAcked = true;
    this.isDue = false;
  }

  /** Nothing is missing on either side. */
  linger(until: number): void {
    if (this.lingersUntil === Infinity) this.lingersUntil = until;
  }

  get isDone(): boolean {
    return this.lingersUntil < Infinity;
  }

  nextAt(): number {
    return Math.min(this.deadline, this.lingersUntil);
  }

  isOver(now: number): boolean {
    return this.nextAt() <= now;
  }
}
