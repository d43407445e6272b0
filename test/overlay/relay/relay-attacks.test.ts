/** What a relay that lies can do to its clients (A15, A19): nothing but to be of no use. A16 is in relay-server.test.ts. */
import { describe, expect, test } from 'vitest';
import { addressOf } from '../../../transport/overlay/identity/address.ts';
import type { Identity } from '../../../transport/overlay/identity/identity.ts';
import { buildFinds, buildRecordBody, parseRecordBody, PARTS_MAX, type Finds } from '../../../transport/overlay/relay/bodies.ts';
import type { Query } from '../../../transport/overlay/relay/ports.ts';
import { GRACE_MS, RESOLVE_MS } from '../../../transport/overlay/relay/question.ts';
import type { ControlBody } from '../../../transport/overlay/relay/relay-server.ts';
import { signRecord, type NodeRecord } from '../../../transport/overlay/trust/record.ts';
import { CONTROL } from '../../../transport/overlay/wire/frames.ts';
import { randomOf } from '../session/lab.ts';
import { identities, keyOf, Lab, network, WALL, type Client, type Relay } from './relay-lab.ts';

const [alice, bob, mallory, ...places] = identities as [Identity, Identity, Identity, ...Identity[]];
const DAY = 24 * 3_600_000;

/** Alice and Bob at two relays, of which the nearer one lies from now on; or at the liar alone. */
function world({ isAlone = false } = {}): { lab: Lab; liar: Relay; honest: Relay; a: Client; b: Client } {
  const lab = new Lab();
  const [liar, honest] = [lab.addRelay(places[0] as Identity, 10), lab.addRelay(places[1] as Identity, 40)];
  const relays = isAlone ? [liar] : [liar, honest];
  const [a, b] = [lab.addClient(alice, relays, 'alice'), lab.addClient(bob, relays, 'bob')];
  lab.runFor(3_000);
  return { lab, liar, honest, a, b };
}

/** From now on this relay answers each question with these. */
function finds(relay: Relay, made: (true_: Finds) => Finds): void {
  relay.answer = (_, replies) =>
    replies.flatMap((reply) => {
      const body = parseRecordBody(reply.bytes);
      return body?.type === 'found' ? buildFinds(body.id, made(body)).map((bytes) => ({ code: reply.code, bytes })) : [reply];
    });
}
const says = (relay: Relay, ...records: readonly Uint8Array[]): void => finds(relay, () => ({ records, relays: [] }));

const record = (who: Identity, changes: Partial<NodeRecord> = {}): Uint8Array =>
  signRecord(who, network, { seq: WALL + 3_000, ttlMs: 60_000, relays: [], name: 'bob', ...changes });
function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] as number) ^ 1;
  return copy;
}

const queries: readonly Query[] = [{ key: keyOf(bob) }, { address: bob.address }, { name: 'bob' }];
/** What each relay that lies says of Bob, and whether it can be seen without scrypt. */
const lies: readonly (readonly [what: string, record: Uint8Array])[] = [
  ['a forged record', flipped(record(bob), 100)],
  ['a record of another key under its own name', record(mallory, { name: 'mallory' })],
  ['a record that has expired', record(bob, { seq: WALL - 121_000 })],
  ['a record of the future', record(bob, { seq: WALL + DAY })],
  ['a record that lives too long', record(bob, { ttlMs: 60_001 })],
  ['no record at all', Uint8Array.of(1, 2, 3)],
];

