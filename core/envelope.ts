/** An event as it travels between actors. */
import type { Address, EffectId, Shard } from './address.ts';
import type { EventObject, Lane } from './effect.ts';

/** W3C trace context. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

export interface Envelope {
  /** Id of the effect that sent it; from outside, the client's id. */
  readonly id: EffectId;
  /** From outside, and the client brought no id: this node made it. */
  readonly made?: true;
  readonly from: Address;
  readonly to: Address;
  readonly lane: Lane;
  /** Shard of the receiver, and of the sender (where the cursor report goes). */
  readonly shard: Shard;
  readonly fromShard: Shard;
  /** Position of the sender's previous send of this (from, to, lane) that is not acknowledged; -1: none. */
  readonly after: number;
  /** `ts` of the record that made the send, ms; a re-send never renews it. */
  readonly ts: number;
  /** Milliseconds left until the deadline; at most 0: expired. */
  readonly remaining?: number;
  /** That deadline by the clock of the node that has it, ms since 1970: set when it arrives, so that its wait there counts. */
  readonly until?: number;
  /** The sender gave it up: taken only as a dead letter. */
  readonly void?: true;
  /** The effect of the receiver that this answers. */
  readonly via?: EffectId;
  /** Effects whose ask waits for this, outermost first: how ask cycles are found. */
  readonly chain?: readonly Address[];
  readonly trace?: TraceContext;
  readonly event: EventObject;
}

/** What a receiver's durable log says about one sender and lane. */
export interface CursorReport {
  readonly from: Address;
  readonly to: Address;
  readonly lane: Lane;
  /** Shard of the sender, where the report goes. */
  readonly shard: Shard;
  /** Position of the last envelope that is taken or dead. */
  readonly upTo: number;
}
