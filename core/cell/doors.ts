/** Who waits at the door of an actor: clients from outside, each until its message is durable or refused. */
import type { EffectId } from '../address.ts';

interface Waiter {
  /** Where the message stands in the log; 0: nowhere yet. */
  seq: number;
  resolve(seq: number): void;
  reject(error: unknown): void;
}

export class Doors {
  private readonly waiters = new Map<EffectId, Waiter[]>();

  get size(): number {
    return this.waiters.size;
  }

  has(id: EffectId): boolean {
    return this.waiters.has(id);
  }

  /** Resolves with the seq at which the message is durable. */
  wait(id: EffectId): Promise<number> {
    return new Promise((resolve, reject) => {
      const waiter = { seq: 0, resolve, reject };
      const known = this.waiters.get(id);
      if (known === undefined) this.waiters.set(id, [waiter]);
      else known.push(waiter);
    });
  }

  /** It stands at `seq`, which may be on its way to the store. */
  taken(id: EffectId, seq: number): void {
    for (const waiter of this.waiters.get(id) ?? []) waiter.seq = seq;
  }

  /** All up to `head` is durable. */
  settle(head: number): void {
    for (const [id, waiters] of this.waiters) {
      if (!waiters.every((w) => w.seq > 0 && w.seq <= head)) continue;
      this.waiters.delete(id);
      for (const waiter of waiters) waiter.resolve(waiter.seq);
    }
  }

  refuse(id: EffectId, error: unknown): void {
    const waiters = this.waiters.get(id);
    this.waiters.delete(id);
    for (const waiter of waiters ?? []) waiter.reject(error);
  }

  /** Those whose message is in no record yet. */
  refuseWaiting(error: unknown): void {
    for (const [id, waiters] of this.waiters) if (waiters.every((w) => w.seq === 0)) this.refuse(id, error);
  }

  refuseAll(error: unknown): void {
    for (const id of this.waiters.keys()) this.refuse(id, error);
  }
}
