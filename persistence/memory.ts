/**
 * A store in the memory of this process: for tests, simulations and a first look. It keeps JSON text, so what is read is never the
 * object that was appended. It survives nothing.
 */
import { createHash } from 'node:crypto';
import { type Address, isImported, type Shard } from '../core/address.ts';
import { MeshError } from '../core/errors.ts';
import type { Directory } from '../core/ports/directory.ts';
import type {
  AppendResult,
  BlobStore,
  Checkpoint,
  CheckpointMeta,
  EventStore,
  EventStoreCapabilities,
  StoreAdmin,
  StreamHead,
  StreamId,
  StreamImport,
  StreamState,
} from '../core/ports/event-store.ts';
import type { LogRecord } from '../core/record.ts';
import { checkBatch } from './batch.ts';
import { LocalDirectory } from './directory.ts';

export type MemoryStore = EventStore & BlobStore & StoreAdmin & Directory;

export interface MemoryOptions {
  /** Age of blobs, and the clock of the directory, ms since 1970. @default Date.now */
  readonly now?: () => number;
}

interface Stream {
  /** Seq of `texts[0]`: what was before it is truncated. */
  first: number;
  texts: string[];
  head: number;
  epoch: number;
  checkpoint: Checkpoint | undefined;
}
interface Follower {
  readonly shard: Shard;
  readonly found: { readonly stream: StreamId; readonly text: string }[];
  wake: () => void;
}

const CAPABILITIES: EventStoreCapabilities = { claimFence: true, atomicBatch: true, survives: 'nothing', reach: 'process' };

class Memory extends LocalDirectory implements EventStore, BlobStore, StoreAdmin {
  readonly capabilities = CAPABILITIES;
  private readonly now: () => number;
  private readonly logs = new Map<Shard, Map<Address, Stream>>();
  /** Above which new streams of a shard begin. */
  private readonly floors = new Map<Shard, number>();
  private readonly blobs = new Map<string, { readonly bytes: Uint8Array; putAt: number }>();
  private readonly followers = new Set<Follower>();
  private closed = false;

  constructor(options: MemoryOptions) {
    const now = options.now ?? Date.now;
    super(now);
    this.now = now;
  }

  // ---- EventStore --------------------------------------------------------------------------------------------------

  async append(id: StreamId, expectedSeq: number, epoch: number, records: readonly LogRecord[]): Promise<AppendResult> {
    this.open();
    checkBatch(expectedSeq, records);
    const texts = records.map((record) => JSON.stringify(record));
    const present = this.present(id);
    if (present.head !== expectedSeq || epoch < present.epoch || epoch !== this.epochOf(id.shard))
      return { outcome: 'refused', ...present };
    const stream = this.stream(id) ?? this.create(id);
    stream.texts.push(...texts);
    stream.head += texts.length;
    stream.epoch = epoch;
    for (const follower of this.followers) {
      if (follower.shard !== id.shard) continue;
      for (const text of texts) follower.found.push({ stream: { ...id }, text });
      follower.wake();
    }
    return { outcome: 'done', head: stream.head };
  }

  async *read(id: StreamId, from: number, to = Infinity): AsyncGenerator<LogRecord> {
    this.open();
    for (let seq = from; seq <= to; seq++) {
      const stream = this.stream(id);
      if (stream === undefined || seq > stream.head) return;
      seq = Math.max(seq, stream.first);
      const text = stream.texts[seq - stream.first];
      if (text !== undefined && seq <= to) yield JSON.parse(text) as LogRecord;
    }
  }

  async head(id: StreamId): Promise<StreamHead> {
    this.open();
    return this.present(id);
  }

  async *streams(shard: Shard): AsyncGenerator<StreamState> {
    this.open();
    for (const [actor, { head, epoch, checkpoint }] of [...(this.logs.get(shard) ?? [])]) {
      const checkpointSeq = checkpoint?.seq ?? 0;
      yield {
        shard,
        actor,
        head,
        epoch,
        checkpointSeq,
        wakeAt: checkpoint?.wakeAt,
        dirty: head > checkpointSeq || checkpoint?.leaf === true,
        tombstone: checkpoint?.tombstone === true,
      };
    }
  }

  async saveCheckpoint(
    id: StreamId,
    seq: number,
    epoch: number,
    meta: CheckpointMeta,
    bytes: Uint8Array,
  ): Promise<'saved' | 'refused'> {
    this.open();
    const stream = this.stream(id);
    if (
      stream === undefined ||
      seq > stream.head ||
      seq <= (stream.checkpoint?.seq ?? 0) ||
      epoch < stream.epoch ||
      epoch !== this.epochOf(id.shard)
    )
      return 'refused';
    stream.checkpoint = { ...meta, seq, epoch, bytes: Uint8Array.from(bytes) };
    stream.epoch = epoch;
    return 'saved';
  }

