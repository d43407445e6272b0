/**
 * Takes WebSockets at `/overlay`, and nothing else. Strangers hold what they may hold, for as long as they may: connections are counted from
 * the first byte of TCP, in all and for each source; one that is no WebSocket after `handshakeMs` is ended, and a WebSocket that is not proved
 * after `provedMs`, or by whose member nothing can come any more.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { WebSocketServer, type WebSocket } from 'ws';
import { errorData, MeshError } from '../../../core/errors.ts';
import { endpointText, webSocketPath, type Endpoint } from '../paths/endpoint.ts';
import { sourceOf } from '../source.ts';
import { BATCH_BYTES_MAX } from './batch.ts';

export interface WebSocketListen {
  readonly host: string;
  readonly port: number;
  /** In PEM. Absent: no TLS. */
  readonly tls?: { readonly cert: string | Uint8Array; readonly key: string | Uint8Array };
}

export interface WebSocketLimits {
  /** Connections to one server. */
  readonly connections: number;
  /** Of them from one IPv4 address or one /64 of IPv6. */
  readonly connectionsPerSource: number;
  /** From the first byte of TCP to an open WebSocket, at both ends, in ms. */
  readonly handshakeMs: number;
  /** From there, and from each call of `unproved`, to the call of `proved`, for those that were accepted, in ms. */
  readonly provedMs: number;
  /** Without a message, at both ends, in ms. */
  readonly idleMs: number;
}

export const WEBSOCKET_LIMITS: WebSocketLimits = {
  connections: 4096,
  connectionsPerSource: 256,
  handshakeMs: 5000,
  // A thousand nodes that come back at once are let in at 200 a second.
  provedMs: 10_000,
  idleMs: 60_000,
};

export const OVERLAY_HTTP_PATH = '/overlay';

export interface RunningServer {
  readonly endpoint: Endpoint;
  /** Ends connections that are no WebSockets yet; those that are end by their own. */
  close(): Promise<void>;
}

export interface ServerEvents {
  /** An open WebSocket and the address it came from. */
  accepted(socket: WebSocket, host: string): void;
  /** A connection beyond a limit was ended. */
  refused(): void;
}

/** Throws TRANSPORT_UNAVAILABLE. */
export async function serveWebSockets(
  at: WebSocketListen,
  limits: WebSocketLimits,
  events: ServerEvents,
): Promise<RunningServer> {
  try {
    const server = httpServer(at, limits);
    limitConnections(server, limits, events);
    takeUpgrades(server, events);
    await listen(server, at);
    const { address, port } = server.address() as AddressInfo;
    return { endpoint: { host: address, port }, close: () => close(server) };
  } catch (cause) {
    const text = `cannot listen on TCP ${endpointText(at)}: ${errorData(cause).message}`;
    throw new MeshError('TRANSPORT_UNAVAILABLE', text, { cause });
  }
}

function httpServer({ tls }: WebSocketListen, { handshakeMs }: WebSocketLimits): Server {
  const options = {
    maxHeaderSize: 8 << 10,
    headersTimeout: handshakeMs,
    requestTimeout: handshakeMs,
    connectionsCheckingInterval: Math.min(1000, handshakeMs),
  };
  const server =
    tls === undefined ? createServer(options) : createTlsServer({ ...options, handshakeTimeout: handshakeMs, ...pair(tls) });
  return server.on('request', (_request, response) => {
    response.writeHead(426, { connection: 'close', upgrade: 'websocket' }).end();
  });
}

/** A certificate and its key, looked at: what TLS says of them by itself names neither. */
function pair({ cert, key }: NonNullable<WebSocketListen['tls']>): { readonly cert: Buffer; readonly key: Buffer } {
  const both = { cert: Buffer.from(cert), key: Buffer.from(key) };
  try {
    createSecureContext(both);
  } catch (cause) {
    const text = `the TLS certificate and its key, both in PEM, cannot be used: ${errorData(cause).message}`;
    throw new MeshError('TRANSPORT_UNAVAILABLE', text, { cause });
  }
  return both;
}

/** Counted below TLS, so that handshakes that do not end count, too. */
function limitConnections(server: Server, limits: WebSocketLimits, events: ServerEvents): void {
  const held = new Map<string, number>();
  let all = 0;
  server.prependListener('connection', (socket: Socket) => {
    const source = sourceOf(webSocketPath(0, socket.remoteAddress ?? ''));
    const ofSource = held.get(source) ?? 0;
    if (all >= limits.connections || ofSource >= limits.connectionsPerSource) {
      socket.destroy();
      return events.refused();
    }
    all += 1;
    held.set(source, ofSource + 1);
    socket.once('close', () => {
      all -= 1;
      const left = (held.get(source) as number) - 1;
      if (left === 0) held.delete(source);
      else held.set(source, left);
    });
  });
}

function takeUpgrades(server: Server, events: ServerEvents): void {
  const upgrades = new WebSocketServer({
    noServer: true,
    path: OVERLAY_HTTP_PATH,
    maxPayload: BATCH_BYTES_MAX,
    perMessageDeflate: false,
    clientTracking: false,
  });
  server.on('upgrade', (request: IncomingMessage, socket, head) => {
    // The address is gone when the connection is.
    const host = request.socket.remoteAddress;
    if (host === undefined) socket.destroy();
    else upgrades.handleUpgrade(request, socket, head, (webSocket) => events.accepted(webSocket, host));
  });
}

function listen(server: Server, { host, port }: WebSocketListen): Promise<void> {
  return new Promise((resolve, reject) => {
    // After the first it is about one connection that did not come about, and settles nothing.
    server.on('error', reject);
    server.listen({ host, port, ipv6Only: true }, resolve);
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
