/**
 * A running mesh in this process, for code and for the CLI: refs, sends, asks, and the reading of its logs. Composed by `startMesh`;
 * knows no adapter. What people decide about actors is in `operator/operations.ts`.
 */
import { type Address, checkAddress, ROOT } from './address.ts';
import { AddressBook } from './operator/address-book.ts';
import type { Cell } from './cell.ts';
import { decodeCheckpoint } from './checkpoint.ts';
import { SUPERVISOR_LOGIC } from './supervision/child-spec.ts';
import type { MeshPlan } from './config/plan.ts';
import type { EventObject } from './effect.ts';
import { type ErrorCode, isMeshError, MeshError } from './errors.ts';
import { type ActorState, Inspection, type StoredActor } from './operator/inspection.ts';
import type { ActorStatus } from './node/status.ts';
import type { Node } from './node.ts';
import type { NodePlan } from './node/plan.ts';
import type { AskOptions, SendOptions, Sent } from './node/front-door.ts';
import { Operations } from './operator/operations.ts';
import type { BlobStore, EventStore, StoreAdmin, StreamId } from './ports/event-store.ts';
import type { Frame, FrameOptions } from './replay.ts';
import type { SupervisionState } from './supervision/state.ts';
import { type LogOwner, Upkeep } from './operator/upkeep.ts';

/** ms that a start waits for the tree, a reset for its first record, and between two looks. */
const START_MS = 30_000;
const BEGIN_MS = 5_000;
const LOOK_MS = 2;
/** Actors of one kind that do not fit, after which the others are not looked at. */
const MISFITS_MAX = 100;

/** A handle to send to an actor; it holds nothing of it. */
export interface Ref {
  readonly address: Address;
  /** Resolves when the event is in the actor's log. */
  send(event: EventObject, options?: SendOptions): Promise<Sent>;
  /** Resolves with the reply event. */
  ask(event: EventObject, options?: AskOptions): Promise<EventObject>;
  /** What its log folds to. */
  state(): Promise<ActorState>;
}

/** Store of one mesh: events, blobs, admin in one. */
export type MeshStore = EventStore & BlobStore & StoreAdmin;

export interface MeshParts {
  readonly plan: MeshPlan;
  readonly nodePlan: NodePlan;
  readonly node: Node;
  readonly store: MeshStore;
  /** Who hears what actors emit. */
  readonly emitted: Set<(actor: Address, event: EventObject) => void>;
  /** Closes what was composed: store, exporters. */
  readonly close: () => Promise<void>;
}

/** One actor, stored and alive: what `reprise ps` shows. */
export interface ListedActor extends Omit<StoredActor, 'phase'> {
  /** `passive`, `ended`, `gone` and `unfinished` need no memory; the others do. */
  readonly phase: StoredActor['phase'] | 'running' | 'waiting' | 'opening';
  /** Messages that wait. */
  readonly mailbox: number;
  /** ms that the oldest of them has waited. */
  readonly oldestMs?: number;
  /** Of the error that keeps it from being opened; `reason` is its message. */
  readonly code?: ErrorCode;
  /** Value of its chart, where it is known: it is in memory, or its log was folded. */
  readonly state?: unknown;
  /** Effects that a person has to decide. */
  readonly inDoubt?: readonly string[];
}

export class Mesh {
  readonly plan: MeshPlan;
  readonly node: Node;
  readonly store: MeshStore;
  /** Reads logs. */
  readonly inspect: Inspection;
  /** What people decide about actors: dead letters, parked ones, calls in doubt. */
  readonly operations: Operations;
  /** What people do to logs: reset, migrate, fork, remove, prune. */
  readonly upkeep: Upkeep;
  private readonly parts: MeshParts;
  private readonly book: AddressBook;
  private stopped: Promise<void> | undefined;

