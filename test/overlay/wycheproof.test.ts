/** Project Wycheproof: every case, as what our code has to do with it. */
import { hkdfSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { open, seal } from '../../transport/overlay/aead.ts';
import { ExchangeKey, verifySignature } from '../../transport/overlay/curve.ts';
import { hex, toHex } from './identities.ts';
import { haveSharedVectors, orSkipped, wycheproof } from './shared-vectors.ts';

describe.skipIf(!haveSharedVectors)(`Wycheproof${orSkipped}`, () => {
  test('X25519: every shared secret as it should be, and none where it would be zero', () => {
    const cases = wycheproof<{ public: string; private: string; shared: string }>('x25519_test.json');
    let zero = 0;
    for (const c of cases) {
      const agreed = toHex(new ExchangeKey(hex(c.private)).agree(hex(c.public)));
      const isZero = c.flags.includes('ZeroSharedSecret');
      if (isZero) zero++;
      expect(agreed, `case ${c.tcId}: ${c.comment}`).toBe(isZero ? undefined : c.shared);
    }
    expect(cases.length).toBe(518);
    expect(zero).toBeGreaterThan(20);
  });

  test('Ed25519: accepts what is valid, and nothing else', () => {
    const cases = wycheproof<{ publicKey: { pk: string }; msg: string; sig: string }>('ed25519_test.json');
    for (const c of cases) {
      const holds = verifySignature(hex(c.publicKey.pk), hex(c.msg), hex(c.sig));
      expect(holds, `case ${c.tcId}: ${c.comment}`).toBe(c.result === 'valid');
    }
    expect(cases.length).toBe(151);
  });

  test('ChaCha20-Poly1305: seals to the same bytes, opens what is valid, and nothing else', () => {
    const cases = wycheproof<{ key: string; iv: string; aad: string; msg: string; ct: string; tag: string }>(
      'chacha20_poly1305_test.json',
    );
    for (const c of cases) {
      const name = `case ${c.tcId}: ${c.comment}`;
      const opened = open(hex(c.key), hex(c.iv), hex(c.aad), hex(c.ct + c.tag));
      expect(toHex(opened), name).toBe(c.result === 'valid' ? c.msg : undefined);
      if (c.result === 'valid') expect(toHex(seal(hex(c.key), hex(c.iv), hex(c.aad), hex(c.msg))), name).toBe(c.ct + c.tag);
      else if (c.iv.length !== 24) expect(() => seal(hex(c.key), hex(c.iv), hex(c.aad), hex(c.msg)), name).toThrow();
      else expect(toHex(seal(hex(c.key), hex(c.iv), hex(c.aad), hex(c.msg))), name).not.toBe(c.ct + c.tag);
    }
    expect(cases.length).toBe(325);
  });

  test('HKDF with SHA-256, of which the chain of keys is made', () => {
    const cases = wycheproof<{ ikm: string; salt: string; info: string; size: number; okm: string }>('hkdf_sha256_test.json');
    for (const c of cases) {
      const derive = (): Uint8Array => new Uint8Array(hkdfSync('sha256', hex(c.ikm), hex(c.salt), hex(c.info), c.size));
      if (c.result === 'valid') expect(toHex(derive()), `case ${c.tcId}: ${c.comment}`).toBe(c.okm);
      else expect(derive, `case ${c.tcId}: ${c.comment}`).toThrow();
    }
    expect(cases.length).toBe(86);
  });
});
