import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Reader, varintBytes, Writer } from '../../../transport/overlay/wire/bytes.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const written = (write: (writer: Writer) => void): string => {
  const writer = new Writer();
  write(writer);
  expect(writer.length).toBe(writer.written().length);
  return Buffer.from(writer.written()).toString('hex');
};
const anyNumber = fc.oneof(fc.maxSafeNat(), fc.nat(100), fc.nat(2 ** 17), fc.nat(2 ** 31 - 1));

/** RFC 9000, appendix A.1, but for its 8 bytes, whose value is above 2^53; and the edges. */
const VARINTS: readonly (readonly [string, number])[] = [
  ['00', 0],
  ['25', 37],
  ['3f', 63],
  ['4040', 64],
  ['7bbd', 15_293],
  ['7fff', 16_383],
  ['80004000', 16_384],
  ['9d7f3e7d', 494_878_333],
  ['bfffffff', 2 ** 30 - 1],
  ['c000000040000000', 2 ** 30],
  ['c01fffffffffffff', Number.MAX_SAFE_INTEGER],
];

describe('varints', () => {
  test.each(VARINTS)('%s is %d', (text, value) => {
    const reader = new Reader(hex(text));
    expect([reader.varint(), reader.bad, reader.left]).toEqual([value, false, 0]);
    expect(written((w) => w.varint(value))).toBe(text);
    expect(varintBytes(value)).toBe(text.length / 2);
  });

  test.each(['4000', '4025', '403f', '80000000', '80003fff', 'c000000000000000', 'c00000003fffffff'])(
    '%s is not the shortest form',
    (text) => {
      const reader = new Reader(hex(text));
      expect([reader.varint(), reader.bad]).toEqual([0, true]);
    },
  );

  test.each(['c020000000000000', 'c2197c5eff14e88c', 'ffffffffffffffff'])('%s is above 2^53 - 1', (text) => {
    const reader = new Reader(hex(text));
    expect([reader.varint(), reader.bad]).toEqual([0, true]);
  });
});

test('what is written is read again', () => {
  fc.assert(
    fc.property(
      fc.record({
        u8: fc.nat(0xff),
        u16: fc.nat(0xffff),
        u32: fc.nat(0xffff_ffff),
        u64Safe: anyNumber,
        varint: anyNumber,
        bytes: fc.uint8Array({ maxLength: 100 }),
        zeros: fc.nat(20),
      }),
      (value) => {
        const writer = new Writer();
        writer.u8(value.u8);
        writer.u16(value.u16);
        writer.u32(value.u32);
        writer.u64Safe(value.u64Safe);
        writer.varint(value.varint);
        writer.varint(value.bytes.length);
        writer.bytes(value.bytes);
        writer.zeros(value.zeros);
        writer.u8(1);
        const reader = new Reader(writer.written());
        expect(reader.u8()).toBe(value.u8);
        expect(reader.u16()).toBe(value.u16);
        expect(reader.u32()).toBe(value.u32);
        expect(reader.u64Safe()).toBe(value.u64Safe);
        expect(reader.varint()).toBe(value.varint);
        expect(reader.bytes(reader.varint())).toEqual(value.bytes);
        reader.zeros();
        expect(reader.rest()).toEqual(Uint8Array.of(1));
        expect([reader.bad, reader.left]).toEqual([false, 0]);
      },
    ),
    { seed: 20260401 },
  );
});

test('integers are little-endian', () => {
  expect(written((w) => w.u16(0x0102))).toBe('0201');
  expect(written((w) => w.u32(0xfffe_fdfc))).toBe('fcfdfeff');
  expect(written((w) => w.u64Safe(Number.MAX_SAFE_INTEGER))).toBe('ffffffffffff1f00');
  expect(new Reader(hex('fcfdfeff')).u32()).toBe(0xfffe_fdfc);
});

