/**
 * The 48-bit address of a node: a label that outlives every change of its IP address, and never an authenticator.
 *
 * It is made from the Ed25519 key by scrypt (RFC 7914), so that hitting a given address costs 2^48 times tens of milliseconds. Two keys may
 * still share one by chance or by effort: whatever is authorised, pinned or revoked is named by its whole key.
 */
import { scrypt } from 'node:crypto';
import { assert, MeshError } from '../../../core/errors.ts';
import { KEY_BYTES } from '../curve.ts';
import { Lanes } from '../lanes.ts';

/** Text form, `XXXX.XXXX.XXXX` in upper-case hex: equal texts are equal addresses. Never one of the two reserved values. */
export type OverlayAddress = string & { readonly [BRAND]: true };
declare const BRAND: unique symbol;

/** `cheap` is for tests: it makes networks of its own, since the name is hashed into the network id. */
export type AddressProfile = 'standard' | 'cheap';

export const ADDRESS_BYTES = 6;
const SALT = Buffer.from('OVL1/addr');
const COST: Readonly<Record<AddressProfile, { readonly N: number; readonly r: number; readonly p: number }>> = {
  standard: { N: 2 ** 14, r: 8, p: 1 },
  cheap: { N: 2 ** 4, r: 8, p: 1 },
};
const TEXT = /^[0-9A-F]{4}\.[0-9A-F]{4}\.[0-9A-F]{4}$/;
/** All zeros: no address. All ones: kept for later. */
const RESERVED: ReadonlySet<string> = new Set(['0000.0000.0000', 'FFFF.FFFF.FFFF']);

const lanes = new Lanes(2);

/**
 * The address of a key; undefined: its address is reserved, so no node may use the key (one of 2^47).
 *
 * Cost:  standard 16 MiB and about 40 ms on a thread of libuv's pool; cheap 16 KiB and microseconds. At most two run at a time, process-wide,
 *        so that the pool keeps threads for files and names. Ask after authorisation, and remember the answer.
 */
export async function addressOf(
  publicKey: Uint8Array,
  profile: AddressProfile = 'standard',
): Promise<OverlayAddress | undefined> {
  assert(publicKey.length === KEY_BYTES, `a public key has ${KEY_BYTES} bytes, not ${publicKey.length}`);
  return addressFromBytes(await lanes.run(() => stretch(publicKey, profile)));
}

/** From the wire; undefined: not six bytes, or reserved. */
export function addressFromBytes(bytes: Uint8Array): OverlayAddress | undefined {
  if (bytes.length !== ADDRESS_BYTES) return undefined;
  const hex = Buffer.from(bytes).toString('hex').toUpperCase();
  const text = `${hex.slice(0, 4)}.${hex.slice(4, 8)}.${hex.slice(8)}`;
  return RESERVED.has(text) ? undefined : (text as OverlayAddress);
}

/** Six bytes, in the order of the text. */
export const addressBytes = (address: OverlayAddress): Uint8Array => Buffer.from(address.replaceAll('.', ''), 'hex');

/** What a person typed; small letters will do. Throws NET_ADDRESS_INVALID. */
export function parseAddress(text: string): OverlayAddress {
  const address = text.trim().toUpperCase();
  if (!TEXT.test(address)) {
    const shown = JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);
    throw new MeshError(
      'NET_ADDRESS_INVALID',
      `${shown} is no address of a node: it is three groups of four hex digits, as 0A1B.2C3D.4E5F`,
    );
  }
  if (RESERVED.has(address)) throw new MeshError('NET_ADDRESS_INVALID', `${address} is reserved: no node has it`);
  return address as OverlayAddress;
}

const stretch = (publicKey: Uint8Array, profile: AddressProfile): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    scrypt(publicKey, SALT, ADDRESS_BYTES, COST[profile], (error, bytes) => (error === null ? resolve(bytes) : reject(error)));
  });
