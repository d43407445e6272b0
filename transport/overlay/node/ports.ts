/** What goes into a node of the overlay and what comes out of it. */
import type { MeshError } from '../../../core/errors.ts';
import type { Drops } from '../drops.ts';
import type { OverlayAddress } from '../identity/address.ts';
import type { Identity } from '../identity/identity.ts';
import type { Endpoint, PathKind } from '../paths/endpoint.ts';
import type { PathView } from '../paths/paths.ts';
import type { NatKind } from '../punch/candidates.ts';
import type { NatView } from '../punch/nat.ts';
import type { PunchView } from '../punch/output.ts';
import type { RelayAddress, RelayStatus } from '../relay/ports.ts';
import type { RelayView } from '../relay/relay-server.ts';
import type { KeyLimits } from '../session/keys.ts';
import type { PublicKey } from '../key-text.ts';
import type { PathId } from '../source.ts';
import type { Network } from '../trust/descriptor.ts';
import type { DenyLists } from '../trust/deny-list.ts';
import type { SignedRecord } from '../trust/record.ts';
import type { Role } from '../trust/roles.ts';
import type { Trust } from '../trust/trust.ts';

export type { RelayAddress } from '../relay/ports.ts';

/** A peer of which more is known than what relays tell. */
export interface KnownPeer {
  readonly publicKey: PublicKey;
  /** How it is called here; where members have certificates, the name in its certificate counts. */
  readonly name?: string;
  /** `host:port` */
  readonly endpoints?: readonly string[];
}

export interface NodeOptions {
  readonly identity: Identity;
  /** Undefined: a newcomer, who knows no more than its invite. */
  readonly network: Network | undefined;
  readonly trust: Trust;
  /** Of `trust`, where members have certificates. */
  readonly denyLists?: DenyLists;
  /** How this node is called; goes into its record. */
  readonly name?: string;
  /** Serve registrations and relay. */
  readonly relay?: boolean;
  /** Where others reach this node, as in `RelayAddress`: what it tells of itself as a relay. */
  readonly endpoints?: readonly string[];
  readonly relays?: readonly RelayAddress[];
  /** Of the last record of the last run ('signed'), 0 if there was none or it is not known. */
  readonly seq?: number;
  readonly peers?: readonly KnownPeer[];
  /** Guess ports where exactly one side is behind a symmetric NAT. */
  readonly birthday?: boolean;
  readonly random: (bytes: number) => Uint8Array;
  /** The wall clock at a time `now`. */
  readonly wallClock: (now: number) => number;
  readonly drops: Drops;
  /** Bytes of the longest datagram that this node sends or takes, from 1,200 on. */
  readonly maxDatagram?: number;
  readonly keyLimits?: Partial<KeyLimits>;
  /** Peers at once, 65,536 if it is not said. More are refused, those who are there stay. */
  readonly peersMax?: number;
}

/** What a person or a log is told. `peer` is the key in hex, `name` is empty where there is none. */
export type OverlayEvent =
  | { readonly type: 'peer_up'; readonly peer: PublicKey; readonly name: string; readonly path: PathId }
  /** It has started again since, or had forgotten this node: what was under way to it is told as lost. */
  | { readonly type: 'peer_restarted'; readonly peer: PublicKey; readonly name: string }
  | { readonly type: 'peer_down'; readonly peer: PublicKey; readonly name: string; readonly reason: string }
  | {
      readonly type: 'path_changed';
      readonly peer: PublicKey;
      readonly name: string;
      readonly from: PathId | undefined;
      readonly to: PathId | undefined;
      readonly kind: PathKind | undefined;
      readonly reason: string;
    }
  | { readonly type: 'home_relay'; readonly relay: PublicKey }
  | { readonly type: 'deny_list'; readonly closed: readonly PublicKey[] };

/** A message that was sent to a peer. */
export interface Ticket {
  /** Of the connection that has it. */
  readonly generation: number;
  readonly channel: string;
  readonly number: number;
}

