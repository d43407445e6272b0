import { expect, test } from 'vitest';
import { PLACES, Room } from '../../../transport/overlay/session/room.ts';

const RATE = { perSecond: 1_000, burst: 1 };
const bytes = (value: number): Uint8Array => Uint8Array.of(value);
const path = (host: number, port = 1): string => `udp:0/10.0.${host >> 8}.${host & 255}:${port}`;

test('who came first leaves first, at the pace of the room', () => {
  const room = new Room(RATE);
  expect([room.nextAt(0), room.take(0)]).toEqual([Infinity, undefined]);
  expect([room.put(path(1), bytes(1)), room.put(path(2), bytes(2))]).toEqual([true, true]);
  expect(room.nextAt(5)).toBe(5);
  expect(room.take(5)).toEqual({ from: path(1), bytes: bytes(1) });
  expect([room.take(5), room.nextAt(5)]).toEqual([undefined, 6]);
  expect(room.take(6)).toEqual({ from: path(2), bytes: bytes(2) });
  expect(room.nextAt(6)).toBe(Infinity);
});

test('keeps a copy', () => {
  const room = new Room(RATE);
  const datagram = bytes(1);
  room.put(path(1), datagram);
  datagram[0] = 2;
  expect(room.take(0)?.bytes).toEqual(bytes(1));
});

test('of one source the last counts, in the place of the first', () => {
  const room = new Room(RATE);
  room.put(path(1), bytes(1));
  room.put(path(2), bytes(2));
  expect(room.put(path(1, 2), bytes(3))).toBe(false);
  expect(room.take(0)).toEqual({ from: path(1, 2), bytes: bytes(3) });
  expect(room.take(1)).toEqual({ from: path(2), bytes: bytes(2) });
  expect(room.take(2)).toBeUndefined();
});

test('A10: when all places are taken, who has waited longest gives way', () => {
  const room = new Room(RATE);
  for (let host = 0; host < PLACES; host++) expect(room.put(path(host), bytes(host))).toBe(true);
  expect(room.put(path(PLACES), bytes(7))).toBe(false);
  const left: (string | undefined)[] = [];
  for (let now = 0; room.nextAt(now) < Infinity; now++) left.push(room.take(now)?.from);
  expect(left).toEqual(Array.from({ length: PLACES }, (_, i) => path(i + 1)));
});
