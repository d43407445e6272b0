import { pack, Packr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { CONTAINERS_MAX, DEPTH_MAX, msgpack } from '../../transport/msgpack.ts';
import { codecCases } from '../conformance/codec.ts';
import { conform } from '../conformance/conform.ts';

conform('msgpack', codecCases, async () => ({ codec: msgpack(), close: () => Promise.resolve() }));

describe('msgpack and strangers', () => {
  const codec = msgpack();
  const refused = { code: 'CODEC_FAILED' };
  const decode = (...bytes: number[]): unknown => codec.decode(Uint8Array.from(bytes));

  test('no class, record or big number of a stranger comes to life', () => {
    const rich = new Packr({ structuredClone: true, moreTypes: true, useRecords: true });
    const strange = [new Date(0), /(a+)+$/, new Error('x'), new Set([1]), 2n ** 60n, new Uint16Array([1]), [{ a: 1 }, { a: 2 }]];
    for (const value of strange) expect(() => codec.decode(rich.pack({ value }))).toThrow(expect.objectContaining(refused));
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(() => codec.decode(rich.pack(cycle))).toThrow(expect.objectContaining(refused));
  });

  test('a record definition, which msgpackr would compile, is refused', () => {
    expect(() => decode(0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 1)).toThrow(expect.objectContaining(refused));
    expect(decode(0x40)).toBe(0x40);
  });

  test('huge lengths in a small frame are refused before anything is allocated', () => {
    for (const head of [0xc6, 0xdb, 0xdd, 0xdf])
      expect(() => decode(head, 0xff, 0xff, 0xff, 0xff, 0xc0)).toThrow(expect.objectContaining(refused));
    for (const head of [0xc5, 0xda, 0xdc, 0xde])
      expect(() => decode(head, 0xff, 0xff, 0xc0)).toThrow(expect.objectContaining(refused));
    // Lists in lists, each of which would fit alone.
    expect(() => codec.decode(Uint8Array.from({ length: 300 }, (_, i) => [0xdc, 0, 0x40][i % 3] as number))).toThrow(
      expect.objectContaining(refused),
    );
  });

  test('depth and the number of lists and objects have limits, on both sides', () => {
    const deep = (depth: number): Uint8Array => new Uint8Array(depth + 1).fill(0x91, 0, depth);
    expect(() => codec.decode(deep(DEPTH_MAX))).not.toThrow();
    expect(() => codec.decode(deep(DEPTH_MAX + 1))).toThrow(expect.objectContaining(refused));
    expect(() => codec.decode(deep(1_000_000))).toThrow(expect.objectContaining(refused));
    const many = Array.from({ length: CONTAINERS_MAX }, () => []);
    expect(() => codec.decode(pack(many))).toThrow(expect.objectContaining(refused));
    expect(() => codec.encode(many)).toThrow(expect.objectContaining(refused));
  });

  test("keys that are no text, and '__proto__', are refused", () => {
    expect(() => decode(0x81, 0x01, 0x02)).toThrow(expect.objectContaining(refused));
    expect(() => decode(0x81, 0x91, 0x01, 0x02)).toThrow(expect.objectContaining(refused));
    expect(() => codec.encode(JSON.parse('{"__proto__":1}'))).toThrow(expect.objectContaining(refused));
    expect(codec.decode(codec.encode({ __proto_: 1, a__proto__: 2 }))).toEqual({ __proto_: 1, a__proto__: 2 });
  });
});
