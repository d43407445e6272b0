/** Channels that the peer opened: fragments in, messages out, once each, and in order where the channel keeps it. */
import { MESSAGE_BYTES_MAX, type ChannelMode, type MsgFrame } from '../wire/frames.ts';
import { RangeSet } from '../recovery/ranges.ts';
import type { Item, Packing } from './packing.ts';
import { MESSAGE_COST, ReceiveCredit } from './flow.ts';
import { Kept, type KeptBudget } from './kept.ts';
import { Reassembly, type ReassemblyLimits } from './reassembly.ts';
import type { Violation } from './violations.ts';

export interface IncomingLimits extends ReassemblyLimits {
  readonly channelsMax: number;
  readonly messageBytesMax: number;
  /** Messages of a channel that may be under way or kept. */
  readonly windowMessages: number;
  /** Bytes of all messages that may be under way or kept; grows up to `windowBytesMax`. */
  readonly windowBytes: number;
  readonly windowBytesMax: number;
}
export interface IncomingMessage {
  readonly channel: InChannel;
  readonly bytes: Uint8Array;
}

export class InChannel {
  readonly id: number;
  readonly name: string;
  readonly mode: ChannelMode;
  readonly credit: ReceiveCredit;
  /** In order: complete ones that wait for one before. Each is kept, with `MESSAGE_COST`. */
  readonly ready = new Map<number, Uint8Array>();
  /** Delivered, or in `ready`. */
  readonly complete = new RangeSet();
  /** In any order: gaps of `complete` that are kept, with `MESSAGE_COST` each. In order, what is behind a gap is kept itself. */
  gapsKept = 0;
  /** Next to be delivered, where order counts. */
  next = 0;
  /** Bytes that its messages were charged, seen or given up. */
  charged = 0;
  /** The number of the last RESET_CHANNEL. */
  resetTo = 0;
  /** After CLOSE: as many messages are to come in all. */
  final: number | undefined;

  constructor(id: number, name: string, mode: ChannelMode, windowMessages: number) {
    this.id = id;
    this.name = name;
    this.mode = mode;
    this.credit = new ReceiveCredit(windowMessages);
  }
}

export class Incoming {
  readonly kept: Kept;
  readonly reassembly: Reassembly;
  /** Bytes of the connection. */
  readonly credit: ReceiveCredit;
  private readonly limits: IncomingLimits;
  private readonly channels = new Map<number, InChannel>();
  private delivered: IncomingMessage[] = [];
  /** MAX_DATA is to be told, MAX_MSGS of these channels. */
  private isDataDue = false;
  private readonly messagesDue = new Set<number>();
  /** The oldest message of its channel, which gets in though there is no room for such any more (`isFirst`). */
  private first: { readonly channel: InChannel; readonly seq: number; readonly total: number } | undefined;
  private isClosing = false;

  constructor(limits: IncomingLimits, budget: KeptBudget) {
    this.limits = limits;
    this.kept = new Kept(budget);
    this.reassembly = new Reassembly(limits, this.kept);
    this.credit = new ReceiveCredit(limits.windowBytes, limits.windowBytesMax);
  }

  open(id: number, mode: ChannelMode, name: string): Violation | undefined {
    const known = this.channels.get(id);
    if (known !== undefined) return known.mode === mode && known.name === name ? undefined : 'channel_changed';
    // The sender counts from 0, so an id bounds the number of channels. They may come in any order.
    if (id >= this.limits.channelsMax) return 'channel_limit';
    this.channels.set(id, new InChannel(id, name, mode, this.limits.windowMessages));
    return undefined;
  }

