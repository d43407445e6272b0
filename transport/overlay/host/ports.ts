/** What users give to an overlay, and what it gives to them. */
import type { WebSocketListen } from '../endpoint/websocket-server.ts';
import type { OverlayAddress } from '../identity/address.ts';
import type { Identity } from '../identity/identity.ts';
import type { KnownPeer, NodeView, OverlayEvent, PeerView } from '../node/ports.ts';
import type { Endpoint, PathKind } from '../paths/endpoint.ts';
import type { DialFault } from './dials.ts';
import type { RelayAddress } from '../relay/ports.ts';
import type { KeyLimits } from '../session/keys.ts';
import type { PublicKey } from '../key-text.ts';
import type { PathId } from '../source.ts';
import type { Authority } from '../trust/authority.ts';
import type { DenyLists } from '../trust/deny-list.ts';
import type { Network } from '../trust/descriptor.ts';
import type { Trust } from '../trust/trust.ts';
import type { ChannelMode } from '../wire/frames.ts';

export interface OverlayOptions {
  readonly identity: Identity;
  /** Undefined: a newcomer, whose `trust` is a `JoiningTrust`. */
  readonly network: Network | undefined;
  readonly trust: Trust;
  /** Those of `trust`, where members have certificates. */
  readonly denyLists?: DenyLists;
  /** How this node is called; what its certificate says, if it has one. */
  readonly name?: string;
  /** UDP sockets. Default: any port of all IPv4 addresses. */
  readonly listen?: readonly { readonly host: string; readonly port: number }[];
  /** Takes the same packets over WebSockets, for those who have no UDP: at relays. */
  readonly webSocket?: WebSocketListen;
  /** Serve registrations and relay. Its certificate has to have the role. */
  readonly relay?: boolean;
  /** Where others reach this node, as in `RelayAddress`: what it tells of itself as a relay. */
  readonly endpoints?: readonly string[];
  readonly relays?: readonly RelayAddress[];
  readonly peers?: readonly KnownPeer[];
  /** Answers those who ask for certificates. */
  readonly authority?: Authority;
  /** Awaited before an answer of the authority leaves: its state is to be kept. */
  readonly saveAuthority?: (authority: Authority) => Promise<void>;
  /** A renewed certificate, to be kept. */
  readonly onCertificate?: (certificate: Uint8Array) => void;
  /** Newer deny lists, to be kept. */
  readonly onDenyLists?: (lists: readonly Uint8Array[]) => void;
  /** What `onSeq` was told last, in the run before; 0 or none: the clock alone decides, which is enough unless it went back. */
  readonly seq?: number;
  /** Of the registration record that was signed last, to be kept: half a minute apart. */
  readonly onSeq?: (seq: number) => void;
  /** May guess ports, with hundreds of datagrams, where exactly one side is behind a symmetric NAT. */
  readonly birthday?: boolean;
  /** The URL of an HTTP proxy for WebSockets; asked at each dial. */
  readonly proxy?: () => string | undefined;
  /** PEM of certificates by which `wss://` relays are judged; default: the system's. */
  readonly ca?: readonly string[];
  /** Bytes of the longest datagram that this node sends or takes, from 1,200 on; default 16 KiB, which only the loopback carries. */
  readonly maxDatagram?: number;
  /** How long keys are used. */
  readonly keyLimits?: Partial<KeyLimits>;
}

/** Who a message is from. */
export interface PeerRef {
  readonly publicKey: PublicKey;
  /** Of its certificate, or of the configuration; empty: it has none. */
  readonly name: string;
  readonly address: OverlayAddress | undefined;
}

export type UnclaimedHandler = (channel: string, from: PeerRef, bytes: Uint8Array) => boolean;

export interface Pong {
  readonly path: PathId;
  readonly kind: PathKind;
  readonly rttMs: number;
}

