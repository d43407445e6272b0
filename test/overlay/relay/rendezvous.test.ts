import { describe, expect, test } from 'vitest';
import type { Identity } from '../../../transport/overlay/identity/identity.ts';
import { HOPE_MS, DIAL_MIN_MS, DIAL_MS } from '../../../transport/overlay/relay/relay-link.ts';
import { RESOLVE_MS } from '../../../transport/overlay/relay/question.ts';
import { MEASURE_MS, QUESTIONS_KEPT_MAX } from '../../../transport/overlay/relay/rendezvous.ts';
import { CONTROL } from '../../../transport/overlay/wire/frames.ts';
import { buildRecordBody, parseRecordBody, parseRegister } from '../../../transport/overlay/relay/bodies.ts';
import { openRecord, type SignedRecord } from '../../../transport/overlay/trust/record.ts';
import { identities, keyOf, Lab, network, WALL, type Client, type Relay } from './relay-lab.ts';

const [alice, bob, , ...places] = identities as [Identity, Identity, Identity, ...Identity[]];

/** Relays of these RTTs, and Alice who knows them. */
function lab(rtts: readonly number[], seed = 1): { lab: Lab; relays: Relay[]; a: Client } {
  const lab = new Lab(seed);
  const relays = rtts.map((rttMs, i) => lab.addRelay(places[i] as Identity, rttMs));
  return { lab, relays, a: lab.addClient(alice, relays, 'alice') };
}
/** As they are found: of whom, and by which relays. */
const said = (records: readonly SignedRecord[]): unknown =>
  records.map(({ name, relays }) => [name, ...relays.map((publicKey) => keyOf({ publicKey }))]);
const registered = (client: Client): SignedRecord[] =>
  client
    .of('control')
    .filter(({ code }) => code === CONTROL.register)
    .map(({ bytes }) => openRecord((parseRegister(bytes) as { record: Uint8Array }).record, network) as SignedRecord);

describe('choice', () => {
  test('the nearest is home, the next one the spare; the others are let go after they were measured', () => {
    const { lab: l, relays, a } = lab([80, 20, 40, 60]);
    l.runFor(1_000);
    expect(a.sessions.size).toBe(4);
    l.runFor(MEASURE_MS);
    const [, near, next] = relays as [Relay, Relay, Relay];
    expect([a.rendezvous.home(), a.rendezvous.ready()]).toEqual([near.key, [near.key, next.key]]);
    expect([...a.sessions].sort()).toEqual([near.key, next.key].sort());
    expect(said([registered(a).at(-1) as SignedRecord])).toEqual([['alice', near.key, next.key]]);
    expect(a.rendezvous.view().filter(({ isHome }) => isHome)).toEqual([
      { relay: near.key, state: 'registered', isHome: true, rttMs: 20, why: '' },
    ]);
  });

  test('another one becomes home only if it is clearly nearer', () => {
    const { lab: l, relays, a } = lab([20, 40]);
    l.runFor(3_000);
    const [first, second] = relays as [Relay, Relay];
    const homeAt = (rttMs: number): string | undefined => {
      l.input(a, (r) => r.rtt(l.now, second.key, rttMs));
      l.runFor(100);
      return a.rendezvous.home();
    };
    expect([homeAt(18), homeAt(16), homeAt(14.9)]).toEqual([first.key, first.key, second.key]);
    expect(a.of('home').map(({ relay }) => relay)).toEqual([first.key, second.key]);
    expect(said([registered(a).at(-1) as SignedRecord])).toEqual([['alice', second.key, first.key]]);
  });

  test('nodes spread over relays that are alike', () => {
    const firsts = new Set<string>();
    for (let seed = 0; seed < 20; seed++) {
      const { a } = lab([30, 30, 30, 30, 30, 30], seed);
      for (const { relay } of a.of('connect')) firsts.add(relay);
      expect(a.of('connect').length).toBe(4);
    }
    expect(firsts.size).toBe(6);
  });

  test('one that is silent is not waited for', () => {
    const { lab: l, relays, a } = lab([20, 20, 20, 20, 20, 20]);
    const tried = a.of('connect').map(({ relay }) => relay);
    for (const key of tried) (l.relays.get(key) as Relay).isAlive = false;
    l.runFor(HOPE_MS + 100);
    const others = relays.filter(({ key }) => !tried.includes(key)).map(({ key }) => key);
    expect(a.rendezvous.ready().toSorted()).toEqual(others.toSorted());
    // And it is not forgotten: once the others are gone it serves.
    for (const relay of relays) if (tried.includes(relay.key)) relay.isAlive = true;
    for (const key of others) l.kill(l.relays.get(key) as Relay);
    l.runFor(20_000);
    expect(a.rendezvous.ready().length).toBe(2);
  });

  test('does not take itself for a relay, nor endpoints that are none', () => {
    const l = new Lab();
    const a = l.addClient(alice, [], 'alice', {
      relays: [
        { publicKey: keyOf(alice), endpoints: ['192.0.2.1:1'] },
        { publicKey: keyOf(bob), endpoints: ['http://x', 'r.example:4433', '[2001:db8::1]:1', 'no port'] },
      ],
    });
    expect(a.outputs).toMatchObject([{ type: 'connect', relay: keyOf(bob), endpoints: ['r.example:4433', '[2001:db8::1]:1'] }]);
  });
});