  /** 'no_room': it cannot be kept now, and nothing is changed. What needs not be kept, as what others wait for, is always taken. */
  message(now: number, frame: MsgFrame): Violation | 'no_room' | undefined {
    const channel = this.channels.get(frame.channel);
    if (channel === undefined) return 'channel_unknown';
    if (channel.mode !== frame.mode) return 'mode_changed';
    if (frame.total > Math.min(this.limits.messageBytesMax, MESSAGE_BYTES_MAX)) return 'message_too_large';
    if (frame.mode === 2) return this.unreliable(now, channel, frame);
    const { seq } = frame;
    if (channel.final !== undefined && seq >= channel.final) return 'sent_after_close';
    if (channel.complete.has(seq) || seq < channel.next) return undefined;
    if (seq >= channel.credit.limit) return 'credit_exceeded';
    const isOldest = seq === channel.complete.floor;
    const cost = costOf(channel, frame, isOldest);
    if (cost > 0 && !this.kept.fits(cost, isOldest) && !(isOldest && this.isFirst(channel, frame))) return 'no_room';
    const isPartial = this.reassembly.has(channel.id, seq);
    if (!isPartial && !this.charge(channel, frame.total + MESSAGE_COST)) return 'credit_exceeded';
    const bytes = this.whole(now, frame, isPartial);
    if (typeof bytes === 'string') return bytes === 'partial' ? undefined : bytes;
    channel.complete.add(seq);
    if (channel.mode === 1) {
      this.keepGaps(channel, channel.complete.gaps);
      this.deliver(channel, bytes);
    } else {
      channel.ready.set(seq, bytes);
      this.kept.add(bytes.length + MESSAGE_COST);
      this.deliverInOrder(channel);
    }
    return undefined;
  }

  /**
   * The peer gives up all before `seq` that has not come: whole messages are delivered, the rest is not waited for. `charged`: the bytes of all
   * of them by the peer's account, which has some that were never seen here.
   */
  reset(now: number, id: number, seq: number, charged: number, rttMs: number): Violation | undefined {
    const channel = this.channels.get(id);
    if (channel === undefined) return 'channel_unknown';
    if (channel.mode === 2 || seq <= channel.resetTo) return undefined;
    const unseen = charged - channel.charged;
    if (seq > channel.credit.limit || unseen < 0 || !this.charge(channel, unseen)) return 'credit_exceeded';
    channel.resetTo = seq;
    let bytesBack = unseen;
    let messagesBack = 0;
    for (let at = channel.complete.floor; at < seq; at++) {
      const total = this.reassembly.drop(id, at);
      if (total !== undefined) bytesBack += total + MESSAGE_COST;
      // What never comes gives no message, so nobody else gives its credit back.
      if (channel.complete.add(at)) messagesBack++;
      const bytes = channel.ready.get(at);
      if (bytes !== undefined) this.deliverReady(channel, at, bytes);
    }
    channel.next = Math.max(channel.next, seq);
    if (channel.mode === 1) this.keepGaps(channel, channel.complete.gaps);
    else this.deliverInOrder(channel);
    this.release(now, channel, bytesBack, messagesBack, rttMs);
    return undefined;
  }

  /** A message was handed over: the peer may send another. */
  handedOver(now: number, { channel, bytes }: IncomingMessage, rttMs: number): void {
    if (channel.mode !== 2) this.release(now, channel, bytes.length + MESSAGE_COST, 1, rttMs);
  }

  /** The peer is to be told of more credit. */
  get isCreditDue(): boolean {
    return this.isDataDue || this.messagesDue.size > 0;
  }

  putCredit(packing: Packing): void {
    if (this.isDataDue && packing.put({ type: 'max_data', bytes: this.credit.limit }, { type: 'max_data' }))
      this.isDataDue = false;
    for (const id of this.messagesDue) {
      const count = this.channels.get(id)?.credit.limit;
      if (count === undefined || packing.put({ type: 'max_msgs', channel: id, count }, { type: 'max_msgs', channel: id }))
        this.messagesDue.delete(id);
    }
  }

  creditLost(item: Extract<Item, { type: 'max_data' | 'max_msgs' }>): void {
    if (item.type === 'max_data') this.isDataDue = true;
    else this.messagesDue.add(item.channel);
  }

  /** CLOSE: so many messages are to come on each channel; those that are not named are whole already. */
  close(finals: readonly (readonly [channel: number, seq: number])[]): Violation | undefined {
    for (const [id, seq] of finals) {
      const channel = this.channels.get(id);
      if (channel === undefined) return 'channel_unknown';
      if ((channel.final ?? seq) !== seq || (channel.complete.largest ?? -1) >= seq) return 'close_changed';
      channel.final = seq;
    }
    for (const channel of this.channels.values()) channel.final ??= (channel.complete.largest ?? -1) + 1;
    this.isClosing = true;
    return undefined;
  }

