/** What goes into a connection and what comes out of it. */
import type { CongestionController } from '../congestion/controller.ts';
import type { ChannelMode, Frame } from '../wire/frames.ts';
import type { KeptBudget } from './kept.ts';
import type { ConnectionLimits } from './limits.ts';
import type { ControlFrame, Item } from './packing.ts';
import type { Violation } from './violations.ts';

export interface ConnectionOptions {
  readonly controller: CongestionController;
  readonly random: (bytes: number) => Uint8Array;
  readonly limits: ConnectionLimits;
  readonly initialRttMs: number;
  /** Shared by all peers. */
  readonly budget: KeptBudget;
}
/** Opaque to who seals it: the frames are what is inside. */
export interface OutgoingPacket {
  readonly frames: readonly Frame[];
  readonly items: readonly Item[];
  readonly isEliciting: boolean;
}
/** 'closed': in order. 'silence': nothing was acknowledged for too long. 'close_timeout': an orderly close did not end in time. 'peer': a CLOSE with a code. 'expelled': by this side. */
export type CloseReason = 'closed' | 'silence' | 'close_timeout' | 'peer' | 'expelled' | Violation;

export type ConnectionOutput =
  | { readonly type: 'message'; readonly channel: string; readonly mode: ChannelMode; readonly bytes: Uint8Array }
  /** The peer's node has the message, and on an ordered channel all before it: it is handed over. `message`: as `send` returned it. */
  | { readonly type: 'delivered'; readonly channel: string; readonly message: number }
  /** Given up: it was never sent, since the peer gave no credit for too long, or its channel was reset, and the peer may have it. */
  | { readonly type: 'undelivered'; readonly channel: string; readonly message: number }
  /** After NET_BACKPRESSURE: half of the queue is free. */
  | { readonly type: 'writable' }
  | { readonly type: 'control'; readonly frame: ControlFrame }
  /** The last output. `isClean`: all that was sent was acknowledged. */
  | { readonly type: 'closed'; readonly reason: CloseReason; readonly code: number; readonly isClean: boolean };
