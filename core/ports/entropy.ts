/** Randomness and ids. */
export interface Entropy {
  /** 0 <= x < 1. */
  random(): number;
  /** Unique text that sorts by time (UUIDv7). */
  id(): string;
}