  async loadCheckpoint(id: StreamId): Promise<Checkpoint | undefined> {
    this.open();
    const saved = this.stream(id)?.checkpoint;
    return saved === undefined ? undefined : { ...saved, bytes: Uint8Array.from(saved.bytes) };
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const follower of this.followers) follower.wake();
  }

  // ---- BlobStore ---------------------------------------------------------------------------------------------------

  async put(bytes: Uint8Array): Promise<string> {
    this.open();
    const hash = createHash('sha256').update(bytes).digest('hex');
    const known = this.blobs.get(hash);
    if (known === undefined) this.blobs.set(hash, { bytes: Uint8Array.from(bytes), putAt: this.now() });
    else known.putAt = this.now();
    return hash;
  }

  async get(hash: string): Promise<Uint8Array | undefined> {
    this.open();
    const known = this.blobs.get(hash);
    return known === undefined ? undefined : Uint8Array.from(known.bytes);
  }

  async delete(hash: string, putBefore: number): Promise<void> {
    this.open();
    if ((this.blobs.get(hash)?.putAt ?? Infinity) < putBefore) this.blobs.delete(hash);
  }

  async *list(): AsyncGenerator<{ readonly hash: string; readonly bytes: number; readonly putAt: number }> {
    this.open();
    for (const [hash, { bytes, putAt }] of [...this.blobs]) yield { hash, bytes: bytes.length, putAt };
  }

  // ---- StoreAdmin --------------------------------------------------------------------------------------------------

  follow(shard: Shard, signal: AbortSignal): AsyncIterable<{ readonly stream: StreamId; readonly record: LogRecord }> {
    this.open();
    const follower: Follower = { shard, found: [], wake: () => undefined };
    if (!signal.aborted) this.followers.add(follower);
    signal.addEventListener(
      'abort',
      () => {
        this.followers.delete(follower);
        follower.wake();
      },
      { once: true },
    );
    return this.followed(follower);
  }

  private async *followed(follower: Follower): AsyncGenerator<{ readonly stream: StreamId; readonly record: LogRecord }> {
    try {
      while (this.followers.has(follower) && !this.closed) {
        const next = follower.found.shift();
        if (next !== undefined) yield { stream: next.stream, record: JSON.parse(next.text) as LogRecord };
        else await new Promise<void>((resolve) => (follower.wake = resolve));
      }
    } finally {
      this.followers.delete(follower);
    }
  }

  async truncateBefore(id: StreamId, seq: number): Promise<number> {
    this.open();
    const stream = this.stream(id);
    const saved = stream?.checkpoint?.seq ?? 0;
    if (seq > saved)
      throw new MeshError('STORE_CONFLICT', `${id.actor} has a checkpoint at seq ${saved}: nothing above it may be removed`);
    if (stream === undefined || seq < stream.first) return 0;
    const count = Math.min(seq - stream.first + 1, stream.texts.length);
    stream.texts.splice(0, count);
    stream.first += count;
    return count;
  }

  async deleteStream(id: StreamId): Promise<void> {
    this.open();
    const stream = this.stream(id);
    if (stream === undefined) return;
    if (!isImported(id.shard)) this.floors.set(id.shard, Math.max(this.floors.get(id.shard) ?? 0, stream.head));
    this.logs.get(id.shard)?.delete(id.actor);
  }

  async importStream(id: StreamId, log: StreamImport): Promise<number> {
    this.open();
    if (!isImported(id.shard)) throw new MeshError('INTERNAL', `${id.shard} is no shard for imported logs`);
    this.checkNew(id);
    const stream: Stream = { first: log.after + 1, texts: [], head: log.after, epoch: 1, checkpoint: log.checkpoint };
    for await (const record of log.records) {
      checkBatch(stream.head, [record]);
      stream.texts.push(JSON.stringify(record));
      stream.head = record.seq;
      stream.epoch = Math.max(stream.epoch, record.epoch);
    }
    // Another import may have been faster.
    this.checkNew(id);
    this.shard(id.shard).set(id.actor, stream);
    return stream.texts.length;
  }

  private checkNew(id: StreamId): void {
    if (this.stream(id) !== undefined) throw new MeshError('STORE_CONFLICT', `${id.actor} is in ${id.shard} already`);
  }

  async backup(_path: string): Promise<void> {
    throw new MeshError('USAGE', 'a memory store has no backup: it survives nothing. Use a `sqlite:` store');
  }

  async shards(): Promise<readonly Shard[]> {
    this.open();
    return [...this.logs].filter(([, streams]) => streams.size > 0).map(([shard]) => shard);
  }

  // ---- streams -----------------------------------------------------------------------------------------------------

  private open(): void {
    if (this.closed) throw new MeshError('STORE_UNAVAILABLE', 'the memory store is closed');
  }
  private shard(shard: Shard): Map<Address, Stream> {
    let streams = this.logs.get(shard);
    if (streams === undefined) this.logs.set(shard, (streams = new Map()));
    return streams;
  }
  private stream(id: StreamId): Stream | undefined {
    return this.logs.get(id.shard)?.get(id.actor);
  }
  private present(id: StreamId): StreamHead {
    const stream = this.stream(id);
    return { head: stream?.head ?? this.floors.get(id.shard) ?? 0, epoch: stream?.epoch ?? 0 };
  }
  private create(id: StreamId): Stream {
    const { head } = this.present(id);
    const stream: Stream = { first: head + 1, texts: [], head, epoch: 0, checkpoint: undefined };
    this.shard(id.shard).set(id.actor, stream);
    return stream;
  }
}

export function memory(options: MemoryOptions = {}): MemoryStore {
  return new Memory(options);
}
