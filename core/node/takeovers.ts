/**
 * How a shard that this node has claimed comes to life here, and goes again: the node becomes the receiver of its mail, and takes up what
 * the last owner has left unfinished. Those that may have killed a process come last, one at a time.
 */
import type { Address, Shard } from '../address.ts';
import type { Cell } from '../cell.ts';
import { errorData } from '../errors.ts';
import type { EventStore, StreamState } from '../ports/event-store.ts';
import type { News } from './news.ts';
import { Recoveries } from './recoveries.ts';

const PAUSE_MIN_MS = 50;
const PAUSE_MAX_MS = 2_000;

interface Receiver {
  close(): Promise<void>;
}

interface TakeoverHost {
  readonly store: EventStore;
  readonly cells: ReadonlyMap<Address, Cell>;
  readonly news: News;
  /** The shard is this node's, under this epoch. */
  holds(shard: Shard, epoch: number): boolean;
  /** Makes this node the receiver of the shard's mail. */
  receive(shard: Shard, epoch: number): Promise<Receiver>;
  /** It has to be in memory again at `wakeAt`, ms since 1970. */
  sleepUntil(address: Address, wakeAt: number): void;
  /** Must not reject. */
  recover(address: Address): Promise<void>;
  sleep(ms: number): Promise<void>;
}

export class Takeovers {
  private readonly host: TakeoverHost;
  private readonly recoveries: Recoveries;
  /** Of those that may have killed a process. */
  private readonly suspects: Recoveries;
  private readonly receivers = new Map<Shard, Receiver>();

  /** `recoveries`: of the others. */
  constructor(host: TakeoverHost, recoveries: Recoveries) {
    this.host = host;
    this.recoveries = recoveries;
    this.suspects = new Recoveries(1, (address) => host.recover(address));
  }

  /** Resolves when its dirty actors are recovered, or it is this node's no more. Does not reject. */
  async begin(shard: Shard, epoch: number): Promise<void> {
    // Again until it is done or the shard goes: a claim without its receiver and its actors would keep them from every node.
    for (let pause = PAUSE_MIN_MS; this.host.holds(shard, epoch); pause = Math.min(2 * pause, PAUSE_MAX_MS)) {
      try {
        await this.receive(shard, epoch);
        return await this.recoverShard(shard, epoch);
      } catch (error) {
        this.host.news.tell({ type: 'shard.stalled', shard, error: errorData(error).message });
        await this.host.sleep(pause);
      }
    }
  }

  /** The shard is this node's no more. */
  end(shard: Shard, reason: string): void {
    void this.receivers
      .get(shard)
      ?.close()
      .catch(() => undefined);
    this.receivers.delete(shard);
    for (const cell of [...this.host.cells.values()]) if (cell.stream.shard === shard) cell.close(reason);
    this.host.news.tell({ type: 'shard.released', shard, reason });
  }

  private async receive(shard: Shard, epoch: number): Promise<void> {
    if (this.receivers.has(shard)) return;
    const receiver = await this.host.receive(shard, epoch);
    // The shard may have gone meanwhile, and nobody would close it.
    if (this.host.holds(shard, epoch)) this.receivers.set(shard, receiver);
    else await receiver.close();
  }

  private async recoverShard(shard: Shard, epoch: number): Promise<void> {
    const dirty: StreamState[] = [];
    for await (const stream of this.host.store.streams(shard)) {
      if (stream.dirty) dirty.push(stream);
      else if (stream.wakeAt !== undefined) this.host.sleepUntil(stream.actor, stream.wakeAt);
    }
    this.host.news.tell({ type: 'shard.claimed', shard, epoch, dirty: dirty.length });
    const struck = new Set<StreamState>();
    for (const stream of dirty) if (await this.looksStruck(stream)) struck.add(stream);
    await this.recoveries.all(dirty.filter((s) => !struck.has(s)).map((s) => s.actor));
    await this.suspects.all(Array.from(struck, (s) => s.actor));
  }

  private async looksStruck(stream: StreamState): Promise<boolean> {
    for await (const record of this.host.store.read(stream, stream.head, stream.head))
      return record.kind === 'activated' && record.reason !== 'restart';
    return false;
  }
}
