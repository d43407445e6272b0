import { describe, expect, test } from 'vitest';
import type { OverlayAddress } from '../../../transport/overlay/identity/address.ts';
import type { Identity } from '../../../transport/overlay/identity/identity.ts';
import { pack } from '../../../transport/overlay/trust/encoding.ts';
import { nextSeq, openRecord, RECORD_BYTES_MAX, signRecord, type SignedRecord } from '../../../transport/overlay/trust/record.ts';
import { RECORD_SKEW_MS, Records } from '../../../transport/overlay/trust/records.ts';
import { packable, sign } from '../../../transport/overlay/trust/signed.ts';
import { assertOnlyTakes } from './hostile.ts';
import { malleated, NOW, world } from './world.ts';

const { network, relay, alice, mallory } = await world();
const terms = { seq: NOW, ttlMs: 60_000, relays: [relay.publicKey], name: 'alice' };
const bytesOf = (who: Identity, changes: Partial<typeof terms> = {}): Uint8Array =>
  signRecord(who, network, { ...terms, ...changes });
const recordOf = (who: Identity, changes: Partial<typeof terms> = {}): SignedRecord =>
  openRecord(bytesOf(who, changes), network) as SignedRecord;
/** What a key may say of itself: anything. */
const claimOf = (
  who: Identity,
  values: readonly (number | string | Uint8Array | Uint8Array[])[],
  kind: 'record' | 'certificate' = 'record',
) => pack(packable(sign(who, kind, network.networkId, values)));
const body = (who: Identity, address: OverlayAddress): readonly (number | string | Uint8Array | Uint8Array[])[] => [
  1,
  network.networkId,
  who.publicKey,
  Buffer.from(address.replaceAll('.', ''), 'hex'),
  NOW,
  60_000,
  [relay.publicKey],
  'alice',
];
const take = (records: Records, who: Identity, changes: Partial<typeof terms> = {}, at = NOW): string | undefined =>
  records.take(recordOf(who, changes), who.address, at);

