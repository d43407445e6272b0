/**
 * Credit, of bytes for the connection and of messages for each channel: a total since the start that the receiver only ever raises.
 *
 * A message is charged whole, with `MESSAGE_COST` for what it costs to keep, when its first byte is sent (there) or seen (here). So whatever
 * began can be finished without more credit, and no set of half messages can block each other. Unreliable messages are not charged.
 */

/** Bytes that a message is charged beyond its own: bounds what empty messages cost. */
export const MESSAGE_COST = 64;
/** Above this nothing counts any more. */
const LIMIT_MAX = Number.MAX_SAFE_INTEGER;

/** What the peer lets us send. */
export class SendCredit {
  private used = 0;
  private limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  allows(amount: number): boolean {
    return this.used + amount <= this.limit;
  }

  take(amount: number): void {
    this.used += amount;
  }

  /** Credit is never taken back: a lower limit is an old one. True: it rose. */
  raise(limit: number): boolean {
    if (limit <= this.limit) return false;
    this.limit = Math.min(limit, LIMIT_MAX);
    return true;
  }
}

/** What we let the peer send. */
export class ReceiveCredit {
  /** As the peer has been told, or will be. */
  limit: number;
  private window: number;
  private readonly windowMax: number;
  private charged = 0;
  private released = 0;
  private raisedAt = -Infinity;

  /** `window`: how much may be under way or kept here. It grows to `windowMax` for a peer that uses it up within two round trips. */
  constructor(window: number, windowMax = window) {
    this.window = window;
    this.windowMax = windowMax;
    this.limit = window;
  }

  /** False: the peer sends more than it may. */
  charge(amount: number): boolean {
    this.charged += amount;
    return this.charged <= this.limit;
  }

  /** So much has been handed over. True: the limit rose, and the peer is to be told. */
  release(now: number, amount: number, rttMs: number): boolean {
    this.released += amount;
    if (this.limit - this.released > this.window / 2) return false;
    if (now - this.raisedAt < 2 * rttMs) this.window = Math.min(2 * this.window, this.windowMax);
    this.raisedAt = now;
    this.limit = Math.max(this.limit, this.released + this.window);
    return true;
  }
}