describe('UDP is silent', () => {
  test('a WebSocket is raced after 400 ms, and UDP is looked for later', () => {
    const l = new Lab();
    const relay = l.addRelay(places[0] as Identity, 20);
    Object.assign(relay, { isUdpOpen: false, hasWebSocket: true });
    const a = l.addClient(alice, [relay]);
    l.runFor(5_000);
    const [dial, more] = a.of('dial');
    expect([dial?.at, dial?.url, more]).toEqual([1_000 + DIAL_MS, relay.address.endpoints[1], undefined]);
    expect(a.rendezvous.home()).toBe(relay.key);
    relay.isUdpOpen = true;
    l.input(a, (r) => r.wantDirect(l.now, relay.key));
    expect(a.of('connect').length).toBe(2);
    l.runFor(20_000);
    expect([a.rendezvous.home(), a.of('dial').length]).toEqual([relay.key, 1]);
  });

  test('no WebSocket is dialled where UDP answers, and at once where there is no UDP', () => {
    const l = new Lab();
    const relay = l.addRelay(places[0] as Identity, 20);
    relay.hasWebSocket = true;
    const a = l.addClient(alice, [relay]);
    l.runFor(20_000);
    expect(a.of('dial')).toEqual([]);
    const b = l.addClient(bob, [], '', {
      relays: [{ publicKey: relay.key, endpoints: ['ws://a.example:80', 'wss://b.example:443'] }],
    });
    expect(b.outputs).toMatchObject([{ type: 'dial', url: 'ws://a.example:80' }]);
    expect(b.of('connect')).toEqual([]);
  });
});

describe('UDP falls silent in a session', () => {
  function reached(): { l: Lab; relay: Relay; a: Client } {
    const l = new Lab();
    const relay = l.addRelay(places[0] as Identity, 20);
    relay.hasWebSocket = true;
    return { l, relay, a: l.addClient(alice, [relay]) };
  }

  test('a WebSocket is raced, once in 5 s', () => {
    const { l, relay, a } = reached();
    l.runFor(1_000);
    const doubt = (): void => l.input(a, (r) => r.doubt(l.now, relay.key));
    doubt();
    l.runFor(DIAL_MIN_MS - 1);
    expect(a.of('dial')).toEqual([]);
    doubt();
    l.runFor(3_000);
    doubt();
    l.runFor(1_000);
    expect(a.of('dial').map(({ at, url }) => [at, url])).toEqual([[2_000 + DIAL_MIN_MS, relay.address.endpoints[1]]]);
    l.runFor(1_000);
    doubt();
    l.runFor(DIAL_MIN_MS);
    expect(a.of('dial').length).toBe(2);
  });

  test('a WebSocket is raced at a change of the network, too, however short ago that was', () => {
    const { l, relay, a } = reached();
    l.runFor(1_000);
    l.input(a, (r) => r.doubt(l.now, relay.key));
    l.runFor(DIAL_MIN_MS);
    l.input(a, (r) => r.networkChanged(l.now));
    l.runFor(DIAL_MIN_MS);
    expect(a.of('dial').length).toBe(2);
  });

  test('none is, where it answers before, and where there is no session', () => {
    const { l, relay, a } = reached();
    l.input(a, (r) => r.doubt(l.now, relay.key));
    l.runFor(1_000);
    l.input(a, (r) => r.doubt(l.now, relay.key));
    l.runFor(DIAL_MIN_MS - 1);
    l.input(a, (r) => r.rtt(l.now, relay.key, 20));
    l.runFor(10_000);
    expect(a.of('dial')).toEqual([]);
    expect(a.rendezvous.home()).toBe(relay.key);
  });
});

