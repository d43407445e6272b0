/**
 * What people ask of a store: which actors there are, their records, states, frames and dead letters. Reads only, so it works beside
 * the process that runs the mesh as well as without one; what has to be folded is folded here, by the code at hand.
 */
import { type Address, importedShard, isImported, ROOT, shardOf, topOf } from '../address.ts';
import { decodeCheckpoint } from '../checkpoint.ts';
import { suggest } from '../config/problems.ts';
import type { EventObject } from '../effect.ts';
import { MeshError } from '../errors.ts';
import type { View } from '../logic.ts';
import type { NodePlan } from '../node/plan.ts';
import { inflateRecord } from '../payload.ts';
import type { BlobStore, EventStore, StoreAdmin, StreamId, StreamState } from '../ports/event-store.ts';
import type { DeadCause, LogRecord } from '../record.ts';
import { recover, type RecoverySource, viewOf } from '../recovery.ts';
import { type Frame, type FrameOptions, frames, stateAt } from '../replay.ts';
import type { DeadLetter, Tables } from '../tables.ts';

/** The part of a store that inspection needs. */
export type ReadableStore = Pick<EventStore, 'read' | 'head' | 'streams' | 'loadCheckpoint'> &
  Pick<BlobStore, 'get'> &
  Pick<StoreAdmin, 'shards'>;

/** One actor that has a log, as the store alone shows it. */
export interface StoredActor {
  readonly address: Address;
  /** `unfinished`: records lie above its checkpoint, or a call was under way; whoever runs the mesh next takes it up. */
  readonly phase: 'passive' | 'parked' | 'failed' | 'ended' | 'gone' | 'unfinished';
  /** Seq of its last record. */
  readonly seq: number;
  /** Why it is parked, or what it ended with. */
  readonly reason?: string;
  /** Dead letters so far. */
  readonly dead?: number;
  /** ms since 1970 of its next timer, deadline or re-send. */
  readonly wakeAt?: number;
}

export interface ActorState extends View {
  readonly address: Address;
  readonly seq: number;
}

export interface StoredLetter {
  readonly actor: Address;
  readonly seq: number;
  /** ms since 1970. */
  readonly at: number;
  readonly cause: DeadCause;
  readonly detail?: string;
  readonly from?: Address;
  readonly event: EventObject;
}

export interface InspectionOptions {
  readonly store: ReadableStore;
  readonly plan: Pick<NodePlan, 'logicOf' | 'groupOf' | 'shards'>;
  /** Looks at the logs that were imported under this name, instead of the living ones. */
  readonly imported?: string;
}

export class Inspection {
  readonly store: ReadableStore;
  /** Where the fold reads. */
  readonly source: RecoverySource;
  private readonly options: InspectionOptions;

  constructor(options: InspectionOptions) {
    this.options = options;
    this.store = options.store;
    this.source = {
      store: options.store,
      logicOf: (name, at) => options.plan.logicOf(name, at),
      inflate: (record) => inflateRecord(record, options.store),
    };
  }

  stream(address: Address): StreamId {
    const { imported, plan } = this.options;
    const shard = imported === undefined ? shardOf(plan.groupOf(topOf(address)), address, plan.shards) : importedShard(imported);
    return { shard, actor: address };
  }

  /** Every stream, in no order. */
  async *streams(): AsyncGenerator<StreamState> {
    const { imported } = this.options;
    const shards = await this.store.shards();
    const wanted = shards.filter((shard) => (imported === undefined ? !isImported(shard) : shard === importedShard(imported)));
    for (const shard of wanted) yield* this.store.streams(shard);
  }

  /** Every actor that has a log, by address. */
  async list(): Promise<StoredActor[]> {
    const actors: StoredActor[] = [];
    for await (const stream of this.streams()) actors.push(await this.stored(stream));
    return actors.toSorted((a, b) => (a.address < b.address ? -1 : 1));
  }

  private async stored(stream: StreamState): Promise<StoredActor> {
    const tables = await this.saved(stream);
    const phase = phaseOf(stream, tables);
    const reason = reasonOf(phase, tables);
    return {
      address: stream.actor,
      phase,
      seq: stream.head,
      ...(reason !== undefined && { reason }),
      ...(tables !== undefined && tables.deadCount > 0 && { dead: tables.deadCount }),
      ...(stream.wakeAt !== undefined && { wakeAt: stream.wakeAt }),
    };
  }

  private async saved(stream: StreamId): Promise<Tables | undefined> {
    const checkpoint = await this.store.loadCheckpoint(stream);
    return checkpoint === undefined ? undefined : decodeCheckpoint(checkpoint.bytes, stream.actor).tables;
  }

  /** Records with seq >= `from` (and <= `to`), payloads included. Throws ACTOR_NOT_FOUND when it has no log, STORE_CORRUPT. */
  async *records(address: Address, from = 1, to?: number): AsyncGenerator<LogRecord> {
    const stream = await this.known(address);
    for await (const record of this.store.read(stream, from, to)) yield await this.source.inflate(record);
  }

  /** The log performed again, step by step; nothing is done. Throws ACTOR_NOT_FOUND, LOGIC_NOT_FOUND, STORE_CORRUPT, REPLAY_DIVERGED (strict). */
  async *frames(address: Address, options: FrameOptions = {}): AsyncGenerator<Frame> {
    yield* frames(this.source, await this.known(address), options);
  }

