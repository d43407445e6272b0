/** Packets over WebSockets: signatures. */
import type { Drops } from '../drops.ts';
import type { Endpoint } from '../paths/endpoint.ts';
import type { PathId } from '../session/source.ts';
import type { WebSocketEvents } from './events.ts';

export interface WebSocketOptions {
  readonly events: WebSocketEvents;
  readonly drops: Drops;
  /** Certificates in PEM that servers are checked against. Absent: those of the system. */
  readonly ca?: string | readonly string[];
}

export interface WebSocketListen {
  readonly host: string;
  readonly port: number;
  /** PEM. */
  readonly tls?: { readonly cert: string | Uint8Array; readonly key: string | Uint8Array };
}

export declare class WebSocketEndpoint {
  constructor(options: WebSocketOptions);
  /** Throws TRANSPORT_UNAVAILABLE. */
  listen(at: WebSocketListen): Promise<Endpoint>;
  /** At once; what is sent before `onOpen` is lost. */
  dial(url: string, options?: { proxy?(): string | undefined }): PathId;
  send(path: PathId, bytes: Uint8Array): void;
  close(path: PathId): void;
  stop(): Promise<void>;
}
