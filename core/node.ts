/**
 * One node of a mesh: it owns shards, opens cells for the actors in them, and carries messages to and from them.
 *
 *   Mailboxes.deliver -> Node -> Cell (open: activated, checkpoint, fold, resume) -> append -> Mailboxes.send / report
 *
 * Which shards it owns is `Ownership`'s business; what an actor is, the plan's. Nothing here knows an adapter.
 */
import { type Address, type EffectId, type Shard, shardOf, topOf } from './address.ts';
import type { Cell } from './cell.ts';
import { type OpeningHost, Openings } from './cell/opening.ts';
import type { CellHost } from './cell/host.ts';
import type { EventObject, Lane } from './effect.ts';
import type { CursorReport, Envelope } from './envelope.ts';
import { type ErrorCode, errorData, MeshError } from './errors.ts';
import { type AskOptions, FrontDoor, type SendOptions, type Sent } from './node/front-door.ts';
import { Hooks } from './node/hooks.ts';
import { DEFAULT_LIMITS, type NodeLimits } from './limits.ts';
import type { Logic, View } from './logic.ts';
import { fork, type LifecycleContext, type LossOptions, migrate, remove, reset } from './operator/lifecycle.ts';
import { Ownership, type OwnershipOptions } from './node/ownership.ts';
import { deflateRecords, inflateRecord } from './payload.ts';
import { Recoveries } from './node/recoveries.ts';
import type { Clock } from './ports/clock.ts';
import type { Directory } from './ports/directory.ts';
import type { Entropy } from './ports/entropy.ts';
import type { BlobStore, EventStore, StoreAdmin, StreamId, StreamState } from './ports/event-store.ts';
import type { Mailboxes } from './ports/mailboxes.ts';
import type { Tracer } from './ports/tracer.ts';
import type { RecoverySource } from './recovery.ts';
import type { InitData, LogRecord, MarkedSend } from './record.ts';
import { RunningLeaves } from './cell/running-leaves.ts';
import { Traces } from './node/traces.ts';
import { Resting } from './node/resting.ts';
import { Sleepers } from './node/sleepers.ts';
import { TrialQueue } from './node/trial-queue.ts';

/** How an actor that has no stream yet is born by a message. */
export interface Birth {
  readonly logic: string;
  readonly input: unknown;
  readonly supervisor?: InitData['supervisor'];
}

/** What the node knows of the actors: made from the mesh file by `config/plan.ts`, or by hand in tests. */
export interface NodePlan {
  readonly shards: number;
  readonly horizonMs: number;
  /** Throws LOGIC_NOT_FOUND. */
  logicOf(name: string, address: Address): Logic;
  groupOf(top: Address): string;
  /** The address with its keys left out: a name of few values, for traces. */
  templateOf(address: Address): string;
  /** Somebody starts this address: what comes before that waits. */
  isSupervised(address: Address): boolean;
  /** Throws EVENT_REJECTED when the message does not pass the schema. Undefined: messages do not create this address. */
  birth(address: Address, event: EventObject): Birth | undefined;
  /** Checks an event from outside. Throws EVENT_REJECTED. */
  admit(address: Address, event: EventObject): void;
  passivateAfterMs(address: Address): number;
  /** Messages a lane of its mailbox holds; undefined: as the node's limits say. */
  mailboxMax(address: Address): number | undefined;
  retriesOf(address: Address): boolean;
  atMostOnce(address: Address, action: string): boolean;
}

/** What a node tells the outside: lines of a log, never truth. */
export interface NodeEvent {
  readonly type:
    | 'node.started'
    | 'node.stopping'
    | 'node.stopped'
    | 'node.session_ended'
    | 'node.clock_skew'
    | 'node.clock_jumped'
    | 'node.hook_failed'
    | 'node.failed'
    | 'directory.stalled'
    | 'directory.answers'
    | 'shard.claimed'
    | 'shard.released'
    | 'shard.stalled'
    | 'actor.started'
    | 'actor.recovered'
    | 'actor.failed'
    | 'actor.parked'
    | 'actor.ended'
    | 'actor.passivated'
    | 'actor.dropped'
    | 'actor.crashed'
    | 'actor.checkpoint_failed'
    | 'actor.log'
    | 'actor.in_doubt'
    | 'actor.dead_letter'
    | 'store.stalled'
    | 'telemetry.stalled'
    | 'telemetry.answers';
  readonly actor?: Address;
  readonly [key: string]: unknown;
}

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