describe('registration', () => {
  test('is renewed at half of its life, with a higher seq, and never lapses', () => {
    const { lab: l, relays, a } = lab([20, 40]);
    const b = l.addClient(bob, relays);
    l.runFor(3_000);
    const before = registered(a).length;
    for (let i = 0; i < 60; i++) {
      l.runFor(10_000);
      expect(l.find(b, { name: 'alice' }).records.length).toBe(1);
    }
    const seqs = registered(a)
      .slice(before)
      .map(({ seq }) => seq);
    // Ten minutes, two relays, every 27 to 30 s.
    expect(seqs.length / 2).toBeGreaterThanOrEqual(600 / 30 - 1);
    expect(seqs.length / 2).toBeLessThanOrEqual(600 / 27 + 1);
    expect(seqs).toEqual(seqs.toSorted((x, y) => x - y));
    expect(a.of('signed').at(-1)?.seq).toBe(seqs.at(-1));
  });

  test('goes on where the last run ended, even if the clock went back', () => {
    const { lab: l, relays, a } = lab([20]);
    l.runFor(3_000);
    const { seq } = a.of('signed').at(-1) as { seq: number };
    l.remove(a);
    const again = l.addClient(alice, relays, 'alice', { seq, wallClock: (now) => WALL + now - 30_000 });
    l.runFor(1_000);
    expect(again.of('signed')[0]?.seq).toBe(seq + 1);
    expect(again.rendezvous.home()).toBe(relays[0]?.key);
  });

  test('A23: a clock that was a year ahead is refused, and serves again as soon as it is right', () => {
    const { lab: l, relays, a } = lab([20]);
    l.runFor(3_000);
    a.skewMs = 365 * 24 * 3_600_000;
    l.runFor(60_000);
    expect(a.rendezvous.view()).toMatchObject([{ why: 'it refuses: record_from_future' }]);
    a.skewMs = 0;
    l.input(a, (r) => r.networkChanged(l.now));
    l.runFor(1_000);
    expect([a.rendezvous.home(), a.rendezvous.view()[0]?.why]).toEqual([relays[0]?.key, '']);
  });

  test('at the only relay, which does not answer, is tried again, and the way to it is looked at', () => {
    const { lab: l, relays, a } = lab([20]);
    const [relay] = relays as [Relay];
    a.keepsSessions = true;
    relay.answer = () => [];
    l.runFor(30_000);
    expect(a.of('connect').length).toBeGreaterThan(2);
    relay.answer = (_, replies) => replies;
    l.runFor(30_000);
    const connects = a.of('connect').length;
    l.runFor(60_000);
    expect([a.rendezvous.home(), a.of('connect').length]).toEqual([relay.key, connects]);
  });

  test('at a relay that does not answer is given up, and made at another', () => {
    const { lab: l, relays, a } = lab([10, 20, 30]);
    const [mute] = relays as [Relay];
    mute.answer = () => [];
    l.runFor(10_000);
    expect(a.rendezvous.ready()).toEqual([relays[1]?.key, relays[2]?.key]);
    expect(a.rendezvous.view().find(({ relay }) => relay === mute.key)?.why).toBe('it does not answer to REGISTER');
    expect(said([registered(a).at(-1) as SignedRecord])).toEqual([['alice', relays[1]?.key, relays[2]?.key]]);
  });
});

