/** Attacks on whole nodes, by the numbers of the design; those on single parts are with the parts. */
import { describe, expect, test } from 'vitest';
import { Authority } from '../../transport/overlay/trust/authority.ts';
import { DENY_LIST_CHANNEL } from '../../transport/overlay/node/channels.ts';
import { DenyLists } from '../../transport/overlay/trust/deny-list.ts';
import { LIMITS, networkOf } from '../../transport/overlay/trust/descriptor.ts';
import { CertificateTrust } from '../../transport/overlay/trust/trust.ts';
import { endpointText, parseUdpPath, type Endpoint } from '../../transport/overlay/paths/endpoint.ts';
import { buildRelay } from '../../transport/overlay/relay/bodies.ts';
import { keyHash } from '../../transport/overlay/relay/hash.ts';
import { CONTROL } from '../../transport/overlay/wire/frames.ts';
import { identityOf } from './identities.ts';
import { eachSeed, seeds } from './seeds.ts';
import { addRelay, EPOCH, identity, World, type Name, type SimNode } from './world.ts';

const EVIL: Endpoint = { host: '203.0.113.66', port: 666 };
const numbered = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

function pair(seed: number, weather = {}): { world: World; a: SimNode; b: SimNode } {
  const world = new World(seed, weather);
  const b = world.add('b', { addresses: ['203.0.113.2'] });
  const a = world.add('a', { addresses: ['203.0.113.1'], peers: [{ publicKey: b.key, endpoints: ['203.0.113.2:4000'] }] });
  return { world, a, b };
}

async function exchange(world: World, a: SimNode, b: SimNode, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    world.send(a, b, `a${i}`);
    world.send(b, a, `b${i}`);
    world.run(5);
  }
  await world.until('all messages', () => b.texts(a.key).length >= count && a.texts(b.key).length >= count, 60_000);
  expect(b.texts(a.key)).toEqual(numbered('a', count));
  expect(a.texts(b.key)).toEqual(numbered('b', count));
}

const active = (sim: SimNode, peer: SimNode): string | undefined => sim.path(peer);
const evil = (to: string): boolean => to.endsWith(`/${endpointText(EVIL)}`);