describe('a record', () => {
  test('says what its key has signed', () => {
    const bytes = bytesOf(alice);
    expect(openRecord(bytes, network)).toEqual({ ...terms, publicKey: alice.publicKey, address: alice.address, bytes });
  });

  test('is found by key and by address until its time is over', () => {
    const records = new Records(network);
    expect(take(records, alice)).toBeUndefined();
    const end = NOW + 60_000 + RECORD_SKEW_MS;
    expect(records.byKey(alice.publicKey, end - 1)).toMatchObject(terms);
    expect(records.byAddress(alice.address, end - 1)).toMatchObject([terms]);
    expect(records.byKey(alice.publicKey, end)).toBeUndefined();
    expect(records.byAddress(alice.address, end)).toEqual([]);
    expect(records.byKey(mallory.publicKey, NOW)).toBeUndefined();
  });

  test('is followed by those of higher seq; the same again is no fault', () => {
    const records = new Records(network);
    expect([take(records, alice), take(records, alice), take(records, alice, { seq: NOW + 1, relays: [] })]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(records.byKey(alice.publicKey, NOW)).toMatchObject({ relays: [] });
  });

  test('has a seq that follows the clock, and rises even if that goes back', () => {
    expect([nextSeq(0, NOW + 0.5), nextSeq(NOW, NOW), nextSeq(NOW, NOW - 1000)]).toEqual([NOW, NOW + 1, NOW + 1]);
  });

  test('fits with four relays and the longest name into its bound', () => {
    const relays = [1, 2, 3, 4].map(() => relay.publicKey);
    const bytes = bytesOf(alice, { relays, name: 'n'.repeat(63) });
    expect(bytes.length).toBeLessThanOrEqual(RECORD_BYTES_MAX);
    expect(openRecord(bytes, network)).toMatchObject({ relays });
    expect(openRecord(bytesOf(alice, { relays: [...relays, relay.publicKey] }), network)).toBe('malformed');
  });

  test.each([
    ['a format that is not known', 0, 2],
    ['a reserved address', 3, new Uint8Array(6)],
    ['no time to live', 5, 0],
    ['a name with a blank', 7, 'a lice'],
  ])('with %s is malformed, although its key has signed it', (_, at, value) => {
    expect(openRecord(claimOf(alice, body(alice, alice.address).with(at, value)), network)).toBe('malformed');
    expect(openRecord(claimOf(alice, body(alice, alice.address)), network)).toMatchObject({ name: 'alice' });
  });

  test('is taken in one form only, and nothing throws', () => {
    assertOnlyTakes(bytesOf(alice), (bytes) => typeof openRecord(bytes, network) !== 'string');
  });

  test('is kept by no view of what was received', () => {
    const bytes = Buffer.from(bytesOf(alice));
    const record = openRecord(bytes, network);
    bytes.fill(0);
    expect(record).toEqual(recordOf(alice));
  });
});

describe('A15: a client refuses', () => {
  test('a forged record: another key has signed it, or nobody for this', () => {
    const values = body(alice, alice.address);
    const { body: signedBody, signature } = sign(alice, 'record', network.networkId, values);
    const forged = {
      byAnother: claimOf(mallory, values),
      ofAnotherKind: claimOf(alice, values, 'certificate'),
      forAnotherNetwork: pack(packable(sign(alice, 'record', new Uint8Array(32), values))),
      ofAnotherNetwork: claimOf(alice, values.with(1, new Uint8Array(32))),
      malleated: pack([signedBody, malleated(signature)]),
      longLived: bytesOf(alice, { ttlMs: 60_001 }),
    };
    expect(Object.fromEntries(Object.entries(forged).map(([name, bytes]) => [name, openRecord(bytes, network)]))).toEqual({
      byAnother: 'bad_signature',
      ofAnotherKind: 'bad_signature',
      forAnotherNetwork: 'bad_signature',
      ofAnotherNetwork: 'wrong_network',
      malleated: 'bad_signature',
      longLived: 'ttl_too_long',
    });
  });

  test('an old seq, and another record of the same seq; what it knew stays', () => {
    const records = new Records(network);
    take(records, alice);
    for (const changes of [{ seq: NOW - 1 }, { relays: [] }]) expect(take(records, alice, changes)).toBe('record_not_newer');
    expect(records.byKey(alice.publicKey, NOW)).toMatchObject(terms);
  });

  test('an old seq, too, when the newer record has expired first or was forgotten', () => {
    const records = new Records(network);
    const [long, short] = [{ seq: NOW }, { seq: NOW + 1, ttlMs: 1_000 }];
    take(records, alice, long);
    take(records, alice, short, NOW + 1);
    const at = NOW + 1 + 1_000 + RECORD_SKEW_MS;
    records.forget(at);
    expect(records.byKey(alice.publicKey, at)).toBeUndefined();
    expect(take(records, alice, long, at)).toBe('record_not_newer');
    records.forget(at + 60_000);
    expect(take(records, alice, long, at + 60_000)).toBe('record_expired');
  });

  test('an expired record, and one of the future, by any clock', () => {
    const records = new Records(network);
    expect(take(records, alice, {}, NOW + 60_000 + RECORD_SKEW_MS)).toBe('record_expired');
    expect(take(records, alice, {}, NOW + 24 * 3_600_000)).toBe('record_expired');
    expect(take(records, alice, { seq: NOW + RECORD_SKEW_MS + 1 })).toBe('record_from_future');
    expect(take(records, alice, {}, Number.NaN)).toBe('record_from_future');
    expect(take(records, alice, { seq: NOW + RECORD_SKEW_MS })).toBeUndefined();
  });

  test("the record of another key in the place of the one asked for: it is that key's and nobody else's", () => {
    const records = new Records(network);
    take(records, mallory, { name: 'alice' });
    expect(records.byKey(alice.publicKey, NOW)).toBeUndefined();
    expect(records.byAddress(alice.address, NOW)).toEqual([]);
  });

  test("an attacker's key that claims the address that was asked for", () => {
    const records = new Records(network);
    const claimed = openRecord(claimOf(mallory, body(mallory, alice.address)), network) as SignedRecord;
    expect(claimed.address).toBe(alice.address);
    // The address that mallory's key has is computed from the key, and not taken from the record.
    expect(records.take(claimed, mallory.address, NOW)).toBe('address_mismatch');
    expect(records.byAddress(alice.address, NOW)).toEqual([]);
  });
});

test('A16: nobody registers another key, or moves it: the session has proved which one it is', () => {
  const records = new Records(network);
  const registered = (who: Identity, session: Identity): string | undefined =>
    records.register(recordOf(who, { seq: NOW + 1 }), session.publicKey, who.address, NOW);
  take(records, alice);
  expect(registered(alice, mallory)).toBe('not_its_key');
  expect(records.byKey(alice.publicKey, NOW)).toMatchObject({ seq: NOW });
  expect(registered(alice, alice)).toBeUndefined();
  expect(records.byKey(alice.publicKey, NOW)).toMatchObject({ seq: NOW + 1 });
});

test('A17: two keys with one address are both found by it, and told apart by their keys', () => {
  // As if both keys had the address: 2^24 draws would find two in the cheap profile.
  const records = new Records(network);
  const squatter = openRecord(claimOf(mallory, body(mallory, alice.address)), network) as SignedRecord;
  expect(take(records, alice)).toBeUndefined();
  expect(records.take(squatter, alice.address, NOW)).toBeUndefined();
  expect(records.byAddress(alice.address, NOW).map(({ publicKey }) => publicKey)).toEqual([alice.publicKey, mallory.publicKey]);
  expect(records.byKey(alice.publicKey, NOW)?.publicKey).toEqual(alice.publicKey);
  expect(records.byKey(mallory.publicKey, NOW)?.publicKey).toEqual(mallory.publicKey);
  records.remove(mallory.publicKey);
  expect(records.byAddress(alice.address, NOW)).toMatchObject([{ publicKey: alice.publicKey }]);
});

test('records are kept of so many keys and no more, and the expired make room', () => {
  const records = new Records(network, 1);
  expect([take(records, alice), take(records, mallory), take(records, alice, { seq: NOW + 1 })]).toEqual([
    undefined,
    'records_full',
    undefined,
  ]);
  const later = NOW + 1 + 60_000 + RECORD_SKEW_MS;
  expect(take(records, mallory, { seq: later }, later)).toBeUndefined();
  expect([records.byKey(alice.publicKey, later), records.byAddress(alice.address, later)]).toEqual([undefined, []]);
});

test('A15 a node that asks: of too many keys the one that was longest not heard of is forgotten, so that no relay that makes keys up ends all finding', () => {
  const records = new Records(network, 2, 'forget_oldest');
  expect([take(records, alice), take(records, relay), take(records, alice, { seq: NOW + 1 })]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect(take(records, mallory)).toBeUndefined();
  expect([alice, relay, mallory].map(({ publicKey }) => records.byKey(publicKey, NOW)?.seq)).toEqual([NOW + 1, undefined, NOW]);
  expect(take(records, alice)).toBe('record_not_newer');
});

test('A23: what was taken while the clock was a year ahead does not keep out what is signed by the right one', () => {
  const records = new Records(network, 2);
  const ahead = NOW + 365 * 24 * 3_600_000;
  expect(take(records, alice, { seq: ahead }, ahead)).toBeUndefined();
  expect(take(records, mallory, { seq: ahead }, ahead)).toBeUndefined();
  expect(take(records, alice)).toBeUndefined();
  expect(records.byKey(alice.publicKey, NOW)).toMatchObject({ seq: NOW });
  expect(take(records, alice, { seq: NOW - 1 })).toBe('record_not_newer');
  // It does not take the room of others either.
  expect(take(records, relay)).toBeUndefined();
});
