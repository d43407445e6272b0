/**
 * The five packets, as bytes: what a datagram holds. docs/overlay-wire.md specifies them.
 *
 *     INIT -> RESP            handshake, of which this file knows sizes and places only: session/ makes and checks what is in them
 *     COOKIE, HINT            the two answers without a session
 *     DATA                    everything else: sealed frames
 *
 * Nothing here is authenticated yet.
 */
import { assert } from '../../../core/errors.ts';
import { Reader, Writer } from './bytes.ts';

export const VERSION = 1;

export const MAC_BYTES = 16;
/** What the AEAD adds. */
export const TAG_BYTES = 16;
const KEY_BYTES = 32;
const HINT_RANDOM_BYTES = 8;

/** Where the Noise message begins in an INIT and in a RESP; it ends at `mac1At`. */
export const INIT_HEADER_BYTES = 8;
export const RESP_HEADER_BYTES = 12;
/** INIT and RESP without the plaintext of their payloads. */
export const INIT_OVERHEAD_BYTES = INIT_HEADER_BYTES + KEY_BYTES + (KEY_BYTES + TAG_BYTES) + TAG_BYTES + 2 * MAC_BYTES;
export const RESP_OVERHEAD_BYTES = RESP_HEADER_BYTES + KEY_BYTES + TAG_BYTES + 2 * MAC_BYTES;
/** An INIT has at least this, so that an answer to a forged source is never longer than the question. */
export const INIT_BYTES_MIN = 512;
/** INIT and RESP pass every path without probing it. */
export const HANDSHAKE_BYTES_MAX = 1200;
export const COOKIE_BYTES = 8 + 2 * MAC_BYTES;
export const HINT_BYTES = 8 + HINT_RANDOM_BYTES;
/** The header of DATA, which is also the associated data of its AEAD. */
export const DATA_HEADER_BYTES = 16;
export const DATA_OVERHEAD_BYTES = DATA_HEADER_BYTES + TAG_BYTES;

const TYPES = { init: 1, resp: 2, cookie: 3, data: 4, hint: 5 } as const;

/** `sender` and `receiver` are indexes of 32 bits, drawn by the one whose they are. Bytes of parsed packets are views. */
export type Packet = InitPacket | RespPacket | CookiePacket | DataPacket | HintPacket;

export interface InitPacket {
  readonly type: 'init';
  readonly sender: number;
  /** 32 bytes. */
  readonly ephemeral: Uint8Array;
  /** 48 bytes: the static key and a tag. */
  readonly sealedStatic: Uint8Array;
  /** The payload with its padding, and a tag. */
  readonly sealedPayload: Uint8Array;
  /** 16 bytes over all bytes before `mac1At`. */
  readonly mac1: Uint8Array;
  /** 16 bytes over all bytes before `mac2At`; zeros without a cookie. */
  readonly mac2: Uint8Array;
}

export interface RespPacket {
  readonly type: 'resp';
  readonly sender: number;
  readonly receiver: number;
  readonly ephemeral: Uint8Array;
  readonly sealedPayload: Uint8Array;
  readonly mac1: Uint8Array;
  readonly mac2: Uint8Array;
}

export interface CookiePacket {
  readonly type: 'cookie';
  readonly receiver: number;
  /** 16 bytes. */
  readonly cookie: Uint8Array;
  /** 16 bytes. */
  readonly tag: Uint8Array;
}

export interface DataPacket {
  readonly type: 'data';
  readonly receiver: number;
  /** 64 bits on the wire; one above 2^53 - 1 is never sent. */
  readonly pn: number;
  /** Frames, and a tag. */
  readonly sealed: Uint8Array;
}

export interface HintPacket {
  readonly type: 'hint';
  readonly receiver: number;
  /** 8 bytes. */
  readonly random: Uint8Array;
}

/** Why a datagram is no packet: reasons of drops.ts. */
export type PacketFault = 'packet_type' | 'packet_length' | 'packet_version' | 'packet_reserved' | 'packet_number';

/** Whether it has the type and the size of an INIT: for who would rather not read it now. */
export const isInit = (bytes: Uint8Array): boolean =>
  bytes[0] === TYPES.init && bytes.length >= INIT_BYTES_MIN && bytes.length <= HANDSHAKE_BYTES_MAX;

/** Keeps `bytes`: what it gives has views into them. */
export function parsePacket(bytes: Uint8Array): Packet | PacketFault {
  switch (bytes[0]) {
    case TYPES.data:
      return checked(bytes, DATA_OVERHEAD_BYTES, Infinity, 0) ?? parseData(new Reader(bytes));
    case TYPES.init:
      return checked(bytes, INIT_BYTES_MIN, HANDSHAKE_BYTES_MAX, VERSION) ?? parseInit(new Reader(bytes));
    case TYPES.resp:
      return checked(bytes, RESP_OVERHEAD_BYTES, HANDSHAKE_BYTES_MAX, VERSION) ?? parseResp(new Reader(bytes));
    case TYPES.cookie:
      return checked(bytes, COOKIE_BYTES, COOKIE_BYTES, VERSION) ?? parseCookie(new Reader(bytes));
    case TYPES.hint:
      return checked(bytes, HINT_BYTES, HINT_BYTES, VERSION) ?? parseHint(new Reader(bytes));
    default:
      return 'packet_type';
  }
}

/** Size, and bytes 1 to 3. With these right no read of a packet of its type goes past the end. */
function checked(bytes: Uint8Array, min: number, max: number, version: number): PacketFault | undefined {
  if (bytes.length < min || bytes.length > max) return 'packet_length';
  // DATA has no version: whoever has its key speaks the version of the handshake.
  if (bytes[1] !== version) return version === 0 ? 'packet_reserved' : 'packet_version';
  return bytes[2] === 0 && bytes[3] === 0 ? undefined : 'packet_reserved';
}

