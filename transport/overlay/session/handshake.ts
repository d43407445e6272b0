/**
 * One handshake, from either side: what is in INIT and RESP, and what is checked before it counts. Who keeps what comes of it is initiator.ts and responder.ts.
 */
import type { KeyObject } from 'node:crypto';
import { ExchangeKey, exchangeKeyOf, KEY_BYTES } from '../curve.ts';
import type { Identity } from '../identity/identity.ts';
import { NoiseInitiator, NoiseResponder, type Transport } from '../noise.ts';
import { CERTIFICATE_BYTES_MAX } from '../trust/certificate.ts';
import type { Authorization, Guest, Member, RefusalReason, Trust } from '../trust/trust.ts';
import { buildHello, helloBytes, OBSERVED_BYTES_MAX, parseHello, type Hello } from '../wire/hello.ts';
import {
  INIT_HEADER_BYTES,
  initPadding,
  MAC_BYTES,
  mac1At,
  mac2At,
  RESP_HEADER_BYTES,
  RESP_OVERHEAD_BYTES,
  buildPacket,
  type CookiePacket,
  type InitPacket,
  type RespPacket,
} from '../wire/packets.ts';
import { assert } from '../../../core/errors.ts';
import { cookieTagKey, mac, mac1Key, macKey, sameMac } from './macs.ts';
import type { PathId } from '../source.ts';

/** This node, as handshakes need it. */
export interface Own {
  readonly identity: Identity;
  readonly trust: Trust;
  /** Bytes of the longest datagram that it takes. */
  readonly maxDatagram: number;
  readonly random: (bytes: number) => Uint8Array;
}

/** The other side, as an INIT to it needs it. */
export interface InitTarget {
  /** Ed25519. */
  readonly publicKey: Uint8Array;
  /** X25519, of the same key. */
  readonly exchangeKey: Uint8Array;
  /** 8 bytes that this node has drawn for it. */
  readonly ownInstanceId: Uint8Array;
}

/** What a handshake has shown of the other side. For a responder it is only proved by a packet under the new keys. */
export interface Shown {
  readonly instanceId: Uint8Array;
  readonly maxDatagram: number;
  /** How it sees this node, where it told. */
  readonly observed: Uint8Array;
  readonly authorization: Member | Guest;
}

const NOTHING = new Uint8Array(0);
const NO_MAC = new Uint8Array(MAC_BYTES);
/** Payload of the longest RESP: where this node shows a certificate the other one does too, and its may be longer. */
const OBSERVED_MAX = new Uint8Array(OBSERVED_BYTES_MAX);
const ANSWER_WITHOUT_CERTIFICATE = helloBytes({ observed: OBSERVED_MAX, certificate: NOTHING });
const ANSWER_BYTES_MAX = helloBytes({ observed: OBSERVED_MAX, certificate: new Uint8Array(CERTIFICATE_BYTES_MAX) });
/** Intervals of transmissions, in ms: each is varied by a fifth either way. */
const RETRANSMIT_MS = [250, 500, 1000, 2000, 4000] as const;
const JITTER = 0.2;
/** Between two transmissions, whoever asks for one. */
const AGAIN_MIN_MS = 100;
export const HANDSHAKE_MS = 10_000;

export interface Datagram {
  readonly to: PathId;
  readonly bytes: Uint8Array;
}

/** An INIT of this node that waits for its RESP. */
export class Initiation {
  /** By which the RESP names it, and packets under the keys that it gives. */
  readonly index: number;
  readonly startedAt: number;
  /** Whether a key that is there is known to be of no use, so that the new one takes its place whoever made it. */
  readonly replaces: boolean;
  /** When an INIT of the peer was first put off for this one. */
  crossedAt: number | undefined;
  private readonly own: Own;
  private readonly peer: Uint8Array;
  private readonly noise: NoiseInitiator;
  private readonly init: Uint8Array;
  /** The paths that it goes by, each with the cookie that it wants. */
  private readonly paths = new Map<PathId, Uint8Array | undefined>();
  /** Paths on which a COOKIE came since the last transmission: one more is nothing new. */
  private readonly answeredByCookie = new Set<PathId>();
  private transmissions = 0;
  private transmitAt: number;
  private transmittedAt = Number.NEGATIVE_INFINITY;

  private constructor(
    own: Own,
    peer: Uint8Array,
    noise: NoiseInitiator,
    init: Uint8Array,
    index: number,
    now: number,
    replaces: boolean,
  ) {
    this.own = own;
    this.peer = peer;
    this.noise = noise;
    this.init = init;
    this.index = index;
    this.startedAt = now;
    this.transmitAt = now;
    this.replaces = replaces;
  }

