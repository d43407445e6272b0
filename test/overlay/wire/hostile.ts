/** Bytes as a stranger would send them, and what a parser may make of bytes. */
import { expect } from 'vitest';

/** `bytes` cut at each length, with more behind them, and with each byte changed in several ways. Copies, each in a buffer of its own. */
export function* disturbed(bytes: Uint8Array): Generator<Uint8Array> {
  for (let length = 0; length < bytes.length; length++) yield bytes.slice(0, length);
  for (const tail of [[0], [1], [0xff], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]])
    yield Uint8Array.from([...bytes, ...tail]);
  for (let at = 0; at < bytes.length; at++)
    for (const flip of [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff]) {
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] as number) ^ flip;
      yield flipped;
    }
}

/**
 * That a parser made no more of `input` than its bytes pay for: byte fields are views into it, and the lengths of all lists, texts and byte
 * fields together are at most its length.
 */
export function assertWithin(input: Uint8Array, parsed: unknown): void {
  expect(views(parsed).every((bytes) => bytes.length === 0 || bytes.buffer === input.buffer)).toBe(true);
  expect(weight(parsed)).toBeLessThanOrEqual(input.length);
}

/** As `assertWithin`, of a parser that copies: what it read, all of the input beside it, and a hash or two. */
export function assertPaidFor(input: Uint8Array, parsed: unknown): void {
  expect(weight(parsed)).toBeLessThanOrEqual(2 * input.length + 64);
}

function views(value: unknown): readonly Uint8Array[] {
  if (value instanceof Uint8Array) return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(views) : [];
}

function weight(value: unknown): number {
  if (value instanceof Uint8Array) return value.length;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + Math.max(1, weight(item)), 0);
  if (typeof value !== 'object' || value === null) return 0;
  // A `type` is a constant of the parser's, and a name is text that was made of bytes.
  return Object.entries(value).reduce(
    (sum, [key, item]) => sum + (key === 'type' ? 0 : typeof item === 'string' ? Buffer.byteLength(item) : weight(item)),
    0,
  );
}
