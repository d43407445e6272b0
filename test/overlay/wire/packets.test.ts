import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DROP_REASONS, noDrops } from '../../../transport/overlay/drops.ts';
import {
  buildPacket,
  COOKIE_BYTES,
  DATA_HEADER_BYTES,
  DATA_OVERHEAD_BYTES,
  HANDSHAKE_BYTES_MAX,
  HINT_BYTES,
  INIT_BYTES_MIN,
  INIT_HEADER_BYTES,
  INIT_OVERHEAD_BYTES,
  initPadding,
  mac1At,
  mac2At,
  type Packet,
  parsePacket,
  putDataHeader,
  RESP_HEADER_BYTES,
  RESP_OVERHEAD_BYTES,
  TAG_BYTES,
} from '../../../transport/overlay/wire/packets.ts';
import { anyPacket } from './arbitrary-packet.ts';
import { disturbed, assertWithin } from './hostile.ts';

const zeros = (count: number): Uint8Array => new Uint8Array(count);
const macs = { mac1: zeros(16).fill(1), mac2: zeros(16).fill(2) };
const initOf = (bytes: number): Packet => {
  const sealedPayload = zeros(bytes - INIT_OVERHEAD_BYTES + TAG_BYTES);
  return { type: 'init', sender: 7, ephemeral: zeros(32), sealedStatic: zeros(48), sealedPayload, ...macs };
};
const respOf = (bytes: number): Packet => {
  const sealedPayload = zeros(bytes - RESP_OVERHEAD_BYTES + TAG_BYTES);
  return { type: 'resp', sender: 7, receiver: 8, ephemeral: zeros(32), sealedPayload, ...macs };
};
const cookie = { type: 'cookie', receiver: 7, cookie: zeros(16), tag: zeros(16) } satisfies Packet;
const hint = { type: 'hint', receiver: 7, random: zeros(8) } satisfies Packet;
const dataOf = (bytes: number): Packet => ({ type: 'data', receiver: 7, pn: 8, sealed: zeros(bytes - DATA_HEADER_BYTES) });

test('what is built is parsed again, as views', () => {
  fc.assert(
    fc.property(anyPacket, (packet) => {
      const bytes = buildPacket(packet);
      const parsed = parsePacket(bytes);
      expect(parsed).toEqual(packet);
      assertWithin(bytes, parsed);
    }),
    { seed: 20260405 },
  );
});

/** What it parses, it would have built: so no byte of a packet is without meaning. */
function assertFaithful(bytes: Uint8Array): void {
  const parsed = parsePacket(bytes);
  const isFault = typeof parsed === 'string';
  expect(isFault ? parsed in DROP_REASONS : Buffer.compare(buildPacket(parsed), bytes) === 0).toBe(true);
  assertWithin(bytes, isFault ? undefined : parsed);
}

describe('bytes of strangers', () => {
  test.each([initOf(INIT_BYTES_MIN), respOf(RESP_OVERHEAD_BYTES + 3), cookie, hint, dataOf(64)])(
    'a disturbed $type is another packet or none, and never throws',
    (packet) => {
      for (const bytes of disturbed(buildPacket(packet))) assertFaithful(bytes);
    },
  );

  test('random bytes never throw', () => {
    const sizes = [0, 1, 15, 16, 17, 31, 32, 40, 92, 100, 512, 1200, 1201];
    fc.assert(
      fc.property(
        fc.constantFrom(...sizes),
        fc.nat(6),
        fc.nat(1),
        fc.nat(1),
        fc.uint8Array({ minLength: 1, maxLength: 30 }),
        (size, type, version, reserved, noise) => {
          const bytes = Uint8Array.from({ length: size }, (_, i) => noise[i % noise.length] as number);
          bytes.set([type, version, reserved, 0].slice(0, size));
          assertFaithful(bytes);
          assertFaithful(Uint8Array.from(noise));
        },
      ),
      { seed: 20260406, numRuns: 1000 },
    );
  });

  test.each([
    ['no type', zeros(0), 'packet_type'],
    ['type 0', zeros(64), 'packet_type'],
    ['type 6', zeros(64).fill(6, 0, 1), 'packet_type'],
    ['type 0x81', zeros(64).fill(0x81, 0, 1), 'packet_type'],
    ['a lone type', Uint8Array.of(4), 'packet_length'],
  ])('%s', (_, bytes, fault) => {
    expect(parsePacket(bytes)).toBe(fault);
  });

  test.each([initOf(512), respOf(600), cookie, hint])('a $type of another version, or with a reserved byte', (packet) => {
    const changed = (at: number, value: number): unknown => {
      const bytes = buildPacket(packet);
      bytes[at] = value;
      return parsePacket(bytes);
    };
    for (const version of [0, 2, 0x81, 0xff]) expect(changed(1, version)).toBe('packet_version');
    for (const at of [2, 3]) expect(changed(at, 1)).toBe('packet_reserved');
  });

  test('DATA has no version: its three bytes are reserved', () => {
    for (const at of [1, 2, 3]) {
      const bytes = buildPacket(dataOf(64));
      bytes[at] = 1;
      expect(parsePacket(bytes)).toBe('packet_reserved');
    }
  });

  test('a packet number above 2^53 - 1 is none', () => {
    const bytes = buildPacket(dataOf(64));
    bytes.fill(0xff, 8, 16);
    expect(parsePacket(bytes)).toBe('packet_number');
    bytes.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0], 8);
    expect(parsePacket(bytes)).toMatchObject({ pn: Number.MAX_SAFE_INTEGER });
  });
});

