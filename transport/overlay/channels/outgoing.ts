/**
 * Messages on their way out: a queue for each channel, served in turn, and before them what was lost.
 *
 *   send -> queue of the channel -> (credit) begun: its number, whole or on the grid of cells -> in flight -> acknowledged | lost -> again
 *
 * Keeps the bytes that it is given until they are acknowledged.
 */
import { MeshError } from '../../../core/errors.ts';
import { CHANNEL_NAME_BYTES_MAX, frameSize, messageRoom, type ChannelMode, type Frame, type MsgFrame } from '../wire/frames.ts';
import { MESSAGE_COST, SendCredit } from './flow.ts';
import { costOf, fitsWhole, OutChannel, type OutMessage } from './out-channel.ts';
import type { Item, Packing } from './packing.ts';
import { Queue } from './queue.ts';
import { CELL } from './reassembly.ts';

type MessageItem = Extract<Item, { type: 'message' }>;
type ResetItem = Extract<Item, { type: 'reset' }>;

export interface OutgoingLimits {
  /** Bytes of messages that wait here or for their ACK. */
  readonly queueBytesMax: number;
  readonly channelsMax: number;
  readonly messageBytesMax: number;
  readonly windowMessages: number;
  readonly windowBytes: number;
  /** Of the peer: messages in fragments are begun only as far as it can keep all of them. */
  readonly partialBytesMax: number;
  readonly partialsMax: number;
}

export class Outgoing {
  readonly credit: SendCredit;
  /** Of all messages that are not acknowledged, with `MESSAGE_COST` each. */
  queuedBytes = 0;
  private readonly limits: OutgoingLimits;
  private readonly byName = new Map<string, OutChannel>();
  private readonly byId: OutChannel[] = [];
  /** Channels with messages that wait and are not known to be without credit. The first is next. */
  private ring: OutChannel[] = [];
  /** Channels without credit of messages; the one that waits for longest first. */
  private readonly stalled = new Set<OutChannel>();
  private again = new Queue<MessageItem>();
  private readonly resetsDue = new Set<OutChannel>();
  private partialBytes = 0;
  private partials = 0;
  /** Since when the credit of bytes does not allow the next message. */
  private stalledSince = Infinity;

  constructor(limits: OutgoingLimits) {
    this.limits = limits;
    this.credit = new SendCredit(limits.windowBytes);
  }

  /** Throws NET_BACKPRESSURE, NET_CHANNEL_REFUSED, PAYLOAD_TOO_LARGE; nothing is kept then. */
  send(name: string, bytes: Uint8Array, mode: ChannelMode): number {
    const { messageBytesMax, queueBytesMax } = this.limits;
    if (bytes.length > messageBytesMax)
      throw new MeshError('PAYLOAD_TOO_LARGE', `a message of ${bytes.length} bytes; at most ${messageBytesMax} may be sent`);
    const cost = bytes.length + MESSAGE_COST;
    if (this.queuedBytes > 0 && this.queuedBytes + cost > queueBytesMax)
      throw new MeshError('NET_BACKPRESSURE', `${this.queuedBytes} bytes wait for this peer; at most ${queueBytesMax} may`);
    const channel = this.channelOf(name, mode);
    const count = Math.max(1, Math.ceil(bytes.length / CELL));
    const number = channel.nextNumber++;
    const cells = count === 1 ? undefined : new Uint8Array(count);
    channel.queue.push({ channel, number, bytes, seq: -1, sentTo: 0, cells, cellsLeft: count, isPartial: false });
    if (channel.queue.length === 1 && !this.stalled.has(channel)) this.ring.push(channel);
    this.queuedBytes += cost;
    return number;
  }

