/** Frozen handshakes: bytes that §2 of docs/overlay-wire.md gives by itself (session-spec.ts), and that sessions give and take. */
import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { noDrops } from '../../../transport/overlay/drops.ts';
import { identityFromSeed } from '../../../transport/overlay/identity/identity.ts';
import type { SessionOutput } from '../../../transport/overlay/session/output.ts';
import { Sessions } from '../../../transport/overlay/session/sessions.ts';
import type { Trust } from '../../../transport/overlay/trust/trust.ts';
import { hex, toHex } from '../identities.ts';
import { specCookie, specData, specHandshake, specOpen, staticOf, type Handshake, type Party } from './session-spec.ts';

type PartyVector = Readonly<
  Record<'seed' | 'ephemeral' | 'publicKey' | 'instanceId' | 'observed' | 'certificate', string> &
    Record<'index' | 'maxDatagram', number>
>;
interface Vector {
  readonly name: string;
  readonly networkId: string;
  readonly psk: string;
  readonly initiator: PartyVector;
  readonly responder: PartyVector;
  readonly init: string;
  readonly resp: string;
  readonly keys: { readonly initiator: string; readonly responder: string };
  readonly cookie: string;
  readonly cookiePacket: string;
  readonly initWithCookie: string;
  readonly data: readonly {
    readonly from: 'initiator' | 'responder';
    readonly pn: number;
    readonly payload: string;
    readonly hex: string;
  }[];
}
const { handshakes } = JSON.parse(readFileSync('test/overlay/vectors/session.json', 'utf8')) as {
  readonly handshakes: readonly Vector[];
};

const partyOf = (of: PartyVector): Party => ({
  seed: hex(of.seed),
  ephemeral: hex(of.ephemeral),
  index: of.index,
  hello: {
    publicKey: hex(of.publicKey),
    instanceId: hex(of.instanceId),
    maxDatagram: of.maxDatagram,
    features: 0,
    observed: hex(of.observed),
    certificate: hex(of.certificate),
  },
});
const handshakeOf = (vector: Vector): Handshake => ({
  networkId: hex(vector.networkId),
  psk: hex(vector.psk),
  responderKey: hex(vector.responder.publicKey),
  initiator: partyOf(vector.initiator),
  responder: partyOf(vector.responder),
  initBytes: vector.init.length / 2,
});

/** The sessions of one side, which draws what the vector says: each kind of secret has its own length. */
async function sessionsOf(vector: Vector, side: 'initiator' | 'responder'): Promise<Sessions> {
  const of = vector[side];
  const index = Buffer.alloc(4);
  index.writeUInt32LE(of.index);
  const draws = new Map([
    [4, index],
    [8, hex(of.instanceId)],
    [32, hex(of.ephemeral)],
    [1, Buffer.alloc(1)],
  ]);
  const trust: Trust = {
    networkId: hex(vector.networkId),
    psk: hex(vector.psk),
    certificate: of.certificate === '' ? undefined : hex(of.certificate),
    authorize: () => ({ type: 'member', roles: ['node'], certificate: undefined, untilMs: Infinity }),
    holds: () => true,
  };
  return new Sessions({
    identity: await identityFromSeed(hex(of.seed), 'cheap'),
    trust,
    maxDatagram: of.maxDatagram,
    random: (bytes) => {
      const drawn = draws.get(bytes);
      if (drawn === undefined) throw new RangeError(`${bytes} random bytes are not in the vector`);
      return Uint8Array.from(drawn);
    },
    drops: noDrops(),
    wallClock: () => 0,
    observed: () => hex(of.observed),
  });
}

const datagrams = (outputs: readonly SessionOutput[]): (string | undefined)[] =>
  outputs.flatMap((output) => (output.type === 'datagram' ? [toHex(output.bytes)] : []));
const payloads = (outputs: readonly SessionOutput[]): unknown[] =>
  outputs.flatMap((output) => (output.type === 'payload' ? [[output.pn, toHex(output.bytes)]] : []));

