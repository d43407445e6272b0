/** What endpoints tell. Handlers run within the event of a socket: what one throws is an uncaught exception, as with any listener. */
import type { PathId } from '../source.ts';

/**
 * unreachable   the system, a firewall, a router or a proxy says that nothing goes there; a dial that failed
 * too_long      more bytes than go at once
 * closed        the socket is gone. UDP: it is being opened again, on the same port. WebSocket: this path is over
 * other         a moment's want, as of buffers: the datagram is lost, nothing else is known
 */
export type EndpointFault = 'unreachable' | 'too_long' | 'closed' | 'other';

export interface PathEvents {
  /** `bytes` are valid during the call only. */
  onDatagram(path: PathId, bytes: Uint8Array): void;
  /** `path` is undefined where no one datagram caused it. `socket`: its name, or 'ws'. Always later than the call that caused it. */
  onError(path: PathId | undefined, socket: string, fault: EndpointFault, cause: Error): void;
}

export interface DatagramEvents extends PathEvents {
  /** Other addresses than before, or a socket that is there again: whatever was known of paths may be wrong. */
  onNetworkChanged(): void;
}

export interface WebSocketEvents extends PathEvents {
  /** A dialled path is open, or one was accepted. It ends with `onError(path, 'ws', …)`, unless it was closed by this side. */
  onOpen(path: PathId): void;
}
