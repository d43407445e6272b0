/** UDP sockets by name: signatures. */
import type { createSocket } from 'node:dgram';
import type { Drops } from '../drops.ts';
import type { Endpoint } from '../paths/endpoint.ts';
import type { PathId } from '../session/source.ts';
import type { DatagramEvents } from './events.ts';
import type { ReadInterfaces } from './interfaces.ts';

export interface UdpOptions {
  readonly events: DatagramEvents;
  readonly drops: Drops;
  readonly readInterfaces?: ReadInterfaces;
  readonly createSocket?: typeof createSocket;
}

export declare class UdpEndpoint {
  constructor(options: UdpOptions);
  /** Throws TRANSPORT_UNAVAILABLE. */
  listen(socket: string, at: { readonly host: string; readonly port: number }): Promise<Endpoint>;
  /** Sockets on ports that the system chooses, open when this returns. */
  open(sockets: readonly string[], host?: string): void;
  close(sockets: readonly string[]): void;
  send(path: PathId, bytes: Uint8Array, ttl?: number): void;
  addresses(): readonly Endpoint[];
  stop(): Promise<void>;
}