/** Breakdowns of an actor at one head after which it is left alone. */
const BREAKDOWNS_MAX = 3;
const REOPEN_MS = 1_000;
/** Idle for so long, a cell keeps only what it must. */
const SLIM_MS = 1_000;
/** Of the wall clock, against the monotonic one. It is slewed by less. */
const JUMP_MS = 1_000;
const PAUSE_MIN_MS = 50;
const PAUSE_MAX_MS = 2_000;
/** How often, and every how many ms, a cell that a person changes is asked to come to rest. */
const RESTS_MAX = 200;
const REST_MS = 5;

/** ms after a stop in which leaves may end what is theirs: a process that does not go when it is asked to takes four seconds. */
const LEAVING_MS = 6_000;
/** A broker that keeps a copy sends it again itself. */
const CUSTODY_MS = 30_000;

export interface ActorStatus {
  readonly address: Address;
  readonly phase: 'running' | 'waiting' | 'parked' | 'failed' | 'ended' | 'passive' | 'opening' | 'gone';
  readonly head: number;
  readonly mailbox: number;
  /** ms that the oldest message has waited. */
  readonly oldestMs?: number;
  /** Why it is parked, or what it ended with. */
  readonly reason?: string;
  /** Of the error that keeps it from being opened; `reason` is its message. */
  readonly code?: ErrorCode;
  readonly state?: unknown;
  readonly dead?: number;
  readonly inDoubt?: readonly string[];
}

export class Node implements OpeningHost {
  readonly node: string;
  readonly store: EventStore;
  readonly clock: Clock;
  readonly limits: NodeLimits;
  readonly horizonMs: number;
  readonly traces: Traces;
  readonly deflate: CellHost['deflate'];
  readonly custodyMs: number;
  readonly openingMax: number;
  readonly recovery: RecoverySource;
  readonly leaves: RunningLeaves;
  readonly cells = new Map<Address, Cell>();
  readonly ownership: Ownership;
  private readonly options: NodeOptions;
  private readonly plan: NodePlan;
  private readonly openings = new Openings(this);
  private readonly door: FrontDoor;
  private readonly hooks: Hooks;
  private readonly recoveries: Recoveries;
  /** Of those that may have killed a process, one at a time. */
  private readonly suspects: Recoveries;
  /** Actors that cannot be opened: their log does not fit the code, or cannot be read. */
  private readonly unopenable = new Map<Address, MeshError>();
  /** Actors that a person is changing: no cell may be opened meanwhile. */
  private readonly reserved = new Set<Address>();
  private readonly sleepers: Sleepers;
  private readonly resting: Resting;
  private readonly receivers = new Map<Shard, { close(): Promise<void> }>();
  private readonly shardNames = new Map<Address, Shard>();
  private readonly shards = new Map<Shard, Shard>();
  private readySet = new Set<Cell>();
  private pumping = false;
  private sweeper: (() => void) | undefined;
  /** ms by which the wall clock is ahead of the monotonic one. */
  private lead: number;
  private readonly waitingForSession: (() => void)[] = [];
  readonly trials = new TrialQueue((cell) => this.ready(cell));
  /** Where an actor's cell broke down, and how often at that head. */
  private readonly breakdowns = new Map<Address, { readonly head: number; times: number }>();
  stopping = false;
  private clean = true;

