import { ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, test } from 'vitest';
import { counterNonce, open, seal } from '../../transport/overlay/aead.ts';
import { exchangeKeyOf, ExchangeKey } from '../../transport/overlay/curve.ts';
import { MESSAGE_1_OVERHEAD, MESSAGE_2_OVERHEAD, NoiseInitiator, NoiseResponder } from '../../transport/overlay/noise.ts';
import { hex, identityOf, seededRandom, toHex } from './identities.ts';
import { haveSharedVectors, orSkipped, sharedVectors } from './shared-vectors.ts';
import { disturbed } from './wire/hostile.ts';

interface Cacophony {
  readonly protocol_name: string;
  readonly init_prologue: string;
  readonly init_psks?: readonly string[];
  readonly init_static: string;
  readonly init_ephemeral: string;
  readonly init_remote_static: string;
  readonly resp_prologue: string;
  readonly resp_psks?: readonly string[];
  readonly resp_static: string;
  readonly resp_ephemeral: string;
  readonly handshake_hash: string;
  readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[];
}

const key = (name: string): ExchangeKey => new ExchangeKey(seededRandom(name)(32));
const prologue = Buffer.from('OVL1 network');
const psk = seededRandom('psk')(32);
const [alice, bob, eve] = [key('alice'), key('bob'), key('eve')];
const NOTHING = new Uint8Array(0);
/** u-coordinates of low order, canonical or not (RFC 7748 §6.1 and cr.yp.to/ecdh.html). */
const LOW_ORDER = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
].map(hex);

const initiator = (over: Partial<ConstructorParameters<typeof NoiseInitiator>[0]> = {}): NoiseInitiator =>
  new NoiseInitiator({ prologue, psk, statics: alice, remoteStatic: bob.publicKey, ephemeral: key('e1'), ...over });
const responder = (over: Partial<ConstructorParameters<typeof NoiseResponder>[0]> = {}): NoiseResponder =>
  new NoiseResponder({ prologue, psk, statics: bob, ...over });
const first = (from: NoiseInitiator, payload: Uint8Array = hex('01')): Uint8Array => from.write(payload) as Uint8Array;

describe.skipIf(!haveSharedVectors)(`cacophony's vectors${orSkipped}`, () => {
  const vectors = haveSharedVectors ? (sharedVectors('noise-ik.json') as { vectors: readonly Cacophony[] }).vectors : [];
  const vectorOf = (name: string): Cacophony => vectors.find((v) => v.protocol_name === name) as Cacophony;

  test('Noise_IKpsk2_25519_ChaChaPoly_SHA256, the handshake and what comes after it', () => {
    const v = vectorOf('Noise_IKpsk2_25519_ChaChaPoly_SHA256');
    const from = new NoiseInitiator({
      prologue: hex(v.init_prologue),
      psk: hex(v.init_psks?.[0] as string),
      statics: new ExchangeKey(hex(v.init_static)),
      remoteStatic: hex(v.init_remote_static),
      ephemeral: new ExchangeKey(hex(v.init_ephemeral)),
    });
    const to = new NoiseResponder({
      prologue: hex(v.resp_prologue),
      psk: hex(v.resp_psks?.[0] as string),
      statics: new ExchangeKey(hex(v.resp_static)),
    });
    const [m1, m2, ...rest] = v.messages as [Cacophony['messages'][0], Cacophony['messages'][0], ...Cacophony['messages']];

    const message1 = first(from, hex(m1.payload));
    expect(toHex(message1)).toBe(m1.ciphertext);
    const heard = to.read(message1);
    expect(toHex(heard?.payload)).toBe(m1.payload);
    expect(toHex(heard?.remoteStatic)).toBe(toHex(new ExchangeKey(hex(v.init_static)).publicKey));

    const answer = to.write(hex(m2.payload), new ExchangeKey(hex(v.resp_ephemeral)));
    expect(toHex(answer.message)).toBe(m2.ciphertext);
    const done = from.read(answer.message);
    expect(toHex(done?.payload)).toBe(m2.payload);
    expect(toHex(done?.handshakeHash)).toBe(v.handshake_hash);
    expect(toHex(answer.handshakeHash)).toBe(v.handshake_hash);

    expect(rest.length).toBe(4);
    rest.forEach(({ payload, ciphertext }, i) => {
      const [send, receive] = i % 2 === 0 ? [done?.sendKey, answer.receiveKey] : [answer.sendKey, done?.receiveKey];
      const nonce = counterNonce(Math.floor(i / 2));
      expect(toHex(seal(send as Uint8Array, nonce, NOTHING, hex(payload)))).toBe(ciphertext);
      expect(toHex(open(receive as Uint8Array, nonce, NOTHING, hex(ciphertext)))).toBe(payload);
    });
  });

  test('A9: a message of plain Noise_IK, which has no psk, is refused: nothing to fall back to', () => {
    const v = vectorOf('Noise_IK_25519_ChaChaPoly_SHA256');
    const to = responder({
      prologue: hex(v.resp_prologue),
      psk: new Uint8Array(32),
      statics: new ExchangeKey(hex(v.resp_static)),
    });
    expect(to.read(hex(v.messages[0]?.ciphertext as string))).toBeUndefined();
  });
});

