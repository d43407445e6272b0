/** The trust of a newcomer, which has nothing of the network yet but an invite: it speaks to the node that the invite names, and to no other. */
import { sameBytes } from './descriptor.ts';
import type { Invite } from './invite.ts';
import { joinRequest } from './join.ts';
import { PSK_BYTES, type Authorization, type Member, type Trust } from './trust.ts';

/** What an invite says of its key: that it passes requests on, and answers them. */
const INVITING: Member = { type: 'member', roles: ['relay', 'admin'], certificate: undefined, untilMs: Number.POSITIVE_INFINITY };

export class JoiningTrust implements Trust {
  readonly networkId: Uint8Array;
  /** A network with a secret cannot be joined by an invite alone: nobody in it hears these handshakes. */
  readonly psk = new Uint8Array(PSK_BYTES);
  /** The request to join, which makes this node a guest at an authority. */
  readonly certificate: Uint8Array;
  private readonly relayKey: Uint8Array;

  /** `name`: under which the node is to be known; may be empty. */
  constructor(invite: Invite, name: string) {
    this.networkId = invite.networkId;
    this.relayKey = invite.relayKey;
    this.certificate = joinRequest(invite, name);
  }

  /** What is shown does not matter: the newcomer has no descriptor by which it could judge a certificate. */
  authorize(publicKey: Uint8Array): Authorization {
    return this.holds(publicKey) ? INVITING : { type: 'refused', reason: 'not_invited' };
  }

  holds(publicKey: Uint8Array): boolean {
    return sameBytes(publicKey, this.relayKey);
  }
}
