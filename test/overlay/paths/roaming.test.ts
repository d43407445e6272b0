/** Peers that come from elsewhere, ways that die, and those who would like to be the way. */
import { describe, expect, test } from 'vitest';
import { DIRECT, DIRECT_BACK, RELAY, RELAY_BACK, World, type End } from './lab.ts';

const SEEDS = Array.from({ length: 20 }, (_, i) => i + 1);
const REBOUND = 'udp:0/192.0.2.1:55555';
const ATTACKER = 'udp:0/203.0.113.66:666';

describe('NAT rebinding', () => {
  test('is followed within one round trip of the first packet, over many seeds', () => {
    for (const seed of SEEDS) {
      const { world, a, b, direct } = World.withRelay(seed);
      direct.jitterMs = 4;
      world.talk(800);
      world.run(1_000 + 7 * seed);
      // `a` meets `b` under another port from now on, and what it sends to the old one arrives nowhere.
      direct.a = REBOUND;
      let first: number | undefined;
      world.onTaken = (to, path) => {
        if (to === a && path === REBOUND) first ??= world.now;
      };
      const before = a.changes.length;
      world.run(2_000);
      expect(a.changes.slice(before).map(({ path, reason }) => [path, reason])).toEqual([[REBOUND, 'roamed']]);
      expect((a.changes[before]?.at ?? Infinity) - (first ?? 0)).toBeLessThanOrEqual(2 * (15 + 4) + 1);
      expect([a.stateOf(REBOUND), b.paths.active]).toEqual(['valid', DIRECT_BACK]);
      world.run(6_000);
      expect(a.stateOf(DIRECT)).toBe('dead');
    }
  });

  test('is followed where a tenth of all packets are lost', () => {
    for (const seed of SEEDS) {
      const { world, a, direct } = World.withRelay(seed);
      direct.loss = 0.1;
      world.talk(800);
      world.run(1_000);
      direct.a = REBOUND;
      world.run(3_000);
      expect(a.paths.active).toBe(REBOUND);
    }
  });

  test('of an idle peer is found by its next keepalive', () => {
    const world = new World();
    const link = world.link({ a: DIRECT, b: DIRECT_BACK, delayMs: 15 });
    world.begin(link);
    world.run(10_000);
    link.a = REBOUND;
    world.b.paths.traffic(world.now);
    world.run(40_000);
    expect(world.a.paths.active).toBe(REBOUND);
  });
});

describe('A12: a packet raced from another address', () => {
  /** Everything of the direct path gets to `a` first from the attacker's address. */
  function raced({ isForwarding = false } = {}): { world: World; a: End; b: End } {
    const { world, a, b } = World.withRelay();
    world.tap = (from, path, packet) => {
      if (from === b && path === DIRECT_BACK) world.deliver(a, ATTACKER, packet, 1);
      if (isForwarding && from === a && path === ATTACKER) world.deliver(b, DIRECT_BACK, packet, 1);
      return false;
    };
    return { world, a, b };
  }

  test('gains nothing for an attacker who gets no answer: the old path carries all, for as long as it goes on', () => {
    const { world, a, b } = raced();
    world.talk(800);
    const before = a.changes.length;
    world.run(60_000);
    expect(a.changes.slice(before)).toEqual([]);
    expect([a.paths.active, a.stateOf(DIRECT)]).toEqual([DIRECT, 'valid']);
    expect(['probing', 'dead']).toContain(a.stateOf(ATTACKER));
    expect([a.dataAt.length, b.dataAt.length].every((count) => count > 2_900)).toBe(true);
  });

  test('gains nothing where it is the only other path, and the peer is idle but for keepalives', () => {
    const world = new World();
    world.begin(world.link({ a: DIRECT, b: DIRECT_BACK, delayMs: 15 }));
    world.run(1_000);
    world.tap = (from, _path, packet) => {
      if (from === world.b) world.deliver(world.a, ATTACKER, packet, 1);
      return false;
    };
    for (let i = 0; i < 10; i++) {
      world.a.paths.traffic(world.now);
      world.b.paths.traffic(world.now);
      world.run(30_000);
      expect(world.a.paths.active).toBe(DIRECT);
    }
  });

  test('once, of a path that goes on: one challenge more, and no change', () => {
    const { world, a, b } = World.withRelay();
    world.talk(800);
    world.run(1_000);
    let isRaced = false;
    world.tap = (from, path, packet) => {
      if (from !== b || path !== DIRECT_BACK || isRaced) return false;
      isRaced = true;
      world.deliver(a, ATTACKER, packet, 1);
      return false;
    };
    const before = a.changes.length;
    world.run(10_000);
    expect([a.changes.length - before, a.stateOf(ATTACKER)]).toEqual([0, 'dead']);
  });

  test('by one who forwards both ways makes it a way like any other, which is left when it stops', () => {
    const { world, a } = raced({ isForwarding: true });
    world.talk(800);
    world.run(5_000);
    expect(a.paths.active).toBeDefined();
    world.tap = () => false;
    const since = world.now;
    world.run(3_000);
    expect([DIRECT, RELAY]).toContain(a.paths.active);
    const gaps = world.b.dataAt.filter((at) => at > since + 1_500);
    expect(gaps.length).toBeGreaterThan(50);
  });
});

