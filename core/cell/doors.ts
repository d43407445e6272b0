/** Who waits at the door of an actor: clients from outside, each until its message is durable or refused. */
import type { EffectId } from '../address.ts';
import { MeshError } from '../errors.ts';
import type { Refusal } from '../protocol/outside.ts';

interface Waiter {
  /** Where the message stands in the log; 0: nowhere yet. */
  seq: number;
  /** It stands there as what was not taken. */
  refusal: Refusal | undefined;
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

  /** Resolves with the seq at which the message is durable. Rejects when it is durable as one that was not taken. */
  wait(id: EffectId): Promise<number> {
    return new Promise((resolve, reject) => {
      const waiter = { seq: 0, refusal: undefined, resolve, reject };
      const known = this.waiters.get(id);
      if (known === undefined) this.waiters.set(id, [waiter]);
      else known.push(waiter);
    });
  }

  /** It stands at `seq`, which may be on its way to the store. */
  recorded(id: EffectId, seq: number, refusal: Refusal | undefined): void {
    for (const waiter of this.waiters.get(id) ?? []) {
      waiter.seq = seq;
      waiter.refusal = refusal;
    }
  }

  /** All up to `head` is durable. */
  settle(head: number): void {
    for (const [id, waiters] of this.waiters) {
      if (!waiters.every((w) => w.seq > 0 && w.seq <= head)) continue;
      this.waiters.delete(id);
      for (const waiter of waiters) {
        const { seq, refusal } = waiter;
        if (refusal === undefined) waiter.resolve(seq);
        else waiter.reject(new MeshError(refusal.code, refusal.message, { data: { id, seq } }));
      }
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
