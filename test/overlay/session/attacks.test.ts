/** Attacks on handshakes and packets, by their numbers in the design: nothing that lives may change. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Identity } from '../../../transport/overlay/identity/identity.ts';
import { LIMITS, networkOf } from '../../../transport/overlay/trust/descriptor.ts';
import type { Trust } from '../../../transport/overlay/trust/trust.ts';
import { buildPacket, MAC_BYTES, mac1At, parsePacket } from '../../../transport/overlay/wire/packets.ts';
import { mac, mac1Key } from '../../../transport/overlay/session/macs.ts';
import { anyPacket } from '../wire/arbitrary-packet.ts';
import { connected, high, Lab, low, Node, ofType, pinnedTrust, third, two, type Sent } from './lab.ts';

const stranger = 'udp:0/203.0.113.9:9';

/** That both still speak, with the keys that they had. */
function expectAlive(lab: Lab, a: Node, b: Node): void {
  const before = [a.of('up').length, b.of('up').length];
  const [fromA, fromB] = [`a at ${lab.now}`, `b at ${lab.now}`];
  expect([lab.say(a, b, fromA), lab.say(b, a, fromB)]).toEqual([true, true]);
  lab.settle();
  expect([a.texts.at(-1), b.texts.at(-1)]).toEqual([fromB, fromA]);
  expect([a.of('up').length, b.of('up').length]).toEqual(before);
}

const recorded = (sent: readonly Sent[], type: Parameters<typeof ofType>[1]): Uint8Array => {
  const [first] = ofType(sent, type);
  if (first === undefined) throw new Error(`no ${type} was sent`);
  return first.bytes;
};

test('A1: DATA again, from anywhere, behind the window or after new keys, is dropped and counted once each', () => {
  const { lab, a, b } = connected(1, { keyLimits: { rekeyPackets: 5000 } });
  lab.say(a, b, 'pay');
  lab.settle();
  const packet = ofType(lab.sent, 'data').at(-1)?.bytes as Uint8Array;
  lab.inject(b, a.path, packet);
  lab.inject(b, stranger, packet);
  expect(b.drops.pn_replayed).toBe(2);
  for (let i = 0; i < 4200; i++) a.sessions.seal(lab.now, b.name, new Uint8Array(0));
  lab.say(a, b, 'far ahead');
  lab.settle();
  lab.inject(b, stranger, packet);
  expect(b.drops.pn_replayed).toBe(3);
  for (let i = 0; i < 1000; i++) a.sessions.seal(lab.now, b.name, new Uint8Array(0));
  lab.say(a, b, 'renewed');
  lab.settle();
  expect(b.of('renewed').length).toBe(1);
  lab.inject(b, stranger, packet);
  expect(b.drops.pn_replayed).toBe(4);
  expect(b.texts).toEqual(['pay', 'far ahead', 'renewed']);
  expectAlive(lab, a, b);
});

test('A2: a forged number with a wrong tag moves nothing', () => {
  const { lab, a, b } = connected();
  lab.say(a, b, 'one');
  lab.settle();
  const forged = Buffer.from(ofType(lab.sent, 'data').at(-1)?.bytes as Uint8Array);
  forged.writeBigUInt64LE(2n ** 64n - 1n, 8);
  lab.inject(b, a.path, forged);
  forged.writeBigUInt64LE(2n ** 53n - 1n, 8);
  lab.inject(b, a.path, forged);
  expect([b.drops.packet_number, b.drops.tag_wrong]).toEqual([1, 1]);
  expectAlive(lab, a, b);
});

test('A3: what a node sent itself is nothing to it, nor is one type of packet another', () => {
  const { lab, a, b } = two();
  lab.connect(a, b);
  lab.inject(a, b.path, recorded(lab.sent, 'init'));
  expect(a.drops.mac1_wrong).toBe(1);
  lab.settle();
  lab.say(a, b, 'mine');
  const sealed = ofType(lab.sent, 'data').at(-1)?.bytes as Uint8Array;
  lab.inject(a, b.path, sealed);
  expect(a.texts).toEqual([]);
  for (const type of ['init', 'resp', 'data'] as const)
    for (const as of [1, 2, 3, 4, 5]) {
      const other = Uint8Array.from(recorded(lab.sent, type));
      if (other[0] === as) continue;
      other[0] = as;
      for (const node of [a, b]) lab.inject(node, stranger, other);
    }
  lab.settle();
  expectAlive(lab, a, b);
});

