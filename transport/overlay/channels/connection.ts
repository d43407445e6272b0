/**
 * The reliable layer of one peer for one association: messages in and out, over packets that are lost, doubled, reordered and late.
 *
 *   send    -> Outgoing (queues, credit) -> next: Packing -> [sealed elsewhere] -> sent -> SentPackets -> ACK | lost -> Outgoing
 *   receive -> SentPackets (ACK), Incoming (reassembly, order, credit) -> take
 *
 * It does no I/O, has no keys and knows no path but the size of its packets. Whoever drives it calls after every input: `take`, then `next` until
 * it gives undefined; and `tick` at `nextAt`. Without a session to seal with, it is not driven at all.
 *
 * PATH_CHALLENGE and PATH_RESPONSE belong to no connection: a packet of these alone is neither counted, acknowledged nor sent from here.
 */
import { assert, MeshError } from '../../../core/errors.ts';
import type { CongestionController } from '../congestion/controller.ts';
import { Pacer } from '../congestion/pacer.ts';
import { Acks, type AckFrame } from '../recovery/acks.ts';
import { Rtt } from '../recovery/rtt.ts';
import { SentPackets, type SentPacket } from '../recovery/sent.ts';
import { frameSize, type ChannelMode, type Frame } from '../wire/frames.ts';
import { Closing } from './closing.ts';
import { MESSAGE_COST } from './flow.ts';
import { Incoming, type IncomingMessage } from './incoming.ts';
import type { ConnectionLimits } from './limits.ts';
import { Outgoing, type OutMessage } from './outgoing.ts';
import { isEliciting, isPathFrame, Packing, type ControlFrame, type Item } from './packing.ts';
import { Queue } from './queue.ts';
import type { CloseReason, ConnectionOptions, ConnectionOutput, OutgoingPacket } from './ports.ts';
import { VIOLATIONS, type Violation } from './violations.ts';

/** An orderly end stays to acknowledge what the peer sends again, for so many probe timeouts. */
const LINGER_TIMEOUTS = 3;
/** Answers to packets that come after the end: CLOSE again after a violation, ACKs after an orderly one. */
const GOODBYES_MAX = 64;
/** Until the first packet: what one of 1200 bytes has for frames. */
const ROOM_FIRST = 1_168;
/** What every packet has. */
const ROOM_MIN = 1_100;

export class Connection {
  private readonly options: ConnectionOptions;
  private readonly limits: ConnectionLimits;
  private readonly controller: CongestionController;
  private readonly acks = new Acks();
  private readonly closing = new Closing();
  private readonly incoming: Incoming;
  private readonly outgoing: Outgoing;
  private readonly controls = new Queue<{ readonly frame: ControlFrame; readonly isReliable: boolean }>();
  private readonly sentPackets: SentPackets<Item>;
  private rtt: Rtt;
  private pacer = new Pacer();
  private outputs: ConnectionOutput[] = [];
  /** Messages among them, whose credit goes back when they are taken. */
  private untaken: IncomingMessage[] = [];
  private now = 0;
  private state: 'open' | 'ended' = 'open';
  /** Built by `next`, and not yet reported as sent. */
  private pending: OutgoingPacket | undefined;
  /** There may be something to send; false once nothing was found. */
  private isReady = false;
  private pacedUntil = 0;
  private room = ROOM_FIRST;
  private probes = 0;
  /** MAX_DATA is to be told, MAX_MSGS of these channels. */
  private isDataDue = false;
  private readonly messagesDue = new Set<number>();
  /** Last ACK of something new, or the first packet in flight. */
  private progressAt = 0;
  private wasRefused = false;
  private goodbye: Frame | undefined;
  private goodbyes = 0;

  constructor(options: ConnectionOptions) {
    this.options = options;
    this.limits = options.limits;
    this.controller = options.controller;
    this.rtt = new Rtt(options.initialRttMs);
    this.incoming = new Incoming(options.limits, options.budget);
    this.outgoing = new Outgoing(options.limits);
    this.sentPackets = new SentPackets(this.rtt, () => {
      const bytes = options.random(4);
      return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32;
    });
  }

