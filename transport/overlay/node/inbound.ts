/** What peers say: messages to the user, and frames for the parts of this node. */
import { MeshError } from '../../../core/errors.ts';
import type { ConnectionOutput } from '../channels/ports.ts';
import type { Drops } from '../drops.ts';
import { CONTROL, type Frame } from '../wire/frames.ts';
import { DENY_LIST_CHANNEL, JOIN_CHANNEL } from './channels.ts';
import type { Denials } from './denials.ts';
import type { Endings } from './endings.ts';
import type { NodeOutput, Ticket } from './ports.ts';
import type { Relaying } from './relaying.ts';
import type { RemotePeer } from './remote-peer.ts';
import type { Traversal } from './traversal.ts';

export interface InboundOptions {
  readonly drops: Drops;
  readonly relaying: Relaying;
  readonly traversal: Traversal;
  readonly denials: Denials;
  readonly endings: Endings;
  readonly emit: (output: NodeOutput) => void;
}

export class Inbound {
  private readonly o: InboundOptions;

  constructor(o: InboundOptions) {
    this.o = o;
  }

  /** What came of the connection with a peer. */
  received(now: number, peer: RemotePeer, output: ConnectionOutput): void {
    switch (output.type) {
      case 'message':
        return this.onMessage(now, peer, output.channel, output.bytes);
      case 'delivered':
        this.o.emit({ type: 'delivered', peer: peer.key, ticket: ticketOf(peer, output) });
        return;
      case 'undelivered': {
        const error = new MeshError(
          'NET_UNDELIVERED',
          `a message on '${output.channel}' was given up, and ${peer.key} may not have it`,
        );
        const { key, generation } = peer;
        this.o.emit({ type: 'lost', peer: key, generation, ticket: ticketOf(peer, output), error });
        return;
      }
      case 'writable':
        this.o.emit({ type: 'writable', peer: peer.key });
        return;
      case 'control':
        if (peer.isMember) this.onControl(now, peer, output.frame);
        return;
      case 'closed':
        return this.o.endings.closed(now, peer, output);
    }
  }

  private onMessage(now: number, peer: RemotePeer, channel: string, bytes: Uint8Array): void {
    peer.trafficAt = now;
    peer.paths?.traffic(now);
    if (!peer.isMember && channel !== JOIN_CHANNEL) this.o.drops.guest_message += 1;
    else if (channel === DENY_LIST_CHANNEL) this.o.denials.install(now, bytes);
    else this.o.emit({ type: 'message', from: peer.key, channel, bytes });
  }

  private onControl(now: number, peer: RemotePeer, { code, bytes }: Extract<Frame, { readonly type: 'control' }>): void {
    switch (code) {
      case CONTROL.register:
      case CONTROL.resolve:
      case CONTROL.record:
        return this.o.relaying.control(now, peer, code, bytes);
      case CONTROL.candidates:
      case CONTROL.punch:
        return this.o.traversal.control(now, peer, code, bytes);
      case CONTROL.denylist:
        return this.o.denials.announced(now, peer, bytes);
      case CONTROL.relay:
      case CONTROL.observed:
        return;
    }
  }
}

const ticketOf = ({ generation }: RemotePeer, { channel, message }: { channel: string; message: number }): Ticket => ({
  generation,
  channel,
  number: message,
});
