/** The ports' reading half, and what both the owner and a reader beside it can do: follow, list, back up, check. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { DatabaseSync } from 'node:sqlite';
import type { Shard } from '../../core/address.ts';
import { MeshError } from '../../core/errors.ts';
import type { Checkpoint, EventStoreCapabilities, StreamHead, StreamId, StreamState } from '../../core/ports/event-store.ts';
import type { LogRecord } from '../../core/record.ts';
import { problemsOf } from './check.ts';
import { copyPages, createPrivate, isThere } from './driver.ts';
import { storeError } from './failure.ts';
import { type BlobState, PAGE, type Reading } from './reading.ts';

export abstract class ReadStore {
  readonly capabilities: EventStoreCapabilities = { claimFence: true, atomicBatch: true, survives: 'power', reach: 'process' };
  protected readonly path: string;
  protected closed = false;

  constructor(path: string) {
    this.path = path;
  }

  protected abstract reading(): Reading;
  /** Does this with a connection of its own that reads the file as of one instant: once more where another process came in between. */
  protected abstract apart<T>(what: (db: DatabaseSync) => Promise<T>): Promise<T>;
  /** Resolves when there may be rows above those that are there now, or the signal comes. */
  protected abstract moved(signal: AbortSignal): Promise<void>;

  /** Reads at once, without a turn in between. Throws STORE_*. */
  protected look<T>(what: (reading: Reading) => T): T {
    if (this.closed) throw new MeshError('STORE_UNAVAILABLE', `${this.path} is closed`);
    try {
      return what(this.reading());
    } catch (error) {
      throw storeError(error, this.path, 'reading');
    }
  }

  /** Page after page, until one is not full. In between others have their turn: a log may have a million records. */
  private async *paged<Item, Cursor>(
    first: Cursor,
    pageAt: (reading: Reading, cursor: Cursor) => Item[],
    after: (last: Item) => Cursor,
  ): AsyncGenerator<Item> {
    for (let cursor = first; ; await turn()) {
      const page = this.look((reading) => pageAt(reading, cursor));
      for (const item of page) yield item;
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return;
      cursor = after(last);
    }
  }

  // ---- EventStore --------------------------------------------------------------------------------------------------

  read(id: StreamId, from: number, to = Number.MAX_SAFE_INTEGER): AsyncGenerator<LogRecord> {
    return this.paged(
      from,
      (reading, next) => reading.records(id, next, to),
      (record) => record.seq + 1,
    );
  }

  async head(id: StreamId): Promise<StreamHead> {
    return this.look((reading) => reading.head(id));
  }

  streams(shard: Shard): AsyncGenerator<StreamState> {
    return this.paged(
      '',
      (reading, after) => reading.states(shard, after),
      (state) => state.actor,
    );
  }

  async loadCheckpoint(id: StreamId): Promise<Checkpoint | undefined> {
    return this.look((reading) => reading.checkpoint(id));
  }

  // ---- BlobStore ---------------------------------------------------------------------------------------------------

  async get(hash: string): Promise<Uint8Array | undefined> {
    return this.look((reading) => reading.blob(hash));
  }

  list(): AsyncGenerator<BlobState> {
    return this.paged(
      '',
      (reading, after) => reading.blobs(after),
      (blob) => blob.hash,
    );
  }

  // ---- StoreAdmin --------------------------------------------------------------------------------------------------

  async shards(): Promise<readonly Shard[]> {
    return this.look((reading) => reading.shards());
  }

  follow(shard: Shard, signal: AbortSignal): AsyncIterable<{ readonly stream: StreamId; readonly record: LogRecord }> {
    return this.followed(
      shard,
      this.look((reading) => reading.lastRow()),
      signal,
    );
  }

  private async *followed(
    shard: Shard,
    from: number,
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly stream: StreamId; readonly record: LogRecord }> {
    let after = from;
    while (!signal.aborted && !this.closed) {
      const last = this.look((reading) => reading.lastRow());
      if (last === after) {
        await this.moved(signal);
        continue;
      }
      const page = this.look((reading) => reading.followed(shard, after, last));
      for (const { row, stream, record } of page) {
        if (signal.aborted || this.closed) return;
        after = row;
        yield { stream, record };
      }
      if (page.length < PAGE) after = last;
    }
  }

  async backup(path: string): Promise<void> {
    if (isThere(path)) throw new MeshError('USAGE', `${path} is there already: a backup overwrites nothing`, { data: { path } });
    const draft = `${path}.partial`;
    const clear = (): void => {
      for (const file of [draft, `${draft}-journal`]) rmSync(file, { force: true });
    };
    try {
      await this.apart(async (source) => {
        clear();
        createPrivate(draft);
        await copyPages(source, draft);
      });
      flush(draft);
      renameSync(draft, path);
      flush(dirname(path));
    } catch (error) {
      clear();
      throw backupError(error, path);
    }
  }

  /** Looks at every page, record and blob: what is wrong, in words for people; nothing: all is well. Takes as long as reading the file. */
  async check(): Promise<readonly string[]> {
    try {
      return await this.apart((db) => problemsOf(db, this));
    } catch (error) {
      throw storeError(error, this.path, 'checking');
    }
  }
}

/** What keeps the copy from being written is no fault of the store, and nobody tries it again. */
function backupError(error: unknown, path: string): MeshError {
  const failure = storeError(error, path, 'writing the backup');
  if (failure === error || failure.code === 'STORE_CORRUPT') return failure;
  return new MeshError('BACKUP_FAILED', failure.message, { cause: failure, data: { path } });
}

function flush(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