  /**
   * Queues a message and returns its number on the channel. Keeps `bytes`, which must not change until it is delivered.
   *
   * `mode`: 0 reliable in order, 1 reliable in any order, 2 unreliable; one a channel.
   * Throws: NET_BACKPRESSURE when the queue is full ('writable' follows), NET_CLOSED, NET_CHANNEL_REFUSED, PAYLOAD_TOO_LARGE. Nothing is kept then.
   */
  send(now: number, channel: string, bytes: Uint8Array, mode: ChannelMode = 0): number {
    this.now = now;
    if (this.state === 'ended' || this.closing.isBegun)
      throw new MeshError('NET_CLOSED', 'the association with this peer is closed');
    try {
      const number = this.outgoing.send(channel, bytes, mode);
      this.isReady = true;
      return number;
    } catch (error) {
      if (this.outgoing.queuedBytes + bytes.length > this.limits.queueBytesMax) this.wasRefused = true;
      throw error;
    }
  }

  /**
   * Queues a control frame. A reliable one is sent until it is acknowledged, and may arrive twice and in any order. Keeps its bytes.
   * Throws: NET_BACKPRESSURE, NET_CLOSED, PAYLOAD_TOO_LARGE above 1100 bytes.
   */
  control(now: number, frame: ControlFrame, isReliable = true): void {
    this.now = now;
    if (this.state === 'ended') throw new MeshError('NET_CLOSED', 'the association with this peer is closed');
    if (this.controls.length >= this.limits.controlsMax)
      throw new MeshError('NET_BACKPRESSURE', `${this.controls.length} control frames wait for this peer`);
    if (frameSize(frame) > ROOM_MIN) throw new MeshError('PAYLOAD_TOO_LARGE', `a control frame of ${frameSize(frame)} bytes`);
    this.controls.push({ frame, isReliable });
    this.isReady = true;
  }

  /** Orderly end: everything that was sent arrives before it. 'closed' follows, at the latest after `closeMs`. */
  close(now: number): void {
    this.now = now;
    if (this.state === 'ended') return;
    this.closing.begin(now + this.limits.closeMs);
    this.isReady = true;
  }

  /** Gives back what it holds, and tells nobody: its peer is forgotten. */
  dispose(): void {
    this.state = 'ended';
    this.outgoing.clear();
    this.incoming.reassembly.clear();
    this.outputs = [];
    this.isReady = false;
  }

  /** Probe timeouts in a row without an answer: the path may be dead. */
  get timeouts(): number {
    return this.sentPackets.timeouts;
  }

  /** Bytes on the wire that are not acknowledged. */
  get inFlight(): number {
    return this.sentPackets.inFlight;
  }

  /** ms; of the present path, or what was assumed before the first sample. */
  get rttMs(): number {
    return this.rtt.smoothed;
  }

  /** Messages that are queued or not acknowledged, in bytes, and what partial ones of the peer take. */
  get memory(): { readonly outgoing: number; readonly partial: number; readonly partials: number } {
    const { bytes, size } = this.incoming.reassembly;
    return { outgoing: this.outgoing.queuedBytes, partial: bytes, partials: size };
  }

  /**
   * Frames of an authenticated packet, each pn once. Never throws. Copies what it keeps.
   * False: it counts as lost, because there is no memory for it now, or the connection has ended.
   */
  receive(now: number, pn: number, frames: readonly Frame[], bytes: number): boolean {
    this.now = now;
    if (this.state === 'ended') return this.receiveAfterEnd(now, pn, frames);
    if (bytes > this.options.budget.bytesLeft && frames.some((f) => f.type === 'msg' && f.bytes.length < f.total)) return false;
    if (!frames.every(isPathFrame)) this.acks.onReceived(now, pn, frames.some(isEliciting));
    for (const frame of frames) {
      const violation = this.onFrame(now, frame);
      if (violation !== undefined) {
        this.fail(violation);
        return true;
      }
      if (this.hasEnded()) return true;
    }
    for (const message of this.incoming.take()) {
      const { channel, bytes } = message;
      this.outputs.push({ type: 'message', channel: channel.name, mode: channel.mode, bytes });
      if (channel.mode !== 2) this.untaken.push(message);
    }
    this.checkClosed(now);
    return true;
  }