  constructor(options: NodeOptions) {
    this.options = options;
    this.node = options.name;
    this.plan = options.plan;
    this.store = options.store;
    this.clock = options.clock;
    this.lead = this.clock.now() - this.clock.monotonic();
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.horizonMs = options.plan.horizonMs;
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
    this.hooks = new Hooks(options);
    const recover = (address: Address): Promise<void> => this.recover(address);
    this.recoveries = new Recoveries(this.limits.recoveries, recover);
    this.suspects = new Recoveries(1, recover);
    this.sleepers = new Sleepers(this.clock, (address) => void this.recoveries.open(address));
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
      claimed: (shard, epoch) => this.takeOver(shard, epoch),
      lost: (shard, reason) => this.dropShard(shard, reason),
      renewed: () => this.goOn(),
      stalled: (error) => {
        if (error === undefined) this.say({ type: 'directory.answers', node: this.node });
        else this.say({ type: 'directory.stalled', node: this.node, code: error.code, error: error.message });
      },
      skewed: (offsetMs) => {
        const error = new MeshError('CLOCK_SKEW', `the clock of ${this.node} is ${-offsetMs} ms ahead of that of the store`);
        this.say({
          type: 'node.clock_skew',
          node: this.node,
          offsetMs,
          ...(offsetMs !== 0 && { code: error.code, error: error.message }),
        });
      },
      sessionEnded: () => {
        this.waitingForSession.length = 0;
        this.say({ type: 'node.session_ended', node: this.node });
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
    this.sweep();
    this.say({ type: 'node.started', node: this.node, shards: this.ownership.held().length });
  }

  /** Stops intake, lets appends finish, saves checkpoints, ends what runs in this process, releases the shards. */
  async stop(deadlineMs = 10_000): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    this.say({ type: 'node.stopping', node: this.node });
    this.sweeper?.();
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
    await this.ownership.stop();
    await this.options.mailboxes.stop();
    this.say({ type: 'node.stopped', node: this.node });
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
    this.sweeper?.();
    this.sleepers.stop();
    this.ownership.crash();
    for (const cell of [...this.cells.values()]) cell.close('crash');
    this.cells.clear();
    this.leaves.stopAll();
    void this.options.mailboxes.stop();
  }

  // ---- doors -------------------------------------------------------------------------------------------------------

  /**
   * An event from outside (`internal`: from the mesh itself, reserved types allowed). Resolves with the seq at which it is durable; the
   * same id again gives the same answer.
   *
   * Throws EVENT_REJECTED, BUSY, ACTOR_NOT_FOUND, ACTOR_STOPPED, ACTOR_PARKED, PAYLOAD_TOO_LARGE, NOT_OWNER, NODE_STOPPING.
   */
  send(to: Address, event: EventObject, options: SendOptions & { readonly internal?: Lane } = {}): Promise<Sent> {
    return this.door.send(to, event, options);
  }

  /** Throws what `send` throws, and ASK_TIMEOUT. Resolves with the reply event. */
  async ask(to: Address, event: EventObject, options: AskOptions = {}): Promise<EventObject> {
    return this.door.ask(to, event, options);
  }

  /** The open cell of an address. Throws what keeps it from being opened. */
  async cellAt(address: Address, first?: Envelope): Promise<Cell> {
    const cell = this.cells.get(address);
    if (cell !== undefined) return cell;
    const broken = this.unopenable.get(address);
    if (broken !== undefined) throw broken;
    if (this.reserved.has(address)) throw new MeshError('NOT_OWNER', `${address} is being changed by a person`);
    return this.openings.cell(address, first);
  }

  // ---- delivery ----------------------------------------------------------------------------------------------------

  private deliver(e: Envelope): void {
    if (this.stopping) return;
    const cell = this.cells.get(e.to);
    if (cell !== undefined) return void cell.offer(e);
    if (this.unopenable.has(e.to) || this.reserved.has(e.to) || this.epochOf(e.shard) < 0) return;
    this.openings.deliver(e);
  }

  opened(cell: Cell, recovered: { readonly head: number; readonly changed: boolean } | undefined): void {
    this.sleepers.delete(cell.address);
    this.shardNames.delete(cell.address);
    if (recovered === undefined) return;
    const { head, changed } = recovered;
    this.say({ type: 'actor.recovered', actor: cell.address, head, ...(changed && { changed }) });
  }

  failed(address: Address, failure: MeshError): void {
    if (!failure.retryable) return this.setAside(address, failure);
    if (this.epochOf(this.shardOf(address)) < 0) return;
    // What waits there must not be forgotten. That it was fenced proves nothing: an append of the cell before may have moved the head.
    this.sleepers.set(address, this.clock.now() + REOPEN_MS);
  }

  /** It cannot be run until a person has changed something: it counts as parked. */
  private setAside(address: Address, failure: MeshError): void {
    this.unopenable.set(address, failure);
    this.say({ type: 'actor.parked', actor: address, code: failure.code, reason: failure.message });
  }

  // ---- shards ------------------------------------------------------------------------------------------------------

