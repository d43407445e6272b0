/**
 * The overlay as a `Link`: messages between the nodes of a mesh, by the names in their certificates.
 *
 *   link/m/<channel>    a message          link/here, link/gone    a node of the mesh came, or stops
 *
 * A name that is none of the overlay (`NAME` in trust/encoding.ts) is written `x--` and the hex of its UTF-8. So a node is only ever what its certificate
 * says, or what this side has pinned; nobody is told as who he says to be.
 */
import { assert, MeshError } from '../../core/errors.ts';
import type { Link } from '../../core/ports/link.ts';
import type { Overlay, PeerRef } from './overlay.ts';
import type { PublicKey } from './session/output.ts';
import { LIMITS } from './trust/descriptor.ts';
import { NAME } from './trust/encoding.ts';

const MESSAGE = 'link/m/';
const HERE = 'link/here';
const GONE = 'link/gone';
const ENCODED = 'x--';
const NAME_MAX = 63;
/** Who is registered at the relays is asked that often. */
const LOOK_MS = 2_000;
const EMPTY = new Uint8Array(0);

export interface OverlayLinkOptions {
  /**
   * Begins the overlay of a node, whose certificate (or pin) has this name: it is called once, by `start`. Rejects with errors of
   * `startOverlay`.
   */
  readonly open: (name: string) => Promise<Overlay>;
  /** Bytes of the longest message: as the network allows. Default 1 MiB. */
  readonly bytesMax?: number;
}

/** The name in the overlay of a node of a mesh. Throws CONFIG_INVALID where it is too long for one. */
export function overlayName(node: string): string {
  if (NAME.test(node) && !node.startsWith(ENCODED)) return node;
  const name = `${ENCODED}${Buffer.from(node, 'utf8').toString('hex')}`;
  if (name.length > NAME_MAX)
    throw new MeshError(
      'CONFIG_INVALID',
      `the name of the node '${node}' is too long for the overlay: use at most ${NAME_MAX} letters, digits and . _ -`,
    );
  return name;
}

/** The node of a mesh that has this name in the overlay. */
export function nodeOfName(name: string): string {
  return name.startsWith(ENCODED) ? Buffer.from(name.slice(ENCODED.length), 'hex').toString('utf8') : name;
}

export const overlayLink = (options: OverlayLinkOptions): Link => new OverlayLink(options);

class OverlayLink implements Link {
  readonly bytesMax: number;
  private readonly open: (name: string) => Promise<Overlay>;
  private readonly handlers = new Map<string, (from: string, bytes: Uint8Array) => void>();
  /** Nodes of the mesh that have said that they are here, by key. */
  private readonly here = new Map<PublicKey, string>();
  private overlay: Overlay | undefined;
  private node = '';
  private timer: NodeJS.Timeout | undefined;

  constructor({ open, bytesMax = LIMITS.messageBytesMax }: OverlayLinkOptions) {
    this.open = open;
    this.bytesMax = bytesMax;
  }

  get endpoint(): string {
    return this.overlay === undefined ? '' : `overlay:${this.overlay.publicKey}`;
  }

  async start(node: string): Promise<void> {
    assert(this.overlay === undefined, 'a link is started once');
    this.node = node;
    const overlay = await this.open(overlayName(node));
    this.overlay = overlay;
    for (const channel of this.handlers.keys()) this.listen(overlay, channel);
    overlay.onMessage(HERE, (from) => this.met(from));
    overlay.onMessage(GONE, (from) => void this.here.delete(from.publicKey));
    overlay.onEvent((event) => {
      if (event.type === 'peer_up') this.greet(overlay, event.peer);
      if (event.type === 'peer_down') this.here.delete(event.peer);
    });
    this.look(overlay);
    this.timer = setInterval(() => this.look(overlay), LOOK_MS);
    this.timer.unref();
  }

  send(node: string, channel: string, bytes: Uint8Array): void {
    if (this.overlay === undefined || bytes.length > this.bytesMax) return;
    // The overlay keeps what it sends until it is delivered.
    this.overlay.post(nameOrNone(node), MESSAGE + channel, Uint8Array.from(bytes));
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
    this.overlay = undefined;
    clearInterval(this.timer);
    if (overlay === undefined) return;
    for (const key of this.here.keys()) overlay.post(key, GONE, EMPTY);
    this.here.clear();
    await overlay.stop();
  }

  private listen(overlay: Overlay, channel: string): void {
    const handler = this.handlers.get(channel);
    if (handler === undefined) return;
    overlay.onMessage(MESSAGE + channel, (from, bytes) => {
      if (from.name !== '') handler(nodeOfName(from.name), bytes);
    });
  }

  private met(from: PeerRef): void {
    if (from.name !== '') this.here.set(from.publicKey, nodeOfName(from.name));
  }

  private greet(overlay: Overlay, peer: PublicKey): void {
    overlay.post(peer, HERE, EMPTY);
  }

  /** Gets into touch with all members that the relays know. */
  private look(overlay: Overlay): void {
    void overlay.members().then(
      (members) => {
        for (const { publicKey } of members)
          if (publicKey !== overlay.publicKey) void overlay.connect(publicKey).catch(() => undefined);
      },
      () => undefined,
    );
  }
}

/** What cannot be a name belongs to nobody. */
function nameOrNone(node: string): string {
  try {
    return overlayName(node);
  } catch {
    return '';
  }
}
