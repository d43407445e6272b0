import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  DESCRIPTOR_BYTES_MAX,
  LIMITS,
  networkOf,
  parseNetwork,
  readNetwork,
  type Descriptor,
} from '../../../transport/overlay/trust/descriptor.ts';
import { pack } from '../../../transport/overlay/trust/encoding.ts';
import { disturbed } from '../wire/hostile.ts';
import { codeOf } from './hostile.ts';
import { identityOf, world } from './world.ts';

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const { network, ca, alice, relay } = await world();
const descriptor: Descriptor = { name: 'newsroom', caKeys: [ca.publicKey], addressProfile: 'cheap', limits: LIMITS };

describe('a network', () => {
  test('is its descriptor: the id is the SHA-256 of its bytes, and they give it back', () => {
    expect(toHex(network.networkId)).toBe(createHash('sha256').update(network.bytes).digest('hex'));
    expect(parseNetwork(network.bytes)).toEqual(network);
    expect(network).toMatchObject(descriptor);
  });

  test('has one id for a set of CA keys, in whatever order they are named', () => {
    const keys = [ca.publicKey, alice.publicKey, relay.publicKey];
    const ids = [keys, keys.toReversed()].map((caKeys) => toHex(networkOf({ ...descriptor, caKeys }).networkId));
    expect(ids[0]).toBe(ids[1]);
  });

  test('fits with the most keys, the longest name and the largest limits into its bound', async () => {
    const caKeys = await Promise.all(['1', '2', '3', '4'].map(async (name) => (await identityOf(name)).publicKey));
    const limits = { messageBytesMax: 2 ** 24, certificateLifeMs: 31 * 24 * 3_600_000, recordTtlMs: 600_000 };
    const most = networkOf({ name: 'n'.repeat(63), caKeys, addressProfile: 'standard', limits });
    expect(most.bytes.length).toBeLessThanOrEqual(DESCRIPTOR_BYTES_MAX);
    expect(parseNetwork(most.bytes)).toEqual(most);
  });

  test('keeps nothing of the bytes that it was made from', () => {
    const bytes = Buffer.from(network.bytes);
    const parsed = parseNetwork(bytes);
    bytes.fill(0);
    expect(parsed).toEqual(network);
  });

  test('A21: whatever is changed in a descriptor makes another network', () => {
    const changed: Descriptor[] = [
      { ...descriptor, name: 'newsrooms' },
      { ...descriptor, caKeys: [] },
      { ...descriptor, caKeys: [alice.publicKey] },
      { ...descriptor, caKeys: [ca.publicKey, alice.publicKey] },
      { ...descriptor, addressProfile: 'standard' },
      ...(['messageBytesMax', 'certificateLifeMs', 'recordTtlMs'] as const).map((limit) => ({
        ...descriptor,
        limits: { ...LIMITS, [limit]: LIMITS[limit] + 1 },
      })),
    ];
    const ids = [network, ...changed.map(networkOf)].map(({ networkId }) => toHex(networkId));
    expect(new Set(ids).size).toBe(changed.length + 1);
  });

  test.each<[string, Partial<Descriptor>, RegExp]>([
    ['a name with a blank', { name: 'news room' }, /"news room" is no name/],
    ['no name', { name: '' }, /is no name/],
    ['a name of 64', { name: 'n'.repeat(64) }, /is no name/],
    [
      'a limit that is too low',
      { limits: { ...LIMITS, messageBytesMax: 1023 } },
      /messageBytesMax is 1023; it is a whole number from 1024/,
    ],
    ['a limit that is too high', { limits: { ...LIMITS, certificateLifeMs: 2 ** 40 } }, /certificateLifeMs/],
    ['a limit that is no whole number', { limits: { ...LIMITS, recordTtlMs: 1000.5 } }, /recordTtlMs/],
    ['a CA key twice', { caKeys: [ca.publicKey, ca.publicKey.slice()] }, /named twice/],
    ['a CA key of small order', { caKeys: [new Uint8Array(32)] }, /none that Reprise has made/],
    ['five CA keys', { caKeys: [1, 2, 3, 4, 5].map((n) => new Uint8Array(32).fill(n)) }, /at most 4/],
  ])('is not made with %s', (_, wrong, message) => {
    expect(codeOf(() => networkOf({ ...descriptor, ...wrong }))).toEqual(['NET_NETWORK_INVALID', expect.stringMatching(message)]);
  });

  const limits = [LIMITS.messageBytesMax, LIMITS.certificateLifeMs, LIMITS.recordTtlMs];
  const twin = ca.publicKey.slice();
  twin[31] = (twin[31] as number) ^ 0x80;

  test.each([
    ['a profile that is not known', [1, 'n', [ca.publicKey], 'medium', 1, limits]],
    ['a bad name', [1, '-n', [ca.publicKey], 'cheap', 1, limits]],
    ['a limit out of its range', [1, 'n', [ca.publicKey], 'cheap', 1, [0, ...limits.slice(1)]]],
    ['a limit too many', [1, 'n', [ca.publicKey], 'cheap', 1, [...limits, 1]]],
    [
      'keys in the wrong order',
      [1, 'n', [ca.publicKey, alice.publicKey].sort((a, b) => Buffer.compare(b, a)), 'cheap', 1, limits],
    ],
    ['a key twice', [1, 'n', [ca.publicKey, ca.publicKey], 'cheap', 1, limits]],
    ['a key of small order', [1, 'n', [new Uint8Array(32)], 'cheap', 1, limits]],
    ['the twin of a key', [1, 'n', [twin], 'cheap', 1, limits]],
    ['a key that is too short', [1, 'n', [ca.publicKey.subarray(1)], 'cheap', 1, limits]],
    ['format 0', [0, 'n', [ca.publicKey], 'cheap', 1, limits]],
    ['protocol 0', [1, 'n', [ca.publicKey], 'cheap', 0, limits]],
    ['a field too many', [1, 'n', [ca.publicKey], 'cheap', 1, limits, 1]],
  ])('is not read from a descriptor with %s', (_, values) => {
    const bytes = pack(values);
    expect(parseNetwork(bytes)).toBe('malformed');
    expect(codeOf(() => readNetwork(bytes, 'net/descriptor'))).toEqual([
      'NET_NETWORK_INVALID',
      'net/descriptor holds no descriptor of a network',
    ]);
  });

  test.each([
    ['format', [2, 'n', [ca.publicKey], 'cheap', 1, limits]],
    ['protocol', [1, 'n', [ca.publicKey], 'cheap', 2, limits]],
  ])('of a newer %s is told from a broken one', (_, values) => {
    expect(parseNetwork(pack(values))).toBe('newer_version');
    expect(codeOf(() => readNetwork(pack(values), 'x'))).toEqual([
      'NET_NETWORK_INVALID',
      expect.stringContaining('newer version'),
    ]);
  });

  test('has one form: what is made of its bytes is no network, or one whose bytes are exactly these; and nothing throws', () => {
    const outcomes = new Map<string, number>();
    const look = (bytes: Uint8Array): void => {
      const parsed = parseNetwork(bytes);
      const outcome = typeof parsed === 'string' ? parsed : 'another network';
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (typeof parsed === 'string') return;
      expect(parsed.networkId).not.toEqual(network.networkId);
      expect(networkOf(parsed).bytes).toEqual(Uint8Array.from(bytes));
    };
    for (const bytes of disturbed(network.bytes)) look(bytes);
    for (const outcome of ['malformed', 'newer_version', 'another network']) expect(outcomes.get(outcome)).toBeGreaterThan(5);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(network.bytes.length - 1), (random, at) => {
        look(random);
        const tail = Uint8Array.from([...network.bytes.subarray(0, at), ...random]);
        if (Buffer.compare(tail, network.bytes) !== 0) look(tail);
      }),
      { numRuns: 500, seed: 4 },
    );
  });

  test('is read from its file', () => {
    expect(readNetwork(network.bytes, 'x')).toEqual(network);
  });
});
