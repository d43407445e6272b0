/**
 * Payloads of very many unacknowledged sends: beyond a thousand they lie in the checkpoint only (DELIVERY §4), so that an actor whose
 * receivers are all away costs little memory. A re-send reads them; the next checkpoint takes them over.
 */
import { type EffectId, EFFECTS_MAX } from '../address.ts';
import { decodeCheckpoint } from '../checkpoint.ts';
import type { EventObject } from '../effect.ts';
import type { EventStore, StreamId } from '../ports/event-store.ts';
import { outboxSize, PAYLOADS_MAX, pendingSends } from '../protocol/outbox.ts';
import type { Tables } from '../tables.ts';

/** After a checkpoint of `seq` was saved: what is beyond the first thousand is forgotten here, if it is in there. */
export function spill(tables: Tables, seq: number): void {
  const { outbox } = tables;
  if (outbox === undefined || outboxSize(outbox) <= PAYLOADS_MAX) return;
  let n = 0;
  for (const send of pendingSends(outbox))
    if (++n > PAYLOADS_MAX && send.position < (seq + 1) * EFFECTS_MAX) send.event = undefined;
}

/** Payloads of the sends that the last checkpoint holds. */
export async function payloadsOf(store: EventStore, stream: StreamId): Promise<ReadonlyMap<EffectId, EventObject>> {
  const payloads = new Map<EffectId, EventObject>();
  const checkpoint = await store.loadCheckpoint(stream);
  const outbox = checkpoint === undefined ? undefined : decodeCheckpoint(checkpoint.bytes, stream.actor).tables.outbox;
  if (outbox !== undefined) for (const { id, event } of pendingSends(outbox)) if (event !== undefined) payloads.set(id, event);
  return payloads;
}

/** Before a checkpoint is made: all of them. False: one is not to be had, so none may be made. */
export async function unspill(store: EventStore, stream: StreamId, tables: Tables): Promise<boolean> {
  const { outbox } = tables;
  if (outbox === undefined) return true;
  const lacking = Array.from(pendingSends(outbox)).filter((send) => send.event === undefined);
  if (lacking.length === 0) return true;
  const payloads = await payloadsOf(store, stream);
  for (const send of lacking) send.event = payloads.get(send.id);
  return lacking.every((send) => send.event !== undefined);
}