describe.each(handshakes)('a handshake with $name', (vector) => {
  const handshake = handshakeOf(vector);

  test('is what the page says', () => {
    const { init, resp, keys, withCookie } = specHandshake(handshake);
    expect([toHex(init), toHex(resp)]).toEqual([vector.init, vector.resp]);
    expect([toHex(keys.initiator), toHex(keys.responder)]).toEqual([vector.keys.initiator, vector.keys.responder]);
    expect(toHex(specCookie(handshake, init, hex(vector.cookie)))).toBe(vector.cookiePacket);
    expect(toHex(withCookie(hex(vector.cookie)))).toBe(vector.initWithCookie);
    for (const { from, pn, payload, hex: sealed } of vector.data) {
      const to = from === 'initiator' ? handshake.responder : handshake.initiator;
      expect(toHex(specData(keys[from], to.index, pn, hex(payload)))).toBe(sealed);
      const opened = specOpen(keys[from], hex(sealed));
      expect([opened.pn, toHex(opened.payload)]).toEqual([pn, payload]);
    }
  });

  test('is what sessions send, byte by byte, and what they take', async () => {
    const [initiator, responder] = [await sessionsOf(vector, 'initiator'), await sessionsOf(vector, 'responder')];
    initiator.connect(0, vector.responder.publicKey, ['r']);
    expect(datagrams(initiator.take())).toEqual([vector.init]);
    responder.receive(0, 'i', hex(vector.init));
    responder.tick(responder.nextAt());
    expect(datagrams(responder.take())).toEqual([vector.resp]);
    initiator.receive(0, 'r', hex(vector.cookiePacket));
    expect(datagrams(initiator.take())).toEqual([vector.initWithCookie]);
    initiator.receive(0, 'r', hex(vector.resp));
    const up = initiator.take();
    expect(up).toMatchObject([{ type: 'up', maxDatagram: vector.responder.maxDatagram }, { type: 'datagram' }]);
    expect(toHex(up[0]?.type === 'up' ? up[0].observed : undefined)).toBe(vector.responder.observed);
    const [proof, ...more] = vector.data;
    expect(datagrams(up)).toEqual([proof?.hex]);
    responder.receive(0, 'i', hex(proof?.hex ?? ''));
    expect(responder.take()).toMatchObject([{ type: 'up', maxDatagram: vector.initiator.maxDatagram }]);
    for (const { from, pn, payload, hex: sealed } of more) {
      const [side, other] = from === 'initiator' ? [initiator, responder] : [responder, initiator];
      const peer = vector[from === 'initiator' ? 'responder' : 'initiator'].publicKey;
      expect(toHex(side.seal(0, peer, hex(payload))?.packet)).toBe(sealed);
      other.receive(0, 'x', hex(sealed));
      expect(payloads(other.take())).toEqual([[pn, payload]]);
    }
  });
});

test('the statics of the vectors are the converted keys', () => {
  const { identities } = JSON.parse(readFileSync('test/overlay/vectors/identity.json', 'utf8')) as {
    readonly identities: readonly { readonly seed: string; readonly exchangeSecret: string }[];
  };
  for (const { seed, exchangeSecret } of identities.slice(0, 4)) {
    const secret = Buffer.from(staticOf(hex(seed)));
    // As X25519 clamps it.
    secret[0] = (secret[0] as number) & 248;
    secret[31] = ((secret[31] as number) & 127) | 64;
    expect(toHex(secret)).toBe(exchangeSecret);
  }
});

describe('A8: a RESP of one who has the secret of the responder', () => {
  const [vector, other] = handshakes as [Vector, Vector];
  const handshake = handshakeOf(vector);
  /** What the initiator makes of the answer to its INIT, if `changed` is what the responder says. */
  async function answeredWith(changed: Partial<Party['hello']>, psk = handshake.psk): Promise<readonly SessionOutput[]> {
    const sessions = await sessionsOf(vector, 'initiator');
    sessions.connect(0, vector.responder.publicKey, ['r']);
    sessions.take();
    const { responder } = handshake;
    const said = { ...handshake, psk, responder: { ...responder, hello: { ...responder.hello, ...changed } } };
    // With another psk its mac1 still is the right one.
    const resp = psk === handshake.psk ? specHandshake(said).resp : remade(specHandshake(said).resp, vector);
    sessions.receive(0, 'r', resp);
    return sessions.take();
  }

  test('that names another key is refused, and the handshake is over', async () => {
    const twin = hex(vector.responder.publicKey);
    twin[31] = (twin[31] as number) ^ 0x80;
    for (const publicKey of [hex(other.responder.publicKey), hex(vector.initiator.publicKey), twin, new Uint8Array(32)]) {
      const outputs = await answeredWith({ publicKey });
      expect(outputs).toMatchObject([{ type: 'failed', error: { code: 'NET_PEER_REFUSED', data: { reason: 'key_mismatch' } } }]);
      expect(outputs.length).toBe(1);
    }
    expect(await answeredWith({})).toMatchObject([{ type: 'up' }, { type: 'datagram' }]);
  });

  test('and of one who does not know the secret of the network is nothing', async () => {
    expect(await answeredWith({}, new Uint8Array(32).fill(1))).toEqual([]);
  });
});

/** A RESP with the mac1 that the initiator of this vector looks for. */
function remade(resp: Uint8Array, { psk, networkId, responder }: Vector): Uint8Array {
  const key = createHash('sha256')
    .update('mac1')
    .update(hex(responder.publicKey))
    .update(hex(networkId))
    .update(hex(psk))
    .digest();
  const end = resp.length - 32;
  const bytes = Uint8Array.from(resp);
  bytes.set(createHmac('sha256', key).update(resp.subarray(0, end)).digest().subarray(0, 16), end);
  return bytes;
}
