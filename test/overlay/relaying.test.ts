/** Relays as a node has them: whom it serves, and where it goes for its peers. */
import { describe, expect, test, vi } from 'vitest';
import { noDrops } from '../../transport/overlay/drops.ts';
import type { OverlayAddress } from '../../transport/overlay/identity/address.ts';
import { Relaying, type RelayingOptions } from '../../transport/overlay/node/relaying.ts';
import type { RemotePeer } from '../../transport/overlay/node/remote-peer.ts';
import { Visits } from '../../transport/overlay/node/visits.ts';
import { buildRegister, buildResolve, parseRecordBody, type RecordBody } from '../../transport/overlay/relay/bodies.ts';
import { LIMITS, networkOf } from '../../transport/overlay/trust/descriptor.ts';
import { RelayLink } from '../../transport/overlay/relay/relay-link.ts';
import { signRecord } from '../../transport/overlay/trust/record.ts';
import { PinnedTrust } from '../../transport/overlay/trust/trust.ts';
import { CONTROL } from '../../transport/overlay/wire/frames.ts';
import { identityOf, seededRandom } from './identities.ts';
import { addRelay, EPOCH, World, type SimNode } from './world.ts';

const [relay, alice] = await Promise.all(['relay', 'alice'].map(identityOf));
if (relay === undefined || alice === undefined) throw new Error('unreachable');
const network = networkOf({ name: 'relaying', caKeys: [], addressProfile: 'cheap', limits: LIMITS });
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('a relay', () => {
  /** One that serves Alice; `address`: what is known of hers. */
  function served(options: { readonly endpoints?: readonly string[] } = {}): {
    relaying: Relaying;
    alice: RemotePeer;
    answers: (RecordBody | undefined)[];
    addresses: Map<string, OverlayAddress>;
  } {
    const answers: (RecordBody | undefined)[] = [];
    const connection = {
      control: (_: number, { bytes }: { readonly bytes: Uint8Array }) => answers.push(parseRecordBody(bytes)),
    };
    const client = { key: hexOf(alice!.publicKey), isMember: true, isCertified: false, connection } as unknown as RemotePeer;
    const addresses = new Map<string, OverlayAddress>();
    const relaying = new Relaying({
      options: {
        identity: relay!,
        network,
        trust: new PinnedTrust({ network }),
        relay: true,
        random: seededRandom('relaying'),
        wallClock: () => EPOCH,
        drops: noDrops(),
        ...options,
      },
      peers: new Map([[client.key, client]]),
      emit: () => undefined,
      touch: () => undefined,
      addressOf: (key) => addresses.get(key),
      reach: () => undefined,
      inner: () => undefined,
    } satisfies Omit<RelayingOptions, 'carrier'> as unknown as RelayingOptions);
    return { relaying, alice: client, answers, addresses };
  }
  const register = buildRegister({
    id: 1,
    record: signRecord(alice, network, { seq: EPOCH, ttlMs: 60_000, relays: [relay.publicKey], name: 'alice' }),
  });
  const question = (id: number): Uint8Array => buildResolve({ id, type: 'key', value: alice.publicKey });

  test('tells where it is itself, if it was told', () => {
    const endpoints = ['relay.example:4433', 'wss://relay.example:443'];
    for (const told of [endpoints, undefined]) {
      const { relaying, alice: client, answers, addresses } = served(told === undefined ? {} : { endpoints: told });
      addresses.set(client.key, alice.address);
      relaying.control(0, client, CONTROL.register, register);
      relaying.control(0, client, CONTROL.resolve, question(2));
      const relays = told === undefined ? [] : [{ key: Uint8Array.from(relay.publicKey), endpoints: told }];
      expect(answers).toMatchObject([{ type: 'registered' }, { type: 'found', records: [{}], relays }]);
    }
  });

  test('keeps a REGISTER and the last RESOLVE of one whose address is being computed', () => {
    const { relaying, alice: client, answers, addresses } = served();
    relaying.control(0, client, CONTROL.register, register);
    for (const id of [2, 3]) relaying.control(0, client, CONTROL.resolve, question(id));
    expect(answers).toEqual([]);
    addresses.set(client.key, alice.address);
    relaying.addressIs(1, client.key);
    relaying.addressIs(2, client.key);
    expect(answers).toMatchObject([
      { type: 'registered', id: 1 },
      { type: 'found', id: 3, records: [{}] },
    ]);
  });
});

describe('visits', () => {
  test('end with the last peer that needs the relay', () => {
    const visits = new Visits();
    expect(visits.begin('a', ['r1', 'r2'], true)).toEqual([]);
    expect(visits.begin('b', ['r2'], true)).toEqual([]);
    expect(visits.end('a')).toEqual(['r1']);
    expect([visits.isVisited('r1'), visits.isVisited('r2')]).toEqual([false, true]);
    expect(visits.end('b')).toEqual(['r2']);
    expect(visits.end('b')).toEqual([]);
  });

  test('go with a peer to its other relays, and end where it is at one of this node', () => {
    const visits = new Visits();
    visits.begin('a', ['r1', 'r2'], true);
    expect(visits.begin('a', ['r2', 'r3'], true)).toEqual(['r1']);
    expect(visits.begin('a', [], false)).toEqual(['r2', 'r3']);
    expect(visits.isWithout('a')).toBe(false);
  });

  test('say for whom there was no room', () => {
    const visits = new Visits();
    visits.begin('a', [], true);
    expect([visits.isWithout('a'), visits.isWithout('b')]).toEqual([true, false]);
    visits.begin('a', ['r1'], true);
    expect(visits.isWithout('a')).toBe(false);
  });
});

