import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressBytes } from '../../../transport/overlay/identity/address.ts';
import { signRecord } from '../../../transport/overlay/trust/record.ts';
import {
  buildFinds,
  buildRecordBody,
  buildRegister,
  buildRelay,
  buildResolve,
  ENDPOINT_TEXT_MAX,
  parseRecordBody,
  parseRegister,
  parseRelay,
  parseResolve,
  PARTS_MAX,
  RECORD_BODY_BYTES_MAX,
  RELAYED_BYTES_MAX,
  type RecordBody,
} from '../../../transport/overlay/relay/bodies.ts';
import { keyHash } from '../../../transport/overlay/relay/hash.ts';
import { CONTROL, frameSize } from '../../../transport/overlay/wire/frames.ts';
import { assertWithin, disturbed } from '../wire/hostile.ts';
import { NOW, world } from '../trust/world.ts';

const { network, relay, alice, mallory } = await world();
const filled = (length: number, value = 7): Uint8Array => new Uint8Array(length).fill(value);
const recordOf = (name = 'alice', relays = [relay.publicKey]): Uint8Array =>
  signRecord(alice, network, { seq: NOW, ttlMs: 60_000, relays, name });

const records: readonly RecordBody[] = [
  { type: 'registered', id: 0, forMs: 60_000 },
  { type: 'refused', id: 2 ** 53 - 1, reason: 'busy' },
  { type: 'found', id: 63, part: 0, parts: 1, records: [], relays: [] },
  {
    type: 'found',
    id: 64,
    part: 1,
    parts: 2,
    records: [recordOf(), recordOf('a')],
    relays: [
      { key: relay.publicKey, endpoints: ['192.0.2.1:4433', 'wss://relay.example:443'] },
      { key: mallory.publicKey, endpoints: [] },
    ],
  },
  { type: 'not_here', hash: filled(8) },
];
const questions = [
  { type: 'key', value: alice.publicKey },
  { type: 'address', value: Uint8Array.from(addressBytes(alice.address)) },
  { type: 'name', value: new TextEncoder().encode('alice') },
  { type: 'after', value: filled(8) },
] as const;

