/**
 * The reliable layer of one peer for one association: messages in and out, over packets that are lost, doubled, reordered and late.
 *
 *   send    -> Outgoing (queues, credit) -> next: Packing -> [sealed elsewhere] -> sent -> Flight -> ACK | lost -> Outgoing
 *   receive -> Flight (ACK), Incoming (reassembly, order, credit) -> take
 *
 * It does no I/O, has no keys and knows no path but the size of its packets. Whoever drives it calls after every input: `take`, then `next` until
 * it gives undefined; and `tick` at `nextAt`. Without a session to seal with, it is not driven at all.
 *
 * PATH_CHALLENGE and PATH_RESPONSE belong to no connection: a packet of these alone is neither counted, acknowledged nor sent from here.
 */
import { assert, isMeshError, MeshError } from '../../../core/errors.ts';
import { Acks, type AckFrame } from '../recovery/acks.ts';
import type { ChannelMode, Frame } from '../wire/frames.ts';
import { Contents } from './contents.ts';
import { Flight, type FlightOutcome } from './flight.ts';
import type { IncomingMessage } from './incoming.ts';
import type { ConnectionLimits } from './limits.ts';
import type { OutMessage } from './out-channel.ts';
import { isEliciting, isPathFrame, type ControlFrame } from './packing.ts';
import type { CloseReason, ConnectionOptions, ConnectionOutput, OutgoingPacket } from './ports.ts';
import { EXPELLED, VIOLATIONS, type Violation } from './violations.ts';

/** An orderly end stays to acknowledge what the peer sends again, for so many probe timeouts. */
const LINGER_TIMEOUTS = 3;
/** Answers to packets that come after the end: CLOSE again after a violation, ACKs after an orderly one. */
const GOODBYES_MAX = 64;
/** Until the first packet: what one of 1200 bytes has for frames. */
const ROOM_FIRST = 1_168;

export class Connection {
  private readonly options: ConnectionOptions;
  private readonly limits: ConnectionLimits;
  private readonly acks = new Acks();
  private readonly contents: Contents;
  private readonly flight: Flight;
  private outputs: ConnectionOutput[] = [];
  /** Messages among them, whose credit goes back when they are taken. */
  private untaken: IncomingMessage[] = [];
  private now = 0;
  private state: 'open' | 'ended' = 'open';
  /** Built by `next`, and not yet reported as sent. */
  private pending: OutgoingPacket | undefined;
  /** There may be something to send; false once nothing was found. */
  private isReady = false;
  private room = ROOM_FIRST;
  private wasRefused = false;
  private goodbye: Frame | undefined;
  private goodbyes = 0;

  constructor(options: ConnectionOptions) {
    this.options = options;
    this.limits = options.limits;
    this.contents = new Contents(options.limits, options.budget, this.acks);
    this.flight = new Flight(options);
  }

