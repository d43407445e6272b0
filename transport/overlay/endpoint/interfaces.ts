/** The addresses of this host, and whether they are still the same. */
import type { NetworkInterfaceInfo, networkInterfaces } from 'node:os';

export type ReadInterfaces = typeof networkInterfaces;

/** How often is looked whether they are the same, in ms. */
export const INTERFACE_POLL_MS = 2000;

/** fe80::/10. They mean nothing without the name of an interface, which is another one at the peer. */
const LINK_LOCAL_IPV6 = /^fe[89ab]/i;

/**
 * Unicast addresses of interfaces that are up, loopback and link-local IPv6 left out, in the order of the system. IPv6 without zone.
 * None where the system does not tell.
 */
export function hostAddresses(read: ReadInterfaces): readonly string[] {
  return all(read).flatMap(({ address, internal }) => (internal || LINK_LOCAL_IPV6.test(address) ? [] : [address]));
}

function all(read: ReadInterfaces): readonly NetworkInterfaceInfo[] {
  try {
    return Object.values(read()).flatMap((addresses) => addresses ?? []);
  } catch {
    // Sandboxes forbid it; what peers see of this host is still told by them.
    return [];
  }
}

/** Calls `changed` when `hostAddresses` are others than at the last look. A new route over the same addresses is not seen. */
export class InterfaceWatch {
  private readonly read: ReadInterfaces;
  private readonly changed: () => void;
  private readonly timer: NodeJS.Timeout;
  private known: string;

  constructor(read: ReadInterfaces, changed: () => void) {
    this.read = read;
    this.changed = changed;
    this.known = this.look();
    this.timer = setInterval(() => this.check(), INTERFACE_POLL_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private check(): void {
    const now = this.look();
    if (now === this.known) return;
    this.known = now;
    this.changed();
  }

  private look(): string {
    return [...hostAddresses(this.read)].sort().join(' ');
  }
}
