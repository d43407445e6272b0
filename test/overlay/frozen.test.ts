/**
 * Our own vectors: what two versions of Reprise, or another implementation, have to agree on. They never change. They were made with
 * other code: scrypt and the conversion of keys by Python, the handshakes by a second implementation of Noise.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ed25519 } from '@noble/curves/ed25519.js';
import { exchangeKeyOf, ExchangeKey, isMemberKey } from '../../transport/overlay/curve.ts';
import { addressOf } from '../../transport/overlay/identity/address.ts';
import { identityFromSeed, verifyStatement } from '../../transport/overlay/identity/identity.ts';
import { NoiseInitiator, NoiseResponder } from '../../transport/overlay/noise.ts';
import { hex, toHex } from './identities.ts';

const vectors = (name: string): unknown => JSON.parse(readFileSync(join(import.meta.dirname, 'vectors', name), 'utf8'));

const { identities, refused, statements } = vectors('identity.json') as {
  readonly identities: readonly Readonly<
    Record<'seed' | 'publicKey' | 'exchangeSecret' | 'exchangePublicKey' | 'address' | 'addressCheap', string>
  >[];
  readonly refused: readonly Readonly<Record<'why' | 'publicKey', string>>[];
  readonly statements: readonly Readonly<Record<'seed' | 'kind' | 'networkId' | 'bytes' | 'signature', string>>[];
};
type Handshake = Readonly<
  Record<
    | 'name'
    | 'prologue'
    | 'psk'
    | 'initiatorSeed'
    | 'responderSeed'
    | 'initiatorEphemeral'
    | 'responderEphemeral'
    | 'payload1'
    | 'message1'
    | 'payload2'
    | 'message2'
    | 'handshakeHash'
    | 'initiatorKey'
    | 'responderKey',
    string
  >
>;
const { handshakes } = vectors('noise.json') as { readonly handshakes: readonly Handshake[] };

describe('frozen vectors', () => {
  test.each(identities)('identity $publicKey', async (v) => {
    const identity = await identityFromSeed(hex(v.seed));
    expect(toHex(identity.publicKey)).toBe(v.publicKey);
    expect(identity.address).toBe(v.address);
    expect(await addressOf(hex(v.publicKey), 'cheap')).toBe(v.addressCheap);
    expect(toHex(exchangeKeyOf(hex(v.publicKey)))).toBe(v.exchangePublicKey);
    expect(toHex(ed25519.utils.toMontgomerySecret(hex(v.seed)))).toBe(v.exchangeSecret);
    expect(toHex(new ExchangeKey(hex(v.exchangeSecret)).publicKey)).toBe(v.exchangePublicKey);
    expect(toHex(identity.exchange.publicKey)).toBe(v.exchangePublicKey);
  });

  test.each(refused)('a key that no member may have: $why', ({ publicKey }) => {
    expect(exchangeKeyOf(hex(publicKey))).toBeUndefined();
    expect(isMemberKey(hex(publicKey))).toBe(false);
  });

  test.each(statements)('a statement of the kind $kind', async (v) => {
    const identity = await identityFromSeed(hex(v.seed), 'cheap');
    expect(toHex(identity.sign(v.kind, hex(v.networkId), hex(v.bytes)))).toBe(v.signature);
    expect(verifyStatement(identity.publicKey, v.kind, hex(v.networkId), hex(v.bytes), hex(v.signature))).toBe(true);
  });

  test.each(handshakes)('a handshake in $name', async (v) => {
    const [a, b] = [await identityFromSeed(hex(v.initiatorSeed), 'cheap'), await identityFromSeed(hex(v.responderSeed), 'cheap')];
    const shared = { prologue: hex(v.prologue), psk: hex(v.psk) };
    const from = new NoiseInitiator({
      ...shared,
      statics: a.exchange,
      remoteStatic: exchangeKeyOf(b.publicKey) as Uint8Array,
      ephemeral: new ExchangeKey(hex(v.initiatorEphemeral)),
    });
    const to = new NoiseResponder({ ...shared, statics: b.exchange });
    expect(toHex(from.write(hex(v.payload1)))).toBe(v.message1);
    expect(toHex(to.read(hex(v.message1))?.payload)).toBe(v.payload1);
    const { message, ...theirs } = to.write(hex(v.payload2), new ExchangeKey(hex(v.responderEphemeral)));
    expect(toHex(message)).toBe(v.message2);
    const ours = from.read(message);
    expect(toHex(ours?.payload)).toBe(v.payload2);
    expect([toHex(ours?.sendKey), toHex(ours?.receiveKey)]).toEqual([v.initiatorKey, v.responderKey]);
    expect([toHex(theirs.receiveKey), toHex(theirs.sendKey)]).toEqual([v.initiatorKey, v.responderKey]);
    expect([toHex(ours?.handshakeHash), toHex(theirs.handshakeHash)]).toEqual([v.handshakeHash, v.handshakeHash]);
  });
});
