/**
 * Bodies of REGISTER, RESOLVE, RECORD and RELAY; docs/overlay-wire.md specifies the bytes.
 *
 * Parsers are for bytes of peers: undefined is malformed, nothing throws, and byte fields are views. Builders are for our own values: what
 * does not fit is a programmer error.
 */
import { assert } from '../../../core/errors.ts';
import { KEY_BYTES } from '../curve.ts';
import { ADDRESS_BYTES, addressFromBytes } from '../identity/address.ts';
import { NAME } from '../trust/encoding.ts';
import { RECORD_BYTES_MAX, type RecordFault } from '../trust/record.ts';
import type { RecordRefusal } from '../trust/records.ts';
import { Reader, Writer, varintBytes } from '../wire/bytes.ts';
import { HASH_BYTES } from './hash.ts';

/** Body of a RECORD: with its type and its length the frame has at most 1,100 bytes, which fit into every packet. */
export const RECORD_BODY_BYTES_MAX = 1_097;
/** Inner packet of a RELAY: with all around it, it fits into the 1,280 bytes that every IPv6 path takes. */
export const RELAYED_BYTES_MAX = 1_184;
/** Records in answer to one RESOLVE: enough to see that a name or an address is not that of one node. Of all members so many are told at once. */
export const RECORDS_MAX = 4;
/** Parts of one answer. */
export const PARTS_MAX = 16;
/** Relays whose endpoints are told in one answer. */
export const RELAYS_TOLD_MAX = 8;
export const RELAY_ENDPOINTS_MAX = 4;
/** Of `host:port`, `ws://host:port`, `wss://host:port`. Four of them, the key and the head of the answer fit into a RECORD. */
export const ENDPOINT_TEXT_MAX = 253;

/** Why a REGISTER or a RESOLVE was refused. The place in this list is the number on the wire. */
export const REFUSALS = [
  'malformed',
  'wrong_network',
  'ttl_too_long',
  'bad_signature',
  'not_its_key',
  'address_mismatch',
  'record_expired',
  'record_from_future',
  'record_not_newer',
  'records_full',
  'hash_taken',
  'busy',
] as const satisfies readonly (RecordFault | RecordRefusal | 'hash_taken' | 'busy')[];
export type Refusal = (typeof REFUSALS)[number];

/** `id` comes back with the answer. */
export interface RegisterBody {
  readonly id: number;
  /** Of `signRecord`, unread. */
  readonly record: Uint8Array;
}

/**
 * By a whole key (32 bytes), by an address (6), or by the name that records claim (ASCII). 'after': the first `RECORDS_MAX` whose `keyHash` is greater
 * than this one (8), in the order of hashes; so all members are told, page by page.
 */
export interface Asked {
  readonly type: 'key' | 'address' | 'name' | 'after';
  readonly value: Uint8Array;
}

export interface ResolveBody extends Asked {
  readonly id: number;
}

/** Where a relay is, as far as its server knows. */
export interface RelayPlace {
  readonly key: Uint8Array;
  /** Printable ASCII; whether they are endpoints is for the reader to see. */
  readonly endpoints: readonly string[];
}

export type RecordBody =
  /** For that long, unless the session ends before. */
  | { readonly type: 'registered'; readonly id: number; readonly forMs: number }
  | { readonly type: 'refused'; readonly id: number; readonly reason: Refusal }
  /** Part `part` of `parts`, which may come in any order, and twice. Nothing was found: one part, which is empty. */
  | ({ readonly type: 'found'; readonly id: number; readonly part: number; readonly parts: number } & Finds)
  /** To who has sent a RELAY: the one for whom it was is not registered here. */
  | { readonly type: 'not_here'; readonly hash: Uint8Array };

export interface Finds {
  /** Signed records, unread. */
  readonly records: readonly Uint8Array[];
  /** Of relays that the records name. */
  readonly relays: readonly RelayPlace[];
}

export interface RelayBody {
  /** 'to': the hash names for whom it is. 'from': it was passed on, and the hash names of whom it is. */
  readonly type: 'to' | 'from';
  readonly hash: Uint8Array;
  readonly packet: Uint8Array;
}

