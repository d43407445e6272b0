/**
 * What is inside a sealed packet: a row of frames. docs/overlay-wire.md specifies the bytes.
 *
 * The first byte is the type. Its top bit says that who does not know the type may skip the frame; all such frames, and those of `CONTROL`,
 * have their length behind the type. An unknown type without the bit ends the association.
 */
import { isUtf8 } from 'node:buffer';
import { assert } from '../../../core/errors.ts';
import { Reader, varintBytes, type Writer } from './bytes.ts';

/** The longest message, in bytes: a larger `total` is malformed, whatever limits a receiver sets itself. */
export const MESSAGE_BYTES_MAX = 16 * 2 ** 20;
/** Ranges of an ACK. */
export const ACK_RANGES_MAX = 32;
/** UTF-8 bytes of the name of a channel. */
export const CHANNEL_NAME_BYTES_MAX = 512;
/** Of PATH_CHALLENGE and PATH_RESPONSE. */
export const PATH_DATA_BYTES = 8;

/** How a channel delivers. 0: reliable, in order. 1: reliable, in any order. 2: unreliable. */
export type ChannelMode = 0 | 1 | 2;

/** Packet numbers of which an ACK tells, both inclusive. */
export type AckRange = readonly [from: number, to: number];

/** A message, or a fragment of one. */
export interface MsgFrame {
  readonly type: 'msg';
  readonly channel: number;
  readonly seq: number;
  readonly mode: ChannelMode;
  readonly offset: number;
  /** Bytes of the message. A fragment has at least one byte and not all of them; a message that is whole may be empty. */
  readonly total: number;
  readonly bytes: Uint8Array;
}

/** Numbers are whole, from 0 to 2^53 - 1. Bytes of parsed frames are views into the packet. */
export type Frame =
  /** `largest` is `ranges[0][1]`. 1 to 32 ranges, highest first, with at least one number missing between two. */
  | { readonly type: 'ack'; readonly largest: number; readonly delayUs: number; readonly ranges: readonly AckRange[] }
  | { readonly type: 'ping' }
  | MsgFrame
  | { readonly type: 'max_data'; readonly bytes: number }
  | { readonly type: 'max_msgs'; readonly channel: number; readonly count: number }
  /** `bytes`: what all messages before `seq` are charged. */
  | { readonly type: 'reset_channel'; readonly channel: number; readonly seq: number; readonly bytes: number }
  | { readonly type: 'close'; readonly code: number; readonly finals: readonly (readonly [channel: number, seq: number])[] }
  | { readonly type: 'open_channel'; readonly channel: number; readonly mode: ChannelMode; readonly name: string }
  /** 8 bytes. */
  | { readonly type: 'path_challenge'; readonly data: Uint8Array }
  /** 8 bytes. */
  | { readonly type: 'path_response'; readonly data: Uint8Array }
  /** A frame whose body another part parses; `code` is one of `CONTROL`. */
  | { readonly type: 'control'; readonly code: ControlCode; readonly bytes: Uint8Array };

/** Types of the frames whose bodies other parts parse. Those with the top bit are ignorable: who does not know them skips them. */
export const CONTROL = {
  register: 0x20,
  resolve: 0x21,
  record: 0x22,
  relay: 0x23,
  denylist: 0x24,
  candidates: 0xa0,
  punch: 0xa1,
  observed: 0xa2,
} as const;

export type ControlCode = (typeof CONTROL)[keyof typeof CONTROL];

/** Types of the frames that this file knows whole. To that of a MSG its mode is added, and 4 for a fragment. */
export const FRAME_TYPES = {
  padding: 0x00,
  ping: 0x01,
  ack: 0x02,
  close: 0x03,
  open_channel: 0x04,
  reset_channel: 0x05,
  max_data: 0x06,
  max_msgs: 0x07,
  msg: 0x08,
  path_challenge: 0x10,
  path_response: 0x11,
} as const;

const FRAGMENT = 4;
const IGNORABLE = 0x80;

const CONTROL_CODES: ReadonlySet<number> = new Set(Object.values(CONTROL));
const PING: Frame = { type: 'ping' };
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * All frames of the payload of a packet, in their order; PADDING, and unknown frames that may be ignored, are left out. Undefined: malformed,
 * or a critical frame is unknown. Keeps `payload`: frames have views into it.
 */
export function parseFrames(payload: Uint8Array): readonly Frame[] | undefined {
  const reader = new Reader(payload);
  const frames: Frame[] = [];
  while (reader.left > 0) {
    const frame = parseFrame(reader);
    if (reader.bad) return undefined;
    if (frame !== undefined) frames.push(frame);
  }
  return frames;
}

