/**
 * MCP of one node: the names that it serves to others, and its sessions with them. One of it for each overlay.
 *
 * A session has a slot: the client takes the lowest that is free with this server node, and slots are used again. So each session has an
 * order of its own, and an association no more channels than slots, however many sessions it sees (channels are never given back).
 */
import { isMeshError, MeshError } from '../../../core/errors.ts';
import type { Clock } from '../../../core/ports/clock.ts';
import { LIMITS } from '../trust/descriptor.ts';
import { buildMcpFrame, DATA_HEAD_BYTES_MAX, ID_BYTES, isServerName, type McpFrame, parseMcpFrame } from './frames.ts';
import { MCP_LIMITS, type McpLimits } from './limits.ts';
import { Names } from './names.ts';
import { type McpOverlay, type McpPeer, nodeText } from './port.ts';
import { Session } from './session.ts';

export interface McpOptions {
  readonly clock: Clock;
  /** So many bytes that nobody can guess. */
  readonly random: (count: number) => Uint8Array;
  /** Of the network, as its descriptor says. Default: 1 MiB. */
  readonly messageBytesMax?: number;
  readonly limits?: Partial<McpLimits>;
}

export interface ServeOptions {
  /**
   * Names (of certificates, or in this node's own configuration) or keys (hex) of the nodes that may call. Default: every member of the
   * network. No addresses: they are labels, and prove nothing.
   */
  readonly allow?: readonly string[];
  /** Sessions at one time. */
  readonly sessionsMax?: number;
  /** A client has come. It must `start` the session, and `close` it in the end. */
  readonly onSession: (session: Session) => void;
}

/** Of a session: which side of it this node is, and its slot. */
type Side = 'client' | 'server';
interface Place {
  readonly side: Side;
  readonly slot: number;
  readonly peer: string;
}
interface Placed extends Place {
  readonly session: Session;
}

const ADDRESS_LIKE = /^[\da-f]{4}(?:\.[\da-f]{4}){2}$/i;

const FROM: Readonly<Record<Side, string>> = { client: 'mcp/down', server: 'mcp/up' };
const TO: Readonly<Record<Side, string>> = { client: 'mcp/up', server: 'mcp/down' };

export class OverlayMcp {
  private readonly overlay: McpOverlay;
  private readonly options: McpOptions;
  private readonly limits: McpLimits;
  private readonly budget: { bytesLeft: number };
  private readonly served = new Map<string, ServeOptions>();
  /** By `placeKey`. */
  private readonly sessions = new Map<string, Placed>();
  private readonly names: Names;
  private readonly unsubscribe: (() => void)[];
  private isStopped = false;

  constructor(overlay: McpOverlay, options: McpOptions) {
    this.overlay = overlay;
    this.options = options;
    const limits = { ...MCP_LIMITS, ...options.limits };
    const { messageBytesMax = LIMITS.messageBytesMax } = options;
    this.limits = { ...limits, pieceBytes: Math.min(limits.pieceBytes, messageBytesMax - DATA_HEAD_BYTES_MAX) };
    this.budget = { bytesLeft: this.limits.heldBytesMax };
    this.names = new Names(overlay, {
      clock: options.clock,
      newId: () => this.newId(),
      findMs: this.limits.findMs,
      isServedTo: (name, peer) => isAllowed(this.served.get(name), peer),
    });
    const slots = Array.from({ length: this.limits.slots }, (_, slot) => slot);
    this.unsubscribe = [
      ...(['client', 'server'] as const).flatMap((side) =>
        slots.map((slot) =>
          overlay.onMessage(`${FROM[side]}/${slot}`, (from, bytes) =>
            this.received({ side, slot, peer: from.publicKey }, from, bytes),
          ),
        ),
      ),
      overlay.onEvent((event) => {
        if (event.type === 'peer_restarted') this.peerLost(event.peer, 'has started again');
        if (event.type === 'peer_down') this.peerLost(event.peer, `is gone: ${goneText(event.reason)}`);
      }),
    ];
  }

  /** Names that are served here. */
  serving(): readonly string[] {
    return [...this.served.keys()];
  }

  /** Returns what ends it; its sessions go on. Throws NET_MCP_TAKEN, USAGE. */
  serve(name: string, options: ServeOptions): () => void {
    checkName(name);
    checkAllowed(options.allow ?? []);
    if (this.served.has(name)) throw new MeshError('NET_MCP_TAKEN', `this node serves an MCP server '${name}' already`);
    this.served.set(name, options);
    return () => {
      if (this.served.get(name) === options) this.served.delete(name);
    };
  }

  /**
   * A session with the server that `target` names: NODE/NAME, or NAME alone when one node serves it.
   *
   * Throws NET_MCP_UNKNOWN, NET_MCP_AMBIGUOUS, NET_MCP_REFUSED, NET_MCP_BUSY, NET_MCP_ENDED, NET_CLOSED after `stop`; what the overlay throws when it does
   * not reach NODE.
   */
  async open(target: string): Promise<Session> {
    const at = target.lastIndexOf('/');
    const name = target.slice(at + 1);
    checkName(name);
    if (this.isStopped) throw stopped();
    const peer =
      at < 0 ? await this.names.find(name) : await this.overlay.connect(target.slice(0, at), { timeoutMs: this.limits.openMs });
    try {
      return await this.openAt(peer, name);
    } catch (error) {
      // That the node has restarted is found out by what is sent to it first.
      if (!isMeshError(error, 'NET_MCP_ENDED')) throw error;
      return this.openAt(peer, name);
    }
  }

