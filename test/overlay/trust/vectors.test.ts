/**
 * The formats of trust, frozen: what was written once is written so for ever, and can be read.
 *
 * docs/overlay-trust.md describes them. A change here is another version of the protocol.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { Unpackr } from 'msgpackr/unpack';
import { expect, test } from 'vitest';
import { identityFromSeed, type Identity } from '../../../transport/overlay/identity/identity.ts';
import { signCertificate, signIssuer, verifyCertificate } from '../../../transport/overlay/trust/certificate.ts';
import { DenyLists, signDenyList } from '../../../transport/overlay/trust/deny-list.ts';
import { networkOf, parseNetwork } from '../../../transport/overlay/trust/descriptor.ts';
import { inviteText, parseInvite } from '../../../transport/overlay/trust/invite.ts';
import { joinAnswer, joinRequest, parseJoinAnswer, parseJoinRequest } from '../../../transport/overlay/trust/join.ts';
import { openRecord, signRecord } from '../../../transport/overlay/trust/record.ts';
import type { Role } from '../../../transport/overlay/trust/roles.ts';
import { parseSigned } from '../../../transport/overlay/trust/signed.ts';
import vectors from '../vectors/trust.json' with { type: 'json' };

const fromHex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const identity = async (name: keyof typeof vectors.seeds): Promise<Identity> => identityFromSeed(fromHex(vectors.seeds[name]));
const [ca, issuing, relay, member] = [
  await identity('ca'),
  await identity('issuing'),
  await identity('relay'),
  await identity('member'),
];
const { terms } = vectors;
const network = networkOf({ name: terms.network, caKeys: [ca.publicKey], addressProfile: 'standard', limits: terms.limits });
const { networkId } = network;
const { notBeforeMs, notAfterMs } = terms;
const roles = terms.roles as Role[];
const grant = {
  networkId,
  publicKey: member.publicKey,
  address: member.address,
  ...terms.member,
  notBeforeMs,
  notAfterMs,
  roles,
};
const token = fromHex(terms.token);
const invite = {
  networkId,
  relayKey: relay.publicKey,
  endpoints: terms.endpoints,
  caKey: ca.publicKey,
  token,
  expiresMs: terms.expiresMs,
};
const issuer = signIssuer(ca, { ...grant, ...terms.issuer, publicKey: issuing.publicKey, notAfterMs: terms.issuer.notAfterMs });
const issuerSigned = parseSigned(issuer, 1000);

const certificate = signCertificate(ca, grant, undefined);
const denyList = signDenyList(ca, networkId, terms.denyListNumber, [relay.publicKey, issuing.publicKey]);
const made = {
  descriptor: toHex(network.bytes),
  networkId: toHex(networkId),
  certificate: toHex(certificate),
  issuer: toHex(issuer),
  certificateByIssuer: toHex(signCertificate(issuing, grant, issuerSigned)),
  denyList: toHex(denyList),
  record: toHex(signRecord(member, network, { ...terms.record, relays: [relay.publicKey], name: terms.member.name })),
  invite: inviteText(invite),
  joinRequest: toHex(joinRequest(invite, terms.member.name)),
  joinGranted: toHex(joinAnswer({ type: 'granted', descriptor: network.bytes, certificate, denyLists: [denyList] })),
  joinRefused: toHex(joinAnswer({ type: 'refused', reason: 'invite_used' })),
};

test('are written as they were', () => {
  expect(made).toEqual(vectors.formats);
});

test('are read as they were meant', () => {
  const { formats } = vectors;
  const none = (): boolean => false;
  expect(createHash('sha256').update(fromHex(formats.descriptor)).digest('hex')).toBe(formats.networkId);
  expect(parseNetwork(fromHex(formats.descriptor))).toEqual(network);
  for (const bytes of [formats.certificate, formats.certificateByIssuer])
    expect(verifyCertificate(fromHex(bytes), network, member.publicKey, notBeforeMs, none)).toMatchObject({ ...grant, roles });
  const lists = new DenyLists(network);
  expect(lists.install(fromHex(formats.denyList))).toBe('installed');
  expect([relay, issuing, member].map(({ publicKey }) => lists.has(publicKey))).toEqual([true, true, false]);
  expect(openRecord(fromHex(formats.record), network)).toMatchObject({ ...terms.record, address: vectors.addresses.member });
  expect(parseInvite(formats.invite, terms.expiresMs - 1)).toEqual(invite);
  expect(parseJoinRequest(fromHex(formats.joinRequest))).toEqual({ type: 'join', token, name: terms.member.name });
  expect(parseJoinAnswer(fromHex(formats.joinGranted))).toMatchObject({ type: 'granted', descriptor: network.bytes });
  expect(parseJoinAnswer(fromHex(formats.joinRefused))).toEqual({ type: 'refused', reason: 'invite_used' });
});

test('are of these keys and addresses', () => {
  const all = { ca, issuing, relay, member };
  expect(Object.fromEntries(Object.entries(all).map(([name, { publicKey }]) => [name, toHex(publicKey)]))).toEqual(
    vectors.publicKeys,
  );
  expect(Object.fromEntries(Object.entries(all).map(([name, { address }]) => [name, address]))).toEqual(vectors.addresses);
});

test('hold for who has MessagePack and Ed25519 and docs/overlay-trust.md, and none of our code', () => {
  const { formats, publicKeys } = vectors;
  const unpack = (bytes: Uint8Array): unknown => new Unpackr({ useRecords: false, int64AsType: 'number' }).unpack(bytes);
  const holds = (kind: string, key: string, [body, signature]: readonly Uint8Array[]): boolean => {
    const spki = Buffer.from(`302a300506032b6570032100${key}`, 'hex');
    const message = Buffer.concat([Buffer.from(`OVL1/${kind}\0`), fromHex(formats.networkId), body as Uint8Array]);
    return verify(null, message, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature as Uint8Array);
  };
  const [direct] = unpack(fromHex(formats.certificate)) as Uint8Array[][];
  const [chained, by] = unpack(fromHex(formats.certificateByIssuer)) as Uint8Array[][];
  expect([
    holds('certificate', publicKeys.ca, direct ?? []),
    holds('certificate', publicKeys.issuing, chained ?? []),
    holds('issuer', publicKeys.ca, by ?? []),
    holds('deny-list', publicKeys.ca, unpack(fromHex(formats.denyList)) as Uint8Array[]),
    holds('record', publicKeys.member, unpack(fromHex(formats.record)) as Uint8Array[]),
  ]).toEqual([true, true, true, true, true]);
  const [format, id, key, address, serial, from, to, bits, name] = unpack(direct?.[0] as Uint8Array) as (number | Uint8Array)[];
  expect([format, serial, from, to, bits, name]).toEqual([1, 20_261_201, terms.notBeforeMs, terms.notAfterMs, 0b011, 'desk']);
  expect([id, key, address].map((bytes) => toHex(bytes as Uint8Array))).toEqual([
    formats.networkId,
    publicKeys.member,
    vectors.addresses.member.replaceAll('.', '').toLowerCase(),
  ]);
});
