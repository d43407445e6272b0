/** A newcomer asks the node that an invite names to be let in: by an overlay of its own, which ends with the answer. */
import type { Identity } from '../../transport/overlay/identity/identity.ts';
import type { Overlay, OverlayOptions } from '../../transport/overlay/overlay.ts';
import type { Invite } from '../../transport/overlay/trust/invite.ts';
import { acceptAnswer, joinRequest, type Membership } from '../../transport/overlay/trust/join.ts';
import { JoiningTrust } from '../../transport/overlay/trust/joining.ts';
import { proxyOf } from './proxy.ts';

export type StartNewcomer = (options: OverlayOptions) => Promise<Pick<Overlay, 'requestMembership' | 'stop'>>;

/** Throws NET_PEER_UNREACHABLE, NET_JOIN_REFUSED. */
export async function askToJoin(
  identity: Identity,
  invite: Invite,
  name: string,
  start: StartNewcomer = startNewcomer,
): Promise<Membership> {
  const inviter = { publicKey: Buffer.from(invite.relayKey).toString('hex'), endpoints: invite.endpoints };
  const overlay = await start({
    identity,
    network: undefined,
    trust: new JoiningTrust(invite, name),
    peers: [inviter],
    proxy: () => proxyOf(process.env),
  });
  try {
    const answer = await overlay.requestMembership(joinRequest(invite, name));
    return acceptAnswer(answer, invite, identity.publicKey, Date.now());
  } finally {
    await overlay.stop();
  }
}

const startNewcomer: StartNewcomer = async (options) =>
  (await import('../../transport/overlay/overlay.ts')).startOverlay(options);
