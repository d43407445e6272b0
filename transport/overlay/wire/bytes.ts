/**
 * Reading and writing of packets and frames: integers little-endian, and the varints of QUIC (RFC 9000 §16), which are big-endian.
 *
 * The reader is for bytes of strangers: it never throws, never reads past the end and copies nothing. The writer is for our own values: one
 * that does not fit is a programmer error.
 */
import { assert } from '../../../core/errors.ts';

const NOTHING = new Uint8Array(0);
const TWO_32 = 2 ** 32;

/**
 * Reads from the start to the end. A read past the end, a varint that is not the shortest of its value and a number above 2^53 - 1 set `bad`;
 * from then on every read gives zeros, or no bytes. So a parser may read all of its fields and look at `bad` once.
 */
export class Reader {
  bad = false;
  private readonly from: Uint8Array;
  private at = 0;

  /** Keeps `bytes`; what `bytes()` and `rest()` give are views into them. */
  constructor(bytes: Uint8Array) {
    this.from = bytes;
  }

  /** Bytes that are still to be read. */
  get left(): number {
    return this.from.length - this.at;
  }

  u8(): number {
    const at = this.step(1);
    return at < 0 ? 0 : (this.from[at] as number);
  }

  u16(): number {
    const at = this.step(2);
    return at < 0 ? 0 : (this.from[at] as number) + (this.from[at + 1] as number) * 0x1_00;
  }

  u32(): number {
    const at = this.step(4);
    return at < 0 ? 0 : this.little(at);
  }

  /** 64 bits on the wire, of which 53 may be used. */
  u64Safe(): number {
    const at = this.step(8);
    if (at < 0) return 0;
    const value = this.little(at + 4) * TWO_32 + this.little(at);
    return Number.isSafeInteger(value) ? value : this.fail();
  }

  varint(): number {
    const first = this.u8();
    if (first < 0x40) return first;
    const more = (1 << (first >> 6)) - 1;
    const at = this.step(more);
    if (at < 0) return 0;
    let value = first & 0x3f;
    for (let i = 0; i < more; i++) value = value * 0x1_00 + (this.from[at + i] as number);
    return Number.isSafeInteger(value) && varintBytes(value) === more + 1 ? value : this.fail();
  }

  /** The next `count` bytes, as a view; none at all if there are fewer. */
  bytes(count: number): Uint8Array {
    const at = this.step(count);
    return at < 0 ? NOTHING : this.from.subarray(at, at + count);
  }

  /** All that is left, as a view. */
  rest(): Uint8Array {
    return this.bytes(this.left);
  }

  /** Skips bytes as long as they are zero. */
  zeros(): void {
    while (this.from[this.at] === 0) this.at++;
  }

  /** What was read is not as it must be. Gives 0. */
  fail(): 0 {
    this.bad = true;
    this.at = this.from.length;
    return 0;
  }

  /** Where the next `count` bytes begin; -1 if there are fewer. */
  private step(count: number): number {
    const { at } = this;
    if (count > this.from.length - at) {
      this.fail();
      return -1;
    }
    this.at = at + count;
    return at;
  }

  private little(at: number): number {
    const { from } = this;
    const low = (from[at] as number) + (from[at + 1] as number) * 0x1_00 + (from[at + 2] as number) * 0x1_00_00;
    return low + (from[at + 3] as number) * 0x1_00_00_00;
  }
}

/** Writes from the start: into the buffer that it is given, or into one that grows. */
export class Writer {
  private into: Uint8Array;
  private at = 0;
  private readonly grows: boolean;

  /** Keeps `into` and writes into it; what does not fit there is a programmer error. Without `into` there is no bound. */
  constructor(into?: Uint8Array) {
    this.grows = into === undefined;
    this.into = into ?? new Uint8Array(64);
  }

  /** Bytes written. */
  get length(): number {
    return this.at;
  }

  /** What has been written: a view, valid until more is. */
  written(): Uint8Array {
    return this.into.subarray(0, this.at);
  }

  u8(value: number): void {
    this.little(value, 1);
  }

  u16(value: number): void {
    this.little(value, 2);
  }

  u32(value: number): void {
    this.little(value, 4);
  }

  u64Safe(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) refuse(value, '53 bits');
    this.little(value % TWO_32, 4);
    this.little(Math.floor(value / TWO_32), 4);
  }

  varint(value: number): void {
    const size = varintBytes(value);
    const at = this.step(size);
    let rest = value;
    for (let i = size - 1; i > 0; i--) {
      this.into[at + i] = rest % 0x1_00;
      rest = Math.floor(rest / 0x1_00);
    }
    // The two top bits are the logarithm of the size.
    this.into[at] = rest + ((31 - Math.clz32(size)) << 6);
  }

  bytes(value: Uint8Array): void {
    const at = this.step(value.length);
    this.into.set(value, at);
  }

  zeros(count: number): void {
    const at = this.step(count);
    this.into.fill(0, at, at + count);
  }

  private little(value: number, size: number): void {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * size)) refuse(value, `${8 * size} bits`);
    const at = this.step(size);
    for (let i = 0; i < size; i++) this.into[at + i] = value >>> (8 * i);
  }

  /** Where the next `count` bytes go. */
  private step(count: number): number {
    const { at } = this;
    const end = at + count;
    if (end > this.into.length) {
      if (!this.grows) refuse(end, `${this.into.length} bytes`);
      const grown = new Uint8Array(Math.max(end, 2 * this.into.length));
      grown.set(this.into.subarray(0, at));
      this.into = grown;
    }
    this.at = end;
    return at;
  }
}

/** Bytes of the varint of a whole number below 2^53: 1, 2, 4 or 8. */
export function varintBytes(value: number): 1 | 2 | 4 | 8 {
  if (!Number.isSafeInteger(value) || value < 0) refuse(value, '53 bits');
  if (value < 0x40) return 1;
  if (value < 0x40_00) return 2;
  return value < 0x40_00_00_00 ? 4 : 8;
}

/** A function of its own, so that no text is made where nothing is wrong. */
function refuse(value: number | bigint, room: string): never {
  assert(false, `${value} does not fit into ${room}`);
}
