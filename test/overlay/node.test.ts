import { describe, expect, test } from 'vitest';
import { addRelay, identity, keyOf, World, type NodeSetup, type SimNode } from './world.ts';
import { eachSeed, seeds } from './seeds.ts';
import type { NatKind } from './nat-model.ts';

const MESSAGES = 30;

/** Numbered messages both ways; gives what each has heard. */
function talk(world: World, a: SimNode, b: SimNode, from: number, count = MESSAGES): void {
  for (let i = from; i < from + count; i++) {
    world.send(a, b, `a${i}`);
    world.send(b, a, `b${i}`);
  }
}
const numbered = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

async function allHeard(world: World, a: SimNode, b: SimNode, count: number): Promise<void> {
  await world.until('all messages', () => a.texts(b.key).length >= count && b.texts(a.key).length >= count, 120_000);
  expect(b.texts(a.key)).toEqual(numbered('a', count));
  expect(a.texts(b.key)).toEqual(numbered('b', count));
}

describe('two nodes that reach each other', () => {
  const start = (seed: number, weather = {}): { world: World; a: SimNode; b: SimNode } => {
    const world = new World(seed, weather);
    const b = world.add('b', { addresses: ['203.0.113.2'] });
    const a = world.add('a', {
      addresses: ['203.0.113.1'],
      peers: [{ publicKey: b.key, name: 'b', endpoints: ['203.0.113.2:4000'] }],
    });
    return { world, a, b };
  };

  test('exchange messages, in order and once, for many seeds of loss up to 40 %, duplication and jitter', async () => {
    for (const seed of eachSeed(40, 2_000)) {
      const { world, a, b } = start(seed, { loss: (seed % 5) * 0.1, duplication: 0.1, jitterMs: 20, latencyMs: 10 });
      // A handshake of six tries may find no hole in such weather.
      await world.until('a session', () => {
        if (!a.node.view().peers.some(({ state }) => state === 'connecting' || state === 'up')) world.connect(a, b);
        return a.node.view().peers.some(({ state }) => state === 'up');
      });
      talk(world, a, b, 0);
      await allHeard(world, a, b, MESSAGES);
      expect(a.lost.filter(({ error }) => error.code !== 'NET_PEER_UNREACHABLE')).toEqual([]);
    }
  });

  test('the first message is there after one handshake: one and a half round trips', async () => {
    const { world, a, b } = start(1, { latencyMs: 30 });
    world.send(a, b, 'a0');
    await world.until('the first message', () => b.texts(a.key).length === 1);
    expect(world.now).toBeLessThan(3 * 30 + 1);
  });

  test('the first answer leaves when the first message comes, before the path is proved', async () => {
    const { world, a, b } = start(1, { latencyMs: 30 });
    world.send(a, b, 'a0');
    world.watch = (sim, output) => {
      if (sim === b && output.type === 'message') world.send(b, a, 'b0');
    };
    await world.until('the first answer', () => a.texts(b.key).length === 1);
    expect(world.now).toBeLessThan(4 * 30 + 1);
  });

  test('a peer that is nowhere fails after the time of a handshake, and its messages are told as lost', async () => {
    const { world, a, b } = start(1);
    world.crash('b');
    world.send(a, b, 'a0');
    await world.until('a failure', () => a.failed.length > 0);
    expect(world.now).toBeLessThan(11_000);
    expect(a.failed[0]?.error.code).toBe('NET_PEER_UNREACHABLE');
    expect(a.lost).toHaveLength(1);
    expect(a.node.view().peers).toEqual([]);
  });

  test('who is not let in is told so, and nothing is kept of it', async () => {
    const { world, b } = start(1);
    const stranger = world.add('stranger', {
      addresses: ['203.0.113.9'],
      peers: [{ publicKey: b.key, endpoints: ['203.0.113.2:4000'] }],
    });
    world.send(stranger, b, 'let me in');
    await world.until('a failure', () => stranger.failed.length > 0);
    expect(b.heard).toEqual([]);
    expect(b.node.view().peers).toEqual([]);
    expect(b.drops.refused).toBeGreaterThan(0);
  });

  test('an orderly end overtakes no message, and both forget each other', async () => {
    for (const seed of eachSeed(15, 500)) {
      const { world, a, b } = start(seed, { loss: 0.2, jitterMs: 10 });
      talk(world, a, b, 0);
      await allHeard(world, a, b, MESSAGES);
      for (let i = MESSAGES; i < 2 * MESSAGES; i++) world.send(a, b, `a${i}`);
      a.node.close(world.now);
      await world.until('the end', () => a.node.view().peers.length === 0 && b.node.view().peers.length === 0, 60_000);
      expect(b.texts(a.key)).toEqual(numbered('a', 2 * MESSAGES));
    }
  });

  test('A23 a restart of either side is seen within a second, and nothing of the old association is taken for the new one', async () => {
    for (const seed of eachSeed(25, 1_000)) {
      const { world, a, b } = start(seed, { latencyMs: 15, loss: 0.05 });
      talk(world, a, b, 0);
      await allHeard(world, a, b, MESSAGES);
      world.run(world.random() * 2_000);
      world.crash('b');
      const again = world.add('b', b.setup);
      const at = world.now;
      world.send(a, again, 'after');
      await world.until('a message after the restart, sent again', () => {
        if (a.lost.length > 0 && again.texts(a.key).length === 0) world.send(a, again, 'after');
        return again.texts(a.key).length > 0;
      });
      expect(world.now - at).toBeLessThan(2_500);
      expect(new Set(again.texts(a.key))).toEqual(new Set(['after']));
      expect(a.events.filter(({ type }) => type === 'peer_restarted')).toHaveLength(1);
    }
  });
});

