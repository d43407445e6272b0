/** Our overlay as an end: two nodes that know each other's keys. */
import { type Overlay, startOverlay } from 'reprise/overlay';
import type { End } from './ends.ts';
import { identityOf, keyOf, network, trustIn } from './members.ts';

export interface OverlayPlace {
  readonly name: string;
  /** `host:port` */
  readonly endpoint: string;
}

type Role = 'listener' | 'dialler' | 'relay';
interface Settings {
  readonly datagram?: number;
  readonly via?: OverlayPlace;
  /** Who is let in besides the usual ones. */
  readonly others?: readonly string[];
}

const CHANNEL = 'bench';
const HOST = '127.0.0.1';
/** Messages under way, at most, and bytes of these: less than the queue of a peer holds. */
const MESSAGES_MAX = 16_384;
const BYTES_MAX = 4 << 20;

/** A node by itself. */
export async function startNode(
  name: string,
  host: string,
  { datagram, via, others = [] }: Settings,
  peers: readonly OverlayPlace[] = [],
): Promise<Overlay> {
  const known = await Promise.all(
    peers.map(async (peer) => ({ publicKey: keyOf(await identityOf(peer.name)), name: peer.name, endpoints: [peer.endpoint] })),
  );
  return startOverlay({
    identity: await identityOf(name),
    network,
    trust: await trustIn(others),
    name,
    listen: [{ host, port: 0 }],
    relay: name === 'relay',
    relays: via === undefined ? [] : [{ publicKey: keyOf(await identityOf('relay')), endpoints: [via.endpoint] }],
    // With a relay nobody knows where anyone is, and candidates on the loopback are never punched: so it stays relayed.
    peers: via === undefined ? known : [],
    ...(datagram !== undefined && { maxDatagram: datagram }),
  });
}

export const placeOf = (name: string, { endpoints }: Overlay): OverlayPlace => ({
  name,
  endpoint: `${endpoints[0]?.host}:${endpoints[0]?.port}`,
});

/** With `peer` it is connected when this resolves. */
export async function openOverlay(
  role: Role,
  settings: Settings,
  peer?: OverlayPlace,
): Promise<{ readonly place: OverlayPlace; readonly end: End; readonly overlay: Overlay }> {
  const overlay = await startNode(role, HOST, settings, peer === undefined ? [] : [peer]);
  const other = keyOf(await identityOf(role === 'listener' ? 'dialler' : 'listener'));
  if (peer !== undefined) await connected(overlay, other);
  return { place: placeOf(role, overlay), end: new OverlayEnd(overlay, other), overlay };
}

/** The first questions may come before the other side has told the relay that it is there. */
async function connected(overlay: Overlay, key: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await overlay.connect(key, { timeoutMs: 2_000 });
      return;
    } catch (error) {
      if (tries === 5) throw error;
    }
  }
}

class OverlayEnd implements End {
  onRoom = (): void => undefined;
  onMessage: (message: Uint8Array) => void = () => undefined;
  private readonly overlay: Overlay;
  private readonly other: string;
  private messages = 0;
  private bytes = 0;
  private isFull = false;

  constructor(overlay: Overlay, other: string) {
    this.overlay = overlay;
    this.other = other;
    overlay.onMessage(CHANNEL, (_from, bytes) => this.onMessage(bytes));
  }

  send(message: Uint8Array): boolean {
    this.messages++;
    this.bytes += message.length;
    // What fails ends the process: a bench that loses messages measures nothing.
    void this.overlay.send(this.other, CHANNEL, message).then(() => this.delivered(message.length));
    this.isFull = this.messages >= MESSAGES_MAX || this.bytes >= BYTES_MAX;
    return !this.isFull;
  }

  sentBytes(): number {
    return this.overlay.status().peers.find(({ publicKey }) => publicKey === this.other)?.sentBytes ?? 0;
  }

  private delivered(bytes: number): void {
    this.messages--;
    this.bytes -= bytes;
    if (!this.isFull || this.messages > MESSAGES_MAX / 2 || this.bytes > BYTES_MAX / 2) return;
    this.isFull = false;
    this.onRoom();
  }
}
