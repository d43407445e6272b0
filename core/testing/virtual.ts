/**
 * Virtual time and seeded randomness: the ports `Clock` and `Entropy` without a machine behind them.
 *
 * One `Timeline` drives the clocks of all simulated nodes. Nothing happens by itself: `advance` fires what is due in order of
 * deadline, and before each instant is left, runs `soon` callbacks and waits for promises until nothing moves any more.
 */
import { assert } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Entropy } from '../ports/entropy.ts';
import { type HeapTimer, TimerHeap } from './timer-heap.ts';
import { uuidMaker } from '../uuid.ts';

/** How promises are given time. The default yields often enough for usual chains; tests with real I/O pass a turn of the event loop. */
export type Turn = () => Promise<void>;

/** Rounds at one instant after which something evidently spins. */
const ROUNDS_MAX = 100_000;
const MICROTASKS = 128;
const START = Date.UTC(2026, 0, 1);

const microtasks: Turn = async () => {
  for (let i = 0; i < MICROTASKS; i++) await Promise.resolve();
};

/** The clock of one simulated node. */
export interface NodeClock extends Clock {
  /** As SIGSTOP does: timers and `soon` callbacks are held. Time goes on. */
  freeze(): void;
  /** What was held runs at the next drive: first what was `soon`, then timers by deadline. */
  thaw(): void;
  readonly frozen: boolean;
  /** The wall clock alone moves; timers and the monotonic clock do not. */
  jump(ms: number): void;
  /** What a frozen process sees of an answer: nothing until it thaws. Wrap the promises of its ports. */
  held<T>(promise: Promise<T>): Promise<T>;
  /** Forgets its timers and callbacks: the process died. */
  die(): void;
}

export interface Timeline {
  /** ms since the timeline began. */
  elapsed(): number;
  /** `offsetMs`: how far the wall clock of this node is off. */
  clock(options?: { readonly offsetMs?: number }): NodeClock;
  /** Fires everything that is due within `ms`, and leaves the time there. */
  advance(ms: number): Promise<void>;
  /** Drives until the promise settles, at most `limitMs` of virtual time. */
  run<T>(promise: Promise<T>, limitMs?: number): Promise<T>;
  /** Timers that are set, and callbacks that wait. */
  pending(): number;
}

/** A timeline with one clock. */
export interface VirtualClock extends NodeClock {
  advance(ms: number): Promise<void>;
  /** Until the wall clock shows `at`, ms since 1970. */
  advanceTo(at: number): Promise<void>;
  run<T>(promise: Promise<T>, limitMs?: number): Promise<T>;
  pending(): number;
}

interface Timer extends HeapTimer {
  readonly owner: SimulatedClock;
}

class SimulatedTimeline implements Timeline {
  private now = 0;
  private order = 0;
  private readonly timers = new TimerHeap<Timer>();
  private callbacks: { readonly owner: SimulatedClock; readonly fn: () => void }[] = [];
  private readonly start: number;
  private readonly turn: Turn;
  /** Drives follow each other. */
  private last: Promise<void> = Promise.resolve();

  constructor(start: number, turn: Turn) {
    this.start = start;
    this.turn = turn;
  }

  elapsed(): number {
    return this.now;
  }

  clock(options: { readonly offsetMs?: number } = {}): SimulatedClock {
    return new SimulatedClock(this, this.start + (options.offsetMs ?? 0));
  }

  pending(): number {
    return this.timers.count() + this.callbacks.length;
  }

  setTimer(owner: SimulatedClock, ms: number, fn: () => void): () => void {
    const timer: Timer = { at: this.now + Math.max(0, ms), order: this.order++, owner, fn };
    this.timers.push(timer);
    return () => {
      timer.fn = undefined;
    };
  }

  restore(timer: Timer): void {
    this.timers.push(timer);
  }

  setSoon(owner: SimulatedClock, fn: () => void): void {
    this.callbacks.push({ owner, fn });
  }

  advance(ms: number): Promise<void> {
    return this.queued(async () => {
      const end = this.now + ms;
      await this.settle();
      for (let timer = this.timers.peek(); timer !== undefined && timer.at <= end; timer = this.timers.peek()) {
        this.now = Math.max(this.now, timer.at);
        this.fire();
        await this.settle();
      }
      this.now = end;
    });
  }