const QUESTIONS = ['key', 'address', 'name', 'after'] as const;
const KIND = { registered: 0, refused: 1, found: 2, not_here: 3 } as const;
const DIRECTION = { to: 0, from: 1 } as const;
/** Before the counts of a 'found': kind, id, part, parts. */
const FOUND_HEAD_BYTES = 1 + 8 + 1 + 1 + 1 + 1;
const PRINTABLE = /^[\x20-\x7e]+$/;

export function parseRegister(bytes: Uint8Array): RegisterBody | undefined {
  const from = new Reader(bytes);
  const id = from.varint();
  const record = from.rest();
  return from.bad || record.length === 0 || record.length > RECORD_BYTES_MAX ? undefined : { id, record };
}

export function buildRegister({ id, record }: RegisterBody): Uint8Array {
  assert(record.length > 0 && record.length <= RECORD_BYTES_MAX, `a record has at most ${RECORD_BYTES_MAX} bytes`);
  const writer = new Writer();
  writer.varint(id);
  writer.bytes(record);
  return writer.written();
}

export function parseResolve(bytes: Uint8Array): ResolveBody | undefined {
  const from = new Reader(bytes);
  const id = from.varint();
  const type = QUESTIONS[from.u8()];
  const value = from.rest();
  return from.bad || type === undefined || !isAsked({ type, value }) ? undefined : { type, id, value };
}

export function buildResolve({ id, type, value }: ResolveBody): Uint8Array {
  assert(isAsked({ type, value }), `that is no ${type}`);
  const writer = new Writer();
  writer.varint(id);
  writer.u8(QUESTIONS.indexOf(type));
  writer.bytes(value);
  return writer.written();
}

/** Whether this may be asked for: 32 bytes, an address that a node may have, a name, a hash. */
export function isAsked({ type, value }: Asked): boolean {
  if (type === 'key') return value.length === KEY_BYTES;
  if (type === 'address') return value.length === ADDRESS_BYTES && addressFromBytes(value) !== undefined;
  if (type === 'after') return value.length === HASH_BYTES;
  return value.length <= 63 && NAME.test(Buffer.from(value).toString('latin1'));
}

export function parseRecordBody(bytes: Uint8Array): RecordBody | undefined {
  if (bytes.length > RECORD_BODY_BYTES_MAX) return undefined;
  const from = new Reader(bytes);
  const body = readRecordBody(from);
  return from.bad || from.left > 0 ? undefined : body;
}

function readRecordBody(from: Reader): RecordBody | undefined {
  switch (from.u8()) {
    case KIND.registered:
      return { type: 'registered', id: from.varint(), forMs: from.varint() };
    case KIND.refused: {
      const id = from.varint();
      const reason = REFUSALS[from.u8()];
      return reason === undefined ? undefined : { type: 'refused', id, reason };
    }
    case KIND.found:
      return readFound(from);
    case KIND.not_here:
      return { type: 'not_here', hash: from.bytes(HASH_BYTES) };
    default:
      return undefined;
  }
}

function readFound(from: Reader): RecordBody | undefined {
  const id = from.varint();
  const part = from.u8();
  const parts = from.u8();
  if (part >= parts || parts > PARTS_MAX) return undefined;
  const records = items(from, RECORDS_MAX, () => filled(from, RECORD_BYTES_MAX));
  const relays = items(from, from.left, () => {
    const key = from.bytes(KEY_BYTES);
    return { key, endpoints: items(from, RELAY_ENDPOINTS_MAX, () => endpointText(from)) };
  });
  return { type: 'found', id, part, parts, records, relays };
}

/** As many as the next byte says. More than `max`: malformed. */
function items<T>(from: Reader, max: number, read: () => T): T[] {
  const count = from.u8();
  if (count > max) from.fail();
  const all: T[] = [];
  while (!from.bad && all.length < count) all.push(read());
  return all;
}

/** The next bytes with their length: 1 to `max`. */
function filled(from: Reader, max: number): Uint8Array {
  const bytes = from.bytes(from.varint());
  if (bytes.length === 0 || bytes.length > max) from.fail();
  return bytes;
}

function endpointText(from: Reader): string {
  const text = Buffer.from(filled(from, ENDPOINT_TEXT_MAX)).toString('latin1');
  if (!PRINTABLE.test(text)) from.fail();
  return text;
}

