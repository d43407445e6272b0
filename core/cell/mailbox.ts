/**
 * The bounded inbox of a cell: orders and reports (`system`) before results of its own effects, those before `user` messages.
 * A full lane refuses: the sender keeps and sends again. Results that are a record's last word have reserved room; what a leaf says before
 * its end has as much as a lane. What has failed stands before all of them when it is tried again.
 */
import type { EffectId } from '../address.ts';
import type { EventObject } from '../effect.ts';
import type { Envelope } from '../envelope.ts';
import { isEnd } from '../fold/outcomes.ts';

/** What came back from an effect that runs in this process, or a timer that is due. */
export interface Result {
  readonly via: EffectId;
  readonly event: EventObject;
}

/** What a cell takes next. */
export type Item =
  | { readonly envelope: Envelope; readonly result?: undefined }
  | { readonly result: Result; readonly envelope?: undefined };

/** First in, first out, without moving what stays. */
class Fifo<T> {
  private items: (T | undefined)[] = [];
  private first = 0;

  get size(): number {
    return this.items.length - this.first;
  }
  push(item: T): void {
    this.items.push(item);
  }
  peek(): T | undefined {
    return this.items[this.first];
  }
  some(is: (item: T) => boolean): boolean {
    return this.items.some((item) => item !== undefined && is(item));
  }
  shift(): T | undefined {
    const item = this.items[this.first];
    if (item === undefined) return undefined;
    this.items[this.first++] = undefined;
    if (this.first > 32 && this.first * 2 > this.items.length) {
      this.items = this.items.slice(this.first);
      this.first = 0;
    }
    return item;
  }
}

export class Mailbox {
  private readonly system = new Fifo<Envelope>();
  private readonly results = new Fifo<Result>();
  private readonly user = new Fifo<Envelope>();
  private readonly max: number;
  /** Ids in both lanes: a re-send of what waits here is no second message. */
  private readonly ids = new Set<EffectId>();
  /** ms since 1970 of the oldest message that nobody has taken; undefined when empty. */
  oldestAt: number | undefined;
  /** What failed, kept for its retry. Where the actor has ended meanwhile, it is given back. */
  again: Item | undefined;

  /** `max`: messages a lane may hold. */
  constructor(max: number) {
    this.max = max;
  }

  /** Messages and results that nobody has taken. */
  get size(): number {
    return this.system.size + this.results.size + this.user.size;
  }
  /** Is there something to take? `ordersOnly` while the actor waits for orders, or for a person. */
  has(ordersOnly: boolean): boolean {
    return this.system.size > 0 || (!ordersOnly && (this.again !== undefined || this.results.size + this.user.size > 0));
  }
  /** False: full. */
  offer(envelope: Envelope, now: number): boolean {
    // A copy with another `after` or deadline is a newer word on the same message, but the order is kept either way.
    if (this.ids.has(envelope.id)) return true;
    const lane = envelope.lane === 'system' ? this.system : this.user;
    if (lane.size >= this.max) return false;
    lane.push(envelope);
    this.ids.add(envelope.id);
    this.oldestAt ??= now;
    return true;
  }
  get isFullOfResults(): boolean {
    return this.results.size >= this.max;
  }
  offerResult(result: Result, now: number): void {
    this.results.push(result);
    this.oldestAt ??= now;
  }
  /** Does the end of what this effect has started wait here? */
  hasEndOf(via: EffectId): boolean {
    return this.results.some((result) => result.via === via && isEnd(result.event));
  }
  /** What `next` would give. */
  peek(ordersOnly: boolean): Item | undefined {
    if (this.again !== undefined && !ordersOnly) return this.again;
    const order = this.system.peek();
    if (order !== undefined) return { envelope: order };
    if (ordersOnly) return undefined;
    const result = this.results.peek();
    if (result !== undefined) return { result };
    const envelope = this.user.peek();
    return envelope === undefined ? undefined : { envelope };
  }
  next(ordersOnly: boolean): Item | undefined {
    const { again } = this;
    if (again !== undefined && !ordersOnly) {
      this.again = undefined;
      return again;
    }
    const order = this.system.shift();
    if (order !== undefined) return this.took({ envelope: order });
    if (ordersOnly) return undefined;
    const result = this.results.shift();
    if (result !== undefined) return this.took({ result });
    const envelope = this.user.shift();
    return envelope === undefined ? undefined : this.took({ envelope });
  }
  private took(item: Item): Item {
    if (item.envelope !== undefined) this.ids.delete(item.envelope.id);
    if (this.size === 0) this.oldestAt = undefined;
    return item;
  }
}
