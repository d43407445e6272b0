/**
 * What `import … from 'reprise/overlay'` gives: a node on the encrypted network by itself, without actors. Messages between machines under
 * addresses that outlive every change of IP. docs/overlay.md begins at the beginning, with the command line.
 *
 * ```ts
 * const identity = await openKeyFile('identity.pem');
 * const network = networkOf({ name: 'home', caKeys: [], addressProfile: 'standard', limits: LIMITS });
 * const trust = new PinnedTrust({ network });
 * trust.pin(keyOfTheOther);
 * await using overlay = await startOverlay({ identity, network, trust });
 * overlay.onMessage('greetings', ({ name }, bytes) => console.log(name, bytes));
 * ```
 *
 * `startNode(folder)` runs the node of a folder that `reprise net join` has made, in a network with certificates.
 *
 * `overlay()` is the port `Link` over it: messages between the nodes of a mesh, by the names in their certificates.
 *
 * ```ts
 * const link = overlay({ open: (name) => startOverlay({ identity, network, trust, name, relays }) });
 * await link.start('n1');
 * ```
 */
export {
  startOverlay,
  type Overlay,
  type OverlayOptions,
  type OverlayStatus,
  type PeerRef,
  type Pong,
} from './transport/overlay/overlay.ts';
export { startNode, type NetNode, type StartNodeOptions } from './cli/net/start-node.ts';
export { overlayLink as overlay, type OverlayLinkOptions } from './transport/overlay/link.ts';
export type { Link } from './core/ports/link.ts';
export type { KnownPeer, OverlayEvent, PeerView, RelayAddress } from './transport/overlay/node/ports.ts';
export { generateIdentity, identityFromSeed, type Identity } from './transport/overlay/identity/identity.ts';
export { openKeyFile } from './transport/overlay/identity/key-file.ts';
export { LIMITS, networkOf, type Descriptor, type Network } from './transport/overlay/trust/descriptor.ts';
export { CertificateTrust, PinnedTrust, type Trust } from './transport/overlay/trust/trust.ts';
export { DenyLists } from './transport/overlay/trust/deny-list.ts';
