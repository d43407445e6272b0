/**
 * What a person does to logs: begin an actor anew, migrate it, fork it, remove it, and remove what is past its retention. The same
 * beside a mesh that runs (its node does it) and without one (the store's owner of the moment does).
 */
import { type Address, ROOT } from '../address.ts';
import { AddressBook, forkAddress } from './address-book.ts';
import { childIn } from './supervised.ts';
import type { MeshPlan } from '../config/plan.ts';
import { isMeshError, MeshError } from '../errors.ts';
import type { Inspection } from './inspection.ts';
import type { LossOptions } from './lifecycle.ts';
import type { MigrateSnapshot } from './migration.ts';
import type { BlobStore, EventStore, StoreAdmin, StreamId } from '../ports/event-store.ts';
import type { InitData } from '../record.ts';
import type { ChildStatus } from '../supervision/state.ts';
import { recover } from '../recovery.ts';
import { agreed } from '../replay.ts';
import { type Prunable, prunable, prune, removeLog, type RetentionParts } from './retention.ts';

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
  readonly store: EventStore & BlobStore & StoreAdmin;
  readonly owner: LogOwner;
  /** ms since 1970. */
  readonly now: () => number;
}

export interface Fork {
  readonly address: Address;
  /** Where it left the log of the other, and the last record there. */
  readonly from: number;
  readonly of: number;
  /** Value of the chart that it stands in. */
  readonly state: unknown;
  /** Calls and timers that were under way there: they did not come along. */
  readonly pending: readonly string[];
}

/** What a reset leaves in the log below the new life. */
export interface Reset {
  /** Seqs of the first and the last record. */
  readonly first: number;
  readonly last: number;
  /** Value of the chart at the end of it; undefined: this code cannot tell. */
  readonly state?: unknown;
}

export class Upkeep {
  private readonly parts: UpkeepParts;
  private readonly book: AddressBook;
  private readonly retention: RetentionParts;

  constructor(parts: UpkeepParts) {
    this.parts = parts;
    this.book = new AddressBook(parts.plan);
    this.retention = this.retentionOf(parts);
  }

  /** A new life from the same input; the old log stays below it. Throws CHECKPOINT_INCOMPATIBLE when that needs `old` or `acceptLoss`. */
  async reset(address: Address, options: LossOptions = {}): Promise<Reset> {
    const { inspect, owner } = this.parts;
    const stream = await this.known(address);
    let first = 1;
    for await (const { seq } of inspect.store.read(stream, 1)) {
      first = seq;
      break;
    }
    const { head: last } = await inspect.store.head(stream);
    const state = await inspect.state(address).then(
      ({ value }) => value,
      () => undefined,
    );
    await owner.reset(address, options);
    return { first, last, ...(state !== undefined && { state }) };
  }

  /**
   * Goes on in the new code from what `snapshotOf` makes of the old snapshot; undefined: from the state as it is, if that is needed at all.
   * Resolves with false, and writes nothing, where the code does all that the log says. Throws CHECKPOINT_INCOMPATIBLE.
   */
  async migrate(address: Address, snapshotOf: MigrateSnapshot | undefined, options: LossOptions = {}): Promise<boolean> {
    const stream = await this.known(address);
    if (snapshotOf === undefined && (await this.fits(stream))) return false;
    await this.parts.owner.migrate(address, snapshotOf ?? ((old) => old), options);
    return true;
  }

  private async fits(stream: StreamId): Promise<boolean> {
    try {
      await recover(this.parts.inspect.source, stream);
      return true;
    } catch (error) {
      if (isMeshError(error, 'REPLAY_DIVERGED') || isMeshError(error, 'CHECKPOINT_INCOMPATIBLE')) return false;
      throw error;
    }
  }