  private async takeOver(shard: Shard, epoch: number): Promise<void> {
    // Again until it is done or the shard goes: a claim without its receiver and its actors would keep them from every node.
    for (let pause = PAUSE_MIN_MS; this.holds(shard, epoch); pause = Math.min(2 * pause, PAUSE_MAX_MS)) {
      try {
        await this.receive(shard, epoch);
        return await this.recoverShard(shard, epoch);
      } catch (error) {
        this.say({ type: 'shard.stalled', shard, error: errorData(error).message });
        await this.sleep(pause);
      }
    }
  }

  private holds(shard: Shard, epoch: number): boolean {
    return this.epochOf(shard) === epoch && !this.stopping;
  }

  /** Makes this node the receiver of the shard, once. */
  private async receive(shard: Shard, epoch: number): Promise<void> {
    if (this.receivers.has(shard)) return;
    const receiver = await this.options.mailboxes.open(shard, epoch, {
      deliver: (e) => this.deliver(e),
      report: (r) => this.heard(r),
    });
    // The shard may have gone meanwhile, and nobody would close it.
    if (this.holds(shard, epoch)) this.receivers.set(shard, receiver);
    else await receiver.close();
  }

  private async recoverShard(shard: Shard, epoch: number): Promise<void> {
    const dirty: StreamState[] = [];
    for await (const stream of this.store.streams(shard)) {
      if (stream.dirty) dirty.push(stream);
      else if (stream.wakeAt !== undefined) this.sleepers.set(stream.actor, stream.wakeAt);
    }
    this.say({ type: 'shard.claimed', shard, epoch, dirty: dirty.length });
    const struck = new Set<StreamState>();
    for (const stream of dirty) if (await this.looksStruck(stream)) struck.add(stream);
    await this.recoveries.all(dirty.filter((s) => !struck.has(s)).map((s) => s.actor));
    // Those that may have killed a process come last.
    await this.suspects.all(Array.from(struck, (s) => s.actor));
  }

  private async looksStruck(stream: StreamState): Promise<boolean> {
    for await (const record of this.store.read(stream, stream.head, stream.head))
      return record.kind === 'activated' && record.reason !== 'restart';
    return false;
  }

  /** What keeps it from being opened is told where that is found out. */
  private async recover(address: Address): Promise<void> {
    if (!this.stopping && this.epochOf(this.shardOf(address)) >= 0) await this.cellAt(address).catch(() => undefined);
  }

  private dropShard(shard: Shard, reason: string): void {
    void this.receivers
      .get(shard)
      ?.close()
      .catch(() => undefined);
    this.receivers.delete(shard);
    for (const cell of [...this.cells.values()]) if (cell.stream.shard === shard) cell.close(reason);
    this.say({ type: 'shard.released', shard, reason });
  }

  private heard(report: CursorReport): void {
    this.cells.get(report.from)?.report(report);
  }

  // ---- rest and wake -----------------------------------------------------------------------------------------------

  private sweep(): void {
    this.sweeper = this.clock.after(1_000, () => {
      const now = this.clock.now();
      this.watchClock(now - this.clock.monotonic());
      for (const cell of this.cells.values()) {
        if (!cell.idle) continue;
        if (now - cell.movedAt >= this.plan.passivateAfterMs(cell.address)) void this.passivate(cell);
        else if (now - cell.movedAt >= SLIM_MS) cell.slim();
      }
      this.sweep();
    });
  }

