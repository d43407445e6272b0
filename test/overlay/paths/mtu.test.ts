/** How long packets may be: probes, each once, and black holes. */
import { describe, expect, test } from 'vitest';
import { Mtu } from '../../../transport/overlay/paths/mtu.ts';
import { DIRECT, DIRECT_BACK, RELAY, World, type End, type Link } from './lab.ts';

const LOOPBACK = 'udp:0/127.0.0.1:4000';

/** Two ends on one direct link. */
function direct(
  change: Partial<Link>,
  { maxDatagram = 65_535, a = DIRECT } = {},
): { world: World; a: End; link: Link; lengths: number[] } {
  const world = new World(1, maxDatagram);
  const lengths: number[] = [];
  world.tap = (from, _path, { bytes }) => {
    if (from === world.a && bytes >= 1_200) lengths.push(bytes);
    return false;
  };
  const link = world.link({ a, b: DIRECT_BACK, delayMs: 15, ...change });
  world.begin(link);
  return { world, a: world.a, link, lengths };
}

describe('packets may be as long as', () => {
  test.each([
    ['1452 on a direct path that carries them', DIRECT, 1_500, 1_452],
    ['1400 where the peer takes no more', DIRECT, 1_450, 1_400],
    ['the peer takes, where that is less than all', DIRECT, 1_000, 1_000],
    ['16 KiB on loopback', LOOPBACK, 65_535, 16_384],
    ['the peer takes on loopback', 'udp:0/[::1]:4000', 9_000, 9_000],
  ])('%s', (_name, path, maxDatagram, expected) => {
    const { world, a } = direct({}, { maxDatagram, a: path });
    expect(a.paths.datagram(path)).toBe(Math.min(1_200, maxDatagram));
    world.run(31);
    expect(a.paths.datagram(path)).toBe(expected);
  });

  test.each([
    ['1184 on a relayed path', RELAY, 65_535, 1_184],
    ['16 KiB on a WebSocket, at once', 'ws:1', 65_535, 16_384],
    ['the peer takes on a WebSocket', 'ws:1', 1_500, 1_500],
  ])('%s; nothing is probed', (_name, path, maxDatagram, expected) => {
    const mtu = new Mtu(path, maxDatagram);
    expect([mtu.datagram, mtu.proved(0), mtu.nextAt()]).toEqual([expected, [], Infinity]);
  });

  test('1400 on a path that carries 1430', () => {
    const { world, a } = direct({ maxBytes: 1_430 });
    world.run(1_000);
    expect(a.paths.datagram(DIRECT)).toBe(1_400);
  });
});

describe('a probe', () => {
  test('is sent once for each length, whatever becomes of it, until the network changes', () => {
    const { world, a, link, lengths } = direct({ maxBytes: 1_300 });
    world.run(120_000);
    expect([lengths, a.paths.datagram(DIRECT)]).toEqual([[1_400, 1_452], 1_200]);
    link.maxBytes = 1_500;
    world.run(60_000);
    expect(lengths.length).toBe(2);
    a.paths.networkChanged(world.now);
    world.collect();
    world.run(1_000);
    expect([lengths, a.paths.datagram(DIRECT)]).toEqual([[1_400, 1_452, 1_400, 1_452], 1_452]);
  });

  test('of 16 KiB that is lost on loopback is followed by those of other paths', () => {
    const { world, a, lengths } = direct({ maxBytes: 9_000 }, { a: LOOPBACK });
    world.run(5_000);
    expect([lengths, a.paths.datagram(LOOPBACK)]).toEqual([[16_384, 1_400, 1_452], 1_452]);
  });
});

describe('a black hole', () => {
  test('for long packets brings them back to 1200 for good, and the path stays in use', () => {
    const { world, a, link, lengths } = direct({});
    world.run(1_000);
    world.talk(1_452, [a]);
    world.run(1_000);
    link.maxBytes = 1_250;
    const before = world.b.dataAt.length;
    world.run(3_000);
    expect([a.paths.datagram(DIRECT), a.stateOf(DIRECT), a.paths.active]).toEqual([1_200, 'valid', DIRECT]);
    expect(world.b.dataAt.length - before).toBeGreaterThan(50);
    const long = lengths.filter((bytes) => bytes > 1_200).length;
    link.maxBytes = 1_500;
    world.run(60_000);
    expect([a.paths.datagram(DIRECT), lengths.filter((bytes) => bytes > 1_200).length]).toEqual([1_200, long]);
  });

  test('behind which a relay is lets the relay help out, and comes back with short packets', () => {
    const { world, a, direct: link } = World.withRelay();
    world.talk(1_452, [a]);
    world.run(1_000);
    expect(a.paths.datagram(DIRECT)).toBe(1_452);
    const changes = a.changes.length;
    link.maxBytes = 1_250;
    world.run(10_000);
    expect(a.changes.slice(changes).map(({ path }) => path)).toEqual([RELAY, DIRECT]);
    expect([a.paths.active, a.paths.datagram(DIRECT)]).toEqual([DIRECT, 1_200]);
  });

  test('is not seen in a path that is away altogether', () => {
    const { world, a, link } = direct({});
    world.run(1_000);
    world.talk(1_452, [a]);
    link.cut = 'both';
    world.run(3_000);
    link.cut = 'none';
    world.run(3_000);
    expect([a.paths.datagram(DIRECT), a.stateOf(DIRECT)]).toEqual([1_452, 'valid']);
  });

  test('is not proved by the answer to a challenge from before the trial', () => {
    const mtu = new Mtu(DIRECT, 1_500);
    mtu.proved(0);
    mtu.answered(1_452, 0);
    mtu.doubted(100, 200);
    mtu.answered(undefined, 99);
    expect([mtu.tick(300), mtu.isOnTrial, mtu.datagram]).toEqual([[], false, 1_452]);
  });

  test('takes three trials in a row: a long packet that arrives in between clears the path', () => {
    const mtu = new Mtu(DIRECT, 1_500);
    expect(mtu.proved(0)).toEqual([1_400, 1_452]);
    mtu.answered(1_452, 0);
    expect(mtu.doubted(100, 200)).toEqual([undefined, 1_452]);
    expect(mtu.doubted(110, 200)).toEqual([]);
    mtu.answered(undefined, 50);
    mtu.answered(undefined, 100);
    expect(mtu.tick(300)).toEqual([undefined, 1_452]);
    mtu.answered(undefined, 300);
    expect(mtu.tick(500)).toEqual([undefined, 1_452]);
    mtu.answered(1_452, 300);
    expect([mtu.isOnTrial, mtu.nextAt()]).toEqual([false, Infinity]);
    mtu.doubted(1_000, 200);
    for (const at of [1_200, 1_400, 1_600]) {
      expect(mtu.datagram).toBe(1_452);
      mtu.answered(undefined, at - 200);
      mtu.tick(at);
    }
    expect([mtu.datagram, mtu.isOnTrial]).toEqual([1_200, false]);
    mtu.answered(1_452, 1_400);
    expect(mtu.datagram).toBe(1_200);
  });
});