  /** Ends all that there is. */
  async stop(): Promise<void> {
    this.isStopped = true;
    for (const end of this.unsubscribe.splice(0)) end();
    this.names.stop();
    this.served.clear();
    await Promise.all([...this.sessions.values()].map(({ session }) => session.close()));
  }

  private async openAt(peer: McpPeer, name: string): Promise<Session> {
    if (this.isStopped) throw stopped();
    const session = this.add({ side: 'client', slot: this.freeSlot(peer), peer: peer.publicKey }, this.newId(), name, peer);
    await session.open();
    return session;
  }

  // ---- sessions --------------------------------------------------------------------------------------------------------

  private received(place: Place, from: McpPeer, bytes: Uint8Array): void {
    const frame = parseMcpFrame(bytes);
    const session = this.sessions.get(placeKey(place))?.session;
    if (frame === undefined) session?.violated('a frame is malformed');
    else if (session?.id === frame.id) session.received(frame);
    else if (frame.type === 'open' && place.side === 'server') this.asked(place, from, frame, session);
    else if (frame.type !== 'end') this.answer(place, frame.id, 'unknown_session');
  }

  private asked(
    place: Place,
    from: McpPeer,
    frame: Extract<McpFrame, { readonly type: 'open' }>,
    old: Session | undefined,
  ): void {
    // The client uses a slot again when it is done with it, so what this node has there is over.
    old?.disconnected('its client has begun another one');
    const served = this.served.get(frame.name);
    if (served === undefined) return this.answer(place, frame.id, 'unknown_name');
    if (!isAllowed(served, from)) return this.answer(place, frame.id, 'not_allowed');
    const here = [...this.sessions.values()].filter(({ side }) => side === 'server').map(({ session }) => session.name);
    const max = served.sessionsMax ?? this.limits.sessionsPerName;
    if (here.length >= this.limits.sessionsMax || here.filter((name) => name === frame.name).length >= max)
      return this.answer(place, frame.id, 'full');
    const session = this.add(place, frame.id, frame.name, from);
    session.accept(frame);
    served.onSession(session);
  }

  private add(place: Place, id: string, name: string, peer: McpPeer): Session {
    const key = placeKey(place);
    const session = new Session({
      id,
      name,
      peer,
      clock: this.options.clock,
      limits: this.limits,
      budget: this.budget,
      send: (frame) => this.overlay.send(place.peer, `${TO[place.side]}/${place.slot}`, frame),
      onGone: () => this.sessions.get(key)?.session === session && this.sessions.delete(key),
    });
    this.sessions.set(key, { ...place, session });
    return session;
  }

  private answer(place: Place, id: string, reason: Extract<McpFrame, { readonly type: 'end' }>['reason']): void {
    const end = buildMcpFrame({ type: 'end', id, reason, text: '' });
    // Who does not hear it hears it at the next sign of life, or gives up by itself.
    void this.overlay.send(place.peer, `${TO[place.side]}/${place.slot}`, end).catch(() => undefined);
  }

  /** Throws NET_MCP_BUSY. */
  private freeSlot(peer: McpPeer): number {
    for (let slot = 0; slot < this.limits.slots; slot++)
      if (!this.sessions.has(placeKey({ side: 'client', slot, peer: peer.publicKey }))) return slot;
    throw new MeshError('NET_MCP_BUSY', `this node has ${this.limits.slots} MCP sessions with ${nodeText(peer)} already`);
  }

  private peerLost(peer: string, what: string): void {
    for (const placed of [...this.sessions.values()])
      if (placed.peer === peer) placed.session.disconnected(`${nodeText(placed.session.peer)} ${what}`);
  }

  private newId(): string {
    return Buffer.from(this.options.random(ID_BYTES)).toString('hex');
  }
}

const stopped = (): MeshError => new MeshError('NET_CLOSED', 'this node has ended all of its MCP sessions, and opens no more');

/** `closed` is a word of the overlay, all else are its words for people. */
const goneText = (reason: string): string => (reason === 'closed' ? 'it said goodbye' : reason);

const placeKey = ({ side, slot, peer }: Place): string => `${side}/${slot}/${peer}`;

const isAllowed = (served: ServeOptions | undefined, peer: McpPeer): boolean =>
  served !== undefined && (served.allow === undefined || served.allow.some((who) => who === peer.publicKey || who === peer.name));

/** Throws USAGE. A node may be called what looks like the address of another. */
function checkAllowed(allow: readonly string[]): void {
  const wrong = allow.find((who) => who === '' || ADDRESS_LIKE.test(who));
  if (wrong !== undefined)
    throw new MeshError('USAGE', `'${wrong}' is no name and no key: only by those a node is known for certain`);
}

/** Throws USAGE. */
function checkName(name: string): void {
  if (!isServerName(name))
    throw new MeshError('USAGE', `'${name}' is no name of an MCP server: those have up to 64 letters, digits and ._-`);
}