export function buildRecordBody(body: RecordBody): Uint8Array {
  const writer = new Writer();
  writer.u8(KIND[body.type]);
  switch (body.type) {
    case 'registered':
      writer.varint(body.id);
      writer.varint(body.forMs);
      break;
    case 'refused':
      writer.varint(body.id);
      writer.u8(REFUSALS.indexOf(body.reason));
      break;
    case 'found':
      putFound(writer, body);
      break;
    case 'not_here':
      assert(body.hash.length === HASH_BYTES, `a hash has ${HASH_BYTES} bytes`);
      writer.bytes(body.hash);
  }
  assert(writer.length <= RECORD_BODY_BYTES_MAX, 'a RECORD is too long');
  return writer.written();
}

function putFound(writer: Writer, { id, part, parts, records, relays }: Extract<RecordBody, { type: 'found' }>): void {
  assert(part < parts && parts <= PARTS_MAX, `there are at most ${PARTS_MAX} parts`);
  writer.varint(id);
  writer.u8(part);
  writer.u8(parts);
  writer.u8(records.length);
  for (const record of records) putFilled(writer, record);
  writer.u8(relays.length);
  for (const { key, endpoints } of relays) {
    assert(key.length === KEY_BYTES, `a public key has ${KEY_BYTES} bytes`);
    writer.bytes(key);
    writer.u8(endpoints.length);
    for (const endpoint of endpoints) putFilled(writer, Buffer.from(endpoint, 'latin1'));
  }
}

function putFilled(writer: Writer, bytes: Uint8Array): void {
  writer.varint(bytes.length);
  writer.bytes(bytes);
}

/** The answer to RESOLVE `id`, in as many RECORDs as it takes. Relays and endpoints that are too many are left out, too long ones too. */
export function buildFinds(id: number, { records, relays }: Finds): Uint8Array[] {
  const parts: { records: Uint8Array[]; relays: RelayPlace[] }[] = [{ records: [], relays: [] }];
  let room = RECORD_BODY_BYTES_MAX - FOUND_HEAD_BYTES;
  const partWith = (bytes: number): { records: Uint8Array[]; relays: RelayPlace[] } => {
    if (bytes > room) {
      parts.push({ records: [], relays: [] });
      room = RECORD_BODY_BYTES_MAX - FOUND_HEAD_BYTES;
    }
    room -= bytes;
    return parts.at(-1) as (typeof parts)[number];
  };
  for (const record of records) partWith(sizeOf(record.length)).records.push(record);
  for (const { key, endpoints: all } of relays.slice(0, RELAYS_TOLD_MAX)) {
    const endpoints = all
      .filter((text) => text.length <= ENDPOINT_TEXT_MAX && PRINTABLE.test(text))
      .slice(0, RELAY_ENDPOINTS_MAX);
    const bytes = endpoints.reduce((sum, { length }) => sum + sizeOf(length), KEY_BYTES + 1);
    partWith(bytes).relays.push({ key, endpoints });
  }
  return parts.map((part, i) => buildRecordBody({ type: 'found', id, part: i, parts: parts.length, ...part }));
}

const sizeOf = (length: number): number => varintBytes(length) + length;

export function parseRelay(bytes: Uint8Array): RelayBody | undefined {
  const from = new Reader(bytes);
  const direction = from.u8();
  const hash = from.bytes(HASH_BYTES);
  const packet = from.rest();
  if (from.bad || direction > DIRECTION.from || packet.length === 0 || packet.length > RELAYED_BYTES_MAX) return undefined;
  return { type: direction === DIRECTION.to ? 'to' : 'from', hash, packet };
}

/** A copy of the packet with what goes before it. */
export function buildRelay({ type, hash, packet }: RelayBody): Uint8Array {
  assert(hash.length === HASH_BYTES, `a hash has ${HASH_BYTES} bytes`);
  assert(packet.length > 0 && packet.length <= RELAYED_BYTES_MAX, `a relayed packet has at most ${RELAYED_BYTES_MAX} bytes`);
  const body = new Uint8Array(1 + HASH_BYTES + packet.length);
  body[0] = DIRECTION[type];
  body.set(hash, 1);
  body.set(packet, 1 + HASH_BYTES);
  return body;
}
