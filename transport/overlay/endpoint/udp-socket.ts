/**
 * One UDP socket that is opened again when it dies, on the same port. Opening and sending are done when the call returns: the `lookup`
 * below answers at once, where that of Node answers a tick later even for an address. So a TTL can be meant for one datagram.
 */
import { MeshError } from '../../../core/errors.ts';
import type { RemoteInfo, Socket, SocketOptions } from 'node:dgram';
import { isIP } from 'node:net';
import type { EndpointFault } from './events.ts';
import { socketFault } from './faults.ts';

export type CreateSocket = (options: SocketOptions) => Socket;

export interface UdpSocketOptions {
  /** An address of IPv4 or IPv6; the socket is of that family alone. */
  readonly host: string;
  /** 0: one that the system chooses. */
  readonly port: number;
  readonly create: CreateSocket;
  message(bytes: Uint8Array, from: RemoteInfo): void;
  fault(fault: EndpointFault, cause: Error): void;
  reopened(): void;
}

/** Asked of the system for each direction, in bytes; it gives what it allows. */
const BUFFER_BYTES = 4 << 20;
const BUFFER_BYTES_LEAST = 128 << 10;
/** Waits in this process when the buffer of the system is full, in bytes. */
const QUEUE_BYTES_MAX = 1 << 20;
const TTL = 64;
const REOPEN_MS = 50;
const REOPEN_MS_MAX = 5000;

const asGiven: SocketOptions['lookup'] = (host, _options, callback) => callback(null, host, isIP(host));

export class UdpSocket {
  private readonly options: UdpSocketOptions;
  private raw: Socket | undefined;
  private boundPort: number;
  private isClosed = false;
  private reopenMs = REOPEN_MS;
  private timer: NodeJS.Timeout | undefined;

  /** Throws what the system says where it cannot be opened. */
  constructor(options: UdpSocketOptions) {
    this.options = options;
    this.boundPort = options.port;
    this.open();
  }

  get host(): string {
    return this.options.host;
  }

  get port(): number {
    return this.boundPort;
  }

  /**
   * 'closed', 'full': it was not sent. What else goes wrong is told to `done`, later. With a `ttl` it is full when anything waits: a datagram
   * that goes out later would have the TTL of all others, and one that gets too far harms more than one that is lost.
   *
   * Keeps `bytes` until `done` is called.
   */
  send(bytes: Uint8Array, port: number, host: string, ttl: number | undefined, done: (error: Error | null) => void): SendResult {
    const { raw } = this;
    if (raw === undefined) return 'closed';
    try {
      const waiting = raw.getSendQueueSize();
      if (waiting > 0 && (ttl !== undefined || waiting + bytes.length > QUEUE_BYTES_MAX)) return 'full';
      if (ttl === undefined) raw.send(bytes, port, host, done);
      else {
        raw.setTTL(ttl);
        try {
          raw.send(bytes, port, host, done);
        } finally {
          raw.setTTL(TTL);
        }
      }
    } catch (error) {
      process.nextTick(done, error);
    }
    return 'sent';
  }

  /** For errors of `send` that mean its end, too. */
  died(cause: Error): void {
    if (this.raw === undefined) return;
    discard(this.raw);
    this.raw = undefined;
    this.options.fault('closed', cause);
    this.reopenLater();
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    if (this.raw !== undefined) discard(this.raw);
    this.raw = undefined;
  }

  private open(): void {
    const { host, create } = this.options;
    const type = isIP(host) === 6 ? 'udp6' : 'udp4';
    const raw = create({ type, ipv6Only: type === 'udp6', lookup: asGiven });
    let failure: Error | undefined;
    const refused = (error: Error): void => {
      failure = error;
    };
    raw.once('error', refused);
    raw.bind({ address: host, port: this.boundPort, exclusive: true });
    if (failure !== undefined) {
      discard(raw);
      throw failure;
    }
    raw.off('error', refused);
    raw.on('error', (error) => this.failed(raw, error));
    raw.on('close', () => this.failed(raw, new MeshError('TRANSPORT_UNAVAILABLE', 'the socket was closed')));
    raw.on('message', (bytes, from) => this.received(raw, bytes, from));
    enlarge((size) => raw.setRecvBufferSize(size));
    enlarge((size) => raw.setSendBufferSize(size));
    this.boundPort = raw.address().port;
    this.raw = raw;
  }

  private received(raw: Socket, bytes: Uint8Array, from: RemoteInfo): void {
    if (raw !== this.raw) return;
    this.reopenMs = REOPEN_MS;
    this.options.message(bytes, from);
  }

  private failed(raw: Socket, error: Error): void {
    if (raw !== this.raw) return;
    const fault = socketFault(error);
    if (fault === 'closed') this.died(error);
    else this.options.fault(fault, error);
  }

  /** Twice as long each time, until something is received. */
  private reopenLater(): void {
    if (this.isClosed) return;
    this.timer = setTimeout(() => this.reopen(), this.reopenMs);
    this.timer.unref();
    this.reopenMs = Math.min(2 * this.reopenMs, REOPEN_MS_MAX);
  }

  private reopen(): void {
    try {
      this.open();
    } catch {
      return this.reopenLater();
    }
    this.options.reopened();
  }
}

export type SendResult = 'sent' | 'closed' | 'full';

/** Errors of one that is given up do not matter, and neither does whether the system had closed it before. */
function discard(raw: Socket): void {
  raw.removeAllListeners();
  raw.on('error', () => undefined);
  try {
    raw.close();
  } catch {
    // It was closed.
  }
}

/** Linux gives less without a word, others refuse. */
function enlarge(set: (bytes: number) => void): void {
  for (let bytes = BUFFER_BYTES; bytes >= BUFFER_BYTES_LEAST; bytes /= 2) {
    try {
      return set(bytes);
    } catch {
      // Half of it, then; the system's own size is good enough, too.
    }
  }
}
