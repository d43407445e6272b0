/** By what a node is a member of its network: a certificate, which the overlay renews while it runs, or pins. */
import { isMeshError, MeshError } from '../../core/errors.ts';
import type { Identity } from '../../transport/overlay/identity/identity.ts';
import type { Authority } from '../../transport/overlay/trust/authority.ts';
import type { Certificate } from '../../transport/overlay/trust/certificate.ts';
import type { Role } from '../../transport/overlay/trust/roles.ts';
import { CertificateTrust, PinnedTrust } from '../../transport/overlay/trust/trust.ts';
import type { NetFolder, NetState } from './folder.ts';
import { nodeIdOf, revokedText } from './node-id.ts';

/** The roles of whoever has made a network. */
const FOUNDER: readonly Role[] = ['node', 'relay', 'admin'];

export type Membership = Pinned | Certified;
export interface Pinned {
  readonly kind: 'pinned';
  readonly trust: PinnedTrust;
}
export interface Certified {
  readonly kind: 'certified';
  readonly trust: CertificateTrust;
  /** It held at the start. Undefined: it had expired, and is shown to be renewed; nobody but an authority lets this node in. */
  readonly certificate: Certificate | undefined;
}

/**
 * Of the node in this folder. Where the CA key is, a certificate that does not hold any more is made anew, and kept.
 *
 * Throws NET_CERTIFICATE_INVALID; NET_KEY_REVOKED, since nobody would let it in.
 */
export async function membershipOf(folder: NetFolder, state: NetState, wallClockMs: number): Promise<Membership> {
  const { network, identity, denyLists, authority, certificate: kept } = state;
  if (network.caKeys.length === 0) return pinned(state);
  const revoked = revokedText(nodeIdOf(state, wallClockMs));
  if (revoked !== undefined) throw new MeshError('NET_KEY_REVOKED', revoked);
  const trust = new CertificateTrust({ network, denyLists, ...(authority !== undefined && { guests: authority }) });
  try {
    if (kept === undefined) throw new MeshError('NET_CERTIFICATE_INVALID', `${folder.file('certificate.bin')} is not there`);
    return { kind: 'certified', trust, certificate: trust.present(kept, identity.publicKey, wallClockMs) };
  } catch (error) {
    if (!isMeshError(error, 'NET_CERTIFICATE_INVALID')) throw error;
    if (authority !== undefined)
      return { kind: 'certified', trust, certificate: await certifiedAnew(folder, state, authority, trust, wallClockMs) };
    const { reason } = Object(error.data) as { readonly reason?: unknown };
    if (kept === undefined || reason !== 'expired') throw error;
    trust.presentAsGuest(kept);
    return { kind: 'certified', trust, certificate: undefined };
  }
}

/** What this node may be: of its certificate. Where members are pinned, whatever it likes to. */
export const rolesOf = (membership: Membership): readonly Role[] =>
  membership.kind === 'pinned' ? ['node', 'relay'] : (membership.certificate?.roles ?? []);

/** The certificate of whoever makes a network. Throws NET_NAME_TAKEN, NET_KEY_REVOKED. */
export const founderCertificate = (
  authority: Authority,
  identity: Identity,
  name: string | undefined,
  wallClockMs: number,
): Promise<Uint8Array> =>
  authority.issue(identity.publicKey, { roles: FOUNDER, ...(name !== undefined && { name }) }, wallClockMs);

async function certifiedAnew(
  folder: NetFolder,
  { identity, config }: NetState,
  authority: Authority,
  trust: CertificateTrust,
  wallClockMs: number,
): Promise<Certificate> {
  const made = await founderCertificate(authority, identity, config.name, wallClockMs);
  const certificate = trust.present(made, identity.publicKey, wallClockMs);
  await folder.saveAuthority(authority);
  await folder.saveCertificate(made);
  return certificate;
}

function pinned({ network, config }: NetState): Pinned {
  const trust = new PinnedTrust({ network });
  for (const { key, roles } of config.peers) trust.pin(Buffer.from(key, 'hex'), roles);
  return { kind: 'pinned', trust };
}
