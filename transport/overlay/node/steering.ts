/**
 * The ways to peers: what their `Paths` say is done here, and what comes by a path is told to them.
 *
 *   path frames -> Paths, pings, answers to probes of punching, what others see of this node
 *   Paths       -> challenges and answers, another path for the traffic, a wish for a direct one
 */
import { endpointBytes, kindOfPath, parseEndpointBytes, parseRelayPath, parseUdpPath } from '../paths/endpoint.ts';
import { PATHS_MAX, type Paths, type PathOutput } from '../paths/paths.ts';
import { hexOf, type PublicKey } from '../key-text.ts';
import type { Sessions } from '../session/sessions.ts';
import type { PathId } from '../source.ts';
import { CONTROL, type Frame } from '../wire/frames.ts';
import type { Carrier } from './carrier.ts';
import type { NodeOutput } from './ports.ts';
import type { Relaying } from './relaying.ts';
import type { RemotePeer } from './remote-peer.ts';
import type { Traversal } from './traversal.ts';

export interface SteeringOptions {
  readonly random: (bytes: number) => Uint8Array;
  readonly peers: ReadonlyMap<PublicKey, RemotePeer>;
  readonly sessions: Sessions;
  readonly carrier: Carrier;
  readonly relaying: Relaying;
  readonly traversal: Traversal;
  readonly emit: (output: NodeOutput) => void;
  readonly touch: (peer: RemotePeer) => void;
  readonly nameOf: (peer: RemotePeer) => string;
}

/** Timeouts of a connection at which the way to the relay is looked at. */
const TIMEOUTS_DOUBT = 2;
/** Of one peer that may still be answered. */
const PINGS_MAX = 32;
const NOTHING = new Uint8Array(0);

/** Reasons for which a path is left that carries nothing any more. */
const DIED: ReadonlySet<string> = new Set(['lost', 'silent', 'timeouts']);

export class Steering {
  private readonly o: SteeringOptions;

  constructor(o: SteeringOptions) {
    this.o = o;
  }

  /** A guest proves nothing: anyone with an invite is as many guests as it likes. It may come again, and by its certificate it is a member. */
  prove(peer: RemotePeer, path: PathId): void {
    if (!peer.isMember || kindOfPath(path) !== 'tcp' || peer.proved.has(path)) return;
    const [oldest] = peer.proved;
    if (oldest !== undefined && peer.proved.size >= PATHS_MAX) this.unprove(peer, [oldest]);
    peer.proved.add(path);
    this.o.emit({ type: 'path_proved', path });
  }

  /** There are no keys any more by which it could prove anything. */
  unprove(peer: RemotePeer, paths: readonly PathId[] = [...peer.proved]): void {
    for (const path of paths) {
      peer.proved.delete(path);
      this.o.emit({ type: 'path_unproved', path });
    }
  }

  /** Measures the way to a peer: 'pong' follows, or nothing. False: there is no path. */
  ping(now: number, peer: RemotePeer): boolean {
    const path = peer.paths?.active;
    if (path === undefined) return false;
    if (peer.pings.size >= PINGS_MAX) peer.pings.delete(peer.pings.keys().next().value as string);
    const data = this.o.random(8);
    peer.pings.set(hexOf(data), { path, at: now });
    // It goes once, and the peer is to answer: if it is lost, keepalives ask again, before the peer seems to be silent.
    peer.paths?.traffic(now);
    this.o.touch(peer);
    return this.o.carrier.unwatched(now, peer, path, [{ type: 'path_challenge', data }]);
  }

  /** A frame of a peer that came by this path. */
  received(now: number, peer: RemotePeer, path: PathId, frame: Frame): void {
    if (frame.type === 'path_challenge') {
      peer.paths?.challenge(path, frame.data);
      this.o.traversal.challenged(now, peer, path);
    } else if (frame.type === 'path_response') {
      const name = hexOf(frame.data);
      const ping = peer.pings.get(name);
      if (ping?.path === path) {
        peer.pings.delete(name);
        peer.paths?.measured(path, now - ping.at);
        this.o.emit({ type: 'pong', peer: peer.key, path, rttMs: now - ping.at });
      } else if (!this.o.traversal.response(now, peer, path, frame.data)) peer.paths?.response(now, path, frame.data);
      this.o.relaying.measured(now, peer);
    } else if (frame.type === 'control' && frame.code === CONTROL.observed)
      this.o.traversal.observed(now, peer, path, parseEndpointBytes(frame.bytes));
  }

