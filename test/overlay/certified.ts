/** A certified network on the loopback, the same in each process: everybody's keys follow from names, and whoever holds the CA key certifies itself. */
import { randomBytes } from 'node:crypto';
import type { Identity } from '../../transport/overlay/identity/identity.ts';
import { type Overlay, type OverlayOptions, startOverlay } from '../../transport/overlay/overlay.ts';
import { endpointText } from '../../transport/overlay/paths/endpoint.ts';
import type { RelayAddress } from '../../transport/overlay/node/ports.ts';
import { Authority } from '../../transport/overlay/trust/authority.ts';
import { DenyLists } from '../../transport/overlay/trust/deny-list.ts';
import { LIMITS, networkOf } from '../../transport/overlay/trust/descriptor.ts';
import type { Role } from '../../transport/overlay/trust/roles.ts';
import { CertificateTrust } from '../../transport/overlay/trust/trust.ts';
import { identityOf } from './identities.ts';

const ca = await identityOf('ca');
export const network = networkOf({ name: 'mesh', caKeys: [ca.publicKey], addressProfile: 'cheap', limits: LIMITS });
export const keyOf = ({ publicKey }: Identity): string => Buffer.from(publicKey).toString('hex');
/** The identity of whoever is certified under this name here. */
export const holderOf = (name: string): Promise<Identity> => identityOf(`holder of ${name}`);

/** A node whose certificate says `certified`. `options.name` is what its record claims: the same, unless it lies. */
export async function certified(
  certified: string,
  options: Partial<OverlayOptions> & { readonly roles?: readonly Role[] } = {},
): Promise<Overlay> {
  const identity = await holderOf(certified);
  const denyLists = new DenyLists(network);
  // Each of its own, so that names may differ in capitals alone.
  const authority = new Authority({ network, signer: ca, denyLists, random: (bytes) => randomBytes(bytes) });
  const { roles = ['node'], ...others } = options;
  const certificate = await authority.issue(identity.publicKey, { name: certified, roles }, Date.now());
  const trust = new CertificateTrust({ network, denyLists });
  trust.present(certificate, identity.publicKey, Date.now());
  const listen = [{ host: '127.0.0.1', port: 0 }];
  return startOverlay({ identity, network, trust, denyLists, name: certified, listen, ...others });
}

export const relayNode = (name = 'relay', options: Partial<OverlayOptions> = {}): Promise<Overlay> =>
  certified(name, { roles: ['node', 'relay'], relay: true, ...options });

export const placeOf = ({ publicKey, endpoints }: Overlay): RelayAddress => ({
  publicKey,
  endpoints: endpoints.map(endpointText),
});
