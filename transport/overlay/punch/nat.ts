/**
 * What the NATs in front of this node do, from what others saw of it. A vantage is one endpoint of a relay as asked from one socket. Two that
 * saw different endpoints at the same time prove a symmetric NAT; an answer that is missing proves nothing.
 */
import { endpointText, type Endpoint } from '../paths/endpoint.ts';
import { familyOf, isPunchable, type NatKind } from './candidates.ts';

/** What was seen longer ago may have been another mapping: NATs forget idle ones after 30 s to some minutes. */
const SAMPLE_MS = 120_000;
/** Bounds; the ones asked longest ago are forgotten. */
const SOCKETS_MAX = 64;
const VANTAGES_MAX = 16;

interface Sample {
  readonly seen: Endpoint;
  readonly at: number;
}

export interface NatView {
  readonly socket: string;
  readonly kind: NatKind;
  readonly reflexive: readonly Endpoint[];
}

export class NatObserver {
  private readonly addresses: () => readonly Endpoint[];
  /** By socket, by vantage: both in the order of the last answer. */
  private readonly bySocket = new Map<string, Map<string, Sample>>();

  /** `addresses`: those of the interfaces; only their hosts are looked at. */
  constructor(o: { addresses(): readonly Endpoint[] }) {
    this.addresses = () => o.addresses();
  }

  /**
   * A relay saw packets of `socket` come from `seen`. `via` names the vantage: any text, one for each endpoint of a relay. Only relays should
   * be asked: what they say of a node is believed.
   */
  observed(now: number, via: string, socket: string, seen: Endpoint): void {
    if (!isPunchable(seen)) return;
    const samples = this.bySocket.get(socket) ?? new Map<string, Sample>();
    const before = samples.get(via);
    const family = familyOf(seen.host);
    for (const [other, { seen: theirs, at }] of samples) {
      // The same vantage sees another endpoint: the mapping is a new one, and what others saw was the old one.
      const isOldMapping = before !== undefined && !isSame(before.seen, seen) && familyOf(theirs.host) === family;
      if (isOldMapping || now - at > SAMPLE_MS) samples.delete(other);
    }
    append(samples, via, { seen, at: now }, VANTAGES_MAX);
    append(this.bySocket, socket, samples, SOCKETS_MAX);
  }

  /** Of IPv4, where there is any: that is where NATs are. */
  kind(socket: string): NatKind {
    const samples = [...(this.bySocket.get(socket)?.values() ?? [])].map(({ seen }) => seen);
    const ipv4 = samples.filter(({ host }) => familyOf(host) === 4);
    const seen = ipv4.length > 0 ? ipv4 : samples;
    const own = new Set(this.addresses().map(({ host }) => host));
    // A relay on the same LAN sees the socket's own address: that says nothing of the NAT behind which others are.
    const translated = seen.filter(({ host }) => !own.has(host));
    if (translated.length === 0) return seen.length > 0 ? 'none' : 'unknown';
    if (new Set(translated.map(endpointText)).size > 1) return 'sym';
    return translated.length > 1 ? 'eim' : 'unknown';
  }

  /** Each endpoint once, the one seen last first. */
  reflexive(socket: string): readonly Endpoint[] {
    const seen = [...(this.bySocket.get(socket)?.values() ?? [])].map((sample) => sample.seen).toReversed();
    return [...new Map(seen.map((endpoint) => [endpointText(endpoint), endpoint])).values()];
  }

  /** The socket was closed. */
  forget(socket: string): void {
    this.bySocket.delete(socket);
  }

  /** Interfaces have changed: nothing of what was seen holds. */
  networkChanged(): void {
    this.bySocket.clear();
  }

  /** A line for each socket that anyone saw. */
  view(): readonly NatView[] {
    return [...this.bySocket.keys()].map((socket) => ({ socket, kind: this.kind(socket), reflexive: this.reflexive(socket) }));
  }
}

const isSame = (a: Endpoint, b: Endpoint): boolean => endpointText(a) === endpointText(b);

/** Puts it last, and drops the first of too many. */
function append<V>(map: Map<string, V>, key: string, value: V, max: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > max) map.delete(map.keys().next().value as string);
}