describe('attacks on whole nodes', () => {
  test('A1 packets again, from the same and from another address: dropped, and no endpoint moves', async () => {
    const { world, a, b } = pair(1);
    const seen: Uint8Array[] = [];
    world.tap = (to, _path, bytes) => void (to === b && seen.push(bytes));
    await exchange(world, a, b, 20);
    const before = [b.heard.length, active(b, a)];
    const dropped = b.drops.pn_replayed;
    const data = seen.filter((bytes) => bytes[0] === 4);
    for (const bytes of data) {
      world.inject(b, { host: '203.0.113.1', port: 4000 }, bytes);
      world.inject(b, EVIL, bytes);
    }
    world.run(5_000);
    expect(b.drops.pn_replayed - dropped).toBe(2 * data.length);
    expect([b.heard.length, active(b, a)]).toEqual(before);
  });

  test.each(['3f', '0104', '08000005'])(
    'A4 a payload that is no row of frames, %s: its sender is told why the association ends, and may begin anew',
    async (hex) => {
      const { world, a, b } = pair(3);
      await exchange(world, a, b, 5);
      const { sessions } = a.node as unknown as {
        sessions: { seal(now: number, peer: string, payload: Uint8Array): { packet: Uint8Array } };
      };
      const { packet } = sessions.seal(world.now, b.key, Uint8Array.from(Buffer.from(hex, 'hex')));
      world.inject(b, { host: '203.0.113.1', port: 4000 }, packet);
      world.run(1_000);
      expect(b.drops.frames_malformed).toBe(1);
      const ends = ({ events }: SimNode): string[] => events.flatMap((e) => (e.type === 'peer_down' ? [e.reason] : []));
      expect([ends(b), ends(a)]).toEqual([['malformed (15)'], ['peer (15)']]);
      // They begin anew.
      world.send(a, b, 'again');
      await world.until('the next message', () => b.texts(a.key).at(-1) === 'again');
    },
  );

  test('A3 everything that a node sends, sent back to it: nothing comes of it', async () => {
    const { world, a, b } = pair(2);
    const sent: Uint8Array[] = [];
    world.cut = (from, _path, bytes) => {
      if (from === a) sent.push(Uint8Array.from(bytes));
      return false;
    };
    await exchange(world, a, b, 10);
    const before = JSON.stringify([a.heard, active(a, b)]);
    for (const bytes of sent) world.inject(a, { host: '203.0.113.2', port: 4000 }, bytes);
    world.run(5_000);
    expect(JSON.stringify([a.heard, active(a, b)])).toBe(before);
    await world.until('the session still works', () => {
      if (a.texts(b.key).at(-1) !== 'still') world.send(b, a, 'still');
      return a.texts(b.key).at(-1) === 'still';
    });
  });

  test('A11 whoever is named as the source of packets of others gets at most three times their bytes', async () => {
    for (const seed of eachSeed(6, 200)) {
      const { world, a, b } = pair(seed);
      const seen: Uint8Array[] = [];
      world.tap = (to, _path, bytes) => void (to === b && seen.push(bytes));
      await exchange(world, a, b, 5);
      const fresh: Uint8Array[] = [];
      let toVictim = 0;
      world.cut = (from, path, bytes) => {
        if (from === b && evil(path)) toVictim += bytes.length;
        // What a sends from now on never arrives but by the attacker.
        if (from === a) fresh.push(Uint8Array.from(bytes));
        return from === a;
      };
      for (let i = 0; i < 10; i++) world.send(b, a, 'x'.repeat(5_000));
      for (let i = 0; i < 10; i++) world.send(a, b, 'y'.repeat(500));
      let fromVictim = 0;
      for (let i = 0; i < 100; i++) {
        world.run(20);
        const bytes = fresh.shift() ?? seen[Math.floor(world.random() * seen.length)];
        if (bytes === undefined) continue;
        fromVictim += bytes.length;
        world.inject(b, EVIL, bytes);
        world.run(1);
        expect(toVictim).toBeLessThanOrEqual(3 * fromVictim);
      }
    }
  });

  test('A12 each packet is overtaken by a copy from another address: nothing moves there, and no message is late', async () => {
    for (const seed of eachSeed(6, 200)) {
      const { world, a, b } = pair(seed, { latencyMs: 20 });
      await exchange(world, a, b, 3);
      const heard = [a.heard.length, b.heard.length];
      world.cut = (from, _path, bytes) => {
        if (from === a) world.inject(b, EVIL, Uint8Array.from(bytes));
        return false;
      };
      for (let i = 0; i < 40; i++) {
        world.send(a, b, `on ${i}`);
        world.send(b, a, `on ${i}`);
        world.run(25);
        expect(evil(active(b, a) ?? '')).toBe(false);
      }
      world.cut = undefined;
      world.run(500);
      expect([a.heard.length, b.heard.length]).toEqual(heard.map((count) => count + 40));
    }
  });

  test('A16 a member cannot send in the name of another by a relay, nor make a node punch', async () => {
    const world = new World(5);
    const { sim: relay, at } = addRelay(world);
    const [a, b, c] = (['a', 'b', 'c'] as const).map((name, i) =>
      world.add(name, { addresses: [`203.0.113.${i + 1}`], relays: [at] }),
    );
    if (a === undefined || b === undefined || c === undefined) throw new Error('unreachable');
    world.run(1_000);
    await exchange(world, a, b, 3);
    await world.until('a direct path', () => a.way(b) === 'direct' && b.way(a) === 'direct');
    const before = JSON.stringify(b.node.view().peers.map(({ publicKey, path }) => [publicKey, path]));
    const body = buildRelay({ type: 'from', hash: Buffer.from(keyHash(a.key), 'hex'), packet: new Uint8Array(200).fill(4) });
    const internals = c.node as unknown as {
      carrier: { relay(now: number, to: unknown, body: Uint8Array): void };
      peers: Map<string, unknown>;
    };
    // 'from' is for relays to say, and c is none.
    internals.carrier.relay(world.now, internals.peers.get(relay.key), body);
    world.run(200);
    expect(relay.drops.relay_role).toBe(1);
    // A session with b lets c speak to b, as c: its CANDIDATES are about ways to c alone.
    world.send(c, b, 'hello');
    await world.until('hello', () => b.texts(c.key).length === 1);
    const connection = (internals.peers.get(b.key) as { connection: { control(now: number, frame: unknown): void } }).connection;
    connection.control(world.now, { type: 'control', code: CONTROL.punch, bytes: new Uint8Array(5) });
    const sent: string[] = [];
    world.cut = (from, path) => {
      if (from === b) sent.push(path);
      return false;
    };
    world.run(2_000);
    const targets = new Set(sent.map((path) => parseUdpPath(path)?.endpoint.host));
    expect(
      [...targets].every(
        (host) => host === undefined || ['203.0.113.1', '203.0.113.3', '198.51.100.10', '198.51.100.11'].includes(host),
      ),
    ).toBe(true);
    expect(
      JSON.stringify(
        b.node
          .view()
          .peers.filter(({ publicKey }) => publicKey !== c.key)
          .map(({ publicKey, path }) => [publicKey, path]),
      ),
    ).toBe(before);
  });

  test('A19 a relay that drops, delays, reorders, doubles, changes, misdirects and repeats: messages come once and in order, or not', async () => {
    for (const seed of eachSeed(4, 100)) {
      const world = new World(seed);
      const { sim: relay, at } = addRelay(world);
      world.internet.nat('na', { kind: 'sym', address: '203.0.113.10' });
      world.internet.nat('nb', { kind: 'sym', address: '203.0.113.20' });
      const a = world.add('a', { nat: 'na', addresses: ['192.168.1.5'], relays: [at] });
      const b = world.add('b', { nat: 'nb', addresses: ['192.168.1.5'], relays: [at] });
      world.run(1_000);
      world.send(a, b, 'a0');
      world.send(b, a, 'b0');
      await world.until('a session', () => a.heard.length === 1 && b.heard.length === 1);
      const server = (relay.node as unknown as { relaying: { server: { take(): readonly { to: string; body: Uint8Array }[] } } })
        .relaying.server;
      const honest = server.take.bind(server);
      const kept: { to: string; body: Uint8Array }[] = [];
      let seenBy = 0;
      server.take = () =>
        honest().flatMap((item) => {
          kept.push(item);
          const luck = world.random();
          seenBy++;
          if (luck < 0.1) return [];
          if (luck < 0.2) return [item, item];
          if (luck < 0.3) return [{ to: item.to, body: flipped(item.body, world.random()) }, item];
          if (luck < 0.4) return [{ to: item.to === a.key ? b.key : a.key, body: item.body }, item];
          if (luck < 0.5) return [kept[Math.floor(world.random() * kept.length)] ?? item, item];
          if (luck < 0.6) return [kept[Math.max(0, kept.length - 3)] ?? item];
          return [item];
        });
      for (let i = 1; i < 60; i++) {
        world.send(a, b, `a${i}`);
        world.send(b, a, `b${i}`);
        world.run(30);
      }
      await world.until('all messages', () => a.heard.length >= 60 && b.heard.length >= 60, 120_000);
      expect(b.texts(a.key)).toEqual(numbered('a', 60));
      expect(a.texts(b.key)).toEqual(numbered('b', 60));
      expect(seenBy).toBeGreaterThan(60);
      // The day after: all that it has kept, at once.
      world.now += 24 * 3_600_000;
      server.take = () => [...honest(), ...kept.splice(0, 50)];
      world.send(a, b, 'a60');
      // A handshake that was under way has failed at this jump of the clock, and the message is told as lost with it.
      await world.until(
        'another message',
        () => {
          if (a.lost.splice(0).length > 0) world.send(a, b, 'a60');
          return b.texts(a.key).length > 60;
        },
        60_000,
      );
      world.run(60_000);
      expect(b.texts(a.key)).toEqual(numbered('a', 61));
      expect(a.texts(b.key)).toEqual(numbered('b', 60));
    }
  });

  test('A20 who is revoked is closed at once, everywhere, and does not come in again', async () => {
    const { world, members, authority, denyLists } = await certifiedWorld();
    const { a, b, c } = members;
    for (const [from, to] of [
      [a, b],
      [b, c],
      [c, a],
    ] as const)
      world.send(from, to, 'hello');
    await world.until('all know each other', () => [a, b, c].every((sim) => sim.heard.length === 1));
    const list = authority.revoke([identity('c').publicKey]);
    // What waits for it at this moment does not go to it any more.
    a.node.send(world.now, c.key, 'x', Buffer.from('not for c'));
    a.node.send(world.now, c.key, 'long', new Uint8Array(100_000));
    expect(a.node.installDenyList(world.now, list)).toBe('installed');
    world.run(1_000);
    // b has it of a, which it is connected to; c itself may have it or not.
    for (const sim of [a, b]) {
      expect(sim.node.view().peers.map(({ publicKey }) => publicKey)).not.toContain(c.key);
      expect(sim.events.filter(({ type }) => type === 'deny_list')).toHaveLength(1);
    }
    // The revoked one is told why, by keys that it had; after that nobody answers it.
    expect(c.events.filter(({ type }) => type === 'peer_down')).not.toEqual([]);
    expect([...c.node.view().expelledBy].sort()).toEqual([a.key, b.key].sort());
    // By the list that it stands in, and not by their word alone.
    expect(denyLists.get('c')?.denying(identity('c').publicKey)).toMatchObject([{ number: 1, bytes: list }]);
    expect(c.events.filter(({ type }) => type === 'deny_list')).toHaveLength(1);
    expect(c.heard.map(({ channel }) => channel)).toEqual(['x']);
    expect(c.texts(a.key)).not.toContain('not for c');
    world.send(c, a, 'let me in');
    world.send(c, b, 'let me in');
    world.run(20_000);
    expect([...a.texts(c.key), ...b.texts(c.key)]).not.toContain('let me in');
    expect(a.node.installDenyList(world.now, list)).toBe('known');
  });

  test('A20 who sends the list in which it stands is not heard any more behind it', async () => {
    const { world, members, authority } = await certifiedWorld();
    const [a, c] = [members.a, members.c];
    world.send(c, a, 'hello');
    await world.until('they know each other', () => a.heard.length === 1);
    const told: string[] = [];
    world.watch = (sim, output) => {
      if (sim === a && output.type === 'event') told.push(output.event.type);
    };
    // In one turn, so that it comes in one packet, or in some that arrive together.
    c.node.send(world.now, a.key, DENY_LIST_CHANNEL, authority.revoke([identity('c').publicKey]));
    world.send(c, a, 'after its end');
    world.run(1_000);
    expect([a.texts(c.key), told]).toEqual([['hello'], ['peer_down', 'deny_list']]);
  });

  test('a WebSocket that a stranger opens and closes moves nothing of those who are connected', async () => {
    const { world, a, b } = pair(8);
    await exchange(world, a, b, 3);
    const before = JSON.stringify(b.node.view());
    expect(b.node.nextAt()).toBeGreaterThan(world.now);
    b.node.pathFailed(world.now, 'ws:7/203.0.113.66', 'ws', 'closed');
    // Whoever is moved is due at once.
    expect(b.node.nextAt()).toBeGreaterThan(world.now);
    expect(JSON.stringify(b.node.view())).toBe(before);
  });

  test('A25 nothing is kept of peers that came and went', async () => {
    const world = new World(9);
    const b = world.add('b', { addresses: ['203.0.113.2'] });
    const sizes = (sim: SimNode): number => {
      const internals = sim.node as unknown as {
        sessions: { peers: { byName: Map<string, unknown>; table: { begun: Map<number, unknown> } } };
        peers: Map<string, unknown>;
        agenda: { size: number };
      };
      const { byName, table } = internals.sessions.peers;
      return byName.size + table.begun.size + internals.peers.size + internals.agenda.size;
    };
    for (let i = 0; i < seeds(40, 2_000); i++) {
      world.crash('a');
      const a = world.add('a', { addresses: ['203.0.113.1'], peers: [{ publicKey: b.key, endpoints: ['203.0.113.2:4000'] }] });
      world.send(a, b, `${i}`);
      await world.until('the message', () => b.heard.length === i + 1);
      a.node.close(world.now);
      await world.until('the end', () => a.node.view().peers.length === 0 && b.node.view().peers.length === 0);
      expect([sizes(a), sizes(b)]).toEqual([0, 0]);
    }
  });
});

