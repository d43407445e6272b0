/**
 * Leaves that run in this process, by effect id: never twice at once. When a cell is dropped its leaves go on without it for a while;
 * the cell that is opened next adopts them, so a reopened actor does not call a tool again.
 */
import type { EffectId } from '../address.ts';
import type { EventObject } from '../effect.ts';
import { errorData } from '../errors.ts';
import { isEnd } from '../fold/outcomes.ts';
import type { Leaf, LeafHandle } from '../logic.ts';
import type { Clock } from '../ports/clock.ts';
import type { Span } from '../ports/tracer.ts';
import { endLeaf } from '../spans.ts';

const ORPHAN_MS = 60_000;

interface Running {
  handle: LeafHandle | undefined;
  sink: ((event: EventObject) => void) | undefined;
  readonly waiting: EventObject[];
  ended: boolean;
  readonly endless: boolean;
  expire: (() => void) | undefined;
}

export class RunningLeaves {
  private readonly running = new Map<EffectId, Running>();
  private readonly clock: Clock;
  private stopped = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  start(leaf: Leaf, job: Parameters<Leaf['start']>[0], span: Span | undefined, sink: (event: EventObject) => void): void {
    const entry: Running = {
      handle: undefined,
      sink,
      waiting: [],
      ended: false,
      endless: leaf.endless === true,
      expire: undefined,
    };
    this.running.set(job.id, entry);
    const deliver = (event: EventObject): void => {
      if (entry.ended) return;
      if (isEnd(event)) {
        entry.ended = true;
        if (span !== undefined) endLeaf(span, event);
      }
      if (entry.sink === undefined) entry.waiting.push(event);
      else entry.sink(event);
      if (entry.sink !== undefined) this.settle(job.id, entry);
    };
    try {
      entry.handle = leaf.start(job, deliver);
    } catch (error) {
      deliver({ type: `xstate.error.actor.${job.child}`, error: errorData(error), actorId: job.child });
    }
  }

  send(id: EffectId, event: EventObject): void {
    this.running.get(id)?.handle?.send(event);
  }

  stop(id: EffectId): void {
    const entry = this.running.get(id);
    if (entry === undefined) return;
    this.running.delete(id);
    entry.ended = true;
    entry.expire?.();
    const gone = entry.handle?.stop();
    if (gone === undefined) return;
    this.stopped++;
    void gone
      .catch(() => undefined)
      .then(() => {
        this.stopped--;
      });
  }

  /** Its cell is gone: results wait for the next one. */
  orphan(id: EffectId): void {
    const entry = this.running.get(id);
    if (entry === undefined) return;
    entry.sink = undefined;
    entry.expire = this.clock.after(ORPHAN_MS, () => this.stop(id));
  }

  /** True: it runs here, and its results now go to `sink`. */
  adopt(id: EffectId, sink: (event: EventObject) => void): boolean {
    const entry = this.running.get(id);
    if (entry === undefined) return false;
    entry.expire?.();
    entry.sink = sink;
    for (const event of entry.waiting.splice(0)) if (this.running.get(id) === entry) sink(event);
    this.settle(id, entry);
    return true;
  }

  /** What has ended is kept no longer. Its sink may have begun the same leaf anew (one that lost sight of its call): that stays. */
  private settle(id: EffectId, entry: Running): void {
    if (entry.ended && this.running.get(id) === entry) this.running.delete(id);
  }

  /** How many will end by themselves. */
  get finite(): number {
    let n = 0;
    for (const entry of this.running.values()) if (!entry.endless && !entry.ended) n++;
    return n;
  }

  /** How many were stopped and are not gone yet: a process takes a while to end. */
  get leaving(): number {
    return this.stopped;
  }

  has(id: EffectId): boolean {
    return this.running.has(id);
  }

  stopAll(): void {
    for (const id of [...this.running.keys()]) this.stop(id);
  }
}
