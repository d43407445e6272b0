/** Time. Core never reads the wall clock in any other way. */
export interface Clock {
  /** Wall clock, ms since 1970. */
  now(): number;
  /** Monotonic, ms; only differences mean something. */
  monotonic(): number;
  /** Calls `fn` once after at least `ms`. Returns what cancels it. Must not throw; `ms` may be 0, any size (longer than 2^31 too). */
  after(ms: number, fn: () => void): () => void;
  /** Calls `fn` when this turn of the event loop is over. */
  soon(fn: () => void): void;
}