  constructor(parts: MeshParts) {
    const { plan, nodePlan, node, store } = parts;
    this.parts = parts;
    this.plan = plan;
    this.book = new AddressBook(plan);
    this.node = node;
    this.store = store;
    this.inspect = new Inspection({ store, plan: nodePlan });
    this.operations = new Operations({ plan, node, inspect: this.inspect });
    this.upkeep = new Upkeep({
      plan,
      inspect: this.inspect,
      store,
      owner: ownerOf(node, () => this.configure()),
      now: () => node.clock.now(),
    });
  }

  /**
   * Starts the node, and the root supervisor with the tree of the plan; it hears of the tree at each start, so an edited one reaches it.
   * Resolves when the tree is up; an actor that does not start is parked by its supervisor, and told as `actor.unstarted`.
   *
   * Throws what `Node.start` throws, SUPERVISOR_GAVE_UP when the root ends, ACTOR_PARKED when it is parked.
   */
  async start(): Promise<void> {
    const { node } = this;
    await node.start();
    if (node.epochOf(node.shardOf(ROOT)) < 0) return;
    await this.beginRoot();
    await this.configure();
    await this.treeIsUp();
  }

  /** Nobody else could: where no root lives, as in a new store, or where the last one has ended, a new one begins. */
  private async beginRoot(): Promise<void> {
    const { actor } = await this.node.cellAt(ROOT);
    if (actor.tables.status === 'active') return;
    await this.node.send(ROOT, { type: 'reprise.start', logic: SUPERVISOR_LOGIC, input: null }, { internal: 'system' });
  }

  /** Tells the root of the tree. What did not start is tried again, on every level. Throws what `Node.send` throws. */
  async configure(): Promise<void> {
    const { root, specHash } = this.plan;
    await this.node.send(ROOT, { type: 'reprise.configure', ...root, specHash, again: true }, { internal: 'system' });
  }

  /** A child that does not come up in time is its supervisor's business: the mesh runs without it. */
  private async treeIsUp(): Promise<void> {
    const { clock } = this.node;
    const until = clock.monotonic() + START_MS;
    while (clock.monotonic() < until) {
      const cell = this.node.cells.get(ROOT);
      const { phase, operation, queue } = (cell?.view().context ?? {}) as Partial<SupervisionState>;
      if (cell !== undefined) isAlive(cell);
      if (phase === 'up' && operation === null && queue?.length === 0) return;
      await this.node.sleep(LOOK_MS);
    }
  }

  /** Throws ADDRESS_INVALID, ACTOR_NOT_FOUND (listing the known ones). */
  ref(address: Address): Ref {
    checkAddress(address);
    this.book.receiver(address);
    return {
      address,
      send: (event, options) => this.send(address, event, options),
      ask: (event, options) => this.ask(address, event, options),
      state: () => this.inspect.state(address),
    };
  }
  /** Resolves when the event is in the actor's log. Throws what `Node.send` throws. */
  send(address: Address, event: EventObject, options: SendOptions = {}): Promise<Sent> {
    return this.node.send(address, event, options);
  }
  /** Resolves with the reply event. Throws what `Node.ask` throws. */
  ask(address: Address, event: EventObject, options: AskOptions = {}): Promise<EventObject> {
    return this.node.ask(address, event, options);
  }
  /** The log performed again, step by step; nothing is done. Throws ACTOR_NOT_FOUND, LOGIC_NOT_FOUND, STORE_CORRUPT, REPLAY_DIVERGED (strict). */
  replay(address: Address, options: FrameOptions = {}): AsyncGenerator<Frame> {
    return this.inspect.frames(address, options);
  }
  /** Every actor that has a log, by address. */
  async list(): Promise<ListedActor[]> {
    return withLive(await this.inspect.list(), this.node.live());
  }
  /**
   * Opens the actors whose machine is another than the one their records name, one after the other: so one that no longer fits its log is
   * known at once, and not at its next message. Where many of a kind do not fit, the rest of that kind is left until they are spoken to.
   */
  async openChanged(): Promise<void> {
    const misfits = new Map<Address, number>();
    for await (const stream of this.inspect.streams()) {
      const kind = this.book.at(stream.actor)?.address ?? stream.actor;
      const known = misfits.get(kind) ?? 0;
      if (known >= MISFITS_MAX || stream.tombstone || this.node.cells.has(stream.actor) || !(await this.isChanged(stream)))
        continue;
      // What keeps it from being opened is told as an event.
      await this.node.cellAt(stream.actor).catch(() => misfits.set(kind, known + 1));
    }
  }

