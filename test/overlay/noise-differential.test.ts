/** Our Noise against rweather/noise-c, compiled to WebAssembly: each of them in either role, and whatever is changed on the way is refused by both. */
import { createRequire } from 'node:module';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { counterNonce, open, seal } from '../../transport/overlay/aead.ts';
import { ExchangeKey } from '../../transport/overlay/curve.ts';
import { NoiseInitiator, NoiseResponder, type Transport } from '../../transport/overlay/noise.ts';
import { dice } from './simulated-link.ts';
import { seededRandom } from './identities.ts';

/** What is used of `@richardhopton/noise-c.wasm`, which has no types. Its methods throw an Error with the name of the fault. */
interface CipherState {
  EncryptWithAd(data: Uint8Array, plain: Uint8Array): Uint8Array;
  DecryptWithAd(data: Uint8Array, sealed: Uint8Array): Uint8Array;
  free(): void;
}
interface HandshakeState {
  Initialize(prologue: Uint8Array, s: Uint8Array, rs: Uint8Array | null, psk: Uint8Array): void;
  WriteMessage(payload: Uint8Array): Uint8Array;
  ReadMessage(message: Uint8Array, isPayloadNeeded: boolean): Uint8Array | null;
  GetHandshakeHash(): Uint8Array;
  GetRemotePublicKey(): Uint8Array;
  Split(): [send: CipherState, receive: CipherState];
}
interface NoiseC {
  readonly constants: { readonly NOISE_ROLE_INITIATOR: number; readonly NOISE_ROLE_RESPONDER: number };
  HandshakeState(name: string, role: number): HandshakeState;
}
type CreateNoise = (ready: (noise: NoiseC) => void) => void;

const createNoise = createRequire(import.meta.url)('@richardhopton/noise-c.wasm') as CreateNoise;
// It draws its ephemeral keys from here: the same ones in each run.
const drawn = seededRandom('noise-c');
const draws = vi.spyOn(globalThis.crypto, 'getRandomValues').mockImplementation((array) => {
  if (array instanceof Uint8Array) array.set(drawn(array.length));
  return array;
});
afterAll(() => draws.mockRestore());
const noiseC = await new Promise<NoiseC>((resolve) => createNoise(resolve));
const NAME = 'Noise_IKpsk2_25519_ChaChaPoly_SHA256';
const EMPTY = new Uint8Array(0);

interface Case {
  readonly prologue: Uint8Array;
  readonly psk: Uint8Array;
  /** Secrets. */
  readonly initiator: Uint8Array;
  readonly responder: Uint8Array;
  readonly ephemeral: Uint8Array;
  readonly payloads: readonly [Uint8Array, Uint8Array];
  readonly messages: readonly Uint8Array[];
}

/** Everything that a handshake can be given; every fourth has a psk of zeros, payloads have from 0 to 1,400 bytes. */
function caseOf(seed: number): Case {
  const random = seededRandom(`differential ${seed}`);
  const roll = dice(seed);
  const some = (most: number): Uint8Array => random(Math.floor(roll() * roll() * (most + 1)));
  return {
    prologue: some(64),
    psk: seed % 4 === 0 ? new Uint8Array(32) : random(32),
    initiator: random(32),
    responder: random(32),
    ephemeral: random(32),
    payloads: [some(1_400), some(1_400)],
    messages: Array.from({ length: 6 }, () => some(1_400)),
  };
}

const publicOf = (secret: Uint8Array): Uint8Array => new ExchangeKey(secret).publicKey;
const plain = (bytes: Uint8Array | null | undefined): number[] | undefined => (bytes ? [...bytes] : undefined);

function ours({ prologue, psk, initiator, responder, ephemeral }: Case, role: 'initiator'): NoiseInitiator;
function ours(c: Case, role: 'responder'): NoiseResponder;
function ours(
  { prologue, psk, initiator, responder, ephemeral }: Case,
  role: 'initiator' | 'responder',
): NoiseInitiator | NoiseResponder {
  if (role === 'responder') return new NoiseResponder({ prologue, psk, statics: new ExchangeKey(responder) });
  return new NoiseInitiator({
    prologue,
    psk,
    statics: new ExchangeKey(initiator),
    remoteStatic: publicOf(responder),
    ephemeral: new ExchangeKey(ephemeral),
  });
}

