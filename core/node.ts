/**
 * One node of a mesh: it owns shards, opens cells for the actors in them, and carries messages to and from them.
 *
 *   Mailboxes.deliver -> Node -> Cell (open: activated, checkpoint, fold, resume) -> append -> Mailboxes.send / report
 *
 * Which shards it owns is `Ownership`'s business; what an actor is, the plan's. Nothing here knows an adapter.
 */
import type { Address, EffectId, Shard } from './address.ts';
import type { Cell } from './cell.ts';
import type { CellHost } from './cell/host.ts';
import { type OpeningHost, Openings } from './cell/opening.ts';
import { RunningLeaves } from './cell/running-leaves.ts';
import type { EventObject, Lane } from './effect.ts';
import type { CursorReport, Envelope } from './envelope.ts';
import { errorData, MeshError } from './errors.ts';
import { DEFAULT_LIMITS, type NodeLimits } from './limits.ts';
import type { View } from './logic.ts';
import { type AskOptions, FrontDoor, type SendOptions, type Sent } from './node/front-door.ts';
import { Hooks } from './node/hooks.ts';
import { News, type NodeEvent } from './node/news.ts';
import { Ownership, type OwnershipOptions } from './node/ownership.ts';
import type { NodePlan } from './node/plan.ts';
import { Recoveries } from './node/recoveries.ts';
import { Reservations } from './node/reservations.ts';
import { REST_MS, Resting } from './node/resting.ts';
import { SetAside } from './node/set-aside.ts';
import { ShardNames } from './node/shard-names.ts';
import { Sleepers } from './node/sleepers.ts';
import { type ActorStatus, statusOf, statusOfBroken } from './node/status.ts';
import { Sweeper } from './node/sweeper.ts';
import { Takeovers } from './node/takeovers.ts';
import { Traces } from './node/traces.ts';
import { TrialQueue } from './node/trial-queue.ts';
import { fork, type LossOptions, migrate, remove, reset } from './operator/lifecycle.ts';
import { deflateRecords, inflateRecord } from './payload.ts';
import type { Clock } from './ports/clock.ts';
import type { Directory } from './ports/directory.ts';
import type { Entropy } from './ports/entropy.ts';
import type { BlobStore, EventStore, StoreAdmin } from './ports/event-store.ts';
import type { Mailboxes } from './ports/mailboxes.ts';
import type { Tracer } from './ports/tracer.ts';
import type { InitData, LogRecord, MarkedSend } from './record.ts';
import type { RecoverySource } from './recovery.ts';

export interface NodeOptions {
  readonly name: string;
  readonly plan: NodePlan;
  readonly store: EventStore;
  readonly blobs?: BlobStore;
  readonly directory: Directory;
  readonly mailboxes: Mailboxes;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly tracer?: Tracer;
  readonly limits?: Partial<NodeLimits>;
  readonly ownership?: Partial<OwnershipOptions>;
  readonly groups?: readonly string[];
  readonly endpoint?: string;
  /** What one of these three throws is told once as `node.hook_failed`, and changes nothing. */
  readonly onEvent?: (event: NodeEvent) => void;
  /** Records as they become durable, for followers. */
  readonly onRecords?: (actor: Address, records: readonly LogRecord[]) => void;
  readonly onEmitted?: (actor: Address, event: EventObject) => void;
}

/** ms after a stop in which leaves may end what is theirs: a process that does not go when it is asked to takes four seconds. */
const LEAVING_MS = 6_000;
const REOPEN_MS = 1_000;
/** A broker that keeps a copy sends it again itself. */
const CUSTODY_MS = 30_000;

