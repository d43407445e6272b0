/**
 * Getting into touch with a peer: handshakes on all ways to it that are known where there are no keys, challenges where there are, and both where
 * keys have no way left that works.
 */
import { kindOfPath } from '../paths/endpoint.ts';
import type { Sessions } from '../session/sessions.ts';
import type { PathId } from '../source.ts';
import type { NodeOptions, NodeOutput } from './ports.ts';
import type { Relaying } from './relaying.ts';
import type { RemotePeer } from './remote-peer.ts';

/** A wish to connect that has no path to go by, and no relay that may give one, ends so. */
const CONNECT_MS = 10_000;
/** Paths are tried anew while something waits and none is left: after so long, and twice as long each time. */
const RETRY_MS = 1_000;
const RETRY_MAX_MS = 2_000;
/** A handshake that nobody answers goes again that often, and who is looked for is asked for anew: it may have come to a relay since. ±25 %. */
const AGAIN_MS = 1_000;

export interface ReachingOptions {
  readonly options: NodeOptions;
  readonly sessions: Sessions;
  readonly relaying: Relaying;
  readonly emit: (output: NodeOutput) => void;
  readonly touch: (peer: RemotePeer) => void;
  /** The sessions have something to say. */
  readonly drain: (now: number) => void;
}

export class Reaching {
  private readonly o: ReachingOptions;

  constructor(o: ReachingOptions) {
    this.o = o;
  }

  /** Somebody wants to speak to it. */
  begin(now: number, peer: RemotePeer): void {
    const { options, relaying, emit } = this.o;
    if (!peer.isConnecting) {
      const known = options.peers?.find(({ publicKey }) => publicKey === peer.key);
      const endpoints = known?.endpoints ?? [];
      if (endpoints.length > 0) emit({ type: 'look_up', peer: peer.key, endpoints });
      relaying.find(now, peer);
    }
    if (peer.isUp) {
      peer.wishedUntil = now + CONNECT_MS;
      peer.retryAt = Math.min(peer.retryAt, now + RETRY_MS);
    }
    this.connect(now, peer, relaying.pathsTo(peer));
  }

  /** Ways to a peer that were found. */
  by(now: number, peer: RemotePeer, paths: readonly PathId[]): void {
    // Relayed ones are known to `relaying`.
    for (const path of paths) if (kindOfPath(path) !== 'relayed') peer.hint(path);
    this.connect(now, peer, paths);
    if (!peer.isUp) this.again(now, peer);
  }

  /** There are no keys yet, or there is no path left: everything is tried, as long as something waits. */
  retry(now: number, peer: RemotePeer): void {
    const { relaying } = this.o;
    if (!peer.isUp) return this.retryToConnect(now, peer);
    this.look(now, peer, [...peer.hints, ...relaying.pathsTo(peer)]);
    relaying.doubt(now, peer);
    const isWanted =
      now < peer.wishedUntil || peer.connection.memory.outgoing > 0 || peer.connection.inFlight > 0 || relaying.isRelay(peer.key);
    peer.retryAt = isWanted ? now + Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** peer.retries++) : Infinity;
  }

  private retryToConnect(now: number, peer: RemotePeer): void {
    peer.retryAt = Infinity;
    if (!peer.isConnecting) return;
    this.o.relaying.find(now, peer);
    this.connect(now, peer, this.o.relaying.pathsTo(peer));
    this.again(now, peer);
  }

  private connect(now: number, peer: RemotePeer, paths: readonly PathId[]): void {
    if (peer.isUp) this.look(now, peer, paths);
    else {
      const all = [...new Set([...peer.hints, ...paths])];
      peer.isConnecting = true;
      if (peer.connectBy === Infinity) peer.connectBy = now + CONNECT_MS;
      if (peer.retryAt === Infinity) peer.retryAt = this.againAt(now);
      if (all.length > 0) {
        this.o.sessions.connect(now, peer.key, all);
        this.o.drain(now);
      }
    }
    this.o.touch(peer);
  }

  /** A handshake that is under way goes once more. */
  private again(now: number, peer: RemotePeer): void {
    this.o.sessions.again(now, peer.key);
    this.o.drain(now);
  }

  private againAt(now: number): number {
    const [byte = 0] = this.o.options.random(1);
    return now + AGAIN_MS * (0.75 + byte / 510);
  }

  /** Challenges paths. If there is none in use, new keys may be wanted as well: the peer may have started again. */
  private look(now: number, peer: RemotePeer, paths: readonly PathId[]): void {
    for (const path of paths) peer.paths?.probe(now, path);
    if (peer.paths?.active !== undefined) return;
    this.o.sessions.setPaths(peer.key, [...new Set([...peer.hints, ...paths])]);
    this.again(now, peer);
  }
}
