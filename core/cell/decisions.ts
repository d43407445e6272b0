/** What a person decides about an actor in memory. Each is a record, like all that changes it. */
import type { EffectId } from '../address.ts';
import type { Cell } from '../cell.ts';
import type { EventObject } from '../effect.ts';
import { MeshError } from '../errors.ts';
import type { DeadCause } from '../record.ts';
import type { Performer } from './perform.ts';

type RecordingCell = Pick<Cell, 'address' | 'actor' | 'enter' | 'record' | 'plainMeta' | 'ready'>;

/** A parked actor goes on, its failing message is tried again. */
export function unpark(cell: Pick<Cell, 'activated' | 'busy' | 'goOnWhenDurable'>): void {
  cell.activated('unparked');
  cell.busy.failures.waitsUntil = undefined;
  cell.goOnWhenDurable();
}

/** Gives a send up. Throws USAGE when it is not pending. */
export function voidSend(cell: RecordingCell, send: EffectId): void {
  if (cell.actor.tables.outbox?.byId.has(send) !== true)
    throw new MeshError('USAGE', `${send} is not waiting to be acknowledged`);
  cell.enter();
  cell.record({ kind: 'void', send, meta: cell.plainMeta() });
  cell.ready();
}

/** A dead letter again, under a new id, once. Throws USAGE when it cannot be. */
export function resend(cell: RecordingCell, seq: number, event: EventObject, cause: DeadCause): EffectId {
  const letter = `dead letter ${seq} of ${cell.address}`;
  if (cause === 'forgotten' || cause === 'in_doubt' || cause === 'underivable')
    throw new MeshError('USAGE', `${letter} is '${cause}': it may have been taken, and cannot be sent again`);
  if (cell.actor.tables.dead?.some((d) => d.seq === seq) !== true)
    throw new MeshError('USAGE', `${letter} was sent again already, or is none`);
  cell.enter();
  const record = cell.record({ kind: 'resend', dead: seq, event, to: cell.address, meta: cell.plainMeta() });
  cell.ready();
  return `${cell.address}!${record.seq}.0`;
}

export type Decision = Parameters<Performer['resolve']>[1];

/** An effect in doubt. Throws USAGE when it is not, NOT_OWNER when this node may not act now. */
export function resolve(cell: Pick<Cell, 'mayAct' | 'busy'>, id: EffectId, how: Decision): void {
  if (!cell.mayAct) throw new MeshError('NOT_OWNER', `the session of this node has lapsed: ${id} is left as it is`);
  cell.busy.performer.resolve(id, how);
}
