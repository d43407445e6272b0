/**
 * The durable log of every actor. A stream is addressed by (shard, actor); its seq is dense, 1-based and never starts again.
 *
 * Fence: `append` and `saveCheckpoint` are refused below the stream's last epoch; with `claimFence` also when the epoch is not
 * the one at which the shard is claimed (checked in the same transaction).
 */
import type { Address, Shard } from '../address.ts';
import type { LogRecord } from '../record.ts';

/** Records that one append may hold. */
export const APPEND_MAX = 4_096;

export interface StreamId {
  readonly shard: Shard;
  readonly actor: Address;
}
export interface StreamHead {
  /** Of a stream without a record: the shard's floor, above which it will begin; 0 where there is none. */
  readonly head: number;
  /** 0: no record yet. */
  readonly epoch: number;
}
export interface StreamState extends StreamId, StreamHead {
  readonly checkpointSeq: number;
  /** ms since 1970: the earliest re-send, timer or deadline, from the checkpoint. */
  readonly wakeAt: number | undefined;
  /** Head above checkpoint, or the checkpoint holds a pending leaf. */
  readonly dirty: boolean;
  readonly tombstone: boolean;
}
export type AppendResult =
  | { readonly outcome: 'done'; readonly head: number }
  | { readonly outcome: 'refused'; readonly head: number; readonly epoch: number }
  /** The answer was lost: it may or may not be durable, whole or as a prefix. */
  | { readonly outcome: 'unknown'; readonly cause: unknown };

export interface CheckpointMeta {
  readonly wakeAt: number | undefined;
  /** A leaf is pending that runs in a process, or its result is to be tried again: the stream is dirty. */
  readonly leaf: boolean;
  /** It is the checkpoint of a stream whose actor is gone. */
  readonly tombstone?: boolean;
}
export interface Checkpoint extends CheckpointMeta {
  readonly seq: number;
  readonly epoch: number;
  readonly bytes: Uint8Array;
}

/** A log from elsewhere, whole. */
export interface StreamImport {
  /** Seq before its first record. */
  readonly after: number;
  /** What the log goes on from, when its beginning was truncated. */
  readonly checkpoint: Checkpoint | undefined;
  readonly records: AsyncIterable<LogRecord>;
}

export interface EventStoreCapabilities {
  /** Claims lie beside the events: a claim fences all streams of the shard at once. */
  readonly claimFence: boolean;
  /** A batch is durable whole or not at all. */
  readonly atomicBatch: boolean;
  readonly survives: 'nothing' | 'process' | 'power';
  /** Who may open it: one process, several on a host, several hosts. */
  readonly reach: 'process' | 'host' | 'hosts';
}

export interface EventStore {
  readonly capabilities: EventStoreCapabilities;
  /**
   * Append `records` (1 to APPEND_MAX; dense, the first at expectedSeq + 1) if the head is `expectedSeq` and the fence lets `epoch` pass.
   * Resolves when durable. Never rejects for a conflict. Rejects with STORE_FULL, STORE_READ_ONLY, STORE_CORRUPT when nothing was written for sure.
   */
  append(stream: StreamId, expectedSeq: number, epoch: number, records: readonly LogRecord[]): Promise<AppendResult>;
  /** Records with seq >= from (and <= to), in order. Throws STORE_CORRUPT, naming the seq, at a record that cannot be read. */
  read(stream: StreamId, from: number, to?: number): AsyncIterable<LogRecord>;
  head(stream: StreamId): Promise<StreamHead>;
  /** Every stream of a shard. */
  streams(shard: Shard): AsyncIterable<StreamState>;
  /** 'refused' with a stale epoch or a seq not above the saved one. Covers durable records only. */
  saveCheckpoint(
    stream: StreamId,
    seq: number,
    epoch: number,
    meta: CheckpointMeta,
    bytes: Uint8Array,
  ): Promise<'saved' | 'refused'>;
  loadCheckpoint(stream: StreamId): Promise<Checkpoint | undefined>;
  close(): Promise<void>;
}

/** Content-addressed payloads above 64 KiB. */
export interface BlobStore {
  /** SHA-256 of `bytes`, hex. Putting the same again renews its age. */
  put(bytes: Uint8Array): Promise<string>;
  /** Undefined: not there. */
  get(hash: string): Promise<Uint8Array | undefined>;
  /** Removes it if it was last put before that, ms since 1970 (Infinity: at any age). */
  delete(hash: string, putBefore: number): Promise<void>;
  list(): AsyncIterable<{ readonly hash: string; readonly bytes: number; readonly putAt: number }>;
}

/** What people do to a store. */
export interface StoreAdmin {
  /** New records of any stream of the shard as they become durable (from now on), until the signal. */
  follow(shard: Shard, signal: AbortSignal): AsyncIterable<{ readonly stream: StreamId; readonly record: LogRecord }>;
  /** Removes records with seq <= `seq`; refused (throws STORE_CONFLICT) above the saved checkpoint. Returns how many went. */
  truncateBefore(stream: StreamId, seq: number): Promise<number>;
  /** Removes the stream, after raising the shard's floor to its head. */
  deleteStream(stream: StreamId): Promise<void>;
  /**
   * Puts a log from elsewhere beside the living ones, all of it or nothing. The shard is an imported one: no claim on it is ever let
   * pass, so nothing runs it. Throws STORE_CONFLICT when the stream is there already. Returns how many records came.
   */
  importStream(stream: StreamId, log: StreamImport): Promise<number>;
  /** A consistent copy while running. Throws USAGE where something is at `path`, or the store survives nothing anyway; BACKUP_FAILED. */
  backup(path: string): Promise<void>;
  shards(): Promise<readonly Shard[]>;
}