/** Undefined, unless the reader is bad: nothing to be told of. */
function parseFrame(reader: Reader): Frame | undefined {
  const type = reader.u8();
  switch (type) {
    case FRAME_TYPES.padding:
      reader.zeros();
      return undefined;
    case FRAME_TYPES.ping:
      return PING;
    case FRAME_TYPES.ack:
      return parseAck(reader);
    case FRAME_TYPES.close:
      return parseClose(reader);
    case FRAME_TYPES.open_channel:
      return parseOpenChannel(reader);
    case FRAME_TYPES.reset_channel:
      return { type: 'reset_channel', channel: reader.varint(), seq: reader.varint(), bytes: reader.varint() };
    case FRAME_TYPES.max_data:
      return { type: 'max_data', bytes: reader.varint() };
    case FRAME_TYPES.max_msgs:
      return { type: 'max_msgs', channel: reader.varint(), count: reader.varint() };
    case FRAME_TYPES.path_challenge:
      return { type: 'path_challenge', data: reader.bytes(PATH_DATA_BYTES) };
    case FRAME_TYPES.path_response:
      return { type: 'path_response', data: reader.bytes(PATH_DATA_BYTES) };
    default:
      return parseOther(reader, type);
  }
}

/** MSG, which has six types, and all types that have a length behind them. */
function parseOther(reader: Reader, type: number): Frame | undefined {
  const variant = type - FRAME_TYPES.msg;
  const mode = variant & (FRAGMENT - 1);
  if (variant >= 0 && variant < 2 * FRAGMENT && isMode(mode)) return parseMsg(reader, mode, variant >= FRAGMENT);
  const isControl = CONTROL_CODES.has(type);
  if (!isControl && type < IGNORABLE) {
    reader.fail();
    return undefined;
  }
  const bytes = reader.bytes(reader.varint());
  return isControl ? { type: 'control', code: type as ControlCode, bytes } : undefined;
}

const isMode = (mode: number): mode is ChannelMode => mode <= 2;

function parseMsg(reader: Reader, mode: ChannelMode, isFragment: boolean): Frame {
  const channel = reader.varint();
  const seq = reader.varint();
  const offset = isFragment ? reader.varint() : 0;
  const whole = isFragment ? reader.varint() : 0;
  const bytes = reader.bytes(reader.varint());
  const total = isFragment ? whole : bytes.length;
  if (!isMessage(isFragment, offset, bytes.length, total)) reader.fail();
  return { type: 'msg', channel, seq, mode, offset, total, bytes };
}

/** What is of one piece is never sent as a fragment: there is one way to say it. */
function isMessage(isFragment: boolean, offset: number, length: number, total: number): boolean {
  if (total > MESSAGE_BYTES_MAX) return false;
  return isFragment ? length > 0 && length < total && offset + length <= total : offset === 0 && length === total;
}

function parseAck(reader: Reader): Frame {
  const largest = reader.varint();
  const delayUs = reader.varint();
  const more = reader.varint();
  const ranges: AckRange[] = [];
  if (more >= ACK_RANGES_MAX) reader.fail();
  let to = largest;
  while (!reader.bad && ranges.length <= more) {
    const from = to - reader.varint();
    if (from < 0) reader.fail();
    ranges.push([from, to]);
    if (ranges.length <= more) to = from - 2 - reader.varint();
  }
  return { type: 'ack', largest, delayUs, ranges };
}

function parseClose(reader: Reader): Frame {
  const code = reader.varint();
  const count = reader.varint();
  const finals: [channel: number, seq: number][] = [];
  while (!reader.bad && finals.length < count) finals.push([reader.varint(), reader.varint()]);
  return { type: 'close', code, finals };
}

function parseOpenChannel(reader: Reader): Frame | undefined {
  const channel = reader.varint();
  const mode = reader.u8();
  const name = reader.bytes(reader.varint());
  if (!isMode(mode) || name.length > CHANNEL_NAME_BYTES_MAX || !isUtf8(name)) {
    reader.fail();
    return undefined;
  }
  return { type: 'open_channel', channel, mode, name: decoder.decode(name) };
}

/** Bytes that `putFrame` writes for it. */
export function frameSize(frame: Frame): number {
  switch (frame.type) {
    case 'ping':
      return 1;
    case 'ack':
      return ackSize(frame.delayUs, frame.ranges);
    case 'msg':
      return msgHead(frame, frame.bytes.length < frame.total) + withLength(frame.bytes.length);
    case 'max_data':
      return 1 + varintBytes(frame.bytes);
    case 'max_msgs':
      return 1 + varintBytes(frame.channel) + varintBytes(frame.count);
    case 'reset_channel':
      return 1 + varintBytes(frame.channel) + varintBytes(frame.seq) + varintBytes(frame.bytes);
    case 'close':
      return frame.finals.reduce(
        (size, [channel, seq]) => size + varintBytes(channel) + varintBytes(seq),
        1 + varintBytes(frame.code) + varintBytes(frame.finals.length),
      );
    case 'open_channel':
      return 1 + varintBytes(frame.channel) + 1 + withLength(Buffer.byteLength(frame.name));
    case 'path_challenge':
    case 'path_response':
      return 1 + PATH_DATA_BYTES;
    case 'control':
      return 1 + withLength(frame.bytes.length);
  }
}

const withLength = (length: number): number => varintBytes(length) + length;

function ackSize(delayUs: number, ranges: readonly AckRange[]): number {
  let size = 1 + varintBytes(delayUs) + varintBytes(ranges.length - 1);
  let above: number | undefined;
  for (const [from, to] of ranges) {
    size += varintBytes(above === undefined ? to : above - 2 - to) + varintBytes(to - from);
    above = from;
  }
  return size;
}

