/** docs/overlay-trust.md: what its page alone makes of frozen formats, and of all that a signer could have signed instead, is what the code makes of them. */
import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { identityFromSeed, type Identity } from '../../../transport/overlay/identity/identity.ts';
import { verifyCertificate } from '../../../transport/overlay/trust/certificate.ts';
import { DenyLists, signDenyList } from '../../../transport/overlay/trust/deny-list.ts';
import { LIMITS, networkOf, parseNetwork } from '../../../transport/overlay/trust/descriptor.ts';
import { pack, type Packable } from '../../../transport/overlay/trust/encoding.ts';
import { isEndpoint, parseInvite } from '../../../transport/overlay/trust/invite.ts';
import { parseJoinAnswer, parseJoinRequest } from '../../../transport/overlay/trust/join.ts';
import { openRecord } from '../../../transport/overlay/trust/record.ts';
import { Records } from '../../../transport/overlay/trust/records.ts';
import { packable, sign, type StatementKind } from '../../../transport/overlay/trust/signed.ts';
import { addressBytes } from '../../../transport/overlay/identity/address.ts';
import identities from '../vectors/identity.json' with { type: 'json' };
import trust from '../vectors/trust.json' with { type: 'json' };
import { codeOf } from '../trust/hostile.ts';
import { disturbed } from './hostile.ts';
import {
  specAddress,
  specAnswer,
  specCertificateFaults,
  specDenyListFaults,
  specInvite,
  specNetwork,
  specRecordFaults,
  specRequest,
  type SpecNetwork,
} from './trust-spec.ts';

const SEED = 20261127;
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const toBytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const identityOf = (name: keyof typeof trust.seeds): Promise<Identity> => identityFromSeed(toBytes(trust.seeds[name]), 'cheap');
const [ca, issuing, relay, member] = [
  await identityOf('ca'),
  await identityOf('issuing'),
  await identityOf('relay'),
  await identityOf('member'),
];
/** As it compares: bytes are hex. */
const plain = (value: unknown): unknown =>
  value instanceof Uint8Array ? toHex(value) : Array.isArray(value) ? value.map(plain) : value;
/** As the frozen one, with addresses that cost little. */
const network = networkOf({ name: 'newsroom', caKeys: [ca.publicKey], addressProfile: 'cheap', limits: LIMITS });
const specified = specNetwork(network.bytes) as SpecNetwork;
const other = networkOf({ ...network, name: 'elsewhere' });
const { formats, terms } = trust;
const NOW = terms.notBeforeMs + 1_000;
const HOUR = 3_600_000;

/** One of these; the first more often than not, so that most of what is made holds. */
const mostly = <T>(first: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(first) }, { weight: 1, arbitrary: fc.constantFrom(...others) });
const networkId = mostly(network.networkId, other.networkId, new Uint8Array(31));
const key = (whose: Identity): fc.Arbitrary<Uint8Array> => mostly(whose.publicKey, relay.publicKey, new Uint8Array(32).fill(2));
const name = mostly<Packable>('desk', '', 'a'.repeat(63), 'a'.repeat(64), '2F9A.D8AA.4D6b', '-x', 'x y', 7);
const roles = mostly<number>(1, 3, 7, 8, 0);
const signer = (who: Identity): fc.Arbitrary<Identity> => mostly(who, relay, issuing, ca);
const kindOf = (kind: StatementKind): fc.Arbitrary<StatementKind> => mostly(kind, 'certificate', 'issuer', 'record', 'deny-list');
const version = mostly(1, 0, 2);
const from = mostly(NOW - HOUR, NOW, NOW + 1, 0);
const to = mostly(
  NOW + HOUR,
  NOW,
  NOW + 1,
  NOW - HOUR,
  NOW - HOUR + LIMITS.certificateLifeMs,
  NOW - HOUR + LIMITS.certificateLifeMs + 1,
);

interface Asked {
  /** What the code says; '': it holds. */
  readonly code: string;
  readonly page: readonly string[];
}
/** The code names one of the faults of the page, or there is none. Counts what came of all. */
function agree(seen: Map<string, number>, { code, page }: Asked): void {
  expect(page.length === 0 ? [''] : page).toContain(code);
  seen.set(code, (seen.get(code) ?? 0) + 1);
}

