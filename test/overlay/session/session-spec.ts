/**
 * §2 of docs/overlay-wire.md once more: handshakes, cookies and DATA by nothing but that page and the specification of Noise (revision 34), on
 * `node:crypto`. It writes what the page says, and whatever else a test wants a peer to say.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
} from 'node:crypto';

type Bytes = Uint8Array;

/** One who takes part. `ephemeral`: the secret that it draws for this handshake. */
export interface Party {
  /** Ed25519, RFC 8032. */
  readonly seed: Bytes;
  readonly ephemeral: Bytes;
  readonly index: number;
  readonly hello: SpecHello;
}
export interface SpecHello {
  readonly publicKey: Bytes;
  readonly instanceId: Bytes;
  readonly maxDatagram: number;
  readonly features: number;
  readonly observed: Bytes;
  readonly certificate: Bytes;
}
export interface Handshake {
  readonly networkId: Bytes;
  readonly psk: Bytes;
  /** The Ed25519 key by which the initiator knows the responder. */
  readonly responderKey: Bytes;
  readonly initiator: Party;
  readonly responder: Party;
  /** Bytes of the INIT, as its padding makes it. */
  readonly initBytes: number;
}

const NONE = new Uint8Array(0);
const join = (...parts: readonly (Bytes | string)[]): Buffer => Buffer.concat(parts.map((part) => Buffer.from(part)));
const sha256 = (...parts: readonly (Bytes | string)[]): Buffer =>
  createHash('sha256')
    .update(join(...parts))
    .digest();
const hmac = (key: Bytes, ...parts: readonly Bytes[]): Buffer =>
  createHmac('sha256', key)
    .update(join(...parts))
    .digest();
const first16 = (bytes: Bytes): Bytes => bytes.subarray(0, 16);
const u16 = (value: number): Bytes => Uint8Array.of(value & 0xff, value >> 8);
const u32 = (value: number): Bytes => join(u16(value & 0xffff), u16(value >>> 16));
const u64 = (value: number): Bytes => join(u32(value % 2 ** 32), u32(Math.floor(value / 2 ** 32)));
/** QUIC's varint, of values below 2^14. */
const v = (value: number): Bytes => (value < 64 ? Uint8Array.of(value) : Uint8Array.of(0x40 | (value >> 8), value & 0xff));

/** An X25519 secret as node takes it (RFC 8410). */
const secretKey = (secret: Bytes): KeyObject =>
  createPrivateKey({ key: join(Buffer.from('302e020100300506032b656e04220420', 'hex'), secret), format: 'der', type: 'pkcs8' });
const publicOf = (secret: Bytes): Bytes =>
  createPublicKey(secretKey(secret)).export({ format: 'der', type: 'spki' }).subarray(-32);
const agree = (secret: Bytes, publicKey: Bytes): Bytes =>
  diffieHellman({
    privateKey: secretKey(secret),
    publicKey: createPublicKey({
      key: join(Buffer.from('302a300506032b656e032100', 'hex'), publicKey),
      format: 'der',
      type: 'spki',
    }),
  });
/** The X25519 secret of an Ed25519 seed: RFC 8032 §5.1.5, step 1; X25519 clamps it itself. */
export const staticOf = (seed: Bytes): Bytes => createHash('sha512').update(seed).digest().subarray(0, 32);

const seal = (key: Bytes, nonce: Bytes, data: Bytes, plain: Bytes): Bytes => {
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 });
  cipher.setAAD(data, { plaintextLength: plain.length });
  return join(cipher.update(plain), cipher.final(), cipher.getAuthTag());
};
const open = (key: Bytes, nonce: Bytes, data: Bytes, sealed: Bytes): Bytes => {
  const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 });
  decipher.setAAD(data, { plaintextLength: sealed.length - 16 });
  decipher.setAuthTag(sealed.subarray(-16));
  return join(decipher.update(sealed.subarray(0, -16)), decipher.final());
};
const nonceOf = (pn: number): Bytes => join(new Uint8Array(4), u64(pn));

/** SymmetricState (§5.2); each key of the pattern seals one thing, so n is always 0. */
class Symmetric {
  private h: Bytes = sha256('Noise_IKpsk2_25519_ChaChaPoly_SHA256');
  private ck: Bytes = this.h;
  private k: Bytes = NONE;

  mixHash(bytes: Bytes): void {
    this.h = sha256(this.h, bytes);
  }

  mixKey(input: Bytes): void {
    [this.ck, this.k] = this.hkdf(input) as [Bytes, Bytes];
  }

  mixKeyAndHash(input: Bytes): void {
    const [ck, h, k] = this.hkdf(input) as [Bytes, Bytes, Bytes];
    [this.ck, this.k] = [ck, k];
    this.mixHash(h);
  }