export interface OverlayStatus extends NodeView {
  readonly name: string;
  readonly address: OverlayAddress;
  readonly endpoints: readonly Endpoint[];
  readonly webSocket: Endpoint | undefined;
  /** Of its certificate, ms since 1970; undefined: it has none. */
  readonly certificate:
    | { readonly notBeforeMs: number; readonly notAfterMs: number; readonly renewalFailed: string | undefined }
    | undefined;
  /** Why WebSockets to relays and peers could not be opened, where the last dial has failed. */
  readonly dialFaults: readonly DialFault[];
}

/** `target`: a key in hex, an address, or a name. All but the key may have to be asked of the relays: NET_NAME_UNKNOWN, NET_ADDRESS_CONFLICT. */
export interface Overlay extends AsyncDisposable {
  readonly publicKey: PublicKey;
  readonly address: OverlayAddress;
  /** Where it listens. */
  readonly endpoints: readonly Endpoint[];
  readonly webSocket: Endpoint | undefined;
  /** Rejects with NET_PEER_UNREACHABLE, NET_PEER_REFUSED, and as of `target`. */
  connect(target: string, options?: { readonly timeoutMs?: number }): Promise<PeerView>;
  /**
   * Resolves when the peer's node has it (at once for mode 2, unreliable); nothing is sent again after it rejected. Keeps
   * `bytes`. Channels that begin with `net/` are not for users.
   *
   * Who is not known yet by the name or address is connected to first, and what its certificate says counts.
   *
   * Rejects with NET_BACKPRESSURE (nothing was kept; `drained` says when to go on, or `connect` where the target is not reached yet), NET_CLOSED,
   * NET_PEER_RESTARTED, NET_UNDELIVERED, NET_CHANNEL_REFUSED, PAYLOAD_TOO_LARGE, and as `connect`.
   */
  send(target: string, channel: string, bytes: Uint8Array, options?: { readonly mode?: ChannelMode }): Promise<void>;
  /** Resolves when a peer takes messages again. */
  drained(publicKey: PublicKey): Promise<void>;
  /**
   * Gives up what waits for a peer on a channel, and tells the peer: those sends reject with NET_UNDELIVERED, though it may have some of them. What
   * is sent afterwards comes after what has arrived. Throws NET_CLOSED.
   */
  reset(publicKey: PublicKey, channel: string): void;
  /** Best effort: never throws. */
  post(target: string, channel: string, bytes: Uint8Array): void;
  /** One handler a channel, which must not throw. Returns what ends it. */
  onMessage(channel: string, handler: (from: PeerRef, bytes: Uint8Array) => void): () => void;
  /**
   * Messages on channels that have no handler, but for those of the overlay itself; one handler. What it does not take (false) is dropped, and
   * counted.
   */
  onUnclaimed(handler: UnclaimedHandler): () => void;
  onEvent(listener: (event: OverlayEvent) => void): () => void;
  /** Rejects with NET_PEER_UNREACHABLE when no answer comes within `timeoutMs` (5,000). */
  ping(target: string, options?: { readonly timeoutMs?: number }): Promise<Pong>;
  status(): OverlayStatus;
  /** Whom the node knows: connected ones and those of the configuration. */
  peers(): readonly (PeerRef & { readonly isConnected: boolean })[];
  /**
   * All other members that are registered at the relays of the configuration, as far as these answer; none where none does. Names and addresses are what
   * their records claim: who goes by one compares it with the certificate, after connecting, or lets `connect` do it. Rejects with NET_CLOSED.
   */
  members(): Promise<readonly PeerRef[]>;
  /** Sends a request (trust/join.ts) to an authority: one that is connected, a relay, or who is known. Rejects with NET_PEER_UNREACHABLE. */
  requestMembership(request: Uint8Array): Promise<Uint8Array>;
  /** Gives what became of it, as `DenyLists.install`: 'installed', 'known', or why not. */
  installDenyList(list: Uint8Array): string;
  /** After a change of pins. */
  reauthorize(): void;
  /** Says goodbye to all peers, for a second at most. */
  stop(): Promise<void>;
}
