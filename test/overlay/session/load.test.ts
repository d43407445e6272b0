/** What many handshakes may cost: memory that comes back (A25), and a budget that holds (A10). */
import { describe, expect, test, vi } from 'vitest';
import { mac, mac1Key, macKey } from '../../../transport/overlay/session/macs.ts';
import { QUEUE_MAX } from '../../../transport/overlay/session/intake.ts';
import { PLACES_OF_SOURCE, SOURCES_WAITING } from '../../../transport/overlay/session/room.ts';
import { SOURCES_MAX } from '../../../transport/overlay/buckets.ts';
import { Initiator } from '../../../transport/overlay/session/initiator.ts';
import type { Sessions } from '../../../transport/overlay/session/sessions.ts';
import { buildPacket, INIT_BYTES_MIN, mac1At, parsePacket } from '../../../transport/overlay/wire/packets.ts';
import { identityOf, seededRandom } from '../identities.ts';
import { seeds } from '../seeds.ts';
import { connected, high, low, Node, ofType, pinnedTrust, two, TYPE, type Lab } from './lab.ts';

/** What it was given is not its own. */
const GIVEN: ReadonlySet<string> = new Set(['own', 'drops']);

/** How many items are in each map, set and list within, by where it is: whatever is added later is counted, too. */
function sizes(sessions: Sessions): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const seen = new Set<unknown>();
  const look = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null || seen.has(value) || ArrayBuffer.isView(value)) return;
    seen.add(value);
    if (value instanceof Map || value instanceof Set) found.set(path, value.size);
    else if (Array.isArray(value)) found.set(path, value.length);
    else for (const [key, item] of Object.entries(value)) if (!GIVEN.has(key)) look(item, `${path}.${key}`);
  };
  look(sessions, '');
  return found;
}

/** Sources are remembered on purpose, up to a bound. */
const isSources = (path: string): boolean => path.endsWith('.bySource');
/** So are places for INITs: a flood does not allocate them again. */
const isPool = (path: string): boolean => path.endsWith('.pool');

/** As many may be there, at the most; `other`: where nothing else is said. */
function boundOf(path: string, other: number): number {
  if (isPool(path)) return SOURCES_WAITING * PLACES_OF_SOURCE;
  return isSources(path) ? SOURCES_MAX : other;
}

/** One source was heard. */
const expectEmpty = (sessions: Sessions): void => {
  const left = [...sizes(sessions)].filter(([path, size]) => !isPool(path) && size > (isSources(path) ? 1 : 0));
  expect(left).toEqual([]);
};

test('A25: of sessions that were opened and closed, by the hundred, nothing is left', () => {
  const third = seeds(50, 1_000);
  const { lab, a, b } = two();
  // A third is closed before the answer, a third before the proof has arrived, a third in full use.
  for (let i = 0; i < 3 * third; i++) {
    lab.connect(a, b);
    lab.run(lab.now + ([5, 25, 60][i % 3] as number));
    lab.say(a, b, `${i}`);
    if (i % 3 === 2) lab.run(lab.now + 20);
    a.sessions.close(b.name);
    b.sessions.close(a.name);
    lab.run(lab.now + 60);
    lab.sent.length = 0;
  }
  expect([a.of('up').length, b.of('up').length, b.texts.length]).toEqual([2 * third, third, third]);
  lab.run(lab.now + 20_000);
  for (const { sessions } of [a, b]) {
    expectEmpty(sessions);
    // That it looks where sessions are.
    const looked = [
      '.peers.byName',
      '.peers.table.begun',
      '.peers.table.byIndex',
      '.peers.table.byInit',
      '.responder.intake.queue',
    ];
    expect([...sizes(sessions).keys()]).toEqual(expect.arrayContaining(looked));
    expect(sessions.nextAt()).toBe(Infinity);
  }
});

test('A25: nor of handshakes that came to nothing', () => {
  const { lab, a, b } = two();
  lab.blocks = ({ bytes }) => bytes[0] === TYPE.resp;
  for (let i = 0; i < 20; i++) {
    lab.connect(a, b);
    lab.run(lab.now + 16_000);
  }
  expect(a.of('failed').length).toBe(20);
  for (const { sessions } of [a, b]) expectEmpty(sessions);
});

