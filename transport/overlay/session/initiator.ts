/** Handshakes that this node begins: their INITs, and the RESPs, COOKIEs and HINTs of other nodes. */
import { MeshError } from '../../../core/errors.ts';
import type { Drops } from '../drops.ts';
import type { CookiePacket, HintPacket, RespPacket } from '../wire/packets.ts';
import { HANDSHAKE_MS, Initiation, type Own } from './handshake.ts';
import type { PacketKeys } from './keys.ts';
import type { Peer } from './peer.ts';
import type { Peers } from './peers.ts';
import type { PathId } from '../source.ts';

const HINT_MS = 5000;
const NOTHING = new Uint8Array(0);
const NO_BYTES = { received: 0, sent: 0 } as const;

export interface InitiatorOptions {
  readonly own: Own;
  readonly peers: Peers;
  readonly drops: Drops;
  readonly wallClock: (now: number) => number;
}

export class Initiator {
  private readonly o: InitiatorOptions;

  constructor(o: InitiatorOptions) {
    this.o = o;
  }

  /** `replaces`: the key that is there is known to be of no use. */
  begin(now: number, peer: Peer, replaces = false): void {
    const index = this.o.peers.drawIndex();
    peer.initiation = Initiation.begin(now, this.o.own, peer, index, replaces);
    this.o.peers.table.expect(index, peer);
    // The first transmission is that of `tick`.
    peer.initiation.add(peer.paths);
    this.tick(now, peer);
    this.o.peers.schedule(peer);
  }

  /** The one who made the keys makes the next. */
  renewIfDue(now: number, peer: Peer, keys: PacketKeys): void {
    if (peer.current !== keys || peer.initiation !== undefined || peer.isRetired) return;
    if (keys.isInitiator && !keys.isSpent(now) && keys.wantsSuccessor(now)) this.begin(now, peer);
  }

  /** There is an end of it: whatever answers it comes too late. */
  end(peer: Peer): void {
    if (peer.initiation === undefined) return;
    this.o.peers.table.unexpect(peer.initiation.index);
    peer.initiation.close();
    peer.initiation = undefined;
  }

  tick(now: number, peer: Peer): void {
    const { initiation } = peer;
    if (initiation === undefined) return;
    const { peers } = this.o;
    const due = initiation.tick(now);
    if (due !== undefined) {
      peers.send(due);
      return;
    }
    this.end(peer);
    if (peer.current === undefined)
      peers.fail(peer, new MeshError('NET_PEER_UNREACHABLE', `${peer.name} did not answer within ${HANDSHAKE_MS / 1000} s`));
  }

  receiveResp(now: number, from: PathId, resp: RespPacket, bytes: Uint8Array): void {
    const { peers, drops, wallClock } = this.o;
    const peer = peers.table.expected(resp.receiver);
    const initiation = peer?.initiation;
    if (peer === undefined || initiation === undefined) {
      drops.resp_unexpected += 1;
      return;
    }
    const read = initiation.read(bytes, wallClock(now));
    if (read === 'resp_invalid') {
      drops.resp_invalid += 1;
      return;
    }
    this.end(peer);
    if (read === 'key_mismatch' || 'refused' in read) {
      const reason = read === 'key_mismatch' ? read : read.refused;
      drops[read === 'key_mismatch' ? read : 'refused'] += 1;
      peers.fail(
        peer,
        new MeshError('NET_PEER_REFUSED', `${peer.name} answered, but is not let in: ${reason}`, { data: { reason } }),
      );
      return;
    }
    const keys = peers.newKeys({
      transport: read.transport,
      localIndex: initiation.index,
      remoteIndex: resp.sender,
      isInitiator: true,
      createdAt: now,
    });
    peers.table.add(peer, keys);
    peers.install(peer, { keys, shown: read.shown, from, replaces: initiation.replaces, handshake: NO_BYTES });
    // The other side answers nothing under these keys before a packet proves them.
    peers.send([{ to: from, bytes: keys.seal(peer.nextPn++, NOTHING) }]);
  }

  receiveCookie(from: PathId, packet: CookiePacket): void {
    const datagram = this.o.peers.table.expected(packet.receiver)?.initiation?.cookie(from, packet);
    if (datagram === undefined) this.o.drops.cookie_unexpected += 1;
    else this.o.peers.send([datagram]);
  }

  /** Not authenticated: it makes one handshake in 5 s, by known paths, and changes no key. */
  receiveHint(now: number, { receiver }: HintPacket): void {
    const peer = this.o.peers.table.sealedFor(receiver);
    if (peer === undefined || peer.isRetired || peer.initiation !== undefined || now - peer.hintedAt < HINT_MS) {
      this.o.drops.hint_ignored += 1;
      return;
    }
    peer.hintedAt = now;
    this.begin(now, peer, true);
  }
}