  /**
   * Gives up all messages of a channel that are not acknowledged; gives them. Where some were begun, the peer is told, and what is sent on the
   * channel from now on waits until it knows.
   */
  reset(name: string): readonly OutMessage[] {
    const channel = this.byName.get(name);
    if (channel === undefined) return [];
    const unsent = this.dropUnsent(channel);
    const half = channel.queue.shift();
    // What waited for credit of bytes may be gone. If not, it waits anew: what is sent later is not given up in its place.
    this.stalledSince = Infinity;
    this.ring = this.ring.filter((c) => c !== channel);
    // An unreliable one is not in `unacked`, and nobody waits for the rest of it.
    if (half !== undefined && channel.mode === 2) this.settle(half);
    const begun = [...channel.unacked];
    channel.unacked.clear();
    if (begun.length > 0) {
      const partials = begun.filter((message) => message.isPartial);
      const partialBytes = partials.reduce((sum, { bytes }) => sum + bytes.length, 0);
      channel.reset = { seq: channel.nextSeq, bytes: channel.charged, partials: partials.length, partialBytes };
      this.resetsDue.add(channel);
    }
    for (const message of begun) {
      channel.untold.delete(message);
      message.cellsLeft = 0;
      this.queuedBytes -= costOf(message);
    }
    return [...begun, ...(half !== undefined && channel.mode === 2 ? [half] : []), ...unsent];
  }

  /** The peer knows that these messages do not come, and keeps nothing of them. Gives those that it has handed over therefore. */
  onResetAcked({ channel, seq }: ResetItem): readonly OutMessage[] {
    if (channel.reset?.seq !== seq) return [];
    this.partials -= channel.reset.partials;
    this.partialBytes -= channel.reset.partialBytes;
    channel.reset = undefined;
    this.resetsDue.delete(channel);
    return channel.takeTold();
  }

  onResetLost({ channel, seq }: ResetItem): void {
    if (channel.reset?.seq === seq) this.resetsDue.add(channel);
  }

  /** Nothing waits for an ACK, nor to be sent. */
  get isEmpty(): boolean {
    return this.queuedBytes === 0 && !this.byId.some((channel) => channel.reset !== undefined);
  }

  /** Something waits that was lost. */
  get isDueAgain(): boolean {
    return this.again.length > 0;
  }

  /** Something waits that has not been sent even once. */
  get hasUnsent(): boolean {
    return this.ring.length > 0 || this.stalled.size > 0;
  }

  /** Channels of which messages are begun and not acknowledged or known to be given up, with the number of messages begun. Reliable ones only. */
  finals(): [channel: number, seq: number][] {
    return this.byId.filter((c) => c.isUnsettled).map((c) => [c.id, c.nextSeq]);
  }

  /** What opens the channels of `finals`, as far as the peer may not know them. */
  opens(): Frame[] {
    return this.byId.filter((c) => c.isUnsettled && !c.isOpen).map((c) => c.openFrame);
  }

  /** Puts what fits and may be sent: first what was given up, then what was lost. */
  fill(now: number, packing: Packing): void {
    for (const channel of this.resetsDue) if (!this.putReset(channel, packing)) return;
    while (this.again.length > 0) if (!this.putAgain(packing)) return;
    // Each channel is asked once a packet, so that none takes it all; those that were asked go to the end.
    for (let left = this.ring.length; left > 0; left--) {
      const channel = this.ring.shift() as OutChannel;
      const isFull = this.putChannel(now, channel, packing);
      if (channel.queue.length > 0 && !this.stalled.has(channel)) {
        if (isFull && (channel.queue.first as OutMessage).seq < 0) this.ring.unshift(channel);
        else this.ring.push(channel);
      }
      if (isFull) return;
    }
  }

  /** Gives the messages that are delivered by that: none, or on an ordered channel all that waited for this one. */
  onAcked(item: MessageItem): readonly OutMessage[] {
    const { message, from, to } = item;
    const { channel } = message;
    // An unreliable one was settled when it was sent.
    if (message.cellsLeft === 0 || channel.mode === 2) return [];
    if (message.cells === undefined) message.cellsLeft = 0;
    else {
      for (let cell = from / CELL; cell * CELL < to; cell++) {
        if (message.cells[cell] === 1) continue;
        message.cells[cell] = 1;
        message.cellsLeft--;
      }
    }
    if (message.cellsLeft > 0) return [];
    channel.unacked.delete(message);
    this.settle(message);
    return channel.mode === 0 ? channel.takeTold() : [message];
  }

  /** Unreliable messages are not sent again. */
  onLost(item: MessageItem): void {
    if (item.message.channel.mode !== 2 && item.message.cellsLeft > 0) this.again.push(item);
  }

