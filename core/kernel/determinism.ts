/**
 * Virtual `Date`, `Math.random` and `crypto.randomUUID` while a step runs. A step is synchronous, so swapping the globals around it is
 * safe on one thread, and unmodified machines become replayable. It does not reach `node:crypto` imports, `getRandomValues`,
 * `performance.now`, `process.hrtime` or the time zone: what needs those belongs into an invoked actor.
 */
import { hashText } from '../digest.ts';

type Uuid = ReturnType<typeof globalThis.crypto.randomUUID>;

const RealDate = Date;
const crypto = globalThis.crypto as { randomUUID: () => Uuid };

let depth = 0;
let now = 0;
let seed = 0;
/** Of the step in hand, once it has asked for a number. */
let random: (() => number) | undefined;
let savedDate = RealDate;
let savedRandom = Math.random;
let savedUuid = crypto.randomUUID;

/**
 * The numbers of one step, part of the format: sfc32 over seed and time. Whole numbers below 2^32. Two steps that share a seed, which
 * is one of 2^53, still differ in their time, so ids made of these numbers are as good as unique.
 */
export function numbersOf(ts: number, seed: number): () => number {
  let a = seed | 0;
  let b = (seed / TWO32) | 0;
  let c = ts | 0;
  let d = ((ts / TWO32) | 0) + 1;
  const next = (): number => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return t >>> 0;
  };
  for (let i = 0; i < 15; i++) next();
  return next;
}
const TWO32 = 4_294_967_296;

/** 0 <= x < 1, with the 53 bits that a number holds. */
export const fraction = (next: () => number): number => ((next() >>> 5) * 67_108_864 + (next() >>> 6)) / 9_007_199_254_740_992;

const next32 = (): number => (random ??= numbersOf(now, seed))();
const virtualNow = (): number => now;
const virtualRandom = (): number => fraction(next32);
const hex8 = (): string => next32().toString(16).padStart(8, '0');
function virtualUuid(): Uuid {
  const h = hex8() + hex8() + hex8() + hex8();
  const variant = ((Number.parseInt(h[16] as string, 16) & 3) | 8).toString(16);
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-4${h.slice(13, 16)}-${variant}${h.slice(17, 20)}-${h.slice(20)}`;
}
const VirtualDate: DateConstructor = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length > 0 ? args : [now], newTarget === VirtualDate ? target : newTarget) as object,
  apply: () => new RealDate(now).toString(),
  get: (target, key, receiver) => (key === 'now' ? virtualNow : (Reflect.get(target, key, receiver) as unknown)),
});

/** What an outer step had: steps may nest. */
export interface Outer {
  readonly now: number;
  readonly seed: number;
  readonly random: (() => number) | undefined;
}

/**
 * Begins virtual time. `ts` in ms. Give what it returns to `leaveVirtual`, in a `finally`.
 * The globals in force at this moment come back, also when a test runner has replaced them.
 */
export function enterVirtual(ts: number, stepSeed: number): Outer | undefined {
  const outer = depth === 0 ? undefined : { now, seed, random };
  now = ts;
  seed = stepSeed;
  random = undefined;
  if (depth++ === 0) {
    savedDate = globalThis.Date;
    savedRandom = Math.random;
    savedUuid = crypto.randomUUID;
    globalThis.Date = VirtualDate;
    Math.random = virtualRandom;
    crypto.randomUUID = virtualUuid;
  }
  return outer;
}

export function leaveVirtual(outer: Outer | undefined): void {
  depth--;
  if (outer !== undefined) {
    ({ now, seed, random } = outer);
    return;
  }
  globalThis.Date = savedDate;
  Math.random = savedRandom;
  crypto.randomUUID = savedUuid;
}

/** Seed of the step that makes record `seq` of `actor`: part of the format. A whole number below 2^53. */
export const seedOf = (actor: string, seq: number): number => hashText(`${actor}!${seq}`);