  /**
   * A second actor, in the state that this one had after record `at` (default: the last that the code repeats). Throws USAGE where one is,
   * where there is no such record, and for what cannot be there twice.
   */
  async fork(address: Address, options: { readonly at?: number; readonly as?: string } = {}): Promise<Fork> {
    const { inspect, owner } = this.parts;
    if (address === ROOT || address.includes('@', 1))
      throw new MeshError('USAGE', `${address} cannot be forked: only actors that the mesh file names can`);
    const what = this.single(address);
    if (what !== undefined)
      throw new MeshError(
        'USAGE',
        `${address} cannot be forked: it is a ${what}, and nobody would supervise or ask a second one`,
      );
    const stream = await this.known(address);
    const { head } = await inspect.store.head(stream);
    if (options.at !== undefined && options.at > head)
      throw new MeshError('USAGE', `${address} has no record ${options.at}: its last one is ${head}`);
    const found = await agreed(inspect.source, stream, options.at);
    if (found === undefined) throw new MeshError('ACTOR_NOT_FOUND', `nothing of ${address} can be repeated by this code`);
    const { as = await this.freeName(address) } = options;
    const target = forkAddress(address, as);
    if (await this.isTaken(target)) throw new MeshError('USAGE', `${target} is there already: give another name with --as`);
    await owner.fork(target, found.snapshot, { logic: found.init.logic, input: found.init.input });
    const { value: state } = found.snapshot as { readonly value?: unknown };
    return { address: target, from: found.seq, of: head, state, pending: found.pending };
  }

  /** What is of no use a second time. */
  private single(address: Address): 'supervisor' | 'pool' | 'gateway' | undefined {
    const { plan } = this.parts;
    const declared = this.book.at(address);
    if (declared === undefined || declared.address !== address) return undefined;
    if (declared.kind === 'supervisor' || declared.kind === 'pool') return declared.kind;
    return plan.logics[declared.logic]?.from === 'reprise' ? 'gateway' : undefined;
  }

  private async freeName(address: Address): Promise<string> {
    for (let i = 1; ; i++) if (!(await this.isTaken(forkAddress(address, String(i))))) return String(i);
  }
  private async isTaken(address: Address): Promise<boolean> {
    const { inspect } = this.parts;
    return (await inspect.store.head(inspect.stream(address))).epoch > 0;
  }

  /**
   * Removes the log; what the address owes others is kept. Resolves with how many records went. Throws USAGE for the root, and for an actor
   * that its supervisor holds to be up: it would not hear of it, and go on as if it were.
   */
  async remove(address: Address, options: LossOptions = {}): Promise<number> {
    if (address === ROOT)
      throw new MeshError(
        'USAGE',
        `${ROOT} cannot be removed: all others are below it. \`reprise reset ${ROOT}\` begins it anew`,
      );
    await this.parts.inspect.known(address);
    if (this.isKind(address))
      throw new MeshError('USAGE', `${address} cannot be removed: it is a kind of actors by key, of which ${address}/KEY is one`);
    const supervisor = this.book.supervisor(address);
    const status = supervisor === undefined ? undefined : await this.statusUnder(supervisor, address);
    if (status !== undefined && status !== 'idle')
      throw new MeshError(
        'USAGE',
        `${address} cannot be removed: ${supervisor} holds it to be ${status}. Stop it first, while the mesh runs: \`reprise stop ${address}\` (or begin it anew: \`reprise reset ${address}\`)`,
      );
    return removeLog(this.retention, address, options);
  }

  private isKind(address: Address): boolean {
    const declared = this.book.at(address);
    return declared?.kind === 'keyed' && declared.address === address;
  }

  /** As the log of its supervisor has it. */
  private async statusUnder(supervisor: Address, address: Address): Promise<ChildStatus | undefined> {
    try {
      return childIn(await this.parts.inspect.state(supervisor), address)?.status;
    } catch (error) {
      if (isMeshError(error, 'ACTOR_NOT_FOUND')) return undefined;
      throw error;
    }
  }

  /** What is past its retention. */
  prunable(): Promise<Prunable> {
    return prunable(this.retention);
  }
  /** Removes it. What has changed since is left alone. */
  prune(what: Prunable): Promise<void> {
    return prune(this.retention, what);
  }

  private retentionOf({ plan, store, inspect, owner, now }: UpkeepParts): RetentionParts {
    return {
      store,
      now,
      stream: (address) => inspect.stream(address),
      streams: () => inspect.streams(),
      isOpen: (address) => owner.isOpen(address),
      remove: (address, options) => owner.remove(address, store, options),
      rules: {
        horizonMs: plan.horizonMs,
        retentionMs: (address) => {
          const declared = this.book.at(address);
          return declared === undefined ? plan.retentionMs : declared.retentionMs;
        },
      },
    };
  }

  /** Throws ACTOR_NOT_FOUND, naming what was meant. */
  private known(address: Address): Promise<StreamId> {
    this.book.receiver(address);
    return this.parts.inspect.known(address);
  }
}