  /**
   * Timers were set in monotonic time, for instants of a wall clock that may have jumped since: by hand, by NTP, or because the machine
   * was suspended. `lead`: ms by which the wall clock is ahead.
   */
  private watchClock(lead: number): void {
    const ms = lead - this.lead;
    this.lead = lead;
    if (Math.abs(ms) < JUMP_MS) return;
    this.say({ type: 'node.clock_jumped', node: this.node, ms: Math.round(ms) });
    for (const cell of this.cells.values()) cell.clockJumped(ms);
    this.sleepers.clockJumped(ms);
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
    this.say({ type: 'actor.passivated', actor: address });
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
    const known = this.cells.get(address)?.stream.shard ?? this.shardNames.get(address);
    if (known !== undefined) return known;
    const name = shardOf(this.plan.groupOf(topOf(address)), address, this.plan.shards);
    // One text for all actors of a shard.
    const shard = this.shards.get(name) ?? name;
    this.shards.set(shard, shard);
    if (this.shardNames.size > 100_000) this.shardNames.clear();
    this.shardNames.set(address, shard);
    return shard;
  }
  logicOf(name: string, address: Address): Logic {
    return this.plan.logicOf(name, address);
  }
  isSupervised(address: Address): boolean {
    return this.plan.isSupervised(address);
  }
  birth(address: Address, event: EventObject): Birth | undefined {
    return this.plan.birth(address, event);
  }
  retriesOf(address: Address): boolean {
    return this.plan.retriesOf(address);
  }
  atMostOnce(address: Address, action: string): boolean {
    return this.plan.atMostOnce(address, action);
  }
  transmit(envelope: Envelope): void {
    void this.options.mailboxes.send(envelope);
  }
  report(report: CursorReport): void {
    this.options.mailboxes.report(report);
  }
  appended(cell: Cell, records: readonly LogRecord[]): void {
    this.hooks.records(cell.address, records);
    if (!this.hooks.areHeard) return;
    for (const record of records) this.tell(cell, record);
  }
  private tell(cell: Cell, record: LogRecord): void {
    const actor = cell.address;
    if (record.kind === 'init') this.say({ type: 'actor.started', actor, seq: record.seq, logic: record.init.logic });
    else if (record.kind === 'failed')
      this.say({
        type: record.parked === undefined ? 'actor.failed' : 'actor.parked',
        actor,
        seq: record.seq,
        attempt: record.attempt,
        error: record.error.message,
        reason: record.parked,
      });
    else if (record.kind === 'dead') this.say({ type: 'actor.dead_letter', actor, seq: record.seq, cause: record.cause });
    else if (record.kind === 'event' && cell.actor.tables.status !== 'active' && record.seq === cell.actor.tables.head)
      this.say({ type: 'actor.ended', actor, seq: record.seq, status: cell.actor.tables.status });
  }
  replied(id: EffectId, event: EventObject): void {
    this.door.replied(id, event);
  }
  emitted(cell: Cell, event: EventObject): void {
    this.hooks.emitted(cell.address, event);
  }
  logged(cell: Cell, label: string | undefined, value: unknown): void {
    this.say({ type: 'actor.log', actor: cell.address, seq: cell.durableHead, ...(label !== undefined && { label }), value });
  }
  unclean(shard: Shard): boolean {
    return this.ownership.unclean(shard);
  }
  mailboxMax(address: Address): number {
    return this.plan.mailboxMax(address) ?? this.limits.mailbox;
  }
  stalled(actor: Address, error: unknown): void {
    this.say({ type: 'store.stalled', actor, error: errorData(error).message });
  }
  checkpointFailed(cell: Pick<Cell, 'address' | 'durableHead'>, error: unknown): void {
    const { code, message } = errorData(error);
    this.say({ type: 'actor.checkpoint_failed', actor: cell.address, seq: cell.durableHead, code, reason: message });
  }
  /** A bug of ours, or of a logic: it is opened again from the store, but not for ever. */
  crashed(cell: Cell, error: unknown): void {
    const { address, durableHead: head } = cell;
    this.say({ type: 'actor.crashed', actor: address, error: errorData(error) });
    const known = this.breakdowns.get(address);
    const times = known?.head === head ? known.times + 1 : 1;
    this.breakdowns.set(address, { head, times });
    if (times < BREAKDOWNS_MAX) return;
    this.breakdowns.delete(address);
    this.setAside(
      address,
      new MeshError('INTERNAL', `${address} broke down ${times} times at seq ${head}: ${errorData(error).message}`, {
        cause: error,
      }),
    );
  }
  dropped(cell: Cell, reason: string): void {
    if (this.cells.get(cell.address) === cell) this.cells.delete(cell.address);
    this.say({ type: 'actor.dropped', actor: cell.address, reason });
    // The claim may still be ours: it is opened again from the store.
    if (this.clean && !this.stopping && this.epochOf(cell.stream.shard) >= 0)
      void this.sleep(10).then(() => this.recoveries.open(cell.address));
  }
  inDoubt(cell: Cell, id: EffectId, src: string, input: unknown): void {
    this.say({ type: 'actor.in_doubt', actor: cell.address, effect: id, src, input });
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
        this.say({ type: 'node.failed', node: this.node, error: errorData(error) });
      }
    }
  }
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.after(ms, resolve);
    });
  }
  private say(event: NodeEvent): void {
    this.hooks.event(event);
  }

  // ---- for people --------------------------------------------------------------------------------------------------

  status(address: Address): ActorStatus | undefined {
    const cell = this.cells.get(address);
    const broken = this.unopenable.get(address);
    if (broken !== undefined) return { address, phase: 'parked', head: 0, mailbox: 0, code: broken.code, reason: broken.message };
    if (cell === undefined) return undefined;
    const t = cell.actor.tables;
    const { oldestAt } = cell;
    const phase = cell.phase === 'closed' ? 'opening' : cell.phase;
    return {
      address,
      phase,
      head: cell.durableHead,
      mailbox: cell.waiting,
      // Nobody is shown a state that is on its way to the store.
      ...(t.head === cell.durableHead && { state: cell.view().value }),
      ...(oldestAt !== undefined && { oldestMs: this.clock.now() - oldestAt }),
      ...(t.parked !== undefined && { reason: t.parked.reason }),
      ...(t.error !== undefined && { reason: t.error.message }),
      ...(t.deadCount > 0 && { dead: t.deadCount }),
      ...(cell.inDoubt.length > 0 && { inDoubt: cell.inDoubt }),
    };
  }

  /** Every actor that is in memory, and those that cannot be opened. */
  live(): ActorStatus[] {
    return [...new Set([...this.cells.keys(), ...this.unopenable.keys()])].flatMap((address) => this.status(address) ?? []);
  }

  /** Puts the actor away and takes it up again from its log: with new code, or after a person has changed something. */
  async reopen(address: Address): Promise<void> {
    await this.alone(address, () => Promise.resolve(0));
  }

  /** Lets what could not be opened be tried again (after a migration, a reset, new code). */
  forget(address: Address): void {
    this.unopenable.delete(address);
  }

  /** A new life from the same input; the old log stays below it. Throws CHECKPOINT_INCOMPATIBLE when it needs `old` or `acceptLoss`. */
  reset(address: Address, options: LossOptions = {}): Promise<number> {
    return this.alone(address, (ctx, stream) => reset(ctx, stream, options));
  }
  /** Goes on in the new chart from a migrated snapshot. */
  migrate(address: Address, snapshotOf: Parameters<typeof migrate>[2], options: LossOptions = {}): Promise<number> {
    return this.alone(address, (ctx, stream) => migrate(ctx, stream, snapshotOf, options));
  }
  /** A new actor at `target`, from a persisted snapshot of another. */
  fork(target: Address, persisted: unknown, init: InitData): Promise<number> {
    return this.alone(target, (ctx, stream) => fork(ctx, stream, persisted, init));
  }
  /** Removes the log of an actor and leaves a tombstone. Returns how many records went. */
  remove(address: Address, admin: StoreAdmin, options: LossOptions = {}): Promise<number> {
    return this.alone(address, (ctx, stream) => remove({ ...ctx, admin }, stream, options));
  }

  /** While no cell of the actor is open. */
  private async alone(address: Address, act: (ctx: LifecycleContext, stream: StreamId) => Promise<number>): Promise<number> {
    const shard = this.shardOf(address);
    const epoch = this.epochOf(shard);
    if (epoch < 0) throw new MeshError('NOT_OWNER', `${address} lives in shard ${shard}, which this node does not own`);
    const cell = await this.cellAt(address).catch(() => undefined);
    this.reserved.add(address);
    try {
      for (let i = 0; cell !== undefined && i < RESTS_MAX && !(await cell.rest()); i++) await this.sleep(REST_MS);
      // Busy for ever: what it has not made durable is dropped, as in a crash.
      cell?.close('a person changes it');
      this.cells.delete(address);
      const ctx: LifecycleContext = { ...this.recovery, store: this.store, now: this.clock.now(), node: this.node, epoch };
      const done = await act(ctx, { shard, actor: address });
      // Only now: what could not be opened before would be tried in vain.
      this.forget(address);
      return done;
    } finally {
      this.reserved.delete(address);
      // Also a tombstone: it may have sends that nobody has acknowledged.
      await this.cellAt(address).catch(() => undefined);
    }
  }

  async view(address: Address): Promise<View> {
    return (await this.cellAt(address)).view();
  }
}