  /** The peer has closed, and nothing of what it sent is missing. */
  get isComplete(): boolean {
    return this.isClosing && this.channels.values().every((c) => c.mode === 2 || c.complete.floor >= (c.final ?? 0));
  }

  /** Messages in the order in which they are to be handed over; their credit goes back with `handedOver`. */
  take(): readonly IncomingMessage[] {
    const { delivered } = this;
    this.delivered = [];
    return delivered;
  }

  /** The association is over: nothing is kept. */
  clear(): void {
    this.reassembly.clear();
    for (const channel of this.channels.values()) {
      for (const bytes of channel.ready.values()) this.kept.add(-bytes.length - MESSAGE_COST);
      channel.ready.clear();
      this.keepGaps(channel, 0);
    }
  }

  /**
   * Of the oldest messages for which there is no room one is chosen, and gets in all the same: when it is whole, others have room, or the next
   * is chosen. Else the peer could come to an end where each waits for another, or where others have taken the room that it had.
   */
  private isFirst(channel: InChannel, { seq, total }: MsgFrame): boolean {
    const { first } = this;
    const isWaiting = first !== undefined && !first.channel.complete.has(first.seq) && this.kept.fitsBeside(first.total);
    if (isWaiting) return first.channel === channel && first.seq === seq;
    this.first = this.kept.fitsBeside(total) ? { channel, seq, total } : undefined;
    return this.first !== undefined;
  }

  private charge(channel: InChannel, bytes: number): boolean {
    channel.charged += bytes;
    return this.credit.charge(bytes);
  }

  private keepGaps(channel: InChannel, gaps: number): void {
    this.kept.add((gaps - channel.gapsKept) * MESSAGE_COST);
    channel.gapsKept = gaps;
  }

  private release(now: number, channel: InChannel, bytes: number, messages: number, rttMs: number): void {
    if (this.credit.release(now, bytes, rttMs)) this.isDataDue = true;
    if (channel.credit.release(now, messages, rttMs)) this.messagesDue.add(channel.id);
  }

  private unreliable(now: number, channel: InChannel, frame: MsgFrame): Violation | 'no_room' | undefined {
    if (frame.bytes.length < frame.total && !this.kept.fits(frame.bytes.length, false)) return 'no_room';
    const bytes = this.whole(now, frame, this.reassembly.has(channel.id, frame.seq));
    if (typeof bytes === 'string') return bytes === 'partial' ? undefined : bytes;
    this.deliver(channel, bytes);
    return undefined;
  }

  private whole(now: number, frame: MsgFrame, isPartial: boolean): Uint8Array | 'partial' | Violation {
    if (!isPartial && frame.bytes.length === frame.total) return new Uint8Array(frame.bytes);
    const result = this.reassembly.add(now, frame);
    return typeof result === 'string' ? result : result.bytes;
  }

  private deliverInOrder(channel: InChannel): void {
    for (let bytes = channel.ready.get(channel.next); bytes !== undefined; bytes = channel.ready.get(channel.next)) {
      this.deliverReady(channel, channel.next++, bytes);
    }
  }

  private deliverReady(channel: InChannel, seq: number, bytes: Uint8Array): void {
    channel.ready.delete(seq);
    this.kept.add(-bytes.length - MESSAGE_COST);
    this.deliver(channel, bytes);
  }

  private deliver(channel: InChannel, bytes: Uint8Array): void {
    this.delivered.push({ channel, bytes });
  }
}

/** What is to be kept after this frame, at most. Where order does not count, a message beside one that came makes no gap. */
function costOf({ mode, complete }: InChannel, { seq, total, bytes }: MsgFrame, isOldest: boolean): number {
  if (bytes.length < total) return bytes.length + MESSAGE_COST;
  if (isOldest) return 0;
  if (mode === 0) return bytes.length + MESSAGE_COST;
  return complete.has(seq - 1) || complete.has(seq + 1) ? 0 : MESSAGE_COST;
}
