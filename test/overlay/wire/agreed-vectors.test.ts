/** §5 of docs/overlay-wire.md: what is frozen of it is read by the page alone, and written and read by the code. */
import { createPublicKey, verify } from 'node:crypto';
import { Unpackr } from 'msgpackr/unpack';
import { describe, expect, test } from 'vitest';
import { EXPELLED, VIOLATIONS } from '../../../transport/overlay/channels/violations.ts';
import { identityFromSeed, type Identity } from '../../../transport/overlay/identity/identity.ts';
import { DENY_LIST_CHANNEL, isReserved, JOIN_CHANNEL } from '../../../transport/overlay/node/channels.ts';
import { buildDenyNumbers, parseDenyNumbers } from '../../../transport/overlay/node/deny-numbers.ts';
import { signDenyList } from '../../../transport/overlay/trust/deny-list.ts';
import { LIMITS, networkOf } from '../../../transport/overlay/trust/descriptor.ts';
import { parseFrames } from '../../../transport/overlay/wire/frames.ts';
import { bytesOfFrames } from '../simulated-link.ts';
import vectors from '../vectors/agreed.json' with { type: 'json' };
import trust from '../vectors/trust.json' with { type: 'json' };
import { specBreaches, specChannels, specCodes, specDenyNumbers, type SpecNumber } from './agreed-spec.ts';
import { disturbed } from './hostile.ts';
import { conversation, newConnection, OneMember } from './two-members.ts';
import { specFrames } from './wire-spec.ts';

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const toBytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const identityOf = (name: keyof typeof trust.seeds): Promise<Identity> => identityFromSeed(toBytes(trust.seeds[name]), 'cheap');
const [ca, second, a, b] = [
  await identityOf('ca'),
  await identityOf('issuing'),
  await identityOf('relay'),
  await identityOf('member'),
];
const cas = { ca, issuing: second };
const caKeys = [ca.publicKey, second.publicKey];
const network = networkOf({ name: 'newsroom', caKeys, addressProfile: 'standard', limits: LIMITS });

const listOf = (name: keyof typeof vectors.lists): Uint8Array => toBytes(vectors.lists[name].hex);
const listsOf = (names: readonly string[]): Uint8Array[] => names.map((name) => listOf(name as keyof typeof vectors.lists));
const twoMembers = (): { a: OneMember; b: OneMember } => ({
  a: new OneMember(network, listsOf(vectors.has.a), b.publicKey),
  b: new OneMember(network, listsOf(vectors.has.b), a.publicKey),
});

describe('deny lists', () => {
  test.each(Object.entries(vectors.lists))('the list %s is signed as it was', (_name, { by, number, keys, hex }) => {
    const signed = signDenyList(cas[by as keyof typeof cas], network.networkId, number, keys.map(toBytes));
    expect(toHex(network.networkId)).toBe(vectors.networkId);
    expect(toHex(signed)).toBe(hex);
  });

  test.each(vectors.bodies)('a DENYLIST of $name', ({ hex, says }) => {
    expect(specDenyNumbers(toBytes(hex))).toEqual(says);
    const numbers = new Map(says.map(({ caKey, number }) => [caKey, number]));
    expect(parseDenyNumbers(toBytes(hex))).toEqual(numbers);
    expect(toHex(buildDenyNumbers(numbers))).toBe(hex);
  });

  test.each(vectors.malformed)('$name is malformed: it is counted, and nothing comes of it', ({ hex }) => {
    expect(specDenyNumbers(toBytes(hex))).toBeUndefined();
    expect(parseDenyNumbers(toBytes(hex))).toBeUndefined();
    const { a: one } = twoMembers();
    one.denials.announced(0, one.other, toBytes(hex));
    expect([one.drops.denylist_malformed, one.says(0)]).toEqual([1, []]);
  });

  test('disturbed, they are to the code what they are to the page, and no more than their bytes', () => {
    for (const { hex } of vectors.bodies)
      for (const bytes of disturbed(toBytes(hex))) {
        const read = parseDenyNumbers(bytes);
        expect(read && Array.from(read, ([caKey, number]) => ({ caKey, number }))).toEqual(specDenyNumbers(bytes));
        expect((read?.size ?? 0) * 40).toBeLessThanOrEqual(bytes.length);
      }
  });

  test('two members say these bytes to each other, and have the same lists then', () => {
    const two = twoMembers();
    const said = conversation(two.a, two.b);
    expect(said.map(({ by, payload }) => ({ by, hex: toHex(payload) }))).toEqual(vectors.conversation);
    expect(two.b.denyLists.heads().map(({ bytes }) => toHex(bytes))).toEqual(
      two.a.denyLists.heads().map(({ bytes }) => toHex(bytes)),
    );
  });

  test('that is what the page has them say, and all of it', () => {
    const has = { a: listsOf(vectors.has.a).map(readList), b: listsOf(vectors.has.b).map(readList) };
    expect(specBreaches(vectors.conversation, has, readList)).toEqual([]);
    const [, ...others] = vectors.conversation;
    expect(specBreaches(others, has, readList)).not.toEqual([]);
    expect(specBreaches(vectors.conversation.slice(0, -1), has, readList)).not.toEqual([]);
  });

  test('a list that was cut, as a message, is counted, and nothing comes of it', () => {
    const { b: one } = twoMembers();
    const list = listOf('newer');
    for (let length = 0; length < list.length; length++)
      expect(one.denials.install(0, list.subarray(0, length))).toBe('malformed');
    expect(one.denials.install(0, Uint8Array.from([...list, 0]))).toBe('malformed');
    expect([one.drops.denylist_malformed, one.says(0)]).toEqual([list.length + 1, []]);
    expect(one.denials.install(0, list)).toBe('installed');
  });

  test('two that cannot get their lists to each other do not tell each other for ever', () => {
    const two = twoMembers();
    const told = { a: 0, b: 0 };
    for (const name of ['a', 'b'] as const) {
      const { other, denials } = two[name];
      const control = other.connection.control.bind(other.connection);
      // Nothing that it sends arrives, but what it tells does.
      other.connection.send = () => 0;
      other.connection.control = (now, frame) => {
        told[name]++;
        control(now, frame);
      };
      const numbers = buildDenyNumbers(new Map([[toHex(second.publicKey), 2 ** 40]]));
      for (let now = 0; now < 20; now++) denials.announced(now, other, numbers);
    }
    expect(told).toEqual({ a: 1, b: 1 });
  });
});

