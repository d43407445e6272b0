import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { BATCH_BYTES_MAX, framed, STREAM_PACKET_BYTES_MAX, unframe } from '../../../transport/overlay/endpoint/batch.ts';
import { assertWithin, disturbed } from '../wire/hostile.ts';

function packetsOf(message: Uint8Array): Uint8Array[] | undefined {
  const packets: Uint8Array[] = [];
  return unframe(message, (packet) => packets.push(packet)) ? packets : undefined;
}

const packets = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 8 });

test('packets come out of a message as they went in', () => {
  fc.assert(
    fc.property(packets, (all) => {
      const found = packetsOf(Buffer.concat(all.map(framed)));
      expect(found?.map((packet) => Buffer.from(packet))).toEqual(all.map((packet) => Buffer.from(packet)));
    }),
    { seed: 1, numRuns: 200 },
  );
});

test('the length is little-endian, and the longest packet fills a message', () => {
  expect([...framed(new Uint8Array(258)).subarray(0, 2)]).toEqual([2, 1]);
  const longest = framed(new Uint8Array(STREAM_PACKET_BYTES_MAX));
  expect(longest).toHaveLength(BATCH_BYTES_MAX);
  expect(packetsOf(longest)?.map(({ length }) => length)).toEqual([STREAM_PACKET_BYTES_MAX]);
});

test('a message that does not hold packets gives none of them', () => {
  const good = framed(Uint8Array.of(7));
  for (const bad of [[], [0], [0, 0], [1, 0], [5, 0, 1], [1, 0, 1, 9], [1, 0, 1, 0, 0]])
    expect([bad, packetsOf(Uint8Array.from(bad))]).toEqual([bad, undefined]);
  expect(packetsOf(Buffer.concat([good, Buffer.of(2, 0, 1)]))).toBeUndefined();
});

test('whatever comes, packets are views into the message and never more than it', () => {
  const message = Buffer.concat([framed(Uint8Array.of(1, 2, 3)), framed(new Uint8Array(300)), framed(Uint8Array.of(4))]);
  for (const bytes of disturbed(Uint8Array.from(message))) assertWithin(bytes, packetsOf(bytes));
});
