/** What an actor is doing, as its node sees it. */
import type { Address } from '../address.ts';
import type { Cell } from '../cell.ts';
import type { ErrorCode, MeshError } from '../errors.ts';

export interface ActorStatus {
  readonly address: Address;
  readonly phase: 'running' | 'waiting' | 'parked' | 'failed' | 'ended' | 'passive' | 'opening' | 'gone';
  readonly head: number;
  readonly mailbox: number;
  /** ms that the oldest message has waited. */
  readonly oldestMs?: number;
  /** Why it is parked, what it ended with, or why the store does not take what it does. */
  readonly reason?: string;
  /** Of the error that keeps it from being opened, or the store from taking what it does; `reason` is its message. */
  readonly code?: ErrorCode;
  readonly state?: unknown;
  readonly dead?: number;
  readonly inDoubt?: readonly string[];
}

/** `now`: ms since 1970. */
export function statusOf(cell: Cell, now: number): ActorStatus {
  const t = cell.actor.tables;
  const { oldestAt, stall } = cell;
  return {
    address: cell.address,
    phase: cell.phase === 'closed' ? 'opening' : cell.phase,
    head: cell.durableHead,
    mailbox: cell.waiting,
    // Nobody is shown a state that is on its way to the store.
    ...(t.head === cell.durableHead && { state: cell.view().value }),
    ...(oldestAt !== undefined && { oldestMs: now - oldestAt }),
    ...(t.parked !== undefined && { reason: t.parked.reason }),
    ...(t.error !== undefined && { reason: t.error.message }),
    ...(stall !== undefined && { code: stall.code, reason: `${stall.code}: ${stall.message}` }),
    ...(t.deadCount > 0 && { dead: t.deadCount }),
    ...(cell.inDoubt.length > 0 && { inDoubt: cell.inDoubt }),
  };
}

/** Of one that cannot be opened. */
export const statusOfBroken = (address: Address, { code, message }: MeshError): ActorStatus => ({
  address,
  phase: 'parked',
  head: 0,
  mailbox: 0,
  code,
  reason: message,
});