function parseInit(reader: Reader): InitPacket {
  reader.bytes(4);
  const sender = reader.u32();
  const ephemeral = reader.bytes(KEY_BYTES);
  const sealedStatic = reader.bytes(KEY_BYTES + TAG_BYTES);
  const sealedPayload = reader.bytes(reader.left - 2 * MAC_BYTES);
  return {
    type: 'init',
    sender,
    ephemeral,
    sealedStatic,
    sealedPayload,
    mac1: reader.bytes(MAC_BYTES),
    mac2: reader.bytes(MAC_BYTES),
  };
}

function parseResp(reader: Reader): RespPacket {
  reader.bytes(4);
  const sender = reader.u32();
  const receiver = reader.u32();
  const ephemeral = reader.bytes(KEY_BYTES);
  const sealedPayload = reader.bytes(reader.left - 2 * MAC_BYTES);
  return {
    type: 'resp',
    sender,
    receiver,
    ephemeral,
    sealedPayload,
    mac1: reader.bytes(MAC_BYTES),
    mac2: reader.bytes(MAC_BYTES),
  };
}

function parseCookie(reader: Reader): CookiePacket {
  reader.bytes(4);
  return { type: 'cookie', receiver: reader.u32(), cookie: reader.bytes(MAC_BYTES), tag: reader.bytes(MAC_BYTES) };
}

function parseHint(reader: Reader): HintPacket {
  reader.bytes(4);
  return { type: 'hint', receiver: reader.u32(), random: reader.bytes(HINT_RANDOM_BYTES) };
}

function parseData(reader: Reader): DataPacket | 'packet_number' {
  reader.bytes(4);
  const receiver = reader.u32();
  const pn = reader.u64Safe();
  return reader.bad ? 'packet_number' : { type: 'data', receiver, pn, sealed: reader.rest() };
}

/** The bytes of a packet. One that `parsePacket` would refuse is a programmer error. */
export function buildPacket(packet: Packet): Uint8Array {
  const writer = new Writer(new Uint8Array(packetBytes(packet)));
  writer.u8(TYPES[packet.type]);
  writer.u8(packet.type === 'data' ? 0 : VERSION);
  writer.zeros(2);
  if ('sender' in packet) writer.u32(packet.sender);
  if ('receiver' in packet) writer.u32(packet.receiver);
  switch (packet.type) {
    case 'init':
      putFixed(writer, packet.ephemeral, KEY_BYTES);
      putFixed(writer, packet.sealedStatic, KEY_BYTES + TAG_BYTES);
      putSealed(writer, packet);
      break;
    case 'resp':
      putFixed(writer, packet.ephemeral, KEY_BYTES);
      putSealed(writer, packet);
      break;
    case 'cookie':
      putFixed(writer, packet.cookie, MAC_BYTES);
      putFixed(writer, packet.tag, MAC_BYTES);
      break;
    case 'hint':
      putFixed(writer, packet.random, HINT_RANDOM_BYTES);
      break;
    case 'data':
      writer.u64Safe(packet.pn);
      writer.bytes(packet.sealed);
      break;
  }
  assert(typeof parsePacket(writer.written()) !== 'string', `a packet of type ${packet.type} cannot have ${writer.length} bytes`);
  return writer.written();
}

function packetBytes(packet: Packet): number {
  switch (packet.type) {
    case 'init':
      return INIT_OVERHEAD_BYTES - TAG_BYTES + packet.sealedPayload.length;
    case 'resp':
      return RESP_OVERHEAD_BYTES - TAG_BYTES + packet.sealedPayload.length;
    case 'cookie':
      return COOKIE_BYTES;
    case 'hint':
      return HINT_BYTES;
    case 'data':
      return DATA_HEADER_BYTES + packet.sealed.length;
  }
}

function putSealed(writer: Writer, packet: InitPacket | RespPacket): void {
  writer.bytes(packet.sealedPayload);
  putFixed(writer, packet.mac1, MAC_BYTES);
  putFixed(writer, packet.mac2, MAC_BYTES);
}

function putFixed(writer: Writer, bytes: Uint8Array, count: number): void {
  assert(bytes.length === count, 'a field of a packet has its length');
  writer.bytes(bytes);
}

/** Writes the first 16 bytes of DATA into `into`: what is sealed can be put behind them without another copy. */
export function putDataHeader(into: Uint8Array, receiver: number, pn: number): void {
  const writer = new Writer(into);
  writer.u8(TYPES.data);
  writer.zeros(3);
  writer.u32(receiver);
  writer.u64Safe(pn);
}

/** Where mac1 begins in an INIT or RESP of this many bytes; it is over all bytes before. */
export const mac1At = (packetBytes: number): number => packetBytes - 2 * MAC_BYTES;

/** Where mac2 begins in an INIT or RESP of this many bytes; it is over all bytes before, mac1 among them. */
export const mac2At = (packetBytes: number): number => packetBytes - MAC_BYTES;

/**
 * Zeros that go behind the plaintext of an INIT's payload before it is sealed, so that the INIT has at least 512 bytes and is no shorter
 * than a RESP whose payload has at most `respPayloadBytes`. Undefined if one of the two would be longer than 1200 bytes.
 */
export function initPadding(payloadBytes: number, respPayloadBytes: number): number | undefined {
  const init = INIT_OVERHEAD_BYTES + payloadBytes;
  const padded = Math.max(init, INIT_BYTES_MIN, RESP_OVERHEAD_BYTES + respPayloadBytes);
  return padded > HANDSHAKE_BYTES_MAX ? undefined : padded - init;
}
