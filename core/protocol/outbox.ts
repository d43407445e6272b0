/**
 * What a sender keeps: each send until its receiver's durable log has reported it (DELIVERY §4). Sends of one (receiver, lane) are in
 * order; an envelope names the one before it that is not acknowledged, so that order survives loss and copies.
 *
 * The sender never gives up on its own. Acknowledgements that were heard are in no record until the next one's `done`: forgetting them
 * in a crash costs a re-send, never a message.
 */
import type { Address, EffectId } from '../address.ts';
import type { EventObject, Lane } from '../effect.ts';
import type { TraceContext } from '../envelope.ts';

/** Unacknowledged sends beyond which payloads lie only in the checkpoint. */
export const PAYLOADS_MAX = 1_000;
/** Unacknowledged sends beyond which the actor is parked. */
export const SENDS_MAX = 100_000;

/** The shortest pause before a re-send, and the longest, ms. */
const RESEND_MIN_MS = 500;
const RESEND_MAX_MS = 300_000;
/** No pause is longer, whatever a broker's custody adds: what is due later was set before the clock went back. */
const PAUSE_MAX_MS = 2 * RESEND_MAX_MS;

/** A send as the fold makes it. */
export interface NewSend {
  readonly id: EffectId;
  /** `positionOf(id)`. */
  readonly position: number;
  readonly to: Address;
  readonly lane: Lane;
  readonly event: EventObject;
  /** `ts` of the record that made it, ms since 1970. */
  readonly ts: number;
  readonly via?: EffectId | undefined;
  /** ms since 1970. */
  readonly deadline?: number | undefined;
  /** Who waits for the answer to it, outermost first. */
  readonly chain?: readonly Address[] | undefined;
  /** Of the turn that made it. */
  readonly trace?: TraceContext | undefined;
}

export interface PendingSend extends Omit<NewSend, 'event' | 'trace'> {
  /** Of the span that sent it first, once it has left: re-sends carry the same. */
  trace: TraceContext | undefined;
  /** Undefined: it lies in the checkpoint only. */
  event: EventObject | undefined;
  /** Its neighbours in the lane: one that goes out of turn (a snapshot that a later one replaces) leaves the order whole. */
  previous: PendingSend | undefined;
  next: PendingSend | undefined;
  /** Given up: its receiver records it as dead. */
  void: true | undefined;
  /** ms since 1970 of the next try; Infinity while the record that made it is on its way to the store. */
  nextAt: number;
}

/** What is pending for one receiver and lane, in order of position. */
interface SendLane {
  first: PendingSend;
  last: PendingSend;
}

export interface Outbox {
  readonly byId: Map<EffectId, PendingSend>;
  readonly lanes: Map<string, SendLane>;
  /** No send is due before; may be early. */
  dueFrom: number;
}

const laneKey = (to: Address, lane: Lane): string => (lane === 'user' ? to : `${to} ${lane}`);

export const emptyOutbox = (): Outbox => ({ byId: new Map(), lanes: new Map(), dueFrom: Infinity });
export const outboxSize = (outbox: Outbox): number => outbox.byId.size;

/** `kept`: what a checkpoint says of it besides. */
export function addSend(outbox: Outbox, send: NewSend, kept?: Partial<Pick<PendingSend, 'nextAt' | 'void'>>): PendingSend {
  const key = laneKey(send.to, send.lane);
  const lane = outbox.lanes.get(key);
  // Member by member: one shape for all of them, and no copying of an unknown one, since each hop makes one.
  const pending: PendingSend = {
    id: send.id,
    position: send.position,
    to: send.to,
    lane: send.lane,
    event: send.event,
    ts: send.ts,
    via: send.via,
    deadline: send.deadline,
    chain: send.chain,
    trace: send.trace,
    previous: lane?.last,
    next: undefined,
    void: kept?.void,
    nextAt: kept?.nextAt ?? Infinity,
  };
  if (lane === undefined) outbox.lanes.set(key, { first: pending, last: pending });
  else lane.last = lane.last.next = pending;
  outbox.byId.set(pending.id, pending);
  return pending;
}

