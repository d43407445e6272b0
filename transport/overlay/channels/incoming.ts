/** Channels that the peer opened: fragments in, messages out, once each, and in order where the channel keeps it. */
import { MESSAGE_BYTES_MAX, type ChannelMode, type MsgFrame } from '../wire/frames.ts';
import { RangeSet } from '../recovery/ranges.ts';
import { MESSAGE_COST, ReceiveCredit } from './flow.ts';
import { Reassembly, type ReassemblyBudget, type ReassemblyLimits } from './reassembly.ts';
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
  /** In order: complete ones that wait for one before. */
  readonly ready = new Map<number, Uint8Array>();
  /** Delivered, or in `ready`. Ranges are bounded by the credit of messages. */
  readonly complete = new RangeSet();
  /** Next to be delivered, where order counts. */
  next = 0;
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
  readonly reassembly: Reassembly;
  /** Bytes of the connection. */
  readonly credit: ReceiveCredit;
  private readonly limits: IncomingLimits;
  private readonly channels = new Map<number, InChannel>();
  private delivered: IncomingMessage[] = [];
  private isClosing = false;

  constructor(limits: IncomingLimits, budget: ReassemblyBudget) {
    this.limits = limits;
    this.reassembly = new Reassembly(limits, budget);
    this.credit = new ReceiveCredit(limits.windowBytes, limits.windowBytesMax);
  }

  channel(id: number): InChannel | undefined {
    return this.channels.get(id);
  }

  open(id: number, mode: ChannelMode, name: string): Violation | undefined {
    const known = this.channels.get(id);
    if (known !== undefined) return known.mode === mode && known.name === name ? undefined : 'channel_changed';
    // The sender counts from 0, so an id bounds the number of channels. They may come in any order.
    if (id >= this.limits.channelsMax) return 'channel_limit';
    this.channels.set(id, new InChannel(id, name, mode, this.limits.windowMessages));
    return undefined;
  }

  message(now: number, frame: MsgFrame): Violation | undefined {
    const channel = this.channels.get(frame.channel);
    if (channel === undefined) return 'channel_unknown';
    if (channel.mode !== frame.mode) return 'mode_changed';
    if (frame.total > Math.min(this.limits.messageBytesMax, MESSAGE_BYTES_MAX)) return 'message_too_large';
    if (frame.mode === 2) return this.unreliable(now, channel, frame);
    const { seq } = frame;
    if (channel.final !== undefined && seq >= channel.final) return 'sent_after_close';
    if (channel.complete.has(seq) || seq < channel.next) return undefined;
    if (seq >= channel.credit.limit) return 'credit_exceeded';
    const isPartial = this.reassembly.has(channel.id, seq);
    if (!isPartial && !this.credit.charge(frame.total + MESSAGE_COST)) return 'credit_exceeded';
    const bytes = this.whole(now, frame, isPartial);
    if (typeof bytes === 'string') return bytes === 'partial' ? undefined : bytes;
    channel.complete.add(seq);
    if (channel.mode === 1) this.deliver(channel, bytes);
    else {
      channel.ready.set(seq, bytes);
      this.deliverInOrder(channel);
    }
    return undefined;
  }

  /** The peer gives up all before `seq` that has not come: whole messages are delivered, the rest is not waited for. */
  reset(now: number, id: number, seq: number, rttMs: number): Violation | undefined {
    const channel = this.channels.get(id);
    if (channel === undefined) return 'channel_unknown';
    if (seq > channel.credit.limit) return 'credit_exceeded';
    for (let at = channel.next; channel.mode !== 2 && at < seq; at++) {
      const total = this.reassembly.drop(id, at);
      if (total !== undefined) this.credit.release(now, total + MESSAGE_COST, rttMs);
      // What never comes gives no message, so nobody else gives its credit back.
      if (channel.complete.add(at)) channel.credit.release(now, 1, rttMs);
      const bytes = channel.ready.get(at);
      channel.ready.delete(at);
      if (bytes !== undefined) this.deliver(channel, bytes);
    }
    channel.next = Math.max(channel.next, seq);
    this.deliverInOrder(channel);
    return undefined;
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

  /** Messages in the order in which they are to be handed over; their credit goes back with `release`. */
  take(): readonly IncomingMessage[] {
    const { delivered } = this;
    this.delivered = [];
    return delivered;
  }

  private unreliable(now: number, channel: InChannel, frame: MsgFrame): Violation | undefined {
    const bytes = this.whole(now, frame, this.reassembly.has(channel.id, frame.seq));
    if (typeof bytes === 'string') return bytes === 'partial' ? undefined : bytes;
    this.deliver(channel, bytes);
    return undefined;
  }

  private whole(now: number, frame: MsgFrame, isPartial: boolean): Uint8Array | 'partial' | Violation {
    if (!isPartial && frame.bytes.length === frame.total) return Uint8Array.from(frame.bytes);
    const result = this.reassembly.add(now, frame);
    return typeof result === 'string' ? result : result.bytes;
  }

  private deliverInOrder(channel: InChannel): void {
    for (let bytes = channel.ready.get(channel.next); bytes !== undefined; bytes = channel.ready.get(channel.next)) {
      channel.ready.delete(channel.next++);
      this.deliver(channel, bytes);
    }
  }

  private deliver(channel: InChannel, bytes: Uint8Array): void {
    this.delivered.push({ channel, bytes });
  }
}