describe('a handshake', () => {
  test('gives both sides the same two keys crosswise, the same hash, and what each other said', () => {
    for (const size of [0, 1, 64, 1000]) {
      const [from, to] = [initiator(), responder()];
      const [ask, reply] = [new Uint8Array(size).fill(1), new Uint8Array(size).fill(2)];
      const message1 = first(from, ask);
      expect(message1.length).toBe(size + MESSAGE_1_OVERHEAD);
      const heard = to.read(message1);
      expect(heard).toEqual({ remoteStatic: Buffer.from(alice.publicKey), payload: Buffer.from(ask) });
      const { message, ...theirs } = to.write(reply, key('e2'));
      expect(message.length).toBe(size + MESSAGE_2_OVERHEAD);
      const ours = from.read(message);
      expect(toHex(ours?.payload)).toBe(toHex(reply));
      expect(toHex(ours?.sendKey)).toBe(toHex(theirs.receiveKey));
      expect(toHex(ours?.receiveKey)).toBe(toHex(theirs.sendKey));
      expect(toHex(ours?.handshakeHash)).toBe(toHex(theirs.handshakeHash));
      expect(toHex(theirs.sendKey)).not.toBe(toHex(theirs.receiveKey));
    }
  });

  test('gives other keys whenever any of the two ephemerals is another', () => {
    const keys = new Set<string | undefined>();
    for (const e1 of ['a', 'b'])
      for (const e2 of ['c', 'd']) {
        const [from, to] = [initiator({ ephemeral: key(e1) }), responder()];
        to.read(first(from));
        const { sendKey, receiveKey } = to.write(NOTHING, key(e2));
        keys.add(toHex(sendKey)).add(toHex(receiveKey));
      }
    expect(keys.size).toBe(8);
  });

  test('shows neither static key on the wire', () => {
    const [from, to] = [initiator(), responder()];
    const message1 = Buffer.from(first(from));
    to.read(message1);
    const { message } = to.write(NOTHING, key('e2'));
    for (const { publicKey } of [alice, bob]) {
      expect(message1.includes(Buffer.from(publicKey))).toBe(false);
      expect(Buffer.from(message).includes(Buffer.from(publicKey))).toBe(false);
    }
  });

  test('is over when it is done: its parts take and give nothing more', () => {
    const [from, to] = [initiator(), responder()];
    const message1 = first(from);
    expect(() => from.write(NOTHING)).toThrow('message 1 is written once');
    to.read(message1);
    expect(to.read(message1)).toBeUndefined();
    const { message } = to.write(NOTHING, key('e2'));
    expect(() => to.write(NOTHING, key('e3'))).toThrow('message 2 answers a message 1');
    expect(from.read(message)).toBeDefined();
    expect(from.read(message)).toBeUndefined();
    expect(() => from.write(NOTHING)).toThrow('message 1 is written once');
  });

  test('that was given up takes no answer, and gives none', () => {
    const [from, to] = [initiator(), responder()];
    to.read(first(from));
    const { message } = to.write(NOTHING, key('e2'));
    from.close();
    expect(from.read(message)).toBeUndefined();
    const unanswered = responder();
    unanswered.read(first(initiator()));
    unanswered.close();
    expect(() => unanswered.write(NOTHING, key('e2'))).toThrow('message 2 answers a message 1');
  });

  test('has messages of at most 65535 bytes', () => {
    expect(() => initiator().write(new Uint8Array(65536 - MESSAGE_1_OVERHEAD))).toThrow('at most 65535');
    const [from, to] = [initiator(), responder()];
    const largest = first(from, new Uint8Array(65535 - MESSAGE_1_OVERHEAD));
    expect(responder().read(Buffer.concat([largest, hex('00')]))).toBeUndefined();
    expect(to.read(largest)?.payload.length).toBe(65535 - MESSAGE_1_OVERHEAD);
    expect(() => to.write(new Uint8Array(65536 - MESSAGE_2_OVERHEAD), key('e2'))).toThrow('at most 65535');
  });
});

