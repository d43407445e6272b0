import { describe, expect, test } from 'vitest';
import {
  CERTIFICATE_BYTES_MAX,
  parseCertificate,
  renewAtMs,
  signCertificate,
  signIssuer,
  validUntilMs,
  verifyCertificate,
  verifyIssuer,
  type Certificate,
  type CertificateFault,
} from '../../../transport/overlay/trust/certificate.ts';
import { networkOf } from '../../../transport/overlay/trust/descriptor.ts';
import { pack } from '../../../transport/overlay/trust/encoding.ts';
import { packable, parseSigned, sign, type Signed } from '../../../transport/overlay/trust/signed.ts';
import type { Identity } from '../../../transport/overlay/identity/identity.ts';
import { assertOnlyTakes } from './hostile.ts';
import { DAY, HOUR, malleated, NOW, world } from './world.ts';

const { network, ca, issuing, alice, mallory } = await world();
const nobody = (): boolean => false;

type Grant = Omit<Certificate, 'issuer'>;
const grant: Grant = {
  networkId: network.networkId,
  publicKey: alice.publicKey,
  address: alice.address,
  serial: 7,
  notBeforeMs: NOW - HOUR,
  notAfterMs: NOW + 23 * HOUR,
  roles: ['node', 'relay'],
  name: 'alice',
};
const issuerGrant = { ...grant, publicKey: issuing.publicKey, notAfterMs: NOW + 90 * DAY, name: 'office' };
const signedOf = (bytes: Uint8Array): Signed => parseSigned(bytes, 1000) as Signed;
const issuerBy = (ca: Identity, changes: Partial<Grant> = {}): Signed => signedOf(signIssuer(ca, { ...issuerGrant, ...changes }));
const byCa = (changes: Partial<Grant> = {}): Uint8Array => signCertificate(ca, { ...grant, ...changes }, undefined);
const byIssuer = (changes: Partial<Grant> = {}, issuer = issuerBy(ca)): Uint8Array =>
  signCertificate(issuing, { ...grant, ...changes }, issuer);
const verify = (bytes: Uint8Array, at = NOW, isDenied: (key: Uint8Array) => boolean = nobody): Certificate | CertificateFault =>
  verifyCertificate(bytes, network, alice.publicKey, at, isDenied);
/** The body of a certificate that holds. */
const terms: readonly (number | string | Uint8Array)[] = [
  1,
  network.networkId,
  alice.publicKey,
  new Uint8Array(6).fill(7),
  7,
  NOW - 1,
  NOW + 1,
  1,
  'alice',
];
const isKey =
  (key: Uint8Array) =>
  (other: Uint8Array): boolean =>
    Buffer.compare(key, other) === 0;

describe('a certificate', () => {
  test('of a CA key says what was signed', () => {
    expect(verify(byCa())).toEqual({ ...grant, issuer: undefined });
  });

  test('of an issuing key says what was signed, and who was certified to sign it', () => {
    const { address: _, ...issuer } = issuerGrant;
    expect(verify(byIssuer())).toEqual({ ...grant, issuer });
  });

  test('holds from its first moment to before its last', () => {
    for (const bytes of [byCa(), byIssuer()]) {
      expect(verify(bytes, grant.notBeforeMs)).toMatchObject({ name: 'alice' });
      expect(verify(bytes, grant.notAfterMs - 1)).toMatchObject({ name: 'alice' });
    }
  });

  test('is renewed from its half-life on, and ends with that of its issuer', () => {
    const whole = parseCertificate(byCa()) as Certificate;
    expect([validUntilMs(whole), renewAtMs(whole)]).toEqual([grant.notAfterMs, grant.notBeforeMs + 12 * HOUR]);
    const cut = parseCertificate(byIssuer({}, issuerBy(ca, { notAfterMs: NOW + HOUR }))) as Certificate;
    expect([validUntilMs(cut), renewAtMs(cut)]).toEqual([NOW + HOUR, NOW]);
  });

  test('fits with the longest names and the largest numbers into its bound, exactly', () => {
    const most = { name: 'n'.repeat(63), serial: 2 ** 53 - 1, roles: ['node', 'relay', 'admin'] as const };
    const bytes = byIssuer({ ...most, networkId: network.networkId }, issuerBy(ca, most));
    expect(verify(bytes)).toMatchObject(most);
    expect(bytes.length).toBe(CERTIFICATE_BYTES_MAX);
  });

  test('keeps nothing of the bytes that it was read from', () => {
    const bytes = Buffer.from(byIssuer());
    const read = verify(bytes);
    bytes.fill(0);
    expect(read).toEqual(verify(byIssuer()));
  });
});

