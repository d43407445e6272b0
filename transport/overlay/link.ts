/**
 * The overlay as a `Link`: messages between the nodes of a mesh, by the names in their certificates.
 *
 *   link/m/<channel>    a message          link/here    01: a node of the mesh is here, 00: it stops
 *
 * A node is only ever what its certificate says, or what this side has pinned; nobody is told as who he says to be. A name that is none of the overlay
 * (`NAME` in trust/encoding.ts) is written `x--` and the hex of its UTF-8. Authorities give no two names that differ in capitals alone.
 */
import { randomInt } from 'node:crypto';
import { assert, MeshError } from '../../core/errors.ts';
import type { Link } from '../../core/ports/link.ts';
import type { Overlay, PeerRef } from './host/ports.ts';
import type { PublicKey } from './key-text.ts';
import { LIMITS } from './trust/descriptor.ts';
import { NAME } from './trust/encoding.ts';

const MESSAGE = 'link/m/';
const PRESENCE = 'link/here';
const HERE = Uint8Array.of(1);
const GONE = Uint8Array.of(0);
const ENCODED = 'x--';
const NAME_MAX = 63;
/** Who is registered at the relays is asked again after so long; twice as long each time that nothing was new, since who comes gets into touch itself. */
const LOOK_MS = 2_000;
const LOOK_MAX_MS = 30_000;
/** Members that are being connected to at once. */
const CONNECTING_MAX = 64;
/** Nodes of which it is remembered that they were here. */
const MET_MAX = 4_096;

export interface OverlayLinkOptions {
  /**
   * Begins the overlay of a node, which has to have this name in its certificate, or in the configurations of the others: it is called once, by
   * `start`. Rejects with errors of `startOverlay`.
   */
  readonly open: (name: string) => Promise<Overlay>;
  /** Bytes of the longest message: as the network allows. Default 1 MiB. */
  readonly bytesMax?: number;
}

/** The name in the overlay of a node of a mesh. Throws CONFIG_INVALID where it is too long for one. */
export function overlayName(node: string): string {
  if (NAME.test(node) && node.length <= NAME_MAX && !node.startsWith(ENCODED)) return node;
  const name = `${ENCODED}${Buffer.from(node, 'utf8').toString('hex')}`;
  if (name.length > NAME_MAX)
    throw new MeshError(
      'CONFIG_INVALID',
      `the name of the node '${node}' is too long for the overlay: use at most ${NAME_MAX} letters, digits and . _ -`,
    );
  return name;
}

/** The node of a mesh that has this name in the overlay. Undefined: none has, so that no two names are of one node. */
export function nodeOfName(name: string): string | undefined {
  if (!name.startsWith(ENCODED)) return name === '' ? undefined : name;
  const node = Buffer.from(name.slice(ENCODED.length), 'hex').toString('utf8');
  return nameOrNone(node) === name ? node : undefined;
}

/**
 * A link over an overlay, which it stops when it is stopped. Its nodes find each other at the relays, or by the peers of the configuration.
 *
 * Throws at `start`: as `open`, and CONFIG_INVALID where the node has another name in the overlay, or one that is too long.
 */
export const overlayLink = (options: OverlayLinkOptions): Link => new OverlayLink(options);

class OverlayLink implements Link {
  readonly bytesMax: number;
  private readonly open: (name: string) => Promise<Overlay>;
  private readonly handlers = new Map<string, (from: string, bytes: Uint8Array) => void>();
  /** Nodes of the mesh that have said that they are here, by key. */
  private readonly here = new Map<PublicKey, string>();
  private readonly connecting = new Set<PublicKey>();
  /** Who was here at any time, the last ones. */
  private readonly met = new Set<PublicKey>();
  private overlay: Overlay | undefined;
  private timer: NodeJS.Timeout | undefined;
  private waitMs = LOOK_MS;
  private isStarted = false;
  private isStopped = false;

  constructor({ open, bytesMax = LIMITS.messageBytesMax }: OverlayLinkOptions) {
    this.open = open;
    this.bytesMax = bytesMax;
  }

  get endpoint(): string {
    return this.overlay === undefined ? '' : `overlay:${this.overlay.publicKey}`;
  }