export type NodeOutput =
  /** `ttl`: of this datagram alone; undefined: as usual. */
  | { readonly type: 'datagram'; readonly to: PathId; readonly bytes: Uint8Array; readonly ttl: number | undefined }
  | { readonly type: 'message'; readonly from: PublicKey; readonly channel: string; readonly bytes: Uint8Array }
  /** The peer's node has it. */
  | { readonly type: 'delivered'; readonly peer: PublicKey; readonly ticket: Ticket }
  /** This message, or without a ticket all of this generation that were not told as delivered, may not have arrived, and are not sent again. */
  | {
      readonly type: 'lost';
      readonly peer: PublicKey;
      readonly generation: number;
      readonly ticket: Ticket | undefined;
      readonly error: MeshError;
    }
  /** After NET_BACKPRESSURE. */
  | { readonly type: 'writable'; readonly peer: PublicKey }
  /** There are keys, and a way. */
  | { readonly type: 'connected'; readonly peer: PublicKey }
  | { readonly type: 'failed'; readonly peer: PublicKey; readonly error: MeshError }
  /** It is forgotten, or nobody wants it: WebSockets to it are of no use. */
  | { readonly type: 'gone'; readonly peer: PublicKey }
  | { readonly type: 'pong'; readonly peer: PublicKey; readonly path: PathId; readonly rttMs: number }
  | { readonly type: 'open_sockets' | 'close_sockets'; readonly sockets: readonly string[] }
  /** Names are to be looked up, and given to `hints`. */
  | { readonly type: 'look_up'; readonly peer: PublicKey; readonly endpoints: readonly string[] }
  /** A WebSocket is to be opened, and given to `opened`. */
  | { readonly type: 'dial'; readonly peer: PublicKey; readonly url: string }
  /** A member has spoken by this WebSocket. May be told again. */
  | { readonly type: 'path_proved'; readonly path: PathId }
  /** Who has spoken by this WebSocket has no session any more: a member has to speak anew. */
  | { readonly type: 'path_unproved'; readonly path: PathId }
  /** An answer to `resolve`: addresses of the records are not verified yet. `next`, `endedBy`: as of the rendezvous. */
  | {
      readonly type: 'resolved';
      readonly id: number;
      readonly records: readonly SignedRecord[];
      readonly next: string | undefined;
      readonly endedBy: PublicKey | undefined;
    }
  /** A record of this node was signed: its seq is to be kept for the next run. */
  | { readonly type: 'signed'; readonly seq: number }
  /** Wanted at `addressIs`: it takes 37 ms of scrypt, so it is not computed here. */
  | { readonly type: 'address_wanted'; readonly publicKey: PublicKey }
  /** New lists, to be kept. */
  | { readonly type: 'deny_lists' }
  | { readonly type: 'event'; readonly event: OverlayEvent };

export interface PeerSummary {
  readonly publicKey: PublicKey;
  /** Of its certificate, or of the configuration; empty: none. */
  readonly name: string;
  readonly address: OverlayAddress | undefined;
  /**
   * 'connecting': a handshake is under way. 'up': there are keys, and a path. 'searching': there are keys, and no path at present that carries
   * anything. 'resting': its keys ran out unused, and come back with the next message. 'ending': its end is being said.
   */
  readonly state: 'connecting' | 'up' | 'searching' | 'resting' | 'ending';
}

export interface PeerView extends PeerSummary {
  readonly roles: readonly Role[];
  readonly path: PathId | undefined;
  readonly kind: PathKind | undefined;
  readonly rttMs: number | undefined;
  /** 0 to 1, of challenges on the present path. */
  readonly loss: number | undefined;
  /** Bytes of the longest packet on the present path. */
  readonly datagram: number | undefined;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Of messages that wait, or are not acknowledged. */
  readonly queuedBytes: number;
  readonly paths: readonly PathView[];
  /** Where it may be, as far as this node was told: by UDP and by WebSocket. */
  readonly tried: readonly PathId[];
  /** Undefined: no direct path was ever looked for. */
  readonly punching: PunchView | undefined;
  /** Why there is no direct path, in words; undefined: there is one, or none was looked for. */
  readonly whyRelayed: string | undefined;
}

export interface NodeView {
  readonly publicKey: PublicKey;
  /** What the NATs in front of this node do. */
  readonly nat: NatKind;
  /** How others see this node. */
  readonly reflexive: readonly Endpoint[];
  readonly sockets: readonly NatView[];
  readonly relays: readonly RelayStatus[];
  /** Undefined: it has not the relay role. */
  readonly serves: RelayView | undefined;
  readonly peers: readonly PeerView[];
  /** Peers that have said that this node is no member any more: its key was revoked, or its certificate does not hold. */
  readonly expelledBy: readonly PublicKey[];
  readonly drops: Readonly<Drops>;
}
