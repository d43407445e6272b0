import { describe, expect, test } from 'vitest';
import { noDrops } from '../../../transport/overlay/drops.ts';
import { addressBytes } from '../../../transport/overlay/identity/address.ts';
import type { Identity } from '../../../transport/overlay/identity/identity.ts';
import {
  buildRegister,
  buildRelay,
  buildResolve,
  parseRecordBody,
  parseRelay,
  RECORDS_MAX,
  type Asked,
  type RecordBody,
} from '../../../transport/overlay/relay/bodies.ts';
import type { PublicKey } from '../../../transport/overlay/key-text.ts';
import { keyHash } from '../../../transport/overlay/relay/hash.ts';
import {
  RELAY_LIMITS,
  RelayServer,
  type ControlBody,
  type RelayServerOptions,
} from '../../../transport/overlay/relay/relay-server.ts';
import { openRecord, signRecord, type NodeRecord } from '../../../transport/overlay/trust/record.ts';
import { RECORD_SKEW_MS } from '../../../transport/overlay/trust/records.ts';
import { CONTROL } from '../../../transport/overlay/wire/frames.ts';
import { identityOf, NOW, world } from '../trust/world.ts';

const { network, relay, alice, mallory, ca: bob, issuing: other } = await world();
const keyOf = ({ publicKey }: Identity): PublicKey => Buffer.from(publicKey).toString('hex');
const hashOf = (who: Identity): Uint8Array => Buffer.from(keyHash(keyOf(who)), 'hex');
const PLACE = ['192.0.2.1:4433', 'wss://relay.example:443'];

/** A server, and what members say to it. The wall clock is the time of the test. */
class Lab {
  now = NOW;
  readonly drops = noDrops();
  readonly server: RelayServer;
  private id = 0;

  constructor(options: Partial<RelayServerOptions> = {}) {
    const { drops } = this;
    const endpoints = new Map([[keyOf(relay), PLACE]]);
    this.server = new RelayServer({ network, wallClock: (now) => now, drops, endpoints, ...options });
  }

  /** The record of `of` in the session of `who`; undefined: no answer. */
  register(who: Identity, changes: Partial<NodeRecord> = {}, of = who): RecordBody | undefined {
    return this.send(who, this.recordOf(of, changes));
  }

  recordOf(who: Identity, changes: Partial<NodeRecord> = {}): Uint8Array {
    return signRecord(who, network, { seq: this.now, ttlMs: 60_000, relays: [relay.publicKey], name: '', ...changes });
  }

  send(who: Identity, record: Uint8Array, address = who.address, certifiedName?: string): RecordBody | undefined {
    const body = buildRegister({ id: this.id++, record });
    return this.answer(this.server.control(this.now, keyOf(who), CONTROL.register, body, address, certifiedName));
  }

  /** Names in the records that are found, and where the relays are. */
  resolve(who: Identity, { type, value }: Asked): { readonly names: readonly string[]; readonly places: unknown } {
    const body = buildResolve({ id: this.id++, type, value });
    const parts = this.server
      .control(this.now, keyOf(who), CONTROL.resolve, body, who.address)
      .map(({ bytes }) => parseRecordBody(bytes));
    const finds = parts.map((part) => part as Extract<RecordBody, { type: 'found' }>);
    const records = finds.flatMap((find) => find.records.map((bytes) => openRecord(bytes, network) as NodeRecord));
    return {
      names: records.map(({ name }) => name),
      places: finds.flatMap(({ relays }) => relays.map(({ endpoints }) => endpoints)),
    };
  }

  /** What the sender is told. */
  relay(from: Identity, to: Uint8Array, text = 'hello', type: 'to' | 'from' = 'to'): RecordBody | undefined {
    const body = buildRelay({ type, hash: to, packet: Buffer.from(text) });
    return this.answer(this.server.relay(this.now, keyOf(from), body));
  }

  /** To whom, of whom, what. */
  delivered(): unknown[] {
    return this.server.take().map(({ to, body }) => {
      const { type, hash, packet } = parseRelay(body) as NonNullable<ReturnType<typeof parseRelay>>;
      return [to, type, Buffer.from(hash).toString('hex'), Buffer.from(packet).toString()];
    });
  }

  private answer(replies: readonly ControlBody[]): RecordBody | undefined {
    if (replies.length > 1) throw new RangeError('one answer is enough');
    return replies[0] && parseRecordBody(replies[0].bytes);
  }
}

