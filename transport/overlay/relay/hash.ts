/** How RELAY frames name nodes: the first 8 bytes of the SHA-256 of the key. Who is meant was proved before; this only finds it. */
import { createHash } from 'node:crypto';
import type { PublicKey } from '../key-text.ts';

export const HASH_BYTES = 8;

/** 16 hex digits. */
export const keyHash = (publicKey: PublicKey): string =>
  createHash('sha256')
    .update(publicKey, 'hex')
    .digest('hex')
    .slice(0, 2 * HASH_BYTES);