test('A4: a handshake of which one byte was changed makes no keys', () => {
  const { lab, a, b } = two();
  // The true one comes behind all of these.
  const { weather } = lab;
  lab.weather = { ...weather, delay: [1000, 1000] };
  lab.connect(a, b);
  lab.weather = weather;
  const init = recorded(lab.sent, 'init');
  for (let at = 0; at < init.length - MAC_BYTES; at++) {
    const flipped = Uint8Array.from(init);
    flipped[at] = (flipped[at] as number) ^ 0x01;
    lab.now += 1;
    lab.inject(b, `udp:0/10.9.${at % 256}.${Math.floor(at / 256)}:1`, flipped);
  }
  expect(ofType(lab.sent, 'resp')).toEqual([]);
  expect(b.dropped).toBe(init.length - MAC_BYTES);
  expect(b.drops.init_flooded).toBe(0);
  lab.run(lab.now + 10);
  const resp = recorded(lab.sent, 'resp');
  for (let at = 0; at < resp.length - MAC_BYTES; at++) {
    const flipped = Uint8Array.from(resp);
    flipped[at] = (flipped[at] as number) ^ 0x01;
    lab.inject(a, b.path, flipped);
  }
  expect(a.of('up')).toEqual([]);
  lab.settle();
  expectAlive(lab, a, b);
});

test('A4: nor does one whose mac1 was mended, as a member can', () => {
  const { lab, a, b } = two();
  lab.connect(a, b);
  const init = recorded(lab.sent, 'init');
  const { networkId, psk } = pinnedTrust();
  for (const at of [4, 8, 39, 40, 87, 88, mac1At(init.length) - 1]) {
    const flipped = Uint8Array.from(init);
    flipped[at] = (flipped[at] as number) ^ 0x01;
    const end = mac1At(flipped.length);
    flipped.set(mac(mac1Key(high.publicKey, networkId, psk), flipped.subarray(0, end)), end);
    lab.inject(b, a.path, flipped);
  }
  // The index of the sender is not in the transcript: it only says where the answer goes.
  expect(b.drops.init_invalid).toBe(6);
  lab.settle();
  expectAlive(lab, a, b);
});

describe('A5: an INIT again', () => {
  test('of the session that lives changes nothing, 10,000 times', () => {
    const { lab, a, b } = connected();
    const init = recorded(lab.sent, 'init');
    const sent = lab.sent.length;
    for (let i = 0; i < 10_000; i++) {
      lab.now += 10;
      lab.inject(b, stranger, init);
    }
    expect(b.drops.init_answered + b.drops.source_busy).toBe(10_000);
    expect(b.drops.init_answered).toBeGreaterThan(1900);
    expect(lab.sent.slice(sent)).toEqual([]);
    expectAlive(lab, a, b);
  });

  test('of sessions that were makes at most four tentative keys, which never live and are gone after 5 s', () => {
    const { lab, a, b } = connected();
    const old: Uint8Array[] = [recorded(lab.sent, 'init')];
    for (let i = 0; i < 9; i++) {
      const again = lab.add(new Node(low, a.path, `start ${i}`));
      lab.connect(again, b);
      lab.settle();
      old.push(ofType(lab.sent, 'init').at(-1)?.bytes as Uint8Array);
    }
    const restarted = lab.add(new Node(high, b.path, 'restarted'));
    const last = lab.add(new Node(low, a.path, 'last'));
    lab.connect(last, restarted);
    lab.settle();
    const sent = lab.sent.length;
    for (const init of old) lab.inject(restarted, stranger, init);
    const resps = ofType(lab.sent.slice(sent), 'resp');
    expect(resps.length).toBe(10);
    // The last four are there and answer as they did; the others have given way.
    for (const init of old.slice(-4).toReversed()) {
      lab.now += 100;
      lab.inject(restarted, stranger, init);
    }
    expect(
      ofType(lab.sent.slice(sent), 'resp')
        .slice(10)
        .map(({ bytes }) => bytes),
    ).toEqual(
      resps
        .slice(-4)
        .toReversed()
        .map(({ bytes }) => bytes),
    );
    expectAlive(lab, last, restarted);
    lab.run(lab.now + 5000);
    expect(restarted.of('up').length).toBe(1);
    expectAlive(lab, last, restarted);
    lab.inject(restarted, stranger, old.at(-1) as Uint8Array);
    expect(ofType(lab.sent, 'resp').at(-1)?.bytes).not.toEqual(resps.at(-1)?.bytes);
  });
});

