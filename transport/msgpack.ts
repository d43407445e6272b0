/**
 * The codec of frames: MessagePack by msgpackr, restricted to plain data (what JSON can say, and bytes).
 *
 * Every frame is walked before msgpackr sees it, on both sides: no extension, so no class, record, Date or BigInt comes back to life;
 * no length beyond the frame, no depth or number of containers beyond the limits, so a small frame cannot cost much memory.
 * As in JSON, undefined properties are left out. Its bytes depend on key order: never hash them.
 */
import { Packr } from 'msgpackr/pack';
import { isMeshError, MeshError } from '../core/errors.ts';
import type { Codec } from '../core/ports/codec.ts';

export const DEPTH_MAX = 200;
export const CONTAINERS_MAX = 1_000_000;

const refuse = (why: string): MeshError => new MeshError('CODEC_FAILED', `a frame ${why}`);
const PROTO = Array.from('__proto__', (c) => c.charCodeAt(0));

/** Walks one frame without building anything. Throws CODEC_FAILED. */
class Walk {
  private readonly bytes: Uint8Array;
  private at = 0;
  private containers = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The frame is one value of plain data, whole and without rest. */
  check(): void {
    // What is still to come at each level. A map counts keys and values: a key is due when an even number is left.
    const left = [1];
    const maps = [false];
    while (left.length > 0) {
      const top = left.length - 1;
      const rest = left[top] as number;
      if (rest === 0) {
        left.pop();
        maps.pop();
        continue;
      }
      left[top] = rest - 1;
      const size = maps[top] === true && rest % 2 === 0 ? this.key() : this.value();
      if (size === undefined) continue;
      if (++this.containers > CONTAINERS_MAX) throw refuse(`holds more than ${CONTAINERS_MAX} lists and objects`);
      if (left.length > DEPTH_MAX) throw refuse(`is nested deeper than ${DEPTH_MAX}`);
      if (size.count > this.bytes.length - this.at) throw refuse('ends too early');
      left.push(size.count);
      maps.push(size.map);
    }
    if (this.at !== this.bytes.length) throw refuse('has bytes behind its end');
  }

  private key(): undefined {
    const token = this.uint(1);
    const length =
      token >= 0xa0 && token < 0xc0 ? token - 0xa0 : token >= 0xd9 && token <= 0xdb ? this.uint(1 << (token - 0xd9)) : -1;
    if (length < 0) throw refuse('has a key that is no text');
    if (length === PROTO.length && PROTO.every((c, i) => this.bytes[this.at + i] === c)) throw refuse("has a key '__proto__'");
    this.skip(length);
  }

  /** Undefined: a scalar, which is behind us. */
  private value(): { readonly count: number; readonly map: boolean } | undefined {
    const token = this.uint(1);
    if (token < 0x80 || token >= 0xe0) return undefined;
    if (token < 0x90) return { count: (token - 0x80) * 2, map: true };
    if (token < 0xa0) return { count: token - 0x90, map: false };
    if (token < 0xc0) return this.skip(token - 0xa0);
    switch (token) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return undefined;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.skip(this.uint(1 << (token - 0xc4)));
      case 0xca:
        return this.skip(4);
      case 0xcb:
        return this.skip(8);
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.skip(1 << (token - 0xcc));
      case 0xd0:
      case 0xd1:
      case 0xd2:
        return this.skip(1 << (token - 0xd0));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.skip(this.uint(1 << (token - 0xd9)));
      case 0xdc:
        return { count: this.uint(2), map: false };
      case 0xdd:
        return { count: this.uint(4), map: false };
      case 0xde:
        return { count: this.uint(2) * 2, map: true };
      case 0xdf:
        return { count: this.uint(4) * 2, map: true };
      default:
        throw refuse(`holds something that is no plain data (MessagePack type 0x${token.toString(16)})`);
    }
  }

  private uint(bytes: number): number {
    if (this.at + bytes > this.bytes.length) throw refuse('ends too early');
    let n = 0;
    for (let i = 0; i < bytes; i++) n = n * 256 + (this.bytes[this.at++] as number);
    return n;
  }

  private skip(bytes: number): undefined {
    if (this.at + bytes > this.bytes.length) throw refuse('ends too early');
    this.at += bytes;
  }
}

/** `skipValues` is missing in msgpackr's types. */
const OPTIONS = {
  useRecords: false,
  mapsAsObjects: true,
  encodeUndefinedAsNil: true,
  copyBuffers: true,
  skipValues: [undefined],
};

export function msgpack(): Codec {
  const packr = new Packr(OPTIONS);
  const guarded = <T>(verb: string, run: () => T): T => {
    try {
      return run();
    } catch (error) {
      if (isMeshError(error)) throw error;
      throw new MeshError('CODEC_FAILED', `a value could not be ${verb}: it must be plain data, without cycles`, {
        cause: error,
      });
    }
  };
  return {
    encode: (value) =>
      guarded('encoded', () => {
        const bytes = packr.pack(value);
        new Walk(bytes).check();
        return bytes;
      }),
    decode: (bytes) =>
      guarded('decoded', () => {
        new Walk(bytes).check();
        return packr.unpack(bytes) as unknown;
      }),
  };
}
