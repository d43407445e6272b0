/**
 * One end of something that carries messages between two processes of this machine: our overlay, or what stands beside it. All of them look
 * alike here, so that one workload runs over each.
 */
import { openOverlay, type OverlayPlace } from './overlay-end.ts';
import { dialTls, listenTls, type TlsPlace } from './tls-end.ts';
import { dialUdp, listenUdp, type UdpPlace } from './udp-end.ts';

export interface End {
  /** Sends a message, of 4 bytes at least. False: it was taken, but no more is to be sent before `onRoom`. */
  send(message: Uint8Array): boolean;
  onRoom: () => void;
  onMessage: (message: Uint8Array) => void;
  /** Bytes of all datagrams sent so far, without those of IP and UDP; undefined: not known. */
  sentBytes(): number | undefined;
}

export type Carrier =
  /** The longest datagram; `via`: by a relay. */
  | { readonly kind: 'overlay'; readonly datagram?: number; readonly via?: OverlayPlace }
  /** One datagram a message. `isEcho`: each is answered, so nothing else says what came; else the receiver tells. */
  | { readonly kind: 'udp'; readonly isEcho: boolean }
  /** TLS 1.3 over TCP; a message has its length before it. */
  | { readonly kind: 'tls' };

/** Where one who listens is found. */
export type Place = OverlayPlace | UdpPlace | TlsPlace;

/** The first who comes is the other end. */
export async function listen(carrier: Carrier, folder: string): Promise<{ readonly place: Place; readonly end: Promise<End> }> {
  switch (carrier.kind) {
    case 'overlay': {
      const { place, end } = await openOverlay('listener', carrier);
      return { place, end: Promise.resolve(end) };
    }
    case 'udp':
      return listenUdp(carrier.isEcho);
    case 'tls':
      return listenTls(folder);
  }
}

export async function dial(carrier: Carrier, place: Place): Promise<End> {
  switch (carrier.kind) {
    case 'overlay':
      return (await openOverlay('dialler', carrier, place as OverlayPlace)).end;
    case 'udp':
      return dialUdp(place as UdpPlace, carrier.isEcho);
    case 'tls':
      return dialTls(place as TlsPlace);
  }
}
