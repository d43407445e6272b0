/**
 * How long ACKs stay away though the path is short: nodes take datagrams in turns of their event loops, and do other things between these. The
 * lowest RTT knows nothing of that, so a window that it alone makes would empty in each pause, and the slower it goes the smaller it gets.
 *
 * A queue in the network makes no pauses. But a pause longer than the buffer of the receiver's socket lasts makes losses: then less of it counts.
 */
import { Highest } from './highest.ts';

/** Rounds for which a pause counts as the longest. */
const ROUNDS = 10;
/** One at each end in a round trip, and one that came late. */
const COUNTED = 3;
const PAUSE_MS_MAX = 50;
/** Part of a round that may be lost before its pauses count for half, and by how much they count for more after one that was better. */
const LOSS = 0.01;
const REGAIN = 0.1;

export class Pauses {
  private readonly longest = new Highest(ROUNDS);
  private ackedAt = Number.NEGATIVE_INFINITY;
  private counted = COUNTED;

  /** Time of a round trip for which the window has to hold more, in ms. */
  get ms(): number {
    return this.counted * this.longest.value;
  }

  /** An ACK came. `sentAt`: of the newest packet that it acknowledges. */
  onAcked(now: number, sentAt: number, minRttMs: number): void {
    const pause = Math.min(now - Math.max(this.ackedAt, sentAt) - minRttMs, PAUSE_MS_MAX);
    this.ackedAt = now;
    this.longest.note(pause);
  }

  /** A round trip is over; `loss`: the part of it that was lost. */
  onRound(loss: number): void {
    this.longest.next();
    this.counted = loss > LOSS ? this.counted / 2 : Math.min(COUNTED, this.counted + REGAIN);
  }
}
