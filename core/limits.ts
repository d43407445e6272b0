/** Bounds of a node, each with a default. docs/limits.md says what lies beyond them. */
import type { CellLimits } from './cell/host.ts';

export interface NodeLimits extends CellLimits {
  /** Recoveries at once. */
  readonly recoveries: number;
  /** Envelopes that wait while an actor is opened. */
  readonly opening: number;
  /** JSON bytes of one event from outside. */
  readonly payloadBytes: number;
}

export const DEFAULT_LIMITS: NodeLimits = {
  mailbox: 10_000,
  ordersMs: 30_000,
  recoveries: 16,
  opening: 1_000,
  payloadBytes: 16 * 1024 * 1024,
};
