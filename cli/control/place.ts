/**
 * Where the control socket of a mesh lies: beside its store, so that who sees the one finds the other; in a private folder of this user
 * when that path is too long for a socket. Only this user may connect, and nobody else may put another socket in its place.
 */
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readFileSync, rmSync, type Stats, statSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { MeshError } from '../../core/errors.ts';

/** Bytes of a socket's path: 104 with the NUL on the systems that allow least. */
const PATH_BYTES_MAX = 103;

/** `beside`: absolute path of the store, or of what stands for it. */
export function controlPath(beside: string): string {
  const path = `${beside}.sock`;
  if (Buffer.byteLength(path) <= PATH_BYTES_MAX) return path;
  return join(runtimeFolder(), `${createHash('sha256').update(path).digest('hex').slice(0, 24)}.sock`);
}

function runtimeFolder(): string {
  const folder = join(tmpdir(), `reprise-${userInfo().uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** Throws CONTROL_UNSAFE when others could replace what is in this folder. */
export function checkFolder(path: string): void {
  const folder = dirname(path);
  const stat = statSync(folder);
  const isSticky = (stat.mode & 0o1000) !== 0;
  const isPrivateName = folder === runtimeFolder();
  if ((stat.mode & 0o002) !== 0 && !isSticky)
    throw new MeshError('CONTROL_UNSAFE', `everybody may write to ${folder}, so anybody could answer in the place of this mesh`);
  if (isPrivateName && stat.uid !== userInfo().uid) throw new MeshError('CONTROL_UNSAFE', `${folder} belongs to another user`);
}

/** Throws CONTROL_UNSAFE when the socket is not this user's own. */
export function checkSocket(path: string): void {
  const stat = statOf(path);
  if (stat === undefined) return;
  if (!stat.isSocket()) throw new MeshError('CONTROL_UNSAFE', `${path} is no socket`);
  if (stat.uid !== userInfo().uid) throw new MeshError('CONTROL_UNSAFE', `${path} belongs to another user`);
}

/** Only this user may connect. */
export const closeToOthers = (path: string): void => chmodSync(path, 0o600);

export function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

// ---- who listens -------------------------------------------------------------------------------------------------------

/** A process that is stopped cannot say its id, so it lies beside the socket. */
const pidFile = (path: string): string => `${path}.pid`;

/** Of this process, which listens at `path`. Where it may not be written there is none: it is only of use to name the process. */
export function leavePid(path: string): void {
  takePid(path);
  try {
    // Never through a link that somebody has put there.
    writeFileSync(pidFile(path), String(process.pid), { flag: 'wx', mode: 0o600 });
  } catch {
    // So be it.
  }
}

export function takePid(path: string): void {
  try {
    rmSync(pidFile(path), { force: true });
  } catch {
    // It is not ours.
  }
}

/** Of the process that listens at `path`; undefined: it is not known. */
export function pidAt(path: string): number | undefined {
  const stat = statOf(pidFile(path));
  if (stat === undefined || !stat.isFile() || stat.uid !== userInfo().uid) return undefined;
  const pid = Number(readFileSync(pidFile(path), 'utf8'));
  return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
}