  /**
   * The next packet, with frames of at most `room` bytes (1100 at least). Undefined: nothing is to be sent, or window and pacing forbid it now.
   * A packet that is not reported to `sent` before the next call was not sent: its frames come again.
   */
  next(now: number, room: number): OutgoingPacket | undefined {
    this.now = now;
    this.room = room;
    this.abandonPending();
    if (this.state === 'ended') return this.farewell();
    const ack = this.acks.frame(now);
    const mayPut = this.probes > 0 || (this.isReady && this.maySend(now));
    let packing = this.pack(now, room, ack, mayPut);
    // What fills a packet may find no room beside an ACK: it goes first then.
    if (mayPut && !packing.isEliciting && ack !== undefined) {
      const alone = this.pack(now, room, undefined, true);
      if (alone.isEliciting) packing = alone;
    }
    if (mayPut && !packing.isEliciting) this.onNothingToSend();
    if (this.probes > 0 && !packing.isEliciting) packing.put({ type: 'ping' });
    if (!packing.isEliciting && this.acks.dueAt > now) return undefined;
    if (!packing.isEliciting && this.acks.wantsPing) packing.put({ type: 'ping' });
    if (packing.frames.length === 0) return undefined;
    this.pending = packing;
    return packing;
  }

  /** The packet of the last `next` went out under `pn`. */
  sent(now: number, pn: number, packet: OutgoingPacket, bytesOnWire: number): void {
    this.now = now;
    assert(packet === this.pending, 'only the last packet can have been sent');
    this.pending = undefined;
    if (packet.items.some((item) => item.type === 'ack')) this.acks.onSent(!packet.isEliciting);
    if (!packet.isEliciting) {
      this.sentPackets.onUnwatched(pn);
      return;
    }
    if (this.sentPackets.size === 0) this.progressAt = now;
    this.controller.onSent(now, bytesOnWire, this.sentPackets.inFlight);
    this.sentPackets.onSent(now, pn, bytesOnWire, packet.items);
    this.pacer.onSent(bytesOnWire);
    this.probes = Math.max(0, this.probes - 1);
  }

  /** `pn` was used for a packet that is not of this connection. Without this an ACK of it would count as a lie. */
  skip(pn: number): void {
    this.sentPackets.onUnwatched(pn);
  }

  /** What came of the inputs, in order. Handing over a message gives the peer credit for another. */
  take(): readonly ConnectionOutput[] {
    const { outputs, untaken } = this;
    this.outputs = [];
    this.untaken = [];
    for (const { channel, bytes } of untaken) {
      if (this.incoming.credit.release(this.now, bytes.length + MESSAGE_COST, this.rtt.smoothed)) this.isDataDue = true;
      if (channel.credit.release(this.now, 1, this.rtt.smoothed)) this.messagesDue.add(channel.id);
    }
    if (this.isDataDue || this.messagesDue.size > 0) this.isReady = true;
    return outputs;
  }

  /** When `tick` and `next` are to be called: at once, if it lies in the past. */
  nextAt(): number {
    if (this.state === 'ended') return this.isReady ? 0 : this.acks.dueAt;
    if (this.probes > 0) return 0;
    const mayGo = this.isReady && this.hasWindow();
    return Math.min(
      mayGo ? this.pacedUntil : Infinity,
      this.acks.dueAt,
      this.sentPackets.nextAt(),
      this.incoming.reassembly.nextAt(),
      this.sentPackets.size > 0 ? this.progressAt + this.limits.silenceMs : Infinity,
      this.outgoing.waitsSince + this.limits.stalledMs,
      this.closing.nextAt(),
    );
  }

  tick(now: number): void {
    this.now = now;
    if (this.state === 'ended') return;
    if (this.sentPackets.size > 0 && this.progressAt + this.limits.silenceMs <= now) return this.end('silence', 0, false);
    const idle = this.incoming.reassembly.tick(now);
    if (idle !== undefined) return this.fail(idle);
    const { lost, isPersistent, probes } = this.sentPackets.onTimeout(now);
    this.onLost(now, lost, isPersistent);
    if (probes > 0) this.probe(probes);
    if (this.outgoing.waitsSince + this.limits.stalledMs <= now)
      for (const message of this.outgoing.giveUp(now - this.limits.stalledMs)) this.tell('undelivered', message);
    this.checkClosed(now);
    if (this.closing.isOver(now)) this.end(this.closing.isDone ? 'closed' : 'close_timeout', 0, this.outgoing.isEmpty);
  }

