/**
 * How what is between this node and a peer ends.
 *
 *   in order     closed -> it lingers, for what has to be told again -> forget
 *   at once      silence, idleness, a refusal, keys or lists that shut it out -> forget
 *
 * Either way what was under way is told as lost, and 'peer_down' once.
 */
import { MeshError } from '../../../core/errors.ts';
import type { ConnectionOutput } from '../channels/ports.ts';
import { EXPELLED } from '../channels/violations.ts';
import type { Drops } from '../drops.ts';
import type { OverlayAddress } from '../identity/address.ts';
import type { PublicKey } from '../key-text.ts';
import type { Sessions } from '../session/sessions.ts';
import type { Carrier } from './carrier.ts';
import { DENY_LIST_CHANNEL } from './channels.ts';
import type { NodeOutput } from './ports.ts';
import type { Relaying } from './relaying.ts';
import type { RemotePeer } from './remote-peer.ts';
import type { Steering } from './steering.ts';
import type { Traversal } from './traversal.ts';

/** After its end a connection stays for what its peer still sends. */
const LINGER_MS = 3_000;
/** For the proof of one that has come again at the end of this time. */
const PROOF_MS = 1_000;
/** Peers of which it is remembered that they have shut this node out; the oldest give way. */
const EXPELLED_BY_MAX = 256;

export interface EndingsOptions {
  readonly peers: Map<PublicKey, RemotePeer>;
  readonly addresses: Map<PublicKey, OverlayAddress>;
  readonly sessions: Sessions;
  readonly drops: Drops;
  readonly carrier: Carrier;
  readonly relaying: Relaying;
  readonly traversal: Traversal;
  readonly steering: Steering;
  readonly nameOf: (peer: RemotePeer) => string;
  readonly emit: (output: NodeOutput) => void;
  readonly touch: (peer: RemotePeer) => void;
  /** Nothing is due for it any more. */
  readonly dismiss: (peer: RemotePeer) => void;
}

export class Endings {
  /** Who has said that this node is no member any more, and was not reached since. */
  readonly expelledBy = new Set<PublicKey>();
  private readonly o: EndingsOptions;

  constructor(o: EndingsOptions) {
    this.o = o;
  }

  /** This node stops: says so to one peer. */
  goodbye(now: number, peer: RemotePeer): void {
    if (peer.isUp) peer.connection.close(now);
    else this.forget(now, peer, 'this node stops');
    this.o.touch(peer);
  }

  /** Its connection has ended, by either side or by itself. */
  closed(now: number, peer: RemotePeer, { reason, code }: Extract<ConnectionOutput, { readonly type: 'closed' }>): void {
    const isExpelled = reason === 'peer' && code === EXPELLED;
    if (isExpelled) this.shutOutBy(peer.key);
    const detail = isExpelled ? 'it says that this node is no member any more' : code === 0 ? reason : `${reason} (${code})`;
    this.lose(peer, new MeshError('NET_CLOSED', `the association with ${peer.key} has ended: ${detail}`));
    if (reason === 'silence') return this.forget(now, peer, 'it does not answer');
    // It may have to be told again: by its keys, as long as they are here.
    this.o.sessions.retire(peer.key);
    peer.endsAt = now + LINGER_MS;
    peer.isAwaited = false;
    peer.endReason = reason === 'closed' ? 'closed' : detail;
    this.o.relaying.down(now, peer, isExpelled);
    this.tellDown(peer, peer.endReason);
  }

  /**
   * The time in which it lingers is over. One that has come again was answered as the instance that is forgotten here: it would take the next
   * one for a node that has started again. It is waited for once, since INITs can be replayed.
   */
  lingered(now: number, peer: RemotePeer): void {
    if (peer.isAwaited || !this.o.sessions.isAnswered(peer.key)) return this.forget(now, peer, peer.endReason);
    peer.isAwaited = true;
    peer.endsAt = now + PROOF_MS;
    this.o.touch(peer);
  }

  /**
   * Who is let in no more is told once, as it still has keys; then it meets silence, as strangers do. The lists that prove it go along as far as
   * they go at once: with them it knows it for good, and not only that somebody has said so.
   */
  expel(now: number, peer: RemotePeer, reason: string, proofs: readonly Uint8Array[]): void {
    if (peer.connection.sendLast(now, DENY_LIST_CHANNEL, proofs)) this.o.carrier.fill(now, peer);
    peer.connection.expel(now);
    this.o.carrier.fill(now, peer);
    this.forget(now, peer, reason);
  }

  /** There are enough of them. It may come again. */
  refuseGuest(now: number, key: PublicKey): void {
    const { peers, sessions, drops } = this.o;
    drops.guest_refused += 1;
    const known = peers.get(key);
    if (known === undefined) sessions.close(key);
    else this.forget(now, known, 'too many ask for certificates');
  }

  /** It is unknown from now on. `error`: what whoever waits for it is told; NET_CLOSED otherwise. */
  forget(now: number, peer: RemotePeer, reason: string, error?: MeshError): void {
    const { peers, sessions, traversal, steering, relaying, addresses } = this.o;
    if (peers.get(peer.key) !== peer) return;
    peers.delete(peer.key);
    this.o.dismiss(peer);
    sessions.close(peer.key);
    traversal.gone(peer);
    steering.unprove(peer);
    this.lose(peer, error ?? new MeshError('NET_CLOSED', `the association with ${peer.key} has ended: ${reason}`));
    peer.connection.dispose();
    relaying.gone(now, peer, error?.code === 'NET_PEER_REFUSED');
    if (peer.endsAt === Infinity) this.tellDown(peer, reason);
    // That of a certificate comes again with the certificate; that of a pinned key takes scrypt.
    if (peer.isCertified) addresses.delete(peer.key);
    this.o.emit({ type: 'gone', peer: peer.key });
  }

  /** What was under way to it, or waited, is lost. */
  lose(peer: RemotePeer, error: MeshError): void {
    this.o.emit({ type: 'lost', peer: peer.key, generation: peer.generation, ticket: undefined, error });
  }

  private shutOutBy(key: PublicKey): void {
    this.expelledBy.add(key);
    const [oldest] = this.expelledBy;
    if (this.expelledBy.size > EXPELLED_BY_MAX && oldest !== undefined) this.expelledBy.delete(oldest);
  }

  private tellDown(peer: RemotePeer, reason: string): void {
    if (peer.association === 0) return;
    this.o.emit({ type: 'event', event: { type: 'peer_down', peer: peer.key, name: this.o.nameOf(peer), reason } });
  }
}
