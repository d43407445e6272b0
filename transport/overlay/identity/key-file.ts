/**
 * An identity in a file: PKCS #8 in PEM (RFC 5958, RFC 8410), as `openssl pkey -in FILE -text` reads it, with mode 0600.
 *
 * A file is never overwritten, not even by two that make it at once, and never there in part: it is written under another name
 * and then linked to its own, which fails where something has that name already.
 */
import { createPrivateKey, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, open } from 'node:fs/promises';
import { errorData, isMeshError, MeshError } from '../../../core/errors.ts';
import type { AddressProfile } from './address.ts';
import { generateIdentity, identityFromSeed, type Identity } from './identity.ts';
import { writeSecret } from './secret-file.ts';

/** Bits of the mode that let others than the owner do anything. */
const OTHERS = 0o077;
/** A key takes 119 bytes in PEM; comments may stand around it. */
const BYTES_MAX = 4096;

/**
 * A new identity in a new file.
 *
 * Throws: NET_KEY_EXISTS, and the file is as it was; NET_KEY_UNAVAILABLE where the folder is missing or nothing can be written.
 */
export async function createKeyFile(path: string, profile: AddressProfile = 'standard'): Promise<Identity> {
  const identity = await generateIdentity(randomBytes, profile);
  try {
    await writeSecret(path, identity.toPem(), link);
  } catch (cause) {
    if (systemCode(cause) === 'EEXIST')
      throw new MeshError('NET_KEY_EXISTS', `${path} is there already; nothing was written`, { cause });
    throw unavailable(path, 'written', cause);
  }
  return identity;
}

/**
 * The identity of a file.
 *
 * Throws: NET_KEY_MISSING; NET_KEY_EXPOSED where its mode lets others than its owner read or write it; NET_KEY_INVALID where it holds no
 * Ed25519 private key, or one that no node may have; NET_KEY_UNAVAILABLE where it cannot be read.
 */
export async function readKeyFile(path: string, profile: AddressProfile = 'standard'): Promise<Identity> {
  const seed = seedOf(path, await readSecret(path));
  try {
    return await identityFromSeed(seed, profile);
  } catch (error) {
    if (isMeshError(error, 'NET_KEY_INVALID')) throw new MeshError('NET_KEY_INVALID', `${path}: ${error.message}`);
    throw error;
  } finally {
    seed.fill(0);
  }
}

/** The identity of a file, made where there is none. Throws as `createKeyFile` and `readKeyFile`, but for NET_KEY_MISSING. */
export async function openKeyFile(path: string, profile: AddressProfile = 'standard'): Promise<Identity> {
  try {
    return await readKeyFile(path, profile);
  } catch (error) {
    if (!isMeshError(error, 'NET_KEY_MISSING')) throw error;
    return createKeyFile(path, profile);
  }
}

/** What is checked is what is read: one descriptor. It does not wait for a writer where the path is a pipe. */
async function readSecret(path: string): Promise<Buffer> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (!stat.isFile()) throw new MeshError('NET_KEY_INVALID', `${path} is no file`);
    if ((stat.mode & OTHERS) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, '0');
      throw new MeshError('NET_KEY_EXPOSED', `others than its owner may use ${path}: its mode is ${mode}, not 0600`, {
        data: { path, mode },
      });
    }
    if (stat.size > BYTES_MAX) throw new MeshError('NET_KEY_INVALID', `${path} has ${stat.size} bytes, which is no key file`);
    return await file.readFile();
  } catch (cause) {
    if (isMeshError(cause)) throw cause;
    if (systemCode(cause) === 'ENOENT') throw new MeshError('NET_KEY_MISSING', `there is no key file at ${path}`, { cause });
    throw unavailable(path, 'read', cause);
  }
}

function seedOf(path: string, pem: Buffer): Uint8Array {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType !== 'ed25519') throw new MeshError('NET_KEY_INVALID', `it is of the kind ${key.asymmetricKeyType}`);
    return Buffer.from(key.export({ format: 'jwk' }).d as string, 'base64url');
  } catch (cause) {
    const why = isMeshError(cause) ? `: ${cause.message}` : '';
    throw new MeshError('NET_KEY_INVALID', `${path} holds no Ed25519 private key in PEM${why}`);
  } finally {
    pem.fill(0);
  }
}

const systemCode = (error: unknown): unknown => (error as { readonly code?: unknown } | undefined)?.code;

const unavailable = (path: string, done: 'read' | 'written', cause: unknown): MeshError =>
  new MeshError('NET_KEY_UNAVAILABLE', `the key file ${path} could not be ${done}: ${errorData(cause).message}`, { cause });
