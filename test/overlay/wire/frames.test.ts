import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Writer } from '../../../transport/overlay/wire/bytes.ts';
import {
  ACK_RANGES_MAX,
  type AckRange,
  CHANNEL_NAME_BYTES_MAX,
  CONTROL,
  FRAME_TYPES,
  type Frame,
  frameSize,
  MESSAGE_BYTES_MAX,
  messageRoom,
  parseFrames,
  putFrame,
} from '../../../transport/overlay/wire/frames.ts';
import { anyFrame } from './arbitrary-frame.ts';
import { assertWithin, disturbed } from './hostile.ts';
import { frameRows, specFrames } from './wire-spec.ts';

const wrong = expect.objectContaining({ code: 'INTERNAL' });
const written = (...frames: readonly Frame[]): Uint8Array => {
  const writer = new Writer();
  for (const frame of frames) putFrame(writer, frame);
  return writer.written().slice();
};
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const msg = { type: 'msg', channel: 1, seq: 2, mode: 0, offset: 0, total: 3, bytes: hex('010203') } as const satisfies Frame;
const ranges = (count: number): AckRange[] => Array.from({ length: count }, (_, i) => [4 * (count - i), 4 * (count - i) + 1]);

/** One frame of each kind, of few bytes. */
const SAMPLES: readonly Frame[] = [
  { type: 'ping' },
  {
    type: 'ack',
    largest: 70,
    delayUs: 900,
    ranges: [
      [60, 70],
      [50, 57],
      [0, 0],
    ],
  },
  msg,
  { ...msg, mode: 1, bytes: hex(''), total: 0 },
  { ...msg, mode: 2, offset: 100, total: 70_000 },
  { type: 'max_data', bytes: 2 ** 32 },
  { type: 'max_msgs', channel: 3, count: 64 },
  { type: 'reset_channel', channel: 3, seq: 20_000, bytes: 3_000_000 },
  {
    type: 'close',
    code: 1,
    finals: [
      [0, 5],
      [64, 0],
    ],
  },
  { type: 'open_channel', channel: 3, mode: 2, name: 'dësk/👋' },
  { type: 'path_challenge', data: hex('0102030405060708') },
  { type: 'path_response', data: hex('0102030405060708') },
  ...Object.values(CONTROL).map((code): Frame => ({ type: 'control', code, bytes: hex('aabb') })),
];

test('what is written is parsed again, as views, and has the size that it was said to have', () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 10 }), (frames) => {
      const bytes = written(...frames);
      expect(bytes.length).toBe(frames.reduce((size, frame) => size + frameSize(frame), 0));
      const parsed = parseFrames(bytes);
      expect(parsed).toEqual(frames);
      assertWithin(bytes, parsed);
    }),
    { seed: 20260408, numRuns: 500 },
  );
});

/** It says what the page says, takes no more than the bytes, and would write what it has read; less only what may be skipped. */
function assertFaithful(payload: Uint8Array): void {
  const parsed = parseFrames(payload);
  expect(parsed).toEqual(specFrames(payload));
  assertWithin(payload, parsed);
  const again = written(...(parsed ?? []));
  const isAll = again.length === payload.length;
  expect(again.length).toBeLessThanOrEqual(payload.length);
  expect(Buffer.compare(again, isAll ? payload : again)).toBe(0);
  // Written again it is the same, so nothing is left to be skipped.
  expect(parseFrames(again)).toEqual(parsed ?? []);
}

