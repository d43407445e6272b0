/** One packet while it is filled: frames, and beside them the items that say what is to be done when it is acknowledged or lost. */
import { frameSize, type Frame } from '../wire/frames.ts';
import type { OutChannel, OutMessage } from './out-channel.ts';

/** What an acknowledged packet settles, or a lost one makes due again. */
export type Item =
  /** Bytes of a message, from `from` to before `to`. */
  | { readonly type: 'message'; readonly message: OutMessage; readonly from: number; readonly to: number }
  | { readonly type: 'open'; readonly channel: OutChannel }
  /** RESET_CHANNEL with this number. */
  | { readonly type: 'reset'; readonly channel: OutChannel; readonly seq: number }
  | { readonly type: 'ack'; readonly largest: number }
  | { readonly type: 'max_data' }
  | { readonly type: 'max_msgs'; readonly channel: number }
  | { readonly type: 'close' }
  | { readonly type: 'control'; readonly frame: ControlFrame };

export type ControlFrame = Extract<Frame, { readonly type: 'control' }>;

export const isPathFrame = (frame: Frame): boolean => frame.type === 'path_challenge' || frame.type === 'path_response';

/** It asks for an ACK. */
export const isEliciting = (frame: Frame): boolean =>
  frame.type !== 'ack' && !isPathFrame(frame) && !(frame.type === 'close' && frame.code !== 0);

export class Packing {
  readonly room: number;
  readonly frames: Frame[] = [];
  readonly items: Item[] = [];
  left: number;
  /** Something in it asks for an ACK. */
  isEliciting = false;

  /** `room`: bytes of frames. */
  constructor(room: number) {
    this.room = room;
    this.left = room;
  }

  /** False, and nothing is put: it does not fit. */
  put(frame: Frame, item?: Item): boolean {
    const size = frameSize(frame);
    if (size > this.left) return false;
    this.left -= size;
    this.frames.push(frame);
    if (item !== undefined) this.items.push(item);
    if (isEliciting(frame)) this.isEliciting = true;
    return true;
  }
}