  /** Packets go another way now: RTT and congestion start anew, and what is in flight is sent again. `rttMs`: as far as it is known. */
  pathChanged(now: number, rttMs = this.options.initialRttMs): void {
    this.now = now;
    if (this.state === 'ended') return;
    this.rtt = new Rtt(rttMs);
    this.controller.reset();
    this.pacer = new Pacer();
    this.pacedUntil = 0;
    for (const packet of this.sentPackets.restart(this.rtt)) for (const item of packet.items) this.dueAgain(item);
    this.isReady = true;
  }

  private onFrame(now: number, frame: Frame): Violation | undefined {
    switch (frame.type) {
      case 'ack':
        return this.onAck(now, frame);
      case 'ping':
        return undefined;
      case 'msg':
        return this.incoming.message(now, frame);
      case 'max_data':
        this.outgoing.onMaxData(frame.bytes);
        this.isReady = true;
        return undefined;
      case 'max_msgs':
        this.isReady = true;
        return this.outgoing.onMaxMessages(frame.channel, frame.count) ? undefined : 'channel_unknown';
      case 'reset_channel':
        return this.incoming.reset(now, frame.channel, frame.seq, this.rtt.smoothed);
      case 'close':
        return this.onClose(now, frame.code, frame.finals);
      case 'open_channel':
        return this.incoming.open(frame.channel, frame.mode, frame.name);
      case 'path_challenge':
      case 'path_response':
        this.outputs.push({ type: 'path', frame });
        return undefined;
      case 'control':
        this.outputs.push({ type: 'control', frame });
        return undefined;
    }
  }

  private onAck(now: number, frame: AckFrame): Violation | undefined {
    const outcome = this.sentPackets.onAck(now, frame.ranges, frame.delayUs / 1_000);
    if (outcome === 'unsent') return 'ack_of_unsent';
    const { acked, late, lost, isPersistent, inFlightBefore, rttMs, rate } = outcome;
    for (const packet of [...late, ...acked]) for (const item of packet.items) this.settle(item);
    const newest = acked.at(-1);
    if (newest !== undefined) {
      this.progressAt = now;
      this.probes = 0;
      this.controller.onAcked(now, {
        bytes: acked.reduce((sum, packet) => sum + packet.bytes, 0),
        inFlightBefore,
        inFlight: this.sentPackets.inFlight,
        sentAt: newest.sentAt,
        rttMs,
        smoothedRttMs: this.rtt.smoothed,
        delivered: this.sentPackets.rate.delivered,
        deliveredThen: newest.stamp.delivered,
        rate,
      });
    }
    this.onLost(now, lost, isPersistent);
    this.isReady = true;
    if (this.wasRefused && this.outgoing.queuedBytes * 2 <= this.limits.queueBytesMax) {
      this.wasRefused = false;
      this.outputs.push({ type: 'writable' });
    }
    return undefined;
  }

  private onLost(now: number, lost: readonly SentPacket<Item>[], isPersistent: boolean): void {
    const newest = lost.at(-1);
    if (newest === undefined) return;
    for (const packet of lost) for (const item of packet.items) this.dueAgain(item);
    const bytes = lost.reduce((sum, packet) => sum + packet.bytes, 0);
    this.controller.onLost(now, { bytes, inFlight: this.sentPackets.inFlight, sentAt: newest.sentAt, isPersistent });
    this.isReady = true;
  }

  private settle(item: Item): void {
    switch (item.type) {
      case 'message': {
        const message = this.outgoing.onAcked(item);
        if (message !== undefined) this.tell('delivered', message);
        break;
      }
      case 'open':
        item.channel.isOpen = true;
        break;
      case 'ack':
        this.acks.onAcked(item.largest);
        break;
      case 'close':
        this.closing.onAcked();
        break;
      case 'max_data':
      case 'max_msgs':
      case 'control':
        break;
    }
  }

  private dueAgain(item: Item): void {
    switch (item.type) {
      case 'message':
        this.outgoing.onLost(item);
        break;
      case 'max_data':
        this.isDataDue = true;
        break;
      case 'max_msgs':
        this.messagesDue.add(item.channel);
        break;
      case 'close':
        this.closing.onLost();
        break;
      case 'control':
        this.controls.push({ frame: item.frame, isReliable: true });
        break;
      case 'open':
      case 'ack':
        // The name goes with every message until it is acknowledged; the next ACK tells all.
        break;
    }
  }

