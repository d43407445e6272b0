/**
 * The default store: one SQLite file, no server. WAL with `synchronous=FULL`; what is acknowledged survives `kill -9` and power loss,
 * as far as the disk tells the truth about flushes.
 *
 *   mesh.db          events, checkpoints, blobs, sessions and claims
 *   mesh.db-wal -shm SQLite's own, while somebody has it open
 *   mesh.db.lock     held by the process that owns the store; others may read beside it
 *   mesh.db.owner    pid and start time of the owner, for people
 */
import type { Directory } from '../core/ports/directory.ts';
import type { BlobStore, EventStore, StoreAdmin } from '../core/ports/event-store.ts';
import { lockStore } from './sqlite/lock.ts';
import { SqliteOwner } from './sqlite/owner.ts';
import { SqliteReader } from './sqlite/reader.ts';
import { createStore, inspectStore, makeFolder } from './sqlite/schema.ts';

export { storeOwner, type StoreOwner } from './sqlite/lock.ts';

export type SqliteStore = EventStore &
  BlobStore &
  StoreAdmin &
  Directory & {
    /** Every page, record and blob against its checksum: what is wrong, in words for people; nothing: all is well. */
    check(): Promise<readonly string[]>;
  };

export interface SqliteOptions {
  readonly path: string;
  /** Only read, beside the owner or without one: creates and changes no file; what writes throws FOLLOWER_READ_ONLY. @default false */
  readonly readOnly?: boolean;
  /** Size that the file may not outgrow; then writes are refused with STORE_FULL. @default no bound */
  readonly bytesMax?: number;
  /** Age of blobs, and the clock of the directory, ms since 1970. @default Date.now */
  readonly now?: () => number;
}

/**
 * Opens the store, and makes one where there is none. Nothing that is there is ever overwritten.
 * Throws STORE_LOCKED, STORE_OWNER_FROZEN, STORE_MISSING (read only), STORE_NEWER, STORE_CORRUPT, STORE_READ_ONLY, STORE_FULL.
 */
export async function sqlite(options: SqliteOptions): Promise<SqliteStore> {
  const { path } = options;
  if (options.readOnly === true) return new SqliteReader(path);
  makeFolder(path);
  const lock = await lockStore(path);
  let store: SqliteOwner | undefined;
  try {
    createStore(path);
    inspectStore(path, true);
    store = new SqliteOwner({ path, lock, now: options.now ?? Date.now, bytesMax: options.bytesMax });
    await store.sweep();
    return store;
  } catch (error) {
    if (store === undefined) lock.release();
    else await store.close();
    throw error;
  }
}