  onMaxData(limit: number): void {
    if (this.credit.raise(limit)) this.stalledSince = Infinity;
  }

  /** False: no such channel. */
  onMaxMessages(id: number, count: number): boolean {
    const channel = this.byId[id];
    if (channel === undefined) return false;
    if (!channel.credit.raise(count) || !this.stalled.delete(channel)) return true;
    channel.stalledSince = Infinity;
    this.ring.push(channel);
    return true;
  }

  /** Since when the oldest message without credit waits. */
  get waitsSince(): number {
    for (const channel of this.stalled) return Math.min(this.stalledSince, channel.stalledSince);
    return this.stalledSince;
  }

  /** Gives up what waits: of channels without credit since `since`, or of all when it is the credit of bytes that is missing. */
  giveUp(since: number): readonly OutMessage[] {
    const all = this.stalledSince <= since ? this.byId : [...this.stalled].filter((c) => c.stalledSince <= since);
    const lost = all.flatMap((channel) => this.dropUnsent(channel));
    this.stalledSince = Infinity;
    return lost;
  }

  /** The association is over: nothing is kept, and nothing of it goes any more. */
  clear(): void {
    for (const channel of this.byId) this.dropUnsent(channel);
    this.ring = [];
    this.again = new Queue();
    this.resetsDue.clear();
    this.queuedBytes = 0;
  }

  private dropUnsent(channel: OutChannel): OutMessage[] {
    const first = channel.queue.first;
    const unsent = channel.queue.dropBehind(first !== undefined && first.seq >= 0 ? 1 : 0);
    for (const message of unsent) this.queuedBytes -= costOf(message);
    channel.stalledSince = Infinity;
    this.stalled.delete(channel);
    if (channel.queue.length === 0) this.ring = this.ring.filter((c) => c !== channel);
    return unsent;
  }

  private channelOf(name: string, mode: ChannelMode): OutChannel {
    const known = this.byName.get(name);
    if (known !== undefined) {
      if (known.mode !== mode)
        throw new MeshError('NET_CHANNEL_REFUSED', `channel '${name}' was opened with mode ${known.mode}, not ${mode}`);
      return known;
    }
    if (this.byId.length >= this.limits.channelsMax)
      throw new MeshError('NET_CHANNEL_REFUSED', `${this.byId.length} channels are open to this peer; no more may be`);
    if (!name.isWellFormed() || Buffer.byteLength(name) > CHANNEL_NAME_BYTES_MAX)
      throw new MeshError('NET_CHANNEL_REFUSED', `the name of a channel is at most ${CHANNEL_NAME_BYTES_MAX} bytes of UTF-8`);
    const channel = new OutChannel(this.byId.length, name, mode, this.limits.windowMessages);
    this.byName.set(name, channel);
    this.byId.push(channel);
    return channel;
  }

  /** False: the packet is full. */
  private putReset(channel: OutChannel, packing: Packing): boolean {
    if (channel.reset === undefined) return true;
    const { seq, bytes } = channel.reset;
    const frame: Frame = { type: 'reset_channel', channel: channel.id, seq, bytes };
    const openSize = this.needsOpen(channel, packing) ? frameSize(channel.openFrame) : 0;
    if (openSize + frameSize(frame) > packing.left) return false;
    if (openSize > 0) packing.put(channel.openFrame, { type: 'open', channel });
    packing.put(frame, { type: 'reset', channel, seq });
    this.resetsDue.delete(channel);
    return true;
  }

  /** Of what was lost, the first that is still missing. False: the packet is full. */
  private putAgain(packing: Packing): boolean {
    const item = this.again.first as MessageItem;
    const { message, to } = item;
    let { from } = item;
    while (from < to && message.cells?.[from / CELL] === 1) from += CELL;
    if (message.cellsLeft === 0 || (from >= to && message.bytes.length > 0)) {
      this.again.shift();
      return true;
    }
    let end = from;
    while (end < to && message.cells?.[end / CELL] !== 1) end += CELL;
    const sentTo = this.putBytes(message, from, Math.min(end, to), packing);
    if (sentTo === undefined) return false;
    if (sentTo < to) this.again.replaceFirst({ ...item, from: sentTo });
    else this.again.shift();
    return true;
  }