describe('the way to a relay at which a node is registered', () => {
  test('is kept open every 15 s, though nobody says anything: NATs forget after 30; and its round-trip time is fresh', () => {
    const w = new World(3, { latencyMs: 15 });
    const { at } = addRelay(w);
    w.internet.nat('na', { kind: 'port', address: '203.0.113.10' });
    const a = w.add('a', { nat: 'na', addresses: ['192.168.1.5'], relays: [at] });
    w.run(30_000);
    const sentAt: number[] = [];
    w.cut = (from) => {
      if (from === a) sentAt.push(w.now);
      return false;
    };
    w.internet.weather = { ...w.internet.weather, latencyMs: 60 };
    w.run(600_000);
    const gaps = sentAt.slice(1).map((when, i) => when - (sentAt[i] ?? 0));
    expect([Math.max(...gaps) <= 16_000, sentAt.length < 600]).toEqual([true, true]);
    expect(a.node.view().peers.map(({ rttMs }) => Math.round(rttMs ?? 0))).toEqual([120]);
  });
});

test('what goes to and fro between peers does not make a node look at all of its relays', async () => {
  const w = new World(5, { latencyMs: 15 });
  const { at } = addRelay(w);
  const b = w.add('b', { addresses: ['203.0.113.2'], relays: [at] });
  const a = w.add('a', { addresses: ['203.0.113.1'], relays: [at] });
  w.run(10_000);
  w.send(a, b, 'hello');
  await w.until('it arrives', () => b.heard.length === 1);
  w.run(10_000);
  const looks = vi.spyOn(RelayLink.prototype, 'tick');
  w.watch = (sim, output) => {
    if (output.type === 'message' && sim === b) w.send(b, a, 'echo');
    else if (output.type === 'message' && sim === a && a.heard.length < 300) w.send(a, b, 'again');
  };
  w.send(a, b, 'again');
  await w.until('they have talked', () => a.heard.length >= 300);
  const count = looks.mock.calls.length;
  looks.mockRestore();
  // Renewals of registrations, and keepalives of three ways.
  expect([count > 0, count < 60]).toEqual([true, true]);
});

test('a ping measures the path that it went by', async () => {
  const w = new World(4, { latencyMs: 15 });
  const b = w.add('b', { addresses: ['203.0.113.2'] });
  const a = w.add('a', { addresses: ['203.0.113.1'], peers: [{ publicKey: b.key, endpoints: ['203.0.113.2:4000'] }] });
  w.send(a, b, 'hello');
  await w.until('it arrives', () => b.heard.length === 1);
  w.run(100_000);
  w.internet.weather = { ...w.internet.weather, latencyMs: 45 };
  for (let i = 0; i < 12; i++) {
    a.node.ping(w.now, b.key);
    w.run(1_000);
  }
  expect(a.pongs.map(({ rttMs }) => rttMs)).toEqual(Array.from({ length: 12 }, () => 90));
  expect(a.node.view().peers[0]?.rttMs).toBeGreaterThan(80);
});

describe('a peer that has other relays', () => {
  const stateAt = (node: SimNode, at: SimNode): string | undefined =>
    node.node.view().relays.find(({ relay }) => relay === at.key)?.state;

  /** A knows r1, r2 and c, and has chosen the first two, which is a matter of the seed; B has c alone. */
  function world(): { world: World; a: SimNode; b: SimNode; c: SimNode } {
    for (let seed = 1; ; seed++) {
      const w = new World(seed, { latencyMs: 10 });
      const near = [addRelay(w, 'r1').at, addRelay(w, 'r2').at];
      const c = w.add('c', { addresses: ['203.0.113.13'], relay: true });
      const far = { publicKey: c.key, endpoints: ['203.0.113.13:4000'] };
      const a = w.add('a', { addresses: ['203.0.113.1'], relays: [...near, far] });
      const b = w.add('b', { addresses: ['203.0.113.2'], relays: [far] });
      w.run(5_000);
      if (stateAt(a, c) !== 'registered') return { world: w, a, b, c };
    }
  }

  test('is reached by one of them, which is left when it is gone', async () => {
    const { world: w, a, b, c } = world();
    w.send(a, b, 'hello');
    await w.until('it arrives', () => b.texts(a.key).length === 1);
    expect(a.path(b)).toContain(`relay:${c.key}`);
    w.run(60_000);
    expect(stateAt(a, c)).toBe('registered');
    b.node.close(w.now);
    await w.until('it is gone', () => !a.node.view().peers.some(({ publicKey }) => publicKey === b.key));
    expect(stateAt(a, c)).not.toBe('registered');
    // What is left idles, and ends by itself.
    await w.until('the session with the relay ends', () => stateAt(a, c) === 'idle', 400_000);
  });
});
