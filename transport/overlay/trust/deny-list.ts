/**
 * Deny lists: which keys are members no more, signed by a CA key.
 *
 *   [[1, networkId, CA key, number, [key 32 …]], signature]      kind `deny-list`; keys ascending
 *
 * A list replaces the one before it of the same CA key, and only if its number is higher, so nobody can bring back an older one. Each CA
 * key has lists of its own, and a key that stands in any is denied: a stolen CA key cannot empty the list of another. An issuing key that
 * is denied denies all that it has certified.
 */
import { KEY_BYTES } from '../curve.ts';
import { areAscending, compareKeys, sameBytes, type Network } from './descriptor.ts';
import { pack, Unpacker } from './encoding.ts';
import { isSignedBy, NETWORK_ID_BYTES, packable, parseSigned, sign, type Signer } from './signed.ts';
import { hexOf } from '../key-text.ts';

interface DenyList {
  readonly caKey: Uint8Array;
  /** From 1. */
  readonly number: number;
  readonly keys: readonly Uint8Array[];
}

/** A list that is known: of which CA key (hex), which number, and its bytes. */
export interface DenyListHead {
  readonly caKey: string;
  readonly number: number;
  readonly bytes: Uint8Array;
}

interface Known {
  readonly list: DenyList;
  readonly bytes: Uint8Array;
}

/** Why a list is not taken, in words. `known` is no fault. */
export const DENY_LIST_FAULTS = {
  malformed: 'it is no deny list, or was cut or changed',
  wrong_network: 'it is for another network',
  not_from_ca: 'its key is no CA key of the network',
  not_newer: 'a list with this or a higher number is known',
  bad_signature: 'its signature does not hold',
} as const;

export type DenyListFault = keyof typeof DENY_LIST_FAULTS;

export const DENIED_KEYS_MAX = 4096;
/** 34 bytes a key and what stands around them. */
export const DENY_LIST_BYTES_MAX = 34 * DENIED_KEYS_MAX + 256;

const FORMAT = 1;

/** A list of these keys, in any order, at most 4,096. */
export function signDenyList(ca: Signer, networkId: Uint8Array, number: number, keys: Iterable<Uint8Array>): Uint8Array {
  const unique = [...new Map(Array.from(keys, (key) => [hexOf(key), key])).values()].sort(compareKeys);
  return pack(packable(sign(ca, 'deny-list', networkId, [FORMAT, networkId, ca.publicKey, number, unique])));
}

/** The newest list of each CA key of a network. */
export class DenyLists {
  private readonly network: Network;
  private readonly newest = new Map<string, Known>();
  private denied: ReadonlySet<string> = new Set();

  constructor(network: Network) {
    this.network = network;
  }

  /** Whether a key stands in a list. It may be asked of any bytes. */
  has(publicKey: Uint8Array): boolean {
    return this.denied.has(hexOf(publicKey));
  }

  /**
   * Take a list from a file or a peer. `installed`: from now on `has` knows it, and whoever is connected has to be authorised again;
   * `known`: it was the newest already. Everything else changes nothing.
   */
  install(bytes: Uint8Array): 'installed' | 'known' | DenyListFault {
    const signed = bytes.length > DENY_LIST_BYTES_MAX ? undefined : parseSigned(bytes, DENY_LIST_BYTES_MAX);
    const parsed = signed === undefined ? undefined : parseBody(signed.body);
    if (signed === undefined || parsed === undefined) return 'malformed';
    const { list } = parsed;
    if (!sameBytes(parsed.networkId, this.network.networkId)) return 'wrong_network';
    if (!this.network.caKeys.some((key) => sameBytes(key, list.caKey))) return 'not_from_ca';
    const last = this.newest.get(hexOf(list.caKey));
    if (last !== undefined && sameBytes(last.bytes, bytes)) return 'known';
    if (last !== undefined && list.number <= last.list.number) return 'not_newer';
    if (!isSignedBy(list.caKey, 'deny-list', this.network.networkId, signed)) return 'bad_signature';
    this.newest.set(hexOf(list.caKey), { list, bytes: new Uint8Array(bytes) });
    this.denied = new Set([...this.newest.values()].flatMap((known) => known.list.keys.map(hexOf)));
    return 'installed';
  }

  /** The newest list of this CA key: its number (0: there is none) and its keys. */
  of(caKey: Uint8Array): Pick<DenyList, 'number' | 'keys'> {
    return this.newest.get(hexOf(caKey))?.list ?? { number: 0, keys: [] };
  }

  /** The newest lists. */
  heads(): readonly DenyListHead[] {
    return [...this.newest.values()].map(headOf);
  }

  /** The newest lists in which any of these keys stands: they prove to whom that is news that it is no member any more. */
  denying(...keys: readonly Uint8Array[]): readonly DenyListHead[] {
    const isMeant = (denied: Uint8Array): boolean => keys.some((key) => sameBytes(denied, key));
    return [...this.newest.values()].filter(({ list }) => list.keys.some(isMeant)).map(headOf);
  }

  /** The bytes of the newest lists, to be kept and handed on. */
  lists(): readonly Uint8Array[] {
    return [...this.newest.values()].map(({ bytes }) => bytes);
  }
}

function parseBody(body: Uint8Array): { readonly networkId: Uint8Array; readonly list: DenyList } | undefined {
  const from = new Unpacker(body);
  from.list(5);
  if (from.uint() !== FORMAT) from.fail();
  const networkId = from.bytes(NETWORK_ID_BYTES);
  const caKey = from.bytes(KEY_BYTES);
  const number = from.uint();
  const keys = from.items(DENIED_KEYS_MAX, () => from.bytes(KEY_BYTES));
  return from.end() && number > 0 && areAscending(keys) ? { networkId, list: { caKey, number, keys } } : undefined;
}

const headOf = ({ list, bytes }: Known): DenyListHead => ({ caKey: hexOf(list.caKey), number: list.number, bytes });
