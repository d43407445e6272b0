/** Who a node is, as `net id` says it. */
import { createHash } from 'node:crypto';
import { parseCertificate, renewAtMs, validUntilMs } from '../../transport/overlay/trust/certificate.ts';
import type { Role } from '../../transport/overlay/trust/roles.ts';
import type { NetState } from './folder.ts';
import { hexOf } from '../../transport/overlay/key-text.ts';

export interface NodeId {
  readonly name: string | undefined;
  readonly address: string;
  /** Ed25519, hex. */
  readonly key: string;
  readonly fingerprint: string;
  readonly network: { readonly name: string; readonly id: string; readonly kind: 'certified' | 'pinned' };
  /** The CA key is in this folder. */
  readonly isAuthority: boolean;
  /** Its key stands in a deny list that is known here. */
  readonly isRevoked: boolean;
  /** That list; undefined: it stands in none. */
  readonly revokedBy: Revocation | undefined;
  readonly certificate: CertificateView | undefined;
}

/** A deny list: of which CA key (hex), and its number. */
export interface Revocation {
  readonly authority: string;
  readonly list: number;
}

/** What a certificate says; times in ms since 1970. */
export interface CertificateView {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly notBefore: number;
  readonly notAfter: number;
  readonly renewAt: number;
  readonly isValid: boolean;
}

export function nodeIdOf(
  { network, identity, config, certificate, authority, denyLists }: NetState,
  wallClockMs: number,
): NodeId {
  const [denying] = denyLists.denying(identity.publicKey);
  const shown = certificate === undefined ? undefined : certificateView(certificate, wallClockMs);
  return {
    name: shown === undefined || shown.name === '' ? config.name : shown.name,
    address: identity.address,
    key: hexOf(identity.publicKey),
    fingerprint: fingerprintOf(identity.publicKey),
    network: { name: network.name, id: hexOf(network.networkId), kind: network.caKeys.length === 0 ? 'pinned' : 'certified' },
    isAuthority: authority !== undefined,
    isRevoked: denying !== undefined,
    revokedBy: denying === undefined ? undefined : { authority: denying.caKey, list: denying.number },
    certificate: shown,
  };
}

/** That nobody lets this node in any more, and by which list; undefined: that is not known. */
export function revokedText({ network, revokedBy }: Pick<NodeId, 'network' | 'revokedBy'>): string | undefined {
  if (revokedBy === undefined) return undefined;
  const { authority, list } = revokedBy;
  return `this node was revoked, for good, by deny list ${list} of the authority of '${network.name}' (key ${authority.slice(0, 12)}…)`;
}

/** What is left to do then. */
export const REVOKED_CURE =
  '`reprise net join INVITE --dir FOLDER`, with a new invite and a new folder, makes another node of this machine';

/** Undefined: it is none. */
function certificateView(bytes: Uint8Array, wallClockMs: number): CertificateView | undefined {
  const certificate = parseCertificate(bytes);
  if (certificate === undefined) return undefined;
  const { name, roles, notBeforeMs } = certificate;
  const notAfter = validUntilMs(certificate);
  const isValid = wallClockMs >= notBeforeMs && wallClockMs < notAfter;
  return { name, roles, notBefore: notBeforeMs, notAfter, renewAt: renewAtMs(certificate), isValid };
}

/** First 16 bytes of the SHA-256 of the key in base32 (RFC 4648), in groups of four that two people can read to each other. */
export function fingerprintOf(publicKey: Uint8Array): string {
  const bits = [...createHash('sha256').update(publicKey).digest().subarray(0, FINGERPRINT_BYTES)]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('');
  const letters = bits.match(/.{1,5}/g)?.map((five) => BASE32[Number.parseInt(five.padEnd(5, '0'), 2)] ?? '') ?? [];
  return (
    letters
      .join('')
      .match(/.{1,4}/g)
      ?.join('-') ?? ''
  );
}

const FINGERPRINT_BYTES = 16;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
