import { describe, expect, test } from 'vitest';
import { DENIED_KEYS_MAX, DENY_LIST_BYTES_MAX, DenyLists, signDenyList } from '../../../transport/overlay/trust/deny-list.ts';
import { LIMITS, networkOf } from '../../../transport/overlay/trust/descriptor.ts';
import { pack } from '../../../transport/overlay/trust/encoding.ts';
import { packable, parseSigned, sign } from '../../../transport/overlay/trust/signed.ts';
import { assertOnlyTakes } from './hostile.ts';
import { malleated, world } from './world.ts';

const { network, ca, issuing, alice, mallory, relay } = await world();
const two = networkOf({ name: 'two', caKeys: [ca.publicKey, relay.publicKey], addressProfile: 'cheap', limits: LIMITS });
const [a, m] = [alice.publicKey, mallory.publicKey];
const list = (number: number, keys: readonly Uint8Array[]): Uint8Array => signDenyList(ca, network.networkId, number, keys);

describe('deny lists', () => {
  test('deny the keys in them, by the whole key', () => {
    const lists = new DenyLists(network);
    expect([lists.has(a), lists.lists(), lists.of(ca.publicKey)]).toEqual([false, [], { number: 0, keys: [] }]);
    const bytes = list(1, [m, a, m]);
    expect(lists.install(bytes)).toBe('installed');
    expect([lists.has(a), lists.has(m), lists.has(relay.publicKey), lists.has(a.subarray(1))]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(lists.lists()).toEqual([bytes]);
    expect(lists.of(ca.publicKey)).toMatchObject({ number: 1, keys: [a, m].sort((x, y) => Buffer.compare(x, y)) });
  });

  test('replace each other upwards, over gaps; the newest again is known', () => {
    const lists = new DenyLists(network);
    expect(lists.install(list(3, [a]))).toBe('installed');
    expect(lists.install(list(9, [m]))).toBe('installed');
    expect(lists.install(list(9, [m]))).toBe('known');
    expect([lists.has(a), lists.has(m)]).toEqual([false, true]);
  });

  test('A20: are not rolled back: neither to a lower number nor to another list of the same', () => {
    const lists = new DenyLists(network);
    lists.install(list(5, [a]));
    for (const old of [list(4, []), list(1, [m]), list(5, []), list(5, [a, m])]) {
      expect(lists.install(old)).toBe('not_newer');
      expect([lists.has(a), lists.has(m), lists.of(ca.publicKey).number]).toEqual([true, false, 5]);
    }
  });

  test('A20: are not taken by force', () => {
    const lists = new DenyLists(network);
    lists.install(list(1, [a]));
    const body = [1, network.networkId, ca.publicKey, 2, []] as const;
    const signed = sign(ca, 'deny-list', network.networkId, body);
    const taken = {
      ofAnIssuingKey: lists.install(signDenyList(issuing, network.networkId, 2, [])),
      inTheNameOfTheCa: lists.install(pack(packable(sign(mallory, 'deny-list', network.networkId, body)))),
      ofAnotherKind: lists.install(pack(packable(sign(ca, 'record', network.networkId, body)))),
      ofAnotherNetwork: lists.install(signDenyList(ca, two.networkId, 2, [])),
      signedForAnother: lists.install(pack(packable(sign(ca, 'deny-list', two.networkId, body)))),
      malleated: lists.install(pack(packable({ ...signed, signature: malleated(signed.signature) }))),
    };
    expect(taken).toEqual({
      ofAnIssuingKey: 'not_from_ca',
      inTheNameOfTheCa: 'bad_signature',
      ofAnotherKind: 'bad_signature',
      ofAnotherNetwork: 'wrong_network',
      signedForAnother: 'bad_signature',
      malleated: 'bad_signature',
    });
    expect([lists.has(a), lists.of(ca.publicKey).number]).toEqual([true, 1]);
    expect(lists.install(pack(packable(signed)))).toBe('installed');
  });

  test('of two CA keys are of two minds: one neither empties nor stops that of the other', () => {
    const lists = new DenyLists(two);
    expect(lists.install(signDenyList(ca, two.networkId, 1, [a]))).toBe('installed');
    expect(lists.install(signDenyList(relay, two.networkId, 2 ** 53 - 1, []))).toBe('installed');
    expect(lists.has(a)).toBe(true);
    expect(lists.install(signDenyList(ca, two.networkId, 2, [a, m]))).toBe('installed');
    expect([lists.has(a), lists.has(m), lists.lists().length]).toEqual([true, true, 2]);
  });

  test.each([
    ['number 0', [1, network.networkId, ca.publicKey, 0, []]],
    ['another format', [2, network.networkId, ca.publicKey, 1, []]],
    ['a key twice', [1, network.networkId, ca.publicKey, 1, [a, a]]],
    ['keys in the wrong order', [1, network.networkId, ca.publicKey, 1, [a, m].sort((x, y) => Buffer.compare(y, x))]],
    ['a key that is too short', [1, network.networkId, ca.publicKey, 1, [a.subarray(1)]]],
    ['a field too many', [1, network.networkId, ca.publicKey, 1, [], 1]],
  ])('with %s are malformed, although a CA key has signed them', (_, body) => {
    expect(new DenyLists(network).install(pack(packable(sign(ca, 'deny-list', network.networkId, body))))).toBe('malformed');
  });

  test('hold 4,096 keys and no more', () => {
    const keys = Array.from({ length: DENIED_KEYS_MAX }, (_, i) =>
      Uint8Array.from({ length: 32 }, (_, at) => i >> (at % 4 < 2 ? 0 : 8)),
    );
    const bytes = list(1, keys);
    expect(bytes.length).toBeLessThanOrEqual(DENY_LIST_BYTES_MAX);
    const lists = new DenyLists(network);
    expect(lists.install(bytes)).toBe('installed');
    expect(keys.every((key) => lists.has(key))).toBe(true);
    expect(lists.install(list(2, [...keys, a]))).toBe('malformed');
    expect(lists.install(new Uint8Array(DENY_LIST_BYTES_MAX + 1))).toBe('malformed');
  });

  test('keep nothing of the bytes that they were read from', () => {
    const lists = new DenyLists(network);
    const bytes = Buffer.from(list(1, [a]));
    lists.install(bytes);
    bytes.fill(0);
    expect(lists.has(a)).toBe(true);
    expect(parseSigned(lists.lists()[0] as Uint8Array, 1000)).toBeDefined();
  });

  test('are taken in one form only, and nothing throws', () => {
    assertOnlyTakes(list(1, [a, m]), (bytes) => new DenyLists(network).install(bytes) === 'installed');
  });
});
