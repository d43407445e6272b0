/** A store that this process only reads: beside its owner, or when nobody has it open. Creates no file and changes none. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DatabaseSync } from 'node:sqlite';
import { MeshError } from '../../core/errors.ts';
import type { Claim, Directory, SessionState } from '../../core/ports/directory.ts';
import type { AppendResult, BlobStore, EventStore, StoreAdmin } from '../../core/ports/event-store.ts';
import { connectReader, isStill, stampOf } from './driver.ts';
import { storeError } from './failure.ts';
import { ReadStore } from './read-store.ts';
import { Reading } from './reading.ts';
import { inspectStore } from './schema.ts';

/** How often a reader looks for news. */
const POLL_MS = 100;
/** Owners that may come and go while the file is copied or checked. */
const TRIES = 10;

interface Open {
  readonly db: DatabaseSync;
  readonly reading: Reading;
  /** The file as it was when it was opened as one that does not change; undefined: it is read beside its owner. */
  readonly stamp: string | undefined;
}

export class SqliteReader extends ReadStore implements EventStore, BlobStore, StoreAdmin, Directory {
  private open: Open;
  /** The last of those that have a connection of their own: one at a time. */
  private others: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    super(path);
    inspectStore(path, false);
    this.open = this.opened();
  }

  private opened(): Open {
    const stamp = isStill(this.path) ? stampOf(this.path) : undefined;
    let db: DatabaseSync | undefined;
    try {
      db = connectReader(this.path, stamp !== undefined);
      return { db, reading: new Reading(db), stamp };
    } catch (error) {
      db?.close();
      throw storeError(error, this.path, 'opening');
    }
  }
  private reopen(): void {
    this.open.db.close();
    this.open = this.opened();
  }

  /** An owner has come: from now on the file changes, and has to be read as SQLite does. */
  private hasMoved({ stamp } = this.open): boolean {
    return !this.closed && stamp !== undefined && !(isStill(this.path) && stampOf(this.path) === stamp);
  }

  protected reading(): Reading {
    if (this.hasMoved()) this.reopen();
    return this.open.reading;
  }

  /** Read without locks, half of it may be old and half new. */
  protected override look<T>(what: (reading: Reading) => T): T {
    for (;;) {
      try {
        const result = super.look(what);
        if (!this.hasMoved()) return result;
      } catch (error) {
        if (!this.hasMoved()) throw error;
      }
    }
  }

  protected apart<T>(what: (db: DatabaseSync) => Promise<T>): Promise<T> {
    const result = this.others.then(() => this.tried(what));
    this.others = result.catch(() => undefined);
    return result;
  }
  private async tried<T>(what: (db: DatabaseSync) => Promise<T>): Promise<T> {
    for (let tries = 1; tries <= TRIES; tries++) {
      this.look(() => undefined);
      const then = this.open;
      const db = connectReader(this.path, then.stamp !== undefined);
      try {
        const result = await what(db);
        if (!this.hasMoved(then)) return result;
      } catch (error) {
        if (!this.hasMoved(then)) throw error;
      } finally {
        db.close();
        // With a connection that takes no locks go the locks of one that does.
        if (then !== this.open) this.reopen();
      }
    }
    throw new MeshError('STORE_UNAVAILABLE', `${this.path} changed all the time; try again`, { data: { path: this.path } });
  }

  protected async moved(signal: AbortSignal): Promise<void> {
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    await this.others;
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