describe('what a node keeps', () => {
  const start = (seed: number): { world: World; a: SimNode; b: SimNode } => {
    const world = new World(seed);
    const [a, b] = (['a', 'b'] as const).map((name, i) =>
      world.add(name, {
        addresses: [`203.0.113.${i + 1}`],
        peers: (['a', 'b'] as const).map((other, at) => ({
          publicKey: keyOf(identity(other)),
          endpoints: [`203.0.113.${at + 1}:4000`],
        })),
      }),
    );
    return { world, a: a as SimNode, b: b as SimNode };
  };

  test('of the messages of a peer that has started again is given back', async () => {
    const { world, a, b } = start(1);
    const budget = (b.node as unknown as { budget: { bytesLeft: number } }).budget;
    const whole = budget.bytesLeft;
    a.node.send(0, b.key, 'x', new Uint8Array(500_000));
    await world.until('half of a message', () => budget.bytesLeft < whole);
    world.crash('a');
    const again = world.add('a', a.setup);
    world.send(again, b, 'after');
    await world.until('a message', () => b.heard.length > 0);
    expect(budget.bytesLeft).toBe(whole);
  });

  test('of a peer that it tries to reach anew just when that would be forgotten: time goes on', async () => {
    const { world, a, b } = start(2);
    talk(world, a, b, 0, 1);
    await allHeard(world, a, b, 1);
    await world.until('rest', () => a.node.view().peers[0]?.state === 'resting', 200_000);
    world.crash('b');
    // Ten minutes of rest are over in the middle of the attempt.
    world.run(595_000);
    world.send(a, b, 'late');
    await world.until('a failure', () => a.failed.length > 0, 20_000);
    expect(a.lost).toHaveLength(1);
    expect(a.node.view().peers).toEqual([]);
  });
});