describe('the page and the code', () => {
  test('have the same keys and addresses', () => {
    for (const { publicKey, address, addressCheap } of identities.identities) {
      expect(specAddress(toBytes(publicKey), 'standard')).toBe(address);
      expect(specAddress(toBytes(publicKey), 'cheap')).toBe(addressCheap);
    }
  });

  test('read the same of a descriptor, disturbed or not', () => {
    for (const bytes of [toBytes(formats.descriptor), ...disturbed(toBytes(formats.descriptor))]) {
      const code = parseNetwork(bytes);
      const page = specNetwork(bytes);
      expect([toHex(bytes), typeof code === 'string']).toEqual([toHex(bytes), page === undefined]);
      if (typeof code === 'string' || page === undefined) continue;
      const { bytes: _bytes, networkId: id, ...rest } = code;
      expect({ ...rest, networkId: toHex(id) }).toEqual({ ...page, networkId: toHex(page.networkId) });
    }
  });

  test('read the same of requests, answers and invites, disturbed or not', () => {
    for (const hex of [formats.joinRequest, formats.joinRefused, formats.joinGranted])
      for (const bytes of [toBytes(hex), ...disturbed(toBytes(hex))]) {
        const request = parseJoinRequest(bytes);
        const answer = parseJoinAnswer(bytes);
        expect(request && Object.values(request).map(plain)).toEqual(specRequest(bytes)?.map(plain));
        expect(answer && Object.values(answer).map(plain)).toEqual(specAnswer(bytes)?.map(plain));
      }
    const { invite } = formats;
    const texts = Array.from({ length: invite.length }, (_, at) => [
      invite.slice(0, at),
      `${invite.slice(0, at)}\n ${invite.slice(at)}`,
      `${invite.slice(0, at)}x${invite.slice(at + 1)}`,
    ]).flat();
    for (const text of [invite, ...texts])
      for (const now of [0, terms.expiresMs - 1, terms.expiresMs]) {
        const page = specInvite(text, now);
        let code: readonly unknown[] | undefined;
        const [thrown] = codeOf(() => (code = Object.values(parseInvite(text, now))));
        expect([text, now, code?.map(plain)]).toEqual([text, now, page?.map(plain)]);
        expect(thrown === '').toBe(page !== undefined);
      }
  });

  test('take the same endpoints in an invite', () => {
    const part = fc.constantFrom(
      'a',
      'B9',
      '-',
      '.',
      '..',
      ':',
      '[',
      ']',
      '::1',
      '2001:db8::7',
      '192.0.2.7',
      '256.1.1.1',
      '01',
      '7',
      ' ',
    );
    const host = fc.oneof(
      fc.array(part, { maxLength: 4 }).map((parts) => parts.join('')),
      fc.array(part, { maxLength: 2 }).map((parts) => `[${parts.join('')}]`),
      fc.constantFrom(
        'relay.example.org',
        '[2001:db8::7]',
        '192.0.2.7',
        'a'.repeat(63),
        'a'.repeat(64),
        'a.'.repeat(126) + 'a',
        'a.'.repeat(127),
      ),
    );
    const any = fc
      .tuple(
        fc.constantFrom('', '', 'ws://', 'wss://', 'http://', 'ws:'),
        host,
        fc.constantFrom(':1', ':80', ':65535', ':0', ':65536', ':01', ':80/', ''),
      )
      .map((parts) => parts.join(''));
    let taken = 0;
    fc.assert(
      fc.property(any, (endpoint) => {
        const body = pack([1, network.networkId, relay.publicKey, [endpoint], ca.publicKey, new Uint8Array(16), 5]);
        const sum = createHash('sha256').update(body).digest().subarray(0, 4);
        const page = specInvite(`reprise-invite-1.${Buffer.concat([body, sum]).toString('base64url')}`, 4) !== undefined;
        if (page) taken++;
        expect([endpoint, isEndpoint(endpoint)]).toEqual([endpoint, page]);
      }),
      { seed: SEED, numRuns: 3_000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  test('refuse the same certificates', () => {
    const seen = new Map<string, number>();
    const grant = fc.record({ version, networkId, roles, name, from, to, serial: mostly<Packable>(7, 2 ** 53 - 1, '') });
    const all = fc.record({
      member: grant,
      issuer: fc.option(grant),
      memberKey: key(member),
      issuerKey: key(issuing),
      address: mostly(addressBytes(member.address), new Uint8Array(6), new Uint8Array(6).fill(0xff), new Uint8Array(5)),
      byIssuer: signer(issuing),
      byCa: signer(ca),
      kind: kindOf('certificate'),
      issuerKind: kindOf('issuer'),
      denied: mostly<readonly Uint8Array[]>([], [member.publicKey], [issuing.publicKey], [relay.publicKey]),
    });
    fc.assert(
      fc.property(all, (o) => {
        const { member: m, issuer: i } = o;
        const body = [m.version, m.networkId, o.memberKey, o.address, m.serial, m.from, m.to, m.roles, m.name];
        const statement = packable(sign(i === null ? o.byCa : o.byIssuer, o.kind, network.networkId, body));
        const chain = [statement];
        if (i !== null) {
          const issuerBody = [i.version, i.networkId, o.issuerKey, i.serial, i.from, i.to, i.roles, i.name];
          chain.push(packable(sign(o.byCa, o.issuerKind, network.networkId, issuerBody)));
        }
        const bytes = pack(chain);
        const isDenied = (one: Uint8Array): boolean => o.denied.some((each) => toHex(each) === toHex(one));
        const code = verifyCertificate(bytes, network, member.publicKey, NOW, isDenied);
        const page = specCertificateFaults(bytes, specified, member.publicKey, NOW, o.denied);
        agree(seen, { code: typeof code === 'string' ? code : '', page });
      }),
      { seed: SEED, numRuns: 1_200 },
    );
    for (const reason of [
      '',
      'malformed',
      'wrong_network',
      'wrong_key',
      'revoked',
      'life_too_long',
      'not_yet_valid',
      'expired',
      'roles_not_granted',
      'bad_signature',
    ])
      expect([reason, (seen.get(reason) ?? 0) > 0]).toEqual([reason, true]);
  });

  test('refuse the same deny lists', () => {
    const seen = new Map<string, number>();
    const one = new Uint8Array(32).fill(1);
    const two = new Uint8Array(32).fill(2);
    const all = fc.record({
      version,
      networkId,
      caKey: key(ca),
      number: mostly<Packable>(6, 5, 0, 2 ** 53 - 1, ''),
      keys: mostly<Packable>([one, two], [], [two, one], [one, one], [new Uint8Array(31)], one),
      by: signer(ca),
      kind: kindOf('deny-list'),
    });
    const before = signDenyList(ca, network.networkId, 5, [one]);
    fc.assert(
      fc.property(all, (o) => {
        const lists = new DenyLists(network);
        lists.install(before);
        const bytes = pack(packable(sign(o.by, o.kind, network.networkId, [o.version, o.networkId, o.caKey, o.number, o.keys])));
        const code = lists.install(bytes);
        agree(seen, { code: code === 'installed' ? '' : code, page: specDenyListFaults(bytes, specified, 5) });
      }),
      { seed: SEED, numRuns: 800 },
    );
    for (const reason of ['', 'malformed', 'wrong_network', 'not_from_ca', 'not_newer', 'bad_signature'])
      expect([reason, (seen.get(reason) ?? 0) > 0]).toEqual([reason, true]);
  });

  test('refuse the same records', () => {
    const seen = new Map<string, number>();
    const all = fc.record({
      version,
      networkId,
      pk: key(member),
      address: mostly(addressBytes(member.address), addressBytes(relay.address), new Uint8Array(6)),
      seq: mostly<Packable>(NOW, NOW + 60_000, NOW + 60_001, NOW - 120_000, NOW - 119_999, NOW - 5_000, NOW - 4_999, 2 ** 53 - 1),
      ttl: mostly<Packable>(60_000, 60_001, 1, 0, ''),
      relays: mostly<Packable>(
        [relay.publicKey],
        [],
        [1, 2, 3, 4].map(() => relay.publicKey),
        [1, 2, 3, 4, 5].map(() => relay.publicKey),
      ),
      name,
      by: signer(member),
      kind: kindOf('record'),
    });
    const body = (seq: Packable): Packable[] => [
      1,
      network.networkId,
      member.publicKey,
      addressBytes(member.address),
      seq,
      60_000,
      [],
      '',
    ];
    const last = openRecord(pack(packable(sign(member, 'record', network.networkId, body(NOW - 5_000)))), network);
    fc.assert(
      fc.property(all, (o) => {
        const records = new Records(network);
        expect(typeof last === 'string' || records.take(last, member.address, NOW) === undefined).toBe(true);
        const values = [o.version, o.networkId, o.pk, o.address, o.seq, o.ttl, o.relays, o.name];
        const bytes = pack(packable(sign(o.by, o.kind, network.networkId, values)));
        const record = openRecord(bytes, network);
        const isOfMember = toHex(o.pk) === toHex(member.publicKey);
        const address = isOfMember ? member.address : relay.address;
        const code = typeof record === 'string' ? record : (records.take(record, address, NOW) ?? '');
        agree(seen, { code, page: specRecordFaults(bytes, specified, NOW, isOfMember ? NOW - 5_000 : -1) });
      }),
      { seed: SEED, numRuns: 800 },
    );
    for (const reason of [
      '',
      'malformed',
      'wrong_network',
      'ttl_too_long',
      'bad_signature',
      'address_mismatch',
      'record_from_future',
      'record_expired',
      'record_not_newer',
    ])
      expect([reason, (seen.get(reason) ?? 0) > 0]).toEqual([reason, true]);
  });
});
