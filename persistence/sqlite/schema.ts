/**
 * The file: its tables, its version, and how it is made. docs/store.md describes it for other programs.
 *
 * A new file is built under another name and renamed when it is whole, so a file that is there was a store once: an empty or torn
 * one is refused, never begun anew.
 */
import { mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { MeshError } from '../../core/errors.ts';
import { connect, connectReader, createPrivate, isStill, isThere, stampOf } from './driver.ts';
import { storeError } from './failure.ts';
import { storeOwner } from './lock.ts';
import { type WalDamage, walDamage } from './wal.ts';

/** 'RPRS': what `file` and we ourselves know a store by. */
const APPLICATION_ID = 0x52505253;
export const STORE_VERSION = 1;

/**
 * A shard below 0 marks a stream that is on its way in or out: nobody sees it, and the next owner sweeps it away.
 * `base`: seq before the first record that is kept. `row` grows for ever, over deletions too (`marks.rows`): followers go by it.
 */
const SCHEMA = `
CREATE TABLE shards(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, floor INTEGER NOT NULL) STRICT;
CREATE TABLE streams(id INTEGER PRIMARY KEY, shard INTEGER NOT NULL, actor TEXT NOT NULL, base INTEGER NOT NULL, UNIQUE(shard, actor)) STRICT;
CREATE TABLE events(row INTEGER PRIMARY KEY, stream INTEGER NOT NULL, seq INTEGER NOT NULL, epoch INTEGER NOT NULL, crc INTEGER NOT NULL, record TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX events_by_seq ON events(stream, seq);
CREATE TABLE checkpoints(stream INTEGER PRIMARY KEY, seq INTEGER NOT NULL, epoch INTEGER NOT NULL, wake_at REAL, leaf INTEGER NOT NULL, tombstone INTEGER NOT NULL, crc INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;
CREATE TABLE blobs(hash TEXT NOT NULL UNIQUE, put_at REAL NOT NULL, bytes BLOB NOT NULL) STRICT;
CREATE TABLE sessions(session TEXT NOT NULL UNIQUE, ended INTEGER NOT NULL, state TEXT NOT NULL) STRICT;
CREATE TABLE claims(shard TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL, session TEXT, node TEXT) STRICT;
CREATE TABLE constants(name TEXT NOT NULL UNIQUE, value TEXT NOT NULL) STRICT;
CREATE TABLE marks(name TEXT NOT NULL UNIQUE, value INTEGER NOT NULL) STRICT;
PRAGMA application_id=${APPLICATION_ID};
PRAGMA user_version=${STORE_VERSION};
`;

/** Makes an empty store where there is none. The caller holds the lock. Throws STORE_CORRUPT, STORE_FULL, STORE_READ_ONLY. */
export function createStore(path: string): void {
  if (isThere(path)) return;
  if (isThere(`${path}-wal`))
    throw new MeshError(
      'STORE_CORRUPT',
      `${path} is gone, but its ${path}-wal is there: put the file back or restore a backup; remove the -wal file only to begin anew`,
      { data: { path } },
    );
  const draft = `${path}.new`;
  try {
    for (const file of [`${draft}-wal`, `${draft}-shm`]) rmSync(file, { force: true });
    createPrivate(draft);
    const db = connect(draft);
    try {
      db.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; BEGIN; ${SCHEMA} COMMIT`);
    } finally {
      db.close();
    }
    renameSync(draft, path);
  } catch (error) {
    throw storeError(error, path, 'making');
  }
}

export function makeFolder(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (error) {
    throw storeError(error, path, 'making the folder of');
  }
}

/**
 * Is the file there a store that this version may open, with all that was committed to it? Reads only. `isOwned`: the caller holds the lock.
 * Throws STORE_MISSING, STORE_NEWER, STORE_CORRUPT.
 */
export function inspectStore(path: string, isOwned: boolean): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new MeshError('STORE_MISSING', `there is no store at ${path}`, { data: { path } });
  if (!stat.isFile()) throw new MeshError('STORE_CORRUPT', `${path} is no file`, { data: { path } });
  if (stat.size === 0)
    throw new MeshError(
      'STORE_CORRUPT',
      `${path} is empty, and a store never is: restore a backup, or remove it to begin a new store`,
      { data: { path } },
    );
  let db: DatabaseSync | undefined;
  try {
    // Before SQLite looks: it makes its counts anew from what it finds.
    checkWal(path, isOwned);
    db = connectReader(path, isStill(path));
    checkVersion(db, path);
  } catch (error) {
    throw storeError(error, path, 'opening');
  } finally {
    db?.close();
  }
}

/** Only while nobody writes: an owner that lives has its log in hand. */
function checkWal(path: string, isOwned: boolean): void {
  const wal = `${path}-wal`;
  let [before, after] = ['', stampOf(wal)];
  for (let damage: WalDamage | undefined; ;) {
    if (!isOwned && storeOwner(path) !== undefined) return;
    before = after;
    damage = walDamage(path);
    after = stampOf(wal);
    if (damage === undefined) return;
    if (after === before) throw walError(path, damage);
  }
}

function walError(path: string, { at, commits, whole }: WalDamage): MeshError {
  const wal = `${path}-wal`;
  const data = { path, at, commits };
  const count = `at least ${commits} commit${commits === 1 ? '' : 's'}`;
  if (!isThere(wal))
    return new MeshError(
      'STORE_CORRUPT',
      `${wal} is gone, and ${count} in it had not reached ${path}: put it back, or restore a backup. Only if ${path} is a restored backup: remove ${path}-shm`,
      { data },
    );
  return new MeshError(
    'STORE_CORRUPT',
    `${wal} is damaged at byte ${at}: ${count} from there on cannot be read; nothing was changed. Restore a backup; or give them up, on a copy first: \`truncate -s ${whole} ${wal}; rm -f ${path}-shm\`, and \`reprise doctor\` has to find nothing`,
    { data },
  );
}

function checkVersion(db: DatabaseSync, path: string): void {
  const { application_id: application } = db.prepare('PRAGMA application_id').get() as { application_id: number };
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
  if (application !== APPLICATION_ID)
    throw new MeshError('STORE_CORRUPT', `${path} is a SQLite file, but no store of Reprise; nothing was changed`, {
      data: { path },
    });
  if (version > STORE_VERSION)
    throw new MeshError(
      'STORE_NEWER',
      `${path} has format ${version}, this version of Reprise reads up to ${STORE_VERSION}; nothing was changed`,
      { data: { path, version } },
    );
}
