/** Files of secrets: with a mode that lets only their owner in, and never there in part, a power loss included. */
import { randomBytes } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

export const SECRET_MODE = 0o600;

/**
 * Writes a file under another name in the same folder, onto the disk, and lets `place` give it its own name: `link`, which fails where something
 * has that name, or `rename`, which replaces it. The other name is gone in the end.
 *
 * Throws: what the file system says, and what has the name is as it was.
 */
export async function writeSecret(
  path: string,
  content: Uint8Array | string,
  place: (draft: string, path: string) => Promise<void>,
): Promise<void> {
  const draft = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}.new`);
  try {
    await writeDraft(draft, content);
    await place(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
  await using folder = await open(dirname(path), 'r');
  await folder.sync();
}

/** The mode is set by its number, whatever the umask; the bytes are on the disk before the name is. */
async function writeDraft(path: string, content: Uint8Array | string): Promise<void> {
  await using file = await open(path, 'wx', SECRET_MODE);
  await file.chmod(SECRET_MODE);
  await file.writeFile(content);
  await file.sync();
}
