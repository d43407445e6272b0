/** Custody of envelopes between actors. Acknowledged always means: taken by the receiver's durable append, heard as a cursor report. */
import type { Shard } from '../address.ts';
import type { CursorReport, Envelope } from '../envelope.ts';

export interface Receiver {
  deliver(envelope: Envelope): void;
  /** A cursor report for a sender of this shard. */
  report(report: CursorReport): void;
}
export interface Mailboxes {
  /** Custody: does it keep a copy after `send` resolved? Then the re-send timer is longer. */
  readonly custody: boolean;
  /** Resolves when custody has passed, or at once where none is kept. Never rejects: the sender re-sends. */
  send(envelope: Envelope): Promise<void>;
  report(report: CursorReport): void;
  /** Makes this node the receiver of the shard. */
  open(shard: Shard, epoch: number, receiver: Receiver): Promise<{ close(): Promise<void> }>;
  start(): Promise<void>;
  stop(): Promise<void>;
}
