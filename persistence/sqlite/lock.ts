/**
 * Who owns a store: one process of the host. Node has no flock, but `BEGIN EXCLUSIVE` held open on a small SQLite file beside the
 * store is one: refused while its holder lives, frozen or not, and free the moment it is gone, `kill -9` included.
 *
 *   mesh.db.lock    the lock; stays there, empty
 *   mesh.db.owner   who holds it, for people: { pid, startedAt }
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DatabaseSync } from 'node:sqlite';
import { MeshError } from '../../core/errors.ts';
import { connect, connectProbe, isThere } from './driver.ts';
import { isBusy, storeError } from './failure.ts';

export interface StoreOwner {
  readonly pid: number;
  /** ms since 1970, when the process began. */
  readonly startedAt: number;
}
export interface StoreLock {
  release(): void;
}

/** A holder that has no name yet, or has just died, is given this long. */
const TRIES = 20;
const TRY_MS = 50;

/** Throws STORE_LOCKED with the holder, STORE_OWNER_FROZEN when that one is stopped, STORE_READ_ONLY. */
export async function lockStore(path: string): Promise<StoreLock> {
  for (let tries = 1; ; tries++) {
    const db = locked(path);
    if (db !== undefined) return held(path, db);
    const owner = named(path);
    if ((owner !== undefined && isAlive(owner.pid)) || tries === TRIES) throw refusal(path, owner);
    await sleep(TRY_MS);
  }
}

/** Who owns the store at this moment; undefined: nobody. Reads only. */
export function storeOwner(path: string): StoreOwner | undefined {
  const lock = `${path}.lock`;
  if (!isThere(lock)) return undefined;
  const db = connectProbe(lock);
  try {
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    return undefined;
  } catch (error) {
    if (!isBusy(error)) throw storeError(error, lock, 'looking at');
    return named(path) ?? { pid: 0, startedAt: 0 };
  } finally {
    db.close();
  }
}

/** Undefined: another process holds it. */
function locked(path: string): DatabaseSync | undefined {
  const lock = `${path}.lock`;
  let db: DatabaseSync | undefined;
  try {
    db = connect(lock);
    db.exec('PRAGMA busy_timeout=0; PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db?.close();
    if (isBusy(error)) return undefined;
    throw storeError(error, lock, 'locking');
  }
}

function held(path: string, db: DatabaseSync): StoreLock {
  const owner: StoreOwner = { pid: process.pid, startedAt: Math.round(performance.timeOrigin) };
  try {
    writeFileSync(`${path}.owner`, `${JSON.stringify(owner)}\n`);
  } catch {
    // Only a name for people: a full disk must not keep anybody from opening the store to make room.
  }
  return {
    release: () => {
      // Of another process, when somebody has removed the lock under this one.
      if (named(path)?.pid === process.pid) rmSync(`${path}.owner`, { force: true });
      db.close();
    },
  };
}

function named(path: string): StoreOwner | undefined {
  try {
    const owner = JSON.parse(readFileSync(`${path}.owner`, 'utf8')) as StoreOwner;
    return Number.isSafeInteger(owner.pid) && Number.isFinite(owner.startedAt) ? owner : undefined;
  } catch {
    return undefined;
  }
}

function refusal(path: string, owner: StoreOwner | undefined): MeshError {
  if (owner === undefined) return new MeshError('STORE_LOCKED', `${path} is owned by another process`, { data: { path } });
  const who = `process ${owner.pid}, started ${new Date(owner.startedAt).toISOString()}`;
  return isStopped(owner.pid)
    ? new MeshError('STORE_OWNER_FROZEN', `${path} is owned by ${who}, which is stopped: end it with \`kill -9 ${owner.pid}\``, {
        data: { path, ...owner },
      })
    : new MeshError('STORE_LOCKED', `${path} is owned by ${who}`, { data: { path, ...owner } });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM';
  }
}

/** By SIGSTOP or a debugger. Only Linux says so. */
function isStopped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return 'Tt'.includes(stat.charAt(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}
