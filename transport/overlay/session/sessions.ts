/**
 * The sessions of a node with all of its peers: datagrams become authenticated payloads, and payloads become datagrams.
 *
 *   INIT ->   Responder: gate, budget, agreement, trust; tentative keys, RESP. They are proved by the first packet that they open
 *   RESP ->   Initiator: keys that are proved, and an empty packet by which the other side sees it, too
 *   DATA ->   payload; for keys that are not here a HINT
 *
 * Does no I/O: time comes with each call, and what is to be sent or told is in `take()`.
 */
import type { Drops } from '../drops.ts';
import { buildPacket, HINT_BYTES, isInit, parsePacket, type DataPacket } from '../wire/packets.ts';
import { SourceBuckets } from '../buckets.ts';
import type { Own } from './handshake.ts';
import { Initiator } from './initiator.ts';
import type { KeyLimits } from './keys.ts';
import type { PublicKey } from '../key-text.ts';
import type { SessionOutput } from './output.ts';
import { TENTATIVE_MS, type Peer, type Tentative } from './peer.ts';
import { Peers } from './peers.ts';
import { Responder } from './responder.ts';
import { sourceOf, type PathId } from '../source.ts';

const HINTS = { perSecond: 20, burst: 10 };
const HINT_RANDOM_BYTES = HINT_BYTES - 8;
const NOTHING = new Uint8Array(0);
const NO_BYTES = { received: 0, sent: 0 } as const;

export interface SessionsOptions extends Own {
  readonly drops: Drops;
  /** The wall clock at a time `now`, by which certificates are judged. */
  readonly wallClock: (now: number) => number;
  /** What a path looks like from here, for the peer to know; at most 32 bytes. */
  readonly observed?: (from: PathId) => Uint8Array;
  readonly keyLimits?: Partial<KeyLimits>;
}

export class Sessions {
  private readonly drops: Drops;
  private readonly random: (bytes: number) => Uint8Array;
  private readonly hints = new SourceBuckets(HINTS);
  private readonly peers: Peers;
  private readonly initiator: Initiator;
  private readonly responder: Responder;

  constructor(options: SessionsOptions) {
    const { drops, wallClock, observed = () => NOTHING, keyLimits } = options;
    this.drops = drops;
    this.random = options.random;
    this.peers = new Peers(options, keyLimits);
    const shared = { own: options, peers: this.peers, drops, wallClock };
    this.initiator = new Initiator(shared);
    this.responder = new Responder({ ...shared, observed });
  }

  /** A datagram of anyone. Keeps none of its bytes. */
  receive(now: number, from: PathId, bytes: Uint8Array): void {
    if (isInit(bytes)) return this.responder.put(now, from, bytes);
    const packet = parsePacket(bytes);
    if (typeof packet === 'string') {
      this.drops[packet] += 1;
      return;
    }
    switch (packet.type) {
      case 'data':
        return this.receiveData(now, from, packet, bytes);
      case 'init':
        // Waits at the responder.
        return;
      case 'resp':
        return this.initiator.receiveResp(now, from, packet, bytes);
      case 'cookie':
        return this.initiator.receiveCookie(from, packet);
      case 'hint':
        return this.initiator.receiveHint(now, packet);
    }
  }

  /**
   * Begins a handshake on these paths, unless there are keys. If one is under way it goes by these paths, too. Ends in `up` or `failed`.
   * `peer`: an Ed25519 key in hex.
   */
  connect(now: number, peer: PublicKey, paths: readonly PathId[]): void {
    const known = this.peers.get(peer) ?? this.peers.addNamed(peer);
    if (known === undefined) return;
    if (known.current?.isSpent(now) === false) return;
    if (known.initiation !== undefined) {
      this.peers.send(known.initiation.add(paths));
      return;
    }
    known.paths = [...paths];
    this.initiator.begin(now, known);
  }

  /** Where handshakes for new keys of this peer go from now on, and one that is under way, too: paths that are good, or all if none is. */
  setPaths(peer: PublicKey, paths: readonly PathId[]): void {
    const known = this.peers.get(peer);
    if (known === undefined) return;
    known.paths = [...paths];
    if (known.initiation !== undefined) this.peers.send(known.initiation.add(paths));
  }

  /** The INIT of a handshake that is under way goes again at once: what it met with before may be otherwise now. */
  again(now: number, peer: PublicKey): void {
    this.peers.send(this.peers.get(peer)?.initiation?.again(now) ?? []);
  }