export class Node implements OpeningHost {
  readonly node: string;
  readonly store: EventStore;
  readonly clock: Clock;
  readonly limits: NodeLimits;
  readonly horizonMs: number;
  readonly plan: NodePlan;
  readonly news: News;
  readonly traces: Traces;
  readonly deflate: CellHost['deflate'];
  readonly custodyMs: number;
  readonly openingMax: number;
  readonly recovery: RecoverySource;
  readonly leaves: RunningLeaves;
  readonly cells = new Map<Address, Cell>();
  readonly ownership: Ownership;
  private readonly options: NodeOptions;
  private readonly openings = new Openings(this);
  private readonly door: FrontDoor;
  private readonly recoveries: Recoveries;
  private readonly takeovers: Takeovers;
  private readonly setAside: SetAside;
  private readonly reservations: Reservations;
  private readonly sweeper: Sweeper;
  private readonly sleepers: Sleepers;
  private readonly resting: Resting;
  private readonly shardNames: ShardNames;
  private readySet = new Set<Cell>();
  private pumping = false;
  private readonly waitingForSession: (() => void)[] = [];
  readonly trials = new TrialQueue((cell) => this.ready(cell));
  stopping = false;
  private clean = true;

  constructor(options: NodeOptions) {
    this.options = options;
    this.node = options.name;
    this.plan = options.plan;
    this.store = options.store;
    this.clock = options.clock;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.horizonMs = options.plan.horizonMs;
    this.news = new News(options.name, new Hooks(options));
    this.traces = new Traces(options.tracer, options.plan);
    const { blobs } = options;
    this.deflate = blobs === undefined ? undefined : (records) => deflateRecords(records, blobs);
    this.custodyMs = options.mailboxes.custody ? CUSTODY_MS : 0;
    this.leaves = new RunningLeaves(options.clock);
    this.openingMax = this.limits.opening;
    this.recovery = {
      store: this.store,
      logicOf: (name, at) => this.plan.logicOf(name, at),
      inflate: (record) => inflateRecord(record, blobs),
    };
    this.shardNames = new ShardNames(options.plan);
    this.setAside = new SetAside(this.news);
    this.reservations = new Reservations(this);
    this.recoveries = new Recoveries(this.limits.recoveries, (address) => this.recover(address));
    this.sleepers = new Sleepers(this.clock, (address) => void this.recoveries.open(address));
    this.takeovers = new Takeovers(this, this.recoveries);
    this.sweeper = new Sweeper({
      clock: this.clock,
      cells: this.cells,
      passivateAfterMs: (address) => this.plan.passivateAfterMs(address),
      passivate: (cell) => void this.passivate(cell),
      clockJumped: (ms) => this.clockJumped(ms),
    });
    this.resting = new Resting({
      clock: this.clock,
      cells: this.cells,
      aloneMs: this.limits.ordersMs,
      sleep: (ms) => this.sleep(ms),
      putAway: (cell, wakeAt) => this.putAway(cell, wakeAt),
      open: (address) => this.recoveries.open(address),
    });
    this.door = new FrontDoor(this, this.plan, options.entropy, this.limits.payloadBytes);
    this.ownership = new Ownership({
      node: options.name,
      store: options.store,
      directory: options.directory,
      clock: options.clock,
      entropy: options.entropy,
      groups: options.groups ?? ['default'],
      shards: options.plan.shards,
      endpoint: options.endpoint ?? '',
      ...options.ownership,
      claimed: (shard, epoch) => this.takeovers.begin(shard, epoch),
      lost: (shard, reason) => this.takeovers.end(shard, reason),
      renewed: () => this.goOn(),
      stalled: (error) => this.news.directory(error),
      skewed: (offsetMs) => this.news.skewed(offsetMs),
      sessionEnded: () => {
        this.waitingForSession.length = 0;
        this.news.tell({ type: 'node.session_ended', node: this.node });
      },
    });
  }

  // ---- life --------------------------------------------------------------------------------------------------------