/** What a MSG has before the length of its bytes. */
function msgHead(msg: Pick<MsgFrame, 'channel' | 'seq' | 'offset' | 'total'>, isFragment: boolean): number {
  const whole = 1 + varintBytes(msg.channel) + varintBytes(msg.seq);
  return isFragment ? whole + varintBytes(msg.offset) + varintBytes(msg.total) : whole;
}

/**
 * How many bytes from `offset` on of a message of `total` bytes a MSG of at most `room` bytes can carry. Undefined: none, and not an empty
 * message either.
 */
export function messageRoom(room: number, msg: Pick<MsgFrame, 'channel' | 'seq' | 'offset' | 'total'>): number | undefined {
  if (msg.offset === 0 && msgHead(msg, false) + withLength(msg.total) <= room) return msg.total;
  const most = lengthWithin(room - msgHead(msg, true));
  return most > 0 ? Math.min(most, msg.total - msg.offset) : undefined;
}

/** The most bytes that fit into `room` together with their length, which takes 1, 2 or 4 bytes itself. */
function lengthWithin(room: number): number {
  if (room - 4 >= 0x40_00) return room - 4;
  return room - 2 >= 0x40 ? Math.min(room - 2, 0x3f_ff) : Math.min(room - 1, 0x3f);
}

/** Writes the frame. One that `parseFrames` would refuse is a programmer error. */
export function putFrame(writer: Writer, frame: Frame): void {
  switch (frame.type) {
    case 'ping':
      writer.u8(FRAME_TYPES.ping);
      return;
    case 'ack':
      putAck(writer, frame.largest, frame.delayUs, frame.ranges);
      return;
    case 'msg':
      putMsg(writer, frame);
      return;
    case 'max_data':
      writer.u8(FRAME_TYPES.max_data);
      writer.varint(frame.bytes);
      return;
    case 'max_msgs':
      writer.u8(FRAME_TYPES.max_msgs);
      writer.varint(frame.channel);
      writer.varint(frame.count);
      return;
    case 'reset_channel':
      writer.u8(FRAME_TYPES.reset_channel);
      writer.varint(frame.channel);
      writer.varint(frame.seq);
      writer.varint(frame.bytes);
      return;
    case 'close':
      putClose(writer, frame.code, frame.finals);
      return;
    case 'open_channel':
      putOpenChannel(writer, frame.channel, frame.mode, frame.name);
      return;
    case 'path_challenge':
    case 'path_response':
      assert(frame.data.length === PATH_DATA_BYTES, 'a challenge has 8 bytes');
      writer.u8(FRAME_TYPES[frame.type]);
      writer.bytes(frame.data);
      return;
    case 'control':
      writer.u8(frame.code);
      writer.varint(frame.bytes.length);
      writer.bytes(frame.bytes);
      return;
  }
}

function putAck(writer: Writer, largest: number, delayUs: number, ranges: readonly AckRange[]): void {
  assert(ranges.length > 0 && ranges.length <= ACK_RANGES_MAX, 'an ACK has 1 to 32 ranges');
  assert(ranges[0]?.[1] === largest, 'the first range of an ACK ends with the largest');
  writer.u8(FRAME_TYPES.ack);
  writer.varint(largest);
  writer.varint(delayUs);
  writer.varint(ranges.length - 1);
  let above: number | undefined;
  for (const [from, to] of ranges) {
    if (above !== undefined) writer.varint(above - 2 - to);
    writer.varint(to - from);
    above = from;
  }
}

function putMsg(writer: Writer, msg: MsgFrame): void {
  const length = msg.bytes.length;
  const isFragment = length < msg.total;
  assert(isMessage(isFragment, msg.offset, length, msg.total), 'the bytes of a MSG lie within its message');
  writer.u8(FRAME_TYPES.msg + msg.mode + (isFragment ? FRAGMENT : 0));
  writer.varint(msg.channel);
  writer.varint(msg.seq);
  if (isFragment) {
    writer.varint(msg.offset);
    writer.varint(msg.total);
  }
  writer.varint(length);
  writer.bytes(msg.bytes);
}

function putClose(writer: Writer, code: number, finals: readonly (readonly [channel: number, seq: number])[]): void {
  writer.u8(FRAME_TYPES.close);
  writer.varint(code);
  writer.varint(finals.length);
  for (const [channel, seq] of finals) {
    writer.varint(channel);
    writer.varint(seq);
  }
}

function putOpenChannel(writer: Writer, channel: number, mode: ChannelMode, name: string): void {
  const bytes = encoder.encode(name);
  assert(
    bytes.length <= CHANNEL_NAME_BYTES_MAX && name.isWellFormed(),
    `the name of a channel is at most ${CHANNEL_NAME_BYTES_MAX} bytes of UTF-8`,
  );
  writer.u8(FRAME_TYPES.open_channel);
  writer.varint(channel);
  writer.u8(mode);
  writer.varint(bytes.length);
  writer.bytes(bytes);
}
