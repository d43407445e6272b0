/**
 * Whom a node lets in: those with a certificate of the network, or those whose whole key it has pinned. Everyone else is refused.
 *
 * `authorize` is asked in every handshake before the responder answers, and again for all who are connected when a deny list was installed,
 * a pin removed or a certificate has run out. It goes by keys; the address of a node has no part in it.
 */
import { hkdfSync } from 'node:crypto';
import { assert, MeshError } from '../../../core/errors.ts';
import { isMemberKey } from '../curve.ts';
import { CERTIFICATE_FAULTS, validUntilMs, verifyCertificate, type Certificate, type CertificateFault } from './certificate.ts';
import { DenyLists } from './deny-list.ts';
import type { Network } from './descriptor.ts';
import type { Role } from './roles.ts';
import { hexOf } from '../key-text.ts';

export interface Trust {
  /** Part of the prologue of every handshake. */
  readonly networkId: Uint8Array;
  /** 32 bytes for the handshake; zeros where the network has no secret. */
  readonly psk: Uint8Array;
  /** What this node shows to others. Undefined: it is known by its key. */
  readonly certificate: Uint8Array | undefined;
  /** What a key may that shows these bytes (none: empty). `publicKey` is the Ed25519 key that the handshake has proved, or has to prove still. */
  authorize(publicKey: Uint8Array, shown: Uint8Array, wallClockMs: number): Authorization;
  /** Whether this member, who was let in, still is one: to be asked after each change of deny lists or pins, and at its `untilMs`. */
  holds(publicKey: Uint8Array, member: Member, wallClockMs: number): boolean;
}

export type Authorization = Member | Guest | Refused;

export interface Member {
  readonly type: 'member';
  readonly roles: readonly Role[];
  /** Undefined: pinned. */
  readonly certificate: Certificate | undefined;
  /** Wall clock: then ask again. Infinity: pinned. */
  readonly untilMs: number;
}

/** May ask for a certificate (`join.ts`) and nothing else: no message, no registration, no relay. Only where `guests` are let in. */
export interface Guest {
  readonly type: 'guest';
}

export interface Refused {
  readonly type: 'refused';
  readonly reason: RefusalReason;
}

export type RefusalReason = CertificateFault | 'no_certificate' | 'not_pinned' | 'not_invited';

/** At an authority: whether this key may ask it for a certificate. What is shown is a request to join, or an expired certificate. */
export interface Guests {
  admits(publicKey: Uint8Array, shown: Uint8Array, wallClockMs: number): boolean;
}

const SECRET_BYTES_MIN = 16;
export const PSK_BYTES = 32;
const MEMBERS_OF_PINS: readonly Role[] = ['node'];

/** Members are those with a certificate, and without an entry in a deny list. */
export class CertificateTrust implements Trust {
  readonly networkId: Uint8Array;
  readonly psk: Uint8Array;
  readonly denyLists: DenyLists;
  private readonly network: Network;
  private readonly guests: Guests | undefined;
  private own: Uint8Array | undefined;

  /**
   * `denyLists`: shared with whoever installs lists. `secret`: a second lock beside the certificates, the same at all members, 16 bytes or
   * more of randomness; it is no part of invites. `guests`: the authority, where this node answers requests to join.
   */
  constructor(options: {
    readonly network: Network;
    readonly denyLists?: DenyLists;
    readonly secret?: Uint8Array;
    readonly guests?: Guests;
  }) {
    const { network, denyLists = new DenyLists(network), secret, guests } = options;
    assert(network.caKeys.length > 0, `the network '${network.name}' has no CA key, so its members have to be pinned`);
    this.network = network;
    this.networkId = network.networkId;
    this.psk = presharedKey(network, secret);
    this.denyLists = denyLists;
    this.guests = guests;
  }

  get certificate(): Uint8Array | undefined {
    return this.own;
  }