const byKey = (who: Identity): Asked => ({ type: 'key', value: who.publicKey });
const byAddress = (who: Identity): Asked => ({ type: 'address', value: addressBytes(who.address) });
const byName = (name: string): Asked => ({ type: 'name', value: Buffer.from(name) });
const none = { names: [], places: [] };

describe('registration', () => {
  test('is found by key, by address and by the claimed name, with the places of its relays', () => {
    const lab = new Lab();
    expect(lab.register(alice, { name: 'alice' })).toEqual({ type: 'registered', id: 0, forMs: 60_000 });
    for (const question of [byKey(alice), byAddress(alice), byName('alice')])
      expect(lab.resolve(bob, question)).toEqual({ names: ['alice'], places: [PLACE] });
    for (const question of [byKey(bob), byAddress(bob), byName('Alice')]) expect(lab.resolve(bob, question)).toEqual(none);
  });

  test('is found by no name but that of its certificate: nobody gets in the way of whose name it is', () => {
    const lab = new Lab();
    for (const [i, certified] of ['mallory', '', 'ALICE'].entries()) {
      lab.now += i;
      const sent = lab.send(mallory, lab.recordOf(mallory, { name: 'alice' }), mallory.address, certified);
      expect(sent).toMatchObject({ type: 'registered' });
      expect(lab.resolve(bob, byName('alice'))).toEqual(none);
      expect(lab.resolve(bob, byKey(mallory)).names).toEqual(['alice']);
    }
    lab.send(alice, lab.recordOf(alice, { name: 'alice' }), alice.address, 'alice');
    expect(lab.resolve(bob, byName('alice')).names).toHaveLength(1);
    // Certified anew, under another name.
    lab.now += 1;
    lab.send(alice, lab.recordOf(alice, { name: 'alice' }), alice.address, 'alina');
    expect(lab.resolve(bob, byName('alice'))).toEqual(none);
  });

  test('lasts as long as its record says, however it was renewed', () => {
    const lab = new Lab();
    lab.register(alice, { name: 'alice' });
    lab.now += 30_000;
    lab.register(alice, { name: 'alice' });
    lab.now += 59_999;
    expect(lab.resolve(bob, byName('alice')).names).toEqual(['alice']);
    lab.now += 1;
    expect(lab.resolve(bob, byName('alice'))).toEqual(none);
    expect(lab.server.view().registered).toBe(1);
    lab.server.tick(lab.now);
    expect(lab.server.view().registered).toBe(0);
    expect(lab.server.nextAt()).toBe(Infinity);
  });

  test('of a clock that is behind lasts as long as the record is fresh', () => {
    const lab = new Lab();
    expect(lab.register(alice, { seq: NOW - 100_000 })).toMatchObject({
      type: 'registered',
      forMs: 60_000 - 100_000 + RECORD_SKEW_MS,
    });
  });

  test('ends with the session, at once; what waited is gone', () => {
    const lab = new Lab();
    lab.register(alice, { name: 'alice' });
    lab.register(bob);
    lab.relay(bob, hashOf(alice));
    lab.server.gone(keyOf(alice));
    expect(lab.delivered()).toEqual([]);
    expect(lab.resolve(bob, byName('alice'))).toEqual(none);
    expect(lab.server.view()).toMatchObject({ clients: 1, registered: 1 });
    // Back with the same record.
    expect(lab.register(alice, { name: 'alice' })).toMatchObject({ type: 'registered' });
  });

  test('under another name is not found by the old one', () => {
    const lab = new Lab();
    lab.register(alice, { name: 'alice' });
    lab.register(alice, { seq: NOW + 1, name: 'eve' });
    expect(lab.resolve(bob, byName('alice'))).toEqual(none);
    expect(lab.resolve(bob, byName('eve')).names).toEqual(['eve']);
    expect(lab.resolve(bob, byKey(alice)).names).toEqual(['eve']);
  });

  test('two keys claim one name: both are told of, the first one first, and latecomers hide nobody', async () => {
    const lab = new Lab();
    lab.register(alice, { name: 'desk' });
    const many = await Promise.all(Array.from({ length: 6 }, (_, i) => identityOf(`squatter ${i}`)));
    for (const squatter of many) lab.register(squatter, { name: 'desk', relays: [] });
    lab.register(alice, { name: 'desk', seq: NOW + 1 });
    const { names, places } = lab.resolve(bob, byName('desk'));
    expect(names.length).toBe(RECORDS_MAX);
    expect(places).toEqual([PLACE]); // Only alice names a relay.
  });

  test('A17: two keys with one address are both told of', () => {
    const lab = new Lab();
    const twin = { ...mallory, address: alice.address };
    lab.register(alice, { name: 'alice' });
    lab.register(twin, { name: 'twin' });
    expect(lab.resolve(bob, byAddress(alice)).names).toEqual(['alice', 'twin']);
    expect(lab.resolve(bob, byKey(alice)).names).toEqual(['alice']);
  });

  test('two keys with one hash: who came first stays, until it goes', () => {
    const lab = new Lab({ hashOf: () => '00'.repeat(8) });
    expect(lab.register(alice)).toMatchObject({ type: 'registered' });
    expect(lab.register(bob)).toMatchObject({ type: 'refused', reason: 'hash_taken' });
    expect(lab.register(alice, { seq: NOW + 1 })).toMatchObject({ type: 'registered' });
    lab.server.gone(keyOf(alice));
    expect(lab.register(bob)).toMatchObject({ type: 'registered' });
    lab.now += 60_000;
    expect(lab.register(alice)).toMatchObject({ type: 'registered' });
    expect(lab.relay(bob, new Uint8Array(8))).toBeUndefined();
    expect(lab.drops.relay_unregistered).toBe(1);
  });

  test('too many requests of one are refused, and of nobody else', () => {
    const lab = new Lab();
    const answers = Array.from({ length: RELAY_LIMITS.requests.burst + 2 }, () => lab.register(alice));
    expect(answers.slice(-3).map((body) => (body?.type === 'refused' ? body.reason : body?.type))).toEqual([
      'registered',
      'busy',
      'busy',
    ]);
    expect(lab.drops.relay_busy).toBe(2);
    // Whoever goes on all the same is soon told nothing: an answer costs more than a question.
    const more = Array.from({ length: 1_000 }, () => lab.register(alice));
    expect(more.filter((body) => body !== undefined)).toHaveLength(RELAY_LIMITS.notices.burst - 2);
    expect(lab.drops.relay_busy).toBe(1_002);
    expect(lab.register(bob)).toMatchObject({ type: 'registered' });
    lab.now += 1_000;
    expect(lab.register(alice)).toMatchObject({ type: 'registered' });
  });

  test('what cannot be read is counted, and not answered', () => {
    const lab = new Lab();
    for (const code of [CONTROL.register, CONTROL.resolve] as const)
      expect(lab.server.control(lab.now, keyOf(alice), code, new Uint8Array(1), alice.address)).toEqual([]);
    lab.server.relay(lab.now, keyOf(alice), new Uint8Array(3));
    expect(lab.drops.relay_malformed).toBe(3);
  });
});

