/**
 * Who a node is: one Ed25519 key, its X25519 twin for handshakes, and the address that is made from it.
 *
 * Every signature says what kind of statement it is and for which network, so that none can be shown as another:
 *
 *   Ed25519( "OVL1/" kind 0x00 || networkId (32 bytes) || bytes )
 */
import { assert, MeshError } from '../../../core/errors.ts';
import { isMemberKey, SigningKey, verifySignature, type ExchangeKey } from '../curve.ts';
import { addressOf, type AddressProfile, type OverlayAddress } from './address.ts';

const NETWORK_ID_BYTES = 32;
const SEED_BYTES = 32;
const KIND = /^[a-z][a-z0-9-]{0,31}$/;

export interface Identity {
  /** Ed25519, 32 bytes: the name by which everything authorises. */
  readonly publicKey: Uint8Array;
  /** A label of `publicKey` for people and routing. */
  readonly address: OverlayAddress;
  /** The static key of handshakes: the X25519 form of the same key. */
  readonly exchange: ExchangeKey;
  /** 64 bytes. `kind`: a small-letter word, as `certificate`. */
  sign(kind: string, networkId: Uint8Array, bytes: Uint8Array): Uint8Array;
  /** PKCS #8 in PEM. It is the secret: for key files only. */
  toPem(): string;
}

/** Whether `signature` is that of `publicKey` over this statement. False for all that is malformed, too. */
export function verifyStatement(
  publicKey: Uint8Array,
  kind: string,
  networkId: Uint8Array,
  bytes: Uint8Array,
  signature: Uint8Array,
): boolean {
  return verifySignature(publicKey, statement(kind, networkId, bytes), signature);
}

/**
 * A new identity. Seeds are drawn until one makes a key that a member may have: about two are needed, see `exchangeKeyOf`.
 * What `random` gives is wiped. `addressIn` is for tests of reserved addresses.
 */
export async function generateIdentity(
  random: (bytes: number) => Uint8Array,
  profile: AddressProfile = 'standard',
  addressIn: typeof addressOf = addressOf,
): Promise<Identity> {
  for (;;) {
    const seed = random(SEED_BYTES);
    const key = new SigningKey(seed);
    seed.fill(0);
    const address = isMemberKey(key.publicKey) ? await addressIn(key.publicKey, profile) : undefined;
    if (address !== undefined) return identityOf(key, address);
  }
}

/** The identity of a seed that `generateIdentity` has drawn. Throws NET_KEY_INVALID for half of all others: see `exchangeKeyOf`. */
export async function identityFromSeed(seed: Uint8Array, profile: AddressProfile = 'standard'): Promise<Identity> {
  const key = new SigningKey(seed);
  const address = isMemberKey(key.publicKey) ? await addressOf(key.publicKey, profile) : undefined;
  if (address === undefined) {
    throw new MeshError(
      'NET_KEY_INVALID',
      'no node may have this key: the sign bit of its public key is set, or its address is reserved',
    );
  }
  return identityOf(key, address);
}

const identityOf = (key: SigningKey, address: OverlayAddress): Identity => ({
  publicKey: key.publicKey,
  address,
  exchange: key.exchange,
  sign: (kind, networkId, bytes) => key.sign(statement(kind, networkId, bytes)),
  toPem: () => key.toPem(),
});

function statement(kind: string, networkId: Uint8Array, bytes: Uint8Array): Uint8Array {
  assert(KIND.test(kind), `'${kind}' is no kind of statement`);
  assert(networkId.length === NETWORK_ID_BYTES, `a network id has ${NETWORK_ID_BYTES} bytes, not ${networkId.length}`);
  return Buffer.concat([Buffer.from(`OVL1/${kind}\0`), networkId, bytes]);
}
