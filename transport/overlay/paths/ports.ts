/** What goes into the paths of a peer and what comes out of them. */
import type { Drops } from '../drops.ts';
import type { PathId } from '../source.ts';
import type { Frame } from '../wire/frames.ts';
import type { PathKind } from './endpoint.ts';

/**
 * 'probing': nothing but challenges goes there, and what the 3x limit allows. 'valid': a challenge came back. 'suspect': it was valid, and is
 * challenged since there is a reason for doubt. 'dead': nothing came back; forgotten after a while.
 */
export type PathState = 'probing' | 'valid' | 'suspect' | 'dead';

/**
 * 'unreachable': a packet could not be sent, which may pass. 'too_long': it was refused for its length. 'closed': the path is no more (a relay
 * went away, a WebSocket closed).
 */
export type PathError = 'unreachable' | 'too_long' | 'closed';

export interface PathsOptions {
  readonly random: (count: number) => Uint8Array;
  /** Bytes of the longest packet that the peer and this node take: the smaller of both. */
  readonly maxDatagram: number;
  readonly drops?: Drops;
}

export type PathOutput =
  /** A packet with this frame, at once, by this path. `padTo`: bytes of the whole packet, made so long by PADDING. */
  | {
      readonly type: 'send';
      readonly path: PathId;
      readonly frame: Extract<Frame, { readonly type: 'path_challenge' | 'path_response' }>;
      readonly padTo: number | undefined;
    }
  /** Traffic goes by this path from now on. Undefined: none is left. */
  | {
      readonly type: 'active';
      readonly path: PathId | undefined;
      readonly rttMs: number | undefined;
      readonly reason: SwitchReason;
    }
  /** Traffic does not go directly, and no direct path is known: one is to be looked for. */
  | { readonly type: 'want_direct' };

/**
 * 'begin': the keys were proved there. 'roamed': the peer came from there, and the old path does not answer. 'better': of a better kind, or the
 * other one loses much. 'faster'. 'silent': the other one does not answer while this one does. 'timeouts': of the connection. 'lost': the other
 * one is dead.
 */
export type SwitchReason = 'begin' | 'roamed' | 'better' | 'faster' | 'silent' | 'timeouts' | 'lost';

export interface PathView {
  readonly path: PathId;
  readonly kind: PathKind;
  readonly state: PathState;
  /** Undefined: never measured. */
  readonly rttMs: number | undefined;
  /** Share of the challenges that were not answered, 0 to 1. */
  readonly loss: number;
  /** Bytes of the longest packet. */
  readonly datagram: number;
  readonly isActive: boolean;
}
