/** A relay that was away: how soon nodes find each other by it again, and what they send to it until then. */
import { describe, expect, test } from 'vitest';
import { parseUdpPath } from '../../transport/overlay/paths/endpoint.ts';
import { seeds } from './seeds.ts';
import { addRelay, World, type SimNode } from './world.ts';

/** Both behind NATs through which no direct path leads. */
function behindNats(seed: number): { world: World; a: SimNode; b: SimNode; relay: SimNode } {
  const world = new World(seed, { latencyMs: 15 });
  const { sim: relay, at } = addRelay(world);
  world.internet.nat('na', { kind: 'sym', address: '203.0.113.10' });
  world.internet.nat('nb', { kind: 'sym', address: '203.0.113.20' });
  const a = world.add('a', { nat: 'na', addresses: ['192.168.1.5'], relays: [at] });
  const b = world.add('b', { nat: 'nb', addresses: ['192.168.1.6'], relays: [at] });
  return { world, a, b, relay };
}

describe('a relay that comes back', () => {
  test.each([2_000, 8_000, 20_000, 45_000, 120_000])(
    'after %d ms, while one of two has started again: they are in touch within 3 s',
    async (awayMs) => {
      expect.hasAssertions();
      for (let seed = 1; seed <= seeds(6, 100); seed++) {
        const { world, a, b, relay } = behindNats(seed);
        world.run(2_000);
        world.send(a, b, 'before');
        await world.until('a message', () => b.heard.length === 1);
        world.run(3_000 + seed * 700);
        world.crash('r1');
        world.run(awayMs / 2);
        world.crash('b');
        const again = world.add('b', b.setup);
        world.run(awayMs / 2);
        world.add('r1', relay.setup);
        const returnedAt = world.now;
        let nextAt = world.now;
        await world.until(
          'they are in touch',
          () => {
            // What is under way is lost when it turns out that the other one has started again.
            if (world.now >= nextAt) {
              world.send(a, again, 'after');
              nextAt = world.now + 250;
            }
            return again.texts(a.key).length > 0;
          },
          3_000,
        );
        expect(world.now - returnedAt).toBeLessThanOrEqual(3_000);
      }
    },
  );

  test('costs each node one or two packets a second at each of its endpoints, for as long as it is away', () => {
    const { world, a, b } = behindNats(1);
    world.run(5_000);
    world.crash('r1');
    // Until the keys have ended.
    world.run(200_000);
    const sent = new Map<string, number>();
    world.cut = (from, path) => {
      const { host = '' } = parseUdpPath(path)?.endpoint ?? {};
      if (host.startsWith('198.51.100.')) sent.set(`${from.name} ${host}`, (sent.get(`${from.name} ${host}`) ?? 0) + 1);
      return false;
    };
    world.run(300_000);
    expect(sent.size).toBe(4);
    for (const count of sent.values()) expect([count > 200, count < 600]).toEqual([true, true]);
    expect([a, b].map(({ node }) => node.view().relays.map(({ state }) => state === 'registered'))).toEqual([[false], [false]]);
  });
});