describe('A15: a relay that lies', () => {
  test.each(lies)('with %s: it is refused and counted, and the truth comes from another one', (_, lie) => {
    const { lab, liar, a, b } = world();
    says(liar, lie);
    for (const [i, query] of queries.entries()) {
      const { records } = lab.find(a, query);
      expect(records.map(keyOf)).toEqual([keyOf(bob)]);
      expect(records[0]?.relays.length).toBe(2);
      expect(a.drops.record_refused).toBe(i + 1);
    }
    expect(b.rendezvous.home()).toBe(liar.key);
  });

  test.each(lies)('alone, with %s: nobody is found', (_, lie) => {
    const { lab, liar, a } = world({ isAlone: true });
    says(liar, lie);
    for (const query of queries) expect(lab.find(a, query)).toMatchObject({ records: [], tookMs: RESOLVE_MS });
    expect(a.drops.record_refused).toBeGreaterThanOrEqual(3);
  });

  test('with an older record of the right key: refused once a newer one was seen', () => {
    const { lab, liar, a } = world({ isAlone: true });
    const old = record(bob, { seq: WALL + 500 });
    const isFound = (): boolean => lab.find(a, { key: keyOf(bob) }).records.length > 0;
    expect(isFound()).toBe(true);
    says(liar, old);
    expect(isFound()).toBe(false);
    // Of its word alone, and before anything newer was seen, it is what Bob has said.
    const fresh = world({ isAlone: true });
    says(fresh.liar, old);
    expect(fresh.lab.find(fresh.a, { key: keyOf(bob) }).records.length).toBe(1);
  });

  test("with the attacker's key for an address or a name: both are told of, and scrypt tells whose address it is", async () => {
    const claim = record({ ...mallory, address: bob.address });
    for (const query of queries.slice(1)) {
      const { lab, liar, a } = world();
      says(liar, claim);
      const { records, tookMs } = lab.find(a, query);
      expect(records.map(keyOf).toSorted()).toEqual([keyOf(mallory), keyOf(bob)].toSorted());
      expect(tookMs).toBeLessThanOrEqual(GRACE_MS);
      const addresses = await Promise.all(records.map(({ publicKey }) => addressOf(publicKey, 'cheap')));
      expect(records.filter(({ address }, i) => address === addresses[i]).map(keyOf)).toEqual([keyOf(bob)]);
    }
    // By key there is no room for it.
    const { lab, liar, a } = world();
    says(liar, claim);
    expect(lab.find(a, { key: keyOf(bob) }).records.map(keyOf)).toEqual([keyOf(bob)]);
  });

  test('cannot keep an answer from coming, by none and by half of one', () => {
    for (const keep of [() => [], (replies: readonly ControlBody[]) => replies.slice(0, 1)]) {
      const { lab, liar, a } = world();
      finds(liar, () => ({
        records: [record(mallory)],
        relays: places
          .slice(0, 8)
          .map(({ publicKey }) => ({ key: publicKey, endpoints: [1, 2, 3, 4].map(() => 'e'.repeat(250)) })),
      }));
      const answer = liar.answer;
      liar.answer = (client, replies) => keep(answer(client, replies));
      const { records, tookMs } = lab.find(a, { key: keyOf(bob) });
      expect(records.map(keyOf)).toEqual([keyOf(bob)]);
      expect(tookMs).toBeLessThanOrEqual(GRACE_MS + 40);
    }
  });

  test('with endless answers costs 16 signatures', () => {
    const forged = flipped(record(bob), 100);
    /** Two records a part; the true ones are in this part. */
    const foundIn = (true_: number): number => {
      const { lab, liar, a } = world({ isAlone: true });
      liar.answer = (_, replies) =>
        replies.flatMap(({ code, bytes }) => {
          const body = parseRecordBody(bytes);
          if (body?.type !== 'found') return [];
          return Array.from({ length: PARTS_MAX }, (_, part) => {
            const records = part === true_ ? body.records : [forged, forged];
            return { code, bytes: buildRecordBody({ ...body, part, parts: PARTS_MAX, records }) };
          });
        });
      return lab.find(a, { key: keyOf(bob) }).records.length;
    };
    expect([foundIn(7), foundIn(8)]).toEqual([1, 0]);
  });

  test('that nobody has asked is not looked at', () => {
    const { lab, liar, a } = world({ isAlone: true });
    const unasked = buildFinds(1e6, { records: [record(bob)], relays: [] })[0] as Uint8Array;
    for (const relay of [liar.key, keyOf(mallory)]) lab.input(a, (r) => r.control(lab.now, relay, CONTROL.record, unasked));
    lab.input(a, (r) => r.control(lab.now, liar.key, CONTROL.record, buildRecordBody({ type: 'registered', id: 1e6, forMs: 1 })));
    lab.input(a, (r) => r.control(lab.now, liar.key, CONTROL.record, Uint8Array.of(9)));
    expect(a.drops).toMatchObject({ record_unexpected: 3, record_refused: 0, relay_malformed: 1 });
    expect(a.rendezvous.ready()).toEqual([liar.key]);
  });

  test('about where relays are: endpoints are endpoints, the own configuration comes first, and there are few', () => {
    const { lab, liar, honest, a } = world();
    const many = Array.from({ length: 4 }, (_, i) => `192.0.2.${i + 1}:7`);
    finds(liar, ({ records }) => ({
      records,
      relays: [
        { key: Buffer.from(honest.key, 'hex'), endpoints: ['http://x:1', ...many] },
        { key: mallory.publicKey, endpoints: many },
      ],
    }));
    const { relays } = lab.find(a, { name: 'bob' });
    expect(relays.get(honest.key)).toEqual([...honest.address.endpoints, ...many.slice(0, 3)]);
    // No record names it.
    expect(relays.has(keyOf(mallory))).toBe(false);
  });

  test('about registrations: a client renews at most once a second, and at least when half of the life of its record is over', () => {
    const { lab, liar, a } = world();
    for (const forMs of [0, 2 ** 53 - 1]) {
      liar.answer = (_, replies) =>
        replies.map((reply) => {
          const body = parseRecordBody(reply.bytes);
          return body?.type === 'registered' ? { ...reply, bytes: buildRecordBody({ ...body, forMs }) } : reply;
        });
      lab.input(a, (r) => r.networkChanged(lab.now));
      const before = a.of('signed').length;
      lab.runFor(60_000);
      expect(a.of('signed').length - before).toBeLessThanOrEqual(62);
      expect(a.of('signed').length - before).toBeGreaterThanOrEqual(2);
    }
  });
});

