import { expect, test } from 'vitest';
import { PLACES_OF_SOURCE, Room, SOURCES_WAITING } from '../../../transport/overlay/session/room.ts';
import { seededRandom } from '../identities.ts';

const RATE = { perSecond: 1_000, burst: 1 };
const bytes = (value: number): Uint8Array => Uint8Array.of(value);
const path = (host: number, port = 1): string => `udp:0/10.0.${host >> 8}.${host & 255}:${port}`;
const random = seededRandom('room');
const roomOf = (): Room => new Room(RATE, random);

/** The first byte of each that leaves, in their order. */
function emptied(room: Room): number[] {
  const left: number[] = [];
  for (let now = 0; room.nextAt(now) < Infinity; now++) left.push(room.take(now)?.bytes[0] as number);
  return left;
}

test('who came first leaves first, at the pace of the room', () => {
  const room = roomOf();
  expect([room.nextAt(0), room.take(0)]).toEqual([Infinity, undefined]);
  expect([room.put(path(1), bytes(1)), room.put(path(2), bytes(2))]).toEqual([0, 0]);
  expect(room.nextAt(5)).toBe(5);
  expect(room.take(5)).toEqual({ from: path(1), bytes: bytes(1) });
  expect([room.take(5), room.nextAt(5)]).toEqual([undefined, 6]);
  expect(room.take(6)).toEqual({ from: path(2), bytes: bytes(2) });
  expect(room.nextAt(6)).toBe(Infinity);
});

test('keeps a copy, as long as it was', () => {
  const room = roomOf();
  room.put(path(1), new Uint8Array(1_200));
  room.take(0);
  const datagram = bytes(1);
  room.put(path(1), datagram);
  datagram[0] = 2;
  expect(room.take(1)?.bytes).toEqual(bytes(1));
});

test('sources take turns, whatever the others send', () => {
  const room = roomOf();
  for (const value of [10, 11, 12, 13]) expect(room.put(path(1, value), bytes(value))).toBe(0);
  for (const value of [20, 21]) expect(room.put(path(2), bytes(value))).toBe(0);
  expect(room.put(path(3), bytes(30))).toBe(0);
  expect(emptied(room)).toEqual([10, 20, 30, 11, 21, 12, 13]);
});

test('A10: of one source four wait, and each that came has the same chance to be among them', () => {
  const came = 16;
  const trials = 2_000;
  const looked = Array.from({ length: came }, () => 0);
  for (let trial = 0; trial < trials; trial++) {
    const room = roomOf();
    let gone = 0;
    for (let value = 0; value < came; value++) gone += room.put(path(1, value), bytes(value));
    expect(gone).toBe(came - PLACES_OF_SOURCE);
    const left = emptied(room);
    expect(new Set(left).size).toBe(PLACES_OF_SOURCE);
    for (const value of left) looked[value] = (looked[value] as number) + 1;
  }
  const expected = (trials * PLACES_OF_SOURCE) / came;
  // Six standard deviations.
  for (const count of looked)
    expect(Math.abs(count - expected)).toBeLessThan(6 * Math.sqrt(expected * (1 - PLACES_OF_SOURCE / came)));
});

test('of a source of which one has left the next gets its place, whatever came before', () => {
  const room = roomOf();
  for (let value = 0; value < 1_000; value++) room.put(path(1), bytes(0));
  room.take(0);
  expect(room.put(path(1), bytes(1))).toBe(0);
  expect(emptied(room).at(-1)).toBe(1);
});

test('A10: when too many sources wait, the one whose turn is next gives way with all that it has', () => {
  const room = roomOf();
  for (let host = 0; host < SOURCES_WAITING; host++) expect(room.put(path(host), bytes(host))).toBe(0);
  for (const value of [1, 2]) room.put(path(0), bytes(value));
  expect(room.put(path(SOURCES_WAITING), bytes(7))).toBe(3);
  const left: (string | undefined)[] = [];
  for (let now = 0; room.nextAt(now) < Infinity; now++) left.push(room.take(now)?.from);
  expect(left).toEqual(Array.from({ length: SOURCES_WAITING }, (_, i) => path(i + 1)));
});

test('A10: a flood is written over what has left', () => {
  const room = roomOf();
  const buffers = new Set<ArrayBufferLike>();
  for (let i = 0; i < 10_000; i++) {
    room.put(path(i % 1_000), bytes(i));
    const left = i % 4 === 0 ? undefined : room.take(i);
    if (left !== undefined) buffers.add(left.bytes.buffer);
  }
  let held = 0;
  for (const buffer of buffers) held += buffer.byteLength;
  expect(held).toBeGreaterThan(0);
  expect(held).toBeLessThanOrEqual(SOURCES_WAITING * PLACES_OF_SOURCE * 1_200);
});
