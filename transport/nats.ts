/**
 * A link over core NATS (no JetStream): one subject for each node, sender and channel. At most once, as a link may be.
 *
 *   reprise.<mesh>.to.<node>.<from>.<channel>    frames
 *   reprise.<mesh>.here.<node>                   presence: 'here' every two seconds, 'gone' at the end
 *
 * While the server is away frames are dropped, not kept: their senders send again. The connection itself comes back on its own.
 */
import type * as Client from '@nats-io/transport-node';
import type { ConnectionOptions, NatsConnection, Msg } from '@nats-io/transport-node';
import { segment } from '../core/address.ts';
import { assert, MeshError } from '../core/errors.ts';
import type { Link } from '../core/ports/link.ts';

/** Values, not references: the composition root has read them. */
export type NatsCredentials =
  | { readonly user: string; readonly password: string }
  | { readonly token: string }
  /** An nkey seed (`SU...`). */
  | { readonly nkey: string }
  /** The text of a `.creds` file. */
  | { readonly creds: string };

export interface NatsOptions {
  /** `nats://host:port`, one or several of one cluster. */
  readonly servers: string | readonly string[];
  /** Meshes of one server that do not see each other. */
  readonly mesh: string;
  readonly credentials?: NatsCredentials;
  /** PEM texts; an empty object asks for TLS with the system's authorities. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** ms for the first connection. Default 5,000. */
  readonly timeoutMs?: number;
}

const HERE_MS = 2_000;
const PAYLOAD_BYTES_MAX = 1024 * 1024;
/** What may be written and not yet confirmed by the server, before frames are dropped. */
const UNCONFIRMED_BYTES_MAX = 32 * 1024 * 1024;
const CONFIRM_BYTES = 1024 * 1024;
const STOP_MS = 2_000;

const token = (text: string): string => segment(text).replaceAll('.', '%2E');
const words = (text: string): Uint8Array => new TextEncoder().encode(text);

function authentication(lib: typeof Client, credentials: NatsCredentials | undefined): ConnectionOptions {
  if (credentials === undefined) return {};
  if ('user' in credentials) return { user: credentials.user, pass: credentials.password };
  if ('token' in credentials) return { token: credentials.token };
  if ('nkey' in credentials) return { authenticator: lib.nkeyAuthenticator(words(credentials.nkey)) };
  return { authenticator: lib.credsAuthenticator(words(credentials.creds)) };
}

class NatsLink implements Link {
  private readonly options: NatsOptions;
  private readonly prefix: string;
  private readonly handlers = new Map<string, (from: string, bytes: Uint8Array) => void>();
  /** When each node was heard last. */
  private readonly heard = new Map<string, number>();
  private nc: NatsConnection | undefined;
  private node = '';
  private connected = false;
  private unconfirmed = 0;
  private sinceConfirm = 0;
  private beat: NodeJS.Timeout | undefined;

  constructor(options: NatsOptions) {
    this.options = options;
    this.prefix = `reprise.${token(options.mesh)}`;
  }

  get bytesMax(): number {
    return this.nc?.info?.max_payload ?? PAYLOAD_BYTES_MAX;
  }

  get endpoint(): string {
    return `nats:${this.options.mesh}/${this.node}`;
  }

  async start(node: string): Promise<void> {
    assert(this.nc === undefined, 'a link is started once');
    this.node = node;
    // Loaded when a link starts: who names no NATS does not wait for it.
    const lib = await import('@nats-io/transport-node');
    this.nc = await this.connect(lib);
    this.connected = true;
    void this.follow(this.nc);
    const mail = this.nc.subscribe(`${this.prefix}.to.${token(node)}.*.*`, {
      callback: (error, message) => {
        if (error === null) this.receive(message);
      },
    });
    this.nc.subscribe(`${this.prefix}.here.*`, {
      callback: (error, message) => {
        if (error === null) this.met(message);
      },
    });
    await this.nc.flush();
    if (mail.isClosed()) {
      await this.stop();
      throw new MeshError(
        'TRANSPORT_UNAVAILABLE',
        `the NATS account may not subscribe to '${this.prefix}.>': give it publish and subscribe rights there`,
      );
    }
    this.announce('here');
    this.beat = setInterval(() => this.announce('here'), HERE_MS);
    this.beat.unref();
  }

