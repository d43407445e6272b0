/**
 * What a person does to logs: begin an actor anew, migrate it, fork it, remove it, and remove what is past its retention. The same
 * beside a mesh that runs (its node does it) and without one (the store's owner of the moment does).
 */
import { type Address, ROOT } from './address.ts';
import { AddressBook, forkAddress } from './address-book.ts';
import { decodeCheckpoint } from './checkpoint.ts';
import type { MeshPlan } from './config/plan.ts';
import { MeshError } from './errors.ts';
import type { Inspection } from './inspection.ts';
import type { LossOptions } from './lifecycle.ts';
import { blobOf } from './payload.ts';
import type { BlobStore, StoreAdmin, StreamState } from './ports/event-store.ts';
import type { InitData } from './record.ts';
import { agreed } from './replay.ts';

/** Makes a snapshot that the new code can be in from the one that the old code left. */
export type MigrateSnapshot = (old: unknown, from: { readonly version?: string; readonly hash: string }) => unknown;

/** Who may write the logs. */
export interface LogOwner {
  reset(address: Address, options: LossOptions): Promise<unknown>;
  migrate(address: Address, snapshotOf: MigrateSnapshot, options: LossOptions): Promise<unknown>;
  fork(target: Address, persisted: unknown, init: InitData): Promise<unknown>;
  /** Resolves with how many records went. */
  remove(address: Address, admin: StoreAdmin, options: LossOptions): Promise<number>;
  /** An actor in memory may be about to write. */
  isOpen(address: Address): boolean;
}

export interface UpkeepParts {
  readonly plan: MeshPlan;
  readonly inspect: Inspection;
  readonly store: BlobStore & StoreAdmin;
  readonly owner: LogOwner;
  /** ms since 1970. */
  readonly now: () => number;
}

export interface Fork {
  readonly address: Address;
  /** Where it left the log of the other. */
  readonly from: number;
  /** Calls and timers that were under way there: they did not come along. */
  readonly pending: readonly string[];
}

/** What is past its retention. */
export interface Prunable {
  /** Finished actors whose logs go. */
  readonly actors: readonly { readonly address: Address; readonly records: number; readonly endedAt: number }[];
  /** Addresses of which the last trace goes. */
  readonly tombstones: readonly Address[];
  /** Payloads that nothing names. */
  readonly blobs: readonly { readonly hash: string; readonly bytes: number }[];
}

const DAY_MS = 86_400_000;

export class Upkeep {
  private readonly parts: UpkeepParts;
  private readonly book: AddressBook;

  constructor(parts: UpkeepParts) {
    this.parts = parts;
    this.book = new AddressBook(parts.plan);
  }

  /** A new life from the same input; the old log stays below it. Throws CHECKPOINT_INCOMPATIBLE when that needs `old` or `acceptLoss`. */
  async reset(address: Address, options: LossOptions = {}): Promise<void> {
    await this.parts.owner.reset(this.known(address), options);
  }

  /** Goes on in the new code from what `snapshotOf` makes of the old snapshot. Throws CHECKPOINT_INCOMPATIBLE. */
  async migrate(address: Address, snapshotOf: MigrateSnapshot, options: LossOptions = {}): Promise<void> {
    await this.parts.owner.migrate(this.known(address), snapshotOf, options);
  }

  /** A second actor, in the state that this one had after record `at` (default: the last that the code repeats). Throws USAGE where one is. */
  async fork(address: Address, options: { readonly at?: number; readonly as?: string } = {}): Promise<Fork> {
    const { inspect, owner } = this.parts;
    if (address === ROOT || address.includes('@', 1))
      throw new MeshError('USAGE', `${address} cannot be forked: only actors that the mesh file names can`);
    const found = await agreed(inspect.source, inspect.stream(this.known(address)), options.at);
    if (found === undefined) throw new MeshError('ACTOR_NOT_FOUND', `nothing of ${address} can be repeated by this code`);
    const { as = await this.freeName(address) } = options;
    const target = forkAddress(address, as);
    if (await this.isTaken(target)) throw new MeshError('USAGE', `${target} is there already: give another name with --as`);
    await owner.fork(target, found.snapshot, { logic: found.init.logic, input: found.init.input });
    return { address: target, from: found.seq, pending: found.pending };
  }

  private async freeName(address: Address): Promise<string> {
    for (let i = 1; ; i++) if (!(await this.isTaken(forkAddress(address, String(i))))) return String(i);
  }
  private async isTaken(address: Address): Promise<boolean> {
    const { inspect } = this.parts;
    return (await inspect.store.head(inspect.stream(address))).epoch > 0;
  }

  /** Removes the log; what the address owes others is kept. Resolves with how many records went. */
  remove(address: Address, options: LossOptions = {}): Promise<number> {
    return this.parts.owner.remove(address, this.parts.store, options);
  }

  private known(address: Address): Address {
    this.book.receiver(address);
    return address;
  }

  // ---- retention ---------------------------------------------------------------------------------------------------

  async prunable(): Promise<Prunable> {
    const { inspect, plan, owner } = this.parts;
    const now = this.parts.now();
    const actors: Prunable['actors'][number][] = [];
    const tombstones: Address[] = [];
    for await (const stream of inspect.streams()) {
      if (stream.dirty || owner.isOpen(stream.actor)) continue;
      const saved = await this.saved(stream);
      if (saved === undefined) continue;
      const { status, endedAt = saved.lastTs, outbox, lastTs } = saved;
      if (stream.tombstone) {
        // Nobody can ask for what it remembers any more, and it owes nobody anything.
        if (outbox === undefined && lastTs + 2 * plan.horizonMs <= now) tombstones.push(stream.actor);
        continue;
      }
      const declared = this.book.at(stream.actor);
      const retentionMs = declared === undefined ? plan.retentionMs : declared.retentionMs;
      if (status !== 'active' && retentionMs !== undefined && endedAt + retentionMs <= now)
        actors.push({ address: stream.actor, records: await this.count(stream), endedAt });
    }
    return { actors, tombstones, blobs: await this.unnamedBlobs() };
  }

  /** Removes it. What has changed since is left alone. */
  async prune(what: Prunable): Promise<void> {
    const { store, inspect, owner } = this.parts;
    for (const { address } of what.actors) await owner.remove(address, store, {});
    for (const address of what.tombstones) if (!owner.isOpen(address)) await store.deleteStream(inspect.stream(address));
    for (const { hash } of what.blobs) await store.delete(hash);
  }

  private async saved(stream: StreamState) {
    const checkpoint = await this.parts.inspect.store.loadCheckpoint(stream);
    return checkpoint === undefined ? undefined : decodeCheckpoint(checkpoint.bytes, stream.actor).tables;
  }
  private async count(stream: StreamState): Promise<number> {
    for await (const first of this.parts.inspect.store.read(stream, 1)) return stream.head - first.seq + 1;
    return 0;
  }

  /** Payloads that no record has named, put more than a day ago: a record that is on its way may still name a younger one. */
  private async unnamedBlobs(): Promise<Prunable['blobs']> {
    const { store, inspect } = this.parts;
    const before = this.parts.now() - DAY_MS;
    const old = new Map<string, number>();
    for await (const { hash, bytes, putAt } of store.list()) if (putAt <= before) old.set(hash, bytes);
    if (old.size === 0) return [];
    for (const shard of await store.shards())
      for await (const stream of inspect.store.streams(shard))
        for await (const record of inspect.store.read(stream, 1)) {
          const hash = blobOf(record);
          if (hash !== undefined) old.delete(hash);
        }
    return [...old].map(([hash, bytes]) => ({ hash, bytes }));
  }
}
