/**
 * Handshakes that others begin: INITs, as far as the intake gives them. An INIT may be a replay, so the keys of one that is answered are
 * tentative: nothing is sent under them, and nothing that lives changes, before a packet came that they open.
 */
import type { Drops } from '../drops.ts';
import { hexOf } from '../key-text.ts';
import type { InitPacket } from '../wire/packets.ts';
import { Gate } from './gate.ts';
import { readInit, type Own } from './handshake.ts';
import { Intake, type ArrivedInit } from './intake.ts';
import { TENTATIVE_MAX, type Peer, type Tentative } from './peer.ts';
import type { Peers } from './peers.ts';
import type { PathId } from '../source.ts';

/** How long the one who leads puts an INIT of the other side off, while its own is unanswered. */
const YIELD_MS = 1000;

export interface ResponderOptions {
  readonly own: Own;
  readonly peers: Peers;
  readonly drops: Drops;
  readonly wallClock: (now: number) => number;
  readonly observed: (from: PathId) => Uint8Array;
}

export class Responder {
  /** No later than when an INIT is to be looked at. */
  nextAt = Infinity;
  private readonly o: ResponderOptions;
  private readonly intake: Intake;

  constructor(o: ResponderOptions) {
    this.o = o;
    const { identity, trust, random } = o.own;
    const gate = new Gate({ publicKey: identity.publicKey, networkId: trust.networkId, psk: trust.psk, random });
    this.intake = new Intake(gate, o.drops, random);
  }

  /** An INIT that came. Keeps a copy. */
  put(now: number, from: PathId, bytes: Uint8Array): void {
    this.intake.put(from, bytes);
    this.nextAt = this.intake.nextAt(now);
  }

  /** INITs that have come since the last time, as far as they may be looked at and worked on. */
  tick(now: number): void {
    if (now < this.nextAt) return;
    for (let seen = this.intake.look(now); seen !== undefined; seen = this.intake.look(now)) {
      if ('cookie' in seen) this.o.peers.send([{ to: seen.from, bytes: seen.cookie }]);
      else if (!this.answerAgain(seen)) this.intake.admit(seen);
    }
    for (let next = this.intake.next(now); next !== undefined; next = this.intake.next(now))
      // One that came twice may have been answered since.
      if (!this.answerAgain(next)) this.work(now, next);
    this.nextAt = this.intake.nextAt(now);
  }

  /** Whether this INIT has made keys that are still here. As long as they are tentative it gets the same RESP. */
  private answerAgain({ from, init }: ArrivedInit): boolean {
    const entry = this.o.peers.table.ofInit(initName(init));
    if (entry === undefined) return false;
    const tentative = entry.peer.tentative.find(({ keys }) => keys === entry.keys);
    if (tentative === undefined) this.o.drops.init_answered += 1;
    else this.o.peers.send([{ to: from, bytes: tentative.resp }]);
    return true;
  }

  private work(now: number, { from, init, bytes }: ArrivedInit): void {
    const { own, peers, drops, wallClock, observed } = this.o;
    const received = readInit(own, init, bytes, wallClock(now));
    if (typeof received === 'string') {
      drops[received] += 1;
      return;
    }
    const known = peers.get(hexOf(received.publicKey));
    if (known !== undefined && this.isPutOff(now, known, from)) {
      received.close();
      drops.init_crossed += 1;
      return;
    }
    const localIndex = peers.drawIndex();
    const peer = known ?? peers.newPeer(received.publicKey, received.exchangeKey);
    const answer = received.answer(localIndex, peer.ownInstanceId, observed(from));
    if (answer === undefined) {
      drops.resp_too_long += 1;
      return;
    }
    peers.add(peer);
    const keys = peers.newKeys({
      transport: answer.transport,
      localIndex,
      remoteIndex: init.sender,
      isInitiator: false,
      createdAt: now,
    });
    const tentative: Tentative = { keys, shown: received.shown, resp: answer.resp, from, initBytes: bytes.length };
    // The oldest gives way: if the newest did, replays of four old INITs would lock the peer out.
    const crowded = peer.tentative.length >= TENTATIVE_MAX ? peer.tentative[0] : undefined;
    if (crowded !== undefined) peers.table.forget(crowded.keys);
    peer.tentative = [...peer.tentative.filter((other) => other !== crowded), tentative];
    peers.table.add(peer, keys, initName(init));
    peers.schedule(peer);
    peers.send([{ to: from, bytes: answer.resp }]);
  }

  /** Simultaneous open: whether the INIT of the other side has to wait for the answer to ours, which goes where the other's came from. */
  private isPutOff(now: number, { initiation, leads }: Peer, from: PathId): boolean {
    if (initiation === undefined || !leads) return false;
    initiation.crossedAt ??= now;
    if (now - initiation.crossedAt >= YIELD_MS) return false;
    this.o.peers.send([initiation.datagram(from)]);
    return true;
  }
}

/** An INIT with its mac1, which only one who knows this node can make: with another byte it has another name. */
const initName = ({ ephemeral, mac1 }: InitPacket): string => Buffer.concat([ephemeral, mac1]).toString('latin1');