  /** Token e, in a pattern with a psk. */
  mixEphemeral(publicKey: Bytes): void {
    this.mixHash(publicKey);
    this.mixKey(publicKey);
  }

  encryptAndHash(plain: Bytes): Bytes {
    const sealed = seal(this.k, nonceOf(0), this.h, plain);
    this.mixHash(sealed);
    return sealed;
  }

  split(): readonly [initiator: Bytes, responder: Bytes] {
    const [initiator, responder] = this.hkdf(NONE) as [Bytes, Bytes];
    return [initiator, responder];
  }

  /** §4.3: three outputs; who wants two takes the first two. */
  private hkdf(input: Bytes): readonly Bytes[] {
    const temporary = hmac(this.ck, input);
    const one = hmac(temporary, Uint8Array.of(1));
    const two = hmac(temporary, one, Uint8Array.of(2));
    return [one, two, hmac(temporary, two, Uint8Array.of(3))];
  }
}

const helloBytes = ({ publicKey, instanceId, maxDatagram, features, observed, certificate }: SpecHello): Bytes =>
  join(publicKey, instanceId, u16(maxDatagram), u32(features), v(observed.length), observed, v(certificate.length), certificate);

const withMacs = ({ networkId, psk, responderKey }: Handshake, bytes: Bytes, cookie?: Bytes): Bytes => {
  const mac1 = first16(hmac(sha256('mac1', responderKey, networkId, psk), bytes));
  return join(bytes, mac1, cookie === undefined ? new Uint8Array(16) : first16(hmac(cookie, bytes, mac1)));
};

/** The handshake from both sides at once: this writer has all secrets. */
export function specHandshake(handshake: Handshake): {
  readonly init: Bytes;
  readonly resp: Bytes;
  readonly keys: { readonly initiator: Bytes; readonly responder: Bytes };
  /** The INIT with the mac2 that a cookie makes. */
  readonly withCookie: (cookie: Bytes) => Bytes;
} {
  const { initiator, responder, networkId, psk, initBytes } = handshake;
  const [staticI, staticR] = [staticOf(initiator.seed), staticOf(responder.seed)];
  const [publicI, publicR] = [publicOf(staticI), publicOf(staticR)];
  const [ephemeralI, ephemeralR] = [publicOf(initiator.ephemeral), publicOf(responder.ephemeral)];

  const state = new Symmetric();
  state.mixHash(join('OVL1', networkId));
  state.mixHash(publicR);
  // -> e, es, s, ss
  state.mixEphemeral(ephemeralI);
  state.mixKey(agree(initiator.ephemeral, publicR));
  const sealedStatic = state.encryptAndHash(publicI);
  state.mixKey(agree(staticI, publicR));
  const hello = helloBytes(initiator.hello);
  const padding = new Uint8Array(initBytes - (8 + 32 + 48 + hello.length + 16 + 32));
  const sealedInit = state.encryptAndHash(join(hello, padding));
  const init = join(Uint8Array.of(1, 1, 0, 0), u32(initiator.index), ephemeralI, sealedStatic, sealedInit);
  // <- e, ee, se, psk
  state.mixEphemeral(ephemeralR);
  state.mixKey(agree(responder.ephemeral, ephemeralI));
  state.mixKey(agree(responder.ephemeral, publicI));
  state.mixKeyAndHash(psk);
  const sealedResp = state.encryptAndHash(helloBytes(responder.hello));
  const resp = join(Uint8Array.of(2, 1, 0, 0), u32(responder.index), u32(initiator.index), ephemeralR, sealedResp);
  const [initiatorKey, responderKey] = state.split();
  return {
    init: withMacs(handshake, init),
    resp: withMacs(handshake, resp),
    keys: { initiator: initiatorKey, responder: responderKey },
    withCookie: (cookie) => withMacs(handshake, init, cookie),
  };
}

/** A COOKIE that answers this INIT. */
export function specCookie({ responderKey, initiator }: Handshake, init: Bytes, cookie: Bytes): Bytes {
  const mac1 = init.subarray(-32, -16);
  const tag = first16(hmac(sha256('cookie', responderKey), cookie, mac1));
  return join(Uint8Array.of(3, 1, 0, 0), u32(initiator.index), cookie, tag);
}

export function specData(key: Bytes, receiver: number, pn: number, payload: Bytes): Bytes {
  const header = join(Uint8Array.of(4, 0, 0, 0), u32(receiver), u64(pn));
  return join(header, seal(key, nonceOf(pn), header, payload));
}

/** Throws where the tag does not hold. */
export function specOpen(key: Bytes, data: Bytes): { readonly pn: number; readonly payload: Bytes } {
  const pn = Number(Buffer.from(data).readBigUInt64LE(8));
  return { pn, payload: open(key, nonceOf(pn), data.subarray(0, 16), data.subarray(16)) };
}