  private async connect(lib: typeof Client): Promise<NatsConnection> {
    const { servers, credentials, tls, timeoutMs = 5_000 } = this.options;
    try {
      return await lib.connect({
        servers: [servers].flat(),
        name: `reprise ${this.options.mesh}/${this.node}`,
        timeout: timeoutMs,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 250,
        ignoreAuthErrorAbort: true,
        pingInterval: 10_000,
        maxPingOut: 2,
        ...(tls !== undefined && { tls }),
        ...authentication(lib, credentials),
      });
    } catch (error) {
      throw new MeshError(
        'TRANSPORT_UNAVAILABLE',
        `no NATS connection to ${[servers].flat().map(withoutSecrets).join(', ')}: ${String(error)}`,
        { cause: error },
      );
    }
  }

  private async follow(nc: NatsConnection): Promise<void> {
    for await (const status of nc.status()) {
      if (status.type === 'disconnect' || status.type === 'close') this.connected = false;
      if (status.type !== 'reconnect') continue;
      this.connected = true;
      this.unconfirmed = 0;
      this.announce('here');
    }
  }

  send(node: string, channel: string, bytes: Uint8Array): void {
    this.publish(`to.${token(node)}.${token(this.node)}.${token(channel)}`, bytes);
  }

  private publish(subject: string, bytes: Uint8Array): void {
    const { nc } = this;
    // The client would keep what is published while the server is away, without a bound.
    if (nc === undefined || !this.connected || bytes.length > this.bytesMax || this.unconfirmed > UNCONFIRMED_BYTES_MAX) return;
    try {
      nc.publish(`${this.prefix}.${subject}`, bytes);
      this.written(nc, bytes.length);
    } catch {
      // Closing or draining: as lost as on a wire.
    }
  }

  private written(nc: NatsConnection, size: number): void {
    this.unconfirmed += size;
    this.sinceConfirm += size;
    if (this.sinceConfirm < CONFIRM_BYTES) return;
    const confirmed = this.sinceConfirm;
    this.sinceConfirm = 0;
    void this.confirm(nc, confirmed);
  }

  private async confirm(nc: NatsConnection, bytes: number): Promise<void> {
    try {
      await nc.flush();
      this.unconfirmed = Math.max(0, this.unconfirmed - bytes);
    } catch {
      // The connection went; the count begins again when it is back.
    }
  }

  onMessage(channel: string, handler: (from: string, bytes: Uint8Array) => void): void {
    this.handlers.set(channel, handler);
  }

  private receive(message: Msg): void {
    const [from, channel] = message.subject.split('.').slice(-2).map(decodeURIComponent) as [string, string];
    this.heard.set(from, performance.now());
    this.handlers.get(channel)?.(from, message.data);
  }

  private met(message: Msg): void {
    const node = decodeURIComponent(message.subject.slice(message.subject.lastIndexOf('.') + 1));
    if (node === this.node) return;
    if (message.string() === 'gone') return void this.heard.delete(node);
    const known = this.heard.has(node);
    this.heard.set(node, performance.now());
    if (!known) this.announce('here');
  }

  private announce(what: 'here' | 'gone'): void {
    this.publish(`here.${token(this.node)}`, words(what));
  }

  peers(): readonly string[] {
    const since = performance.now() - 3 * HERE_MS;
    return [...this.heard].flatMap(([node, at]) => (at >= since && node !== this.node ? [node] : []));
  }

  async stop(): Promise<void> {
    const { nc } = this;
    if (nc === undefined || nc.isClosed()) return;
    clearInterval(this.beat);
    this.announce('gone');
    const wasConnected = this.connected;
    this.connected = false;
    if (wasConnected) await Promise.race([nc.drain().catch(() => undefined), pause(STOP_MS)]);
    await nc.close();
  }
}

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });

/** A URL may hold a password. */
const withoutSecrets = (url: string): string => url.replace(/\/\/[^@/]*@/, '//');

/**
 * A link over a NATS server.
 *
 * Throws at `start`: TRANSPORT_UNAVAILABLE.
 */
export const nats = (options: NatsOptions): Link => new NatsLink(options);
