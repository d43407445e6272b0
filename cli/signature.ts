/**
 * Signatures of exported logs: a last line that says whose key signed all the bytes before it, so that a log can be handed on as
 * evidence. Ed25519; checked strictly (RFC 8032, no keys of small order), which `node:crypto` does not do.
 *
 *   {"signature":{"alg":"ed25519","key":"<base64url>","sig":"<base64url>"}}
 */
import { createHash, createPrivateKey, createPublicKey, type Hash, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ed25519 } from '@noble/curves/ed25519.js';
import { errorData, MeshError } from '../core/errors.ts';

const PREFIX = '{"signature":';
const CONTEXT = 'reprise exported logs, version 1\n';
const RAW_KEY = /^[A-Za-z0-9_-]{43}$/;

export interface SigningKey {
  /** base64url */
  readonly publicKey: string;
  readonly secret: Uint8Array;
}

/** A private key in PEM, as `openssl genpkey -algorithm ed25519` makes it. Throws USAGE. */
export function signingKey(path: string): SigningKey {
  const { d, x } = jwkOf(path, createPrivateKey);
  return { publicKey: x, secret: Buffer.from(d as string, 'base64url') };
}

/** A public key: itself in base64url, or a file with it in PEM. Throws USAGE. */
export const publicKey = (given: string): string => (RAW_KEY.test(given) ? given : jwkOf(given, createPublicKey).x);

function jwkOf(path: string, read: (pem: Buffer) => KeyObject): { readonly x: string; readonly d?: string } {
  try {
    const key = read(readFileSync(path));
    if (key.asymmetricKeyType !== 'ed25519') throw new MeshError('USAGE', `it is of the kind ${key.asymmetricKeyType}`);
    return key.export({ format: 'jwk' }) as { readonly x: string; readonly d?: string };
  } catch (cause) {
    const why = errorData(cause).message;
    throw new MeshError('USAGE', `${path} holds no Ed25519 key in PEM (openssl genpkey -algorithm ed25519 makes one): ${why}`, {
      cause,
    });
  }
}

/** The lines, and a last one that signs them. */
export async function* signed(lines: AsyncIterable<string>, key: SigningKey): AsyncGenerator<string> {
  const hash = createHash('sha256');
  for await (const line of lines) {
    hash.update(`${line}\n`);
    yield line;
  }
  const sig = Buffer.from(ed25519.sign(messageOf(hash), key.secret)).toString('base64url');
  yield JSON.stringify({ signature: { alg: 'ed25519', key: key.publicKey, sig } });
}

/**
 * The lines without their signature, which is checked where there is one. `signer`: there has to be one, by this key (base64url).
 * Throws SIGNATURE_INVALID, after the last line at the latest.
 */
export async function* verified(lines: AsyncIterable<string>, name: string, signer?: string): AsyncGenerator<string> {
  const hash = createHash('sha256');
  let by: string | undefined;
  for await (const line of lines) {
    if (by !== undefined) throw invalid(name, 'something stands behind its signature');
    if (line.startsWith(PREFIX)) {
      by = checked(line, hash, name);
      continue;
    }
    hash.update(`${line}\n`);
    yield line;
  }
  if (signer === undefined || by === signer) return;
  throw invalid(name, by === undefined ? 'it is not signed' : `it is signed by ${by}, not by ${signer}`);
}

function checked(line: string, hash: Hash, name: string): string {
  const { alg, key, sig } = parsed(line, name);
  if (alg !== 'ed25519' || !RAW_KEY.test(String(key))) throw invalid(name, 'its signature is not one that this version knows');
  let holds: boolean;
  try {
    holds = ed25519.verify(Buffer.from(String(sig), 'base64url'), messageOf(hash), Buffer.from(String(key), 'base64url'), {
      zip215: false,
    });
  } catch {
    holds = false;
  }
  if (!holds) throw invalid(name, 'what it says is not what was signed');
  return String(key);
}

function parsed(line: string, name: string): { readonly alg?: unknown; readonly key?: unknown; readonly sig?: unknown } {
  try {
    return (JSON.parse(line) as { signature: object }).signature;
  } catch {
    throw invalid(name, 'its signature cannot be read');
  }
}

const messageOf = (hash: Hash): Uint8Array => Buffer.from(CONTEXT + hash.digest('hex'));
const invalid = (name: string, why: string): MeshError => new MeshError('SIGNATURE_INVALID', `${name}: ${why}`);