describe('payloads of strangers', () => {
  test.each(SAMPLES.map((frame) => [frame.type, frame] as const))('a disturbed %s is what the page says', (_, frame) => {
    for (const bytes of disturbed(written(frame))) assertFaithful(bytes);
    for (const bytes of disturbed(written({ type: 'ping' }, frame, { type: 'ping' }))) assertFaithful(bytes);
  });

  test('random bytes are what the page says', () => {
    const type = fc.constantFrom(...frameRows.flatMap(({ types }) => types), 0x0b, 0x0f, 0x12, 0x7f, 0x80, 0xff);
    const small = fc.oneof(fc.nat(8), fc.nat(0xff));
    const noisy = fc.tuple(type, fc.array(small, { maxLength: 12 })).map(([first, rest]) => [first, ...rest]);
    fc.assert(
      fc.property(fc.array(noisy, { maxLength: 5 }), (parts) => assertFaithful(Uint8Array.from(parts.flat()))),
      { seed: 20260409, numRuns: 3000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), assertFaithful), { seed: 20260410, numRuns: 2000 });
  });

  test('frames of strangers, disturbed, are what the page says', () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { minLength: 1, maxLength: 3 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (frames, at, flip) => {
          const bytes = written(...frames);
          bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ flip;
          assertFaithful(bytes);
          assertFaithful(bytes.slice(0, at % bytes.length));
        },
      ),
      { seed: 20260411, numRuns: 1000 },
    );
  });

  test('there are at most as many frames as bytes', () => {
    expect(parseFrames(new Uint8Array(10_000).fill(FRAME_TYPES.ping))?.length).toBe(10_000);
    expect(parseFrames(new Uint8Array(10_000))).toEqual([]);
  });

  test.each([
    ['a count of ranges that is not there', '02 04 00 1f 00'],
    ['33 ranges', `02 4100 00 20 00 ${'00 00 '.repeat(32)}`],
    ['a range below 0', '02 04 00 00 05'],
    ['a gap that leads below 0', '02 04 00 01 00 03 00'],
    ['a count of channels that is not there', '03 00 ffffffffffffffff'],
    ['a count of channels of a megabyte', '03 00 80100000'],
    ['mode 3', '04 00 03 00'],
    ['a name that is no UTF-8', '04 00 00 01 ff'],
    ['a name of a surrogate', '04 00 00 03 eda080'],
    ['an unknown critical type', '30 00'],
    ['MSG of a mode 3', '0b 00 00 00'],
    ['a fragment without bytes', '0c 00 00 00 05 00'],
    ['a fragment that is all', '0c 00 00 00 01 01 aa'],
    ['a fragment behind the end', '0c 00 00 05 06 02 aaaa'],
    ['a message of 16 MiB and a byte', '0c 00 00 00 81000001 01 aa'],
    ['a message of 2^53 - 1 bytes', '0c 00 00 00 c01fffffffffffff 01 aa'],
    ['an offset near 2^53', '0c 00 00 c01fffffffffffff 02 01 aa'],
    ['a varint that is too long', '06 4001'],
    ['a length that is too long', 'a0 4001 aa'],
    ['a challenge of 7 bytes', '10 01020304050607'],
    ['an ignorable frame that goes past the end', '80 02 aa'],
    ['a ping before half a frame', '01 06'],
  ])('%s is malformed', (_, text) => {
    expect(parseFrames(hex(text))).toBeUndefined();
    expect(specFrames(hex(text))).toBeUndefined();
  });

  test.each(['80 00', 'ff 03 aabbcc', 'b7 4040' + 'ee'.repeat(64), '00', '00 00 00'])('%s is skipped', (text) => {
    expect(parseFrames(hex(`01 ${text} 06 05`))).toEqual([{ type: 'ping' }, { type: 'max_data', bytes: 5 }]);
  });

  test('a name may have 512 bytes, a message 16 MiB, an ACK 32 ranges, and no more', () => {
    const name = 'é'.repeat(CHANNEL_NAME_BYTES_MAX / 2);
    const frames: readonly Frame[] = [
      { type: 'open_channel', channel: 0, mode: 0, name },
      { ...msg, offset: MESSAGE_BYTES_MAX - 3, total: MESSAGE_BYTES_MAX },
      { type: 'ack', largest: 4 * ACK_RANGES_MAX + 1, delayUs: 0, ranges: ranges(ACK_RANGES_MAX) },
    ];
    expect(parseFrames(written(...frames))).toEqual(frames);
    expect(parseFrames(hex(`04 00 00 4201 ${'61'.repeat(513)}`))).toBeUndefined();
    const text = '\u{feff}\0 ';
    expect(parseFrames(written({ type: 'open_channel', channel: 0, mode: 0, name: text }))).toMatchObject([{ name: text }]);
  });
});

test.each<[string, Frame]>([
  ['a name of 513 bytes', { type: 'open_channel', channel: 0, mode: 0, name: 'a'.repeat(513) }],
  ['a name that is no text', { type: 'open_channel', channel: 0, mode: 0, name: '\ud800' }],
  ['an ACK of nothing', { type: 'ack', largest: 0, delayUs: 0, ranges: [] }],
  ['an ACK of 33 ranges', { type: 'ack', largest: 133, delayUs: 0, ranges: ranges(33) }],
  ['an ACK whose largest is another', { type: 'ack', largest: 8, delayUs: 0, ranges: [[7, 9]] }],
  [
    'an ACK whose ranges touch',
    {
      type: 'ack',
      largest: 9,
      delayUs: 0,
      ranges: [
        [7, 9],
        [5, 6],
      ],
    },
  ],
  ['an ACK with a range that ends before it begins', { type: 'ack', largest: 9, delayUs: 0, ranges: [[10, 9]] }],
  ['a fragment without bytes', { ...msg, bytes: hex('') }],
  ['a fragment behind the end', { ...msg, offset: 1, total: 3 }],
  ['more than the message', { ...msg, total: 2 }],
  ['a message that is too long', { ...msg, total: MESSAGE_BYTES_MAX + 1 }],
  ['a challenge of 7 bytes', { type: 'path_challenge', data: hex('01020304050607') }],
  ['a fraction', { type: 'max_data', bytes: 0.5 }],
])('to write %s is a programmer error', (_, frame) => {
  expect(() => putFrame(new Writer(), frame)).toThrow(wrong);
});

describe('the room of a message', () => {
  /** By trying: the longest part that fits. */
  const tried = (room: number, at: { channel: number; seq: number; offset: number; total: number }): number | undefined => {
    for (let length = Math.min(at.total - at.offset, room); length >= 0; length--) {
      const isPart = at.offset > 0 || length < at.total;
      if (isPart && length === 0) return undefined;
      if (frameSize({ type: 'msg', mode: 0, ...at, bytes: new Uint8Array(length) }) <= room) return length;
    }
    return undefined;
  };

  test('is what fits, at each room around which a length takes another byte', () => {
    const part = { channel: 0, seq: 0, offset: 1, total: 70_000 };
    for (const around of [50, 16_400])
      for (let room = around - 50; room <= around + 50; room++) expect(messageRoom(room, part)).toBe(tried(room, part));
  });

  test('is what fits, of any message', () => {
    const number = fc.oneof(fc.nat(70), fc.nat(20_000), fc.maxSafeNat());
    const near = fc.oneof(fc.nat(150), fc.integer({ min: 16_370, max: 16_420 }));
    fc.assert(
      fc.property(near, number, number, near, fc.nat(70_000), (room, channel, seq, left, offset) => {
        // A part from `offset` on, a whole message, and an end of one byte.
        const parts = [
          { offset: offset + 1, total: offset + 1 + Math.max(1, left) },
          { offset: 0, total: left },
          { offset: offset + 1, total: offset + 2 },
        ];
        for (const part of parts) {
          const at = { channel, seq, ...part };
          expect(messageRoom(room, at)).toBe(tried(room, at));
        }
      }),
      { seed: 20260412, numRuns: 300 },
    );
  });
});
