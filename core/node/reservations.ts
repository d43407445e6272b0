/** Actors that a person changes: their logs are written while no cell of theirs is open. */
import type { Address, Shard } from '../address.ts';
import type { Cell } from '../cell.ts';
import { MeshError } from '../errors.ts';
import type { LifecycleContext } from '../operator/lifecycle.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventStore, StreamId } from '../ports/event-store.ts';
import type { RecoverySource } from '../recovery.ts';
import type { News } from './news.ts';
import { REST_MS } from './resting.ts';

/** How often a cell is asked to come to rest. */
const RESTS_MAX = 200;

interface ReservationsHost {
  readonly node: string;
  readonly store: EventStore;
  readonly clock: Clock;
  readonly recovery: RecoverySource;
  readonly cells: Map<Address, Cell>;
  readonly news: News;
  shardOf(address: Address): Shard;
  /** -1: not this node's. */
  epochOf(shard: Shard): number;
  cellAt(address: Address): Promise<Cell>;
  /** What could not be opened may be tried again. */
  forget(address: Address): void;
  sleep(ms: number): Promise<void>;
}

export class Reservations {
  private readonly host: ReservationsHost;
  private readonly reserved = new Set<Address>();

  constructor(host: ReservationsHost) {
    this.host = host;
  }

  /** No cell of it may be opened now. */
  has(address: Address): boolean {
    return this.reserved.has(address);
  }

  /** Puts the actor away, lets `act` write its log, and opens it again. Throws NOT_OWNER, and what `act` throws. */
  async alone<T>(address: Address, act: (ctx: LifecycleContext, stream: StreamId) => Promise<T>): Promise<T> {
    const { host } = this;
    const shard = host.shardOf(address);
    const epoch = host.epochOf(shard);
    if (epoch < 0) throw new MeshError('NOT_OWNER', `${address} lives in shard ${shard}, which this node does not own`);
    const cell = await host.cellAt(address).catch(() => undefined);
    this.reserved.add(address);
    try {
      for (let i = 0; cell !== undefined && i < RESTS_MAX && !(await cell.rest()); i++) await host.sleep(REST_MS);
      // Busy for ever: what it has not made durable is dropped, as in a crash.
      cell?.close('a person changes it');
      host.cells.delete(address);
      const ctx: LifecycleContext = {
        ...host.recovery,
        store: host.store,
        now: host.clock.now(),
        node: host.node,
        epoch,
        written: (records) => host.news.records(address, records),
      };
      const done = await act(ctx, { shard, actor: address });
      // Only now: what could not be opened before would be tried in vain.
      host.forget(address);
      return done;
    } finally {
      this.reserved.delete(address);
      // Also a tombstone: it may have sends that nobody has acknowledged.
      await host.cellAt(address).catch(() => undefined);
    }
  }
}