describe('failure', () => {
  test('of home: the spare is home at once, and a third one the spare', () => {
    const { lab: l, relays, a } = lab([10, 20, 30]);
    const [first, second, third] = relays as [Relay, Relay, Relay];
    l.runFor(5_000);
    const at = l.now;
    l.kill(first);
    l.runFor(500); // Until it is known.
    expect(a.rendezvous.home()).toBe(second.key);
    l.runFor(2_000);
    expect(a.rendezvous.ready()).toEqual([second.key, third.key]);
    expect(a.of('home').at(-1)?.at).toBe(at + 500);
  });

  /** How long the client waits between attempts that end after 10 s. */
  const waitsAt = (client: Client, relay: Relay, from: number): number[] => {
    const tries = client
      .of('connect')
      .slice(from)
      .filter(({ relay: key }) => key === relay.key);
    return tries.slice(1).map(({ at }, i) => at - (tries[i]?.at ?? 0) - 10_000);
  };

  test('of one of two: it is tried again, each time after longer', () => {
    const { lab: l, relays, a } = lab([10, 20]);
    const [first, second] = relays as [Relay, Relay];
    l.runFor(30_000);
    const from = a.of('connect').length;
    l.kill(first);
    l.runFor(300_000);
    const waits = waitsAt(a, first, from);
    expect(waits.every((wait, i) => wait >= 0.75 * 500 * 2 ** i || wait >= 0.75 * 60_000)).toBe(true);
    expect(waits.every((wait) => wait <= 1.25 * 60_000)).toBe(true);
    expect(waits.length).toBeGreaterThan(5);
    // Without the other it is pressed.
    l.runFor(5_000);
    l.kill(second);
    first.isAlive = true;
    l.runFor(500 + 1_250);
    expect(a.rendezvous.ready()).toEqual([first.key]);
  });

  test('of all: they are tried again soon, for as long as it takes, and not by all clients at once', () => {
    const { lab: l, relays, a } = lab([10, 20]);
    const clients = [a, ...identities.slice(1, 3).map((identity, i) => l.addClient(identity, relays, `n${i}`))];
    const [first] = relays as [Relay];
    l.runFor(30_000);
    const from = a.of('connect').length;
    for (const relay of relays) l.kill(relay);
    l.runFor(300_000);
    const waits = waitsAt(a, first, from);
    expect(waits.every((wait) => wait >= 0.75 * 500 && wait <= 1.25 * 750)).toBe(true);
    expect(waits.length).toBeGreaterThan(20);
    expect(a.rendezvous.home()).toBeUndefined();
    expect(a.of('home').at(-1)?.relay).toBeUndefined();
    expect(new Set(clients.map((client) => Math.round((client.of('connect').at(-1)?.at ?? 0) / 50))).size).toBe(3);
    for (const relay of relays) relay.isAlive = true;
    // A change of the network does not even wait for that.
    l.input(a, (r) => r.networkChanged(l.now));
    l.runFor(100);
    expect(a.rendezvous.ready()).toEqual(relays.map(({ key }) => key));
  });

  test('by a refusal: one that does not let this node in is not pressed', () => {
    const { lab: l, relays, a } = lab([20]);
    const [relay] = relays as [Relay];
    l.runFor(5_000);
    relay.isAlive = false;
    a.sessions.delete(relay.key);
    a.asked.delete(relay.key);
    const from = a.of('connect').length;
    for (let i = 0; i < 100; i++) {
      l.input(a, (r) => r.down(l.now, relay.key, true));
      a.asked.delete(relay.key);
      l.runFor(3_000);
    }
    expect(a.of('connect').length - from).toBeLessThan(15);
  });

  test('a relay that was restarted, and is met again before its end was seen, has the registration at once', () => {
    const { lab: l, relays, a } = lab([20]);
    const [relay] = relays as [Relay];
    l.runFor(5_000);
    relay.server = relay.fresh();
    // A new session in the place of the old one.
    l.input(a, (r) => r.up(l.now, relay.key, 20));
    expect(a.rendezvous.home()).toBeUndefined();
    l.runFor(100);
    expect([relay.server.view().registered, a.rendezvous.home()]).toEqual([1, relay.key]);
  });

  test('a session that was kept though it was not needed serves when it is', () => {
    const { lab: l, relays, a } = lab([10, 20, 30]);
    a.keepsSessions = true;
    const [first, second, third] = relays as [Relay, Relay, Relay];
    l.runFor(5_000);
    expect([a.sessions.size, a.of('release').map(({ relay }) => relay)]).toEqual([3, [third.key]]);
    const connects = a.of('connect').length;
    l.kill(first);
    l.runFor(600);
    expect(a.rendezvous.ready()).toEqual([second.key, third.key]);
    expect(
      a
        .of('connect')
        .slice(connects)
        .every(({ relay }) => relay === first.key),
    ).toBe(true);
  });

  test('a relay that refused is asked again in the same session, each time later', () => {
    const { lab: l, relays, a } = lab([20]);
    const [relay] = relays as [Relay];
    a.keepsSessions = true;
    let isFull = true;
    relay.answer = (_, replies) =>
      replies.map((reply) => {
        const body = parseRecordBody(reply.bytes);
        return isFull && body?.type === 'registered'
          ? { ...reply, bytes: buildRecordBody({ type: 'refused', id: body.id, reason: 'records_full' }) }
          : reply;
      });
    l.runFor(60_000);
    expect(a.rendezvous.view()).toMatchObject([{ state: 'up', why: 'it refuses: records_full' }]);
    expect([registered(a).length > 4, registered(a).length < 10, a.of('connect').length]).toEqual([true, true, 1]);
    isFull = false;
    l.runFor(60_000);
    expect(a.rendezvous.home()).toBe(relay.key);
  });

  test('of a relay that comes back: all its clients are registered again within a second, spread over time', async () => {
    const l = new Lab(7);
    const relay = l.addRelay(places[0] as Identity, 20);
    const clients = identities.slice(0, 3).map((identity, i) => l.addClient(identity, [relay], `n${i}`));
    l.runFor(30_000);
    l.restart(relay);
    l.runFor(500 + 1_000);
    expect(relay.server.view().registered).toBe(3);
    expect(new Set(clients.map((client) => client.of('connect').at(-1)?.at)).size).toBe(3);
  });

  test('a change of the network shows all relays that this node is still there', () => {
    const { lab: l, relays, a } = lab([10, 20]);
    l.runFor(5_000);
    const [connects, registers] = [a.of('connect').length, registered(a).length];
    l.input(a, (r) => r.networkChanged(l.now));
    expect([a.of('connect').length - connects, registered(a).length - registers]).toEqual([2, 2]);
    expect(a.rendezvous.home()).toBe(relays[0]?.key);
  });
});

