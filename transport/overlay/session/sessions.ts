/**
 * The sessions of a node with all of its peers: datagrams become authenticated payloads, and payloads become datagrams.
 *
 *   INIT ->   gate, budget, agreement, trust: tentative keys, RESP. They are proved by the first packet that they open
 *   RESP ->   keys that are proved, and an empty packet by which the other side sees it, too
 *   DATA ->   payload; for keys that are not here a HINT
 *
 * Does no I/O: time comes with each call, and what is to be sent or told is in `take()`.
 */
import { MeshError } from '../../../core/errors.ts';
import { exchangeKeyOf } from '../curve.ts';
import type { Drops } from '../drops.ts';
import type { Transport } from '../noise.ts';
import {
  buildPacket,
  HINT_BYTES,
  isInit,
  parsePacket,
  type CookiePacket,
  type DataPacket,
  type HintPacket,
  type InitPacket,
  type RespPacket,
} from '../wire/packets.ts';
import { SourceBuckets } from './buckets.ts';
import { Gate } from './gate.ts';
import { HANDSHAKE_MS, Initiation, readInit, type Datagram, type Own, type Shown } from './handshake.ts';
import { Intake, type ArrivedInit } from './intake.ts';
import { KeyTable } from './key-table.ts';
import { KEY_LIMITS, PacketKeys, type KeyLimits } from './keys.ts';
import type { PublicKey, SessionOutput, UpOutput } from './output.ts';
import { nameOf, Peer, TENTATIVE_MAX, TENTATIVE_MS, type Tentative } from './peer.ts';
import { sourceOf, type PathId } from './source.ts';

