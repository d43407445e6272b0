/** A peer whose process is gone without a word: when it is told, and how its next instance is met. */
import { describe, expect, test } from 'vitest';
import { addRelay, World, type SimNode } from './world.ts';

const SILENCE_MS = 30_000;
const HANDSHAKE_MS = 10_000;
const KEEPALIVE_MS = 15_000;

/** `sym`: by a relay. `lan`: directly, without one. */
function pair(kind: 'lan' | 'sym' | 'block', seed: number): { world: World; a: SimNode; b: SimNode } {
  const world = new World(seed, { latencyMs: 15 });
  const at = kind === 'lan' ? undefined : addRelay(world).at;
  const relays = at === undefined ? [] : [at];
  if (kind !== 'lan') {
    world.internet.nat('na', { kind, address: '203.0.113.10' });
    world.internet.nat('nb', { kind, address: '203.0.113.20' });
  }
  const [na, nb] = kind === 'lan' ? [{}, {}] : [{ nat: 'na' }, { nat: 'nb' }];
  const b = world.add('b', { ...nb, addresses: [kind === 'lan' ? '203.0.113.2' : '192.168.1.6'], relays });
  const endpoints = kind === 'lan' ? ['203.0.113.2:4000'] : [];
  const peers = [{ publicKey: b.key, endpoints }];
  const a = world.add('a', { ...na, addresses: [kind === 'lan' ? '203.0.113.1' : '192.168.1.5'], relays, peers });
  world.run(3_000);
  return { world, a, b };
}

async function met(world: World, a: SimNode, b: SimNode): Promise<void> {
  world.send(a, b, 'hello');
  await world.until('a message', () => b.heard.length > 0);
}

const downOf = (a: SimNode, b: SimNode): unknown =>
  a.events.find(({ type, ...event }) => type === 'peer_down' && 'peer' in event && event.peer === b.key);

async function downAfter(world: World, a: SimNode, b: SimNode): Promise<number> {
  const from = world.now;
  await world.until('it is told', () => downOf(a, b) !== undefined, 60_000);
  return world.now - from;
}

describe.each(['lan', 'sym', 'block'] as const)('a killed peer (%s)', (kind) => {
  test('is down 30 s after what was sent to it first, whatever is sent meanwhile, and that is told as lost', async () => {
    for (let seed = 1; seed <= 3; seed++) {
      const { world, a, b } = pair(kind, seed);
      await met(world, a, b);
      world.run(5_000 + 777 * seed);
      world.crash('b');
      world.send(a, b, 'first');
      for (let i = 1; i < 20; i++) world.after(i * 1_000, () => world.send(a, b, 'more'));
      expect(await downAfter(world, a, b)).toBeCloseTo(SILENCE_MS, 0);
      expect(downOf(a, b)).toMatchObject({ reason: 'it does not answer' });
      expect(a.lost.filter(({ peer }) => peer === b.key).map(({ error }) => error.code)).toEqual(['NET_CLOSED']);
      expect(a.node.view().peers.map(({ publicKey }) => publicKey)).not.toContain(b.key);
    }
  });

  test('is down within 45 s if nothing is under way, by a keepalive', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const { world, a, b } = pair(kind, seed);
      await met(world, a, b);
      world.run(12_000 + 2_777 * seed);
      world.crash('b');
      const after = await downAfter(world, a, b);
      expect([after >= SILENCE_MS, after <= SILENCE_MS + KEEPALIVE_MS + 1_000]).toEqual([true, true]);
    }
  });

  test('that nobody has spoken to for a minute is not asked; the next message finds it out', async () => {
    const { world, a, b } = pair(kind, 1);
    await met(world, a, b);
    world.run(100_000);
    world.crash('b');
    world.run(50_000);
    expect(downOf(a, b)).toBeUndefined();
    world.send(a, b, 'late');
    // Its keys may end in the midst of that: then it is a handshake that is not answered.
    expect(await downAfter(world, a, b)).toBeLessThanOrEqual(SILENCE_MS + HANDSHAKE_MS);
  });

  test('that is there all the same is not given up for a ping that was lost long before', async () => {
    const { world, a, b } = pair(kind, 1);
    await met(world, a, b);
    world.run(80_000);
    world.cut = (from) => from === a;
    a.node.ping(world.now, b.key);
    world.run(10);
    world.cut = undefined;
    world.run(40_000);
    expect(downOf(a, b)).toBeUndefined();
    world.send(a, b, 'late');
    await world.until('it is heard', () => b.texts(a.key).includes('late'));
    world.run(1_000);
    expect([downOf(a, b), a.lost]).toEqual([undefined, []]);
  });

  test('that has started again is known by its first word', async () => {
    const { world, a, b } = pair(kind, 2);
    await met(world, a, b);
    world.run(5_000);
    world.crash('b');
    world.run(1_000);
    const endpoints = kind === 'lan' ? ['203.0.113.1:4000'] : [];
    const again = world.add('b', { ...b.setup, peers: [{ publicKey: a.key, endpoints }] });
    await world.until(
      'it has a relay',
      () => kind === 'lan' || again.node.view().relays.some(({ state }) => state === 'registered'),
    );
    const from = world.now;
    world.send(again, a, 'here I am');
    await world.until('its first word', () => a.texts(again.key).length > 0);
    expect(world.now - from).toBeLessThanOrEqual(2 * 60 + 1);
    const told = a.events.flatMap((event) =>
      'peer' in event && event.peer === b.key && event.type !== 'path_changed' ? [event.type] : [],
    );
    expect(told).toEqual(['peer_up', 'peer_restarted', 'peer_up']);
  });
});

test('a peer that is alive is never taken for dead, though nothing is said for an hour and probes elsewhere are not answered', async () => {
  const { world, a, b } = pair('sym', 1);
  await met(world, a, b);
  for (let i = 1; i < 60; i++) world.after(i * 60_000, () => world.send(i % 2 === 0 ? a : b, i % 2 === 0 ? b : a, `${i}`));
  world.run(3_600_000);
  expect([...a.events, ...b.events].filter(({ type }) => type === 'peer_down' || type === 'peer_restarted')).toEqual([]);
  expect([a.heard.length, b.heard.length]).toEqual([30, 30]);
});