describe('a reader', () => {
  const reads: Record<string, (reader: Reader) => unknown> = {
    u8: (r) => r.u8(),
    u16: (r) => r.u16(),
    u32: (r) => r.u32(),
    u64Safe: (r) => r.u64Safe(),
    varint: (r) => r.varint(),
    bytes: (r) => r.bytes(3).length,
  };

  test.each(Object.entries(reads))('gives zeros past the end and from then on: %s', (_, read) => {
    for (const text of ['', 'c0', 'c0ff']) {
      const reader = new Reader(hex(text));
      for (let i = 0; i < 3 && !reader.bad; i++) read(reader);
      expect(reader.bad).toBe(true);
      for (const again of Object.values(reads)) expect(again(reader)).toBe(0);
      expect([reader.left, reader.rest().length, reader.bad]).toEqual([0, 0, true]);
    }
  });

  test('never throws and never reads past the end, whatever is read of whatever', () => {
    const names = Object.keys(reads);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.array(fc.constantFrom(...names), { maxLength: 20 }), (bytes, plan) => {
        // What lies around the bytes must not be seen.
        const around = new Uint8Array(bytes.length + 32).fill(0xff);
        around.set(bytes, 16);
        const alone = new Reader(bytes);
        const within = new Reader(around.subarray(16, 16 + bytes.length));
        for (const name of plan) expect(reads[name]?.(within)).toBe(reads[name]?.(alone));
        expect([within.bad, within.left]).toEqual([alone.bad, alone.left]);
      }),
      { seed: 20260402 },
    );
  });

  test('gives bytes as views, and none for a count that is not there', () => {
    const bytes = hex('0102030405');
    const reader = new Reader(bytes);
    const view = reader.bytes(2);
    expect([view.buffer, view.byteOffset, view.length]).toEqual([bytes.buffer, 0, 2]);
    expect(reader.bytes(Number.MAX_SAFE_INTEGER).length).toBe(0);
    expect([reader.bad, reader.left]).toEqual([true, 0]);
  });

  test('has no number for 64 bits above 2^53 - 1', () => {
    expect(new Reader(hex('ffffffffffff1f00')).u64Safe()).toBe(Number.MAX_SAFE_INTEGER);
    for (const text of ['0000000000002000', 'ffffffffffffffff']) {
      const reader = new Reader(hex(text));
      expect([reader.u64Safe(), reader.bad]).toEqual([0, true]);
    }
  });
});

describe('a writer', () => {
  const wrong = { code: 'INTERNAL' };

  test('writes into the buffer that it is given, and not a byte more', () => {
    const into = new Uint8Array(6);
    const writer = new Writer(into.subarray(1, 5));
    writer.u32(0xffff_ffff);
    expect(() => writer.u8(1)).toThrow(expect.objectContaining(wrong));
    expect(() => writer.bytes(hex('01'))).toThrow(expect.objectContaining(wrong));
    expect(into).toEqual(hex('00ffffffff00'));
    expect(writer.length).toBe(4);
  });

  test('grows without a buffer', () => {
    expect(written((w) => w.bytes(new Uint8Array(1000).fill(7)))).toBe('07'.repeat(1000));
  });

  test.each<[string, (writer: Writer) => void]>([
    ['u8 256', (w) => w.u8(256)],
    ['u8 -1', (w) => w.u8(-1)],
    ['u16 1.5', (w) => w.u16(1.5)],
    ['u32 2^32', (w) => w.u32(2 ** 32)],
    ['u64Safe 2^53', (w) => w.u64Safe(2 ** 53)],
    ['u64Safe -1', (w) => w.u64Safe(-1)],
    ['varint 2^53', (w) => w.varint(2 ** 53)],
    ['varint -1', (w) => w.varint(-1)],
    ['varint NaN', (w) => w.varint(Number.NaN)],
  ])('refuses what does not fit: %s', (_, write) => {
    expect(() => write(new Writer())).toThrow(expect.objectContaining(wrong));
  });
});
