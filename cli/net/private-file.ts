/**
 * Files that only this user may read, written so that at any moment, a power loss included, the old content or the new one is there:
 * under another name, onto the disk, and then over the old one.
 */
import { chmod, mkdir, open, rename, stat } from 'node:fs/promises';
import { errorData, isMeshError, MeshError } from '../../core/errors.ts';
import { writeSecret } from '../../transport/overlay/identity/secret-file.ts';

const FOLDER_MODE = 0o700;
/** Bits of the mode that let others than the owner change what is in a folder. */
const OTHERS_WRITE = 0o022;

/** Makes a folder that is not there. Throws NET_FOLDER_UNAVAILABLE; NET_FOLDER_INVALID where it is none, or others may write in it. */
export async function makePrivateFolder(path: string): Promise<void> {
  try {
    const made = await mkdir(path, { recursive: true, mode: FOLDER_MODE });
    // What the umask has taken from the owner is given back; what was there before is left as it is.
    if (made !== undefined) await chmod(path, FOLDER_MODE);
  } catch (cause) {
    throw unavailable(path, 'made', cause);
  }
  await checkPrivateFolder(path);
}

/** Throws NET_FOLDER_INVALID where others could put files of theirs into it. */
export async function checkPrivateFolder(path: string): Promise<void> {
  const { mode } = await stat(path).catch((cause: unknown) => {
    throw unavailable(path, 'looked at', cause);
  });
  if ((mode & OTHERS_WRITE) !== 0)
    throw new MeshError('NET_FOLDER_INVALID', `others than its owner may write in ${path}: take that from them with chmod 700`);
}

/** Throws NET_FOLDER_UNAVAILABLE, and the file is as it was. */
export async function writePrivate(path: string, content: Uint8Array | string): Promise<void> {
  try {
    await writeSecret(path, content, rename);
  } catch (cause) {
    throw unavailable(path, 'written', cause);
  }
}

/** Undefined: there is none. Throws NET_FOLDER_INVALID where it is no file, or has more than `bytesMax`; NET_FOLDER_UNAVAILABLE. */
export async function readPrivate(path: string, bytesMax: number): Promise<Buffer | undefined> {
  try {
    await using file = await open(path, 'r');
    const found = await file.stat();
    if (!found.isFile()) throw new MeshError('NET_FOLDER_INVALID', `${path} is no file`);
    if (found.size > bytesMax)
      throw new MeshError(
        'NET_FOLDER_INVALID',
        `${path} has ${found.size} bytes; what Reprise writes there has at most ${bytesMax}`,
      );
    return await file.readFile();
  } catch (cause) {
    if (isMeshError(cause)) throw cause;
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unavailable(path, 'read', cause);
  }
}

const unavailable = (path: string, done: string, cause: unknown): MeshError =>
  new MeshError('NET_FOLDER_UNAVAILABLE', `${path} could not be ${done}: ${errorData(cause).message}`, { cause });
