/** Real overlays on the loopback, in a network of pinned keys, each with its MCP part. */
import { overlayMcp } from '../../../cli/net/mcp/overlay-mcp.ts';
import type { Identity } from '../../../transport/overlay/identity/identity.ts';
import type { McpLimits } from '../../../transport/overlay/mcp/limits.ts';
import type { OverlayMcp } from '../../../transport/overlay/mcp/overlay-mcp.ts';
import { type Overlay, startOverlay } from '../../../transport/overlay/overlay.ts';
import { endpointText } from '../../../transport/overlay/paths/endpoint.ts';
import { LIMITS, networkOf } from '../../../transport/overlay/trust/descriptor.ts';
import { PinnedTrust } from '../../../transport/overlay/trust/trust.ts';
import { identityOf } from '../identities.ts';

const network = networkOf({ name: 'loopback', caKeys: [], addressProfile: 'cheap', limits: LIMITS });
const keyOf = ({ publicKey }: Identity): string => Buffer.from(publicKey).toString('hex');

export interface Machine {
  readonly overlay: Overlay;
  readonly mcp: OverlayMcp;
}

/** `knows`: whom it can reach, with where they listen. `port`: 0: any. */
export async function machine(
  name: string,
  members: readonly string[],
  knows: Readonly<Record<string, Machine>> = {},
  { port = 0, limits = {} }: { readonly port?: number; readonly limits?: Partial<McpLimits> } = {},
): Promise<Machine> {
  const trust = new PinnedTrust({ network });
  for (const member of members) trust.pin((await identityOf(member)).publicKey);
  const peers = await Promise.all(
    members.map(async (member) => ({
      publicKey: keyOf(await identityOf(member)),
      name: member,
      endpoints: knows[member]?.overlay.endpoints.map(endpointText) ?? [],
    })),
  );
  const overlay = await startOverlay({
    identity: await identityOf(name),
    network,
    trust,
    name,
    listen: [{ host: '127.0.0.1', port }],
    peers: peers.filter((peer) => peer.name !== name),
  });
  return { overlay, mcp: overlayMcp(overlay, network, { limits }) };
}
