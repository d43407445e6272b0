/**
 * Virtual `Date`, `Math.random` and `crypto.randomUUID` while a step runs. A step is synchronous, so swapping the globals around it is
 * safe on one thread, and unmodified machines become replayable. It does not reach `node:crypto` imports, `getRandomValues`,
 * `performance.now`, `process.hrtime` or the time zone: what needs those belongs into an invoked actor.
 */
import { hashText } from './digest.ts';

type Uuid = ReturnType<typeof globalThis.crypto.randomUUID>;

const RealDate = Date;

let depth = 0;
let now = 0;
let state = 0;
let savedDate = RealDate;
let savedRandom = Math.random;
let savedUuid = globalThis.crypto.randomUUID;

/** Mulberry32. */
function random32(): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return (t ^ (t >>> 14)) >>> 0;
}
const virtualNow = (): number => now;
const virtualRandom = (): number => random32() / 4_294_967_296;
const hex8 = (): string => random32().toString(16).padStart(8, '0');
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
  readonly state: number;
}

/**
 * Begins virtual time. `ts` in ms. Give what it returns to `leaveVirtual`, in a `finally`.
 * The globals in force at this moment come back, also when a test runner has replaced them.
 */
export function enterVirtual(ts: number, seed: number): Outer | undefined {
  const outer = depth === 0 ? undefined : { now, state };
  now = ts;
  state = seed | 0;
  if (depth++ === 0) {
    savedDate = globalThis.Date;
    savedRandom = Math.random;
    savedUuid = globalThis.crypto.randomUUID;
    globalThis.Date = VirtualDate;
    Math.random = virtualRandom;
    globalThis.crypto.randomUUID = virtualUuid;
  }
  return outer;
}

export function leaveVirtual(outer: Outer | undefined): void {
  depth--;
  if (outer !== undefined) {
    now = outer.now;
    state = outer.state;
    return;
  }
  globalThis.Date = savedDate;
  Math.random = savedRandom;
  globalThis.crypto.randomUUID = savedUuid;
}

/** Seed of the step that makes record `seq` of `actor`: part of the format. A signed 32-bit number. */
export const seedOf = (actor: string, seq: number): number => hashText(`${actor}!${seq}`) | 0;