  /** Resolves when the shards that fall to this node are claimed and their dirty actors are recovered. Throws SHARD_COUNT_CHANGED, HORIZON_CHANGED, STORE_*. */
  async start(): Promise<void> {
    const { directory } = this.options;
    const shards = await directory.constant('shards', String(this.plan.shards));
    if (shards !== String(this.plan.shards))
      throw new MeshError('SHARD_COUNT_CHANGED', `the store was made with ${shards} shards, the plan has ${this.plan.shards}`);
    // Longer: a cursor that the shorter one let go would let a copy in again. Shorter: what is on its way would be forgotten.
    const horizonMs = await directory.constant('horizonMs', String(this.horizonMs));
    if (horizonMs !== String(this.horizonMs))
      throw new MeshError(
        'HORIZON_CHANGED',
        `the store was made with a horizon of ${horizonMs}ms, the plan has ${this.horizonMs}ms`,
      );
    await this.options.mailboxes.start();
    await this.ownership.start();
    this.sweeper.start();
    this.news.tell({ type: 'node.started', node: this.node, shards: this.ownership.held().length });
  }

  /** Stops intake, lets appends finish, saves checkpoints, ends what runs in this process, releases the shards. */
  async stop(deadlineMs = 10_000): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    this.news.tell({ type: 'node.stopping', node: this.node });
    this.sweeper.stop();
    this.sleepers.stop();
    const until = this.clock.monotonic() + deadlineMs;
    // Calls that are under way may finish; one that does not is in doubt for the next run, and follows its policy.
    while (this.leaves.finite > 0 && this.clock.monotonic() < until) await this.sleep(10);
    // All at once, so that their last checkpoints share commits.
    const atRest = async (cell: Cell): Promise<void> => {
      while (!(await cell.rest()) && this.clock.monotonic() < until) await this.sleep(REST_MS);
    };
    await Promise.all([...this.cells.values()].map(atRest));
    await this.leavesGone();
    this.door.close();
    await this.ownership.stop();
    await this.options.mailboxes.stop();
    this.news.tell({ type: 'node.stopped', node: this.node });
  }

  /** Also those of cells that came to no rest. Before the shards go: who owns them next starts its own. */
  private async leavesGone(): Promise<void> {
    this.leaves.stopAll();
    const until = this.clock.monotonic() + LEAVING_MS;
    while (this.leaves.leaving > 0 && this.clock.monotonic() < until) await this.sleep(10);
  }

  /** As a crash would leave it: nothing is written, nothing is told. For tests and simulations. */
  crash(): void {
    this.stopping = true;
    this.clean = false;
    this.sweeper.stop();
    this.sleepers.stop();
    this.ownership.crash();
    for (const cell of [...this.cells.values()]) cell.close('crash');
    this.cells.clear();
    this.leaves.stopAll();
    this.door.close();
    void this.options.mailboxes.stop();
  }

  // ---- doors -------------------------------------------------------------------------------------------------------

  /**
   * An event from outside (`internal`: from the mesh itself, reserved types allowed). Resolves with the seq at which it is durable; the
   * same id again gives the same answer.
   *
   * Throws ADDRESS_INVALID, EVENT_REJECTED, STEP_FAILED, BUSY, ACTOR_NOT_FOUND, ACTOR_STOPPED, ACTOR_PARKED, PAYLOAD_TOO_LARGE, NOT_OWNER,
   * NODE_STOPPING; STORE_FULL and STORE_UNAVAILABLE when the store takes nothing for some seconds: the message may yet be taken.
   */
  send(to: Address, event: EventObject, options: SendOptions & { readonly internal?: Lane } = {}): Promise<Sent> {
    return this.door.send(to, event, options);
  }

  /** Throws what `send` throws, ASK_TIMEOUT, and USAGE for a limit that is no positive number. Resolves with the reply event. */
  async ask(to: Address, event: EventObject, options: AskOptions = {}): Promise<EventObject> {
    return this.door.ask(to, event, options);
  }

  /** The open cell of an address. Throws what keeps it from being opened. */
  async cellAt(address: Address, first?: Envelope): Promise<Cell> {
    const cell = this.cells.get(address);
    if (cell !== undefined) return cell;
    const broken = this.setAside.why(address);
    if (broken !== undefined) throw broken;
    if (this.reservations.has(address)) throw new MeshError('NOT_OWNER', `${address} is being changed by a person`);
    return this.openings.cell(address, first);
  }

  // ---- delivery ----------------------------------------------------------------------------------------------------

  private deliver(e: Envelope): void {
    if (this.stopping) return;
    const cell = this.cells.get(e.to);
    if (cell !== undefined) return void cell.offer(e);
    if (this.setAside.why(e.to) !== undefined || this.reservations.has(e.to) || this.epochOf(e.shard) < 0) return;
    this.openings.deliver(e);
  }

  opened(cell: Cell, recovered: { readonly head: number; readonly changed: boolean } | undefined): void {
    this.sleepers.delete(cell.address);
    this.shardNames.forget(cell.address);
    // Of one that could not be opened before, it is news in any case.
    if (recovered === undefined && !this.setAside.isPardoned(cell.address)) return;
    const { head, changed } = recovered ?? { head: cell.durableHead, changed: false };
    this.news.tell({ type: 'actor.recovered', actor: cell.address, head, ...(changed && { changed }) });
  }

  failed(address: Address, failure: MeshError): void {
    if (!failure.retryable) return this.setAside.add(address, failure);
    if (this.epochOf(this.shardOf(address)) < 0) return;
    // What waits there must not be forgotten. That it was fenced proves nothing: an append of the cell before may have moved the head.
    this.sleepers.set(address, this.clock.now() + REOPEN_MS);
  }

  // ---- shards ------------------------------------------------------------------------------------------------------

  holds(shard: Shard, epoch: number): boolean {
    return this.epochOf(shard) === epoch && !this.stopping;
  }

  receive(shard: Shard, epoch: number): Promise<{ close(): Promise<void> }> {
    return this.options.mailboxes.open(shard, epoch, {
      deliver: (e) => this.deliver(e),
      report: (r) => this.heard(r),
    });
  }

  /** What keeps it from being opened is told where that is found out. */
  async recover(address: Address): Promise<void> {
    if (!this.stopping && this.epochOf(this.shardOf(address)) >= 0) await this.cellAt(address).catch(() => undefined);
  }

  private heard(report: CursorReport): void {
    this.cells.get(report.from)?.report(report);
  }

  // ---- rest and wake -----------------------------------------------------------------------------------------------

  private clockJumped(ms: number): void {
    this.news.tell({ type: 'node.clock_jumped', node: this.node, ms: Math.round(ms) });
    for (const cell of this.cells.values()) cell.clockJumped(ms);
    this.sleepers.clockJumped(ms);
  }
  sleepUntil(address: Address, wakeAt: number): void {
    this.sleepers.set(address, wakeAt);
  }

  /** Puts an idle actor away: to nothing but its log, and the time of its next wake. */
  async passivate(cell: Cell): Promise<boolean> {
    const { wakeAt } = cell;
    if (!(await cell.passivate())) return false;
    this.putAway(cell, wakeAt);
    return true;
  }

  private putAway({ address }: Cell, wakeAt: number | undefined): void {
    this.cells.delete(address);
    if (wakeAt !== undefined) this.sleepers.set(address, wakeAt);
    this.news.tell({ type: 'actor.passivated', actor: address });
  }

  // ---- what cells need ---------------------------------------------------------------------------------------------

  ready(cell: Cell): void {
    this.readySet.add(cell);
    if (this.pumping) return;
    this.pumping = true;
    this.clock.soon(() => this.pumpAll());
  }

  private pumpAll(): void {
    this.pumping = false;
    const ready = this.readySet;
    this.readySet = new Set();
    for (const cell of ready) cell.pump();
  }

  mayAct(cell: Pick<Cell, 'stream' | 'epoch'>): boolean {
    return this.ownership.mayAct(cell.stream.shard, cell.epoch);
  }
  epochOf(shard: Shard): number {
    return this.ownership.epochOf(shard);
  }
  shardOf(address: Address): Shard {
    return this.cells.get(address)?.stream.shard ?? this.shardNames.of(address);
  }
  transmit(envelope: Envelope): void {
    void this.options.mailboxes.send(envelope);
  }
  report(report: CursorReport): void {
    this.options.mailboxes.report(report);
  }
  replied(id: EffectId, event: EventObject): void {
    this.door.replied(id, event);
  }
  isPardoned(address: Address): boolean {
    return this.setAside.isPardoned(address);
  }
  uncleanSince(shard: Shard): number | undefined {
    return this.ownership.uncleanSince(shard);
  }
  crashed(cell: Cell, error: unknown): void {
    this.news.tell({ type: 'actor.crashed', actor: cell.address, error: errorData(error) });
    this.setAside.brokeDown(cell, error);
  }
  dropped(cell: Cell, reason: string): void {
    if (this.cells.get(cell.address) === cell) this.cells.delete(cell.address);
    this.news.tell({ type: 'actor.dropped', actor: cell.address, reason });
    // The claim may still be ours: it is opened again from the store.
    if (this.clean && !this.stopping && this.epochOf(cell.stream.shard) >= 0)
      void this.sleep(10).then(() => this.recoveries.open(cell.address));
  }
  restBelow(kind: Address, deadlineMs: number, answer: MarkedSend): void {
    const answered = this.resting.stop(kind, deadlineMs).then(async () => (await this.cellAt(kind)).sendByHand([answer]));
    // Its shard went meanwhile: whoever waits for the answer has a deadline.
    void answered.catch(() => undefined);
  }
  wakeBelow(kind: Address): void {
    this.resting.start(kind);
  }
  whenRegained(fn: () => void): void {
    this.waitingForSession.push(fn);
  }
  private goOn(): void {
    for (const fn of this.waitingForSession.splice(0)) {
      try {
        fn();
      } catch (error) {
        // A bug of ours in one of them must not keep the others waiting.
        this.news.tell({ type: 'node.failed', node: this.node, error: errorData(error) });
      }
    }
  }
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.after(ms, resolve);
    });
  }

  // ---- for people --------------------------------------------------------------------------------------------------

  status(address: Address): ActorStatus | undefined {
    const broken = this.setAside.why(address);
    if (broken !== undefined) return statusOfBroken(address, broken);
    const cell = this.cells.get(address);
    return cell === undefined ? undefined : statusOf(cell, this.clock.now());
  }

  /** Every actor that is in memory, and those that cannot be opened. */
  live(): ActorStatus[] {
    return [...new Set([...this.cells.keys(), ...this.setAside.addresses()])].flatMap((address) => this.status(address) ?? []);
  }

  /** Puts the actor away and takes it up again from its log: with new code, or after a person has changed something. */
  async reopen(address: Address): Promise<void> {
    await this.reservations.alone(address, () => Promise.resolve(0));
  }

  /** Lets what could not be opened be tried again (after a migration, a reset, new code). */
  forget(address: Address): void {
    this.setAside.forget(address);
  }

  /** A new life from the same input; the old log stays below it. Throws CHECKPOINT_INCOMPATIBLE when it needs `old` or `acceptLoss`. */
  reset(address: Address, options: LossOptions = {}): Promise<number> {
    return this.reservations.alone(address, (ctx, stream) => reset(ctx, stream, options));
  }
  /** Goes on in the new chart from a migrated snapshot. */
  migrate(address: Address, snapshotOf: Parameters<typeof migrate>[2], options: LossOptions = {}): Promise<number> {
    return this.reservations.alone(address, (ctx, stream) => migrate(ctx, stream, snapshotOf, options));
  }
  /** A new actor at `target`, from a persisted snapshot of another. */
  fork(target: Address, persisted: unknown, init: InitData): Promise<number> {
    return this.reservations.alone(target, (ctx, stream) => fork(ctx, stream, persisted, init));
  }
  /** Removes the log of an actor and leaves a tombstone. Returns how many records went. */
  remove(address: Address, admin: StoreAdmin, options: LossOptions = {}): Promise<number> {
    return this.reservations.alone(address, (ctx, stream) => remove({ ...ctx, admin }, stream, options));
  }

  async view(address: Address): Promise<View> {
    return (await this.cellAt(address)).view();
  }
}