describe('A16: nobody is taken over', () => {
  test('a record is registered by its own key only, and only a newer one', () => {
    const lab = new Lab();
    lab.register(alice, { name: 'alice' });
    const moved = lab.recordOf(alice, { seq: NOW + 1, relays: [], name: 'moved' });
    expect(lab.send(mallory, moved)).toMatchObject({ type: 'refused', reason: 'not_its_key' });
    // Not even under the address of another.
    expect(lab.send(mallory, moved, alice.address)).toMatchObject({ reason: 'not_its_key' });
    expect(lab.register(mallory, {}, { ...mallory, address: alice.address })).toMatchObject({ reason: 'address_mismatch' });
    expect(lab.register(alice, { seq: NOW - 1, name: 'old' })).toMatchObject({ reason: 'record_not_newer' });
    expect(lab.register(alice, { seq: NOW + RECORD_SKEW_MS + 1 })).toMatchObject({ reason: 'record_from_future' });
    expect(lab.register(alice, { seq: NOW - 120_000 })).toMatchObject({ reason: 'record_expired' });
    expect(lab.register(alice, { ttlMs: 60_001 })).toMatchObject({ reason: 'ttl_too_long' });
    const forged = lab.recordOf(alice);
    forged[40] = (forged[40] as number) ^ 1;
    expect(lab.send(alice, forged)).toMatchObject({ type: 'refused' });
    expect(lab.resolve(bob, byKey(alice)).names).toEqual(['alice']);
    expect(lab.server.view().registered).toBe(1);
  });

  test('a record of an earlier session is not taken after the owner has gone and come with a newer one', () => {
    const lab = new Lab();
    const old = lab.recordOf(alice, { name: 'old' });
    lab.send(alice, old);
    lab.register(alice, { seq: NOW + 1, name: 'new' });
    lab.server.gone(keyOf(alice));
    expect(lab.send(alice, old)).toMatchObject({ reason: 'record_not_newer' });
  });

  test('the hash that is delivered is that of the session, whatever is written', () => {
    const lab = new Lab();
    for (const who of [alice, bob, mallory]) lab.register(who);
    lab.relay(mallory, hashOf(alice), 'of mallory');
    lab.relay(bob, hashOf(alice), 'of bob');
    expect(lab.delivered()).toEqual([
      [keyOf(alice), 'from', keyHash(keyOf(mallory)), 'of mallory'],
      [keyOf(alice), 'from', keyHash(keyOf(bob)), 'of bob'],
    ]);
    // A client cannot pass on in the name of a relay.
    expect(lab.relay(mallory, hashOf(bob), 'x', 'from')).toBeUndefined();
    expect(lab.delivered()).toEqual([]);
    expect(lab.drops.relay_malformed).toBe(1);
  });
});