describe('A6', () => {
  test('RESP and COOKIE again are nothing', () => {
    const { lab, a, b } = connected();
    const resp = recorded(lab.sent, 'resp');
    const sent = lab.sent.length;
    for (let i = 0; i < 100; i++) lab.inject(a, b.path, resp);
    lab.inject(a, b.path, buildPacket({ type: 'cookie', receiver: 1, cookie: new Uint8Array(16), tag: new Uint8Array(16) }));
    expect([a.drops.resp_unexpected, a.drops.cookie_unexpected]).toEqual([100, 1]);
    expect(lab.sent.length).toBe(sent);
    expectAlive(lab, a, b);
  });

  test('a storm of HINTs makes one handshake in 5 s, by the paths that are known', () => {
    const { lab, a, b } = connected();
    lab.say(a, b, 'x');
    const data = parsePacket(ofType(lab.sent, 'data').at(-1)?.bytes as Uint8Array);
    const receiver = data !== undefined && typeof data !== 'string' && data.type === 'data' ? data.receiver : 0;
    const hint = buildPacket({ type: 'hint', receiver, random: new Uint8Array(8) });
    const sent = lab.sent.length;
    for (let i = 0; i < 1000; i++) {
      lab.inject(a, stranger, hint);
      lab.run(lab.now + 4);
    }
    const inits = ofType(lab.sent.slice(sent), 'init');
    expect(inits.map(({ to }) => to)).toEqual([b.path]);
    expect(a.drops.hint_ignored).toBe(999);
    expectAlive(lab, a, b);
  });
});

describe('A7, A8: a handshake in the name of another', () => {
  /** The INIT of one who has this identity, at `b`, and all that `b` makes of it. */
  function attempt(identity: Identity): { b: Node; attacker: Node; lab: Lab } {
    const lab = new Lab();
    const b = lab.add(new Node(high, 'udp:0/10.0.0.2:1', 'b'));
    const attacker = lab.add(new Node(identity, stranger, 'attacker'));
    lab.connect(attacker, b);
    lab.run(lab.now + 10_000);
    expect(b.outputs).toEqual([]);
    expect(attacker.of('up')).toEqual([]);
    return { b, attacker, lab };
  }

  test('with the secret of the responder makes tentative keys, and no more', () => {
    const agree = (publicKey: Uint8Array): Uint8Array | undefined =>
      // `ss` can be had with either secret. `se`, with the ephemeral key of the responder, cannot.
      Buffer.compare(publicKey, high.exchange.publicKey) === 0
        ? high.exchange.agree(low.exchange.publicKey)
        : new Uint8Array(32).fill(1);
    const exchange = { publicKey: low.exchange.publicKey, agree } as unknown as Identity['exchange'];
    const { lab, b, attacker } = attempt({ ...low, exchange });
    expect(ofType(lab.sent, 'resp').length).toBeGreaterThan(0);
    expect(attacker.drops.resp_invalid).toBe(ofType(lab.sent, 'resp').length);
    lab.run(lab.now + 5000);
    expect(b.sessions.nextAt()).toBe(Infinity);
  });

  test('with another static key is refused before trust is asked', () => {
    const { b, lab } = attempt({ ...low, exchange: third.exchange });
    expect(b.drops.key_mismatch).toBe(6);
    expect(ofType(lab.sent, 'resp')).toEqual([]);
  });

  test('under a key that no node may have, or the one of the responder itself, is refused', () => {
    const twin = Uint8Array.from(low.publicKey);
    twin[31] = (twin[31] as number) ^ 0x80;
    expect(attempt({ ...low, publicKey: twin }).b.drops.key_mismatch).toBe(6);
    expect(attempt({ ...low, publicKey: new Uint8Array(32) }).b.drops.key_mismatch).toBe(6);
    expect(attempt({ ...low, exchange: high.exchange }).b.drops.own_key).toBe(6);
  });
});

