/** What every `Codec` keeps: plain data comes back as it was, and bytes of strangers do no harm. */
import assert from 'node:assert/strict';
import { isMeshError } from '../../core/errors.ts';
import type { Codec } from '../../core/ports/codec.ts';
import { type Case, caseOf } from './case.ts';

export interface CodecSubject {
  readonly codec: Codec;
  close(): Promise<void>;
}

const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  1,
  -1,
  31,
  32,
  63,
  64,
  127,
  128,
  255,
  256,
  65_535,
  65_536,
  -32,
  -33,
  -128,
  -129,
  -32_769,
  2 ** 32,
  -(2 ** 31) - 1,
  1_764_000_000_123,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  0.1,
  -1.5e300,
  5e-324,
  '',
  'a',
  'é',
  '日本語',
  '👩‍🚀 and others',
  'x'.repeat(31),
  'x'.repeat(32),
  'ü'.repeat(300),
  'y'.repeat(70_000),
  [],
  {},
  [[], [{}]],
  [1, 'two', null, { three: [4] }],
  { '': 1, 'a b': 2, ключ: 3, constructor: 4, toString: 5, hasOwnProperty: 6, length: 7 },
  Array.from({ length: 70_000 }, (_, i) => i % 7),
  Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`key ${i}`, i])),
];

/** Decodes, and allows no other end than a value or CODEC_FAILED. */
function attempt(codec: Codec, bytes: Uint8Array): boolean {
  try {
    codec.decode(bytes);
    return true;
  } catch (error) {
    assert.ok(
      isMeshError(error, 'CODEC_FAILED'),
      `not CODEC_FAILED but ${String(error)} at ${Buffer.from(bytes.subarray(0, 40)).toString('hex')}`,
    );
    return false;
  }
}

const nested = (depth: number): unknown => {
  let value: unknown = 'core';
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { value };
  return value;
};

const isCodecError = (error: unknown): boolean => isMeshError(error, 'CODEC_FAILED');
const codec = (name: string, body: (codec: Codec) => void): Case<CodecSubject> =>
  caseOf(name, async (subject) => body(subject.codec));

export const codecCases: readonly Case<CodecSubject>[] = [
  codec('plain data comes back as it was', (c) => {
    for (const value of VALUES) assert.deepEqual(c.decode(c.encode(value)), value);
  }),

  codec('the order of keys stays', (c) => {
    const value = { z: 1, a: 2, m: { y: 3, b: 4 } };
    assert.equal(JSON.stringify(c.decode(c.encode(value))), JSON.stringify(value));
  }),

  codec('bytes come back as bytes that share no memory with the frame', (c) => {
    const frame = Uint8Array.from(c.encode({ bytes: Uint8Array.from([1, 2, 255]) }));
    const { bytes } = c.decode(frame) as { bytes: Uint8Array };
    assert.ok(bytes instanceof Uint8Array);
    frame.fill(0);
    assert.deepEqual([...bytes], [1, 2, 255]);
  }),

  codec('as in JSON, undefined properties are left out and undefined items are null', (c) => {
    const back = c.decode(c.encode({ a: undefined, b: [undefined, 1], c: { d: undefined } }));
    assert.deepEqual(back, { b: [null, 1], c: {} });
    assert.deepEqual(Object.keys(back as object), ['b', 'c']);
  }),

  codec('a frame stays as it is while others are encoded', (c) => {
    const first = c.encode({ text: 'first' });
    const copy = Uint8Array.from(first);
    for (let i = 0; i < 1_000; i++) c.encode({ text: 'x'.repeat(i) });
    assert.deepEqual(Uint8Array.from(first), copy);
  }),

  codec('a frame may lie anywhere in a larger buffer', (c) => {
    const frame = c.encode({ a: ['deep', 1] });
    const buffer = new Uint8Array(frame.length + 13).fill(0xff);
    buffer.set(frame, 7);
    assert.deepEqual(c.decode(buffer.subarray(7, 7 + frame.length)), { a: ['deep', 1] });
  }),

  codec('a frame that is cut anywhere is refused', (c) => {
    const frame = c.encode({ id: 'desk/intake!12.0', list: [1, 2.5, 'three', { four: 'x'.repeat(300) }], at: 1_764_000_000_000 });
    for (let n = 0; n < frame.length; n++)
      assert.equal(attempt(c, frame.subarray(0, n)), false, `cut to ${n} of ${frame.length} bytes`);
    assert.equal(attempt(c, Buffer.concat([frame, Uint8Array.of(0)])), false, 'with a byte behind its end');
  }),

  codec('any bytes either decode or are refused', (c) => {
    const frame = c.encode({
      id: 'desk/intake!12.0',
      list: [1, -200, 2.5, null, 'three', { four: 'x'.repeat(40) }],
      at: 1_764_000_000_000,
    });
    let state = 1;
    const next = (): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 16;
    for (let i = 0; i < 20_000; i++) {
      const bytes = i % 2 === 0 ? Uint8Array.from({ length: 1 + (next() % 64) }, () => next() & 0xff) : Uint8Array.from(frame);
      if (i % 2 === 1) for (let hits = 1 + (next() % 3); hits > 0; hits--) bytes[next() % bytes.length] = next() & 0xff;
      attempt(c, bytes);
    }
    for (let first = 0; first < 256; first++)
      for (const rest of [[], [0], [0xff, 0xff, 0xff, 0xff], [0, 0, 0, 0, 0, 0, 0, 0, 0]])
        attempt(c, Uint8Array.from([first, ...rest]));
    assert.deepEqual(c.decode(c.encode({ still: 'works' })), { still: 'works' });
  }),

  codec('depth is bounded in both directions, without a crash', (c) => {
    assert.deepEqual(c.decode(c.encode(nested(100))), nested(100));
    assert.throws(() => c.encode(nested(100_000)), isCodecError);
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    assert.throws(() => c.encode(cycle), isCodecError);
    assert.deepEqual(c.decode(c.encode({ still: 'works' })), { still: 'works' });
  }),

  codec('what JSON cannot say is refused when it is encoded', (c) => {
    for (const value of [10n ** 20n, 1n, Symbol('s'), new Map([[1, 2]]), new Map([[{}, 2]])])
      assert.throws(() => c.encode({ value }), isCodecError);
  }),

  codec('no prototype can be reached', (c) => {
    const sly = JSON.parse('{"__proto__": {"polluted": true}, "a": 1}') as object;
    try {
      const back = c.decode(c.encode(sly)) as Record<string, unknown>;
      assert.equal(Object.getPrototypeOf(back), Object.prototype);
      assert.equal(back['polluted'], undefined);
    } catch (error) {
      assert.ok(isCodecError(error));
    }
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  }),
];