/** How long the one who leads puts an INIT of the other side off, while its own is unanswered. */
const YIELD_MS = 1000;
const HINT_MS = 5000;
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
  private readonly own: Own;
  private readonly drops: Drops;
  private readonly wallClock: (now: number) => number;
  private readonly observed: (from: PathId) => Uint8Array;
  private readonly keyLimits: KeyLimits;
  private readonly intake: Intake;
  private readonly hints = new SourceBuckets(HINTS);
  private readonly peers = new Map<PublicKey, Peer>();
  private readonly initiations = new Map<number, Peer>();
  private readonly table = new KeyTable();
  private outputs: SessionOutput[] = [];
  /** No later than when `tick` has something to do. */
  private wakeAt = Infinity;
  /** No later than when an INIT is to be looked at. */
  private intakeAt = Infinity;
  private associations = 0;

  constructor(options: SessionsOptions) {
    const { identity, trust, random } = options;
    this.own = options;
    this.drops = options.drops;
    this.wallClock = options.wallClock;
    this.observed = options.observed ?? (() => NOTHING);
    this.keyLimits = { ...KEY_LIMITS, ...options.keyLimits };
    const gate = new Gate({ publicKey: identity.publicKey, networkId: trust.networkId, psk: trust.psk, random });
    this.intake = new Intake(gate, options.drops);
  }

  /** A datagram of anyone. Keeps none of its bytes. */
  receive(now: number, from: PathId, bytes: Uint8Array): void {
    if (isInit(bytes)) {
      this.intake.put(from, bytes);
      this.intakeAt = this.intake.nextAt(now);
      return;
    }
    const packet = parsePacket(bytes);
    if (typeof packet === 'string') {
      this.drops[packet] += 1;
      return;
    }
    switch (packet.type) {
      case 'data':
        return this.receiveData(now, from, packet, bytes);
      case 'init':
        // Waits in the intake.
        return;
      case 'resp':
        return this.receiveResp(now, from, packet, bytes);
      case 'cookie':
        return this.receiveCookie(from, packet);
      case 'hint':
        return this.receiveHint(now, packet);
    }
  }

  /**
   * Begins a handshake on these paths, unless there are keys. If one is under way it goes by these paths, too. Ends in `up` or `failed`.
   * `peer`: an Ed25519 key in hex.
   */
  connect(now: number, peer: PublicKey, paths: readonly PathId[]): void {
    const known = this.peers.get(peer) ?? this.newPeer(peer);
    if (known === undefined) return;
    if (known.current?.isSpent(now) === false) return;
    if (known.initiation !== undefined) {
      this.send(known.initiation.add(paths));
      return;
    }
    known.paths = [...paths];
    this.initiate(now, known, false);
  }

  /** Where handshakes for new keys of this peer go from now on, and one that is under way, too: paths that are good, or all if none is. */
  setPaths(peer: PublicKey, paths: readonly PathId[]): void {
    const known = this.peers.get(peer);
    if (known === undefined) return;
    known.paths = [...paths];
    if (known.initiation !== undefined) this.send(known.initiation.add(paths));
  }

  /** The INIT of a handshake that is under way goes again at once: what it met with before may be otherwise now. */
  again(now: number, peer: PublicKey): void {
    this.send(this.peers.get(peer)?.initiation?.again(now) ?? []);
  }

  /** A DATA packet for this peer. Undefined: there are no keys. `pn` only rises within an association, by more than one now and then. */
  seal(now: number, peer: PublicKey, payload: Uint8Array): { readonly packet: Uint8Array; readonly pn: number } | undefined {
    const known = this.peers.get(peer);
    const keys = known?.current;
    if (known === undefined || keys === undefined) return undefined;
    if (keys.isSpent(now)) {
      this.goDown(known);
      return undefined;
    }
    const pn = known.nextPn++;
    const packet = keys.seal(pn, payload);
    this.renewIfDue(now, known, keys);
    return { packet, pn };
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
    this.endInitiation(known);
    for (const { keys } of known.tentative) this.table.forget(keys);
    this.dropKeys(known);
    this.peers.delete(peer);
  }

  /** When `tick` may have something to do; Infinity: never. */
  nextAt(): number {
    return Math.min(this.wakeAt, this.intakeAt);
  }

  tick(now: number): void {
    if (now >= this.intakeAt) this.takeIn(now);
    if (now < this.wakeAt) return;
    this.wakeAt = Infinity;
    for (const peer of this.peers.values()) this.tickPeer(now, peer);
  }

  /** What has come of the calls since the last `take`, in their order. */
  take(): readonly SessionOutput[] {
    const taken = this.outputs;
    this.outputs = [];
    return taken;
  }

  /** INITs that have come since the last time, as far as they may be looked at and worked on. */
  private takeIn(now: number): void {
    for (let seen = this.intake.look(now); seen !== undefined; seen = this.intake.look(now)) {
      if ('cookie' in seen) this.send([{ to: seen.from, bytes: seen.cookie }]);
      else if (!this.answerAgain(seen)) this.intake.admit(seen);
    }
    for (let next = this.intake.next(now); next !== undefined; next = this.intake.next(now))
      // One that came twice may have been answered since.
      if (!this.answerAgain(next)) this.work(now, next);
    this.intakeAt = this.intake.nextAt(now);
  }

  /** Whether this INIT has made keys that are still here. As long as they are tentative it gets the same RESP. */
  private answerAgain({ from, init }: ArrivedInit): boolean {
    const entry = this.table.ofInit(initName(init));
    if (entry === undefined) return false;
    const tentative = entry.peer.tentative.find(({ keys }) => keys === entry.keys);
    if (tentative === undefined) this.drops.init_answered += 1;
    else this.send([{ to: from, bytes: tentative.resp }]);
    return true;
  }

  private work(now: number, { from, init, bytes }: ArrivedInit): void {
    const received = readInit(this.own, init, bytes, this.wallClock(now));
    if (typeof received === 'string') {
      this.drops[received] += 1;
      return;
    }
    const name = nameOf(received.publicKey);
    const known = this.peers.get(name);
    if (known !== undefined && this.isPutOff(now, known, from)) {
      received.close();
      this.drops.init_crossed += 1;
      return;
    }
    const localIndex = this.drawIndex();
    const peer = known ?? this.newRecord(received.publicKey, received.exchangeKey);
    const answer = received.answer(localIndex, peer.ownInstanceId, this.observed(from));
    if (answer === undefined) {
      this.drops.resp_too_long += 1;
      return;
    }
    this.peers.set(peer.name, peer);
    const keys = this.newKeys(now, answer.transport, localIndex, init.sender, false);
    const { shown } = received;
    const tentative: Tentative = { keys, shown, resp: answer.resp, from, initBytes: bytes.length };
    // The oldest gives way: if the newest did, replays of four old INITs would lock the peer out.
    const crowded = peer.tentative.length >= TENTATIVE_MAX ? peer.tentative[0] : undefined;
    if (crowded !== undefined) this.table.forget(crowded.keys);
    peer.tentative = [...peer.tentative.filter((other) => other !== crowded), tentative];
    this.table.add(peer, keys, initName(init));
    this.wake(now + TENTATIVE_MS);
    this.send([{ to: from, bytes: answer.resp }]);
  }

  /** Simultaneous open: whether the INIT of the other side has to wait for the answer to ours, which goes where the other's came from. */
  private isPutOff(now: number, { initiation, leads }: Peer, from: PathId): boolean {
    if (initiation === undefined || !leads) return false;
    initiation.crossedAt ??= now;
    if (now - initiation.crossedAt >= YIELD_MS) return false;
    this.send([initiation.datagram(from)]);
    return true;
  }

  private receiveResp(now: number, from: PathId, resp: RespPacket, bytes: Uint8Array): void {
    const peer = this.initiations.get(resp.receiver);
    const initiation = peer?.initiation;
    if (peer === undefined || initiation === undefined) {
      this.drops.resp_unexpected += 1;
      return;
    }
    const read = initiation.read(bytes, this.wallClock(now));
    if (read === 'resp_invalid') {
      this.drops.resp_invalid += 1;
      return;
    }
    this.endInitiation(peer);
    if (read === 'key_mismatch' || 'refused' in read) {
      const reason = read === 'key_mismatch' ? read : read.refused;
      this.drops[read === 'key_mismatch' ? read : 'refused'] += 1;
      this.fail(
        peer,
        new MeshError('NET_PEER_REFUSED', `${peer.name} answered, but is not let in: ${reason}`, { data: { reason } }),
      );
      return;
    }
    const keys = this.newKeys(now, read.transport, initiation.index, resp.sender, true);
    this.table.add(peer, keys);
    this.install(peer, keys, read.shown, from, initiation.replaces, NO_BYTES);
    // The other side answers nothing under these keys before a packet proves them.
    this.send([{ to: from, bytes: keys.seal(peer.nextPn++, NOTHING) }]);
  }

  private receiveCookie(from: PathId, packet: CookiePacket): void {
    const datagram = this.initiations.get(packet.receiver)?.initiation?.cookie(from, packet);
    if (datagram === undefined) this.drops.cookie_unexpected += 1;
    else this.send([datagram]);
  }

  /** Not authenticated: it makes one handshake in 5 s, by known paths, and changes no key. */
  private receiveHint(now: number, { receiver }: HintPacket): void {
    const peer = this.table.sealedFor(receiver);
    if (peer === undefined || peer.isRetired || peer.initiation !== undefined || now - peer.hintedAt < HINT_MS) {
      this.drops.hint_ignored += 1;
      return;
    }
    peer.hintedAt = now;
    this.initiate(now, peer, true);
  }

  private receiveData(now: number, from: PathId, packet: DataPacket, bytes: Uint8Array): void {
    const found = this.table.find(packet.receiver);
    if (found === undefined) {
      this.drops.index_unknown += 1;
      this.sendHint(now, from, packet.receiver);
      return;
    }
    const { peer, keys } = found;
    const payload = keys.open(now, packet, bytes);
    if (typeof payload === 'string') {
      this.drops[payload] += 1;
      this.renewIfDue(now, peer, keys);
      return;
    }
    const tentative = peer.tentative.find((other) => other.keys === keys);
    if (tentative !== undefined) this.confirm(peer, tentative, from);
    const isNewest = packet.pn > peer.highestPn;
    if (isNewest) peer.highestPn = packet.pn;
    if (payload.length > 0)
      this.outputs.push({ type: 'payload', peer: peer.name, from, pn: packet.pn, isNewest, bytes: payload });
    this.renewIfDue(now, peer, keys);
  }

  /** The peer is there, and has these keys. */
  private confirm(peer: Peer, tentative: Tentative, from: PathId): void {
    const { keys, shown, initBytes, resp } = tentative;
    peer.tentative = peer.tentative.filter((other) => other !== tentative);
    const isSamePath = from === tentative.from;
    this.install(peer, keys, shown, from, false, isSamePath ? { received: initBytes, sent: resp.length } : NO_BYTES);
    if (peer.current === keys) this.endInitiation(peer);
  }

  /** Proved keys take their place, and the association begins, goes on, or ends with another instance of the peer. */
  private install(
    peer: Peer,
    keys: PacketKeys,
    shown: Shown,
    from: PathId,
    replaces: boolean,
    handshake: UpOutput['handshake'],
  ): void {
    for (const old of peer.outdate(keys, shown)) this.table.forget(old);
    const isKnown = peer.instanceId !== undefined;
    const isSameInstance = peer.instanceId !== undefined && Buffer.compare(peer.instanceId, shown.instanceId) === 0;
    const before = peer.current;
    for (const old of peer.place(keys, isSameInstance, replaces)) this.table.forget(old);
    this.table.sealWith(peer, before, peer.current);
    this.wake(keys.stopAt);
    if (peer.current === keys) peer.paths = [from];
    const { authorization, maxDatagram, observed } = shown;
    if (isSameInstance && before !== undefined) {
      this.outputs.push({ type: 'renewed', peer: peer.name, authorization });
      return;
    }
    if (!isSameInstance) {
      peer.instanceId = shown.instanceId;
      // It came back while its last association was ending: that one has ended, and this one has not.
      peer.isRetired = false;
      peer.association = ++this.associations;
      peer.highestPn = -1;
    }
    const restarted = isKnown && !isSameInstance;
    const { name, association } = peer;
    const { isInitiator } = keys;
    this.outputs.push({
      type: 'up',
      peer: name,
      association,
      restarted,
      from,
      isInitiator,
      handshake,
      authorization,
      maxDatagram,
      observed,
    });
  }

  private initiate(now: number, peer: Peer, replaces: boolean): void {
    const index = this.drawIndex();
    peer.initiation = Initiation.begin(now, this.own, peer, index, replaces);
    this.initiations.set(index, peer);
    // The first transmission is that of `tick`.
    this.tickInitiation(now, peer, peer.initiation, peer.paths);
  }

  private endInitiation(peer: Peer): void {
    if (peer.initiation === undefined) return;
    this.initiations.delete(peer.initiation.index);
    peer.initiation.close();
    peer.initiation = undefined;
  }

  /** The one who made the keys makes the next. */
  private renewIfDue(now: number, peer: Peer, keys: PacketKeys): void {
    if (peer.current !== keys || peer.initiation !== undefined || peer.isRetired) return;
    if (keys.isInitiator && !keys.isSpent(now) && keys.wantsSuccessor(now)) this.initiate(now, peer, false);
  }

  private tickPeer(now: number, peer: Peer): void {
    if (peer.initiation !== undefined) this.tickInitiation(now, peer, peer.initiation, []);
    if (peer.tentative.length > 0) {
      const over = peer.tentative.filter(({ keys }) => now >= keys.createdAt + TENTATIVE_MS);
      for (const { keys } of over) this.table.forget(keys);
      peer.tentative = peer.tentative.filter((tentative) => !over.includes(tentative));
      for (const { keys } of peer.tentative) this.wake(keys.createdAt + TENTATIVE_MS);
    }
    if (peer.previous !== undefined && now >= peer.previous.stopAt) {
      this.table.forget(peer.previous);
      peer.previous = undefined;
    }
    if (peer.current?.isSpent(now) === true) this.goDown(peer);
    for (const keys of [peer.current, peer.previous]) if (keys !== undefined) this.wake(keys.stopAt);
    if (peer.isForgotten) this.peers.delete(peer.name);
  }

  private tickInitiation(now: number, peer: Peer, initiation: Initiation, paths: readonly PathId[]): void {
    initiation.add(paths);
    const due = initiation.tick(now);
    if (due !== undefined) {
      this.send(due);
      this.wake(initiation.nextAt);
      return;
    }
    this.endInitiation(peer);
    if (peer.current === undefined)
      this.fail(peer, new MeshError('NET_PEER_UNREACHABLE', `${peer.name} did not answer within ${HANDSHAKE_MS / 1000} s`));
  }

  private fail(peer: Peer, error: MeshError): void {
    this.outputs.push({ type: 'failed', peer: peer.name, error });
    if (peer.isForgotten) this.peers.delete(peer.name);
  }

  private goDown(peer: Peer): void {
    this.dropKeys(peer);
    this.outputs.push({ type: 'down', peer: peer.name, reason: 'keys_spent' });
  }

  private dropKeys(peer: Peer): void {
    this.table.sealWith(peer, peer.current, undefined);
    for (const keys of [peer.current, peer.previous]) if (keys !== undefined) this.table.forget(keys);
    peer.current = undefined;
    peer.previous = undefined;
  }

  private newKeys(
    createdAt: number,
    transport: Transport,
    localIndex: number,
    remoteIndex: number,
    isInitiator: boolean,
  ): PacketKeys {
    return new PacketKeys({ transport, localIndex, remoteIndex, isInitiator, createdAt, limits: this.keyLimits });
  }

  private sendHint(now: number, from: PathId, receiver: number): void {
    if (!this.hints.take(now, sourceOf(from))) return;
    this.send([{ to: from, bytes: buildPacket({ type: 'hint', receiver, random: this.own.random(HINT_RANDOM_BYTES) }) }]);
  }

  /** The record of a key that is to be spoken to; undefined, and told: it cannot be. */
  private newPeer(name: PublicKey): Peer | undefined {
    const publicKey = Uint8Array.from(Buffer.from(name, 'hex'));
    const exchangeKey = nameOf(publicKey) === name ? exchangeKeyOf(publicKey) : undefined;
    if (exchangeKey !== undefined && nameOf(this.own.identity.publicKey) !== name) {
      const peer = this.newRecord(publicKey, exchangeKey);
      this.peers.set(name, peer);
      return peer;
    }
    const why = exchangeKey === undefined ? 'no node may have this key' : 'this is the key of the node itself';
    this.outputs.push({ type: 'failed', peer: name, error: new MeshError('NET_KEY_INVALID', `no session with ${name}: ${why}`) });
    return undefined;
  }

  private newRecord(publicKey: Uint8Array, exchangeKey: Uint8Array): Peer {
    return new Peer(this.own.identity.publicKey, publicKey, exchangeKey, this.own.random);
  }

  private drawIndex(): number {
    for (;;) {
      const index = Buffer.from(this.own.random(4)).readUInt32LE();
      if (this.table.find(index) === undefined && !this.initiations.has(index)) return index;
    }
  }

  private send(datagrams: readonly Datagram[]): void {
    for (const { to, bytes } of datagrams) this.outputs.push({ type: 'datagram', to, bytes });
  }

  private wake(at: number): void {
    this.wakeAt = Math.min(this.wakeAt, at);
  }
}

/** An INIT with its mac1, which only one who knows this node can make: with another byte it has another name. */
const initName = ({ ephemeral, mac1 }: InitPacket): string => Buffer.concat([ephemeral, mac1]).toString('latin1');