/** Three members with certificates, each of which knows where the others are. */
async function certifiedWorld() {
  const ca = await identityOf('ca of the world');
  const network = networkOf({ name: 'certified', caKeys: [ca.publicKey], addressProfile: 'cheap', limits: LIMITS });
  const world = new World(7);
  const trusts = new Map<Name, CertificateTrust>();
  const denyLists = new Map<Name, DenyLists>();
  const authority = new Authority({
    network,
    signer: ca,
    denyLists: new DenyLists(network),
    random: (count) => new Uint8Array(count).fill(7),
  });
  for (const name of ['a', 'b', 'c'] as const) {
    const lists = new DenyLists(network);
    const trust = new CertificateTrust({ network, denyLists: lists });
    const certificate = await authority.issue(identity(name).publicKey, { roles: ['node'], name }, EPOCH);
    trust.present(certificate, identity(name).publicKey, EPOCH);
    trusts.set(name, trust);
    denyLists.set(name, lists);
  }
  const add = (name: Name, last: number): SimNode =>
    world.add(name, {
      addresses: [`203.0.113.${last}`],
      network,
      trust: trusts.get(name) as CertificateTrust,
      denyLists: denyLists.get(name) as DenyLists,
      peers: (['a', 'b', 'c'] as const).map((other, i) => ({
        publicKey: keyText(other),
        endpoints: [`203.0.113.${i + 1}:4000`],
      })),
    });
  return { world, authority, denyLists, members: { a: add('a', 1), b: add('b', 2), c: add('c', 3) } };
}

const keyText = (name: Name): string => Buffer.from(identity(name).publicKey).toString('hex');

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const index = Math.floor(at * copy.length);
  copy[index] = (copy[index] as number) ^ 0x40;
  return copy;
}