describe('questions', () => {
  test('by key, by address and by name; with the places of the relays', () => {
    const { lab: l, relays, a } = lab([10, 20]);
    const b = l.addClient(bob, relays, 'bob');
    l.runFor(3_000);
    for (const query of [{ key: keyOf(bob) }, { address: bob.address }, { name: 'bob' }]) {
      const { records, relays: known, tookMs } = l.find(a, query);
      expect(said(records)).toEqual([['bob', relays[0]?.key, relays[1]?.key]]);
      expect(known).toEqual(new Map(relays.map(({ key, address }) => [key, address.endpoints])));
      expect(tookMs).toBeLessThanOrEqual(21);
    }
    expect(b.drops).toEqual(a.drops);
    expect(Object.values(a.drops).every((count) => count === 0)).toBe(true);
  });

  test('of a node that no relay knows: asked until the deadline, so one that comes meanwhile is found', () => {
    const { lab: l, relays, a } = lab([10, 20]);
    l.runFor(3_000);
    expect(l.find(a, { name: 'bob' })).toEqual({ records: [], relays: new Map(), answers: 2, tookMs: RESOLVE_MS });
    const id = l.input(a, (r) => r.resolve(l.now, { name: 'bob' }));
    l.runFor(2_500);
    l.addClient(bob, relays, 'bob');
    l.runFor(1_000);
    expect(a.of('resolved').find((each) => each.id === id)?.records).toMatchObject([{ name: 'bob' }]);
  });

  test('that nobody can answer are answered at once: no relays, and names that none may have', () => {
    const l = new Lab();
    const a = l.addClient(alice, []);
    expect(l.find(a, { name: 'bob' })).toMatchObject({ records: [], answers: 0, tookMs: 0 });
    const { lab: other, a: c } = lab([10]);
    for (const query of [{ name: 'a b' }, { name: '' }, { name: '\u0162ob' }, { key: 'no key' }])
      expect(other.find(c, query)).toMatchObject({ records: [], tookMs: 0 });
  });

  test('the same twice is asked once, and answered twice', () => {
    const { lab: l, relays, a } = lab([10]);
    l.addClient(bob, relays, 'bob');
    l.runFor(3_000);
    const ids = [1, 2].map(() => l.input(a, (r) => r.resolve(l.now, { name: 'bob' })));
    l.runFor(100);
    expect(a.of('resolved').map(({ id, records }) => [id, records.length])).toEqual(ids.map((id) => [id, 1]));
    expect(a.of('control').filter(({ code }) => code === CONTROL.resolve).length).toBe(1);
  });

  test('of a node at relays that this one is not connected to', () => {
    const l = new Lab(3);
    const relays = places.slice(0, 6).map((identity, i) => l.addRelay(identity, 10 + 10 * i));
    const a = l.addClient(alice, relays.slice(0, 4), 'alice');
    l.addClient(bob, relays.slice(2, 4), 'bob');
    l.runFor(5_000);
    expect(a.sessions.size).toBe(2);
    const { records, tookMs } = l.find(a, { name: 'bob' });
    expect(said(records)).toEqual([['bob', relays[2]?.key, relays[3]?.key]]);
    expect(tookMs).toBeLessThan(500);
    l.runFor(100);
    expect(a.sessions.size).toBe(2);
  });

  test('two keys for one name are both told of, be they at different relays', () => {
    const l = new Lab();
    const relays = places.slice(0, 2).map((identity, i) => l.addRelay(identity, 10 + 100 * i));
    const a = l.addClient(alice, relays, 'alice');
    l.addClient(bob, [relays[0] as Relay], 'desk');
    l.addClient(identities[2] as Identity, [relays[1] as Relay], 'desk');
    l.runFor(3_000);
    const keys = l.find(a, { name: 'desk' }).records.map(keyOf);
    expect(keys.toSorted()).toEqual([keyOf(bob), keyOf(identities[2] as Identity)].toSorted());
  });
});

