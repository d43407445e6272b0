/** The store as its owner has it: the one process that writes. */
import { EventEmitter, once } from 'node:events';
import type { DatabaseSync } from 'node:sqlite';
import { type Address, isImported, type Shard } from '../../core/address.ts';
import { assert, MeshError } from '../../core/errors.ts';
import type { Claim, Directory, SessionState, Renewal } from '../../core/ports/directory.ts';
import type {
  AppendResult,
  BlobStore,
  CheckpointMeta,
  EventStore,
  StoreAdmin,
  StreamHead,
  StreamId,
  StreamImport,
} from '../../core/ports/event-store.ts';
import type { LogRecord } from '../../core/record.ts';
import { checkBatch } from '../batch.ts';
import { LocalDirectory } from '../directory.ts';
import { Commits } from './commits.ts';
import { connect, connectBeside, isThere } from './driver.ts';
import { storeError } from './failure.ts';
import type { StoreLock } from './lock.ts';
import { Names } from './names.ts';
import { ReadStore } from './read-store.ts';
import { hashOf, Reading } from './reading.ts';
import { Writing } from './writing.ts';

export interface OwnerOptions {
  readonly path: string;
  readonly lock: StoreLock;
  readonly now: () => number;
  readonly bytesMax: number | undefined;
}

/** What is known of a stream without asking the file: only this process changes it. */
interface Known {
  readonly id: number;
  head: number;
  epoch: number;
  savedSeq: number;
}

const PAGE_BYTES = 4_096;
/** The log file is cut back to this after it had to grow. */
const WAL_BYTES_MAX = 64 * 1024 * 1024;
/** Streams whose heads are kept in memory. */
const KNOWN_MAX = 100_000;
/** Something was committed, or the store was closed. */
const NEWS = 'news';
/** Records that one commit removes or imports, so that none of them takes long. */
const CHUNK = 5_000;

export class SqliteOwner extends ReadStore implements EventStore, BlobStore, StoreAdmin, Directory {
  private readonly db: DatabaseSync;
  private readonly lock: StoreLock;
  private readonly now: () => number;
  private readonly rows: Reading;
  private readonly writing: Writing;
  private readonly commits: Commits;
  private readonly names: Names;
  private readonly directory: LocalDirectory;
  private readonly known = new Map<Shard, Map<Address, Known>>();
  private knownCount = 0;
  /** As many readers as like to. */
  private readonly news = new EventEmitter().setMaxListeners(0);

