/** Opens a WebSocket to a relay, through an HTTP proxy where there is one. What a proxy URL holds besides its host is not in any error or log. */
import type { Agent } from 'node:http';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { WebSocket, type ClientOptions } from 'ws';
import { MeshError } from '../../../core/errors.ts';
import { BATCH_BYTES_MAX } from './batch.ts';
import { dialError, type DialProxy } from './websocket-faults.ts';
import { OVERLAY_HTTP_PATH } from './websocket-server.ts';

export interface DialOptions {
  /** Asked once: the URL of an HTTP proxy, `http:` or `https:`, with user and password where it wants them. */
  readonly proxy: (() => string | undefined) | undefined;
  /** Certificates in PEM that servers and `https:` proxies are checked against. Undefined: those of the system. */
  readonly ca: readonly string[] | undefined;
  readonly handshakeMs: number;
}

/** One of both is called, once, and later than `dialWebSocket` returns. */
export interface DialEvents {
  opened(socket: WebSocket): void;
  /** As `dialError`. */
  failed(cause: Error): void;
}

/** `ws:` or `wss:`; a URL without a path gets that of the overlay. Gives what ends the attempt, after which nothing is called. */
export function dialWebSocket(text: string, { proxy, ca, handshakeMs }: DialOptions, events: DialEvents): () => void {
  const attempt = new AbortController();
  let isOver = false;
  const end = (): boolean => {
    if (isOver) return false;
    isOver = true;
    clearTimeout(late);
    return true;
  };
  const failed = (cause: Error): void => {
    if (!end()) return;
    attempt.abort();
    events.failed(cause);
  };
  const late = setTimeout(
    () => failed(new MeshError('TRANSPORT_UNAVAILABLE', `${text}: no answer within ${handshakeMs} ms`)),
    handshakeMs,
  );
  late.unref();
  try {
    const url = webSocketUrl(text);
    const trusted = ca && { ca: [...ca] };
    const proxyUrl = proxy?.();
    const by = proxyUrl === undefined ? undefined : proxyAgent(proxyUrl, attempt.signal, trusted);
    const socket = new WebSocket(url, {
      maxPayload: BATCH_BYTES_MAX,
      perMessageDeflate: false,
      checkServerIdentity: certifiedAs(url.hostname.replace(/^\[|\]$/g, '')),
      ...trusted,
      ...(by && { agent: by.agent }),
    });
    // It stays, for an attempt that was given up has an error to tell, too.
    socket.on('error', (error) => failed(dialError(`${url.protocol}//${url.host}`, error, by?.proxy)));
    socket.once('open', () => {
      // In this event: what came with the answer is told in the next one.
      if (end()) events.opened(socket);
    });
    attempt.signal.addEventListener('abort', () => socket.terminate(), { once: true });
  } catch (error) {
    process.nextTick(failed, error);
  }
  return () => {
    if (end()) attempt.abort();
  };
}

function webSocketUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'ws:' && url.protocol !== 'wss:'))
    throw new MeshError('TRANSPORT_UNAVAILABLE', 'a WebSocket URL begins with ws:// or wss://');
  if (url.pathname === '/') url.pathname = OVERLAY_HTTP_PATH;
  url.hash = '';
  return url;
}

/**
 * A certificate has to be of the host of the URL: the agent of a proxy does not tell TLS an address, and a certificate of `localhost` would then do. ws passes it on as
 * it is, whatever its types say.
 */
const certifiedAs = (host: string): ClientOptions['checkServerIdentity'] =>
  ((_name: string, certificate: PeerCertificate) =>
    checkServerIdentity(host, certificate)) as unknown as ClientOptions['checkServerIdentity'];

/**
 * User and password go into the header here: the agent would write the URL it is given into its debug log. The signal ends the connection to
 * the proxy while that is the only one there is; one that accepts and then is silent would keep it.
 */
function proxyAgent(
  text: string,
  signal: AbortSignal,
  trusted: { ca: string[] } | undefined,
): { readonly agent: Agent; readonly proxy: DialProxy } {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new MeshError('TRANSPORT_UNAVAILABLE', 'a proxy URL begins with http:// or https://');
  const { username, password } = url;
  url.username = '';
  url.password = '';
  const isNamed = username !== '' || password !== '';
  const headers = isNamed
    ? { 'Proxy-Authorization': `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')}` }
    : {};
  const agent = new HttpsProxyAgent(url, { headers, signal, ...trusted });
  const proxy: DialProxy = { host: url.host, answer: undefined };
  agent.on('proxyConnect', ({ statusCode: status, statusText: text }: { statusCode: number; statusText: string }) => {
    proxy.answer = { status, text };
  });
  return { agent, proxy };
}

/** A percent sign that begins no escape is a percent sign. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
