/** Packets on their way to the peer, and when the next may follow: loss recovery, congestion, pacing and probes of the present path. */
import type { CongestionController } from '../congestion/controller.ts';
import { Pacer } from '../congestion/pacer.ts';
import type { AckFrame } from '../recovery/acks.ts';
import { Rtt } from '../recovery/rtt.ts';
import { SentPackets, type SentPacket } from '../recovery/sent.ts';
import type { Item } from './packing.ts';
import type { ConnectionOptions } from './ports.ts';

/** What came of an ACK or of the time: items to settle, and items that are due again. */
export interface FlightOutcome {
  readonly settled: readonly Item[];
  readonly again: readonly Item[];
  /** Of what is oldest in flight: nothing says that it is lost, and it may go again as a probe. */
  readonly oldest: readonly Item[];
}

export class Flight {
  /** Probes that are to be sent, whatever window and pace say. */
  probes = 0;
  /** Before this the pace allows nothing. */
  pacedUntil = 0;
  private readonly controller: CongestionController;
  private readonly packets: SentPackets<Item>;
  private rtt: Rtt;
  private pacer = new Pacer();

  constructor({ controller, random, initialRttMs }: ConnectionOptions) {
    this.controller = controller;
    this.rtt = new Rtt(initialRttMs);
    this.packets = new SentPackets(this.rtt, () => {
      const bytes = random(4);
      return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32;
    });
  }

  /** Probe timeouts in a row without an answer. */
  get timeouts(): number {
    return this.packets.timeouts;
  }

  /** Bytes on the wire that are not acknowledged. */
  get inFlight(): number {
    return this.packets.inFlight;
  }

  /** ms */
  get rttMs(): number {
    return this.rtt.smoothed;
  }

  /** ms */
  get probeTimeoutMs(): number {
    return this.rtt.probeTimeout();
  }

  /** Since when nothing that is in flight was acknowledged; Infinity: nothing is. */
  get silentSince(): number {
    return this.packets.size > 0 ? this.packets.progressAt : Infinity;
  }

  /** Whether a packet of `room` bytes may go now, by window and pace. */
  maySend(now: number, room: number): boolean {
    if (!this.hasWindow(room)) return false;
    this.pacedUntil = this.pacer.readyAt(now, room, this.controller.pacingRate);
    return this.pacedUntil <= now;
  }

  hasWindow(room: number): boolean {
    return this.inFlight === 0 || this.inFlight + room <= this.controller.window;
  }

  /** A packet that asks for an ACK went out; `bytes`: on the wire. */
  onSent(now: number, pn: number, bytes: number, items: readonly Item[]): void {
    this.controller.onSent(now, bytes, this.inFlight);
    this.packets.onSent(now, pn, bytes, items);
    this.pacer.onSent(bytes);
    this.probes = Math.max(0, this.probes - 1);
  }

  /** `pn` went into a packet that asks for no ACK, or is not of this connection. */
  onUnwatched(pn: number): void {
    this.packets.onUnwatched(pn);
  }

  /** A packet of the peer came. */
  onHeard(): void {
    this.packets.onHeard();
  }

  /** There was less to send than could have been. */
  onDry(): void {
    this.packets.rate.onAppLimited(this.inFlight);
  }

  /** 'unsent': the peer acknowledges what was never sent. */
  onAck(now: number, frame: AckFrame): FlightOutcome | 'unsent' {
    const outcome = this.packets.onAck(now, frame.ranges, frame.delayUs / 1_000);
    if (outcome === 'unsent') return 'unsent';
    const { acked, late, lost, isPersistent, inFlightBefore, rttMs, rate } = outcome;
    const newest = acked.at(-1);
    if (newest !== undefined) {
      this.probes = 0;
      this.controller.onAcked(now, {
        bytes: acked.reduce((sum, packet) => sum + packet.bytes, 0),
        inFlightBefore,
        inFlight: this.inFlight,
        sentAt: newest.sentAt,
        rttMs,
        smoothedRttMs: this.rtt.smoothed,
        delivered: this.packets.rate.delivered,
        deliveredThen: newest.stamp.delivered,
        rate,
      });
    }
    const settled = late.length === 0 ? itemsOf(acked) : itemsOf([...late, ...acked]);
    return { settled, again: this.onLost(now, lost, isPersistent), oldest: [] };
  }

  /** Undefined: it was not time. */
  onTimeout(now: number): FlightOutcome | undefined {
    const { lost, isPersistent, probes } = this.packets.onTimeout(now);
    if (lost.length === 0 && probes === 0) return undefined;
    const again = this.onLost(now, lost, isPersistent);
    if (probes > 0) this.probes = probes;
    return { settled: [], again, oldest: itemsOf(probes > 0 ? this.packets.oldest(probes) : []) };
  }

  /** Another path: RTT and congestion start anew. Gives all that was in flight. */
  restart(rttMs: number): readonly Item[] {
    this.rtt = new Rtt(rttMs);
    this.controller.reset();
    this.pacer = new Pacer();
    this.pacedUntil = 0;
    return itemsOf(this.packets.restart(this.rtt));
  }

  /** When `onTimeout` is to be called. */
  nextAt(): number {
    return this.packets.nextAt();
  }

  private onLost(now: number, lost: readonly SentPacket<Item>[], isPersistent: boolean): readonly Item[] {
    const newest = lost.at(-1);
    if (newest === undefined) return [];
    const bytes = lost.reduce((sum, packet) => sum + packet.bytes, 0);
    this.controller.onLost(now, { bytes, inFlight: this.inFlight, sentAt: newest.sentAt, isPersistent });
    return itemsOf(lost);
  }
}

const itemsOf = (packets: readonly SentPacket<Item>[]): readonly Item[] =>
  packets.length === 1 ? (packets[0] as SentPacket<Item>).items : packets.flatMap(({ items }) => items);