  private pack(now: number, room: number, ack: AckFrame | undefined, mayPut: boolean): Packing {
    const packing = new Packing(room);
    if (ack !== undefined) packing.put(ack, { type: 'ack', largest: ack.largest });
    if (!mayPut) return packing;
    this.putDue(packing);
    this.outgoing.fill(now, packing);
    return packing;
  }

  /** Everything but messages. */
  private putDue(packing: Packing): void {
    if (this.isDataDue && packing.put({ type: 'max_data', bytes: this.incoming.credit.limit }, { type: 'max_data' }))
      this.isDataDue = false;
    for (const id of this.messagesDue) {
      const count = this.incoming.channel(id)?.credit.limit;
      if (count === undefined || packing.put({ type: 'max_msgs', channel: id, count }, { type: 'max_msgs', channel: id }))
        this.messagesDue.delete(id);
    }
    for (let next = this.controls.first; next !== undefined; next = this.controls.first) {
      if (!packing.put(next.frame, next.isReliable ? { type: 'control', frame: next.frame } : undefined)) break;
      this.controls.shift();
    }
    if (this.closing.isBegun) this.closing.put(this.outgoing, packing);
  }

  private onNothingToSend(): void {
    this.isReady = false;
    this.sentPackets.rate.onAppLimited(this.sentPackets.inFlight);
  }

  private maySend(now: number): boolean {
    if (!this.hasWindow()) return false;
    this.pacedUntil = this.pacer.readyAt(now, this.room, this.controller.pacingRate);
    return this.pacedUntil <= now;
  }

  private hasWindow(): boolean {
    const { inFlight } = this.sentPackets;
    return inFlight === 0 || inFlight + this.room <= this.controller.window;
  }

  /** What is oldest goes again, though nothing says that it is lost; the next ACK will tell. */
  private probe(count: number): void {
    this.probes = count;
    for (const packet of this.sentPackets.oldest(count)) for (const item of packet.items) this.dueAgain(item);
    this.isReady = true;
  }

  private abandonPending(): void {
    const { pending } = this;
    this.pending = undefined;
    for (const item of pending?.items ?? []) this.dueAgain(item);
    if (pending?.isEliciting === true) this.isReady = true;
  }

  private onClose(
    now: number,
    code: number,
    finals: readonly (readonly [channel: number, seq: number])[],
  ): Violation | undefined {
    if (code !== 0) {
      this.end('peer', code, false);
      return undefined;
    }
    this.close(now);
    return this.incoming.close(finals);
  }

  /** Both sides have all: stay a while for what the peer sends again. */
  private checkClosed(now: number): void {
    if (this.hasEnded() || !this.closing.isAcked || !this.outgoing.isEmpty || !this.incoming.isComplete) return;
    this.closing.linger(now + LINGER_TIMEOUTS * this.rtt.probeTimeout());
  }

  private fail(violation: Violation): void {
    const code = VIOLATIONS[violation];
    this.goodbye = { type: 'close', code, finals: [] };
    this.end(violation, code, false);
    this.isReady = true;
  }

  private end(reason: CloseReason, code: number, isClean: boolean): void {
    this.state = 'ended';
    if (reason !== 'closed') this.acks.onSent(true);
    this.isReady = false;
    this.outgoing.clear();
    this.incoming.reassembly.clear();
    this.outputs.push({ type: 'closed', reason, code, isClean });
  }

  /** Who ended in order may be the only one who knows: the peer is told that its CLOSE came. Nothing else counts any more. */
  private receiveAfterEnd(now: number, pn: number, frames: readonly Frame[]): false {
    if (this.goodbyes >= GOODBYES_MAX) return false;
    if (this.goodbye !== undefined) this.isReady = true;
    else if (this.closing.isDone) this.acks.onReceived(now, pn, frames.some(isEliciting));
    return false;
  }

  private farewell(): OutgoingPacket | undefined {
    const frame = this.isReady ? this.goodbye : this.acks.frame(this.now);
    if (frame === undefined) return undefined;
    this.isReady = false;
    this.goodbyes++;
    this.acks.onSent(true);
    this.pending = { frames: [frame], items: [], isEliciting: false };
    return this.pending;
  }

  private hasEnded(): boolean {
    return this.state === 'ended';
  }

  private tell(type: 'delivered' | 'undelivered', message: OutMessage): void {
    this.outputs.push({ type, channel: message.channel.name, message: message.number });
  }
}