  async run<T>(promise: Promise<T>, limitMs = 3_600_000): Promise<T> {
    const waited = { settled: false };
    void Promise.allSettled([promise]).then(() => (waited.settled = true));
    await this.queued(async () => {
      const end = this.now + limitMs;
      await this.settle();
      while (!waited.settled) {
        const timer = this.timers.peek();
        assert(timer !== undefined, `what is waited for cannot happen any more: no timer is set at ${this.now} ms`);
        assert(timer.at <= end, `what is waited for did not happen within ${limitMs} ms of virtual time`);
        this.now = Math.max(this.now, timer.at);
        this.fire();
        await this.settle();
      }
    });
    return promise;
  }

  private async queued(drive: () => Promise<void>): Promise<void> {
    const before = this.last;
    const mine = Promise.withResolvers<void>();
    this.last = mine.promise;
    await before;
    try {
      await drive();
    } finally {
      mine.resolve();
    }
  }

  /** The first timer that is due; one at a time, because each may cancel the next. */
  private fire(): void {
    const timer = this.timers.peek();
    if (timer === undefined) return;
    this.timers.pop();
    if (timer.owner.frozen) return timer.owner.keepTimer(timer);
    const fn = timer.fn as () => void;
    timer.fn = undefined;
    fn();
  }

  private async settle(): Promise<void> {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      await this.turn();
      if (this.callbacks.length === 0) return;
      const { callbacks } = this;
      this.callbacks = [];
      for (const { owner, fn } of callbacks) {
        if (owner.frozen) owner.keepSoon(fn);
        else fn();
      }
    }
    assert(false, `something spins: still not quiet after ${ROUNDS_MAX} rounds at ${this.now} ms`);
  }
}

class SimulatedClock implements NodeClock {
  frozen = false;
  private readonly timeline: SimulatedTimeline;
  private wallStart: number;
  private dead = false;
  private heldSoon: (() => void)[] = [];
  private heldTimers: Timer[] = [];

  constructor(timeline: SimulatedTimeline, wallStart: number) {
    this.timeline = timeline;
    this.wallStart = wallStart;
  }

  now(): number {
    return this.wallStart + this.timeline.elapsed();
  }

  monotonic(): number {
    return this.timeline.elapsed();
  }

  after(ms: number, fn: () => void): () => void {
    return this.timeline.setTimer(this, ms, () => {
      if (!this.dead) fn();
    });
  }

  soon(fn: () => void): void {
    this.timeline.setSoon(this, () => {
      if (!this.dead) fn();
    });
  }

  freeze(): void {
    this.frozen = true;
  }

  thaw(): void {
    if (!this.frozen) return;
    this.frozen = false;
    for (const fn of this.heldSoon.splice(0)) this.timeline.setSoon(this, fn);
    for (const timer of this.heldTimers.splice(0)) this.timeline.restore(timer);
  }

  jump(ms: number): void {
    this.wallStart += ms;
  }

  async held<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise;
    } finally {
      if (this.frozen || this.dead) await new Promise<void>((resolve) => this.soon(resolve));
    }
  }

  die(): void {
    this.dead = true;
    this.heldSoon = [];
    this.heldTimers = [];
  }

  keepSoon(fn: () => void): void {
    this.heldSoon.push(fn);
  }

  keepTimer(timer: Timer): void {
    this.heldTimers.push(timer);
  }
}

/** Time for several nodes; it begins at `start`, ms since 1970. */
export function timeline(options: { readonly start?: number; readonly turn?: Turn } = {}): Timeline {
  return new SimulatedTimeline(options.start ?? START, options.turn ?? microtasks);
}

export function virtualClock(start: number = START, turn: Turn = microtasks): VirtualClock {
  const line = new SimulatedTimeline(start, turn);
  return Object.assign(line.clock(), {
    advance: (ms: number) => line.advance(ms),
    advanceTo(this: Clock, at: number) {
      return line.advance(Math.max(0, at - this.now()));
    },
    run: <T>(promise: Promise<T>, limitMs?: number) => line.run(promise, limitMs),
    pending: () => line.pending(),
  });
}

/** sfc32, seeded by splitmix32: fast, and passes the usual batteries. Gives whole numbers below 2^32. */
export function seededRandom(seed: number): () => number {
  let s = seed | 0;
  const seedWord = (): number => {
    s = (s + 0x9e3779b9) | 0;
    let z = s ^ (s >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
  };
  let a = seedWord();
  let b = seedWord();
  let c = seedWord();
  let d = 1;
  return () => {
    const t = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    return t >>> 0;
  };
}

/** The same seed gives the same numbers and ids. With `now`, ids of several nodes sort by its time. */
export function seededEntropy(seed: number, now: () => number = () => START): Entropy {
  const random32 = seededRandom(seed);
  for (let i = 0; i < 12; i++) random32();
  return { random: () => random32() / 4_294_967_296, id: uuidMaker(now, random32) };
}
