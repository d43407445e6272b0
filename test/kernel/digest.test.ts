import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { digestOf, effectsDigest, forgetDigests } from '../../core/digest.ts';

beforeEach(() => {
  forgetDigests();
});

const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value) ?? 'null');

describe('digest of a value', () => {
  test('is that of its JSON: what is remembered changes nothing', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const cold = digestOf(value);
        const warm = digestOf(value);
        forgetDigests();
        expect([warm, digestOf(value), digestOf(json(value))]).toEqual([cold, cold, cold]);
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  test('does not depend on the order of members, and does on that of lists', () => {
    expect(digestOf({ a: 1, b: [1, 2] })).toBe(digestOf({ b: [1, 2], a: 1 }));
    expect(digestOf([1, 2])).not.toBe(digestOf([2, 1]));
  });

  test('tells apart what JSON tells apart', () => {
    const values = [
      null,
      true,
      false,
      0,
      1,
      -1,
      0.5,
      1e21,
      2 ** 31,
      -(2 ** 31),
      2 ** 32,
      '',
      '0',
      'null',
      'true',
      'a',
      'b',
      [],
      [[]],
      [null],
      [0],
      ['0'],
      {},
      { a: null },
      { a: {} },
      { a: [] },
      { '': '' },
      { a: 1 },
      { b: 1 },
      { a: 'b' },
      { b: 'a' },
      { a: { b: 1 } },
      { b: { a: 1 } },
      { a: 1, b: 2 },
      { a: 2, b: 1 },
      [{ a: 1 }, { b: 2 }],
      [{ a: 1, b: 2 }],
    ];
    expect(new Set(values.map((v) => digestOf(v))).size).toBe(values.length);
  });

  test('sees what JSON leaves out or writes another way', () => {
    const when = new Date(5);
    expect(digestOf({ a: 1, b: undefined, c: () => 1 })).toBe(digestOf({ a: 1 }));
    expect(digestOf([undefined, NaN, Infinity])).toBe(digestOf([null, null, null]));
    expect(digestOf({ when })).toBe(digestOf({ when: when.toJSON() }));
    expect(digestOf(-0)).toBe(digestOf(0));
  });

  test('of a long list with one more at its end is that of the whole list', () => {
    let list: readonly object[] = [];
    for (let i = 0; i < 200; i++) {
      list = [...list, { id: i, text: `message ${i} `.repeat(20), parts: [{ kind: 'text', n: i }] }];
      expect(digestOf({ list })).toBe(coldDigest({ list }));
    }
  });

  test('is the same beside any value that was hashed before: longer, cut, changed in the middle, gone on from twice', () => {
    type Edit = readonly [from: number, how: 'append' | 'cut' | 'change' | 'nest', at: number, what: unknown];
    const edit: fc.Arbitrary<Edit> = fc.tuple(
      fc.nat(),
      fc.constantFrom('append', 'cut', 'change', 'nest'),
      fc.nat(),
      fc.jsonValue(),
    );
    const edited = (list: readonly unknown[], [, how, at, what]: Edit): readonly unknown[] => {
      if (how === 'append') return [...list, what];
      if (how === 'cut') return list.slice(0, at % (list.length + 1));
      if (how === 'change') return list.toSpliced(at % list.length, 1, what);
      return [...list, [...list]];
    };
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 30 }), (edits) => {
        const seen = [{ list: Array.from({ length: 40 }, (_, i): unknown => ({ i })) as readonly unknown[], n: 0 }];
        for (const [n, one] of edits.entries()) {
          const like = seen[one[0] % seen.length] as (typeof seen)[number];
          const value = { list: edited(like.list, one), n };
          if (value.list.length === 0 || value.list.length > 2_000) continue;
          expect(digestOf(value, like)).toBe(coldDigest(value));
          seen.push(value);
        }
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  test('of many near values never collides', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 50_000; i++) seen.add(digestOf({ n: i, text: `case ${i % 7}`, list: [i, -i] }));
    expect(seen.size).toBe(50_000);
  });

  test('is 14 hexadecimal digits', () => {
    for (const value of [0, '', {}, [1, 2, 3], 'x'.repeat(10_000)]) expect(digestOf(value)).toMatch(/^[0-9a-f]{14}$/);
  });

  test('of something that contains itself is an error, not an endless loop', () => {
    const ring: { ring?: unknown } = {};
    ring.ring = [ring];
    expect(() => digestOf(ring)).toThrow(/contains itself|deeper/);
  });

  test.each([
    ['a toJSON', { toJSON: () => fails() }],
    ['a getter', Object.defineProperty({}, 'x', { get: () => fails(), enumerable: true })],
  ])('that throws out of %s costs those after it nothing', (_, thrower) => {
    for (let i = 0; i < 400; i++) expect(() => digestOf({ a: { b: { c: thrower } } })).toThrow('not today');
    expect(digestOf({ a: { b: 1 } })).toBe(coldDigest({ a: { b: 1 } }));
  });
});

function fails(): never {
  throw new RangeError('not today');
}

/** As another process would find it. */
function coldDigest(value: unknown): string {
  const copy = json(value);
  return digestOf(copy);
}

describe('digest of effects', () => {
  test('leaves closures out and everything else in', () => {
    const action = { kind: 'action', type: 'note', params: { n: 1 } } as const;
    expect(effectsDigest([{ ...action, run: () => {} }])).toBe(effectsDigest([action]));
    expect(effectsDigest([{ ...action, params: { n: 2 } }])).not.toBe(effectsDigest([action]));
    expect(effectsDigest([])).toBe(digestOf([]));
    expect(effectsDigest([action, { kind: 'cancel', timer: 't' }])).not.toBe(
      effectsDigest([{ kind: 'cancel', timer: 't' }, action]),
    );
  });
});