describe('A20: a certificate is refused that', () => {
  test.each<[CertificateFault, string, Uint8Array, number?]>([
    ['expired', 'has expired', byCa(), grant.notAfterMs],
    ['expired', 'has expired a year ago', byCa(), NOW + 365 * DAY],
    ['expired', 'has an issuer that has expired', byIssuer({}, issuerBy(ca, { notAfterMs: NOW + HOUR })), NOW + HOUR],
    ['not_yet_valid', 'is of the future', byCa(), grant.notBeforeMs - 1],
    ['not_yet_valid', 'has an issuer of the future', byIssuer({}, issuerBy(ca, { notBeforeMs: NOW + 1 }))],
    ['not_yet_valid', 'is looked at by a clock that is none', byCa(), Number.NaN],
    ['life_too_long', 'lives longer than the network allows', byCa({ notAfterMs: grant.notBeforeMs + DAY + 1 })],
    ['wrong_network', 'is for another network', byCa({ networkId: new Uint8Array(32) })],
    ['wrong_network', 'has an issuer for another network', byIssuer({}, issuerBy(ca, { networkId: new Uint8Array(32) }))],
    ['wrong_key', 'is of another key', byCa({ publicKey: mallory.publicKey })],
    ['roles_not_granted', 'gives what its issuer may not give', byIssuer({ roles: ['node', 'admin'] })],
    ['bad_signature', 'nobody of the network has signed', signCertificate(mallory, grant, undefined)],
    ['bad_signature', 'an issuing key has signed that it does not show', signCertificate(issuing, grant, undefined)],
    ['bad_signature', 'another key than the shown issuing key has signed', signCertificate(mallory, grant, issuerBy(ca))],
    ['bad_signature', 'the CA key has signed beside an issuing key', signCertificate(ca, grant, issuerBy(ca))],
    ['bad_signature', 'an issuing key has signed that certified itself', byIssuer({}, issuerBy(issuing))],
  ])('%s: %s', (fault, _, bytes, at = NOW) => {
    expect(verify(bytes, at)).toBe(fault);
  });

  test('has depth 3: an issuing key that was certified by an issuing key', () => {
    const second = issuerBy(issuing, { publicKey: mallory.publicKey });
    expect(verify(signCertificate(mallory, grant, second))).toBe('bad_signature');
    const member = sign(mallory, 'certificate', network.networkId, terms);
    expect(verify(pack([member, second, issuerBy(ca)].map(packable)))).toBe('malformed');
  });

  test('makes an issuing key of a member: a membership is no issuing certificate, nor the reverse', () => {
    // All that a member has, in the form of an issuer. The tag parts them even where the bodies could be taken for each other.
    const asIssuer = sign(ca, 'certificate', network.networkId, [
      1,
      network.networkId,
      issuing.publicKey,
      1,
      NOW - 1,
      NOW + DAY,
      1,
      '',
    ]);
    expect(verify(signCertificate(issuing, grant, asIssuer))).toBe('roles_not_granted');
    expect(verify(signCertificate(issuing, { ...grant, roles: ['node'] }, asIssuer))).toBe('bad_signature');
    expect(verify(pack([packable(issuerBy(ca, { publicKey: alice.publicKey }))]))).toBe('malformed');
  });

  test('has a malleated signature: S + L is no second form of it', () => {
    for (const bytes of [byCa(), byIssuer()]) {
      const { length } = bytes;
      const last = malleated(bytes.subarray(length - 64));
      expect(verify(Uint8Array.from([...bytes.subarray(0, length - 64), ...last]))).toBe('bad_signature');
    }
    const issuer = issuerBy(ca);
    const chained = parseChained(byIssuer({}, issuer));
    const bent = pack([packable({ body: chained.body, signature: malleated(chained.signature) }), packable(issuer)]);
    expect(verify(bent)).toBe('bad_signature');
  });

  test('is of a revoked key, or by a revoked issuing key; it goes by keys, whatever else is in it', () => {
    for (const bytes of [byCa(), byCa({ serial: 8 }), byIssuer()])
      expect(verify(bytes, NOW, isKey(alice.publicKey))).toBe('revoked');
    expect(verify(byIssuer(), NOW, isKey(issuing.publicKey))).toBe('revoked');
    expect(verify(byCa(), NOW, isKey(issuing.publicKey))).toMatchObject({ name: 'alice' });
  });

  test('was made for the same keys in a network with one other limit', () => {
    const other = networkOf({ ...network, limits: { ...network.limits, messageBytesMax: 2048 } });
    expect(verifyCertificate(byCa(), other, alice.publicKey, NOW, nobody)).toBe('wrong_network');
    // Nor does it help to write the other id into it: the signature was made for one network.
    const moved = pack([packable(sign(ca, 'certificate', network.networkId, terms.with(1, other.networkId)))]);
    expect(verifyCertificate(moved, other, alice.publicKey, NOW, nobody)).toBe('bad_signature');
  });

  test.each([
    ['a format that is not known', terms.with(0, 2)],
    ['a reserved address', terms.with(3, new Uint8Array(6))],
    ['no role', terms.with(7, 0)],
    ['a role that is not known', terms.with(7, 8)],
    ['an end before its start', terms.with(6, NOW - 1)],
    ['a name with a blank', terms.with(8, 'al ice')],
    ['a name of 64', terms.with(8, 'a'.repeat(64))],
    ['a field too many', [...terms, 0]],
    ['a field too few', terms.slice(0, -1)],
  ])('has %s, although a CA key has signed it', (_, values) => {
    expect(verify(pack([packable(sign(ca, 'certificate', network.networkId, values))]))).toBe('malformed');
    expect(verify(pack([packable(sign(ca, 'certificate', network.networkId, terms))]))).toMatchObject({ name: 'alice' });
  });
});