  static begin(now: number, own: Own, peer: InitTarget, index: number, replaces: boolean): Initiation {
    const noise = new NoiseInitiator({
      ...partiesOf(own),
      remoteStatic: peer.exchangeKey,
      ephemeral: newEphemeral(own),
    });
    const hello = helloOf(own, peer.ownInstanceId, NOTHING);
    const padding = initPadding(
      helloBytes(hello),
      hello.certificate.length === 0 ? ANSWER_WITHOUT_CERTIFICATE : ANSWER_BYTES_MAX,
    );
    assert(padding !== undefined, 'a hello with the longest certificate fits in a handshake');
    const message = noise.write(buildHello(hello, padding));
    assert(message !== undefined, 'a key that was converted is not of low order');
    const init = buildPacket({
      type: 'init',
      sender: index,
      ephemeral: message.subarray(0, KEY_BYTES),
      sealedStatic: message.subarray(KEY_BYTES, 2 * KEY_BYTES + MAC_BYTES),
      sealedPayload: message.subarray(2 * KEY_BYTES + MAC_BYTES),
      mac1: NO_MAC,
      mac2: NO_MAC,
    });
    setMac1(init, mac1Key(peer.publicKey, own.trust.networkId, own.trust.psk));
    return new Initiation(own, peer.publicKey, noise, init, index, now, replaces);
  }

  /** The INIT on a path that it did not go by yet. */
  add(paths: readonly PathId[]): Datagram[] {
    const added = paths.filter((path) => !this.paths.has(path));
    for (const path of added) this.paths.set(path, undefined);
    return added.map((path) => this.datagram(path));
  }

  /** When it has something to do: to send its INIT again, or to give up. */
  get nextAt(): number {
    return Math.min(this.transmitAt, this.startedAt + HANDSHAKE_MS);
  }

  /** The INIT on all paths, if it is time. Undefined: it has failed. */
  tick(now: number): Datagram[] | undefined {
    if (now >= this.startedAt + HANDSHAKE_MS) return undefined;
    if (now < this.transmitAt) return [];
    const interval = RETRANSMIT_MS[this.transmissions];
    const [byte = 0] = this.own.random(1);
    this.transmitAt = interval === undefined ? Infinity : now + interval * (1 - JITTER + (2 * JITTER * byte) / 255);
    this.transmissions += 1;
    return this.transmit(now);
  }

  /** The INIT on all paths once more, beside those that come by themselves: there is a reason to hope. */
  again(now: number): Datagram[] {
    return now < this.transmittedAt + AGAIN_MIN_MS ? [] : this.transmit(now);
  }

  /**
   * A COOKIE: the INIT again, with mac2. Undefined: it is not the peer's answer to this INIT, or there was one since the last transmission, so
   * that one COOKIE makes one INIT however often it is replayed.
   */
  cookie(from: PathId, { cookie, tag }: CookiePacket): Datagram | undefined {
    const mac1 = this.init.subarray(mac1At(this.init.length), mac2At(this.init.length));
    if (!this.paths.has(from) || this.answeredByCookie.has(from)) return undefined;
    if (!sameMac(tag, mac(cookieTagKey(this.peer), cookie, mac1))) return undefined;
    this.answeredByCookie.add(from);
    this.paths.set(from, Uint8Array.from(cookie));
    return this.datagram(from);
  }

  /**
   * Takes the RESP. `resp_invalid`: it is none to this INIT, and the true one may still come. `key_mismatch` and `refused` are final:
   * it is the peer that answered, and it is not let in.
   */
  read(
    bytes: Uint8Array,
    wallClockMs: number,
  ):
    | { readonly transport: Transport; readonly shown: Shown }
    | 'resp_invalid'
    | 'key_mismatch'
    | { readonly refused: RefusalReason } {
    const { trust } = this.own;
    const key = mac1Key(this.peer, trust.networkId, trust.psk);
    const end = mac1At(bytes.length);
    if (!sameMac(bytes.subarray(end, mac2At(bytes.length)), mac(key, bytes.subarray(0, end)))) return 'resp_invalid';
    const transport = this.noise.read(bytes.subarray(RESP_HEADER_BYTES, end));
    if (transport === undefined) return 'resp_invalid';
    const hello = parseHello(transport.payload);
    if (hello === undefined || !sameMac(hello.publicKey, this.peer)) return 'key_mismatch';
    const authorization = trust.authorize(this.peer, hello.certificate, wallClockMs);
    return authorization.type === 'refused'
      ? { refused: authorization.reason }
      : { transport, shown: shownIn(hello, authorization) };
  }

  /** Gives it up: its secrets are gone. */
  close(): void {
    this.noise.close();
  }

  private transmit(now: number): Datagram[] {
    this.transmittedAt = now;
    this.answeredByCookie.clear();
    return [...this.paths.keys()].map((path) => this.datagram(path));
  }