function theirs({ prologue, psk, initiator, responder }: Case, role: 'initiator' | 'responder'): HandshakeState {
  const { NOISE_ROLE_INITIATOR, NOISE_ROLE_RESPONDER } = noiseC.constants;
  const isInitiator = role === 'initiator';
  const state = noiseC.HandshakeState(NAME, isInitiator ? NOISE_ROLE_INITIATOR : NOISE_ROLE_RESPONDER);
  state.Initialize(prologue, isInitiator ? initiator : responder, isInitiator ? publicOf(responder) : null, psk);
  return state;
}

/** That the keys of both sides are the same, for each direction, over some messages. */
function expectOneTransport({ messages }: Case, own: Transport, other: HandshakeState): void {
  expect(plain(own.handshakeHash)).toEqual(plain(other.GetHandshakeHash()));
  const [send, receive] = other.Split();
  for (const [n, message] of messages.entries()) {
    expect(plain(open(own.receiveKey, counterNonce(n), EMPTY, send.EncryptWithAd(EMPTY, message)))).toEqual([...message]);
    expect(plain(receive.DecryptWithAd(EMPTY, seal(own.sendKey, counterNonce(n), EMPTY, message)))).toEqual([...message]);
  }
  send.free();
  receive.free();
}

const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.with(at % bytes.length, (bytes[at % bytes.length] as number) ^ 0x40);
const SEEDS = Array.from({ length: 100 }, (_, i) => i + 1);

describe('noise-c and our Noise', () => {
  test('make one handshake of ours as initiator and theirs as responder, 100 times', () => {
    for (const seed of SEEDS) {
      const c = caseOf(seed);
      const [initiator, responder] = [ours(c, 'initiator'), theirs(c, 'responder')];
      const first = initiator.write(c.payloads[0]) as Uint8Array;
      expect(plain(responder.ReadMessage(first, true))).toEqual([...c.payloads[0]]);
      expect(plain(responder.GetRemotePublicKey())).toEqual(plain(publicOf(c.initiator)));
      const second = responder.WriteMessage(c.payloads[1]);
      // Of what was changed nothing is taken, and the true one still is.
      for (const at of [seed, 7 * seed, 31 * seed]) expect(initiator.read(flipped(second, at))).toBeUndefined();
      const read = initiator.read(second);
      expect(plain(read?.payload)).toEqual([...c.payloads[1]]);
      expectOneTransport(c, read as Transport, responder);
    }
  });

  test('make one handshake of theirs as initiator and ours as responder, 100 times', () => {
    for (const seed of SEEDS) {
      const c = caseOf(1_000 + seed);
      const [initiator, responder] = [theirs(c, 'initiator'), ours(c, 'responder')];
      const first = initiator.WriteMessage(c.payloads[0]);
      for (const at of [seed, 7 * seed, 31 * seed]) expect(ours(c, 'responder').read(flipped(first, at))).toBeUndefined();
      const read = responder.read(first);
      expect(plain(read?.payload)).toEqual([...c.payloads[0]]);
      expect(plain(read?.remoteStatic)).toEqual(plain(publicOf(c.initiator)));
      const { message, ...transport } = responder.write(c.payloads[1], new ExchangeKey(c.ephemeral));
      expect(plain(initiator.ReadMessage(message, true))).toEqual([...c.payloads[1]]);
      expectOneTransport(c, transport, initiator);
    }
  });

  test('refuse what the other was given otherwise: prologue, psk, key of the responder', () => {
    for (const seed of SEEDS.slice(0, 25)) {
      const c = caseOf(2_000 + seed);
      const others: readonly Case[] = [
        { ...c, prologue: Buffer.concat([c.prologue, Uint8Array.of(0)]) },
        { ...c, responder: c.ephemeral },
      ];
      for (const other of others) {
        const first = ours(c, 'initiator').write(c.payloads[0]) as Uint8Array;
        expect(() => theirs(other, 'responder').ReadMessage(first, true)).toThrow('NOISE_ERROR_MAC_FAILURE');
        expect(ours(other, 'responder').read(theirs(c, 'initiator').WriteMessage(c.payloads[0]))).toBeUndefined();
      }
      // The psk is mixed in with message 2.
      const other = { ...c, psk: flipped(c.psk, seed) };
      const initiator = ours(c, 'initiator');
      const responder = theirs(other, 'responder');
      expect(plain(responder.ReadMessage(initiator.write(c.payloads[0]) as Uint8Array, true))).toEqual([...c.payloads[0]]);
      expect(initiator.read(responder.WriteMessage(c.payloads[1]))).toBeUndefined();
    }
  });
});
