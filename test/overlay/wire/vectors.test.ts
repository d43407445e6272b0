/** docs/overlay-wire.md: its tables are those of the code, and frozen bytes are read by the page alone, and read and written by the code. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Writer } from '../../../transport/overlay/wire/bytes.ts';
import { CONTROL, FRAME_TYPES, type Frame, parseFrames, putFrame } from '../../../transport/overlay/wire/frames.ts';
import { buildHello, type Hello, parseHello } from '../../../transport/overlay/wire/hello.ts';
import { buildPacket, type Packet, parsePacket } from '../../../transport/overlay/wire/packets.ts';
import { disturbed } from './hostile.ts';
import { frameRows, packetRows, specFrames, specHello, specPacket } from './wire-spec.ts';

interface Named {
  readonly name: string;
  readonly hex: string;
}
interface Vectors {
  readonly packets: readonly (Named & { readonly packet: unknown })[];
  readonly faults: readonly (Named & { readonly fault: string })[];
  readonly hellos: readonly (Named & { readonly padding: number; readonly hello: unknown })[];
  readonly payloads: readonly (Named & { readonly frames: readonly unknown[] })[];
  readonly skipped: readonly (Named & { readonly frames: readonly unknown[] })[];
  readonly malformed: readonly Named[];
}

const vectors = JSON.parse(readFileSync('test/overlay/vectors/wire.json', 'utf8')) as Vectors;

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const toBytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
/** As in the file: bytes are hex. */
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, item: unknown) => (item instanceof Uint8Array ? toHex(item) : item)) ?? 'null');
/** The other way. Texts are bytes, but for these. */
const rich = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (key, item: unknown) =>
    typeof item === 'string' && key !== 'type' && key !== 'name' ? toBytes(item) : item,
  );

describe('frozen bytes', () => {
  test.each(vectors.packets)('$name', ({ hex, packet }) => {
    expect(plain(specPacket(toBytes(hex)))).toEqual(packet);
    expect(plain(parsePacket(toBytes(hex)))).toEqual(packet);
    expect(toHex(buildPacket(rich(packet) as Packet))).toBe(hex);
  });

  test.each(vectors.faults)('$name: $fault', ({ hex, fault }) => {
    expect(specPacket(toBytes(hex))).toBeUndefined();
    expect(parsePacket(toBytes(hex))).toBe(fault);
  });

  test.each(vectors.hellos)('a hello, $name', ({ hex, padding, hello }) => {
    expect(plain(specHello(toBytes(hex)))).toEqual(hello);
    expect(plain(parseHello(toBytes(hex)))).toEqual(hello);
    expect(toHex(buildHello(rich(hello) as Hello, padding))).toBe(hex);
  });

  test.each(vectors.payloads)('$name', ({ hex, frames }) => {
    expect(plain(specFrames(toBytes(hex)))).toEqual(frames);
    expect(plain(parseFrames(toBytes(hex)))).toEqual(frames);
    const writer = new Writer();
    for (const frame of rich(frames) as readonly Frame[]) putFrame(writer, frame);
    expect(toHex(writer.written())).toBe(hex);
  });

  test.each(vectors.skipped)('skipped: $name', ({ hex, frames }) => {
    expect(specFrames(toBytes(hex))).toEqual(frames);
    expect(parseFrames(toBytes(hex))).toEqual(frames);
  });

  test.each(vectors.malformed)('malformed: $name', ({ hex }) => {
    expect(specFrames(toBytes(hex))).toBeUndefined();
    expect(parseFrames(toBytes(hex))).toBeUndefined();
  });

  test('disturbed, they are to the code what they are to the page', () => {
    const read = (bytes: Uint8Array): unknown => {
      const packet = parsePacket(bytes);
      return typeof packet === 'string' ? undefined : packet;
    };
    // What comes of a byte in the middle of an INIT is no question.
    for (const { hex } of vectors.packets.filter(({ hex }) => hex.length < 1000))
      for (const bytes of disturbed(toBytes(hex))) expect(read(bytes)).toEqual(specPacket(bytes));
    for (const { hex } of vectors.hellos)
      for (const bytes of disturbed(toBytes(hex))) expect(parseHello(bytes)).toEqual(specHello(bytes));
    for (const { hex } of vectors.payloads)
      for (const bytes of disturbed(toBytes(hex))) expect(parseFrames(bytes)).toEqual(specFrames(bytes));
  });
});

describe('the page', () => {
  test('names the frames of the code, under their types', () => {
    const paged = frameRows.flatMap(({ name, types }) => types.map((type) => [type, name]));
    const coded = [...Object.entries(FRAME_TYPES), ...Object.entries(CONTROL)].flatMap(([name, type]) =>
      (name === 'msg' ? [0, 1, 2, 4, 5, 6] : [0]).map((more) => [type + more, name.toUpperCase()]),
    );
    expect(Object.fromEntries(paged)).toEqual(Object.fromEntries(coded));
    expect(paged.length).toBe(coded.length);
  });

  test('has a vector for each of its frames and packets', () => {
    const types = new Set(vectors.payloads.map(({ hex }) => hex.slice(0, 2)));
    const missing = frameRows.filter(
      ({ name, types: of }) => name !== 'PADDING' && !of.some((t) => types.has(toHex(Uint8Array.of(t)))),
    );
    expect(missing).toEqual([]);
    expect(new Set(packetRows.map(({ type }) => type))).toEqual(
      new Set(vectors.packets.map(({ hex }) => Number.parseInt(hex.slice(0, 2), 16))),
    );
  });
});
