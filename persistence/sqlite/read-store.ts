/** The ports' reading half, and what both the owner and a reader beside it can do: follow, list, back up, check. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { Shard } from '../../core/address.ts';
import { MeshError } from '../../core/errors.ts';
import type { Checkpoint, EventStoreCapabilities, StreamHead, StreamId, StreamState } from '../../core/ports/event-store.ts';
import type { LogRecord } from '../../core/record.ts';
import { problemsOf } from './check.ts';
import { copyPages, isThere } from './driver.ts';
import { storeError } from './failure.ts';
import type { Reading } from './reading.ts';

export abstract class ReadStore {
  readonly capabilities: EventStoreCapabilities = { claimFence: true, atomicBatch: true, survives: 'power', reach: 'process' };
  protected readonly path: string;
  protected closed = false;

  constructor(path: string) {
    this.path = path;
  }

  protected abstract reading(): Reading;
  /** A connection of its own that reads. */
  protected abstract another(): DatabaseSync;
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

  // ---- EventStore --------------------------------------------------------------------------------------------------

  async *read(id: StreamId, from: number, to = Number.MAX_SAFE_INTEGER): AsyncGenerator<LogRecord> {
    for (let next = from; next <= to;) {
      const page = this.look((reading) => reading.records(id, next, to));
      yield* page;
      const last = page.at(-1);
      if (last === undefined) return;
      next = last.seq + 1;
    }
  }

  async head(id: StreamId): Promise<StreamHead> {
    return this.look((reading) => reading.head(id));
  }

  async *streams(shard: Shard): AsyncGenerator<StreamState> {
    for (let after = ''; ;) {
      const page = this.look((reading) => reading.states(shard, after));
      yield* page;
      const last = page.at(-1);
      if (last === undefined) return;
      after = last.actor;
    }
  }

  async loadCheckpoint(id: StreamId): Promise<Checkpoint | undefined> {
    return this.look((reading) => reading.checkpoint(id));
  }

  // ---- BlobStore ---------------------------------------------------------------------------------------------------

  async get(hash: string): Promise<Uint8Array | undefined> {
    return this.look((reading) => reading.blob(hash));
  }

  async *list(): AsyncGenerator<{ readonly hash: string; readonly bytes: number; readonly putAt: number }> {
    for (let after = ''; ;) {
      const page = this.look((reading) => reading.blobs(after));
      yield* page;
      const last = page.at(-1);
      if (last === undefined) return;
      after = last.hash;
    }
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
      if (page.length === 0) after = last;
    }
  }

  async backup(path: string): Promise<void> {
    if (isThere(path)) throw new MeshError('USAGE', `${path} is there already: a backup overwrites nothing`, { data: { path } });
    const draft = `${path}.partial`;
    let source: DatabaseSync | undefined;
    try {
      rmSync(draft, { force: true });
      source = this.another();
      await copyPages(source, draft);
      flush(draft);
      renameSync(draft, path);
      flush(dirname(path));
    } catch (error) {
      rmSync(draft, { force: true });
      throw storeError(error, path, 'writing the backup');
    } finally {
      source?.close();
    }
  }

  /** Looks at every page, record and blob: what is wrong, in words for people; nothing: all is well. Takes as long as reading the file. */
  async check(): Promise<readonly string[]> {
    const db = this.look(() => this.another());
    try {
      return await problemsOf(db, this);
    } finally {
      db.close();
    }
  }
}

function flush(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
