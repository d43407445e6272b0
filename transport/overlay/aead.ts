/** ChaCha20-Poly1305 (RFC 8439) by `node:crypto`: of handshakes and of every packet after them. */
import { createCipheriv, createDecipheriv, type CipherKey } from 'node:crypto';

const CIPHER = 'chacha20-poly1305';
export const TAG_BYTES = 16;
const NONCE_BYTES = 12;

/** The ciphertext and its tag of 16 bytes behind it. `nonce`: 12 bytes, never twice under one key. */
export function seal(key: CipherKey, nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array): Buffer {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad, { plaintextLength: plain.length });
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** What was sealed; undefined: the tag does not hold, or there is none. Nothing of the text is given before the tag held. */
export function open(key: CipherKey, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Buffer | undefined {
  const length = sealed.length - TAG_BYTES;
  if (length < 0 || nonce.length !== NONCE_BYTES) return undefined;
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(aad, { plaintextLength: length });
  decipher.setAuthTag(sealed.subarray(length));
  const plain = decipher.update(sealed.subarray(0, length));
  try {
    decipher.final();
    return plain;
  } catch {
    plain.fill(0);
    return undefined;
  }
}

/** The nonce of a counter, as Noise has it (§12.3): four zero bytes and the number in eight, little-endian. `counter`: a safe integer. */
export function counterNonce(counter: number): Uint8Array {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUInt32LE(counter % 2 ** 32, 4);
  nonce.writeUInt32LE(Math.floor(counter / 2 ** 32), 8);
  return nonce;
}