test('A9, A21: another network, limit, secret or version, and what is no packet, meets silence', () => {
  const descriptor = { name: 'sessions', caKeys: [], addressProfile: 'cheap', limits: LIMITS } as const;
  const others = [
    networkOf({ ...descriptor, name: 'other' }),
    networkOf({ ...descriptor, limits: { ...LIMITS, messageBytesMax: LIMITS.messageBytesMax - 1 } }),
  ];
  expect(networkOf(descriptor).networkId).toEqual(pinnedTrust().networkId);
  for (const trust of [...others.map((other) => pinnedTrust(undefined, other)), pinnedTrust(Buffer.alloc(32, 7))]) {
    const lab = new Lab();
    const a = lab.add(new Node(low, 'udp:0/10.0.0.1:1', 'a', { trust }));
    const b = lab.add(new Node(high, 'udp:0/10.0.0.2:1', 'b'));
    lab.connect(a, b);
    lab.run(lab.now + 10_000);
    expect(b.drops.mac1_wrong).toBe(6);
    expect(a.of('failed')).toMatchObject([{ error: { code: 'NET_PEER_UNREACHABLE' } }]);
    const init = Uint8Array.from(recorded(lab.sent, 'init'));
    init[1] = 2;
    lab.inject(b, a.path, init);
    lab.inject(b, a.path, Buffer.from('PILT hello'));
    expect([b.drops.packet_version, b.drops.packet_type]).toEqual([1, 1]);
    expect(lab.sent.filter(({ from }) => from === b.path)).toEqual([]);
  }
});

describe('A10: a flood of INITs', () => {
  /** INITs of fresh handshakes for `b`, which all hold. */
  const flood = (count: number, b: Node): Uint8Array[] =>
    Array.from({ length: count }, (_, i) => {
      const source = new Node(low, 'x', `flood ${i}`);
      source.sessions.connect(0, b.name, ['y']);
      const [init] = source.sessions.take();
      return init?.type === 'datagram' ? init.bytes : new Uint8Array(0);
    });

  test('from forged sources is held by the budget, then by cookies; the session lives, and an honest newcomer gets through', () => {
    const { lab, a, b } = connected();
    const inits = flood(400, b);
    const sent = lab.sent.length;
    const newcomer = lab.add(new Node(low, 'udp:0/10.0.0.7:1', 'newcomer'));
    /** Eight in each ms, as many as are looked at. */
    const comeFrom = (network: string, each: (i: number) => void = () => undefined): void => {
      for (const [i, init] of inits.entries()) {
        lab.inject(b, `udp:0/${network}.${i % 250}.${Math.floor(i / 250)}:1`, init);
        each(i);
        if (i % 8 === 7) lab.run(lab.now + 1);
      }
    };
    comeFrom('10.1');
    const answers = lab.sent.slice(sent).filter(({ from }) => from === b.path);
    expect(ofType(answers, 'resp').length).toBe(20 + 50 / 5);
    expect(ofType(answers, 'cookie').length).toBe(b.drops.cookie_required);
    const required = b.drops.cookie_required;
    expect(required).toBeGreaterThan(280);
    expectAlive(lab, a, b);
    lab.run(lab.now + 1000);
    expect(ofType(lab.sent.slice(sent), 'resp').length + required).toBe(400);
    let began = 0;
    comeFrom('10.2', (i) => {
      if (i !== 80) return;
      began = lab.now;
      lab.connect(newcomer, b);
    });
    lab.run(lab.now + 2000);
    expect(newcomer.of('up').length).toBe(1);
    expect(ofType(lab.sent, 'cookie').some(({ to }) => to === newcomer.path)).toBe(true);
    expect(
      ofType(lab.sent, 'init')
        .filter(({ from }) => from === newcomer.path)
        .map(({ at }) => at - began),
    ).toEqual([0, 20]);
  });

  test('from one source is held by its bucket', () => {
    const { lab, b } = two();
    for (const init of flood(100, b)) lab.inject(b, stranger, init);
    expect(ofType(lab.sent, 'resp').length).toBe(10);
    // Of those that came while none could be looked at four wait.
    lab.run(lab.now + 1);
    expect(b.drops.init_flooded).toBe(100 - 32 - 4);
    expect(b.drops.source_busy).toBe(32 + 4 - 10);
  });
});

