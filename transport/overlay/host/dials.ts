/** Names of hosts that are looked up, and WebSockets that are dialled, for peers that are to be reached. */
import { lookup } from 'node:dns/promises';
import { parseEndpoint, type Endpoint } from '../paths/endpoint.ts';
import type { PublicKey } from '../session/output.ts';
import type { PathId } from '../session/source.ts';

export interface DialsOptions {
  readonly dial: (url: string) => PathId;
  readonly close: (path: PathId) => void;
}

/** UDP has so long to answer before a WebSocket is tried as well. */
const RACE_MS = 400;
const WEB_SOCKET = /^wss?:\/\//;
const HOST_PORT = /^(.+):(\d{1,5})$/;

interface Dial {
  readonly peer: PublicKey;
  readonly url: string;
}

export class Dials {
  private readonly o: DialsOptions;
  /** Under way or open. */
  private readonly dials = new Map<PathId, Dial>();
  private readonly races = new Map<PublicKey, NodeJS.Timeout>();
  private isStopped = false;

  constructor(o: DialsOptions) {
    this.o = o;
  }

  /** Dials, unless a WebSocket to there is under way or open. */
  dial(peer: PublicKey, url: string): void {
    if (this.isStopped || [...this.dials.values()].some((dial) => dial.peer === peer && dial.url === url)) return;
    this.dials.set(this.o.dial(url), { peer, url });
  }

  /** The peer for whom it was dialled; undefined: it was accepted from outside. */
  opened(path: PathId): PublicKey | undefined {
    return this.dials.get(path)?.peer;
  }

  closed(path: PathId): void {
    this.dials.delete(path);
  }

  /** The peer is forgotten: its WebSockets are closed. */
  gone(peer: PublicKey): void {
    clearTimeout(this.races.get(peer));
    this.races.delete(peer);
    for (const [path, dial] of this.dials) {
      if (dial.peer !== peer) continue;
      this.dials.delete(path);
      this.o.close(path);
    }
  }

  /** Where these endpoints are; what cannot be found is left out. WebSockets among them are dialled when UDP had its time. */
  async lookUp(peer: PublicKey, endpoints: readonly string[], found: (endpoints: readonly Endpoint[]) => void): Promise<void> {
    const urls = endpoints.filter((text) => WEB_SOCKET.test(text));
    const hosts = endpoints.filter((text) => !WEB_SOCKET.test(text));
    if (urls.length > 0 && !this.races.has(peer)) {
      const race = setTimeout(
        () => {
          this.races.delete(peer);
          for (const url of urls) this.dial(peer, url);
        },
        hosts.length > 0 ? RACE_MS : 0,
      );
      this.races.set(peer, race);
    }
    const literal = hosts.map(parseEndpoint).filter((endpoint) => endpoint !== undefined);
    if (literal.length > 0) found(literal);
    const named = hosts.filter((text) => parseEndpoint(text) === undefined);
    const looked = await Promise.all(named.map(resolveName));
    found(looked.flat());
  }

  stop(): void {
    this.isStopped = true;
    for (const race of this.races.values()) clearTimeout(race);
    this.races.clear();
  }
}

async function resolveName(text: string): Promise<readonly Endpoint[]> {
  const [, host = '', digits = ''] = HOST_PORT.exec(text) ?? [];
  const port = Number(digits);
  if (host === '' || port < 1 || port > 0xffff) return [];
  try {
    const addresses = await lookup(host, { all: true });
    return addresses.map(({ address }) => ({ host: address, port }));
  } catch {
    return [];
  }
}
