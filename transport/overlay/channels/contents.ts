/** What goes into packets but ACKs, in the order of its urgency, and what becomes of it when a packet was acknowledged or lost. */
import { MeshError } from '../../../core/errors.ts';
import type { AckFrame, Acks } from '../recovery/acks.ts';
import { frameSize } from '../wire/frames.ts';
import { Closing } from './closing.ts';
import { Incoming } from './incoming.ts';
import type { KeptBudget } from './kept.ts';
import type { ConnectionLimits } from './limits.ts';
import type { OutMessage } from './out-channel.ts';
import { Outgoing } from './outgoing.ts';
import { Packing, type ControlFrame, type Item } from './packing.ts';
import { Queue } from './queue.ts';

/** What every packet has room for. */
export const ROOM_MIN = 1_100;

export class Contents {
  readonly incoming: Incoming;
  readonly outgoing: Outgoing;
  readonly closing = new Closing();
  private readonly acks: Acks;
  private readonly controlsMax: number;
  private controls = new Queue<{ readonly frame: ControlFrame; readonly isReliable: boolean }>();

  constructor(limits: ConnectionLimits, budget: KeptBudget, acks: Acks) {
    this.incoming = new Incoming(limits, budget);
    this.outgoing = new Outgoing(limits);
    this.acks = acks;
    this.controlsMax = limits.controlsMax;
  }

  /** Throws: NET_BACKPRESSURE, PAYLOAD_TOO_LARGE. */
  control(frame: ControlFrame, isReliable: boolean): void {
    if (this.controls.length >= this.controlsMax)
      throw new MeshError('NET_BACKPRESSURE', `${this.controls.length} control frames wait for this peer`);
    if (frameSize(frame) > ROOM_MIN) throw new MeshError('PAYLOAD_TOO_LARGE', `a control frame of ${frameSize(frame)} bytes`);
    this.controls.push({ frame, isReliable });
  }

  /** A packet with `room` bytes of frames: the ACK, if there is one, and what fits behind it, if anything may be put. */
  pack(now: number, room: number, ack: AckFrame | undefined, mayPut: boolean): Packing {
    const packing = new Packing(room);
    if (ack !== undefined) packing.put(ack, { type: 'ack', largest: ack.largest });
    if (!mayPut) return packing;
    this.incoming.putCredit(packing);
    for (let next = this.controls.first; next !== undefined; next = this.controls.first) {
      if (!packing.put(next.frame, next.isReliable ? { type: 'control', frame: next.frame } : undefined)) break;
      this.controls.shift();
    }
    if (this.closing.isBegun) this.closing.put(this.outgoing, packing);
    this.outgoing.fill(now, packing);
    return packing;
  }

  /** It was acknowledged. Gives the messages that are delivered by that. */
  settle(item: Item): readonly OutMessage[] {
    switch (item.type) {
      case 'message':
        return this.outgoing.onAcked(item);
      case 'open':
        item.channel.isOpen = true;
        return [];
      case 'reset':
        return this.outgoing.onResetAcked(item);
      case 'ack':
        this.acks.onAcked(item.largest);
        return [];
      case 'close':
        this.closing.onAcked();
        return [];
      case 'max_data':
      case 'max_msgs':
      case 'control':
        return [];
    }
  }

  /** Messages or control frames wait that were sent before, or control frames that were not. */
  get isDueAgain(): boolean {
    return this.outgoing.isDueAgain || this.controls.length > 0;
  }

  /** It was lost, or goes again to be sure. */
  dueAgain(item: Item): void {
    switch (item.type) {
      case 'message':
        this.outgoing.onLost(item);
        break;
      case 'reset':
        this.outgoing.onResetLost(item);
        break;
      case 'max_data':
      case 'max_msgs':
        this.incoming.creditLost(item);
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

  /** Nothing is kept any more. */
  clear(): void {
    this.controls = new Queue();
    this.outgoing.clear();
    this.incoming.clear();
  }
}