  constructor({ path, lock, now, bytesMax }: OwnerOptions) {
    super(path);
    this.lock = lock;
    this.now = now;
    this.db = connect(path);
    try {
      this.db.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=${WAL_BYTES_MAX}`);
      if (bytesMax !== undefined) this.db.exec(`PRAGMA max_page_count=${Math.floor(bytesMax / PAGE_BYTES)}`);
      this.rows = new Reading(this.db);
      this.writing = new Writing(this.db, this.rows.lastRow());
      this.names = new Names(this.db, path);
      this.commits = new Commits(this.db, path, {
        begins: () => this.names.check(),
        committed: () => this.wake(),
        undone: () => this.forget(),
      });
      // Every session was held through the process that owned the file, and that one is gone. The write shows that there can be one.
      this.commits.now(() => this.writing.endSessions());
      this.directory = this.openDirectory();
    } catch (error) {
      this.db.close();
      throw storeError(error, path, 'opening');
    }
  }

  private openDirectory(): LocalDirectory {
    const { rows, writing, commits } = this;
    return new LocalDirectory(
      this.now,
      {
        sessions: new Map(),
        ended: new Set(rows.endedSessions()),
        claims: new Map(rows.claims().map((claim) => [claim.shard, claim])),
        constants: rows.constants(),
      },
      {
        session: (session) => commits.now(() => writing.session(session)),
        ended: (session) => commits.now(() => writing.endSession(session)),
        claim: (claim) => commits.now(() => writing.claim(claim)),
        constant: (name, value) => commits.now(() => writing.constant(name, value)),
      },
    );
  }

  /** Removes what a process that died had left on its way in or out. */
  async sweep(): Promise<void> {
    for (const stream of this.writing.hidden()) await this.removeHidden(stream);
  }

  protected reading(): Reading {
    return this.rows;
  }
  protected async apart<T>(what: (db: DatabaseSync) => Promise<T>): Promise<T> {
    // Only this connection has what lost its name; whoever waits for it meanwhile does so for nothing.
    if (this.names.lost !== undefined) return what(this.db);
    const db = connectBeside(this.path);
    try {
      return await what(db);
    } finally {
      db.close();
    }
  }

  protected async moved(signal: AbortSignal): Promise<void> {
    await once(this.news, NEWS, { signal }).catch(() => undefined);
  }
  private wake(): void {
    this.news.emit(NEWS);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.commits.close();
    this.closed = true;
    this.wake();
    try {
      // With the last that has it open the file is gone: what was stored is left beside its path.
      const { lost, rescue } = this.names;
      if (lost === this.path && !isThere(rescue)) await this.backup(rescue);
    } finally {
      this.db.close();
      this.lock.release();
    }
  }

  // ---- EventStore --------------------------------------------------------------------------------------------------

  async append(id: StreamId, expectedSeq: number, epoch: number, records: readonly LogRecord[]): Promise<AppendResult> {
    checkBatch(expectedSeq, records);
    const texts = records.map((record) => JSON.stringify(record));
    return this.commits.write<AppendResult>(
      () => {
        const present = this.present(id);
        if (present.head !== expectedSeq || !this.passes(id, epoch, present)) return { outcome: 'refused', ...present };
        const stream = this.stream(id) ?? this.create(id, expectedSeq);
        for (const text of texts) this.writing.event(stream.id, ++stream.head, epoch, text);
        stream.epoch = epoch;
        return { outcome: 'done', head: stream.head };
      },
      (cause) => ({ outcome: 'unknown', cause }),
    );
  }

  async saveCheckpoint(
    id: StreamId,
    seq: number,
    epoch: number,
    meta: CheckpointMeta,
    bytes: Uint8Array,
  ): Promise<'saved' | 'refused'> {
    const checkpoint = { ...meta, seq, epoch, bytes: Uint8Array.from(bytes) };
    return this.commits.write(() => {
      const stream = this.stream(id);
      if (stream === undefined || seq > stream.head || seq <= stream.savedSeq || !this.passes(id, epoch, stream))
        return 'refused';
      this.writing.checkpoint(stream.id, checkpoint);
      stream.savedSeq = seq;
      stream.epoch = epoch;
      return 'saved';
    });
  }

  /** The fence: not below the stream's epoch, and the one at which the shard is claimed. */
  private passes(id: StreamId, epoch: number, present: StreamHead): boolean {
    return epoch >= present.epoch && epoch === this.directory.epochOf(id.shard);
  }

  // ---- BlobStore ---------------------------------------------------------------------------------------------------

  async put(bytes: Uint8Array): Promise<string> {
    const kept = Uint8Array.from(bytes);
    const hash = hashOf(kept);
    await this.commits.write(() => this.writing.blob(hash, this.now(), kept));
    return hash;
  }

  delete(hash: string, putBefore: number): Promise<void> {
    return this.commits.write(() => this.writing.deleteBlob(hash, putBefore));
  }

  // ---- StoreAdmin --------------------------------------------------------------------------------------------------

  async truncateBefore(id: StreamId, seq: number): Promise<number> {
    let removed = 0;
    for (;;) {
      const saved = await this.commits.write(() => {
        const stream = this.rows.stream(id);
        const savedSeq = stream === undefined ? 0 : this.rows.savedSeq(stream);
        if (seq > savedSeq) return { savedSeq, base: 0 };
        const base = Math.min(seq, (stream?.base ?? seq) + CHUNK);
        if (stream !== undefined && base > stream.base) removed += this.writing.truncate(stream.id, base);
        return { savedSeq, base };
      });
      if (seq > saved.savedSeq)
        throw new MeshError(
          'STORE_CONFLICT',
          `${id.actor} has a checkpoint at seq ${saved.savedSeq}: nothing above it may be removed`,
        );
      if (saved.base === seq) return removed;
    }
  }

  async deleteStream(id: StreamId): Promise<void> {
    const hidden = await this.commits.write(() => {
      const stream = this.stream(id);
      if (stream === undefined) return undefined;
      if (!isImported(id.shard)) this.writing.raiseFloor(id.shard, stream.head);
      this.writing.hide(stream.id);
      this.forget();
      return stream.id;
    });
    if (hidden !== undefined) await this.removeHidden(hidden);
  }

  async importStream(id: StreamId, log: StreamImport): Promise<number> {
    assert(isImported(id.shard), `${id.shard} is no shard for imported logs`);
    const conflict = new MeshError('STORE_CONFLICT', `${id.actor} is in ${id.shard} already`);
    const stream = await this.commits.write(() =>
      this.rows.stream(id) === undefined ? this.writing.createHidden(id.actor, log.after) : undefined,
    );
    if (stream === undefined) throw conflict;
    try {
      const count = await this.importRecords(stream, log);
      const { checkpoint } = log;
      const isNew = await this.commits.write(() => {
        if (this.rows.stream(id) !== undefined) return false;
        if (checkpoint !== undefined) this.writing.checkpoint(stream, checkpoint);
        this.writing.show(stream, id.shard);
        return true;
      });
      if (!isNew) throw conflict;
      return count;
    } catch (error) {
      await this.removeHidden(stream);
      throw error;
    }
  }

  private async importRecords(stream: number, log: StreamImport): Promise<number> {
    let head = log.after;
    let chunk: LogRecord[] = [];
    const write = async (): Promise<void> => {
      const texts = chunk.map((record) => ({ seq: record.seq, epoch: record.epoch, text: JSON.stringify(record) }));
      chunk = [];
      await this.commits.write(() => {
        for (const { seq, epoch, text } of texts) this.writing.event(stream, seq, epoch, text);
      });
    };
    for await (const record of log.records) {
      checkBatch(head, [record]);
      head = record.seq;
      if (chunk.push(record) === CHUNK) await write();
    }
    await write();
    return head - log.after;
  }

  private async removeHidden(stream: number): Promise<void> {
    while (await this.commits.write(() => this.writing.removeSome(stream, CHUNK)));
  }

  // ---- Directory ---------------------------------------------------------------------------------------------------

  async renew(session: SessionState): Promise<Renewal> {
    // Most renewals write nothing, and a node that is idle does nothing else.
    this.names.look();
    return this.directory.renew(session);
  }
  end(session: string, counter: number): Promise<'ended' | 'moved'> {
    return this.directory.end(session, counter);
  }
  sessions(): Promise<readonly SessionState[]> {
    return this.directory.sessions();
  }
  claims(): Promise<readonly Claim[]> {
    return this.directory.claims();
  }
  claim(claim: Claim, expectedEpoch: number): Promise<'claimed' | 'refused'> {
    return this.directory.claim(claim, expectedEpoch);
  }
  watch(changed: () => void): () => void {
    return this.directory.watch(changed);
  }
  constant(name: string, value: string): Promise<string> {
    return this.directory.constant(name, value);
  }

  // ---- what is known of streams ------------------------------------------------------------------------------------

  private present(id: StreamId): StreamHead {
    const stream = this.stream(id);
    return stream === undefined ? { head: this.rows.floor(id.shard), epoch: 0 } : { head: stream.head, epoch: stream.epoch };
  }

  private stream(id: StreamId): Known | undefined {
    const known = this.known.get(id.shard)?.get(id.actor);
    if (known !== undefined) return known;
    const row = this.rows.stream(id);
    return row === undefined
      ? undefined
      : this.keep(id, { id: row.id, savedSeq: this.rows.savedSeq(row), ...this.rows.headOf(row) });
  }

  private create(id: StreamId, floor: number): Known {
    return this.keep(id, { id: this.writing.stream(id, floor), head: floor, epoch: 0, savedSeq: 0 });
  }

  private keep(id: StreamId, stream: Known): Known {
    if (this.knownCount === KNOWN_MAX) this.forget();
    let shard = this.known.get(id.shard);
    if (shard === undefined) this.known.set(id.shard, (shard = new Map()));
    shard.set(id.actor, stream);
    this.knownCount++;
    return stream;
  }

  private forget(): void {
    this.known.clear();
    this.knownCount = 0;
  }
}
