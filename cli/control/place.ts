/**
 * Where the control socket of a mesh lies: beside its store, so that who sees the one finds the other; in a private folder of this user
 * when that path is too long for a socket. Only this user may connect, and nobody else may put another socket in its place.
 */
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, type Stats, statSync } from 'node:fs';
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