  /** True: the packet is full. */
  private putChannel(now: number, channel: OutChannel, packing: Packing): boolean {
    for (let message = channel.queue.first; message !== undefined; message = channel.queue.first) {
      if (message.seq < 0) {
        const why = this.mayBegin(message, packing);
        if (why === 'later') return false;
        if (why === 'credit') {
          channel.stalledSince = now;
          this.stalled.add(channel);
          return false;
        }
        if (why === 'bytes') {
          this.stalledSince = Math.min(this.stalledSince, now);
          return false;
        }
      }
      const sentTo = this.putBytes(message, message.sentTo, message.bytes.length, packing);
      if (sentTo === undefined) return true;
      message.sentTo = sentTo;
      if (sentTo < message.bytes.length) return true;
      channel.queue.shift();
      if (channel.mode === 2) this.settle(message);
    }
    return false;
  }

  private mayBegin(message: OutMessage, packing: Packing): 'now' | 'later' | 'credit' | 'bytes' {
    const { channel } = message;
    if (channel.reset !== undefined) return 'later';
    const isPartial = !fitsWhole(message, packing.room);
    if (isPartial && this.partials > 0 && !this.hasPartialRoom(message.bytes.length)) return 'later';
    if (channel.mode === 2) return 'now';
    if (!channel.credit.allows(1)) return 'credit';
    return this.credit.allows(costOf(message)) ? 'now' : 'bytes';
  }

  private hasPartialRoom(bytes: number): boolean {
    return this.partials < this.limits.partialsMax && this.partialBytes + bytes <= this.limits.partialBytesMax;
  }

  private begin(message: OutMessage, isPartial: boolean): void {
    const { channel } = message;
    message.seq = channel.nextSeq++;
    if (channel.mode !== 2) {
      channel.unacked.add(message);
      if (channel.mode === 0) channel.untold.add(message);
      channel.charged += costOf(message);
      channel.credit.take(1);
      this.credit.take(costOf(message));
    }
    this.countPartial(message, isPartial);
  }

  private countPartial(message: OutMessage, isPartial: boolean): void {
    if (message.isPartial === isPartial) return;
    message.isPartial = isPartial;
    this.partials += isPartial ? 1 : -1;
    this.partialBytes += isPartial ? message.bytes.length : -message.bytes.length;
  }

  private settle(message: OutMessage): void {
    this.countPartial(message, false);
    this.queuedBytes -= costOf(message);
  }

  /** Puts as much of `from` to `to` as fits: all, or whole cells. Gives where it ended; undefined: nothing fits. */
  private putBytes(message: OutMessage, from: number, to: number, packing: Packing): number | undefined {
    const { channel, bytes } = message;
    const total = bytes.length;
    const seq = message.seq < 0 ? channel.nextSeq : message.seq;
    const openSize = this.needsOpen(channel, packing) ? frameSize(channel.openFrame) : 0;
    const fits = messageRoom(packing.left - openSize, { channel: channel.id, seq, offset: from, total });
    if (fits === undefined) return undefined;
    let length = Math.min(fits, to - from);
    if (from + length < to) length -= length % CELL;
    // What fits whole into a packet of its own is not torn; nor is anything for the sake of no cell.
    if (length < to - from && (length === 0 || (from === 0 && to === total && fitsWhole(message, packing.room))))
      return undefined;
    const piece = length === total ? bytes : bytes.subarray(from, from + length);
    const frame: MsgFrame = { type: 'msg', channel: channel.id, seq, mode: channel.mode, offset: from, total, bytes: piece };
    // A fragment has a longer head than the whole for which there was room.
    if (length < total && openSize + frameSize(frame) > packing.left) return undefined;
    if (message.seq < 0) this.begin(message, length < total);
    else if (length < total && channel.mode !== 2) this.countPartial(message, true);
    if (openSize > 0) packing.put(channel.openFrame, { type: 'open', channel });
    packing.put(frame, { type: 'message', message, from, to: from + length });
    return from + length;
  }

  private needsOpen(channel: OutChannel, packing: Packing): boolean {
    return !channel.isOpen && !packing.items.some((item) => item.type === 'open' && item.channel === channel);
  }
}
