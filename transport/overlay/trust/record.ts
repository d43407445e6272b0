/**
 * Registration records: a member's own word on by which relays it can be reached.
 *
 *   [[1, networkId, pk, address 6, seq, ttlMs, [relay pk 32 …], name], signature]      kind `record`, signed by pk itself
 *
 * No IP address is in it: those travel only end to end, so a relay that lies can deny service and nothing else. `seq` is the wall clock of
 * the signer in ms, and always higher than its last: it orders records, and whoever reads one sees how old it is. `name` is a claim:
 * whoever goes by names compares with the name in the certificate.
 */
import { KEY_BYTES } from '../curve.ts';
import { ADDRESS_BYTES, addressBytes, addressFromBytes, type OverlayAddress } from '../identity/address.ts';
import type { Identity } from '../identity/identity.ts';
import { sameBytes, type Network } from './descriptor.ts';
import { NAME_OR_NONE, pack, Unpacker } from './encoding.ts';
import { isSignedBy, NETWORK_ID_BYTES, packable, parseSigned, sign } from './signed.ts';

export interface NodeRecord {
  readonly publicKey: Uint8Array;
  /** As claimed; `Records` compares it with the key's own. */
  readonly address: OverlayAddress;
  readonly seq: number;
  readonly ttlMs: number;
  /** Public keys, the home relay first. */
  readonly relays: readonly Uint8Array[];
  /** As claimed; may be empty. */
  readonly name: string;
}

/** A record whose signature holds, with its bytes as they are handed on. */
export interface SignedRecord extends NodeRecord {
  readonly bytes: Uint8Array;
}

export type RecordFault = 'malformed' | 'wrong_network' | 'ttl_too_long' | 'bad_signature';

export const RECORD_RELAYS_MAX = 4;
export const RECORD_BYTES_MAX = 400;

const FORMAT = 1;
const NAME_MAX = 63;

/** The record of this identity. Its `seq` should be `nextSeq`. */
export function signRecord(
  identity: Identity,
  { networkId }: Network,
  { seq, ttlMs, relays, name }: Pick<NodeRecord, 'seq' | 'ttlMs' | 'relays' | 'name'>,
): Uint8Array {
  const body = [FORMAT, networkId, identity.publicKey, addressBytes(identity.address), seq, ttlMs, relays, name];
  return pack(packable(sign(identity, 'record', networkId, body)));
}

/** The seq for a record that is signed now, after one with `last` (0: none). */
export const nextSeq = (last: number, wallClockMs: number): number => Math.max(last + 1, Math.floor(wallClockMs));

/** A record that its key has signed for this network. Whether it is fresh, asked for and of its address: `Records`. No view into `bytes`. */
export function openRecord(bytes: Uint8Array, network: Network): SignedRecord | RecordFault {
  const signed = bytes.length > RECORD_BYTES_MAX ? undefined : parseSigned(bytes, RECORD_BYTES_MAX);
  const parsed = signed === undefined ? undefined : parseBody(signed.body);
  if (signed === undefined || parsed === undefined) return 'malformed';
  const { networkId, record } = parsed;
  if (!sameBytes(networkId, network.networkId)) return 'wrong_network';
  if (record.ttlMs > network.limits.recordTtlMs) return 'ttl_too_long';
  if (!isSignedBy(record.publicKey, 'record', networkId, signed)) return 'bad_signature';
  return { ...record, bytes: new Uint8Array(bytes) };
}

function parseBody(body: Uint8Array): { readonly networkId: Uint8Array; readonly record: NodeRecord } | undefined {
  const from = new Unpacker(body);
  from.list(8);
  if (from.uint() !== FORMAT) from.fail();
  const networkId = from.bytes(NETWORK_ID_BYTES);
  const publicKey = from.bytes(KEY_BYTES);
  const address = addressFromBytes(from.bytes(ADDRESS_BYTES));
  const seq = from.uint();
  const ttlMs = from.uint();
  const relays = from.items(RECORD_RELAYS_MAX, () => from.bytes(KEY_BYTES));
  const name = from.text(NAME_OR_NONE, NAME_MAX);
  if (!from.end() || address === undefined || ttlMs === 0) return undefined;
  return { networkId, record: { publicKey, address, seq, ttlMs, relays, name } };
}