describe('A4: a message that was cut, lengthened or changed', () => {
  test('1 is refused, each byte of it', () => {
    const message1 = first(initiator(), hex('0102030405'));
    for (const bytes of disturbed(Uint8Array.from(message1))) expect(responder().read(bytes)).toBeUndefined();
    expect(responder().read(message1)).toBeDefined();
  });

  test('2 is refused, each byte of it, and changes nothing: the true one is taken after them', () => {
    const [from, to] = [initiator(), responder()];
    to.read(first(from));
    const { message, receiveKey } = to.write(hex('0102030405'), key('e2'));
    for (const bytes of disturbed(Uint8Array.from(message))) expect(from.read(bytes)).toBeUndefined();
    expect(toHex(from.read(message)?.sendKey)).toBe(toHex(receiveKey));
  });
});

describe('attacks at the level of Noise', () => {
  test('A3: message 1 is no message 2, for its sender as little as for another, and the other way about', () => {
    const [from, to] = [initiator(), responder()];
    const message1 = first(from);
    expect(from.read(message1)).toBeUndefined();
    to.read(message1);
    const { message } = to.write(new Uint8Array(100), key('e2'));
    expect(responder().read(message)).toBeUndefined();
    expect(responder({ statics: alice }).read(message)).toBeUndefined();
    expect(responder({ statics: alice }).read(message1)).toBeUndefined();
    expect(from.read(message)).toBeDefined();
  });

  test('A6: a message 2 of yesterday answers nothing of today', () => {
    const [from, to] = [initiator(), responder()];
    to.read(first(from));
    const { message } = to.write(NOTHING, key('e2'));
    const today = initiator({ ephemeral: key('today') });
    first(today);
    expect(today.read(message)).toBeUndefined();
  });

  test('A5: a message 1 of yesterday gives keys that its replayer does not have', () => {
    const [from, to] = [initiator(), responder()];
    const message1 = first(from);
    to.read(message1);
    const then = to.write(NOTHING, key('e2'));
    const now = responder();
    expect(now.read(message1)).toBeDefined();
    const again = now.write(NOTHING, key('e3'));
    expect(toHex(again.receiveKey)).not.toBe(toHex(then.receiveKey));
    from.read(then.message);
    expect(from.read(again.message)).toBeUndefined();
  });

  test("A7: who has the responder's secret writes a message 1 in anybody's name, and cannot finish (KCI)", () => {
    // Eve has Bob's secret, and wants to be Alice for him: `ss` she gets from his secret and Alice's public key.
    const forged = { publicKey: alice.publicKey, agree: (): Uint8Array | undefined => bob.agree(alice.publicKey) };
    const from = initiator({ statics: forged, ephemeral: eve });
    const to = responder();
    const heard = to.read(first(from));
    expect(toHex(heard?.remoteStatic)).toBe(toHex(alice.publicKey));
    // For `se` she needs Alice's secret or Bob's new ephemeral one. What she has are hers and Bob's own.
    const ephemeral = key('e2');
    const { message } = to.write(NOTHING, ephemeral);
    expect(from.read(message)).toBeUndefined();
    for (const guess of [bob, eve]) {
      const sly = initiator({
        statics: {
          publicKey: alice.publicKey,
          agree: (theirs) => (toHex(theirs) === toHex(bob.publicKey) ? bob.agree(alice.publicKey) : guess.agree(theirs)),
        },
        ephemeral: eve,
      });
      first(sly);
      expect(sly.read(message)).toBeUndefined();
    }
    // The trial is a true one: with Alice's own secret the same message holds.
    const honest = initiator({ ephemeral: eve });
    first(honest);
    expect(honest.read(message)).toBeDefined();
  });

  test('A7: who has the secret of the initiator cannot be the responder for it', () => {
    const from = initiator();
    const message1 = first(from);
    expect(responder({ statics: alice }).read(message1)).toBeUndefined();
    expect(responder({ statics: eve }).read(message1)).toBeUndefined();
  });

  test('A8: an ephemeral key of low order is refused, on both sides', () => {
    for (const low of LOW_ORDER) {
      const message1 = Uint8Array.from(first(initiator()));
      message1.set(low, 0);
      expect(responder().read(message1)).toBeUndefined();
      const from = initiator({ ephemeral: { publicKey: low, agree: () => new Uint8Array(32) } });
      expect(responder().read(first(from))).toBeUndefined();

      const [asking, to] = [initiator(), responder()];
      to.read(first(asking));
      const answer = to.write(NOTHING, { publicKey: low, agree: () => new Uint8Array(32) });
      expect(asking.read(answer.message)).toBeUndefined();
    }
  });

  test('A8: a static key of low order is refused before anybody is asked about it, and nothing is sent to one', () => {
    for (const low of LOW_ORDER) {
      const from = initiator({ statics: { publicKey: low, agree: () => new Uint8Array(32) } });
      expect(responder().read(first(from))).toBeUndefined();
      expect(initiator({ remoteStatic: low }).write(NOTHING)).toBeUndefined();
    }
  });

  test('A8: the Ed25519 key that a peer names is that of its static key, or is told from it', async () => {
    const [a, b, other] = [await identityOf('a'), await identityOf('b'), await identityOf('other')];
    const from = initiator({ statics: a.exchange, remoteStatic: b.exchange.publicKey });
    const heard = responder({ statics: b.exchange }).read(first(from, other.publicKey));
    const statics = toHex(heard?.remoteStatic);
    expect(toHex(exchangeKeyOf(a.publicKey))).toBe(statics);
    expect(toHex(exchangeKeyOf(heard?.payload as Uint8Array))).not.toBe(statics);
    expect(exchangeKeyOf(ed25519.Point.fromBytes(a.publicKey).negate().toBytes())).toBeUndefined();
  });

  test('A21: with another prologue (network, descriptor, version) there is silence, in both directions', () => {
    for (const theirs of [NOTHING, Buffer.from('OVL2 network'), Buffer.from('OVL1 networks'), Buffer.from('OVL1 networ')]) {
      expect(responder({ prologue: theirs }).read(first(initiator()))).toBeUndefined();
      expect(responder().read(first(initiator({ prologue: theirs })))).toBeUndefined();
    }
  });

  test('A9: with another psk the answer does not hold, and who sent it does not have the keys', () => {
    const [from, to] = [initiator(), responder({ psk: new Uint8Array(32) })];
    expect(to.read(first(from))).toBeDefined();
    expect(from.read(to.write(NOTHING, key('e2')).message)).toBeUndefined();
  });

  test('A8: message 1 for one responder is none for another (unknown key share)', () => {
    const message1 = first(initiator());
    expect(responder({ statics: eve }).read(message1)).toBeUndefined();
    const [from, relayed] = [initiator({ remoteStatic: eve.publicKey }), responder({ statics: eve })];
    relayed.read(first(from));
    const asEve = initiator({ statics: eve });
    const to = responder();
    to.read(first(asEve));
    expect(from.read(to.write(NOTHING, key('e2')).message)).toBeUndefined();
  });
});
