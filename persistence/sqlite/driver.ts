/** The one place where `node:sqlite` is loaded and connections are opened. */
import { closeSync, openSync, rmSync, statSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { DatabaseSync } from 'node:sqlite';

const SQLITE = load();

/** Node 22 says that SQLite is experimental, on every start; that one warning is kept from people, no other. */
function load() {
  const emitWarning = Reflect.get(process, 'emitWarning') as (...args: unknown[]) => void;
  process.emitWarning = (...args: unknown[]): void => {
    if (!String(args[0]).startsWith('SQLite is an experimental feature')) Reflect.apply(emitWarning, process, args);
  };
  try {
    return process.getBuiltinModule('node:sqlite');
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** ms that a commit waits for another program which holds the file: a person with a SQLite shell. It blocks the process. */
const BUSY_MS = 1_000;

/** An empty file that only this user may open, in the place of what is there. SQLite gives its `-wal` and `-shm` the same mode. */
export function createPrivate(path: string): void {
  rmSync(path, { force: true });
  closeSync(openSync(path, 'wx', 0o600));
}

/** A connection that may write. SQLite creates the file where there is none. */
export function connect(path: string): DatabaseSync {
  const db = new SQLITE.DatabaseSync(path, { timeout: BUSY_MS });
  db.exec('PRAGMA cell_size_check=ON');
  return db;
}

/** A connection that only reads, beside one of this process that writes. */
export function connectBeside(path: string): DatabaseSync {
  return new SQLITE.DatabaseSync(path, { readOnly: true, timeout: BUSY_MS });
}

/**
 * A store that nobody has open has no `-wal` beside it. Such a file is read as one that does not change, because SQLite would otherwise
 * leave a `-wal` and a `-shm` behind.
 */
export const isStill = (path: string): boolean => !isThere(`${path}-wal`);

/**
 * A connection that only reads, and creates nothing. A `still` one takes no locks: what it reads is right only if the file is afterwards
 * what it was (`stampOf`). When it closes, POSIX drops the locks that this process has on the file: never open one beside a connection of
 * another kind.
 */
export function connectReader(path: string, still: boolean): DatabaseSync {
  const url = pathToFileURL(path);
  url.searchParams.set('mode', 'ro');
  if (still) url.searchParams.set('immutable', '1');
  const db = new SQLITE.DatabaseSync(url, { readOnly: true, timeout: BUSY_MS });
  db.exec('PRAGMA cell_size_check=ON');
  return db;
}

/** A connection that takes locks as usual, but neither writes nor waits: to see whether a file is locked. */
export function connectProbe(path: string): DatabaseSync {
  return new SQLITE.DatabaseSync(path, { readOnly: true, timeout: 0 });
}

/** Copies every page as of one instant, in a thread of the pool. The source needs a connection of its own. */
export const copyPages = (source: DatabaseSync, path: string): Promise<number> =>
  SQLITE.backup(source, path, { rate: 0x7fffffff });

export function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** A change of this text means that the file is not what it was. */
export function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? '' : `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
}