  /**
   * From now on this node, which has this key, shows this certificate: at the start, and when it was renewed. Gives what it says.
   *
   * Throws: NET_CERTIFICATE_INVALID with what is wrong with it, and the one before stays.
   */
  present(certificate: Uint8Array, publicKey: Uint8Array, wallClockMs: number): Certificate {
    const own = this.verify(certificate, publicKey, wallClockMs);
    if (typeof own === 'string') {
      throw new MeshError('NET_CERTIFICATE_INVALID', `the certificate of this node does not hold: ${CERTIFICATE_FAULTS[own]}`, {
        data: { reason: own },
      });
    }
    this.own = new Uint8Array(certificate);
    return own;
  }

  /** Show these bytes unseen: the request of a newcomer, or an expired certificate that is to be renewed. Only an authority lets such in. */
  presentAsGuest(shown: Uint8Array): void {
    this.own = new Uint8Array(shown);
  }

  authorize(publicKey: Uint8Array, shown: Uint8Array, wallClockMs: number): Authorization {
    if (this.denyLists.has(publicKey)) return { type: 'refused', reason: 'revoked' };
    const certificate = shown.length === 0 ? 'no_certificate' : this.verify(shown, publicKey, wallClockMs);
    if (typeof certificate !== 'string')
      return { type: 'member', roles: certificate.roles, certificate, untilMs: validUntilMs(certificate) };
    if (this.guests?.admits(publicKey, shown, wallClockMs) === true) return { type: 'guest' };
    return { type: 'refused', reason: certificate };
  }

  holds(publicKey: Uint8Array, { certificate, untilMs }: Member, wallClockMs: number): boolean {
    const keys = [publicKey, certificate?.issuer?.publicKey].filter((key) => key !== undefined);
    return wallClockMs < untilMs && !keys.some((key) => this.denyLists.has(key));
  }

  private verify(bytes: Uint8Array, publicKey: Uint8Array, wallClockMs: number): Certificate | CertificateFault {
    return verifyCertificate(bytes, this.network, publicKey, wallClockMs, (key) => this.denyLists.has(key));
  }
}

/** Members are those whose keys stand in a list: for small meshes, without a CA. */
export class PinnedTrust implements Trust {
  readonly networkId: Uint8Array;
  readonly psk: Uint8Array;
  readonly certificate = undefined;
  private readonly pins = new Map<string, readonly Role[]>();

  /** `secret`: as of `CertificateTrust`. */
  constructor(options: { readonly network: Network; readonly secret?: Uint8Array }) {
    this.networkId = options.network.networkId;
    this.psk = presharedKey(options.network, options.secret);
  }

  /** Let this key in, with these roles. Throws NET_KEY_INVALID where no member may have it. About 1 ms. */
  pin(publicKey: Uint8Array, roles: readonly Role[] = MEMBERS_OF_PINS): void {
    if (!isMemberKey(publicKey)) {
      throw new MeshError('NET_KEY_INVALID', `no member may have the key ${hexOf(publicKey.subarray(0, 40))}`);
    }
    this.pins.set(hexOf(publicKey), roles);
  }

  /** No more. */
  unpin(publicKey: Uint8Array): void {
    this.pins.delete(hexOf(publicKey));
  }

  /** What is shown does not matter. */
  authorize(publicKey: Uint8Array): Authorization {
    const roles = this.pins.get(hexOf(publicKey));
    if (roles === undefined) return { type: 'refused', reason: 'not_pinned' };
    return { type: 'member', roles, certificate: undefined, untilMs: Number.POSITIVE_INFINITY };
  }

  holds(publicKey: Uint8Array): boolean {
    return this.pins.has(hexOf(publicKey));
  }
}

/** HKDF of the secret of a network; zeros where it has none. */
function presharedKey({ networkId }: Network, secret: Uint8Array | undefined): Uint8Array {
  if (secret === undefined) return new Uint8Array(PSK_BYTES);
  assert(secret.length >= SECRET_BYTES_MIN, `a secret has at least ${SECRET_BYTES_MIN} bytes, not ${secret.length}`);
  return new Uint8Array(hkdfSync('sha256', secret, networkId, 'OVL1/psk', PSK_BYTES));
}