describe('sizes', () => {
  test.each([
    ['INIT', initOf, INIT_BYTES_MIN, HANDSHAKE_BYTES_MAX],
    ['RESP', respOf, RESP_OVERHEAD_BYTES, HANDSHAKE_BYTES_MAX],
    ['DATA', dataOf, DATA_OVERHEAD_BYTES, 65_507],
  ] as const)('%s: from its least to its greatest', (_, make, min, max) => {
    for (const size of [min, max]) expect(buildPacket(make(size)).length).toBe(size);
    expect(parsePacket(buildPacket(make(min)).subarray(0, min - 1))).toBe('packet_length');
    expect(() => buildPacket(make(min - 1))).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  });

  test('one byte more than 1200 is no handshake', () => {
    for (const make of [initOf, respOf]) {
      const longer = Uint8Array.from([...buildPacket(make(HANDSHAKE_BYTES_MAX)), 0]);
      expect(parsePacket(longer)).toBe('packet_length');
      expect(() => buildPacket(make(HANDSHAKE_BYTES_MAX + 1))).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
    }
  });

  test('COOKIE and HINT have one size', () => {
    for (const [packet, size] of [
      [cookie, COOKIE_BYTES],
      [hint, HINT_BYTES],
    ] as const) {
      const bytes = buildPacket(packet);
      expect(bytes.length).toBe(size);
      expect(parsePacket(bytes.subarray(0, size - 1))).toBe('packet_length');
      expect(parsePacket(Uint8Array.from([...bytes, 0]))).toBe('packet_length');
    }
  });

  test('no answer without a session is longer than what asks for it', () => {
    expect(COOKIE_BYTES).toBeLessThan(INIT_BYTES_MIN);
    expect(HINT_BYTES).toBeLessThan(DATA_OVERHEAD_BYTES);
  });

  test('a field of the wrong size is a programmer error', () => {
    const wrong = expect.objectContaining({ code: 'INTERNAL' });
    expect(() => buildPacket({ ...cookie, tag: zeros(15) })).toThrow(wrong);
    expect(() => buildPacket({ ...cookie, cookie: zeros(17), tag: zeros(15) })).toThrow(wrong);
    expect(() => buildPacket({ ...hint, random: zeros(9) })).toThrow(wrong);
    expect(() => buildPacket({ ...initOf(512), sealedStatic: zeros(32) } as Packet)).toThrow(wrong);
  });
});

describe('the padding of an INIT', () => {
  test.each([
    [0, 0, 376],
    [300, 0, 76],
    [400, 0, 0],
    [400, 500, 56],
    [1064, 0, 0],
    [1065, 0, undefined],
    [0, 1108, 1064],
    [0, 1109, undefined],
  ])('of %d bytes, whose RESP may have %d: %s', (own, other, padding) => {
    expect(initPadding(own, other)).toBe(padding);
  });

  test('makes it no shorter than 512 bytes and than its RESP', () => {
    fc.assert(
      fc.property(fc.nat(1200), fc.nat(1200), (own, other) => {
        const size = Math.max(INIT_OVERHEAD_BYTES + own, INIT_BYTES_MIN, RESP_OVERHEAD_BYTES + other);
        const padding = size > HANDSHAKE_BYTES_MAX ? undefined : size - INIT_OVERHEAD_BYTES - own;
        expect(initPadding(own, other)).toBe(padding);
      }),
      { seed: 20260407 },
    );
  });
});

test('the Noise message, mac1 and mac2 are where they are said to be', () => {
  const message = zeros(500).fill(3);
  const parts = { ephemeral: message.subarray(0, 32), sealedStatic: message.subarray(32, 80), ...macs };
  const init = buildPacket({ type: 'init', sender: 7, ...parts, sealedPayload: message.subarray(80) });
  const resp = buildPacket({ type: 'resp', sender: 7, receiver: 8, ...parts, sealedPayload: message.subarray(32) });
  for (const [bytes, header] of [
    [init, INIT_HEADER_BYTES],
    [resp, RESP_HEADER_BYTES],
  ] as const) {
    const { length } = bytes;
    expect(bytes.subarray(header, mac1At(length))).toEqual(message);
    expect(bytes.subarray(mac1At(length), mac2At(length))).toEqual(macs.mac1);
    expect(bytes.subarray(mac2At(length))).toEqual(macs.mac2);
  }
});

test('a header of DATA is put in front of what will be sealed', () => {
  const into = zeros(64).fill(9);
  putDataHeader(into, 0xfedc_ba98, Number.MAX_SAFE_INTEGER);
  const sealed = zeros(64 - DATA_HEADER_BYTES).fill(9);
  expect(into).toEqual(buildPacket({ type: 'data', receiver: 0xfedc_ba98, pn: Number.MAX_SAFE_INTEGER, sealed }));
});

test('every reason of a drop has its counter, at 0, and says what it means', () => {
  const drops = noDrops();
  expect(Object.keys(drops)).toEqual(Object.keys(DROP_REASONS));
  expect(new Set(Object.values(drops))).toEqual(new Set([0]));
  drops.packet_type += 1;
  expect(noDrops().packet_type).toBe(0);
});