  /** A DATA packet for this peer. Undefined: there are no keys. `pn` only rises within an association, by more than one now and then. */
  seal(now: number, peer: PublicKey, payload: Uint8Array): { readonly packet: Uint8Array; readonly pn: number } | undefined {
    const known = this.peers.get(peer);
    const keys = known?.current;
    if (known === undefined || keys === undefined) return undefined;
    if (keys.isSpent(now)) {
      this.peers.goDown(known);
      return undefined;
    }
    const pn = known.nextPn++;
    const packet = keys.seal(pn, payload);
    this.initiator.renewIfDue(now, known, keys);
    return { packet, pn };
  }

  /** Whether it was answered, and has not proved its new keys yet. */
  isAnswered(peer: PublicKey): boolean {
    return (this.peers.get(peer)?.tentative.length ?? 0) > 0;
  }

  /** The association with this peer ends: its keys stay until `close`, and this node makes no others. */
  retire(peer: PublicKey): void {
    const known = this.peers.get(peer);
    if (known !== undefined) known.isRetired = true;
  }

  /** Forgets a peer and its association: what still comes of it is dropped, and the next handshake begins another one on both sides. */
  close(peer: PublicKey): void {
    const known = this.peers.get(peer);
    if (known === undefined) return;
    this.initiator.end(known);
    for (const { keys } of known.tentative) this.peers.table.forget(keys);
    this.peers.dropKeys(known);
    this.peers.delete(known);
  }

  /** When `tick` may have something to do; Infinity: never. */
  nextAt(): number {
    return Math.min(this.peers.nextAt(), this.responder.nextAt);
  }

  tick(now: number): void {
    this.responder.tick(now);
    for (const peer of this.peers.due(now)) this.tickPeer(now, peer);
  }

  /** What has come of the calls since the last `take`, in their order. */
  take(): readonly SessionOutput[] {
    return this.peers.take();
  }

  private receiveData(now: number, from: PathId, packet: DataPacket, bytes: Uint8Array): void {
    const found = this.peers.table.find(packet.receiver);
    if (found === undefined) {
      this.drops.index_unknown += 1;
      this.sendHint(now, from, packet.receiver);
      return;
    }
    const { peer, keys } = found;
    const payload = keys.open(now, packet, bytes);
    if (typeof payload === 'string') {
      this.drops[payload] += 1;
      this.initiator.renewIfDue(now, peer, keys);
      return;
    }
    const tentative = peer.tentative.find((other) => other.keys === keys);
    if (tentative !== undefined) this.confirm(peer, tentative, from);
    const isNewest = packet.pn > peer.highestPn;
    if (isNewest) peer.highestPn = packet.pn;
    if (payload.length > 0) this.peers.emit({ type: 'payload', peer: peer.name, from, pn: packet.pn, isNewest, bytes: payload });
    this.initiator.renewIfDue(now, peer, keys);
  }

  /** The peer is there, and has these keys. */
  private confirm(peer: Peer, tentative: Tentative, from: PathId): void {
    const { keys, shown, initBytes, resp } = tentative;
    peer.tentative = peer.tentative.filter((other) => other !== tentative);
    const handshake = from === tentative.from ? { received: initBytes, sent: resp.length } : NO_BYTES;
    this.peers.install(peer, { keys, shown, from, replaces: false, handshake });
    if (peer.current === keys) this.initiator.end(peer);
  }

  private tickPeer(now: number, peer: Peer): void {
    const { peers } = this;
    this.initiator.tick(now, peer);
    if (peer.tentative.length > 0) {
      const over = peer.tentative.filter(({ keys }) => now >= keys.createdAt + TENTATIVE_MS);
      for (const { keys } of over) peers.table.forget(keys);
      peer.tentative = peer.tentative.filter((tentative) => !over.includes(tentative));
    }
    if (peer.previous !== undefined && now >= peer.previous.stopAt) {
      peers.table.forget(peer.previous);
      peer.previous = undefined;
    }
    if (peer.current?.isSpent(now) === true) peers.goDown(peer);
    if (peer.isForgotten) peers.delete(peer);
    else peers.schedule(peer);
  }

  private sendHint(now: number, from: PathId, receiver: number): void {
    if (!this.hints.take(now, sourceOf(from))) return;
    this.peers.send([{ to: from, bytes: buildPacket({ type: 'hint', receiver, random: this.random(HINT_RANDOM_BYTES) }) }]);
  }
}
