/**
 * The two uses of one Ed25519 key: signatures (Ed25519), and key agreement (X25519, on the Montgomery form of the same point).
 *
 * `node:crypto` does everything that is hot or secret; `@noble/curves` only decodes points and converts, where node has nothing.
 * Nothing here throws on bytes that came from elsewhere.
 */
import { createPrivateKey, createPublicKey, diffieHellman, sign, verify, type KeyObject } from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import { assert } from '../../core/errors.ts';

export const KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

/** DER around raw keys (RFC 8410 §4 and §7): the one raw import that every supported node has, and faster than JWK. */
const ED25519_PRIVATE = Buffer.from('302e020100300506032b657004220420', 'hex');
const ED25519_PUBLIC = Buffer.from('302a300506032b6570032100', 'hex');
const X25519_PRIVATE = Buffer.from('302e020100300506032b656e04220420', 'hex');
const X25519_PUBLIC = Buffer.from('302a300506032b656e032100', 'hex');
const SIGN_BIT = 0x80;

/** The point that these 32 bytes encode; undefined: not canonical, not on the curve, or of small order. */
function pointOf(publicKey: Uint8Array): InstanceType<typeof ed25519.Point> | undefined {
  if (publicKey.length !== KEY_BYTES) return undefined;
  try {
    const point = ed25519.Point.fromBytes(publicKey, false);
    return point.isSmallOrder() ? undefined : point;
  } catch {
    return undefined;
  }
}

/**
 * The X25519 public key that belongs to a member's Ed25519 public key; undefined: no key that a member may have. About 0.2 ms: remember it.
 *
 * The conversion forgets the sign bit: `pk` and `-pk` have the same X25519 key, and who holds one secret holds the other. So a member's key
 * has its sign bit clear (as in BIP 340 and XEdDSA), which makes the conversion one to one: an X25519 static names one Ed25519 key.
 */
export function exchangeKeyOf(publicKey: Uint8Array): Uint8Array | undefined {
  if (pointOf(publicKey) === undefined || ((publicKey[KEY_BYTES - 1] as number) & SIGN_BIT) !== 0) return undefined;
  return ed25519.utils.toMontgomery(publicKey);
}

/**
 * Whether a key may be admitted: certified, pinned or made one's own. Beyond `exchangeKeyOf` the point has to be of prime order, for
 * a point with a component of small order (`pk + T`) agrees on the same secrets as `pk`. About 1 ms, which is why handshakes leave it to admission.
 */
export const isMemberKey = (publicKey: Uint8Array): boolean =>
  exchangeKeyOf(publicKey) !== undefined && pointOf(publicKey)?.isTorsionFree() === true;

/** An X25519 key pair. The secret stays inside of a KeyObject, where neither `inspect` nor JSON shows it. */
export class ExchangeKey {
  readonly publicKey: Uint8Array;
  readonly #secret: KeyObject;

  /** `secret`: 32 bytes, clamped by X25519 itself. They are copied; who made them may wipe them. */
  constructor(secret: Uint8Array) {
    this.#secret = privateKey(X25519_PRIVATE, secret);
    this.publicKey = rawPublicKey(this.#secret);
  }

  /** X25519 with the public key of another, 32 bytes; undefined: theirs is of low order, so the secret would be all zero (RFC 7748 §6.1). */
  agree(publicKey: Uint8Array): Uint8Array | undefined {
    if (publicKey.length !== KEY_BYTES) return undefined;
    try {
      const shared = diffieHellman({ privateKey: this.#secret, publicKey: publicKeyObject(X25519_PUBLIC, publicKey) });
      return shared.some((byte) => byte !== 0) ? shared : undefined;
    } catch {
      return undefined; // OpenSSL refuses an all-zero secret by itself.
    }
  }
}

/** An Ed25519 key pair and its X25519 twin. Secrets stay inside of KeyObjects. */
export class SigningKey {
  readonly publicKey: Uint8Array;
  readonly exchange: ExchangeKey;
  readonly #secret: KeyObject;

  /** `seed`: the 32 bytes of RFC 8032 §5.1.5. They are copied; who made them may wipe them. */
  constructor(seed: Uint8Array) {
    this.#secret = privateKey(ED25519_PRIVATE, seed);
    this.publicKey = rawPublicKey(this.#secret);
    // A copy, for noble takes slices, which of a Buffer are views.
    const copy = Uint8Array.from(seed);
    const scalar = ed25519.utils.toMontgomerySecret(copy);
    this.exchange = new ExchangeKey(scalar);
    copy.fill(0);
    scalar.fill(0);
  }

  sign(message: Uint8Array): Uint8Array {
    return sign(null, message, this.#secret);
  }

  /** PKCS #8 in PEM, as `openssl genpkey -algorithm ed25519` writes it. It is the secret. */
  toPem(): string {
    return this.#secret.export({ format: 'pem', type: 'pkcs8' }) as string;
  }
}

/**
 * Strict Ed25519 (RFC 8032 §5.1.7): also under no key that is not canonical or of small order, for which a signature of everything can be made.
 * What node refuses of those depends on its OpenSSL.
 */
export function verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES || pointOf(publicKey) === undefined) return false;
  return verify(null, message, publicKeyObject(ED25519_PUBLIC, publicKey), signature);
}

function privateKey(prefix: Uint8Array, secret: Uint8Array): KeyObject {
  assert(secret.length === KEY_BYTES, `a secret key has ${KEY_BYTES} bytes, not ${secret.length}`);
  const der = Buffer.concat([prefix, secret]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  return key;
}

const publicKeyObject = (prefix: Uint8Array, key: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.concat([prefix, key]), format: 'der', type: 'spki' });

function rawPublicKey(secret: KeyObject): Uint8Array {
  const der = createPublicKey(secret).export({ format: 'der', type: 'spki' });
  return Uint8Array.from(der.subarray(der.length - KEY_BYTES));
}
