/** What is inside a sealed packet: a row of frames. docs/overlay-wire.md specifies the bytes. */

/** The longest message, in bytes: a larger `total` is malformed, whatever limits a receiver sets itself. */
export const MESSAGE_BYTES_MAX = 16 * 2 ** 20;
/** Ranges of an ACK. */
export const ACK_RANGES_MAX = 32;
/** UTF-8 bytes of the name of a channel. */
export const CHANNEL_NAME_BYTES_MAX = 200;

/** How a channel delivers. 0: reliable, in order. 1: reliable, in any order. 2: unreliable. */
export type ChannelMode = 0 | 1 | 2;

/** Packet numbers of which an ACK tells, both inclusive. */
export type AckRange = readonly [from: number, to: number];

/** Numbers are whole, from 0 to 2^53 - 1. Bytes of parsed frames are views into the packet. */
export type Frame =
  /** `largest` is `ranges[0][1]`. 1 to 32 ranges, highest first, with at least one number missing between two. */
  | { readonly type: 'ack'; readonly largest: number; readonly delayUs: number; readonly ranges: readonly AckRange[] }
  | { readonly type: 'ping' }
  /** Whole: `offset` 0 and `total` the length of `bytes`, which may be none. A fragment: fewer bytes than `total`, at least one. */
  | {
      readonly type: 'msg';
      readonly channel: number;
      readonly seq: number;
      readonly mode: ChannelMode;
      readonly offset: number;
      readonly total: number;
      readonly bytes: Uint8Array;
    }
  | { readonly type: 'max_data'; readonly bytes: number }
  | { readonly type: 'max_msgs'; readonly channel: number; readonly count: number }
  | { readonly type: 'reset_channel'; readonly channel: number; readonly seq: number }
  | { readonly type: 'close'; readonly code: number; readonly finals: readonly (readonly [channel: number, seq: number])[] }
  | { readonly type: 'open_channel'; readonly channel: number; readonly mode: ChannelMode; readonly name: string }
  /** 8 bytes. */
  | { readonly type: 'path_challenge'; readonly data: Uint8Array }
  /** 8 bytes. */
  | { readonly type: 'path_response'; readonly data: Uint8Array }
  /** A frame whose body another part parses; `code` is one of `CONTROL`. */
  | { readonly type: 'control'; readonly code: ControlCode; readonly bytes: Uint8Array };

/** Types of the frames whose bodies other parts parse. Those with the top bit are ignorable: who does not know them skips them. */
export const CONTROL = {
  register: 0x20,
  resolve: 0x21,
  record: 0x22,
  relay: 0x23,
  denylist: 0x24,
  candidates: 0xa0,
  punch: 0xa1,
  observed: 0xa2,
} as const;

export type ControlCode = (typeof CONTROL)[keyof typeof CONTROL];
