/**
 * Certificates: what a key may be in a network, from when to when.
 *
 *   on the wire  [member]                  signed by a CA key
 *                [member, issuer]          signed by an issuing key, which a CA key has certified: depth 2, and there is no form for more
 *   member       [[1, networkId, pk, address 6, serial, notBefore, notAfter, roles, name], signature]    kind `certificate`
 *   issuer       [[1, networkId, pk, serial, notBefore, notAfter, roles, name], signature]               kind `issuer`
 *
 * Times are ms since 1970, from the first to before the second. The CA key can so be kept offline, and the issuing key changed. A
 * certificate says nothing about a key that was revoked since: that is the deny list's (`deny-list.ts`), and it goes by keys, not by
 * certificates or signatures, of which there may be several.
 */
import { KEY_BYTES } from '../curve.ts';
import { ADDRESS_BYTES, addressBytes, addressFromBytes, type OverlayAddress } from '../identity/address.ts';
import { NAME_OR_NONE, pack, Unpacker } from './encoding.ts';
import { sameBytes, type Network } from './descriptor.ts';
import { ROLE_BITS_MAX, roleBits, rolesOf, type Role } from './roles.ts';
import { isSignedBy, NETWORK_ID_BYTES, packable, parseSigned, readSigned, sign, type Signed, type Signer } from './signed.ts';

/** What both kinds say of a key. */
interface Grant {
  readonly networkId: Uint8Array;
  readonly publicKey: Uint8Array;
  /** Drawn at random: a label for people and logs. */
  readonly serial: number;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** At least one. Of an issuing key: which it may give. */
  readonly roles: readonly Role[];
  /** Of the holder, for people; may be empty. */
  readonly name: string;
}

export type Issuer = Grant;

export interface Certificate extends Grant {
  /** A label that the issuer has computed from the key. */
  readonly address: OverlayAddress;
  /** Who signed it; undefined: a CA key. */
  readonly issuer: Issuer | undefined;
}

/** Why a certificate is refused, in words. */
export const CERTIFICATE_FAULTS = {
  malformed: 'it is no certificate, or was cut or changed',
  wrong_network: 'it is for another network',
  wrong_key: 'it is of another key',
  not_yet_valid: 'it is not valid yet; is the clock of this machine right?',
  expired: 'it has expired; is the clock of this machine right?',
  life_too_long: 'it is valid for longer than the network allows',
  roles_not_granted: 'it gives roles that its issuer may not give',
  revoked: 'the key, or the key that issued it, was revoked',
  bad_signature: 'no CA key of the network, and no key certified by one, has signed it',
} as const;

export type CertificateFault = keyof typeof CERTIFICATE_FAULTS;

/** Of one on the wire: both bodies with the longest names and numbers. */
export const CERTIFICATE_BYTES_MAX = 473;

const FORMAT = 1;
const NAME_MAX = 63;
const BODY_BYTES_MAX = 255;

export function signCertificate(signer: Signer, member: Omit<Certificate, 'issuer'>, issuer: Signed | undefined): Uint8Array {
  const { networkId, publicKey, address, serial, notBeforeMs, notAfterMs, roles, name } = member;
  const body = [FORMAT, networkId, publicKey, addressBytes(address), serial, notBeforeMs, notAfterMs, roleBits(roles), name];
  const chain = [sign(signer, 'certificate', networkId, body), ...(issuer === undefined ? [] : [issuer])];
  return pack(chain.map(packable));
}

/** By a CA key, for an issuing key. */
export function signIssuer(
  ca: Signer,
  { networkId, publicKey, serial, notBeforeMs, notAfterMs, roles, name }: Issuer,
): Uint8Array {
  const body = [FORMAT, networkId, publicKey, serial, notBeforeMs, notAfterMs, roleBits(roles), name];
  return pack(packable(sign(ca, 'issuer', networkId, body)));
}

/**
 * What a certificate says, if it holds: of this key, in this network, at this time, by keys that `isDenied` does not name.
 *
 * Cheap questions come first and the signatures last (0.3 ms each), so that strangers cost little. What is returned is no view into `bytes`.
 */
export function verifyCertificate(
  bytes: Uint8Array,
  network: Network,
  publicKey: Uint8Array,
  wallClockMs: number,
  isDenied: (publicKey: Uint8Array) => boolean,
): Certificate | CertificateFault {
  const chain = parseChain(bytes);
  if (chain === undefined) return 'malformed';
  const { member, memberSigned, issuerSigned } = chain;
  const { issuer } = member;
  if (!sameBytes(member.networkId, network.networkId)) return 'wrong_network';
  if (!sameBytes(member.publicKey, publicKey)) return 'wrong_key';
  if (isDenied(publicKey) || (issuer !== undefined && isDenied(issuer.publicKey))) return 'revoked';
  if (member.notAfterMs - member.notBeforeMs > network.limits.certificateLifeMs) return 'life_too_long';
  const late = timeFault(member, wallClockMs);
  if (late !== undefined) return late;
  if (issuer === undefined || issuerSigned === undefined)
    return isSignedByCa('certificate', network, memberSigned) ? member : 'bad_signature';
  const fault = issuerFault(issuer, network, wallClockMs);
  if (fault !== undefined) return fault;
  if ((roleBits(member.roles) & ~roleBits(issuer.roles)) !== 0) return 'roles_not_granted';
  const holds =
    isSignedByCa('issuer', network, issuerSigned) && isSignedBy(issuer.publicKey, 'certificate', network.networkId, memberSigned);
  return holds ? member : 'bad_signature';
}