  /** Does what the paths of a peer want. */
  move(now: number, peer: RemotePeer): void {
    const { paths } = peer;
    if (paths === undefined) return;
    const { timeouts } = peer.connection;
    paths.timeouts(now, timeouts, peer.connection.rttMs);
    if (timeouts > peer.timeouts && timeouts >= TIMEOUTS_DOUBT) this.doubtRelays(now, peer, paths);
    peer.timeouts = timeouts;
    for (const output of paths.take()) this.onPath(now, peer, paths, output);
  }

  /**
   * A relay does not acknowledge what goes by way of it: if that does not arrive, it may be the way to the relay that has broken. And what ends a
   * direct path may end the ways to all relays: that is known by the time they are needed.
   */
  private doubtRelays(now: number, peer: RemotePeer, { active }: Paths): void {
    if (active === undefined) return;
    if (this.o.relaying.isRelay(peer.key)) return this.o.relaying.doubt(now, peer);
    const by = parseRelayPath(active)?.relay;
    for (const key of by === undefined ? this.o.relaying.ready() : [by]) {
      const relay = this.o.peers.get(key);
      if (relay?.paths?.active === undefined) continue;
      relay.paths.doubtAll(now);
      this.o.relaying.doubt(now, relay);
      this.o.touch(relay);
    }
  }

  /** The way to a relay was dead, and there is another one: what went by the relay meanwhile is lost. */
  private relayMoved(now: number, relay: PublicKey): void {
    for (const peer of this.o.peers.values()) {
      const active = peer.paths?.active;
      if (active === undefined || parseRelayPath(active)?.relay !== relay) continue;
      peer.connection.pathChanged(now, peer.connection.rttMs);
      this.o.touch(peer);
    }
  }

  private onPath(now: number, peer: RemotePeer, paths: Paths, output: PathOutput): void {
    switch (output.type) {
      case 'send': {
        const { path, frame, padTo } = output;
        const isKeepalive = frame.type === 'path_challenge' && path === paths.active && padTo === undefined;
        const seen = frame.type === 'path_response' ? observedBytes(path) : NOTHING;
        const frames: Frame[] = [frame];
        // On the path in use it is no mere look: the peer is to answer by where it comes from.
        if (isKeepalive) frames.push({ type: 'ping' });
        if (seen.length > 0) frames.push({ type: 'control', code: CONTROL.observed, bytes: seen });
        if (peer.isUp) this.o.carrier.unwatched(now, peer, path, frames, padTo);
        return;
      }
      case 'active':
        return this.onActive(now, peer, output.path, output.rttMs, output.reason);
      case 'want_direct':
        for (const hint of peer.hints) paths.probe(now, hint);
        this.o.relaying.wantDirect(now, peer);
        return this.o.traversal.wantDirect(now, peer);
    }
  }

  private onActive(now: number, peer: RemotePeer, path: PathId | undefined, rttMs: number | undefined, reason: string): void {
    const from = peer.lastPath;
    peer.lastPath = path ?? from;
    if (path === undefined) {
      peer.retries = 0;
      peer.retryAt = now;
      this.o.relaying.doubt(now, peer);
    } else {
      peer.retryAt = Infinity;
      if (from !== undefined && from !== path) peer.connection.pathChanged(now, rttMs);
      if (kindOfPath(path) === 'direct') this.o.traversal.direct(peer, path);
      this.o.sessions.setPaths(peer.key, [...new Set([path, ...this.o.relaying.pathsTo(peer)])]);
      // There were keys, and no way.
      if (peer.wishedUntil !== -Infinity) this.o.emit({ type: 'connected', peer: peer.key });
      peer.wishedUntil = -Infinity;
      this.o.relaying.measured(now, peer);
      if (DIED.has(reason) && from !== path && this.o.relaying.isRelay(peer.key)) this.relayMoved(now, peer.key);
    }
    if (from === path) return;
    const kind = path === undefined ? undefined : kindOfPath(path);
    this.o.emit({
      type: 'event',
      event: { type: 'path_changed', peer: peer.key, name: this.o.nameOf(peer), from, to: path, kind, reason },
    });
  }
}

/** A frame that belongs to no connection. */
export const isOfPath = (frame: Frame): boolean =>
  frame.type === 'path_challenge' ||
  frame.type === 'path_response' ||
  (frame.type === 'control' && frame.code === CONTROL.observed);

/** How a path looks from here, for the peer to know: of UDP paths alone. */
export function observedBytes(path: PathId): Uint8Array {
  const endpoint = parseUdpPath(path)?.endpoint;
  return endpoint === undefined ? NOTHING : endpointBytes(endpoint);
}
