import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, test } from 'vitest';
import { counterNonce, open, seal } from '../../transport/overlay/aead.ts';
import { exchangeKeyOf, ExchangeKey, isMemberKey, SigningKey, verifySignature } from '../../transport/overlay/curve.ts';
import { hex, identityOf, seededRandom, toHex } from './identities.ts';

const { Point } = ed25519;
const P = 2n ** 255n - 19n;
/** A point of order 8; its multiples are all eight points of small order. */
const TORSION = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');

function littleEndian(value: bigint, signBit = false): Uint8Array {
  const bytes = Buffer.from(value.toString(16).padStart(64, '0'), 'hex').toReversed();
  if (signBit) bytes[31] = (bytes[31] as number) | 0x80;
  return bytes;
}

const twinOf = (publicKey: Uint8Array): Uint8Array => Point.fromBytes(publicKey).negate().toBytes();

describe('X25519', () => {
  test('RFC 7748 §5.2: two products', () => {
    const product = (scalar: string, u: string): string | undefined => toHex(new ExchangeKey(hex(scalar)).agree(hex(u)));
    expect(
      product(
        'a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4',
        'e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c',
      ),
    ).toBe('c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552');
    expect(
      product(
        '4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d',
        'e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493',
      ),
    ).toBe('95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957');
  });

  test('RFC 7748 §5.2: one and a thousand rounds', () => {
    let [k, u] = [hex('09'.padEnd(64, '0')), hex('09'.padEnd(64, '0'))];
    const round = (): void => {
      [k, u] = [new ExchangeKey(k).agree(u) as Uint8Array, k];
    };
    round();
    expect(toHex(k)).toBe('422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079');
    for (let i = 1; i < 1000; i++) round();
    expect(toHex(k)).toBe('684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51');
  });

  test('RFC 7748 §6.1: two parties agree', () => {
    const alice = new ExchangeKey(hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'));
    const bob = new ExchangeKey(hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'));
    expect(toHex(alice.publicKey)).toBe('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a');
    expect(toHex(bob.publicKey)).toBe('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f');
    const shared = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742';
    expect(toHex(alice.agree(bob.publicKey))).toBe(shared);
    expect(toHex(bob.agree(alice.publicKey))).toBe(shared);
  });

  test('agrees with nothing that has not 32 bytes', () => {
    const key = new ExchangeKey(new Uint8Array(32).fill(7));
    for (const length of [0, 1, 31, 33, 64]) expect(key.agree(new Uint8Array(length).fill(9))).toBeUndefined();
  });

  test('keeps its secret out of what is printed, and does not need the bytes it was made from', () => {
    const secret = seededRandom('kept')(32);
    const other = new ExchangeKey(seededRandom('other')(32));
    const key = new ExchangeKey(secret);
    const agreed = key.agree(other.publicKey);
    const shown = toHex(secret) as string;
    secret.fill(0);
    expect(key.agree(other.publicKey)).toEqual(agreed);
    expect(inspect(key, { depth: 9, showHidden: true })).not.toContain(shown);
    expect(Object.keys(JSON.parse(JSON.stringify(key)) as object)).toEqual(['publicKey']);
  });
});

describe('Ed25519', () => {
  const LONG =
    '08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f54e9f77b1e355f6c50544e23fb1433ddf' +
    '73be84d879de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37c93a1b270b20329d658675fc6ea534e0810a4432826bf58c941efb65d57a338b' +
    'bd2e26640f89ffbc1a858efcb8550ee3a5e1998bd177e93a7363c344fe6b199ee5d02e82d522c4feba15452f80288a821a579116ec6dad2b3b310da9' +
    '03401aa62100ab5d1a36553e06203b33890cc9b832f79ef80560ccb9a39ce767967ed628c6ad573cb116dbefefd75499da96bd68a8a97b928a8bbc10' +
    '3b6621fcde2beca1231d206be6cd9ec7aff6f6c94fcd7204ed3455c68c83f4a41da4af2b74ef5c53f1d8ac70bdcb7ed185ce81bd84359d44254d9562' +
    '9e9855a94a7c1958d1f8ada5d0532ed8a5aa3fb2d17ba70eb6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a1f40cc24554119a831a9aad6' +
    '079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f27088d78b7e883c8759d2c4f5c65adb7553878ad575f9fad878e80a0c9ba63bcbcc2732e694' +
    '85bbc9c90bfbd62481d9089beccf80cfe2df16a2cf65bd92dd597b0707e0917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128ba' +
    'b27af87a71314f318c782b23ebfe808b82b0ce26401d2e22f04d83d1255dc51addd3b75a2b1ae0784504df543af8969be3ea7082ff7fc9888c144da2' +
    'af58429ec96031dbcad3dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9b47acdb751fb73e666c6c655ade8297297d07ad1ba5e43f1bca32301' +
    '651339e22904cc8c42f58c30c04aafdb038dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8ca61783aacec57fb3d1f92b0fe2fd1a85f672451' +
    '7b65e614ad6808d6f6ee34dff7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b68401adebf5a7e08d78ff4ef5d63653a65040cf9bfd4aca7' +
    '984a74d37145986780fc0b16ac451649de6188a7dbdf191f64b5fc5e2ab47b57f7f7276cd419c17a3ca8e1b939ae49e488acba6b965610b5480109c8' +
    'b17b80e1b7b750dfc7598d5d5011fd2dcc5600a32ef5b52a1ecc820e308aa342721aac0943bf6686b64b2579376504ccc493d97e6aed3fb0f9cd71a4' +
    '3dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5fb93246f6b1116398a346f1a641f3b041e989f7914f90cc2c7fff357876e506b50d334ba7' +
    '7c225bc307ba537152f3f1610e4eafe595f6d9d90d11faa933a15ef1369546868a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380d' +
    'b2eaaa707b4c4185c32eddcdd306705e4dc1ffc872eeee475a64dfac86aba41c0618983f8741c5ef68d3a101e8a3b8cac60c905c15fc910840b94c00' +
    'a0b9d0';
  test.each([
    [
      'TEST 1',
      '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ],
    [
      'TEST 2',
      '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ],
    [
      'TEST 3',
      'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
      'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      'af82',
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    ],
    [
      'TEST 1024',
      'f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5',
      '278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e',
      LONG,
      '0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350aa5371b1508f9f4528ecea23c436d94b5e8fcd4f681e30a6ac00a9704a188a03',
    ],
    [
      'TEST SHA(abc)',
      '833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42',
      'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
      createHash('sha512').update('abc').digest('hex'),
      'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704',
    ],
  ])('RFC 8032 §7.1: %s', (_name, seed, publicKey, message, signature) => {
    const key = new SigningKey(hex(seed));
    expect(toHex(key.publicKey)).toBe(publicKey);
    expect(toHex(key.sign(hex(message)))).toBe(signature);
    expect(verifySignature(hex(publicKey), hex(message), hex(signature))).toBe(true);
    expect(verifySignature(hex(publicKey), hex(`${message}00`), hex(signature))).toBe(false);
  });

  test('A20: a signature has one form: with the order of the group added to S it is none', () => {
    const key = new SigningKey(new Uint8Array(32).fill(1));
    const signature = key.sign(hex('abcd'));
    const s = BigInt(`0x${toHex(signature.slice(32).toReversed())}`);
    const malleated = Buffer.concat([signature.slice(0, 32), littleEndian(s + Point.Fn.ORDER)]);
    expect(verifySignature(key.publicKey, hex('abcd'), signature)).toBe(true);
    expect(verifySignature(key.publicKey, hex('abcd'), malleated)).toBe(false);
  });

  test('takes no signature under a key of small order, for which one of everything can be made', () => {
    const R = Point.BASE.multiply(7n).toBytes();
    const signature = Buffer.concat([R, littleEndian(7n)]);
    for (let n = 0n; n < 8n; n++) {
      const small = n === 0n ? Point.ZERO : TORSION.multiplyUnsafe(n);
      for (let i = 0; i < 16; i++) expect(verifySignature(small.toBytes(), Uint8Array.of(i), signature)).toBe(false);
    }
    // The lenient rule of ZIP 215 takes it: what is refused here is real.
    expect(ed25519.verify(signature, Uint8Array.of(1), Point.ZERO.toBytes(), { zip215: true })).toBe(true);
  });

  test('says no to keys and signatures of any other length', () => {
    const key = new SigningKey(new Uint8Array(32).fill(1));
    const signature = key.sign(hex('00'));
    for (const length of [0, 63]) expect(verifySignature(key.publicKey, hex('00'), signature.slice(0, length))).toBe(false);
    expect(verifySignature(key.publicKey, hex('00'), Buffer.concat([signature, hex('00')]))).toBe(false);
    for (const length of [0, 31]) expect(verifySignature(key.publicKey.slice(0, length), hex('00'), signature)).toBe(false);
    expect(verifySignature(Buffer.concat([key.publicKey, hex('00')]), hex('00'), signature)).toBe(false);
  });
});

describe('A8: the key of a member', () => {
  test('is converted as noble converts the secret: both halves of a pair belong together', async () => {
    for (const name of ['a', 'b', 'c', 'd']) {
      const identity = await identityOf(name);
      expect(toHex(exchangeKeyOf(identity.publicKey))).toBe(toHex(identity.exchange.publicKey));
      expect(isMemberKey(identity.publicKey)).toBe(true);
    }
  });

  test('is none of the eight points of small order, in any encoding', () => {
    const encodings: Uint8Array[] = [];
    for (let n = 0n; n < 8n; n++) {
      const { y } = (n === 0n ? Point.ZERO : TORSION.multiplyUnsafe(n)).toAffine();
      for (const sign of [false, true]) {
        encodings.push(littleEndian(y, sign));
        if (y + P < 2n ** 255n) encodings.push(littleEndian(y + P, sign));
      }
    }
    expect(new Set(encodings.map(toHex)).size).toBe(14);
    for (const bytes of encodings) {
      expect(exchangeKeyOf(bytes), toHex(bytes)).toBeUndefined();
      expect(isMemberKey(bytes), toHex(bytes)).toBe(false);
    }
  });

  test('is canonical: a y beyond the field is refused, though it names a point', () => {
    const points = Array.from({ length: 19 }, (_, y) => littleEndian(BigInt(y)));
    const good = points.filter((bytes) => exchangeKeyOf(bytes) !== undefined);
    expect(good.length).toBeGreaterThan(3);
    for (const bytes of good) expect(exchangeKeyOf(littleEndian(P + BigInt(bytes[0] as number)))).toBeUndefined();
  });

  test('is on the curve, and has 32 bytes', async () => {
    expect(exchangeKeyOf(littleEndian(2n))).toBeUndefined();
    const { publicKey } = await identityOf('a');
    for (const length of [0, 31]) expect(exchangeKeyOf(publicKey.slice(0, length))).toBeUndefined();
    expect(exchangeKeyOf(Buffer.concat([publicKey, hex('00')]))).toBeUndefined();
  });

  test('is not the sign twin of another: -pk has the same X25519 key, and is refused', async () => {
    const { publicKey } = await identityOf('a');
    const twin = twinOf(publicKey);
    expect(toHex(ed25519.utils.toMontgomery(twin))).toBe(toHex(ed25519.utils.toMontgomery(publicKey)));
    expect(exchangeKeyOf(twin)).toBeUndefined();
    expect(isMemberKey(twin)).toBe(false);
  });

  test('is not another with a component of small order, which agrees on the same secrets', async () => {
    const identity = await identityOf('a');
    const other = new ExchangeKey(seededRandom('other')(32));
    let met = 0;
    for (let n = 1n; n < 8n; n++) {
      const shifted = Point.fromBytes(identity.publicKey).add(TORSION.multiplyUnsafe(n)).toBytes();
      expect(isMemberKey(shifted)).toBe(false);
      const exchange = exchangeKeyOf(shifted);
      if (exchange === undefined) continue;
      met++;
      expect(toHex(exchange)).not.toBe(toHex(identity.exchange.publicKey));
      expect(toHex(other.agree(exchange))).toBe(toHex(other.agree(identity.exchange.publicKey)));
    }
    expect(met).toBeGreaterThan(0);
  });
});

describe('ChaCha20-Poly1305', () => {
  test('RFC 8439 §2.8.2', () => {
    const key = hex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f');
    const nonce = hex('070000004041424344454647');
    const aad = hex('50515253c0c1c2c3c4c5c6c7');
    const text = Buffer.from(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    );
    const sealed = seal(key, nonce, aad, text);
    expect(toHex(sealed)).toBe(
      'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36' +
        '92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116' +
        '1ae10b594f09e26a7e902ecbd0600691',
    );
    expect(open(key, nonce, aad, sealed)).toEqual(text);
  });

  test('opens nothing that was changed by a bit, cut, or sealed for other bytes beside it', () => {
    const key = new Uint8Array(32).fill(1);
    const sealed = seal(key, counterNonce(5), hex('aa'), hex('0102030405'));
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Uint8Array.from(sealed);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(open(key, counterNonce(5), hex('aa'), changed)).toBeUndefined();
    }
    for (let length = 0; length < sealed.length; length++)
      expect(open(key, counterNonce(5), hex('aa'), sealed.subarray(0, length))).toBeUndefined();
    expect(open(key, counterNonce(5), hex('ab'), sealed)).toBeUndefined();
    expect(open(key, counterNonce(6), hex('aa'), sealed)).toBeUndefined();
    expect(open(key, hex('00'), hex('aa'), sealed)).toBeUndefined();
    expect(open(key, counterNonce(5), hex('aa'), sealed)).toEqual(Buffer.from('0102030405', 'hex'));
  });

  test('has a nonce of its own for every counter, in eight bytes, little-endian', () => {
    expect(toHex(counterNonce(0))).toBe('000000000000000000000000');
    expect(toHex(counterNonce(0x01020304))).toBe('000000000403020100000000');
    expect(toHex(counterNonce(Number.MAX_SAFE_INTEGER))).toBe('00000000ffffffffffff1f00');
  });
});
