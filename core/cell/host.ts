/** What a cell needs of its node. */
import type { Address, EffectId, Shard } from '../address.ts';
import type { EventObject } from '../effect.ts';
import type { CursorReport, Envelope } from '../envelope.ts';
import type { Logic } from '../logic.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventStore } from '../ports/event-store.ts';
import type { LogRecord, MarkedSend } from '../record.ts';
import type { Traces } from '../node/traces.ts';
import type { TrialQueue } from '../node/trial-queue.ts';
import type { RunningLeaves } from './running-leaves.ts';
import type { Cell } from '../cell.ts';
import type { Birth } from '../node.ts';

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
  readonly traces: Traces;
  readonly leaves: RunningLeaves;
  /** The ownership check at the start of each ack and effect. */
  mayAct(cell: Pick<Cell, 'stream' | 'epoch'>): boolean;
  /** Epoch at which this node holds the shard; -1: it does not. */
  epochOf(shard: Shard): number;
  shardOf(address: Address): Shard;
  /** Did the shard's last owner end without releasing it? */
  unclean(shard: Shard): boolean;
  readonly trials: TrialQueue;
  /** Messages that a lane of its mailbox holds. */
  mailboxMax(address: Address): number;
  /** ms by which the first re-send waits longer, where a broker keeps a copy. */
  readonly custodyMs: number;
  /** Throws LOGIC_NOT_FOUND. */
  logicOf(name: string, address: Address): Logic;
  /** The policy of chart-spawned children: retried, or ended at the first failure. */
  retriesOf(address: Address): boolean;
  /** Custom actions that are marked before they run. */
  atMostOnce(address: Address, action: string): boolean;
  transmit(envelope: Envelope): void;
  report(report: CursorReport): void;
  /** The cell has something to do. */
  ready(cell: Cell): void;
  /** Records of the cell are durable. */
  appended(cell: Cell, records: readonly LogRecord[]): void;
  replied(id: EffectId, event: EventObject): void;
  emitted(cell: Cell, event: EventObject): void;
  logged(cell: Cell, label: string | undefined, value: unknown): void;
  /** Somebody starts this address: what comes before that waits. */
  isSupervised(address: Address): boolean;
  /** How a message creates the actor at an address where none is. Throws EVENT_REJECTED. */
  birth(address: Address, event: EventObject): Birth | undefined;
  stalled(actor: Address, error: unknown): void;
  /** Its state cannot be saved, or what was saved is not the state that it says: its log is all there is. */
  checkpointFailed(cell: Pick<Cell, 'address' | 'durableHead'>, error: unknown): void;
  crashed(cell: Cell, error: unknown): void;
  dropped(cell: Cell, reason: string): void;
  /** An effect is in doubt and waits for a person. */
  inDoubt(cell: Cell, id: EffectId, src: string, input: unknown): void;
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