  /**
   * Queues a message and returns its number on the channel. Keeps `bytes`, which must not change until it is delivered.
   *
   * `mode`: 0 reliable in order, 1 reliable in any order, 2 unreliable; one a channel.
   * Throws: NET_BACKPRESSURE when the queue is full ('writable' follows), NET_CLOSED, NET_CHANNEL_REFUSED, PAYLOAD_TOO_LARGE. Nothing is kept then.
   */
  send(now: number, channel: string, bytes: Uint8Array, mode: ChannelMode = 0): number {
    this.now = now;
    if (this.state === 'ended' || this.contents.closing.isBegun)
      throw new MeshError('NET_CLOSED', 'the association with this peer is closed');
    try {
      const number = this.contents.outgoing.send(channel, bytes, mode);
      this.isReady = true;
      return number;
    } catch (error) {
      if (isMeshError(error, 'NET_BACKPRESSURE')) this.wasRefused = true;
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
    this.contents.control(frame, isReliable);
    this.isReady = true;
  }

  /**
   * Gives up what was sent on a channel and is not acknowledged: 'undelivered' follows for each, though the peer may have it. Messages that are sent
   * on the channel later arrive after those that have arrived.
   */
  reset(now: number, channel: string): void {
    this.now = now;
    if (this.state === 'ended') return;
    for (const message of this.contents.outgoing.reset(channel)) this.tell('undelivered', message);
    this.isReady = true;
    this.tellWritable();
  }

  /** Orderly end: everything that was sent arrives before it. 'closed' follows, at the latest after `closeMs`. */
  close(now: number): void {
    this.now = now;
    if (this.state === 'ended') return;
    this.contents.closing.begin(now + this.limits.closeMs);
    this.isReady = true;
  }

  /**
   * Gives up all that waits, and queues these instead: for a peer that is let in no more, before `expel`. False: there is nothing to be sent, or
   * they are not taken.
   */
  sendLast(now: number, channel: string, messages: readonly Uint8Array[]): boolean {
    this.now = now;
    if (this.state === 'ended' || messages.length === 0) return false;
    this.abandonPending();
    this.contents.clear();
    try {
      for (const bytes of messages) this.contents.outgoing.send(channel, bytes, 0);
    } catch (error) {
      if (!(error instanceof MeshError)) throw error;
      return false;
    }
    this.isReady = true;
    return true;
  }

  /** Ends at once: the peer is let in no more. The next packet tells it. */
  expel(now: number): void {
    this.now = now;
    if (this.state === 'open') this.dismiss('expelled', EXPELLED);
  }

  /** Gives back what it holds, and tells nobody: its peer is forgotten. */
  dispose(): void {
    this.state = 'ended';
    this.contents.clear();
    this.outputs = [];
    this.isReady = false;
  }

  /** What would have to be kept beyond so many bytes, of fragments and of messages behind a missing one, counts as lost. */
  limitKept(bytesMax: number): void {
    this.contents.incoming.kept.bytesMax = bytesMax;
  }

  /** Probe timeouts in a row without an answer: the path may be dead. */
  get timeouts(): number {
    return this.flight.timeouts;
  }

  /** Bytes on the wire that are not acknowledged. */
  get inFlight(): number {
    return this.flight.inFlight;
  }

  /** ms; of the present path, or what was assumed before the first sample. */
  get rttMs(): number {
    return this.flight.rttMs;
  }

  /** Messages that are queued or not acknowledged, in bytes; what is kept of the peer's (`Kept`), in bytes; and how many of these are partial. */
  get memory(): { readonly outgoing: number; readonly kept: number; readonly partials: number } {
    const { kept, reassembly } = this.contents.incoming;
    return { outgoing: this.contents.outgoing.queuedBytes, kept: kept.bytes, partials: reassembly.size };
  }

  /**
   * Frames of an authenticated packet, each pn once; undefined: they cannot be read, which ends it. Never throws. Copies what it keeps.
   * False: it counts as lost, because a message of it cannot be kept now (`Kept.fits`), or the connection has ended. In the first case all else of it
   * counts: what others wait for must get in, even if they have taken all there is. It comes again with what was not taken, and does no harm.
   */
  receive(now: number, pn: number, frames: readonly Frame[] | undefined): boolean {
    this.now = now;
    if (this.state === 'ended') return this.receiveAfterEnd(now, pn, frames ?? []);
    if (frames === undefined) {
      this.fail('malformed');
      return true;
    }
    this.flight.onHeard();
    let isTaken = true;
    for (const frame of frames) {
      const fault = this.onFrame(now, frame);
      if (fault === 'no_room') isTaken = false;
      else if (fault !== undefined) {
        this.fail(fault);
        return true;
      }
      if (this.hasEnded()) return true;
    }
    if (isTaken && !frames.every(isPathFrame)) this.acks.onReceived(now, pn, frames.some(isEliciting));
    for (const message of this.contents.incoming.take()) {
      const { channel, bytes } = message;
      this.outputs.push({ type: 'message', channel: channel.name, mode: channel.mode, bytes });
      if (channel.mode !== 2) this.untaken.push(message);
    }
    this.checkClosed(now);
    return isTaken;
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
    // The last of many probes is a PING alone: the peer may have no room for what is oldest, and by the answer all else is known to be due again.
    const isPing = this.flight.probes === 1 && this.flight.timeouts > 1;
    const mayPut = !isPing && (this.flight.probes > 0 || (this.isReady && this.flight.maySend(now, room)));
    let packing = this.contents.pack(now, room, ack, mayPut);
    // What fills a packet may find no room beside an ACK: it goes first then.
    if (mayPut && !packing.isEliciting && ack !== undefined) {
      const alone = this.contents.pack(now, room, undefined, true);
      if (alone.isEliciting) packing = alone;
    }
    if (mayPut && !packing.isEliciting) {
      this.isReady = false;
      this.flight.onDry();
    }
    if (this.flight.probes > 0 && !packing.isEliciting) packing.put({ type: 'ping' });
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
    if (packet.isEliciting) this.flight.onSent(now, pn, bytesOnWire, packet.items);
    else this.flight.onUnwatched(pn);
  }

  /** `pn` was used for a packet that is not of this connection. Without this an ACK of it would count as a lie. */
  skip(pn: number): void {
    this.flight.onUnwatched(pn);
  }

  /** What came of the inputs, in order. Handing over a message gives the peer credit for another. */
  take(): readonly ConnectionOutput[] {
    const { outputs, untaken } = this;
    this.outputs = [];
    this.untaken = [];
    for (const message of untaken) this.contents.incoming.handedOver(this.now, message, this.flight.rttMs);
    if (this.contents.incoming.isCreditDue) this.isReady = true;
    return outputs;
  }

  /** When `tick` and `next` are to be called: at once, if it lies in the past. */
  nextAt(): number {
    if (this.state === 'ended') return this.isReady ? 0 : this.acks.dueAt;
    if (this.flight.probes > 0) return 0;
    const mayGo = this.isReady && this.flight.hasWindow(this.room);
    return Math.min(
      mayGo ? this.flight.pacedUntil : Infinity,
      this.acks.dueAt,
      this.flight.nextAt(),
      this.contents.incoming.reassembly.nextAt(),
      this.flight.silentSince + this.limits.silenceMs,
      this.contents.outgoing.waitsSince + this.limits.stalledMs,
      this.contents.closing.nextAt(),
    );
  }

  tick(now: number): void {
    this.now = now;
    if (this.state === 'ended') return;
    if (this.flight.silentSince + this.limits.silenceMs <= now) return this.end('silence', 0, false);
    const idle = this.contents.incoming.reassembly.tick(now);
    if (idle !== undefined) return this.fail(idle);
    const outcome = this.flight.onTimeout(now);
    if (outcome !== undefined) this.onOutcome(outcome);
    const { waitsSince } = this.contents.outgoing;
    // Not `now` less the limit: rounding might make it earlier than what it was computed from, and nobody would be told.
    if (waitsSince + this.limits.stalledMs <= now) {
      for (const message of this.contents.outgoing.giveUp(waitsSince)) this.tell('undelivered', message);
      this.tellWritable();
    }
    this.checkClosed(now);
    if (this.contents.closing.isOver(now))
      this.end(this.contents.closing.isDone ? 'closed' : 'close_timeout', 0, this.contents.outgoing.isEmpty);
  }

  /** Packets go another way now: RTT and congestion start anew, and what is in flight is sent again. `rttMs`: as far as it is known. */
  pathChanged(now: number, rttMs = this.options.initialRttMs): void {
    this.now = now;
    if (this.state === 'ended') return;
    for (const item of this.flight.restart(rttMs)) this.contents.dueAgain(item);
    this.isReady = true;
  }

  private onFrame(now: number, frame: Frame): Violation | 'no_room' | undefined {
    switch (frame.type) {
      case 'ack':
        return this.onAck(now, frame);
      case 'ping':
        return undefined;
      case 'msg':
        return this.contents.incoming.message(now, frame);
      case 'max_data':
        this.contents.outgoing.onMaxData(frame.bytes);
        this.isReady = true;
        return undefined;
      case 'max_msgs':
        this.isReady = true;
        return this.contents.outgoing.onMaxMessages(frame.channel, frame.count) ? undefined : 'channel_unknown';
      case 'reset_channel':
        return this.contents.incoming.reset(now, frame.channel, frame.seq, frame.bytes, this.flight.rttMs);
      case 'close':
        return this.onClose(now, frame.code, frame.finals);
      case 'open_channel':
        return this.contents.incoming.open(frame.channel, frame.mode, frame.name);
      case 'path_challenge':
      case 'path_response':
        // Of whoever chooses paths, who has taken them out.
        return undefined;
      case 'control':
        this.outputs.push({ type: 'control', frame });
        return undefined;
    }
  }

  private onAck(now: number, frame: AckFrame): Violation | undefined {
    const outcome = this.flight.onAck(now, frame);
    if (outcome === 'unsent') return 'ack_of_unsent';
    this.onOutcome(outcome);
    this.tellWritable();
    return undefined;
  }

  private onOutcome({ settled, again, oldest }: FlightOutcome): void {
    for (const item of settled) for (const message of this.contents.settle(item)) this.tell('delivered', message);
    for (const item of again) this.contents.dueAgain(item);
    // Where something is due again, that is the probe. Else each probe would make one copy more for a peer that never acknowledges it.
    if (!this.contents.isDueAgain) for (const item of oldest) this.contents.dueAgain(item);
    this.isReady = true;
  }

  private abandonPending(): void {
    const { pending } = this;
    this.pending = undefined;
    for (const item of pending?.items ?? []) this.contents.dueAgain(item);
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
    return this.contents.incoming.close(finals);
  }

  /** Both sides have all: stay a while for what the peer sends again. */
  private checkClosed(now: number): void {
    if (
      this.hasEnded() ||
      !this.contents.closing.isAcked ||
      !this.contents.outgoing.isEmpty ||
      !this.contents.incoming.isComplete
    )
      return;
    this.contents.closing.linger(now + LINGER_TIMEOUTS * this.flight.probeTimeoutMs);
  }

  private fail(violation: Violation): void {
    this.dismiss(violation, VIOLATIONS[violation]);
  }

  /** Ends, and tells the peer why. */
  private dismiss(reason: CloseReason, code: number): void {
    this.goodbye = { type: 'close', code, finals: [] };
    this.end(reason, code, false);
    this.isReady = true;
  }

  private end(reason: CloseReason, code: number, isClean: boolean): void {
    this.state = 'ended';
    if (reason !== 'closed') this.acks.onSent(true);
    this.isReady = false;
    this.contents.clear();
    this.outputs.push({ type: 'closed', reason, code, isClean });
  }

  /** Who ended in order may be the only one who knows: the peer is told that its CLOSE came. Nothing else counts any more. */
  private receiveAfterEnd(now: number, pn: number, frames: readonly Frame[]): false {
    if (this.goodbyes >= GOODBYES_MAX) return false;
    if (this.goodbye !== undefined) this.isReady = true;
    else if (this.contents.closing.isDone) this.acks.onReceived(now, pn, frames.some(isEliciting));
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

  private tellWritable(): void {
    if (!this.wasRefused || this.contents.outgoing.queuedBytes * 2 > this.limits.queueBytesMax) return;
    this.wasRefused = false;
    this.outputs.push({ type: 'writable' });
  }

  private tell(type: 'delivered' | 'undelivered', message: OutMessage): void {
    this.outputs.push({ type, channel: message.channel.name, message: message.number });
  }
}