  async start(node: string): Promise<void> {
    assert(!this.isStarted, 'a link is started once');
    this.isStarted = true;
    const name = overlayName(node);
    const overlay = await this.open(name);
    const actual = overlay.status().name;
    if (this.isStopped || actual !== name) await overlay.stop();
    if (this.isStopped) return;
    if (actual !== name)
      throw new MeshError(
        'CONFIG_INVALID',
        `the node '${node}' has to be called '${name}' in the overlay, where it is '${actual}'`,
      );
    this.overlay = overlay;
    for (const channel of this.handlers.keys()) this.listen(overlay, channel);
    overlay.onMessage(PRESENCE, (from, bytes) => this.heard(from, bytes));
    overlay.onEvent((event) => {
      if (event.type === 'peer_up') overlay.post(event.peer, PRESENCE, HERE);
      if (event.type === 'peer_down' || event.type === 'peer_restarted') this.missed(event.peer);
    });
    for (const { publicKey, isConnected } of overlay.peers()) if (isConnected) overlay.post(publicKey, PRESENCE, HERE);
    void this.look(overlay);
  }

  send(node: string, channel: string, bytes: Uint8Array): void {
    const name = nameOrNone(node);
    if (this.overlay === undefined || name === undefined || bytes.length > this.bytesMax) return;
    // The overlay keeps what it sends until it is delivered.
    this.overlay.post(name, MESSAGE + channel, Uint8Array.from(bytes));
  }

  onMessage(channel: string, handler: (from: string, bytes: Uint8Array) => void): void {
    this.handlers.set(channel, handler);
    if (this.overlay !== undefined) this.listen(this.overlay, channel);
  }

  peers(): readonly string[] {
    return [...new Set(this.here.values())];
  }

  async stop(): Promise<void> {
    const { overlay } = this;
    this.isStopped = true;
    this.overlay = undefined;
    clearTimeout(this.timer);
    if (overlay === undefined) return;
    for (const key of this.here.keys()) overlay.post(key, PRESENCE, GONE);
    this.here.clear();
    await overlay.stop();
  }

  private listen(overlay: Overlay, channel: string): void {
    const handler = this.handlers.get(channel);
    if (handler === undefined) return;
    overlay.onMessage(MESSAGE + channel, (from, bytes) => {
      const node = nodeOfName(from.name);
      if (node !== undefined && !this.isStopped) handler(node, bytes);
    });
  }

  private heard(from: PeerRef, bytes: Uint8Array): void {
    const node = nodeOfName(from.name);
    if (node === undefined || this.isStopped) return;
    if (bytes[0] === GONE[0]) this.here.delete(from.publicKey);
    else if (bytes[0] === HERE[0] && this.here.get(from.publicKey) !== node) {
      this.here.set(from.publicKey, node);
      this.met.add(from.publicKey);
      const [oldest] = this.met;
      if (this.met.size > MET_MAX && oldest !== undefined) this.met.delete(oldest);
      this.waitMs = LOOK_MS;
    }
  }

  /** Others may have lost it, too: everybody is looked for soon. */
  private missed(peer: PublicKey): void {
    if (!this.here.delete(peer) || this.overlay === undefined) return;
    this.waitMs = LOOK_MS;
    this.lookLater(this.overlay);
  }

  private lookLater(overlay: Overlay): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.look(overlay), this.waitMs);
    this.timer.unref();
    this.waitMs = Math.min(LOOK_MAX_MS, 2 * this.waitMs);
  }

  /** Gets into touch with all members that the relays know, or the configuration. Who is here is told again: so it is noticed who is not any more. */
  private async look(overlay: Overlay): Promise<void> {
    try {
      for (const key of this.here.keys()) overlay.post(key, PRESENCE, HERE);
      const members = (await overlay.members()).map(({ publicKey }) => publicKey);
      // A relay may make up any number: they come behind those who were here before, in another order each time.
      const known = members.filter((key) => this.met.has(key));
      for (const key of [...overlay.peers().map(({ publicKey }) => publicKey), ...known, ...shuffled(members)])
        this.reach(overlay, key);
    } catch (error) {
      // It was stopped meanwhile.
      if (!(error instanceof MeshError)) throw error;
    }
    if (!this.isStopped) this.lookLater(overlay);
  }

  private reach(overlay: Overlay, key: PublicKey): void {
    if (this.isStopped || this.here.has(key) || this.connecting.has(key) || this.connecting.size >= CONNECTING_MAX) return;
    this.connecting.add(key);
    void overlay
      .connect(key)
      // It is tried again with the next look.
      .catch(() => undefined)
      .finally(() => this.connecting.delete(key));
  }
}

/** In an order that nobody can foresee. */
function shuffled<T>(items: readonly T[]): readonly T[] {
  const places = items.map((item) => ({ item, place: randomInt(2 ** 47) }));
  return places.toSorted((a, b) => a.place - b.place).map(({ item }) => item);
}

/** What cannot be a name belongs to nobody. */
function nameOrNone(node: string): string | undefined {
  try {
    return overlayName(node);
  } catch {
    return undefined;
  }
}