describe('A11: an answer is no longer than the question', () => {
  test('RESP and INIT, HINT and DATA', () => {
    const { lab, a, b } = connected();
    expect(recorded(lab.sent, 'init').length).toBe(512);
    expect(recorded(lab.sent, 'resp').length).toBeLessThanOrEqual(512);
    const restarted = lab.add(new Node(high, b.path, 'restarted'));
    a.sessions.take();
    const sealed = a.sessions.seal(lab.now, b.name, new Uint8Array(0))?.packet as Uint8Array;
    lab.inject(restarted, stranger, sealed);
    const hint = lab.sent.at(-1) as Sent;
    expect([hint.to, hint.bytes[0]]).toEqual([stranger, 5]);
    expect(hint.bytes.length).toBeLessThan(sealed.length);
    for (let i = 0; i < 100; i++) lab.inject(restarted, stranger, sealed);
    expect(ofType(lab.sent, 'hint').length).toBe(10);
  });

  test('also with the longest certificates, and with a long one for a short one', () => {
    const showing = (certificate: Uint8Array | undefined): Trust => {
      const trust = pinnedTrust();
      return {
        networkId: trust.networkId,
        psk: trust.psk,
        certificate,
        authorize: (key) => trust.authorize(key),
        holds: () => true,
      };
    };
    for (const bytes of [1, 473]) {
      const lab = new Lab();
      const observed = (): Uint8Array => new Uint8Array(32);
      const a = lab.add(new Node(low, 'udp:0/10.0.0.1:1', 'a', { trust: showing(Buffer.alloc(bytes, 1)) }));
      const b = lab.add(new Node(high, 'udp:0/10.0.0.2:1', 'b', { trust: showing(Buffer.alloc(473, 1)), observed }));
      lab.connect(a, b);
      lab.settle();
      expect([a.of('up').length, b.of('up').length]).toEqual([1, 1]);
      expect(recorded(lab.sent, 'resp').length).toBeLessThanOrEqual(recorded(lab.sent, 'init').length);
    }
    const lab = new Lab();
    const a = lab.add(new Node(low, 'udp:0/10.0.0.1:1', 'a'));
    const b = lab.add(new Node(high, 'udp:0/10.0.0.2:1', 'b', { trust: showing(Buffer.alloc(473, 1)) }));
    lab.connect(a, b);
    lab.settle();
    expect(b.drops.resp_too_long).toBe(1);
    expect(ofType(lab.sent, 'resp')).toEqual([]);
  });
});

test('any bytes: nothing is thrown, and nothing that lives changes', () => {
  const { lab, a, b } = connected();
  lab.say(a, b, 'x');
  lab.settle();
  const seen = lab.sent.map(({ bytes }) => bytes);
  const changed = fc
    .tuple(fc.constantFrom(...seen), fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat(1300))
    .map(([bytes, at, flip, length]) => {
      const copy = Uint8Array.from(bytes.subarray(0, length));
      if (copy.length > 0) copy[at % copy.length] = (copy[at % copy.length] as number) ^ flip;
      return copy;
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 1300 }), anyPacket.map(buildPacket), changed), fc.nat(255), (bytes, host) => {
      for (const node of [a, b]) lab.inject(node, `udp:0/198.51.100.${host}:1`, bytes);
      lab.run(lab.now + 1);
    }),
    { numRuns: 2000, seed: 22 },
  );
  lab.settle();
  expectAlive(lab, a, b);
});