/** The receiver's durable log has got to `upTo`. Returns the sends that are settled by that. */
export function heard(outbox: Outbox, from: Address, lane: Lane, upTo: number): readonly PendingSend[] {
  const settled: PendingSend[] = [];
  let send = outbox.lanes.get(laneKey(from, lane))?.first;
  for (; send !== undefined && send.position <= upTo; send = send.next) settled.push(send);
  for (const one of settled) remove(outbox, one);
  return settled;
}

/** A record says that this send is acknowledged, or that a later one replaces it. */
export function settleSend(outbox: Outbox, id: EffectId): void {
  const send = outbox.byId.get(id);
  if (send !== undefined) remove(outbox, send);
}

function remove(outbox: Outbox, send: PendingSend): void {
  const { previous, next } = send;
  const key = laneKey(send.to, send.lane);
  const lane = outbox.lanes.get(key) as SendLane;
  if (previous === undefined && next === undefined) outbox.lanes.delete(key);
  else if (previous === undefined) lane.first = next as PendingSend;
  else if (next === undefined) lane.last = previous;
  if (previous !== undefined) previous.next = next;
  if (next !== undefined) next.previous = previous;
  send.previous = send.next = undefined;
  outbox.byId.delete(send.id);
  if (outbox.byId.size === 0) outbox.dueFrom = Infinity;
}

/** A person gave it up: it is sent on under its id, marked, and like any other only in its order. False: it is not pending. */
export function giveUp(outbox: Outbox, id: EffectId): boolean {
  const send = outbox.byId.get(id);
  if (send === undefined) return false;
  send.void = true;
  if (send.nextAt !== Infinity) send.nextAt = outbox.dueFrom = 0;
  return true;
}

/** Position of the send before this one of the same receiver and lane that nobody has acknowledged; -1: none. */
export const afterOf = (send: PendingSend): number => send.previous?.position ?? -1;

/**
 * It was handed to the mailboxes. The pause before the next try grows with the age of the message, so that backoff needs no count that
 * a passivated actor would forget. `custodyMs`: added where a broker keeps a copy.
 */
export function sent(outbox: Outbox, send: PendingSend, now: number, custodyMs = 0): void {
  send.nextAt = now + custodyMs + Math.min(RESEND_MAX_MS, Math.max(RESEND_MIN_MS, (now - send.ts) / 2));
  if (send.nextAt < outbox.dueFrom) outbox.dueFrom = send.nextAt;
}

/** In the order in which they were made. */
export const pendingSends = (outbox: Outbox): Iterable<PendingSend> => outbox.byId.values();

/** Those whose time has come, in the order in which they were made. They stay due until they are sent. */
export function dueSends(outbox: Outbox, now: number): readonly PendingSend[] {
  if (outbox.dueFrom > now) return [];
  const due: PendingSend[] = [];
  let next = Infinity;
  for (const send of pendingSends(outbox)) {
    if (send.nextAt <= now) due.push(send);
    if (send.nextAt < next) next = send.nextAt;
  }
  outbox.dueFrom = next;
  return due;
}

/** Where the clock has gone back since they were sent: they are due now, not when it has caught up. */
export function catchUp(outbox: Outbox, now: number): void {
  if (outbox.dueFrom === Infinity || outbox.dueFrom <= now + PAUSE_MAX_MS) return;
  for (const send of pendingSends(outbox)) if (send.nextAt !== Infinity) send.nextAt = now;
  outbox.dueFrom = now;
}

/** ms since 1970 before which no send is due; undefined: none will be. Cheap, and may be early. */
export const earliestSend = (outbox: Outbox): number | undefined => (outbox.dueFrom === Infinity ? undefined : outbox.dueFrom);

// ---- in a checkpoint ----------------------------------------------------------------------------------------------------

export function encodeOutbox(outbox: Outbox): unknown {
  return Array.from(pendingSends(outbox), ({ previous: _previous, next: _next, ...send }) =>
    send.nextAt === Infinity ? { ...send, nextAt: 0 } : send,
  );
}

export function decodeOutbox(json: unknown): Outbox {
  const outbox = emptyOutbox();
  for (const send of json as (NewSend & Pick<PendingSend, 'nextAt' | 'void'>)[]) {
    addSend(outbox, send, send);
    if (send.nextAt < outbox.dueFrom) outbox.dueFrom = send.nextAt;
  }
  return outbox;
}
