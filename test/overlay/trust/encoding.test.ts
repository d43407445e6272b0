import * as fc from 'fast-check';
import { Packr } from 'msgpackr/pack';
import { Unpackr } from 'msgpackr/unpack';
import { describe, expect, test } from 'vitest';
import { NAME, NAME_OR_NONE, pack, Unpacker, type Packable } from '../../../transport/overlay/trust/encoding.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const printable = fc.string({
  unit: fc.constantFrom(...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i))),
  maxLength: 300,
});
const uint = fc.oneof(fc.nat(0x100), fc.nat(0x1_0000), fc.nat(2 ** 31 - 1), fc.maxSafeNat());

const { value } = fc.letrec<{ value: Packable }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    uint,
    printable,
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 20 }),
  ),
}));

/** As `Unpacker` is told what comes next: by the value that should come. */
function read(from: Unpacker, like: Packable): Packable {
  if (typeof like === 'number') return from.uint();
  if (typeof like === 'string') return from.text(/^/, like.length);
  if (like instanceof Uint8Array) return from.bytes(like.length);
  from.list(like.length);
  return like.map((item) => read(from, item));
}

describe('the encoding', () => {
  const plain = (v: unknown): unknown => (v instanceof Uint8Array ? toHex(v) : Array.isArray(v) ? v.map(plain) : v);

  test('is MessagePack: msgpackr reads it', () => {
    const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });
    fc.assert(
      fc.property(value, (v) => {
        expect(plain(unpackr.unpack(pack(v)))).toEqual(plain(v));
      }),
    );
  });

  test('is what msgpackr writes, except numbers of more than 32 bits, which it makes floats', () => {
    const packr = new Packr({ useRecords: false });
    // It writes a Uint8Array as an extension, and a Buffer as bytes.
    const forPackr = (v: Packable): unknown =>
      v instanceof Uint8Array ? Buffer.from(v) : Array.isArray(v) ? v.map(forPackr) : typeof v === 'number' ? v % 2 ** 32 : v;
    const small = (v: Packable): Packable =>
      typeof v === 'number' ? v % 2 ** 32 : typeof v === 'object' && !(v instanceof Uint8Array) ? v.map(small) : v;
    fc.assert(
      fc.property(value, (v) => {
        expect(toHex(pack(small(v)))).toBe(packr.pack(forPackr(v)).toString('hex'));
      }),
    );
  });

  test('is read back, to its end', () => {
    fc.assert(
      fc.property(value, (v) => {
        const from = new Unpacker(pack(v));
        expect(read(from, v)).toEqual(v);
        expect(from.end()).toBe(true);
      }),
    );
  });

  test('has one form for each value: bytes that read as a value are those that it packs to', () => {
    fc.assert(
      fc.property(value, fc.nat(), fc.integer({ min: 1, max: 255 }), (v, where, flip) => {
        const bytes = pack(v);
        const at = where % bytes.length;
        bytes[at] = (bytes[at] as number) ^ flip;
        const from = new Unpacker(bytes);
        const changed = read(from, v);
        expect(!from.end() || Buffer.compare(pack(changed), bytes) === 0).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['a number that fits into less', 'cc7f', (u: Unpacker) => u.uint()],
    ['a number of 2 bytes that fits into 1', 'cd00ff', (u: Unpacker) => u.uint()],
    ['a number of 4 bytes that fits into 2', 'ce0000ffff', (u: Unpacker) => u.uint()],
    ['a number of 8 bytes that fits into 4', 'cf00000000ffffffff', (u: Unpacker) => u.uint()],
    ['a number above 2^53 - 1', 'cf0020000000000000', (u: Unpacker) => u.uint()],
    ['a signed number', 'd001', (u: Unpacker) => u.uint()],
    ['a negative number', 'ff', (u: Unpacker) => u.uint()],
    ['a float', 'ca3f800000', (u: Unpacker) => u.uint()],
    ['nil', 'c0', (u: Unpacker) => u.uint()],
    ['a number above its bound', '0a', (u: Unpacker) => u.uint(9)],
    ['a text of 31 with a length byte', `d91f${'61'.repeat(31)}`, (u: Unpacker) => u.text(/^/, 99)],
    ['a text of 32 with two length bytes', `da0020${'61'.repeat(32)}`, (u: Unpacker) => u.text(/^/, 99)],
    ['a text of 32 bits of length', 'db0000000161', (u: Unpacker) => u.text(/^/, 99)],
    ['a text that is too long', 'a3616161', (u: Unpacker) => u.text(/^/, 2)],
    ['a text that its pattern refuses', 'a141', (u: Unpacker) => u.text(/^[a-z]$/, 2)],
    ['a control character', 'a11b', (u: Unpacker) => u.text(/^/, 2)],
    ['UTF-8', 'a2c3a4', (u: Unpacker) => u.text(/^/, 2)],
    ['bytes with two length bytes', 'c50001ff', (u: Unpacker) => u.bytes(1)],
    ['bytes with four length bytes', 'c600000001ff', (u: Unpacker) => u.bytes(1)],
    ['bytes of another length', 'c401ff', (u: Unpacker) => u.bytes(2)],
    ['bytes of which there are fewer', 'c6ffffffff00', (u: Unpacker) => u.bytes(0, 2 ** 32)],
    ['a text where bytes should be', 'a161', (u: Unpacker) => u.bytes(1)],
    ['bytes where a text should be', 'c40161', (u: Unpacker) => u.text(/^/, 9)],
    ['a list of 15 with two length bytes', `dc000f${'01'.repeat(15)}`, (u: Unpacker) => u.items(99, () => u.uint())],
    ['a list of 32 bits of length', 'dd0000000101', (u: Unpacker) => u.items(99, () => u.uint())],
    ['a list that is too long', '93010101', (u: Unpacker) => u.items(2, () => u.uint())],
    ['a list of which there are fewer', 'dcffff01', (u: Unpacker) => u.items(0xffff, () => u.uint())],
    ['a list of another length', '9101', (u: Unpacker) => u.list(2)],
    ['a map', '810101', (u: Unpacker) => u.list(1)],
    ['nothing', '', (u: Unpacker) => u.uint()],
  ] as const)('%s is refused', (_, text, take) => {
    const from = new Unpacker(hex(text));
    take(from);
    expect(from.bad).toBe(true);
    expect(from.end()).toBe(false);
    expect([from.uint(), from.text(/^/, 9), from.bytes(0, 9).length, from.items(9, () => 1), from.list(0, 9)]).toEqual([
      0,
      '',
      0,
      [],
      0,
    ]);
  });

  test('bytes behind the end are seen', () => {
    const from = new Unpacker(hex('0100'));
    expect([from.uint(), from.bad, from.end()]).toEqual([1, false, false]);
  });

  test('what was read is no view into what was received', () => {
    const bytes = Buffer.from(pack([hex('aabb')]));
    const from = new Unpacker(bytes);
    from.list(1);
    const read = from.bytes(2);
    bytes.fill(0);
    expect(toHex(read)).toBe('aabb');
  });

  test.each([-1, 1.5, Number.NaN, 2 ** 53, 'ä', '\n'])('%j cannot be packed', (v) => {
    expect(() => pack(v)).toThrow(/no whole number|does not fit|not printable/);
  });
});

test('no name looks like an address', () => {
  for (const name of ['ABCD.EF01.2345', 'abcd.ef01.2345', '0000.0000.0000']) {
    expect([NAME.test(name), NAME_OR_NONE.test(name)]).toEqual([false, false]);
    const text = new Unpacker(pack(name));
    expect([text.text(NAME_OR_NONE, 63), text.end()]).toEqual(['', false]);
  }
  for (const name of ['ABCD.EF01.234', 'ABCD.EF01.2345.6', 'ABCD.EF01.234G', 'xABCD.EF01.2345', 'a'.repeat(63)])
    expect([NAME.test(name), NAME_OR_NONE.test(name)]).toEqual([true, true]);
  expect([NAME.test(''), NAME_OR_NONE.test(''), NAME_OR_NONE.test('a'.repeat(64)), NAME_OR_NONE.test('-a')]).toEqual([
    false,
    true,
    false,
    false,
  ]);
});