describe('two nodes behind NATs with a relay', () => {
  function start(
    seed: number,
    kinds: readonly [NatKind, NatKind],
    weather = {},
    setup: NodeSetup = {},
  ): { world: World; a: SimNode; b: SimNode; r: SimNode } {
    const world = new World(seed, { latencyMs: 15, ...weather });
    const { sim: r, at } = addRelay(world);
    world.internet.nat('na', { kind: kinds[0], address: '203.0.113.10' });
    world.internet.nat('nb', { kind: kinds[1], address: '203.0.113.20' });
    const a = world.add('a', { nat: 'na', addresses: ['192.168.1.5'], relays: [at], birthday: true, ...setup });
    const b = world.add('b', { nat: 'nb', addresses: ['192.168.1.5'], relays: [at], birthday: true, ...setup });
    return { world, a, b, r };
  }

  test('the first messages go by the relay at once; then by a direct path', async () => {
    const { world, a, b } = start(1, ['port', 'port']);
    world.run(1_000);
    const at = world.now;
    world.send(a, b, 'a0');
    await world.until('the first message', () => b.texts(a.key).length === 1);
    // A relayed round trip of INIT and RESP, and the message: no flight more.
    expect(world.now - at).toBeLessThan(1.5 * 60 + 1);
    expect(b.way(a)).toBe('relayed');
    await world.until('a direct path', () => a.way(b) === 'direct' && b.way(a) === 'direct', 10_000);
  });

  const D: readonly (readonly [NatKind, NatKind])[] = [
    ['full', 'full'],
    ['full', 'sym'],
    ['addr', 'port'],
    ['addr', 'sym'],
    ['port', 'port'],
    ['poison', 'port'],
    ['poison', 'poison'],
  ];
  /** Sends 200 messages each way, that all come, while both look for a direct path. Gives whether they have one when `limitMs` are over. */
  async function findsWay(seed: number, [one, other]: readonly [NatKind, NatKind], limitMs: number): Promise<boolean> {
    const { world, a, b } = start(seed, seed % 2 === 0 ? [one, other] : [other, one], { loss: 0.02, jitterMs: 5 });
    const areDirect = (): boolean => a.way(b) === 'direct' && b.way(a) === 'direct';
    let sent = 0;
    world.run(500);
    await world.until(
      'a direct path, or the end of its time',
      () => {
        if (sent < 200 && world.now > 1_000 + sent * 20) talk(world, a, b, sent++, 1);
        return sent === 200 && (areDirect() || world.now > limitMs);
      },
      2 * limitMs,
    );
    const isDirect = areDirect();
    await allHeard(world, a, b, 200);
    return isDirect;
  }

  test.each(D)('%s x %s becomes direct, and no message is lost or doubled on the way there', async (one, other) => {
    for (const seed of eachSeed(2, 200)) expect(await findsWay(seed, [one, other], 40_000)).toBe(true);
  });

  test('port x sym becomes direct by guessing in 95 of 100 cases, and no message is lost or doubled on the way there', async () => {
    let missed = 0;
    for (const seed of eachSeed(2, 200)) if (!(await findsWay(seed, ['port', 'sym'], 40_000))) missed++;
    expect(missed).toBeLessThanOrEqual(seeds(2, 200) / 20);
  });

  test.each([
    ['sym', 'sym', 'relayed'],
    ['block', 'port', 'relayed'],
    ['block', 'block', 'relayed'],
  ] as const)('%s x %s stays %s, and says why', async (one, other, way) => {
    const { world, a, b, r } = start(3, [one, other], { loss: 0.02 });
    world.run(2_000);
    talk(world, a, b, 0, 50);
    await allHeard(world, a, b, 50);
    world.run(20_000);
    talk(world, a, b, 50, 10);
    await allHeard(world, a, b, 60);
    expect([a.way(b), b.way(a)]).toEqual([way, way]);
    expect(a.way(r)).toBe(one === 'block' ? 'tcp' : 'direct');
    expect(a.node.view().peers.find(({ publicKey }) => publicKey === b.key)?.whyRelayed).not.toBeUndefined();
  });

  test.each([
    ['is there', undefined, 2_000],
    ['starts anew', 0, 2_000],
    ['is away for a minute', 60_000, 18_000],
  ] as const)('a node without UDP whose WebSockets are cut finds back to a relay that %s', async (_, awayMs, limitMs) => {
    const { world, a, b, r } = start(1, ['block', 'full']);
    world.run(2_000);
    talk(world, a, b, 0, 1);
    await allHeard(world, a, b, 1);
    // After a minute of silence nothing looks for other ways of its own.
    world.run(100_000);
    world.cutWires('a');
    expect(a.way(r)).toBeUndefined();
    if (awayMs !== undefined) {
      world.crash('r1');
      world.run(awayMs);
      world.add('r1', r.setup);
    }
    await world.until('a way', () => a.way(r) === 'tcp', limitMs);
  });

  test('a NAT that forgets, another address, and a relay that dies: exactly once and in order, 5 % loss', async () => {
    for (const seed of eachSeed(6, 300)) {
      const { world, a, b } = start(seed, ['port', 'port'], { loss: 0.05, jitterMs: 5 });
      world.run(1_000);
      let sent = 0;
      const more = (count: number): void => {
        talk(world, a, b, sent, count);
        sent += count;
      };
      more(20);
      await world.until('a direct path', () => a.way(b) === 'direct' && b.way(a) === 'direct');
      const na = (world.internet as unknown as { nats: Map<string, { rebind(address?: string): void }> }).nats.get('na');
      na?.rebind();
      more(50);
      await allHeard(world, a, b, sent);
      world.run(1_000);
      na?.rebind('203.0.113.77');
      more(50);
      await allHeard(world, a, b, sent);
      await world.until('a direct path again', () => a.way(b) === 'direct' && b.way(a) === 'direct', 90_000);
      world.crash('r1');
      more(50);
      await allHeard(world, a, b, sent);
      expect([a.lost, b.lost].flat().filter(({ peer }) => peer === a.key || peer === b.key)).toEqual([]);
    }
  });
});
