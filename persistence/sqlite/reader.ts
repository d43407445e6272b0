/** A store that this process only reads: beside its owner, or when nobody has it open. Creates no file and changes none. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DatabaseSync } from 'node:sqlite';
import { MeshError } from '../../core/errors.ts';
import type { Claim, Directory, SessionState } from '../../core/ports/directory.ts';
import type { AppendResult, BlobStore, EventStore, StoreAdmin } from '../../core/ports/event-store.ts';
import { connectReader, isThere, stampOf } from './driver.ts';
import { storeError } from './failure.ts';
import { ReadStore } from './read-store.ts';
import { Reading } from './reading.ts';
import { inspectStore } from './schema.ts';

/** How often a reader looks for news. */
const POLL_MS = 100;

interface Open {
  readonly db: DatabaseSync;
  readonly reading: Reading;
  /** The file as it was when it was opened as one that does not change; undefined: it is read beside its owner. */
  readonly stamp: string | undefined;
}

export class SqliteReader extends ReadStore implements EventStore, BlobStore, StoreAdmin, Directory {
  private open: Open;

  constructor(path: string) {
    super(path);
    inspectStore(path);
    this.open = this.opened();
  }

  private opened(): Open {
    const stamp = stampOf(this.path);
    let db: DatabaseSync | undefined;
    try {
      const connection = connectReader(this.path);
      ({ db } = connection);
      return { db, reading: new Reading(db), stamp: connection.still ? stamp : undefined };
    } catch (error) {
      db?.close();
      throw storeError(error, this.path, 'opening');
    }
  }

  protected reading(): Reading {
    const { stamp, db } = this.open;
    // An owner has come: from now on the file changes, and has to be read as SQLite does.
    if (stamp !== undefined && (isThere(`${this.path}-wal`) || stampOf(this.path) !== stamp)) {
      db.close();
      this.open = this.opened();
    }
    return this.open.reading;
  }

  protected another(): DatabaseSync {
    return connectReader(this.path).db;
  }

  protected async moved(signal: AbortSignal): Promise<void> {
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.open.db.close();
  }

  // ---- what the file says of nodes: sessions as they were when they last changed -----------------------------------

  async sessions(): Promise<readonly SessionState[]> {
    return this.look((reading) => reading.sessions());
  }
  async claims(): Promise<readonly Claim[]> {
    return this.look((reading) => reading.claims());
  }
  async constant(name: string, _value: string): Promise<string> {
    return this.look((reading) => reading.constants().get(name)) ?? this.refuse();
  }
  watch(_changed: () => void): () => void {
    return this.refuse();
  }

  // ---- what only the owner may do ----------------------------------------------------------------------------------

  async append(): Promise<AppendResult> {
    return this.refuse();
  }
  async saveCheckpoint(): Promise<'refused'> {
    return this.refuse();
  }
  async put(): Promise<string> {
    return this.refuse();
  }
  async delete(): Promise<void> {
    this.refuse();
  }
  async truncateBefore(): Promise<number> {
    return this.refuse();
  }
  async deleteStream(): Promise<void> {
    this.refuse();
  }
  async importStream(): Promise<number> {
    return this.refuse();
  }
  async renew(): Promise<never> {
    return this.refuse();
  }
  async end(): Promise<'ended'> {
    return this.refuse();
  }
  async claim(): Promise<'refused'> {
    return this.refuse();
  }

  private refuse(): never {
    throw new MeshError('FOLLOWER_READ_ONLY', `${this.path} was opened to be read`, { data: { path: this.path } });
  }
}
