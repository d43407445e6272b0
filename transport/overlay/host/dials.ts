/** Names of hosts that are looked up, and WebSockets that are dialled, for peers that are to be reached. */
import { parseEndpoint, type Endpoint } from '../paths/endpoint.ts';
import type { PublicKey } from '../key-text.ts';
import type { PathId } from '../source.ts';
import { dialReason } from '../endpoint/websocket-faults.ts';
import { Lookups } from './lookups.ts';

export interface DialsOptions {
  readonly dial: (url: string) => PathId;
  readonly close: (path: PathId) => void;
  /** Endpoints of the configuration, of which names are looked up before those that others tell of. */
  readonly configured: readonly string[];
  /** IP addresses of a host; default: as the system does it. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/** UDP has so long to answer before a WebSocket is tried as well. */
const RACE_MS = 400;
const WEB_SOCKET = /^wss?:\/\//;

/** URLs whose last dial has failed. */
const FAULTS_MAX = 64;

/** The last dial of a WebSocket, which failed. */
export interface DialFault {
  readonly url: string;
  /** Names the host and the reason. */
  readonly message: string;
  /** As `dialReason`. */
  readonly reason: string | undefined;
}

interface Dial {
  readonly peer: PublicKey;
  readonly url: string;
  isOpen: boolean;
}

export class Dials {
  private readonly o: DialsOptions;
  private readonly lookups: Lookups;
  /** Under way or open. */
  private readonly dials = new Map<PathId, Dial>();
  /** By URL, the oldest first: kept when the peer is given up, for then it is asked for. */
  private readonly failures = new Map<string, DialFault>();
  private readonly races = new Map<PublicKey, NodeJS.Timeout>();
  private isStopped = false;

  constructor(o: DialsOptions) {
    this.o = o;
    this.lookups = new Lookups(new Set(o.configured), o.resolve);
  }

  /**
   * Dials, unless that is under way. One that is open is no reason not to: it is dialled because nothing is heard by it, as after a change of
   * address, of which TCP learns late.
   */
  dial(peer: PublicKey, url: string): void {
    if (this.isStopped || this.of(peer, url).some(([, { isOpen }]) => !isOpen)) return;
    this.dials.set(this.o.dial(url), { peer, url, isOpen: false });
  }

  /** The peer for whom it was dialled; undefined: it was accepted from outside. It takes the place of earlier ones to there. */
  opened(path: PathId): PublicKey | undefined {
    const dial = this.dials.get(path);
    if (dial === undefined) return undefined;
    dial.isOpen = true;
    this.failures.delete(dial.url);
    for (const [other] of this.of(dial.peer, dial.url)) if (other !== path) this.close(other);
    return dial.peer;
  }

  /** A dial has failed, or what was open is over. */
  closed(path: PathId, cause: Error): void {
    const dial = this.dials.get(path);
    this.dials.delete(path);
    if (dial === undefined || dial.isOpen) return;
    const { url } = dial;
    this.failures.delete(url);
    this.failures.set(url, { url, message: cause.message, reason: dialReason(cause) });
    if (this.failures.size > FAULTS_MAX) this.failures.delete(this.failures.keys().next().value as string);
  }

  /** Of URLs that were not opened since, the latest last. */
  faults(): readonly DialFault[] {
    return [...this.failures.values()];
  }

  /** The peer is forgotten: its WebSockets are closed. */
  gone(peer: PublicKey): void {
    clearTimeout(this.races.get(peer));
    this.races.delete(peer);
    for (const [path, dial] of this.dials) if (dial.peer === peer) this.close(path);
  }

  /** Where these endpoints are, as they are found, or none. WebSockets among them are dialled when UDP had its time. */
  lookUp(peer: PublicKey, endpoints: readonly string[], found: (endpoints: readonly Endpoint[]) => void): void {
    const urls = endpoints.filter((text) => WEB_SOCKET.test(text));
    const hosts = endpoints.filter((text) => !WEB_SOCKET.test(text));
    if (urls.length > 0 && !this.races.has(peer)) {
      const race = setTimeout(
        () => {
          this.races.delete(peer);
          for (const url of urls) if (this.of(peer, url).length === 0) this.dial(peer, url);
        },
        hosts.length > 0 ? RACE_MS : 0,
      );
      this.races.set(peer, race);
    }
    const literal = hosts.map(parseEndpoint).filter((endpoint) => endpoint !== undefined);
    if (literal.length > 0) found(literal);
    // Each by itself: one that nobody answers for holds back none that is found.
    for (const text of hosts) if (parseEndpoint(text) === undefined) void this.lookups.endpoints(text).then(found);
  }

  stop(): void {
    this.isStopped = true;
    for (const race of this.races.values()) clearTimeout(race);
    this.races.clear();
  }

  private of(peer: PublicKey, url: string): readonly (readonly [PathId, Dial])[] {
    return [...this.dials].filter(([, dial]) => dial.peer === peer && dial.url === url);
  }

  private close(path: PathId): void {
    this.dials.delete(path);
    this.o.close(path);
  }
}