describe('visits', () => {
  test('a relay of a peer is used until it is left, and not named in the record', () => {
    const { lab: l, a } = lab([10, 20]);
    const far = l.addRelay(places[2] as Identity, 50);
    const b = l.addClient(bob, [far], 'bob');
    l.runFor(3_000);
    expect(l.input(a, (r) => r.visit(l.now, far.key, far.address.endpoints))).toBe(true);
    l.runFor(200);
    expect(a.rendezvous.ready()).toContain(far.key);
    expect(
      registered(a)
        .at(-1)
        ?.relays.map((publicKey) => keyOf({ publicKey })),
    ).not.toContain(far.key);
    expect(l.find(b, { name: 'alice' }).records.length).toBe(1);
    l.runFor(300_000);
    expect(a.rendezvous.ready()).toContain(far.key);
    l.input(a, (r) => r.leave(l.now, far.key));
    expect(a.of('release').at(-1)?.relay).toBe(far.key);
    expect([a.rendezvous.ready().length, a.rendezvous.view().length]).toEqual([2, 2]);
  });

  test('there are at most 32, of whom nothing is kept', () => {
    const { lab: l, a } = lab([10]);
    const visit = (i: number): boolean => l.input(a, (r) => r.visit(l.now, `${i}`.padStart(64, '0'), ['192.0.2.1:1']));
    expect(Array.from({ length: 40 }, (_, i) => visit(i)).filter(Boolean).length).toBe(32);
    for (let i = 0; i < 40; i++) l.input(a, (r) => r.leave(l.now, `${i}`.padStart(64, '0')));
    expect(a.rendezvous.view().length).toBe(1);
    expect(visit(50)).toBe(true);
    expect(l.input(a, (r) => r.visit(l.now, a.key, ['192.0.2.1:1']))).toBe(false);
  });

  test('a packet for one who is not there comes back with its hash', () => {
    const { lab: l, relays, a } = lab([10]);
    l.runFor(3_000);
    l.input(a, (r) => r.control(l.now, relays[0]?.key as string, CONTROL.record, Uint8Array.of(3, 1, 2, 3, 4, 5, 6, 7, 8)));
    expect(a.of('not_here')).toMatchObject([{ relay: relays[0]?.key, hash: '0102030405060708' }]);
  });
});