describe('codes of CLOSE', () => {
  test('the page has those of the code', () => {
    const coded = Object.entries({ ...VIOLATIONS, expelled: EXPELLED }).map(([name, code]) => [code, name] as const);
    expect([...specCodes]).toEqual([[0, 'closed'], ...coded.toSorted(([x], [y]) => x - y)]);
  });

  test.each(vectors.closes)(
    '$code $constant: what breaks it, and what is said then',
    ({ code, constant, breaks, afterMs, hex }) => {
      expect(specCodes.get(code)).toBe(constant);
      // What is broken is a rule: the form of the frames is as it must be.
      for (const payload of breaks) expect(specFrames(toBytes(payload))).toEqual(parseFrames(toBytes(payload)));
      expect(specFrames(toBytes(hex))).toEqual([{ type: 'close', code, finals: [] }]);
      const one = newConnection();
      breaks.forEach((payload, pn) => one.receive(0, pn, parseFrames(toBytes(payload))));
      one.tick(afterMs);
      if (constant === 'expelled') one.expel(0);
      expect(one.take()).toContainEqual({ type: 'closed', reason: constant, code, isClean: false });
      expect(toHex(bytesOfFrames(one.next(afterMs, 1_168)?.frames ?? []))).toBe(hex);
    },
  );

  test('a vector breaks each of them', () => {
    expect(vectors.closes.map(({ constant }) => constant).toSorted()).toEqual(
      [...Object.keys(VIOLATIONS), 'expelled'].toSorted(),
    );
  });

  test.each([...vectors.closes.map(({ hex }) => hex), '033f00', '03c01fffffffffffff00'])(
    'after %s it is over, known or not, and nothing answers',
    (hex) => {
      const one = newConnection();
      one.send(0, 'channel', Uint8Array.of(1));
      one.receive(0, 0, parseFrames(toBytes(hex)));
      const [close] = specFrames(toBytes(hex)) as { readonly code: number }[];
      expect(one.take()).toEqual([{ type: 'closed', reason: 'peer', code: close?.code, isClean: false }]);
      expect(one.next(0, 1_168)).toBeUndefined();
    },
  );
});

test('the page has the channels of the overlay', () => {
  expect(specChannels).toEqual([JOIN_CHANNEL, DENY_LIST_CHANNEL]);
  expect(specChannels.every(isReserved)).toBe(true);
});

/** As docs/overlay-trust.md has it, by MessagePack and Ed25519 of others. */
function readList(bytes: Uint8Array): SpecNumber {
  const unpack = (packed: Uint8Array): unknown => new Unpackr({ useRecords: false, int64AsType: 'number' }).unpack(packed);
  const [body, signature] = unpack(bytes) as [Uint8Array, Uint8Array];
  const [format, networkId, key, number] = unpack(body) as [number, Uint8Array, Uint8Array, number];
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key]);
  const message = Buffer.concat([Buffer.from('OVL1/deny-list\0'), networkId, body]);
  expect([format, toHex(networkId)]).toEqual([1, vectors.networkId]);
  expect(verify(null, message, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature)).toBe(true);
  return { caKey: toHex(key), number };
}