/** An issuing key's certificate with its bytes, which go into every certificate that the key signs. */
export interface VerifiedIssuer {
  readonly issuer: Issuer;
  readonly signed: Signed;
}

/** The same for the certificate of an issuing key. */
export function verifyIssuer(
  bytes: Uint8Array,
  network: Network,
  publicKey: Uint8Array,
  wallClockMs: number,
  isDenied: (publicKey: Uint8Array) => boolean,
): VerifiedIssuer | CertificateFault {
  const signed = parseSigned(bytes, BODY_BYTES_MAX);
  const issuer = signed === undefined ? undefined : parseIssuer(signed.body);
  if (signed === undefined || issuer === undefined) return 'malformed';
  if (!sameBytes(issuer.publicKey, publicKey)) return 'wrong_key';
  if (isDenied(publicKey)) return 'revoked';
  const fault = issuerFault(issuer, network, wallClockMs);
  if (fault !== undefined) return fault;
  return isSignedByCa('issuer', network, signed) ? { issuer, signed } : 'bad_signature';
}

/** What a certificate claims. Nothing of it was verified. */
export const parseCertificate = (bytes: Uint8Array): Certificate | undefined => parseChain(bytes)?.member;

/** From here on it should be renewed: half of its life is over. */
export const renewAtMs = (certificate: Certificate): number =>
  certificate.notBeforeMs + Math.floor((validUntilMs(certificate) - certificate.notBeforeMs) / 2);

/** The first ms at which it holds no more. */
export const validUntilMs = ({ notAfterMs, issuer }: Certificate): number =>
  Math.min(notAfterMs, issuer?.notAfterMs ?? Number.POSITIVE_INFINITY);

/** Whether a CA key of the network has signed this. */
const isSignedByCa = (kind: 'certificate' | 'issuer', { caKeys, networkId }: Network, statement: Signed): boolean =>
  caKeys.some((key) => isSignedBy(key, kind, networkId, statement));

function issuerFault(issuer: Issuer, { networkId }: Network, wallClockMs: number): CertificateFault | undefined {
  return sameBytes(issuer.networkId, networkId) ? timeFault(issuer, wallClockMs) : 'wrong_network';
}

/** So written that a time which is no number is refused. */
function timeFault({ notBeforeMs, notAfterMs }: Grant, wallClockMs: number): 'not_yet_valid' | 'expired' | undefined {
  if (!(wallClockMs >= notBeforeMs)) return 'not_yet_valid';
  return wallClockMs < notAfterMs ? undefined : 'expired';
}

interface Chain {
  readonly member: Certificate;
  readonly memberSigned: Signed;
  readonly issuerSigned: Signed | undefined;
}

function parseChain(bytes: Uint8Array): Chain | undefined {
  if (bytes.length > CERTIFICATE_BYTES_MAX) return undefined;
  const from = new Unpacker(bytes);
  const [memberSigned, issuerSigned, ...more] = from.items(2, () => readSigned(from, BODY_BYTES_MAX));
  if (!from.end() || memberSigned === undefined || more.length > 0) return undefined;
  const issuer = issuerSigned === undefined ? undefined : parseIssuer(issuerSigned.body);
  if (issuer === undefined && issuerSigned !== undefined) return undefined;
  const member = parseMember(memberSigned.body, issuer);
  return member === undefined ? undefined : { member, memberSigned, issuerSigned };
}

function parseMember(body: Uint8Array, issuer: Issuer | undefined): Certificate | undefined {
  const from = new Unpacker(body);
  from.list(9);
  const whose = readWhose(from);
  const address = addressFromBytes(from.bytes(ADDRESS_BYTES));
  const grant = { ...whose, ...readTerms(from) };
  return from.end() && address !== undefined ? { ...grant, address, issuer } : undefined;
}

function parseIssuer(body: Uint8Array): Issuer | undefined {
  const from = new Unpacker(body);
  from.list(8);
  const grant = { ...readWhose(from), ...readTerms(from) };
  return from.end() ? grant : undefined;
}

function readWhose(from: Unpacker): Pick<Grant, 'networkId' | 'publicKey'> {
  if (from.uint() !== FORMAT) from.fail();
  return { networkId: from.bytes(NETWORK_ID_BYTES), publicKey: from.bytes(KEY_BYTES) };
}

function readTerms(from: Unpacker): Omit<Grant, 'networkId' | 'publicKey'> {
  const serial = from.uint();
  const notBeforeMs = from.uint();
  const notAfterMs = from.uint();
  const roles = rolesOf(from.uint(ROLE_BITS_MAX));
  const name = from.text(NAME_OR_NONE, NAME_MAX);
  if (notBeforeMs >= notAfterMs || roles.length === 0) from.fail();
  return { serial, notBeforeMs, notAfterMs, roles, name };
}
