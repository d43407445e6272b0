/** What SQLite and the file system say when something goes wrong, as errors of ours: code, cause, what to do. */
import { accessSync, constants } from 'node:fs';
import { dirname } from 'node:path';
import { type ErrorCode, isMeshError, MeshError } from '../../core/errors.ts';

/** https://sqlite.org/rescode.html */
const SQL_ERROR = 1;
const BUSY = 5;
const LOCKED = 6;
const READ_ONLY = 8;
const IO = 10;
const CORRUPT = 11;
const FULL = 13;
const CANNOT_OPEN = 14;
const TOO_BIG = 18;
const NOT_A_DATABASE = 26;
/** SQLite does not tell a disk that fails from a file that has reached the limit of its process (EFBIG). */
const IO_WRITE = 778;
/** The shared memory of the log could not grow: there is no room for it. */
const IO_SHM_SIZE = 4_874;

const resultOf = (error: unknown): number => {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code : -1;
};

/** Another connection holds the lock. */
export const isBusy = (error: unknown): boolean => [BUSY, LOCKED].includes(resultOf(error) & 0xff);

/** One write of a commit may have caused it; the others can still succeed without it. */
export const isOfOneWrite = (error: unknown): boolean =>
  [FULL, TOO_BIG].includes(resultOf(error) & 0xff) || resultOf(error) === -1;

/** A commit that failed so may be found durable after a crash all the same. */
export const isUnclear = (error: unknown): boolean => (resultOf(error) & 0xff) === IO && resultOf(error) !== IO_SHM_SIZE;

/** `doing`: what was tried, as in 'writing'. */
export function storeError(error: unknown, path: string, doing: string): MeshError {
  if (isMeshError(error)) return error;
  const [code, what] = verdict(error, path);
  const said = error instanceof Error ? error.message : String(error);
  return new MeshError(code, `${doing} ${path}: ${what} (${said})`, { cause: error, data: { path } });
}

function verdict(error: unknown, path: string): readonly [ErrorCode, string] {
  if (resultOf(error) === IO_SHM_SIZE) return ['STORE_FULL', 'the disk is full'];
  if (resultOf(error) === IO_WRITE) return ['STORE_UNAVAILABLE', 'the disk failed, or the file may not grow (`ulimit -f`)'];
  switch (resultOf(error) & 0xff) {
    case SQL_ERROR:
      return ['STORE_CORRUPT', 'its tables are not those of a store; nothing was changed'];
    case BUSY:
    case LOCKED:
      return ['STORE_UNAVAILABLE', 'another program holds the file'];
    case READ_ONLY:
      return ['STORE_READ_ONLY', 'the file or its folder cannot be written; nothing was changed'];
    case IO:
      return ['STORE_UNAVAILABLE', 'the disk failed'];
    case CORRUPT:
      return ['STORE_CORRUPT', 'the file is torn or was changed by something else; restore a backup'];
    case FULL:
      return ['STORE_FULL', 'the disk is full'];
    case CANNOT_OPEN:
      return unopened(path);
    case TOO_BIG:
      return ['PAYLOAD_TOO_LARGE', 'a record is larger than SQLite takes'];
    case NOT_A_DATABASE:
      return ['STORE_CORRUPT', 'the file is no store; nothing was changed'];
    default:
      return fileVerdict(error);
  }
}

function fileVerdict(error: unknown): readonly [ErrorCode, string] {
  switch ((error as { code?: unknown } | null)?.code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return ['STORE_READ_ONLY', 'the file or its folder cannot be written; nothing was changed'];
    case 'ENOSPC':
    case 'EDQUOT':
      return ['STORE_FULL', 'the disk is full'];
    case 'ERR_INVALID_ARG_TYPE':
      return ['STORE_CORRUPT', 'it holds what no store does; nothing was changed'];
    case 'ERR_INVALID_STATE':
      return ['STORE_UNAVAILABLE', 'the store is closed'];
    default:
      return ['STORE_UNAVAILABLE', 'the file cannot be used'];
  }
}

function unopened(path: string): readonly [ErrorCode, string] {
  if (!isAllowed(path, constants.R_OK)) return ['STORE_READ_ONLY', 'the file may not be read'];
  return isAllowed(dirname(path), constants.W_OK)
    ? ['STORE_UNAVAILABLE', 'the file cannot be opened']
    : ['STORE_READ_ONLY', 'the file or its folder cannot be written; nothing was changed'];
}

/** True too where nothing is: that is another error. */
function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === 'ENOENT';
  }
}
