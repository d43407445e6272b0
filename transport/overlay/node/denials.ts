/**
 * Who is no member any more. Deny lists are told between all who are connected: each names the numbers that it has in a DENYLIST
 * (`deny-numbers.ts`), and who has a higher one sends that list, as a message, since a list may have 140 kB.
 */
import { MeshError } from '../../../core/errors.ts';
import type { Connection } from '../channels/connection.ts';
import type { DenyListHead } from '../trust/deny-list.ts';
import type { PublicKey } from '../key-text.ts';
import { CONTROL } from '../wire/frames.ts';
import { DENY_LIST_CHANNEL } from './channels.ts';
import { buildDenyNumbers, parseDenyNumbers } from './deny-numbers.ts';
import type { NodeOptions, NodeOutput } from './ports.ts';
import type { RemotePeer } from './remote-peer.ts';

/** Who comes to ask for a certificate may stay so long, and so many at once: an invite lets in any number of keys until one has used it. */
export const GUEST_MS = 30_000;
export const GUESTS_MAX = 64;
/** Wake-ups for certificates that end far in the future are no use. */
const WATCH_MAX_MS = 86_400_000;

export interface DenialsOptions {
  readonly options: NodeOptions;
  readonly peers: ReadonlyMap<PublicKey, RemotePeer>;
  readonly emit: (output: NodeOutput) => void;
  readonly touch: (peer: RemotePeer) => void;
  /** Tells the peer, with the deny lists that prove it, and forgets it. */
  readonly expel: (now: number, peer: RemotePeer, reason: string, proofs: readonly Uint8Array[]) => void;
}

export class Denials {
  private readonly o: DenialsOptions;
  /** By CA key the number of the list that was sent. It arrives, or the connection ends: whoever asks again does not get it twice. */
  private readonly sent = new WeakMap<Connection, Map<string, number>>();
  /** Numbers of the peer that were answered by the own ones. Not twice: two who cannot get their lists through would tell each other for ever. */
  private readonly answered = new WeakMap<Connection, Uint8Array>();

  constructor(o: DenialsOptions) {
    this.o = o;
  }

  /** Tells a member which lists are here. */
  up(now: number, peer: RemotePeer): void {
    if (peer.isMember) this.announce(now, peer);
  }

  /** Whether there is room for this guest. */
  mayVisit(key: PublicKey): boolean {
    let others = 0;
    for (const peer of this.o.peers.values()) if (peer.authorization?.type === 'guest' && peer.key !== key) others++;
    return others < GUESTS_MAX;
  }

  /** When the membership of a peer is to be looked at again. Of a guest: when its time is over, which other keys do not make longer. */
  watch(now: number, peer: RemotePeer): void {
    const { authorization } = peer;
    if (authorization?.type === 'guest') peer.holdsUntil = Math.min(peer.holdsUntil, now + GUEST_MS);
    else if (authorization?.type !== 'member' || authorization.untilMs === Infinity) peer.holdsUntil = Infinity;
    else peer.holdsUntil = now + Math.min(WATCH_MAX_MS, authorization.untilMs - this.o.options.wallClock(now));
  }

  /** True: the peer is no member any more, and was forgotten. */
  isOver(now: number, peer: RemotePeer): boolean {
    if (now < peer.holdsUntil) return false;
    if (peer.authorization?.type === 'guest') {
      this.o.expel(now, peer, 'it had its time to ask for a certificate', []);
      return true;
    }
    if (!this.holds(now, peer)) {
      this.o.expel(now, peer, 'its certificate has expired', []);
      return true;
    }
    this.watch(now, peer);
    return false;
  }

  /** Numbers of a peer: newer lists go there, and are asked for by telling the own numbers. */
  announced(now: number, peer: RemotePeer, bytes: Uint8Array): void {
    const { denyLists } = this.o.options;
    const theirs = parseDenyNumbers(bytes);
    if (denyLists === undefined || theirs === undefined) {
      this.o.options.drops.denylist_malformed += denyLists === undefined ? 0 : 1;
      return;
    }
    const own = new Map(denyLists.heads().map((head) => [head.caKey, head]));
    for (const head of own.values()) if (head.number > (theirs.get(head.caKey) ?? 0)) this.send(now, peer, head);
    const isBehind = [...theirs].some(([caKey, number]) => number > (own.get(caKey)?.number ?? 0));
    const answered = this.answered.get(peer.connection);
    if (!isBehind || (answered !== undefined && Buffer.compare(answered, bytes) === 0)) return;
    this.answered.set(peer.connection, Uint8Array.from(bytes));
    this.announce(now, peer);
  }

  /** Gives what became of it, as `DenyLists.install`. */
  install(now: number, list: Uint8Array): string {
    const { denyLists, drops } = this.o.options;
    if (denyLists === undefined) return 'not_from_ca';
    const taken = denyLists.install(list);
    if (taken !== 'installed') {
      if (taken !== 'known' && taken !== 'not_newer') drops.denylist_malformed += 1;
      return taken;
    }
    this.o.emit({ type: 'deny_lists' });
    const closed = this.reauthorize(now);
    this.o.emit({ type: 'event', event: { type: 'deny_list', closed } });
    for (const peer of this.o.peers.values()) if (peer.isUp && peer.isMember) this.announce(now, peer);
    return taken;
  }

  /** Closes who is no member any more, and gives their keys. */
  reauthorize(now: number): readonly PublicKey[] {
    const closed: PublicKey[] = [];
    for (const peer of this.o.peers.values()) {
      if (!peer.isMember || this.holds(now, peer)) continue;
      closed.push(peer.key);
      this.o.expel(now, peer, 'it is no member any more', this.proofs(peer));
    }
    return closed;
  }

  /** Those in which it stands, or who has certified it. None where it was taken from a list of pins. */
  private proofs({ publicKey, authorization }: RemotePeer): readonly Uint8Array[] {
    const issuer = authorization?.type === 'member' ? authorization.certificate?.issuer?.publicKey : undefined;
    const keys = issuer === undefined ? [publicKey] : [publicKey, issuer];
    return this.o.options.denyLists?.denying(...keys).map(({ bytes }) => bytes) ?? [];
  }

  private holds(now: number, peer: RemotePeer): boolean {
    const { trust, wallClock } = this.o.options;
    return peer.authorization?.type !== 'member' || trust.holds(peer.publicKey, peer.authorization, wallClock(now));
  }

  private announce(now: number, peer: RemotePeer): void {
    const { denyLists } = this.o.options;
    if (denyLists === undefined) return;
    const numbers = buildDenyNumbers(new Map(denyLists.heads().map(({ caKey, number }) => [caKey, number])));
    this.quietly(peer, () => peer.connection.control(now, { type: 'control', code: CONTROL.denylist, bytes: numbers }));
  }

  private send(now: number, peer: RemotePeer, { caKey, number, bytes }: DenyListHead): void {
    const { connection } = peer;
    const sent = this.sent.get(connection) ?? new Map<string, number>();
    if (number <= (sent.get(caKey) ?? 0)) return;
    this.quietly(peer, () => {
      connection.send(now, DENY_LIST_CHANNEL, bytes);
      this.sent.set(connection, sent.set(caKey, number));
    });
  }

  /** Who is told nothing now is told at the next session. */
  private quietly(peer: RemotePeer, fn: () => void): void {
    try {
      fn();
    } catch (error) {
      if (!(error instanceof MeshError)) throw error;
      this.o.options.drops.control_full += 1;
    }
    this.o.touch(peer);
  }
}
