import * as fc from 'fast-check';
import { CONTROL, type AckRange, type Frame } from '../../../transport/overlay/wire/frames.ts';

const number = fc.oneof(fc.nat(70), fc.nat(20_000), fc.nat(2 ** 31 - 1), fc.maxSafeNat());
const mode = fc.constantFrom(0 as const, 1 as const, 2 as const);
const data = fc.uint8Array({ minLength: 8, maxLength: 8 });

const ack = fc
  .record({
    delayUs: number,
    lowest: fc.nat(2 ** 31 - 1),
    spans: fc.array(fc.tuple(fc.nat(2 ** 20), fc.nat(2 ** 20)), { minLength: 1, maxLength: 32 }),
  })
  .map(({ delayUs, lowest, spans }): Frame => {
    const ranges: AckRange[] = [];
    let from = lowest;
    for (const [length, gap] of spans) {
      ranges.unshift([from, from + length]);
      from += length + 2 + gap;
    }
    return { type: 'ack', largest: ranges[0]?.[1] as number, delayUs, ranges };
  });

const whole = fc
  .record({ channel: number, seq: number, mode, bytes: fc.uint8Array({ maxLength: 100 }) })
  .map((msg): Frame => ({ type: 'msg', ...msg, offset: 0, total: msg.bytes.length }));

const fragment = fc
  .record({
    channel: number,
    seq: number,
    mode,
    bytes: fc.uint8Array({ minLength: 1, maxLength: 100 }),
    before: fc.nat(2 ** 20),
    behind: fc.nat(2 ** 20),
  })
  .filter(({ before, behind }) => before + behind > 0)
  .map(({ before, behind, ...msg }): Frame => {
    return { type: 'msg', ...msg, offset: before, total: before + msg.bytes.length + behind };
  });

const name = fc.string({ unit: 'grapheme', maxLength: 60 }).filter((text) => Buffer.byteLength(text) <= 512);

/** Any frame that may be written. */
export const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  ack,
  whole,
  fragment,
  fc.constant<Frame>({ type: 'ping' }),
  fc.record({ type: fc.constant('max_data' as const), bytes: number }),
  fc.record({ type: fc.constant('max_msgs' as const), channel: number, count: number }),
  fc.record({ type: fc.constant('reset_channel' as const), channel: number, seq: number, bytes: number }),
  fc.record({ type: fc.constant('close' as const), code: number, finals: fc.array(fc.tuple(number, number), { maxLength: 40 }) }),
  fc.record({ type: fc.constant('open_channel' as const), channel: number, mode, name }),
  fc.record({ type: fc.constant('path_challenge' as const), data }),
  fc.record({ type: fc.constant('path_response' as const), data }),
  fc.record({
    type: fc.constant('control' as const),
    code: fc.constantFrom(...Object.values(CONTROL)),
    bytes: fc.uint8Array({ maxLength: 100 }),
  }),
);