  /** The state after record `at` (default: the last). Throws as `frames`, and CHECKPOINT_INCOMPATIBLE when the code no longer fits. */
  async state(address: Address, at?: number): Promise<ActorState> {
    const stream = await this.known(address);
    if (at !== undefined) {
      const frame = await stateAt(this.source, stream, at);
      if (frame?.after === undefined) throw new MeshError('ACTOR_NOT_FOUND', `nothing lived at ${address} at seq ${at}`);
      return { address, seq: frame.seq, ...frame.after };
    }
    const { actor } = await recover(this.source, stream);
    const view = viewOf(actor);
    if (view === undefined) {
      const { toBegin } = actor.tables;
      const why =
        toBegin === true ? 'it was reset, and begins anew when the mesh runs' : 'its log was removed, or it never began';
      throw new MeshError('ACTOR_NOT_FOUND', `nothing lives at ${address}: ${why}`);
    }
    return { address, seq: actor.tables.head, ...view };
  }

  /**
   * The state after the last record, where that is cheap to know: this code wrote its checkpoint, and at most `recordsMax` records lie
   * above it. Undefined: it is not, or `state` says what keeps it from being known. Never rejects.
   */
  async nearState(address: Address, recordsMax: number): Promise<ActorState | undefined> {
    try {
      const stream = this.stream(address);
      const [{ head }, checkpoint] = await Promise.all([this.store.head(stream), this.store.loadCheckpoint(stream)]);
      if (head - (checkpoint?.seq ?? 0) > recordsMax) return undefined;
      // All of a log is folded where the code is another.
      if (checkpoint !== undefined && !this.wrote(decodeCheckpoint(checkpoint.bytes, address).tables, address)) return undefined;
      return await this.state(address);
    } catch {
      return undefined;
    }
  }

  private wrote({ init, logic }: Tables, address: Address): boolean {
    return init.logic === '' || this.source.logicOf(init.logic, address).hash === logic.hash;
  }

  /** Dead letters that were not sent again, oldest first: the last 100 of each actor. Needs no code of the actor. */
  async deadLetters(address?: Address): Promise<StoredLetter[]> {
    const letters: StoredLetter[] = [];
    if (address !== undefined) letters.push(...(await this.lettersOf(await this.known(address))));
    else for await (const stream of this.streams()) letters.push(...(await this.lettersOf(stream)));
    return letters.toSorted((a, b) => a.at - b.at || (a.actor < b.actor ? -1 : 1) || a.seq - b.seq);
  }

  private async lettersOf(stream: StreamId): Promise<StoredLetter[]> {
    const checkpoint = await this.store.loadCheckpoint(stream);
    const saved = checkpoint === undefined ? [] : (decodeCheckpoint(checkpoint.bytes, stream.actor).tables.dead ?? []);
    const open = new Map<number, DeadLetter>(saved.map((letter) => [letter.seq, letter]));
    for await (const record of this.store.read(stream, (checkpoint?.seq ?? 0) + 1)) {
      if (record.kind === 'dead') open.set(record.seq, { seq: record.seq, cause: record.cause, at: record.meta.ts });
      else if (record.kind === 'resend') open.delete(record.dead);
    }
    const letters: StoredLetter[] = [];
    for (const seq of open.keys())
      for await (const stored of this.store.read(stream, seq, seq)) {
        const record = await this.source.inflate(stored);
        if (record.kind === 'dead') letters.push(letterOf(stream.actor, record));
      }
    return letters;
  }

  /** The stream of an actor that has a log. Throws ACTOR_NOT_FOUND, naming what was meant. */
  async known(address: Address): Promise<StreamId> {
    const stream = this.stream(address);
    // Of a stream without a record the epoch is 0; its head may be the floor of the shard.
    if ((await this.store.head(stream)).epoch > 0) return stream;
    const message = `no actor '${address}': it has no log yet${suggestAmong(address, await this.someAddresses())}`;
    throw new MeshError('ACTOR_NOT_FOUND', message, { data: { address } });
  }

  private async someAddresses(): Promise<Address[]> {
    const found: Address[] = [];
    for await (const { actor, tombstone } of this.streams()) {
      if (!tombstone && actor !== ROOT) found.push(actor);
      if (found.length === COMPARED_MAX) break;
    }
    return found;
  }
}

/** Addresses that a misspelt one is compared with: there may be a million. */
const COMPARED_MAX = 2_000;
/** Of them, those that are listed when none is near. */
const LISTED_MAX = 5;

function suggestAmong(address: Address, known: readonly Address[]): string {
  const near = suggest(address, known);
  if (known.length <= LISTED_MAX || near.includes('did you mean')) return near;
  const beside = address.slice(0, address.lastIndexOf('/') + 1);
  const [first, others] = [known.filter((a) => a.startsWith(beside)), known.filter((a) => !a.startsWith(beside))];
  return ` (known: ${[...first.toSorted(), ...others.toSorted()].slice(0, LISTED_MAX).join(', ')}, …)`;
}

function phaseOf(stream: StreamState, tables: Tables | undefined): StoredActor['phase'] {
  if (stream.dirty || tables === undefined) return 'unfinished';
  if (stream.tombstone) return 'gone';
  if (tables.parked !== undefined) return 'parked';
  if (tables.status === 'error') return 'failed';
  return tables.status === 'active' ? 'passive' : 'ended';
}

/** What an older checkpoint has of it may be over. */
function reasonOf(phase: StoredActor['phase'], tables: Tables | undefined): string | undefined {
  if (phase === 'parked') return tables?.parked?.reason;
  return phase === 'failed' ? tables?.error?.message : undefined;
}

function letterOf(actor: Address, { seq, meta, cause, detail, event }: Extract<LogRecord, { kind: 'dead' }>): StoredLetter {
  return {
    actor,
    seq,
    at: meta.ts,
    cause,
    event,
    ...(detail !== undefined && { detail }),
    ...(meta.from !== undefined && { from: meta.from }),
  };
}
