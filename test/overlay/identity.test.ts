import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { addressOf, type OverlayAddress } from '../../transport/overlay/identity/address.ts';
import { generateIdentity, identityFromSeed, verifyStatement } from '../../transport/overlay/identity/identity.ts';
import { SigningKey, verifySignature } from '../../transport/overlay/curve.ts';
import { hex, identityOf, seededRandom, toHex } from './identities.ts';

const network = seededRandom('network')(32);
const bytes = hex('010203');

describe('an identity', () => {
  test('is a key whose sign bit is clear, whatever is drawn, and its address', async () => {
    for (let i = 0; i < 20; i++) {
      const identity = await generateIdentity(seededRandom(i), 'cheap');
      expect((identity.publicKey[31] as number) & 0x80).toBe(0);
      expect(identity.address).toBe(await addressOf(identity.publicKey, 'cheap'));
    }
  });

  test('is drawn anew when its address is reserved', async () => {
    let asked = 0;
    const identity = await generateIdentity(seededRandom('reserved'), 'cheap', (publicKey, profile) =>
      ++asked < 3 ? Promise.resolve<OverlayAddress | undefined>(undefined) : addressOf(publicKey, profile),
    );
    expect(asked).toBe(3);
    expect(identity.publicKey).not.toEqual((await generateIdentity(seededRandom('reserved'), 'cheap')).publicKey);
  });

  test('comes back from its seed, and no seed outlives the drawing of it', async () => {
    const drawn: Uint8Array[] = [];
    const seeds: Uint8Array[] = [];
    const random = seededRandom('seed');
    const identity = await generateIdentity((n) => {
      const seed = random(n);
      drawn.push(seed);
      seeds.push(Uint8Array.from(seed));
      return seed;
    }, 'cheap');
    expect(drawn.every((seed) => seed.every((byte) => byte === 0))).toBe(true);
    const again = await identityFromSeed(seeds.at(-1) as Uint8Array, 'cheap');
    expect(toHex(again.publicKey)).toBe(toHex(identity.publicKey));
    expect(toHex(again.exchange.publicKey)).toBe(toHex(identity.exchange.publicKey));
    expect(again.address).toBe(identity.address);
  });

  test('is refused for a seed whose key no node may have', async () => {
    const random = seededRandom('half');
    let refused = 0;
    for (let i = 0; i < 20; i++) {
      const seed = random(32);
      const isSet = ((new SigningKey(seed).publicKey[31] as number) & 0x80) !== 0;
      if (!isSet) continue;
      refused++;
      await expect(identityFromSeed(seed, 'cheap')).rejects.toMatchObject({ code: 'NET_KEY_INVALID' });
    }
    expect(refused).toBeGreaterThan(3);
  });

  test('shows its secret to nobody who prints it', async () => {
    const seed = await seedOf('printed');
    const identity = await identityFromSeed(seed, 'cheap');
    const shown = inspect(identity, { depth: 9, showHidden: true }) + JSON.stringify(identity);
    for (const form of ['hex', 'base64', 'base64url'] as const) expect(shown).not.toContain(Buffer.from(seed).toString(form));
  });
});

describe('a statement', () => {
  test('is signed under OVL1/, its kind, a zero byte and the network', async () => {
    const identity = await identityOf('signer');
    const signature = identity.sign('certificate', network, bytes);
    const signed = Buffer.concat([Buffer.from('OVL1/certificate\0', 'latin1'), network, bytes]);
    expect(verifySignature(identity.publicKey, signed, signature)).toBe(true);
    expect(verifyStatement(identity.publicKey, 'certificate', network, bytes, signature)).toBe(true);
  });

  test('A20: is none of another kind, another network, other bytes or another key', async () => {
    const [identity, other] = [await identityOf('signer'), await identityOf('other')];
    const signature = identity.sign('record', network, bytes);
    const otherNetwork = seededRandom('other network')(32);
    expect(verifyStatement(identity.publicKey, 'record', network, bytes, signature)).toBe(true);
    expect(verifyStatement(identity.publicKey, 'certificate', network, bytes, signature)).toBe(false);
    expect(verifyStatement(identity.publicKey, 'recor', network, bytes, signature)).toBe(false);
    expect(verifyStatement(identity.publicKey, 'record', otherNetwork, bytes, signature)).toBe(false);
    expect(verifyStatement(identity.publicKey, 'record', network, hex('01020300'), signature)).toBe(false);
    expect(verifyStatement(other.publicKey, 'record', network, bytes, signature)).toBe(false);
    expect(verifyStatement(identity.publicKey, 'record', network, bytes, signature.subarray(1))).toBe(false);
    expect(verifyStatement(new Uint8Array(3), 'record', network, bytes, signature)).toBe(false);
  });

  test('has a kind that is one word, and a network of 32 bytes: all else is a fault of ours', async () => {
    const identity = await identityOf('signer');
    for (const kind of ['', 'Record', 'a\0b', 'a b', '-', 'x'.repeat(33)])
      expect(() => identity.sign(kind, network, bytes)).toThrow('is no kind of statement');
    expect(() => identity.sign('record', network.subarray(1), bytes)).toThrow('a network id has 32 bytes, not 31');
  });
});

/** A seed that an identity may be made of. */
async function seedOf(name: string): Promise<Uint8Array> {
  const random = seededRandom(name);
  let last = new Uint8Array(0);
  await generateIdentity((n) => {
    const seed = random(n);
    last = Uint8Array.from(seed);
    return seed;
  }, 'cheap');
  return last;
}
