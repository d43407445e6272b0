/**
 * Noise_IKpsk2_25519_ChaChaPoly_SHA256 (noiseprotocol.org, revision 34): one round trip between two nodes of which the initiator knows the
 * static key of the responder.
 *
 *   <- s                                        pre-message
 *   -> e, es, s, ss            message 1        e 32 | sealed s 48 | sealed payload n + 16
 *   <- e, ee, se, psk          message 2        e 32 | sealed payload n + 16
 *
 * Nothing throws on what came from elsewhere: undefined means that a message is not acceptable, and why is nobody's business.
 *
 * What the pattern leaves open, and who closes it. Message 1 can be replayed, and can be forged in the name of any node by one who
 * has the responder's secret (§7.7, KCI): the session takes a peer for present with its first authentic packet under the new keys only, for
 * `ee` and `se` cannot be had that way. Payloads carry no application data.
 */
import { createHash, hkdfSync } from 'node:crypto';
import { assert } from '../../core/errors.ts';
import { counterNonce, open, seal, TAG_BYTES } from './aead.ts';
import { KEY_BYTES, type ExchangeKey } from './curve.ts';

/** The name is longer than a hash, so its hash begins the chain (§5.2). */
const PROTOCOL_HASH = createHash('sha256').update('Noise_IKpsk2_25519_ChaChaPoly_SHA256').digest();
const HASH_BYTES = 32;
/** §3: no Noise message is longer. */
const MESSAGE_MAX = 65535;
const SEALED_STATIC_BYTES = KEY_BYTES + TAG_BYTES;
/** What message 1 and message 2 have beyond their payload, in bytes. */
export const MESSAGE_1_OVERHEAD = KEY_BYTES + SEALED_STATIC_BYTES + TAG_BYTES;
export const MESSAGE_2_OVERHEAD = KEY_BYTES + TAG_BYTES;
const EMPTY = new Uint8Array(0);
const NONCE = counterNonce(0);

type KeyPair = Pick<ExchangeKey, 'publicKey' | 'agree'>;

interface Parties {
  /** Both have to have the same, else nothing holds: protocol, version, network. */
  readonly prologue: Uint8Array;
  /** 32 bytes. */
  readonly psk: Uint8Array;
  /** This node's own static key. */
  readonly statics: KeyPair;
}

/** What both sides have after message 2. The keys belong to the caller, who wipes them. */
export interface Transport {
  /** 32 bytes each, ChaCha20-Poly1305. What one side sends with is what the other receives with. */
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
  /** 32 bytes that name this handshake; both sides have the same, and no other handshake has. */
  readonly handshakeHash: Uint8Array;
}

/** Sends message 1, then takes message 2. */
export class NoiseInitiator {
  readonly #parties: Parties;
  readonly #remoteStatic: Uint8Array;
  #ephemeral: KeyPair | undefined;
  #state: SymmetricState | undefined;

  /** `remoteStatic`: the responder's X25519 key, 32 bytes. `ephemeral`: drawn for this handshake and used in no other. */
  constructor(parties: Parties & { readonly remoteStatic: Uint8Array; readonly ephemeral: KeyPair }) {
    this.#parties = parties;
    this.#remoteStatic = parties.remoteStatic;
    this.#ephemeral = parties.ephemeral;
  }

