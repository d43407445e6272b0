/** Project Wycheproof: every case, as what our code has to do with it. */
import { hkdfSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { open, seal } from '../../transport/overlay/aead.ts';
import { ExchangeKey, verifySignature } from '../../transport/overlay/curve.ts';
import { hex, toHex } from './identities.ts';
import { type Case, haveSharedVectors, orSkipped, wycheproof } from './shared-vectors.ts';

type Fields<Names extends string> = Case & Readonly<Record<Names, string>>;
const REFUSED = 'refused';

/** What comes of `run`, in hex; nothing and an error are both a refusal. */
function outcome(run: () => Uint8Array | undefined): string {
  try {
    return toHex(run()) ?? REFUSED;
  } catch {
    return REFUSED;
  }
}

/** Each case by its number and comment, so that a failure names those that are wrong and no others. */
const table = <C extends Case>(cases: readonly C[], of: (c: C) => unknown): unknown =>
  Object.fromEntries(cases.map((c) => [`${c.tcId} ${c.comment}`, of(c)]));

describe.skipIf(!haveSharedVectors)(`Wycheproof${orSkipped}`, () => {
  test('X25519: every shared secret as it should be, and none where it would be zero', () => {
    const cases = wycheproof('x25519_test.json') as readonly Fields<'public' | 'private' | 'shared'>[];
    const isZero = (c: Case): boolean => c.flags.includes('ZeroSharedSecret');
    expect(table(cases, (c) => outcome(() => new ExchangeKey(hex(c.private)).agree(hex(c.public))))).toEqual(
      table(cases, (c) => (isZero(c) ? REFUSED : c.shared)),
    );
    expect([cases.length, cases.filter(isZero).length]).toEqual([518, 31]);
  });

  test('Ed25519: accepts what is valid, and nothing else', () => {
    const cases = wycheproof('ed25519_test.json') as readonly (Fields<'msg' | 'sig'> & {
      readonly publicKey: { readonly pk: string };
    })[];
    expect(table(cases, (c) => verifySignature(hex(c.publicKey.pk), hex(c.msg), hex(c.sig)))).toEqual(
      table(cases, (c) => c.result === 'valid'),
    );
    expect(cases.length).toBe(151);
  });

  test('ChaCha20-Poly1305: opens what is valid, and nothing else; seals to the same bytes', () => {
    const cases = wycheproof('chacha20_poly1305_test.json') as readonly Fields<'key' | 'iv' | 'aad' | 'msg' | 'ct' | 'tag'>[];
    expect(table(cases, (c) => outcome(() => open(hex(c.key), hex(c.iv), hex(c.aad), hex(c.ct + c.tag))))).toEqual(
      table(cases, (c) => (c.result === 'valid' ? c.msg : REFUSED)),
    );
    const sealed = (c: (typeof cases)[0]): string => outcome(() => seal(hex(c.key), hex(c.iv), hex(c.aad), hex(c.msg)));
    expect(table(cases, (c) => sealed(c) === c.ct + c.tag)).toEqual(table(cases, (c) => c.result === 'valid'));
    const otherNonces = cases.filter((c) => c.flags.includes('InvalidNonceSize'));
    expect(otherNonces.map(sealed)).toEqual(otherNonces.map(() => REFUSED));
    expect([cases.length, otherNonces.length]).toEqual([325, 9]);
  });

  test('HKDF with SHA-256, of which the chain of keys is made', () => {
    const cases = wycheproof('hkdf_sha256_test.json') as readonly (Fields<'ikm' | 'salt' | 'info' | 'okm'> & {
      readonly size: number;
    })[];
    const derived = (c: (typeof cases)[0]): string =>
      outcome(() => new Uint8Array(hkdfSync('sha256', hex(c.ikm), hex(c.salt), hex(c.info), c.size)));
    expect(table(cases, derived)).toEqual(table(cases, (c) => (c.result === 'valid' ? c.okm : REFUSED)));
    expect(cases.length).toBe(86);
  });
});