  private async isChanged(stream: StreamId): Promise<boolean> {
    const checkpoint = await this.store.loadCheckpoint(stream);
    if (checkpoint === undefined) return false;
    const { init, logic } = decodeCheckpoint(checkpoint.bytes, stream.actor).tables;
    try {
      return init.logic !== '' && this.parts.nodePlan.logicOf(init.logic, stream.actor).hash !== logic.hash;
    } catch (error) {
      if (isMeshError(error, 'LOGIC_NOT_FOUND')) return true;
      throw error;
    }
  }

  /** Events that actors `emit`, as they leave. Returns what ends it. */
  onEmitted(listener: (actor: Address, event: EventObject) => void): () => void {
    this.parts.emitted.add(listener);
    return () => this.parts.emitted.delete(listener);
  }

  /** Finishes what is in hand, saves checkpoints, releases the store. */
  stop(deadlineMs?: number): Promise<void> {
    this.stopped ??= this.node.stop(deadlineMs).then(() => this.parts.close());
    return this.stopped;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Throws SUPERVISOR_GAVE_UP, or whatever else the root ended with; ACTOR_PARKED. */
function isAlive({ phase, actor: { tables } }: Cell): void {
  const { error, parked } = tables;
  if (phase === 'parked') throw new MeshError('ACTOR_PARKED', `${ROOT} is parked: ${parked?.reason}`);
  if (phase === 'failed' || phase === 'ended')
    throw new MeshError(error?.code ?? 'SUPERVISOR_GAVE_UP', error?.message ?? `${ROOT} has ended`, { data: error });
}

const ownerOf = (node: Node, configure: () => Promise<void>): LogOwner => ({
  reset: async (address, options) => {
    await node.reset(address, options);
    await begun(node, address);
    // Its tree is not in its input.
    if (address === ROOT) await configure();
  },
  migrate: (address, snapshotOf, options) => node.migrate(address, snapshotOf, options),
  fork: (target, persisted, init) => node.fork(target, persisted, init),
  remove: (address, admin, options) => node.remove(address, admin, options),
  isOpen: (address) => node.cells.has(address),
});

/** The new life is begun by the cell that is opened next; whoever asked for it may look at it at once. */
async function begun(node: Node, address: Address): Promise<void> {
  const until = node.clock.monotonic() + BEGIN_MS;
  for (; node.clock.monotonic() < until; await node.sleep(LOOK_MS)) {
    const cell = node.cells.get(address);
    if (cell !== undefined && cell.actor.tables.toBegin !== true && cell.actor.tables.head === cell.durableHead) return;
  }
}

/** What is stored, with what is in memory laid over it: why one that lives was parked or has failed is over. */
export function withLive(stored: readonly StoredActor[], live: readonly ActorStatus[]): ListedActor[] {
  const alive = new Map(live.map((status) => [status.address, status]));
  return stored.map((actor) => {
    const status = alive.get(actor.address);
    if (status === undefined) return { ...actor, mailbox: 0 };
    const { reason: _before, ...kept } = actor;
    const { phase, reason, code, mailbox, oldestMs, state, inDoubt, dead = actor.dead } = status;
    return {
      ...kept,
      phase,
      // One that cannot be opened has no head of its own to show.
      seq: Math.max(actor.seq, status.head),
      mailbox,
      ...(reason !== undefined && { reason }),
      ...(code !== undefined && { code }),
      ...(oldestMs !== undefined && { oldestMs }),
      ...(state !== undefined && { state }),
      ...(dead !== undefined && { dead }),
      ...(inDoubt !== undefined && { inDoubt }),
    };
  });
}