describe('A19: a relay that drops, repeats, swaps, changes and keeps for later', () => {
  const chance = randomOf(19);
  const kept: ControlBody[] = [];
  const malices: Record<string, (replies: readonly ControlBody[]) => readonly ControlBody[]> = {
    'drops half': (replies) => replies.filter(() => chance() < 0.5),
    'drops all': () => [],
    'repeats each': (replies) => replies.flatMap((reply) => [reply, reply, reply]),
    'changes a bit of each': (replies) =>
      replies.map(({ code, bytes }) => ({ code, bytes: flipped(bytes, Math.floor(chance() * bytes.length)) })),
    'gives the answers of others': (replies) => {
      kept.push(...replies);
      return kept.splice(0, Math.max(0, kept.length - 3));
    },
    'gives them in the wrong order': (replies) => {
      kept.push(...replies);
      return kept.length < 4 ? [] : kept.splice(0).toReversed();
    },
  };

  test.each(Object.keys(malices))('%s: the truth comes from another one, and nothing else from it', (name) => {
    for (const isAlone of [false, true]) {
      const { lab, liar, a, b } = world({ isAlone });
      kept.length = 0;
      liar.answer = (_, replies) => (malices[name] as (typeof malices)[string])(replies);
      for (let round = 0; round < 10; round++) {
        for (const [from, to] of [
          [a, b],
          [b, a],
        ] as const) {
          const { records, tookMs } = lab.find(from, { key: to.key });
          const others = records.filter((found) => keyOf(found) !== to.key);
          expect(others).toEqual([]);
          expect(isAlone || (records.length === 1 && tookMs < 1_000)).toBe(true);
        }
        lab.runFor(10_000);
      }
      expect(isAlone || a.rendezvous.ready().length > 0).toBe(true);
    }
  });

  test('gives what it has recorded, a day later', () => {
    const { lab, liar, a } = world({ isAlone: true });
    let recorded: readonly Uint8Array[] = [];
    finds(liar, (told) => {
      recorded = told.records;
      return told;
    });
    expect(lab.find(a, { key: keyOf(bob) }).records.length).toBe(1);
    says(liar, ...recorded);
    lab.run(lab.now + 200_000);
    // To one who has never seen Bob.
    const c = lab.addClient(mallory, [liar], 'mallory');
    lab.runFor(1_000);
    for (const client of [a, c]) expect(lab.find(client, { key: keyOf(bob) }).records).toEqual([]);
    expect(c.drops.record_refused).toBeGreaterThan(0);
  });
});
