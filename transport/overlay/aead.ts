/** ChaCha20-Poly1305 (RFC 8439) by `node:crypto`: of handshakes and of every packet after them. */
import { createCipheriv, createDecipheriv, type CipherKey } from 'node:crypto';

const CIPHER = 'chacha20-poly1305';
export const TAG_BYTES = 16;
const OPTIONS = { authTagLength: TAG_BYTES } as const;
const NONCE_BYTES = 12;
const NOTHING = new Uint8Array(0);

/** The ciphertext and its tag of 16 bytes behind it. `nonce`: 12 bytes, never twice under one key. */
export const seal = (key: CipherKey, nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array): Buffer =>
  sealed(key, nonce, aad, NOTHING, plain);

/** As `seal`, with the AAD itself before the ciphertext: a whole packet, in one allocation. */
export const sealBehind = (key: CipherKey, nonce: Uint8Array, head: Uint8Array, plain: Uint8Array): Buffer =>
  sealed(key, nonce, head, head, plain);

function sealed(key: CipherKey, nonce: Uint8Array, aad: Uint8Array, before: Uint8Array, plain: Uint8Array): Buffer {
  const cipher = createCipheriv(CIPHER, key, nonce, OPTIONS);
  cipher.setAAD(aad, { plaintextLength: plain.length });
  const text = cipher.update(plain);
  // A stream cipher holds nothing back: this only makes the tag.
  cipher.final();
  const end = before.length + plain.length;
  const out = Buffer.allocUnsafe(end + TAG_BYTES);
  out.set(before, 0);
  out.set(text, before.length);
  out.set(cipher.getAuthTag(), end);
  return out;
}

/** What was sealed; undefined: the tag does not hold, or there is none. Nothing of the text is given before the tag held. */
export function open(key: CipherKey, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Buffer | undefined {
  const length = sealed.length - TAG_BYTES;
  if (length < 0 || nonce.length !== NONCE_BYTES) return undefined;
  const decipher = createDecipheriv(CIPHER, key, nonce, OPTIONS);
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
export const counterNonce = (counter: number): Uint8Array => putCounter(Buffer.alloc(NONCE_BYTES), counter);

/** The same in a nonce that was made by `counterNonce` before. */
export function putCounter(nonce: Uint8Array, counter: number): Uint8Array {
  let rest = counter;
  for (let i = 4; i < NONCE_BYTES; i++) {
    nonce[i] = rest % 0x1_00;
    rest = Math.floor(rest / 0x1_00);
  }
  return nonce;
}