describe('A11: amplification', () => {
  test('an address that is not proved gets at most three times what came from it, whatever the peer asks for', () => {
    for (const seed of SEEDS) {
      const { world, a, b } = World.withRelay(seed);
      world.talk(800);
      world.run(500);
      // Packets of the peer that pretend to come from a victim: data, and more challenges than anyone answers.
      let victimPn = 0;
      let isAmplified = false;
      world.tap = (from, _path, packet) => {
        if (from === b && packet.pn % 3 === seed % 3) {
          world.deliver(a, ATTACKER, { ...packet, pn: 1_000_000 + victimPn++, bytes: 41 + (packet.pn % 60) }, 1);
          if (seed % 2 === 0)
            world.deliver(
              a,
              ATTACKER,
              {
                pn: 2_000_000 + victimPn,
                bytes: 41,
                isTraffic: false,
                content: { type: 'path_challenge', data: new Uint8Array(8) },
              },
              1,
            );
        }
        isAmplified ||= (a.sent.get(ATTACKER) ?? 0) > 3 * (a.received.get(ATTACKER) ?? 0);
        return false;
      };
      world.run(5_000);
      expect(isAmplified).toBe(false);
      expect(a.received.get(ATTACKER)).toBeGreaterThan(1_000);
      expect(a.sent.get(ATTACKER)).toBeGreaterThan(0);
      expect(a.paths.isOpen(ATTACKER)).toBe(false);
    }
  });

  test('nor does the path on which the peer began, until it answers', () => {
    const world = new World();
    const link = world.link({ a: DIRECT, b: DIRECT_BACK, delayMs: 15, cut: 'from b' });
    world.begin(link);
    world.b.paths.received(world.now, DIRECT_BACK, 100, true);
    world.b.received.set(DIRECT_BACK, 100);
    world.talk(800);
    let isAmplified = false;
    world.tap = (from) => {
      const isOver = (world.b.sent.get(DIRECT_BACK) ?? 0) > 3 * (world.b.received.get(DIRECT_BACK) ?? 0);
      isAmplified ||= from === world.b && isOver;
      return false;
    };
    world.run(5_000);
    expect(isAmplified).toBe(false);
    expect(world.b.stateOf(DIRECT_BACK)).not.toBe('valid');
    link.cut = 'none';
    world.run(1_000);
    expect(world.b.stateOf(DIRECT_BACK)).toBe('valid');
  });
});

describe('a direct path that dies', () => {
  test('is left for the relay at the third timeout or before, and taken again when it is back', () => {
    for (const seed of SEEDS) {
      const { world, a, b, direct } = World.withRelay(seed);
      world.talk(800);
      world.run(1_000 + seed);
      const since = world.now;
      direct.cut = 'both';
      const before = [a.changes.length, b.changes.length] as const;
      world.run(2_000);
      for (const [end, at] of [
        [a, before[0]],
        [b, before[1]],
      ] as const) {
        expect(end.changes.length - at).toBe(1);
        expect((end.changes[at]?.at ?? Infinity) - since).toBeLessThan(800);
      }
      expect([a.paths.active, b.paths.active]).toEqual([RELAY, RELAY_BACK]);
      expect(a.dataAt.filter((at) => at > since + 900).length).toBeGreaterThan(50);
      direct.cut = 'none';
      a.paths.probe(world.now, DIRECT);
      world.run(1_000);
      expect([a.paths.active, b.paths.active]).toEqual([DIRECT, DIRECT_BACK]);
    }
  });

  test('is left by one who only acknowledges as well, since the peer comes another way', () => {
    for (const seed of SEEDS) {
      const { world, a, b, direct } = World.withRelay(seed);
      world.talk(800, [b]);
      world.run(1_000 + seed);
      direct.cut = 'both';
      world.run(2_000);
      expect([a.paths.active, b.paths.active]).toEqual([RELAY, RELAY_BACK]);
      expect(b.timeouts).toBe(0);
    }
  });

  test('one way is left by the one whose packets are lost, and stays away while it is so', () => {
    const { world, a, direct } = World.withRelay();
    world.talk(800);
    world.run(1_000);
    direct.cut = 'from a';
    const before = a.changes.length;
    world.run(60_000);
    expect(a.paths.active).toBe(RELAY);
    expect(a.changes.length - before).toBe(1);
  });

  test('for a moment only is in use again within a second', () => {
    const world = new World();
    const link = world.link({ a: DIRECT, b: DIRECT_BACK, delayMs: 15 });
    world.begin(link);
    world.talk(800);
    world.run(1_000);
    link.cut = 'both';
    world.run(5_000);
    link.cut = 'none';
    const since = world.now;
    world.run(1_000);
    expect(world.a.stateOf(DIRECT)).toBe('valid');
    expect(world.b.dataAt.some((at) => at > since)).toBe(true);
  });
});