  /** Message 1, once. Undefined: `remoteStatic` is of low order. */
  write(payload: Uint8Array): Uint8Array | undefined {
    const ephemeral = this.#ephemeral;
    assert(ephemeral !== undefined && this.#state === undefined, 'message 1 is written once');
    const { prologue, statics } = this.#parties;
    const state = SymmetricState.begin(prologue, this.#remoteStatic);
    state.mixEphemeral(ephemeral.publicKey);
    if (!state.mixAgreement(ephemeral.agree(this.#remoteStatic))) return undefined;
    const sealedStatic = state.seal(statics.publicKey);
    if (!state.mixAgreement(statics.agree(this.#remoteStatic))) return undefined;
    const message = Buffer.concat([ephemeral.publicKey, sealedStatic, state.seal(payload)]);
    assert(message.length <= MESSAGE_MAX, 'a Noise message has at most 65535 bytes');
    this.#state = state;
    return message;
  }

  /**
   * Takes message 2. Undefined: it is not the answer to message 1, and nothing has changed, so that the true one may still come.
   * After one that held, the secrets of the handshake are gone and nothing more is taken.
   */
  read(message: Uint8Array): (Transport & { readonly payload: Uint8Array }) | undefined {
    if (this.#state === undefined || this.#ephemeral === undefined) return undefined;
    if (message.length < MESSAGE_2_OVERHEAD || message.length > MESSAGE_MAX) return undefined;
    const { psk, statics } = this.#parties;
    const remoteEphemeral = message.subarray(0, KEY_BYTES);
    const state = this.#state.copy();
    state.mixEphemeral(remoteEphemeral);
    const payload =
      state.mixAgreement(this.#ephemeral.agree(remoteEphemeral)) && state.mixAgreement(statics.agree(remoteEphemeral))
        ? state.mixPsk(psk).open(message.subarray(KEY_BYTES))
        : undefined;
    if (payload === undefined) {
      state.wipe();
      return undefined;
    }
    const [sendKey, receiveKey, handshakeHash] = state.split();
    this.close();
    return { payload, sendKey, receiveKey, handshakeHash };
  }

  /** Gives the handshake up: its secrets are gone. */
  close(): void {
    this.#state?.wipe();
    this.#state = undefined;
    this.#ephemeral = undefined;
  }
}

/** Takes message 1, then sends message 2; between the two the caller decides whether it wants to. */
export class NoiseResponder {
  readonly #parties: Parties;
  #peer: { readonly state: SymmetricState; readonly ephemeral: Uint8Array; readonly statics: Uint8Array } | undefined;

  constructor(parties: Parties) {
    this.#parties = parties;
  }

  /** Takes message 1 (two agreements). Undefined: it is not acceptable. A responder takes one: the next gets a new responder. */
  read(message: Uint8Array): { readonly remoteStatic: Uint8Array; readonly payload: Uint8Array } | undefined {
    if (this.#peer !== undefined || message.length < MESSAGE_1_OVERHEAD || message.length > MESSAGE_MAX) return undefined;
    const { prologue, statics } = this.#parties;
    const ephemeral = Uint8Array.from(message.subarray(0, KEY_BYTES));
    const state = SymmetricState.begin(prologue, statics.publicKey);
    state.mixEphemeral(ephemeral);
    const remoteStatic = state.mixAgreement(statics.agree(ephemeral))
      ? state.open(message.subarray(KEY_BYTES, KEY_BYTES + SEALED_STATIC_BYTES))
      : undefined;
    const payload =
      remoteStatic !== undefined && state.mixAgreement(statics.agree(remoteStatic))
        ? state.open(message.subarray(KEY_BYTES + SEALED_STATIC_BYTES))
        : undefined;
    if (remoteStatic === undefined || payload === undefined) {
      state.wipe();
      return undefined;
    }
    this.#peer = { state, ephemeral, statics: remoteStatic };
    return { remoteStatic, payload };
  }

  /**
   * Message 2, once, after a message 1 that held (two agreements); the secrets of the handshake are gone with it.
   * `ephemeral`: drawn for this message and used in no other.
   */
  write(payload: Uint8Array, ephemeral: KeyPair): Transport & { readonly message: Uint8Array } {
    const peer = this.#peer;
    assert(peer !== undefined, 'message 2 answers a message 1, once');
    const { state } = peer;
    state.mixEphemeral(ephemeral.publicKey);
    // Neither key is of low order: `read` has agreed with both.
    const agreed = state.mixAgreement(ephemeral.agree(peer.ephemeral)) && state.mixAgreement(ephemeral.agree(peer.statics));
    assert(agreed, 'a key agreed once and not again');
    const message = Buffer.concat([ephemeral.publicKey, state.mixPsk(this.#parties.psk).seal(payload)]);
    assert(message.length <= MESSAGE_MAX, 'a Noise message has at most 65535 bytes');
    const [receiveKey, sendKey, handshakeHash] = state.split();
    this.close();
    return { message, sendKey, receiveKey, handshakeHash };
  }

  /** Leaves message 1 unanswered: what was learnt from it is gone. */
  close(): void {
    this.#peer?.state.wipe();
    this.#peer = undefined;
  }
}

/** §5.2. In this pattern every key seals one thing, so the nonce is always that of 0 and a key is gone once it was used. */
class SymmetricState {
  #hash: Uint8Array;
  #chainingKey: Uint8Array;
  #key: Uint8Array | undefined;

  private constructor(hash: Uint8Array, chainingKey: Uint8Array) {
    this.#hash = hash;
    this.#chainingKey = Uint8Array.from(chainingKey);
  }

  /** `responderStatic` is the pre-message. */
  static begin(prologue: Uint8Array, responderStatic: Uint8Array): SymmetricState {
    const state = new SymmetricState(PROTOCOL_HASH, PROTOCOL_HASH);
    state.#mixHash(prologue);
    state.#mixHash(responderStatic);
    return state;
  }

  /** Between two messages, where no key is pending. */
  copy(): SymmetricState {
    return new SymmetricState(this.#hash, this.#chainingKey);
  }

  /** Token `e`; with a psk in the pattern it goes into the key as well (§9.2). */
  mixEphemeral(publicKey: Uint8Array): void {
    this.#mixHash(publicKey);
    this.#mixKey(publicKey);
  }

  /** Tokens `es`, `ss`, `ee`, `se`. The secret is wiped. False: there is none. */
  mixAgreement(secret: Uint8Array | undefined): boolean {
    if (secret === undefined) return false;
    this.#mixKey(secret);
    secret.fill(0);
    return true;
  }

  /** Token `psk`: MixKeyAndHash. */
  mixPsk(psk: Uint8Array): this {
    assert(psk.length === KEY_BYTES, `a psk has ${KEY_BYTES} bytes`);
    const [chainingKey, hash, key] = this.#derive(psk, 3) as [Uint8Array, Uint8Array, Uint8Array];
    this.#renew(chainingKey, key);
    this.#mixHash(hash);
    return this;
  }

  /** EncryptAndHash. */
  seal(plain: Uint8Array): Uint8Array {
    const key = this.#takeKey();
    const sealed = seal(key, NONCE, this.#hash, plain);
    key.fill(0);
    this.#mixHash(sealed);
    return sealed;
  }

  /** DecryptAndHash. Undefined: the tag does not hold, and the state is of no more use. */
  open(sealed: Uint8Array): Uint8Array | undefined {
    const key = this.#takeKey();
    const plain = open(key, NONCE, this.#hash, sealed);
    key.fill(0);
    if (plain !== undefined) this.#mixHash(sealed);
    return plain;
  }

  /** The keys of the initiator and of the responder, and the handshake hash. Ends the state. */
  split(): readonly [initiator: Uint8Array, responder: Uint8Array, hash: Uint8Array] {
    const [initiator, responder] = this.#derive(EMPTY, 2) as [Uint8Array, Uint8Array];
    this.wipe();
    return [initiator, responder, this.#hash];
  }

  wipe(): void {
    this.#chainingKey.fill(0);
    this.#key?.fill(0);
    this.#key = undefined;
  }

  #mixHash(bytes: Uint8Array): void {
    this.#hash = sha256(this.#hash, bytes);
  }

  #mixKey(input: Uint8Array): void {
    const [chainingKey, key] = this.#derive(input, 2) as [Uint8Array, Uint8Array];
    this.#renew(chainingKey, key);
  }

  #renew(chainingKey: Uint8Array, key: Uint8Array): void {
    this.wipe();
    this.#chainingKey = chainingKey;
    this.#key = key;
  }

  #takeKey(): Uint8Array {
    const key = this.#key;
    assert(key !== undefined, 'a key of the handshake seals once');
    this.#key = undefined;
    return key;
  }

  /** The HKDF of §4.3 is that of RFC 5869 with the chaining key as its salt and no info. */
  #derive(input: Uint8Array, count: number): Uint8Array[] {
    const bytes = new Uint8Array(hkdfSync('sha256', input, this.#chainingKey, EMPTY, count * HASH_BYTES));
    const parts = Array.from({ length: count }, (_, i) => bytes.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES));
    bytes.fill(0);
    return parts;
  }
}

const sha256 = (a: Uint8Array, b: Uint8Array): Uint8Array => createHash('sha256').update(a).update(b).digest();
