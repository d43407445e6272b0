/** Stores as the conformance kits want them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Directory } from '../../core/ports/directory.ts';
import type { BlobStore } from '../../core/ports/event-store.ts';
import { memory } from '../../persistence/memory.ts';
import { sqlite, type SqliteOptions, type SqliteStore } from '../../persistence/sqlite.ts';
import type { BlobStoreSubject } from '../conformance/blob-store.ts';
import type { Passing } from '../conformance/case.ts';
import type { DirectorySubject } from '../conformance/directory.ts';
import type { EventStoreSubject } from '../conformance/event-store.ts';
import type { AdminStore, StoreAdminSubject } from '../conformance/store-admin.ts';

/** One subject for all four kits of stores. */
export type StoreSubject = EventStoreSubject & DirectorySubject & BlobStoreSubject & StoreAdminSubject & Passing;
type Whole = AdminStore & Directory & BlobStore;

export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'reprise-store-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Claims through the store's own directory, above whatever is there. */
export async function claimAt(directory: Directory, shard: string, epoch: number): Promise<void> {
  const present = (await directory.claims()).find((c) => c.shard === shard)?.epoch ?? 0;
  const claim =
    epoch < 0
      ? { shard, epoch: present + 1, session: undefined, node: undefined }
      : { shard, epoch, session: 'n1~1', node: 'n1' };
  if ((await directory.claim(claim, present)) === 'refused') throw new RangeError(`${shard} was not claimed at ${epoch}`);
}

export async function memorySubject(): Promise<StoreSubject> {
  let time = 1_764_000_000_000;
  const store = memory({ now: () => time });
  return {
    store,
    directory: store,
    blobs: store,
    claim: (shard, epoch) => claimAt(store, shard, epoch),
    passes: async () => {
      time += 10;
      await Promise.resolve();
    },
    reopen: () => Promise.reject(new RangeError('memory does not survive')),
    backupPath: () => '',
    openBackup: () => Promise.reject(new RangeError('memory has no backup')),
    close: () => store.close(),
  };
}

export async function sqliteSubject(options: Partial<SqliteOptions> = {}): Promise<StoreSubject> {
  const folder = temporaryFolder();
  const path = join(folder.path, 'mesh.db');
  const opened: { close(): Promise<void> }[] = [];
  const open = async (at: string, more: Partial<SqliteOptions> = {}): Promise<SqliteStore> => {
    const store = await sqlite({ path: at, ...more });
    opened.push(store);
    return store;
  };
  let store: Whole = await open(path, options);
  return {
    store,
    directory: store,
    blobs: store,
    claim: (shard, epoch) => claimAt(store, shard, epoch),
    passes: () => sleep(2),
    reopen: async () => {
      await store.close();
      return (store = await open(path, options));
    },
    backupPath: () => join(folder.path, 'backup.db'),
    openBackup: (at) => open(at, { readOnly: true }),
    close: async () => {
      for (const each of opened) await each.close();
      folder.remove();
    },
  };
}
