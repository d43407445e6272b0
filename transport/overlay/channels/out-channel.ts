/** A channel to the peer, and a message on it, as the sender keeps them. What is sent when is outgoing.ts. */
import { frameSize, messageRoom, type ChannelMode, type Frame } from '../wire/frames.ts';
import { MESSAGE_COST, SendCredit } from './flow.ts';
import { Queue } from './queue.ts';

export interface OutMessage {
  readonly channel: OutChannel;
  /** As `send` returned it. */
  readonly number: number;
  readonly bytes: Uint8Array;
  /** On the wire; -1: not begun. */
  seq: number;
  /** Sent at least once up to here. */
  sentTo: number;
  /** Of each cell: 1 when acknowledged. Undefined: it is one cell. */
  readonly cells: Uint8Array | undefined;
  cellsLeft: number;
  /** In fragments, so that it counts as partial at the peer. */
  isPartial: boolean;
}

/** What RESET_CHANNEL says, and what the peer may keep until it has come. */
interface Reset {
  readonly seq: number;
  readonly bytes: number;
  readonly partials: number;
  readonly partialBytes: number;
}

export class OutChannel {
  readonly id: number;
  readonly name: string;
  readonly mode: ChannelMode;
  readonly credit: SendCredit;
  readonly queue = new Queue<OutMessage>();
  /** The peer has acknowledged its name. Until then it goes along with every message. */
  isOpen = false;
  nextNumber = 0;
  nextSeq = 0;
  /** Begun and not acknowledged; reliable ones. */
  readonly unacked = new Set<OutMessage>();
  /** Mode 0: begun, and not told as delivered. The peer keeps what it has behind one that is missing, so that may still be lost. */
  readonly untold = new Set<OutMessage>();
  /** Bytes that all messages that were begun have been charged. */
  charged = 0;
  /** Messages were given up, and the peer is not known to know. Until then nothing is begun. */
  reset: Reset | undefined;
  /** Since when the peer's credit does not allow the next message. */
  stalledSince = Infinity;

  constructor(id: number, name: string, mode: ChannelMode, windowMessages: number) {
    this.id = id;
    this.name = name;
    this.mode = mode;
    this.credit = new SendCredit(windowMessages);
  }

  /** What tells the peer of it. */
  get openFrame(): Frame {
    const { id, mode, name } = this;
    return { type: 'open_channel', channel: id, mode, name };
  }

  /** The peer still waits for something of it. */
  get isUnsettled(): boolean {
    return this.mode !== 2 && (this.unacked.size > 0 || this.reset !== undefined);
  }

  /** What is whole at the peer with all before it, once. */
  takeTold(): readonly OutMessage[] {
    const told: OutMessage[] = [];
    for (const message of this.untold) {
      if (message.cellsLeft > 0) break;
      this.untold.delete(message);
      told.push(message);
    }
    return told;
  }
}

/** What a message takes of queue and credit. */
export const costOf = ({ bytes }: OutMessage): number => bytes.length + MESSAGE_COST;

/** With the name of its channel, the message fits whole into a packet of `room` bytes. */
export function fitsWhole({ channel, seq, bytes }: OutMessage, room: number): boolean {
  const open = channel.isOpen ? 0 : frameSize(channel.openFrame);
  const at = seq < 0 ? channel.nextSeq : seq;
  return messageRoom(room - open, { channel: channel.id, seq: at, offset: 0, total: bytes.length }) === bytes.length;
}
