/** A newcomer asks the node that an invite names to be let in: by an overlay of its own, which ends with the answer. */
import { isMeshError, MeshError } from '../../core/errors.ts';
import type { Identity } from '../../transport/overlay/identity/identity.ts';
import type { Overlay, OverlayOptions, OverlayStatus } from '../../transport/overlay/overlay.ts';
import type { Invite } from '../../transport/overlay/trust/invite.ts';
import { acceptAnswer, joinRequest, type Membership } from '../../transport/overlay/trust/join.ts';
import { JoiningTrust } from '../../transport/overlay/trust/joining.ts';
import { dialFaultText } from './dial-fault.ts';
import { proxyOf } from './proxy.ts';
import { hexOf } from '../../transport/overlay/key-text.ts';

export type StartNewcomer = (options: OverlayOptions) => Promise<Pick<Overlay, 'requestMembership' | 'status' | 'stop'>>;

/** Throws NET_PEER_UNREACHABLE, NET_JOIN_REFUSED. */
export async function askToJoin(
  identity: Identity,
  invite: Invite,
  name: string,
  start: StartNewcomer = startNewcomer,
): Promise<Membership> {
  const inviter = { publicKey: hexOf(invite.relayKey), endpoints: invite.endpoints };
  const overlay = await start({
    identity,
    network: undefined,
    trust: new JoiningTrust(invite, name),
    peers: [inviter],
    proxy: () => proxyOf(process.env),
  });
  try {
    const answer = await overlay.requestMembership(joinRequest(invite, name)).catch((error: unknown) => {
      throw isMeshError(error, 'NET_PEER_UNREACHABLE') ? silence(invite, overlay.status(), error) : error;
    });
    return acceptAnswer(answer, invite, identity.publicKey, Date.now());
  } finally {
    await overlay.stop();
  }
}

/** Strangers are told nothing, so silence has several meanings; what is known of the way there comes first. */
function silence({ endpoints }: Invite, { dialFaults }: Pick<OverlayStatus, 'dialFaults'>, cause: MeshError): MeshError {
  const known = dialFaults.map((fault) => `. ${dialFaultText(fault)}`).join('');
  const others = known === '' ? ': the' : '. Else the';
  return new MeshError(
    'NET_PEER_UNREACHABLE',
    `no answer from ${endpoints.join(', ')}${known}${others} node that made the invite does not run, or is not reached there; or it does not take the invite (used already by another, or expired by its clock) or the key of this folder (revoked), which it does not say. See that \`net up\` runs there and that its UDP port is open, and ask for a new invite`,
    // The overlay tells of UDP alone; and that there was no answer was said.
    { data: { cure: '' }, ...(known === '' && !cause.message.includes('did not answer') && { cause }) },
  );
}

const startNewcomer: StartNewcomer = async (options) =>
  (await import('../../transport/overlay/overlay.ts')).startOverlay(options);
