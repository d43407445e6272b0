/** What sessions make of datagrams and of time. */
import type { MeshError } from '../../../core/errors.ts';
import type { Guest, Member } from '../trust/trust.ts';
import type { PathId } from '../source.ts';
import type { PublicKey } from '../key-text.ts';

export type SessionOutput =
  | { readonly type: 'datagram'; readonly to: PathId; readonly bytes: Uint8Array }
  | PayloadOutput
  | UpOutput
  /** The peer has other keys now; it may show another certificate. */
  | { readonly type: 'renewed'; readonly peer: PublicKey; readonly authorization: Member | Guest }
  /** The keys ran out of time or of numbers. The association stays: `connect` gives it new ones. */
  | { readonly type: 'down'; readonly peer: PublicKey; readonly reason: 'keys_spent' }
  /** `connect` came to nothing, or the peer is not let in any more: NET_PEER_UNREACHABLE, NET_PEER_REFUSED, NET_KEY_INVALID. */
  | { readonly type: 'failed'; readonly peer: PublicKey; readonly error: MeshError };

/** Authentic, each number once. A packet without a payload is the sessions' own affair and is not given. */
export interface PayloadOutput {
  readonly type: 'payload';
  readonly peer: PublicKey;
  readonly from: PathId;
  readonly pn: number;
  /** No packet of the association with a higher number came before. */
  readonly isNewest: boolean;
  readonly bytes: Uint8Array;
}

/** There are keys where there were none, or the peer began anew. */
export interface UpOutput {
  readonly type: 'up';
  readonly peer: PublicKey;
  /** Another number: another association, and nothing of the one before holds. */
  readonly association: number;
  /** The peer was known, and has started again since. */
  readonly restarted: boolean;
  readonly from: PathId;
  /** This node began: an answer came from `from`, so the peer receives there. */
  readonly isInitiator: boolean;
  /** Bytes of the INIT that came from there, and of the RESP that went back; zeros where this node began. */
  readonly handshake: { readonly received: number; readonly sent: number };
  readonly authorization: Member | Guest;
  /** Bytes of the longest datagram that the peer takes. */
  readonly maxDatagram: number;
  /** How the peer sees this node; empty where it did not tell. */
  readonly observed: Uint8Array;
}
