/**
 * The same packets over WebSockets, for where UDP does not go: a relay listens, others dial. A path is one connection; when it is over its
 * name is not used again, and whoever wants another dials.
 *
 *   ws:7               dialled            ws:8/192.0.2.1, ws:9/[2001:db8::1]    accepted from there
 */
import { MeshError } from '../../../core/errors.ts';
import type { WebSocket } from 'ws';
import type { Drops } from '../drops.ts';
import { webSocketPath, type Endpoint } from '../paths/endpoint.ts';
import type { PathId } from '../source.ts';
import { STREAM_PACKET_BYTES_MAX } from './batch.ts';
import type { EndpointFault, WebSocketEvents } from './events.ts';
import { WebSocketConnection } from './websocket-connection.ts';
import { dialWebSocket } from './websocket-dial.ts';
import {
  serveWebSockets,
  WEBSOCKET_LIMITS,
  type RunningServer,
  type WebSocketLimits,
  type WebSocketListen,
} from './websocket-server.ts';

export interface WebSocketOptions {
  readonly events: WebSocketEvents;
  /** `socket_closed`, `socket_full`, `stream_malformed`, `stream_refused`, `stream_unproved`. */
  readonly drops: Drops;
  /** Certificates in PEM that servers are checked against. Absent: those of the system. */
  readonly ca?: readonly string[];
  readonly limits?: Partial<WebSocketLimits>;
}

export class WebSocketEndpoint {
  private readonly options: WebSocketOptions;
  private readonly limits: WebSocketLimits;
  private readonly servers: RunningServer[] = [];
  private readonly dials = new Map<PathId, () => void>();
  private readonly connections = new Map<PathId, WebSocketConnection>();
  private readonly closing = new Set<Promise<void>>();
  private count = 0;
  private isStopped = false;

  constructor(options: WebSocketOptions) {
    this.options = options;
    this.limits = { ...WEBSOCKET_LIMITS, ...options.limits };
  }

  /** Serves `/overlay`. Gives where it listens. Throws TRANSPORT_UNAVAILABLE. */
  async listen(at: WebSocketListen): Promise<Endpoint> {
    const server = await serveWebSockets(at, this.limits, {
      accepted: (socket, host) => this.opened(this.nextPath(host), socket, this.limits.provedMs),
      refused: () => {
        this.options.drops.stream_refused += 1;
      },
    });
    this.servers.push(server);
    return server.endpoint;
  }

  /**
   * The path, at once; `onOpen` or `onError` follow, whatever `url` is. What is sent before `onOpen` is dropped. `url`: `ws:` or `wss:`. `proxy` is asked at each
   * dial: the URL of an HTTP proxy, with user and password where it wants them.
   */
  dial(url: string, { proxy }: { readonly proxy?: (() => string | undefined) | undefined } = {}): PathId {
    const path = this.nextPath();
    const giveUp = dialWebSocket(
      url,
      { proxy, ca: this.options.ca, handshakeMs: this.limits.handshakeMs },
      {
        opened: (socket) => {
          this.dials.delete(path);
          this.opened(path, socket);
        },
        failed: (cause) => {
          this.dials.delete(path);
          this.report(path, 'unreachable', cause);
        },
      },
    );
    this.dials.set(path, giveUp);
    return path;
  }

  /** `bytes` are copied when this returns. */
  send(path: PathId, bytes: Uint8Array): void {
    const connection = this.connections.get(path);
    if (connection === undefined) this.options.drops.socket_closed += 1;
    else if (bytes.length <= STREAM_PACKET_BYTES_MAX) connection.send(bytes);
    else
      process.nextTick(() =>
        this.report(path, 'too_long', new MeshError('TRANSPORT_UNAVAILABLE', `${bytes.length} bytes do not fit a message`)),
      );
  }

  /** A member speaks by this path: it stays, if it was accepted. */
  proved(path: PathId): void {
    this.connections.get(path)?.proved();
  }

  /** No member speaks by this path any more: if it was accepted, it ends as a new one does, unless it is proved again. */
  unproved(path: PathId): void {
    this.connections.get(path)?.unproved();
  }

  /** What was sent before goes out still. No event follows. */
  close(path: PathId): void {
    this.dials.get(path)?.();
    this.dials.delete(path);
    const connection = this.connections.get(path);
    this.connections.delete(path);
    if (connection === undefined) return;
    const closed = connection.close().finally(() => this.closing.delete(closed));
    this.closing.add(closed);
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    const servers = this.servers.splice(0).map((server) => server.close());
    for (const path of [...this.dials.keys(), ...this.connections.keys()]) this.close(path);
    await Promise.all([...servers, ...this.closing]);
  }

  private nextPath(host?: string): PathId {
    this.count += 1;
    return webSocketPath(this.count, host);
  }

  private opened(path: PathId, socket: WebSocket, provedMs?: number): void {
    if (this.isStopped) return socket.terminate();
    const { events, drops } = this.options;
    const connection = new WebSocketConnection(socket, { idleMs: this.limits.idleMs, provedMs }, drops, {
      packet: (bytes) => events.onDatagram(path, bytes),
      ended: (cause) => {
        this.connections.delete(path);
        process.nextTick(() => this.report(path, 'closed', cause));
      },
    });
    this.connections.set(path, connection);
    events.onOpen(path);
  }

  private report(path: PathId, fault: EndpointFault, cause: Error): void {
    this.options.events.onError(path, 'ws', fault, cause);
  }
}
