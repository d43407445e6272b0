/** Who a node is, as `net id` says it. */
import { createHash } from 'node:crypto';
import { parseCertificate, renewAtMs, validUntilMs } from '../../transport/overlay/trust/certificate.ts';
import type { Role } from '../../transport/overlay/trust/roles.ts';
import type { NetState } from './folder.ts';

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
  readonly certificate: CertificateView | undefined;
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
  const shown = certificate === undefined ? undefined : certificateView(certificate, wallClockMs);
  return {
    name: shown === undefined || shown.name === '' ? config.name : shown.name,
    address: identity.address,
    key: hex(identity.publicKey),
    fingerprint: fingerprintOf(identity.publicKey),
    network: { name: network.name, id: hex(network.networkId), kind: network.caKeys.length === 0 ? 'pinned' : 'certified' },
    isAuthority: authority !== undefined,
    isRevoked: denyLists.has(identity.publicKey),
    certificate: shown,
  };
}

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

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
