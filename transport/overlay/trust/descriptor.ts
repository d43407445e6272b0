/**
 * What a network is: its name, the keys that may admit members, and what all members have agreed on.
 *
 *   [1, name, [CA key 32 …], address profile, protocol version, [messageBytesMax, certificateLifeMs, recordTtlMs]]
 *
 * The network id is the SHA-256 of these bytes. It is the prologue of every handshake and part of every signature: whoever has another
 * descriptor, be it in one limit, is in another network and hears nothing. So nothing in it can be talked down.
 */
import { createHash } from 'node:crypto';
import { MeshError } from '../../../core/errors.ts';
import { isMemberKey, KEY_BYTES } from '../curve.ts';
import type { AddressProfile } from '../identity/address.ts';
import { NAME, pack, Unpacker } from './encoding.ts';

export interface NetworkLimits {
  /** The largest message, 1 KiB to 16 MiB. */
  readonly messageBytesMax: number;
  /** The longest life of a membership certificate, a minute to 31 days. It bounds the harm where a deny list is withheld. */
  readonly certificateLifeMs: number;
  /** The longest life of a registration, a second to ten minutes. */
  readonly recordTtlMs: number;
}

export interface Descriptor {
  readonly name: string;
  /** Ed25519, at most four, ascending, so that the same set gives the same id. None: members are pinned by their keys. */
  readonly caKeys: readonly Uint8Array[];
  readonly addressProfile: AddressProfile;
  readonly limits: NetworkLimits;
}

/** A descriptor with its encoding and the id that this gives. */
export interface Network extends Descriptor {
  readonly networkId: Uint8Array;
  readonly bytes: Uint8Array;
}

export type DescriptorFault = 'malformed' | 'newer_version';

export const LIMITS: NetworkLimits = { messageBytesMax: 2 ** 20, certificateLifeMs: 24 * 3_600_000, recordTtlMs: 60_000 };
export const CA_KEYS_MAX = 4;
/** One list, four keys, the longest name. */
export const DESCRIPTOR_BYTES_MAX = 256;

const FORMAT = 1;
/** Of the packets and of the handshake: OVL1. */
const PROTOCOL = 1;
const NAME_MAX = 63;
const PROFILES: readonly AddressProfile[] = ['standard', 'cheap'];
const LIMIT_NAMES = ['messageBytesMax', 'certificateLifeMs', 'recordTtlMs'] as const satisfies readonly (keyof NetworkLimits)[];
const RANGES: Readonly<Record<keyof NetworkLimits, readonly [least: number, most: number]>> = {
  messageBytesMax: [2 ** 10, 2 ** 24],
  certificateLifeMs: [60_000, 31 * 24 * 3_600_000],
  recordTtlMs: [1_000, 600_000],
};

/**
 * The network of this descriptor. Keys may stand in any order.
 *
 * Throws: NET_NETWORK_INVALID for a bad name, a limit out of its range, more than four keys, one twice, or one that no one may have.
 */
export function networkOf({ name, caKeys, addressProfile, limits }: Descriptor): Network {
  if (!NAME.test(name)) {
    throw invalid(`${JSON.stringify(name)} is no name: 1 to ${NAME_MAX} letters, digits and . _ -, with a letter or digit first`);
  }
  for (const limit of LIMIT_NAMES) {
    const [least, most] = RANGES[limit];
    if (!Number.isInteger(limits[limit]) || limits[limit] < least || limits[limit] > most)
      throw invalid(`${limit} is ${limits[limit]}; it is a whole number from ${least} to ${most}`);
  }
  if (caKeys.length > CA_KEYS_MAX) throw invalid(`${caKeys.length} CA keys; there are at most ${CA_KEYS_MAX}`);
  const keys = caKeys.toSorted(compareKeys);
  if (!areAscending(keys)) throw invalid('a CA key is named twice');
  if (!keys.every(isMemberKey)) throw invalid('a CA key is none that Reprise has made');
  const bytes = pack([FORMAT, name, keys, addressProfile, PROTOCOL, LIMIT_NAMES.map((limit) => limits[limit])]);
  return parseNetwork(bytes) as Network;
}

/** From bytes, all of them. About 1 ms a key. */
export function parseNetwork(bytes: Uint8Array): Network | DescriptorFault {
  if (bytes.length > DESCRIPTOR_BYTES_MAX) return 'malformed';
  const from = new Unpacker(bytes);
  from.list(6);
  const format = from.uint(0xff);
  if (!from.bad && format !== FORMAT) return format > FORMAT ? 'newer_version' : 'malformed';
  const name = from.text(NAME, NAME_MAX);
  const caKeys = from.items(CA_KEYS_MAX, () => from.bytes(KEY_BYTES));
  const profile = from.text(/^[a-z]+$/, 16);
  const protocol = from.uint(0xff);
  from.list(LIMIT_NAMES.length);
  const [messageBytesMax = 0, certificateLifeMs = 0, recordTtlMs = 0] = LIMIT_NAMES.map((limit) => readLimit(from, limit));
  const addressProfile = PROFILES.find((known) => known === profile);
  if (!from.end() || addressProfile === undefined || protocol < PROTOCOL) return 'malformed';
  if (protocol > PROTOCOL) return 'newer_version';
  if (!areAscending(caKeys) || !caKeys.every(isMemberKey)) return 'malformed';
  const copy = new Uint8Array(bytes);
  const networkId = Uint8Array.from(createHash('sha256').update(copy).digest());
  const limits = { messageBytesMax, certificateLifeMs, recordTtlMs };
  return { name, caKeys, addressProfile, limits, networkId, bytes: copy };
}

/** As `parseNetwork`, for a file of this node. Throws NET_NETWORK_INVALID; `source` is named in the message. */
export function readNetwork(bytes: Uint8Array, source: string): Network {
  const network = parseNetwork(bytes);
  if (network === 'newer_version') throw invalid(`${source} is of a network that needs a newer version of Reprise`);
  if (network === 'malformed') throw invalid(`${source} holds no descriptor of a network`);
  return network;
}

/** Bytewise. */
export const compareKeys = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b);

/** Each greater than the one before: sorted, and none twice. */
export const areAscending = (keys: readonly Uint8Array[]): boolean =>
  keys.every((key, i) => i === 0 || compareKeys(keys[i - 1] as Uint8Array, key) < 0);

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

function readLimit(from: Unpacker, limit: keyof NetworkLimits): number {
  const [least, most] = RANGES[limit];
  const value = from.uint(most);
  if (value < least) from.fail();
  return value;
}

const invalid = (message: string): MeshError => new MeshError('NET_NETWORK_INVALID', message);
