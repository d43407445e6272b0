/** A node that stops: those whom it reaches by a relay hear of it, too. */
import { expect, test } from 'vitest';
import { seeds } from './seeds.ts';
import type { NatKind } from './nat-model.ts';
import { addRelay, World, type SimNode } from './world.ts';

/** How long an overlay waits before it closes its sockets. */
const STOP_MS = 1_000;

async function relayed(seed: number, kind: NatKind, loss = 0): Promise<{ world: World; a: SimNode; b: SimNode; relay: SimNode }> {
  const world = new World(seed, { latencyMs: 15, loss });
  const { sim: relay, at } = addRelay(world);
  world.internet.nat('na', { kind, address: '203.0.113.10' });
  world.internet.nat('nb', { kind, address: '203.0.113.20' });
  const a = world.add('a', { nat: 'na', addresses: ['192.168.1.5'], relays: [at] });
  const b = world.add('b', { nat: 'nb', addresses: ['192.168.1.6'], relays: [at] });
  world.run(3_000);
  world.send(a, b, 'hello');
  await world.until('a message', () => b.heard.length === 1);
  world.run(5_000);
  expect(a.path(b)).toMatch(/^relay:/);
  return { world, a, b, relay };
}

const saidOf = (node: SimNode, peer: SimNode): readonly string[] =>
  node.events.flatMap((event) => (event.type === 'peer_down' && event.peer === peer.key ? [event.reason] : []));

test.each(['sym', 'block'] as const)(
  'its goodbye goes by the relay (%s), with all that was sent before; the relay hears it last',
  async (kind) => {
    for (let seed = 1; seed <= seeds(4, 100); seed++) {
      const { world, a, b, relay } = await relayed(seed, kind);
      for (let i = 0; i < 20; i++) world.send(a, b, `${i}`);
      const from = world.now;
      a.node.close(world.now);
      await world.until('all is said', () => a.node.isClosed, STOP_MS);
      world.crash('a');
      await world.until('the relay knows', () => saidOf(relay, a).length > 0, 2_000);
      expect([saidOf(b, a), saidOf(relay, a)]).toEqual([['closed'], ['closed']]);
      expect(b.texts(a.key)).toEqual(['hello', ...Array.from({ length: 20 }, (_, i) => `${i}`)]);
      expect(world.now - from).toBeLessThan(2 * STOP_MS);
    }
  },
);

test('a peer that is dead keeps nobody from telling the relay in time', async () => {
  const { world, a, relay } = await relayed(1, 'sym');
  world.crash('b');
  a.node.close(world.now);
  world.run(STOP_MS);
  world.crash('a');
  world.run(5_000);
  expect(saidOf(relay, a)).toEqual(['closed']);
});

test('who comes again just when its goodbye is forgotten is met once, by the answer that it was given', async () => {
  for (let wait = 2_500; wait <= 3_200; wait += 50) {
    const world = new World(1, { latencyMs: 100 });
    const { sim: relay, at } = addRelay(world);
    const setup = { addresses: ['203.0.113.30'], relays: [at] };
    const before = world.add('a', setup);
    await world.until('it is here', () => relay.events.some(({ type }) => type === 'peer_up'));
    world.run(2_000);
    before.node.close(world.now);
    await world.until('the relay knows', () => saidOf(relay, before).length > 0);
    world.crash('a');
    world.run(wait);
    const again = world.add('a', setup);
    world.run(5_000);
    expect(
      again.events.flatMap(({ type }) => (type.startsWith('peer_') ? [type] : [])),
      `after ${wait} ms`,
    ).toEqual(['peer_up']);
  }
});