test('a handshake under way wakes nobody but its own peer, however many are idle', async () => {
  const idle = 20;
  const identities = await Promise.all(Array.from({ length: idle }, (_, i) => identityOf(`idle ${i}`)));
  const trust = pinnedTrust();
  for (const { publicKey } of identities) trust.pin(publicKey);
  const { lab, a, b } = two(1, { trust });
  for (const [i, identity] of identities.entries()) {
    lab.connect(lab.add(new Node(identity, `udp:0/10.0.1.${i}:1`, `idle${i}`, { trust })), b);
    lab.settle();
  }
  expect(b.of('up').length).toBe(idle);
  lab.blocks = ({ bytes }) => bytes[0] === TYPE.resp;
  const visits = vi.spyOn(Initiator.prototype, 'tick');
  lab.connect(a, b);
  lab.run(lab.now + 30_000);
  // Of a: its first INIT, 5 more and the end. Of b: tentative keys, which end once.
  expect(ofType(lab.sent, 'init').length).toBe(idle + 6);
  expect(visits.mock.calls.length).toBeLessThanOrEqual(10);
  visits.mockRestore();
});

describe('A10: a flood that does not end', () => {
  const { networkId, psk } = pinnedTrust();
  const key = mac1Key(high.publicKey, networkId, psk);
  const random = seededRandom('flood');
  /** An INIT as anyone makes it who knows the key of the node: the mac1 holds, and nothing behind it. It costs the sender almost nothing. */
  function forged(): Uint8Array {
    const zeros = new Uint8Array(16);
    const bytes = buildPacket({
      type: 'init',
      sender: 1,
      ephemeral: random(32),
      sealedStatic: new Uint8Array(48),
      sealedPayload: new Uint8Array(INIT_BYTES_MIN - 120),
      mac1: zeros,
      mac2: zeros,
    });
    bytes.set(mac(key, bytes.subarray(0, mac1At(bytes.length))), mac1At(bytes.length));
    return bytes;
  }
  const pool = Array.from({ length: 1000 }, forged);
  const sourceOf = (i: number): string => `udp:0/10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}:1`;

  const SEEDS = 40;
  /** Four in 17 of each of the 6 transmissions: 32 of 40. */
  const MOST = 27;

  /** As many in each ms at `b`, for so long; `each` may do something at each ms. */
  function flood(lab: Lab, b: Node, perMs: number, ms: number, each: (at: number) => void): void {
    for (let at = 0; at < ms; at++) {
      for (let i = 0; i < perMs; i++) lab.inject(b, sourceOf(at * perMs + i), forged());
      each(at);
      lab.run(lab.now + 1);
    }
  }

  test('from forged sources: the session goes on, a newcomer is in within 2 s, the work and the memory stay within their bounds', () => {
    const { lab, a, b } = connected();
    const newcomer = lab.add(new Node(low, 'udp:0/192.0.2.7:1', 'newcomer'));
    let said = 0;
    const sent = lab.sent.length;
    flood(lab, b, 5, 1500, (at) => {
      if (at % 50 === 0 && at < 500) lab.say(a, b, `${said++}`);
      if (at === 600) lab.connect(newcomer, b);
    });
    expect(b.texts.slice(0, said)).toEqual(Array.from({ length: said }, (_, i) => `${i}`));
    expect(newcomer.of('up').length).toBe(1);
    // 200 in the first second before there is load, and those that have a cookie.
    const worked = b.drops.init_invalid + ofType(lab.sent.slice(sent), 'resp').length;
    expect(worked).toBeGreaterThan(50);
    expect(worked).toBeLessThanOrEqual(20 + 1.5 * 200);
    expect(b.drops.cookie_required).toBeGreaterThan(7000);
    for (const [path, size] of sizes(b.sessions)) expect([path, size <= boundOf(path, QUEUE_MAX)]).toEqual([path, true]);
    // Nobody is sent more than it has sent.
    const back = lab.sent.slice(sent).filter(({ from, to }) => from === b.path && to.startsWith('udp:0/10.0.'));
    expect(back.every(({ bytes }) => bytes.length < INIT_BYTES_MIN)).toBe(true);
  });

  test('DATA waits for no INIT that came before it in the same turn', () => {
    const { lab, a, b } = connected();
    const packet = a.sessions.seal(lab.now, b.name, Buffer.from('first'))?.packet as Uint8Array;
    for (let i = 0; i < 1000; i++) b.sessions.receive(lab.now, sourceOf(i), pool[i] as Uint8Array);
    b.sessions.receive(lab.now, a.path, packet);
    expect(b.sessions.take().map(({ type }) => type)).toEqual(['payload']);
    expect(b.drops.init_flooded).toBe(1000 - SOURCES_WAITING);
    expect(b.sessions.nextAt()).toBe(lab.now);
    b.sessions.tick(lab.now);
    // No more than a turn is to spend on them; the rest waits for the next.
    expect(b.drops.init_invalid).toBe(20);
    expect([...sizes(b.sessions)].filter(([path]) => path.endsWith('.sources')).map(([, size]) => size)).toEqual([
      SOURCES_WAITING - 32,
      0,
    ]);
    expect(b.sessions.nextAt()).toBeGreaterThan(lab.now);
    expect(b.sessions.nextAt()).toBeLessThan(lab.now + 1);
  });

  test.each([
    ['one behind each of its datagrams', 1, SEEDS],
    ['sixteen behind each of its datagrams', 16, MOST],
    ['sixteen behind each of its datagrams, as of one that comes with a cookie', 16, MOST, 0xff],
  ])(
    'from the address of the newcomer, by one who knows neither key nor network, %s: it is in',
    (_, perTurn, least, mac2 = 0) => {
      let arrived = 0;
      for (let seed = 0; seed < SEEDS; seed++) {
        const { lab, a: newcomer, b } = two(seed);
        const noise = seededRandom(`noise ${seed}`);
        const receive = b.sessions.receive.bind(b.sessions);
        // They come before the turn ends, with what they follow.
        b.sessions.receive = (now, from, bytes) => {
          if (bytes[0] !== TYPE.init) return receive(now, from, bytes);
          const claiming = (init: Uint8Array): Uint8Array => Uint8Array.from(init).fill(mac2, init.length - 16);
          receive(now, from, claiming(bytes));
          for (let i = 0; i < perTurn; i++) {
            const garbage = noise(INIT_BYTES_MIN);
            garbage.set([TYPE.init, 1, 0, 0]);
            receive(now, `${from}${i}`, claiming(garbage));
          }
        };
        lab.connect(newcomer, b);
        lab.run(lab.now + 11_000);
        arrived += newcomer.of('up').length;
      }
      expect(arrived).toBeGreaterThanOrEqual(least);
    },
  );

  test.each([
    ['256 forged sources, more than can be looked at', (i: number) => sourceOf(i % 256), 200],
    ['a forged source each, more than can be looked at', sourceOf, 2000],
  ])('from %s: a newcomer is in within 2 s', (_, from, withinMs) => {
    const { lab, a, b } = connected();
    const newcomer = lab.add(new Node(low, 'udp:0/192.0.2.7:1', 'newcomer'));
    // By then those that were let in before there was load are worked on.
    const coming = 500;
    let said = 0;
    const sent = lab.sent.length;
    let at = 0;
    for (; at < coming + withinMs && newcomer.of('up').length === 0; at++) {
      if (at < coming && at % 10 === 0) lab.say(a, b, `${said++}`);
      if (at === coming) lab.connect(newcomer, b);
      for (let i = 0; i < 20; i++) {
        lab.inject(b, from(20 * at + i), pool[(20 * at + i) % pool.length] as Uint8Array);
        lab.run(lab.now + 1 / 20);
      }
    }
    expect(b.texts.slice(0, said)).toEqual(Array.from({ length: said }, (_unused, i) => `${i}`));
    expect(newcomer.of('up').length).toBe(1);
    // Half of 20,000 a second, but for those that wait.
    expect(b.drops.init_flooded).toBeGreaterThan(9 * at - 256 * PLACES_OF_SOURCE);
    expect(b.drops.init_flooded).toBeLessThan(11 * at);
    expect(ofType(lab.sent.slice(sent), 'cookie').length).toBeLessThan(11 * at);
    for (const [path, size] of sizes(b.sessions)) expect([path, size <= boundOf(path, SOURCES_WAITING)]).toEqual([path, true]);
  });

  test('from sources that have cookies: 200 in a second are worked on, the queue is full, and the session goes on', () => {
    const { lab, a, b } = connected();
    // Each source asks until it has its cookie, and comes back with it.
    const withCookie = (from: string): void => {
      const init = forged();
      const before = lab.sent.length;
      lab.inject(b, from, init);
      const cookie = lab.sent.slice(before).find(({ to, bytes }) => to === from && bytes[0] === TYPE.cookie);
      const packet = cookie === undefined ? undefined : parsePacket(cookie.bytes);
      if (packet === undefined || typeof packet === 'string' || packet.type !== 'cookie') return;
      const again = Uint8Array.from(init);
      again.set(mac(macKey(packet.cookie), again.subarray(0, again.length - 16)), again.length - 16);
      lab.inject(b, from, again);
    };
    let said = 0;
    for (let at = 0; at < 1000; at++) {
      for (let i = 0; i < 2; i++) withCookie(sourceOf((at * 2 + i) % 500));
      if (at % 50 === 0) lab.say(a, b, `${said++}`);
      lab.run(lab.now + 1);
    }
    lab.settle();
    expect(b.texts.length).toBe(said);
    expect(b.drops.queue_full).toBeGreaterThan(1000);
    expect(b.drops.init_invalid).toBeGreaterThan(200);
    expect(b.drops.init_invalid).toBeLessThanOrEqual(20 + 1.1 * 200);
  });
});