  /** The INIT for a path now. */
  datagram(to: PathId): Datagram {
    const bytes = Uint8Array.from(this.init);
    const cookie = this.paths.get(to);
    const at = mac2At(bytes.length);
    if (cookie !== undefined) bytes.set(mac(macKey(cookie), bytes.subarray(0, at)), at);
    return { to, bytes };
  }
}

/** An INIT that was read and may be answered. */
export interface ReceivedInit {
  readonly publicKey: Uint8Array;
  readonly exchangeKey: Uint8Array;
  readonly shown: Shown;
  /** The RESP, once. Undefined: it would be longer than the INIT. `instanceId`: 8 bytes that this node has drawn for the peer. */
  answer(
    index: number,
    instanceId: Uint8Array,
    observed: Uint8Array,
  ): { readonly transport: Transport; readonly resp: Uint8Array } | undefined;
  /** Leaves it unanswered. */
  close(): void;
}

export type InitFault = 'init_invalid' | 'own_key' | 'key_mismatch' | 'refused';

/** Reads an INIT (two agreements, and what `authorize` costs). Its mac1 was checked. Nothing in it is fresh: it may be a replay. */
export function readInit(own: Own, init: InitPacket, bytes: Uint8Array, wallClockMs: number): ReceivedInit | InitFault {
  const noise = new NoiseResponder(partiesOf(own));
  const read = noise.read(bytes.subarray(INIT_HEADER_BYTES, mac1At(bytes.length)));
  if (read === undefined) return 'init_invalid';
  const received = checkedInit(own, read.remoteStatic, read.payload, wallClockMs);
  if (typeof received === 'string') {
    noise.close();
    return received;
  }
  const { hello, authorization } = received;
  const publicKey = Uint8Array.from(hello.publicKey);
  return {
    publicKey,
    exchangeKey: read.remoteStatic,
    shown: shownIn(hello, authorization),
    answer: (index, instanceId, observed) => {
      const answer = helloOf(own, instanceId, observed);
      if (RESP_OVERHEAD_BYTES + helloBytes(answer) > bytes.length) {
        noise.close();
        return undefined;
      }
      const { message, ...transport } = noise.write(buildHello(answer, 0), newEphemeral(own));
      const resp = respOf(index, init.sender, message);
      setMac1(resp, mac1Key(own.identity.publicKey, own.trust.networkId, own.trust.psk));
      return { transport, resp };
    },
    close: () => noise.close(),
  };
}

function checkedInit(
  { identity, trust }: Own,
  remoteStatic: Uint8Array,
  payload: Uint8Array,
  wallClockMs: number,
): { readonly hello: Hello; readonly authorization: Member | Guest } | InitFault {
  const hello = parseHello(payload);
  if (hello === undefined) return 'init_invalid';
  if (sameMac(remoteStatic, identity.exchange.publicKey)) return 'own_key';
  const exchangeKey = exchangeKeyOf(hello.publicKey);
  if (exchangeKey === undefined || !sameMac(exchangeKey, remoteStatic)) return 'key_mismatch';
  const authorization: Authorization = trust.authorize(hello.publicKey, hello.certificate, wallClockMs);
  return authorization.type === 'refused' ? 'refused' : { hello, authorization };
}

function respOf(sender: number, receiver: number, message: Uint8Array): Uint8Array {
  const packet: RespPacket = {
    type: 'resp',
    sender,
    receiver,
    ephemeral: message.subarray(0, KEY_BYTES),
    sealedPayload: message.subarray(KEY_BYTES),
    mac1: NO_MAC,
    mac2: NO_MAC,
  };
  return buildPacket(packet);
}

const partiesOf = ({ identity, trust }: Own) => ({
  prologue: Buffer.concat([Buffer.from('OVL1'), trust.networkId]),
  psk: trust.psk,
  statics: identity.exchange,
});

function newEphemeral({ random }: Own): ExchangeKey {
  const secret = random(KEY_BYTES);
  const key = new ExchangeKey(secret);
  secret.fill(0);
  return key;
}

const helloOf = ({ identity, trust, maxDatagram }: Own, instanceId: Uint8Array, observed: Uint8Array): Hello => ({
  publicKey: identity.publicKey,
  instanceId,
  maxDatagram,
  features: 0,
  observed,
  certificate: trust.certificate ?? NOTHING,
});

const shownIn = ({ instanceId, maxDatagram, observed }: Hello, authorization: Member | Guest): Shown => ({
  instanceId: Uint8Array.from(instanceId),
  maxDatagram,
  observed: Uint8Array.from(observed),
  authorization,
});

function setMac1(packet: Uint8Array, key: KeyObject): void {
  packet.set(mac(key, packet.subarray(0, mac1At(packet.length))), mac1At(packet.length));
}
