/**
 * UDP sockets by name: paths in, datagrams out, and the other way. No error of a socket or a datagram throws or ends anything.
 *
 *   '0.0.0.0'  all of IPv4          '::'  all of IPv6 and nothing else, so both can be there on one port
 */
import { createSocket } from 'node:dgram';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { assert, errorData, MeshError } from '../../../core/errors.ts';
import type { Drops } from '../drops.ts';
import { endpointText, parseUdpPath, udpPath, type Endpoint } from '../paths/endpoint.ts';
import type { PathId } from '../source.ts';
import type { DatagramEvents } from './events.ts';
import { isCancelled, sendFault } from './faults.ts';
import { hostAddresses, InterfaceWatch, type ReadInterfaces } from './interfaces.ts';
import { Remembered } from './remembered.ts';
import { UdpSocket, type CreateSocket } from './udp-socket.ts';

export interface UdpOptions {
  readonly events: DatagramEvents;
  /** `socket_closed`, `socket_full`. */
  readonly drops: Drops;
  readonly readInterfaces?: ReadInterfaces;
  readonly createSocket?: CreateSocket;
}

/** A path, read once. `done` is one function for all sends to it. */
interface Destination {
  readonly socket: string;
  readonly host: string;
  readonly port: number;
  readonly done: (error: Error | null) => void;
}

/** Paths that are remembered for sending, and sources for each socket. */
const TEXTS_MAX = 8192;
const ANY = new Set(['0.0.0.0', '::']);

export class UdpEndpoint {
  private readonly options: UdpOptions;
  private readonly read: ReadInterfaces;
  private readonly create: CreateSocket;
  private readonly watch: InterfaceWatch;
  private readonly sockets = new Map<string, UdpSocket>();
  private readonly listening = new Set<string>();
  private readonly destinations = new Remembered(TEXTS_MAX, (path) => this.destination(path));

  /** It looks at the interfaces until `stop`. */
  constructor(options: UdpOptions) {
    this.options = options;
    this.read = options.readInterfaces ?? networkInterfaces;
    this.create = options.createSocket ?? createSocket;
    this.watch = new InterfaceWatch(this.read, () => options.events.onNetworkChanged());
  }

  /**
   * Opens a socket whose addresses others may know. Gives where it listens: `host` as it was given, and the port. Throws TRANSPORT_UNAVAILABLE.
   */
  async listen(socket: string, at: { readonly host: string; readonly port: number }): Promise<Endpoint> {
    try {
      const opened = this.start(socket, at);
      this.listening.add(socket);
      return { host: at.host, port: opened.port };
    } catch (cause) {
      throw new MeshError('TRANSPORT_UNAVAILABLE', `cannot listen on UDP ${endpointText(at)}: ${errorData(cause).message}`, {
        cause,
      });
    }
  }

  /** Sockets on ports that the system chooses; they are open when this returns. One that cannot be opened is told as 'closed', and is not there. */
  open(sockets: readonly string[], host = '0.0.0.0'): void {
    for (const socket of sockets) {
      try {
        this.start(socket, { host, port: 0 });
      } catch (error) {
        process.nextTick(() => this.options.events.onError(undefined, socket, 'closed', error as Error));
      }
    }
  }

  /** What they had sent and not told yet is told no more. */
  close(sockets: readonly string[]): void {
    for (const socket of sockets) {
      this.sockets.get(socket)?.close();
      this.sockets.delete(socket);
      this.listening.delete(socket);
    }
  }

  /** Keeps `bytes` until they are sent. `ttl`: of this datagram alone (for IPv6 its hop limit). */
  send(path: PathId, bytes: Uint8Array, ttl?: number): void {
    const to = this.destinations.of(path);
    const socket = to && this.sockets.get(to.socket);
    const result = to && socket ? socket.send(bytes, to.port, to.host, ttl, to.done) : 'closed';
    if (result !== 'sent') this.options.drops[result === 'full' ? 'socket_full' : 'socket_closed'] += 1;
  }

  /** Where `listen` made this host reachable for others, at most: NATs and firewalls know better. */
  addresses(): readonly Endpoint[] {
    const hosts = hostAddresses(this.read);
    return [...this.listening].flatMap((name) => {
      const { host, port } = this.sockets.get(name) as UdpSocket;
      return ANY.has(host)
        ? hosts.filter((own) => isIP(own) === isIP(host)).map((own) => ({ host: own, port }))
        : [{ host, port }];
    });
  }

  async stop(): Promise<void> {
    this.watch.stop();
    this.close([...this.sockets.keys()]);
  }

  private start(name: string, { host, port }: { readonly host: string; readonly port: number }): UdpSocket {
    assert(!this.sockets.has(name), `the socket ${name} is open`);
    const { events } = this.options;
    // One text for all datagrams of one source. By PORT ADDRESS, which costs less than a path does.
    const paths = new Remembered(TEXTS_MAX, (source) => {
      const at = source.indexOf(' ');
      return udpPath(name, { host: source.slice(at + 1), port: Number(source.slice(0, at)) });
    });
    const socket = new UdpSocket({
      host,
      port,
      create: this.create,
      message: (bytes, from) => events.onDatagram(paths.of(`${from.port} ${from.address}`), bytes),
      fault: (fault, cause) =>
        process.nextTick(() => {
          if (this.sockets.get(name) === socket) events.onError(undefined, name, fault, cause);
        }),
      reopened: () => events.onNetworkChanged(),
    });
    this.sockets.set(name, socket);
    return socket;
  }

  private destination(path: PathId): Destination | undefined {
    const parsed = parseUdpPath(path);
    if (parsed === undefined) return undefined;
    const { socket, endpoint } = parsed;
    const done = (error: Error | null): void => {
      if (error !== null) this.failed(path, socket, error);
    };
    return { socket, ...endpoint, done };
  }

  private failed(path: PathId, name: string, error: Error): void {
    const socket = this.sockets.get(name);
    if (socket === undefined || isCancelled(error)) return;
    const fault = sendFault(error);
    if (fault === 'closed') socket.died(error);
    else this.options.events.onError(path, name, fault, error);
  }
}