describe('relaying', () => {
  test('only from and to those who are registered; the sender is told, ten times a second at most', () => {
    const lab = new Lab();
    lab.register(bob);
    expect(lab.relay(alice, hashOf(bob))).toBeUndefined();
    expect(lab.drops.relay_unregistered).toBe(1);
    const told = Array.from({ length: 50 }, () => lab.relay(bob, hashOf(alice)));
    expect(told.filter((body) => body !== undefined)).toEqual(
      Array.from({ length: 10 }, () => ({ type: 'not_here', hash: Uint8Array.from(hashOf(alice)) })),
    );
    expect(lab.drops.relay_unknown).toBe(50);
    expect(lab.delivered()).toEqual([]);
    lab.now += 60_000;
    lab.register(alice);
    lab.relay(alice, hashOf(bob));
    expect([lab.delivered(), lab.drops.relay_unknown]).toEqual([[], 51]);
  });

  test('in order; of what waits for one no more than 256, and others are not concerned', () => {
    const lab = new Lab();
    for (const who of [alice, bob, mallory]) lab.register(who);
    for (let i = 0; i < 300; i++) lab.relay(bob, hashOf(alice), `${i}`);
    lab.relay(bob, hashOf(mallory), 'to another');
    const all = lab.delivered();
    expect(all.map((each) => (each as string[])[3])).toEqual([...Array.from({ length: 256 }, (_, i) => `${i}`), 'to another']);
    expect(lab.drops.relay_queue_full).toBe(44);
    expect(lab.server.view()).toMatchObject({ packets: 257 });
    lab.relay(bob, hashOf(alice), 'again');
    expect(lab.delivered().length).toBe(1);
  });

  test('10 MB/s of one client, and as much of another beside it', () => {
    const lab = new Lab({ limits: { ...RELAY_LIMITS, queueMax: Infinity } });
    for (const who of [alice, bob, other]) lab.register(who);
    const text = 'x'.repeat(991); // A body of 1000 bytes.
    const passed = (from: Identity): number => {
      for (let i = 0; i < 5_000; i++) lab.relay(from, hashOf(alice), text);
      return lab.delivered().length;
    };
    expect(passed(bob)).toBe(1_000);
    expect(passed(other)).toBe(1_000);
    lab.now += 50;
    expect(passed(bob)).toBe(500);
    lab.now += 10_000;
    expect(passed(bob)).toBe(1_000);
    expect(lab.drops.relay_rate).toBe(4 * 5_000 - 3_500);
  });

  test('A25: nothing is kept of those who have gone', () => {
    const lab = new Lab({ limits: { ...RELAY_LIMITS, recordsMax: 4 } });
    for (let i = 0; i < 10_000; i++) {
      lab.server.relay(lab.now, `${i}`.padStart(64, '0'), buildRelay({ type: 'to', hash: hashOf(alice), packet: hashOf(bob) }));
      lab.server.gone(`${i}`.padStart(64, '0'));
    }
    lab.register(alice);
    lab.server.gone(keyOf(alice));
    expect(lab.server.view()).toMatchObject({ clients: 0, registered: 0 });
    lab.server.tick(lab.server.nextAt());
    expect(lab.server.nextAt()).toBe(Infinity);
  });
});
