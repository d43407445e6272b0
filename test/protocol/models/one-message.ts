/** One message between two actors, for the small models: whether its receiver knows it already, and its sender sends it still. */
import { effectId } from '../../../core/address.ts';
import { advance, type Cursors, cursorKey, receive } from '../../../core/protocol/cursors.ts';
import { addSend, emptyOutbox, heard, outboxSize } from '../../../core/protocol/outbox.ts';

export const HORIZON = 1;

/** `recorded`: 1 when the receiver has taken it, or recorded it as dead; else 0. */
export function isKnown(recorded: number): boolean {
  const cursors: Cursors = new Map();
  if (recorded > 0) advance(cursors, 'a', 'user', 1, 0);
  const arrival = { position: 1, after: -1, ts: 0, expired: false, void: false };
  return receive(cursors.get(cursorKey('a', 'user')), arrival, 0, HORIZON).kind === 'known';
}

/** `acked`: 1 when the sender has heard of that; else 0. */
export function isSent(acked: number): boolean {
  const outbox = emptyOutbox();
  addSend(outbox, { id: effectId('a', 1, 0), position: 1, to: 'b', lane: 'user', event: { type: 'm' }, ts: 0 });
  if (acked > 0) heard(outbox, 'b', 'user', 1);
  return outboxSize(outbox) > 0;
}