/** Byte fields as they compare. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, item: unknown) => (item instanceof Uint8Array ? Buffer.from(item).toString('hex') : item)) ?? '0',
  );

describe('bodies', () => {
  test('are read as they were written', () => {
    const register = { id: 300, record: recordOf() };
    expect(plain(parseRegister(buildRegister(register)))).toEqual(plain(register));
    for (const question of questions)
      expect(plain(parseResolve(buildResolve({ id: 1, ...question })))).toEqual(plain({ id: 1, ...question }));
    for (const body of records) expect(plain(parseRecordBody(buildRecordBody(body)))).toEqual(plain(body));
    for (const type of ['to', 'from'] as const) {
      const body = { type, hash: filled(8), packet: filled(RELAYED_BYTES_MAX) };
      expect(plain(parseRelay(buildRelay(body)))).toEqual(plain(body));
    }
  });

  test('of strangers: nothing throws, nothing is made that was not paid for, and there is one form of each', () => {
    const parsers = [
      { parse: parseRegister, build: buildRegister, samples: [buildRegister({ id: 3, record: recordOf() })] },
      { parse: parseResolve, build: buildResolve, samples: questions.map((question) => buildResolve({ id: 5, ...question })) },
      { parse: parseRecordBody, build: buildRecordBody, samples: records.map(buildRecordBody) },
      { parse: parseRelay, build: buildRelay, samples: [buildRelay({ type: 'to', hash: filled(8), packet: filled(20) })] },
    ];
    for (const { parse, build, samples } of parsers) {
      const look = (bytes: Uint8Array): void => {
        const parsed = parse(bytes);
        if (parsed === undefined) return;
        // Outcomes are constants of the parser's.
        assertWithin(bytes, { ...parsed, reason: undefined });
        expect(Buffer.compare(build(parsed as never), bytes)).toBe(0);
      };
      for (const sample of samples) for (const bytes of disturbed(sample)) look(bytes);
      fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), look), { numRuns: 2_000 });
    }
  });

  test.each([
    ['a REGISTER without a record', parseRegister, Uint8Array.of(1)],
    ['a REGISTER of 401 bytes', parseRegister, Uint8Array.of(1, ...filled(401))],
    ['a question of no kind', parseResolve, Uint8Array.of(1, 4, ...filled(8))],
    ['a hash of 7 bytes', parseResolve, Uint8Array.of(1, 3, ...filled(7))],
    ['a key of 31 bytes', parseResolve, Uint8Array.of(1, 0, ...filled(31))],
    ['a reserved address', parseResolve, Uint8Array.of(1, 1, ...filled(6, 0))],
    ['a name with a blank', parseResolve, Uint8Array.of(1, 2, ...Buffer.from('a b'))],
    ['a name of 64 letters', parseResolve, Uint8Array.of(1, 2, ...filled(64, 0x61))],
    ['an answer of no kind', parseRecordBody, Uint8Array.of(4, 1)],
    ['a reason that is not known', parseRecordBody, Uint8Array.of(1, 1, 200)],
    ['part 1 of 1', parseRecordBody, Uint8Array.of(2, 1, 1, 1, 0, 0)],
    ['17 parts', parseRecordBody, Uint8Array.of(2, 1, 0, PARTS_MAX + 1, 0, 0)],
    ['five records', parseRecordBody, Uint8Array.of(2, 1, 0, 1, 5, 1, 9, 1, 9, 1, 9, 1, 9, 1, 9, 0)],
    ['an empty record', parseRecordBody, Uint8Array.of(2, 1, 0, 1, 1, 0, 0)],
    ['an endpoint with a line break', parseRecordBody, Uint8Array.of(2, 1, 0, 1, 0, 1, ...filled(32), 1, 2, 0x61, 0x0a)],
    [
      'a RECORD that is too long',
      parseRecordBody,
      Uint8Array.of(
        2,
        1,
        0,
        1,
        4,
        ...[1, 2, 3, 4].flatMap(() => [0x41, 0x00, ...filled(256)]),
        1,
        ...filled(32),
        1,
        32,
        ...filled(32, 0x61),
      ),
    ],
    ['a hash of 9 bytes', parseRecordBody, Uint8Array.of(3, ...filled(9))],
    ['a direction that is none', parseRelay, Uint8Array.of(2, ...filled(8), 1)],
    ['a RELAY of nothing', parseRelay, Uint8Array.of(0, ...filled(8))],
    ['a RELAY that is too long to be passed on', parseRelay, Uint8Array.of(0, ...filled(8 + RELAYED_BYTES_MAX + 1))],
  ])('%s is malformed', (_, parse, bytes) => {
    expect(parse(bytes)).toBeUndefined();
  });

  test('an answer is cut into frames of at most 1,100 bytes, all of which can be read', () => {
    const longest = Array.from({ length: 4 }, (_, i) =>
      recordOf(
        'n'.repeat(60 + i),
        [1, 2, 3, 4].map(() => relay.publicKey),
      ),
    );
    const relays = Array.from({ length: 9 }, (_, i) => ({
      key: filled(32, i),
      endpoints: [1, 2, 3, 4, 5].map(() => 'e'.repeat(253)),
    }));
    const parts = buildFinds(2 ** 53 - 1, { records: longest, relays });
    const read = parts.map((bytes) => parseRecordBody(bytes) as Extract<RecordBody, { type: 'found' }>);
    expect(read.map(({ part, parts }) => [part, parts])).toEqual(parts.map((_, i) => [i, parts.length]));
    expect(plain(read.flatMap(({ records }) => records))).toEqual(plain(longest));
    // The ninth relay and each fifth endpoint are left out.
    expect(read.flatMap(({ relays }) => relays.map(({ key, endpoints }) => [key[0], endpoints.length]))).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 7].map((i) => [i, 4]),
    );
    for (const bytes of parts) {
      expect(bytes.length).toBeLessThanOrEqual(RECORD_BODY_BYTES_MAX);
      expect(frameSize({ type: 'control', code: CONTROL.record, bytes })).toBeLessThanOrEqual(1_100);
    }
    expect(Math.max(...parts.map(({ length }) => length))).toBeGreaterThan(1_000);
  });

  test('what does not fit an endpoint is left out; nothing found is an empty answer', () => {
    const [bytes] = buildFinds(1, {
      records: [],
      relays: [{ key: filled(32), endpoints: ['x'.repeat(ENDPOINT_TEXT_MAX + 1), '\n', 'a:1'] }],
    });
    expect(parseRecordBody(bytes as Uint8Array)).toMatchObject({ relays: [{ endpoints: ['a:1'] }] });
    expect(buildFinds(1, { records: [], relays: [] }).map((bytes) => parseRecordBody(bytes))).toEqual([
      { type: 'found', id: 1, part: 0, parts: 1, records: [], relays: [] },
    ]);
  });

  test('a relayed packet of full length fits with all around it into 1,280 bytes', () => {
    const bytes = buildRelay({ type: 'to', hash: filled(8), packet: filled(RELAYED_BYTES_MAX) });
    expect(32 + frameSize({ type: 'control', code: CONTROL.relay, bytes }) + 48).toBeLessThanOrEqual(1_280);
  });

  test('a hash is the beginning of SHA-256 of the key', () => {
    expect(keyHash('00'.repeat(32))).toBe('66687aadf862bd77');
  });
});
