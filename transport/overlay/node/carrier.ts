/**
 * The way out: sealed packets onto paths. One by way of a relay becomes a RELAY frame in a packet to the relay.
 *
 *   packet -> udp:, ws: -> output 'datagram'
 *          -> relay:    -> RELAY, sealed for the relay -> the relay's own path, which is never relayed itself
 */
import { RELAYED_BYTES_MAX, buildRelay } from '../relay/bodies.ts';
import { kindOfPath, parseRelayPath } from '../paths/endpoint.ts';
import type { PathId } from '../source.ts';
import type { Sessions } from '../session/sessions.ts';
import type { PublicKey } from '../key-text.ts';
import type { Drops } from '../drops.ts';
import { Writer } from '../wire/bytes.ts';
import { CONTROL, putFrame, type Frame } from '../wire/frames.ts';
import { DATA_OVERHEAD_BYTES } from '../wire/packets.ts';
import type { NodeOutput } from './ports.ts';
import type { RemotePeer } from './remote-peer.ts';

/** Texts of relayed paths that were read, so that none is read for every packet. */
const READ_MAX = 4_096;
/** Frames of one packet, at most: the longest datagram that anyone takes. */
const PAYLOAD_MAX = 65_535;

export class Carrier {
  private readonly sessions: Sessions;
  private readonly peers: ReadonlyMap<PublicKey, RemotePeer>;
  private readonly emit: (output: NodeOutput) => void;
  private readonly drops: Drops;
  private readonly drain: (now: number) => void;
  private readonly read = new Map<PathId, { readonly relay: PublicKey; readonly hash: Uint8Array } | undefined>();
  private readonly payload = new Uint8Array(PAYLOAD_MAX);

  constructor(options: {
    readonly sessions: Sessions;
    readonly peers: ReadonlyMap<PublicKey, RemotePeer>;
    readonly emit: (output: NodeOutput) => void;
    readonly drops: Drops;
    /** Sessions have something to tell: keys that have ended. */
    readonly drain: (now: number) => void;
  }) {
    this.sessions = options.sessions;
    this.peers = options.peers;
    this.emit = options.emit;
    this.drops = options.drops;
    this.drain = options.drain;
  }

  /** One packet, as it is. */
  transmit(now: number, path: PathId, packet: Uint8Array, ttl?: number): void {
    if (kindOfPath(path) !== 'relayed') return this.emit({ type: 'datagram', to: path, bytes: packet, ttl });
    const way = this.wayOf(path);
    const relay = way === undefined ? undefined : this.peers.get(way.relay);
    if (way === undefined || relay === undefined || packet.length > RELAYED_BYTES_MAX) {
      this.drops.relay_unreachable += 1;
      return;
    }
    this.relay(now, relay, buildRelay({ type: 'to', hash: way.hash, packet }));
  }

  /** Packets of the connection with a peer, as many as may go on its path. */
  fill(now: number, to: RemotePeer): void {
    const { paths, connection } = to;
    const path = paths?.active;
    if (paths === undefined || path === undefined || !to.isUp) return;
    const room = paths.datagram(path) - DATA_OVERHEAD_BYTES;
    while (paths.isOpen(path)) {
      const packet = connection.next(now, room);
      if (packet === undefined) return;
      const sealed = this.seal(now, to, path, packet.frames);
      // Without keys its frames come again, under the next.
      if (sealed === undefined) return this.drain(now);
      connection.sent(now, sealed.pn, packet, sealed.packet.length);
      if (packet.isEliciting) to.asked(now);
      this.transmit(now, path, sealed.packet);
    }
  }

  /** A RELAY frame with this body, to a relay or to a client of this one. It is not sent again, nor acknowledged. */
  relay(now: number, to: RemotePeer, body: Uint8Array): void {
    const path = to.paths?.active;
    if (path === undefined || kindOfPath(path) === 'relayed') {
      this.drops.relay_unreachable += 1;
      return;
    }
    this.unwatched(now, to, path, [{ type: 'control', code: CONTROL.relay, bytes: body }]);
  }

  /** Frames that are not the connection's, in a packet of their own. `padTo`: bytes of the packet. False: there are no keys. */
  unwatched(now: number, to: RemotePeer, path: PathId, frames: readonly Frame[], padTo?: number, ttl?: number): boolean {
    const sealed = this.seal(now, to, path, frames, padTo);
    if (sealed === undefined) return false;
    to.connection.skip(sealed.pn);
    const active = to.paths?.active;
    if ((active === undefined || active === path) && frames.some(({ type }) => type === 'path_challenge')) to.asked(now);
    this.transmit(now, path, sealed.packet, ttl);
    return true;
  }

  /** Undefined: there are no keys. It counts as sent. */
  seal(
    now: number,
    to: RemotePeer,
    path: PathId,
    frames: readonly Frame[],
    padTo = 0,
  ): { readonly packet: Uint8Array; readonly pn: number } | undefined {
    const writer = new Writer(this.payload);
    for (const frame of frames) putFrame(writer, frame);
    writer.zeros(Math.max(0, padTo - DATA_OVERHEAD_BYTES - writer.length));
    const sealed = this.sessions.seal(now, to.key, writer.written());
    if (sealed === undefined) return undefined;
    to.sentBytes += sealed.packet.length;
    to.paths?.sent(path, sealed.packet.length);
    return sealed;
  }

  private wayOf(path: PathId): { readonly relay: PublicKey; readonly hash: Uint8Array } | undefined {
    if (this.read.has(path)) return this.read.get(path);
    const parsed = parseRelayPath(path);
    const way =
      parsed === undefined ? undefined : { relay: parsed.relay, hash: Uint8Array.from(Buffer.from(parsed.peer, 'hex')) };
    if (this.read.size >= READ_MAX) this.read.clear();
    this.read.set(path, way);
    return way;
  }
}