describe('the certificate of an issuing key', () => {
  const verifyOf = (bytes: Uint8Array, at = NOW, isDenied: (key: Uint8Array) => boolean = nobody): unknown =>
    verifyIssuer(bytes, network, issuing.publicKey, at, isDenied);

  test('holds, and is refused as others are', () => {
    const bytes = signIssuer(ca, issuerGrant);
    expect(verifyOf(bytes)).toMatchObject({ issuer: { name: 'office', roles: ['node', 'relay'] } });
    expect(verifyOf(bytes, NOW + 90 * DAY)).toBe('expired');
    expect(verifyOf(bytes, NOW - DAY)).toBe('not_yet_valid');
    expect(verifyOf(bytes, NOW, isKey(issuing.publicKey))).toBe('revoked');
    expect(verifyOf(signIssuer(mallory, issuerGrant))).toBe('bad_signature');
    expect(verifyOf(signIssuer(ca, { ...issuerGrant, publicKey: mallory.publicKey }))).toBe('wrong_key');
    expect(verifyOf(signIssuer(ca, { ...issuerGrant, networkId: new Uint8Array(32) }))).toBe('wrong_network');
    expect(verifyOf(byCa())).toBe('malformed');
  });

  test('is taken in one form only', () => {
    assertOnlyTakes(signIssuer(ca, issuerGrant), (bytes) => typeof verifyOf(bytes) !== 'string');
  });
});

describe('of all that can be made of a certificate', () => {
  test.each([
    ['a CA key', byCa()],
    ['an issuing key', byIssuer()],
  ])('by %s only itself is taken, and nothing throws', (_, bytes) => {
    assertOnlyTakes(bytes, (changed) => typeof verify(changed) !== 'string');
  });
});

/** The member's part of a certificate by an issuing key: behind the mark of the list. */
function parseChained(bytes: Uint8Array): Signed {
  for (let end = 2; end <= bytes.length; end++) {
    const signed = parseSigned(bytes.subarray(1, end), 1000);
    if (signed !== undefined) return signed;
  }
  throw new Error('no certificate by an issuing key');
}
