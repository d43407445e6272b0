/**
 * Writes the logs of a mesh that does not run: claims the shard of one actor, does one thing, and lets go of it. Runs no actor.
 */
import type { Address, Shard } from '../address.ts';
import { fork, type LifecycleContext, migrate, remove, reset } from './lifecycle.ts';
import { MeshError } from '../errors.ts';
import type { Inspection } from './inspection.ts';
import type { Clock } from '../ports/clock.ts';
import type { Directory } from '../ports/directory.ts';
import type { Entropy } from '../ports/entropy.ts';
import type { EventStore, StreamId } from '../ports/event-store.ts';
import type { LogOwner } from './upkeep.ts';

export interface LogOwnerParts {
  readonly store: EventStore & Directory;
  readonly inspect: Inspection;
  readonly clock: Pick<Clock, 'now'>;
  readonly entropy: Entropy;
}

/** For a store that this process alone may write. */
export function logOwner(parts: LogOwnerParts): LogOwner {
  const owning = <T>(address: Address, act: (ctx: LifecycleContext, stream: StreamId) => Promise<T>): Promise<T> =>
    withClaim(parts, address, act);
  return {
    reset: (address, options) => owning(address, (ctx, stream) => reset(ctx, stream, options)),
    migrate: (address, snapshotOf, options) => owning(address, (ctx, stream) => migrate(ctx, stream, snapshotOf, options)),
    fork: (target, persisted, init) => owning(target, (ctx, stream) => fork(ctx, stream, persisted, init)),
    remove: (address, admin, options) => owning(address, (ctx, stream) => remove({ ...ctx, admin }, stream, options)),
    isOpen: () => false,
  };
}

async function withClaim<T>(
  { store, inspect, clock, entropy }: LogOwnerParts,
  address: Address,
  act: (ctx: LifecycleContext, stream: StreamId) => Promise<T>,
): Promise<T> {
  const stream = inspect.stream(address);
  const was = (await store.claims()).find((claim) => claim.shard === stream.shard);
  const session = `upkeep~${entropy.id()}`;
  const epoch = await claim(store, stream.shard, was?.epoch ?? 0, session);
  try {
    return await act({ ...inspect.source, store, now: clock.now(), node: 'upkeep', epoch }, stream);
  } finally {
    // A shard whose last owner died keeps that mark: the next one is careful with its actors.
    await store.claim({ shard: stream.shard, epoch: epoch + 1, session: was?.session, node: was?.node }, epoch);
  }
}

async function claim(store: Directory, shard: Shard, above: number, session: string): Promise<number> {
  const epoch = above + 1;
  if ((await store.claim({ shard, epoch, session, node: 'upkeep' }, above)) === 'claimed') return epoch;
  throw new MeshError('STORE_CONFLICT', `shard ${shard} was claimed meanwhile`);
}
