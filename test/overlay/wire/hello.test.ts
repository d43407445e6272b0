import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { buildHello, helloBytes, parseHello } from '../../../transport/overlay/wire/hello.ts';
import { assertWithin, disturbed } from './hostile.ts';

const anyHello = fc.record({
  publicKey: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  instanceId: fc.uint8Array({ minLength: 8, maxLength: 8 }),
  maxDatagram: fc.integer({ min: 1200, max: 0xffff }),
  features: fc.nat(0xffff_ffff),
  observed: fc.uint8Array({ maxLength: 32 }),
  certificate: fc.uint8Array({ maxLength: 300 }),
});

const hello = {
  publicKey: new Uint8Array(32).fill(1),
  instanceId: new Uint8Array(8).fill(2),
  maxDatagram: 1200,
  features: 0,
  observed: new Uint8Array(7).fill(3),
  certificate: new Uint8Array(70).fill(4),
};

test('what is built is parsed again, as views, with any padding', () => {
  fc.assert(
    fc.property(anyHello, fc.nat(300), (hello, padding) => {
      const bytes = buildHello(hello, padding);
      expect(bytes.length).toBe(helloBytes(hello) + padding);
      const parsed = parseHello(bytes);
      expect(parsed).toEqual(hello);
      assertWithin(bytes, parsed);
    }),
    { seed: 20260403 },
  );
});

/** What it parses, it would have built. */
function assertFaithful(bytes: Uint8Array): void {
  const parsed = parseHello(bytes);
  assertWithin(bytes, parsed);
  const again = parsed === undefined ? bytes : buildHello(parsed, bytes.length - helloBytes(parsed));
  expect(Buffer.compare(again, bytes)).toBe(0);
}

test('a disturbed hello is another one or none, and never throws', () => {
  for (const bytes of disturbed(buildHello(hello, 3))) assertFaithful(bytes);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), assertFaithful), { seed: 20260404, numRuns: 1000 });
});

test('it is refused when cut, and when its padding is anything but zeros', () => {
  const bytes = buildHello(hello, 2);
  for (let length = 0; length < helloBytes(hello); length++) expect(parseHello(bytes.subarray(0, length))).toBeUndefined();
  bytes[bytes.length - 1] = 1;
  expect(parseHello(bytes)).toBeUndefined();
});

test('what was observed has at most 32 bytes', () => {
  const long = { ...hello, observed: new Uint8Array(33) };
  expect(() => buildHello(long, 0)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  const bytes = [...buildHello({ ...hello, observed: new Uint8Array(32) }, 0)];
  bytes[46] = 33;
  bytes.splice(47, 0, 0);
  expect(parseHello(Uint8Array.from(bytes))).toBeUndefined();
});

test('a peer that takes datagrams of less than 1200 bytes is none: not even an ACK would fit', () => {
  expect(() => buildHello({ ...hello, maxDatagram: 1199 }, 0)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  for (const maxDatagram of [0, 40, 1199]) {
    const bytes = buildHello(hello, 0);
    bytes.set([maxDatagram & 0xff, maxDatagram >> 8], 40);
    expect(parseHello(bytes)).toBeUndefined();
  }
});