describe('by the seed', () => {
  test('with loss, doubled frames, deaths and restarts everybody is found again', () => {
    for (let seed = 0; seed < 60; seed++) {
      const l = new Lab(seed);
      l.loss = (seed % 4) * 0.1;
      l.doubled = 0.1;
      const relays = places.slice(0, 4).map((identity, i) => l.addRelay(identity, 10 + 20 * i));
      const a = l.addClient(alice, relays, 'alice');
      const b = l.addClient(bob, relays, 'bob');
      b.keepsSessions = seed % 2 === 1;
      for (let round = 0; round < 6; round++) {
        l.runFor(7_000 + 1_000 * round);
        const relay = relays[(seed + round) % 4] as Relay;
        if (round % 3 === 2) l.restart(relay);
        else if (relay.isAlive) l.kill(relay);
        else relay.isAlive = true;
      }
      for (const relay of relays) relay.isAlive = true;
      l.runFor(30_000);
      l.loss = 0;
      l.runFor(5_000);
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        const { records } = l.find(from, { key: to.key });
        expect([seed, records.map(keyOf)]).toEqual([seed, [to.key]]);
        // Where it says it can be reached, it can.
        const named = (records[0] as SignedRecord).relays.map((publicKey) => keyOf({ publicKey }));
        const ready = to.rendezvous.ready();
        expect([seed, ready.length, ready.some((key) => named.includes(key))]).toEqual([seed, 2, true]);
        // A relay with which it keeps a session that it does not need may still tell of the two before.
        expect([seed, to.keepsSessions ? ready : named]).toEqual([seed, ready]);
        const { relay_malformed, record_unexpected, record_refused } = from.drops;
        expect([seed, relay_malformed, record_unexpected, to.keepsSessions ? 0 : record_refused]).toEqual([seed, 0, 0, 0]);
      }
    }
  });
});

test('of more questions than are kept the last are answered at once, with nothing; the others are asked', () => {
  const { lab: l, relays, a } = lab([20]);
  const b = l.addClient(bob, relays, 'bob');
  l.runFor(3_000);
  expect(b.rendezvous.home()).toBe(relays[0]?.key);
  const first = l.input(a, (r) => r.resolve(l.now, { name: 'bob' }));
  for (let n = 0; n < 10 * QUESTIONS_KEPT_MAX; n++) l.input(a, (r) => r.resolve(l.now, { name: `nobody-${n}` }));
  expect(a.of('resolved')).toHaveLength(9 * QUESTIONS_KEPT_MAX + 1);
  // What is asked already is no more to keep.
  const again = l.input(a, (r) => r.resolve(l.now, { name: 'bob' }));
  l.runFor(1_000);
  const found = a.of('resolved').filter(({ records }) => records.length > 0);
  expect(found.map(({ id }) => id)).toEqual([first, again]);
  l.runFor(RESOLVE_MS);
  expect(a.of('resolved')).toHaveLength(10 * QUESTIONS_KEPT_MAX + 2);
});
