/** What a cell needs of its node. */
import type { Address, EffectId, Shard } from '../address.ts';
import type { EventObject } from '../effect.ts';
import type { CursorReport, Envelope } from '../envelope.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventStore } from '../ports/event-store.ts';
import type { LogRecord, MarkedSend } from '../record.ts';
import type { News } from '../node/news.ts';
import type { NodePlan } from '../node/plan.ts';
import type { Traces } from '../node/traces.ts';
import type { TrialQueue } from '../node/trial-queue.ts';
import type { RunningLeaves } from './running-leaves.ts';
import type { Cell } from '../cell.ts';

export interface CellLimits {
  /** Messages a lane of a mailbox holds. */
  readonly mailbox: number;
  /** ms that a failing child waits for orders before it acts alone. */
  readonly ordersMs: number;
}

export interface CellHost {
  readonly node: string;
  readonly store: EventStore;
  readonly clock: Clock;
  readonly limits: CellLimits;
  readonly horizonMs: number;
  readonly plan: Pick<NodePlan, 'logicOf' | 'isSupervised' | 'birth' | 'mailboxMax' | 'retriesOf' | 'atMostOnce'>;
  readonly news: News;
  readonly traces: Traces;
  readonly leaves: RunningLeaves;
  /** The ownership check at the start of each ack and effect. */
  mayAct(cell: Pick<Cell, 'stream' | 'epoch'>): boolean;
  /** Epoch at which this node holds the shard; -1: it does not. */
  epochOf(shard: Shard): number;
  shardOf(address: Address): Shard;
  /** When this node claimed the shard after an owner that had not released it, ms since 1970; undefined: it had. */
  uncleanSince(shard: Shard): number | undefined;
  readonly trials: TrialQueue;
  /** ms by which the first re-send waits longer, where a broker keeps a copy. */
  readonly custodyMs: number;
  transmit(envelope: Envelope): void;
  report(report: CursorReport): void;
  /** The cell has something to do. */
  ready(cell: Cell): void;
  replied(id: EffectId, event: EventObject): void;
  /** Something that should not throw did, and the cell will close. */
  crashed(cell: Cell, error: unknown): void;
  /** The cell has closed itself: its actor is opened again, if its shard is still here. */
  dropped(cell: Cell, reason: string): void;
  /** Puts away every actor of this node below a keyed kind, all at once; then the cell of the kind sends the answer. */
  restBelow(kind: Address, deadlineMs: number, answer: MarkedSend): void;
  /** Takes up again what that has interrupted. */
  wakeBelow(kind: Address): void;
  /** Calls back after the next renewal of the session that comes after its deadline. */
  whenRegained(fn: () => void): void;
  sleep(ms: number): Promise<void>;
  /** Moves large payloads into blobs; absent: there is no blob store. */
  readonly deflate: ((records: readonly LogRecord[]) => readonly LogRecord[] | Promise<readonly LogRecord[]>) | undefined;
}
