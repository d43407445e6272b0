/**
 * The runtime around one actor. One way through it:
 *
 *   offer -> mailbox -> pump -> intake (dedup, order, via) -> step -> record -> outlet: append, ack, perform
 *
 * The cell holds the actor and writes its log; all else is done by its parts, which only a busy cell has. It may step ahead of an
 * append; nothing leaves it (ack, effect, reply) before the append that holds it is done, and ownership is checked again before
 * anything leaves. A refused append ends the cell: it is opened again from the store.
 */
import type { Address, EffectId } from './address.ts';
import { Checkpoints } from './cell/checkpoints.ts';
import { Doors } from './cell/doors.ts';
import { dueResults, wakeOf } from './cell/due.ts';
import { RETRY_MS } from './cell/failures.ts';
import type { CellHost } from './cell/host.ts';
import type { Item, Result } from './cell/mailbox.ts';
import { begin } from './cell/orders.ts';
import { CellParts } from './cell/parts.ts';
import type { Trial } from './cell/pump.ts';
import type { EventObject } from './effect.ts';
import type { CursorReport, Envelope } from './envelope.ts';
import { errorData, MeshError } from './errors.ts';
import { applyRecord, type Folded, stampOf, UNSTEPPED } from './fold.ts';
import { seal } from './fold/seal.ts';
import { seedOf } from './kernel/determinism.ts';
import type { View } from './logic.ts';
import type { StreamId } from './ports/event-store.ts';
import { catchUp, dueSends, heard, outboxSize, SENDS_MAX } from './protocol/outbox.ts';
import type { ActivatedRecord, DeadCause, LogRecord, MarkedSend, RecordMeta } from './record.ts';
import { NOBODY, type Recovered, sizeOf, viewOf } from './recovery.ts';
import { hasRunningLeaf } from './tables.ts';

/** A record before `seq`, `epoch` and `done` are added. */
type Draft = LogRecord extends infer R ? (R extends LogRecord ? Omit<R, 'v' | 'seq' | 'epoch' | 'done'> : never) : never;

export type Phase = 'running' | 'waiting' | 'parked' | 'failed' | 'ended' | 'closed';

export class Cell {
  readonly stream: StreamId;
  readonly epoch: number;
  actor: Folded;
  closed = false;
  trial: Trial;
  /** ms since 1970 of the last append. */
  movedAt: number;
  private readonly host: CellHost;
  private readonly checkpoints: Checkpoints;
  private parts: CellParts | undefined;
  /** Effects that are known to be done, for the next record. */
  private doneIds: EffectId[] | undefined;
  /** The one timer of this cell. `at`: ms since 1970. */
  private wake: { readonly at: number; cancel(): void } | undefined;

  constructor(host: CellHost, stream: StreamId, epoch: number, recovered: Recovered) {
    const { tables } = recovered.actor;
    this.host = host;
    this.stream = stream;
    this.epoch = epoch;
    this.actor = recovered.actor;
    this.trial = host.uncleanSince(stream.shard) !== undefined && tables.tried !== epoch ? 'owed' : 'over';
    this.checkpoints = new Checkpoints(recovered);
    this.movedAt = host.clock.now();
    if (tables.outbox !== undefined) catchUp(tables.outbox, this.movedAt);
  }

  get address(): Address {
    return this.stream.actor;
  }
  get phase(): Phase {
    if (this.closed) return 'closed';
    const t = this.actor.tables;
    if (t.parked !== undefined) return 'parked';
    if (t.status !== 'active') return t.status === 'error' ? 'failed' : 'ended';
    return this.waits ? 'waiting' : 'running';
  }
  /** It has failed and waits for orders. */
  get waits(): boolean {
    return this.waitsUntil !== undefined;
  }
  /** ms since 1970. */
  get waitsUntil(): number | undefined {
    return this.parts?.failures.waitsUntil;
  }
  /** While it waits for orders or for a person, it takes nothing else. */
  get ordersOnly(): boolean {
    return this.phase === 'waiting' || this.phase === 'parked';
  }
  /** Why the store does not take what it has recorded, for now. */
  get stall(): MeshError | undefined {
    return this.parts?.outlet.stall;
  }
  /** Head that is known to be durable. */
  get durableHead(): number {
    return this.parts === undefined ? this.actor.tables.head : this.parts.outlet.journal.durable;
  }
  /** Messages that wait. */
  get waiting(): number {
    return this.parts === undefined ? 0 : this.parts.mailbox.size;
  }
  /** ms since 1970 of the oldest message that nobody has taken; undefined: none waits. */
  get oldestAt(): number | undefined {
    return this.parts?.mailbox.oldestAt;
  }
  /** The ownership check at the start of each ack and effect. */
  get mayAct(): boolean {
    return this.host.mayAct(this);
  }
  /** Its parts; they are made when it has something to do. */
  get busy(): CellParts {
    return (this.parts ??= new CellParts(this.host, this));
  }
  view(): View {
    return viewOf(this.actor) ?? NOBODY.view(undefined);
  }

  // ---- in ----------------------------------------------------------------------------------------------------------

  /** False: the lane is full (the sender keeps the message), or the cell is closed. */
  offer(envelope: Envelope): boolean {
    const now = this.host.clock.now();
    const { remaining } = envelope;
    const e = remaining === undefined ? envelope : { ...envelope, until: now + remaining };
    if (this.closed || !this.busy.mailbox.offer(e, now)) return false;
    this.ready();
    return true;
  }

  /** From the door: resolves with the seq at which the message is durable. Rejects with BUSY, ACTOR_STOPPED, ACTOR_PARKED, STEP_FAILED, STORE_*, NOT_OWNER. */
  door(envelope: Envelope): Promise<number> {
    if (this.closed) return Promise.reject(new MeshError('NOT_OWNER', `${this.address} moved`));
    const { parked } = this.actor.tables;
    if (parked !== undefined) return Promise.reject(new MeshError('ACTOR_PARKED', `${this.address} is parked: ${parked.reason}`));
    const { mailbox, outlet } = this.busy;
    if (outlet.keepsOut !== undefined) return Promise.reject(outlet.keepsOut);
    if (!mailbox.offer(envelope, this.host.clock.now()))
      return Promise.reject(new MeshError('BUSY', `${this.address} has ${this.waiting} messages waiting`));
    this.ready();
    return (outlet.doors ??= new Doors()).wait(envelope.id);
  }

  result(result: Result): void {
    if (this.closed) return;
    this.busy.mailbox.offerResult(result, this.host.clock.now());
    this.ready();
  }
  /** One more of a leaf that goes on. False: nobody takes them as fast as it sends. */
  more(result: Result): boolean {
    if (this.closed) return true;
    if (this.busy.mailbox.isFullOfResults) return false;
    this.result(result);
    return true;
  }

  /** The receiver's durable log has got this far. */
  report(report: CursorReport): void {
    const { outbox } = this.actor.tables;
    if (this.closed || outbox === undefined) return;
    for (const send of heard(outbox, report.to, report.lane, report.upTo)) this.done(send.id);
  }

  /** An effect is known to be done; the next record says so. */
  done(id: EffectId): void {
    this.actor.tables.actions?.delete(id);
    if (this.doneIds === undefined) this.doneIds = [id];
    else this.doneIds.push(id);
  }

  // ---- steps and records -------------------------------------------------------------------------------------------

  /** It has something to do: its node calls `pump`, once a turn. */
  ready(): void {
    this.host.ready(this);
  }
  pump(): void {
    if (!this.closed) this.busy.pump.run();
  }

  step(event: EventObject, meta: RecordMeta, input: Item): void {
    const { actor } = this;
    const { failures, outlet } = this.busy;
    const span = this.host.traces.turn(actor, event, input.envelope, meta.via);
    const full: RecordMeta = span?.context === undefined ? meta : { ...meta, trace: span.context };
    const step = actor.logic.step(actor.env, actor.snapshot, event, full, String(actor.tables.head + 1));
    const sealed = seal(actor, step);
    if (sealed.failed !== undefined) {
      span?.end(sealed.failed);
      this.host.news.threw(this.address, step.thrown);
      return failures.step(sealed.failed, event, full, input);
    }
    if (span !== undefined) (outlet.leaving.spans ??= []).push(span);
    const changed = actor.tables.logic.hash !== actor.logic.hash && { logic: stampOf(actor.logic) };
    this.record({ kind: 'event', event, meta: full, ...sealed, ...changed }, step);
    const { outbox } = actor.tables;
    if (outbox === undefined || outboxSize(outbox) <= SENDS_MAX) return;
    const error = new MeshError('OUTBOX_FULL', `nobody acknowledges what it sends: ${outboxSize(outbox)} messages wait`);
    failures.park(`${error.code}: ${error.message}`);
  }

  /** The one place where a record is made. */
  record(draft: Draft, step = UNSTEPPED): LogRecord {
    const record = { v: 1, seq: this.actor.tables.head + 1, epoch: this.epoch, ...draft } as LogRecord & { done?: EffectId[] };
    if (this.doneIds !== undefined) {
      record.done = this.doneIds;
      this.doneIds = undefined;
    }
    const { outlet } = this.busy;
    applyRecord(this.actor, record, step, outlet.leaving.work);
    this.checkpoints.grew(200 + (draft.kind === 'event' ? sizeOf(draft.event, 4) : 100));
    outlet.add(record);
    return record;
  }

  /** Of a record that nothing from outside the cell has caused. */
  plainMeta(): RecordMeta {
    const t = this.actor.tables;
    return { ts: Math.max(this.host.clock.now(), t.lastTs), seed: seedOf(this.address, t.head + 1) };
  }
  /** Of a record that takes this message. */
  metaOf(e: Envelope): RecordMeta {
    const meta: { -readonly [K in keyof RecordMeta]: RecordMeta[K] } = {
      ...this.plainMeta(),
      id: e.id,
      from: e.from,
      sent: e.ts,
    };
    if (e.made === true) meta.made = true;
    if (e.lane !== 'user') meta.lane = e.lane;
    if (e.via !== undefined) meta.via = e.via;
    if (e.chain !== undefined) meta.chain = e.chain;
    if (e.until !== undefined && this.actor.logic.controls === true) meta.deadline = e.until;
    if (e.trace !== undefined) meta.trace = e.trace;
    return meta;
  }

  /** The first record of a new epoch says who goes on with the stream. */
  enter(): void {
    const t = this.actor.tables;
    if (t.epoch === this.epoch || t.epoch === 0) return;
    this.activated('claim');
    this.record({ kind: 'ready', meta: this.plainMeta() });
  }
  activated(reason: ActivatedRecord['reason']): void {
    this.record({ kind: 'activated', reason, node: this.host.node, meta: this.plainMeta() });
  }
  dead(e: Envelope, cause: DeadCause, detail?: string): void {
    this.record({ kind: 'dead', cause, event: e.event, meta: this.metaOf(e), ...(detail !== undefined && { detail }) });
  }
  mark(e?: Envelope, sends: readonly MarkedSend[] = []): LogRecord {
    const meta = e === undefined ? this.plainMeta() : this.metaOf(e);
    return this.record({ kind: 'mark', meta, ...(sends.length > 0 && { sends }) });
  }
  /** What user code sent by hand while this cell performed it, or the node for it. After the cell it cannot be recorded: said, not kept. */
  sendByHand(sends: readonly MarkedSend[]): void {
    if (this.closed) {
      for (const { to, event } of sends) this.host.news.logged(this, 'sent by hand too late', { to, event });
      return;
    }
    this.enter();
    this.mark(undefined, sends);
    this.ready();
  }

  /** It waits for a person from now on, who is told the reason. */
  park(reason: string): void {
    this.busy.failures.park(reason);
  }
  get inDoubt(): readonly EffectId[] {
    return this.parts === undefined ? [] : this.parts.performer.inDoubt.map((l) => l.id);
  }

  // ---- recovery and timers -----------------------------------------------------------------------------------------

  /** It was reset by a person. */
  beginAgain(): void {
    begin(this, this.host, this.actor.tables.init, this.plainMeta());
  }

  /** What was unfinished when the last owner stopped: each once. What is recorded from now on is performed when it is durable. */
  resume(): void {
    const below = this.durableHead + 1;
    const { pump } = this.busy;
    pump.isHeldUp = !this.mayAct;
    if (!pump.isHeldUp) return this.goOnBelow(below);
    this.host.whenRegained(() => {
      pump.isHeldUp = false;
      if (!this.closed) this.goOnBelow(below);
    });
  }

  /** Takes up what the records below this one have left pending. */
  goOnBelow(seq: number): void {
    const { performer, failures } = this.busy;
    performer.resume(seq);
    this.record({ kind: 'ready', meta: this.plainMeta() });
    failures.resume();
    this.ready();
  }

  /** Nothing was performed while it was parked: that is taken up when the record that ended it is durable. */
  goOnWhenDurable(): void {
    this.busy.outlet.leaving.work.push({ kind: 'resume', below: this.actor.tables.head });
    this.ready();
  }

  /** ms since 1970 when it has to be in memory again; undefined: a message wakes it. */
  get wakeAt(): number | undefined {
    return wakeOf(this.actor.tables, this.waitsUntil, (id) => this.parts?.performer.hasFired(id) === true);
  }

  /** Sets the timer to the earliest due. */
  arm(): void {
    const due = this.wakeAt;
    // A later due may wait for the earlier alarm: setting it anew at each hop would cost more than an early wake.
    if (due === undefined || (this.wake !== undefined && this.wake.at <= due)) return;
    this.wake?.cancel();
    const { clock } = this.host;
    const ms = Math.max(this.mayAct ? 0 : RETRY_MS, due - clock.now());
    this.wake = { at: due, cancel: clock.after(ms, () => this.alarm()) };
  }

  /** The wall clock has jumped by `ms`. Timers and deadlines are instants of it; pauses are not. */
  clockJumped(ms: number): void {
    const { outbox } = this.actor.tables;
    if (outbox !== undefined) catchUp(outbox, this.host.clock.now());
    this.parts?.failures.clockJumped(ms);
    this.movedAt += ms;
    this.wake?.cancel();
    this.wake = undefined;
    this.arm();
  }

  private alarm(): void {
    this.wake = undefined;
    if (this.closed) return;
    const now = this.host.clock.now();
    const { outbox, parked } = this.actor.tables;
    this.parts?.failures.alarm(now);
    if (parked === undefined)
      for (const result of dueResults(this.actor, now, (id) => this.busy.performer.firstFire(id))) this.result(result);
    if (outbox !== undefined && this.mayAct) {
      const due = dueSends(outbox, now);
      // Before anything leaves, a record of this epoch is durable: the re-send is then the alarm's next business.
      if (due.length > 0 && !this.busy.outlet.isOpen) {
        this.enter();
        this.ready();
        return;
      }
      if (due.length > 0) this.busy.performer.sendAgain(due);
    }
    this.arm();
  }

  // ---- rest --------------------------------------------------------------------------------------------------------

  /** Called by its outlet: these records are durable. */
  moved(records: readonly LogRecord[]): void {
    this.movedAt = this.host.clock.now();
    this.host.news.records(this.address, records, this.actor.tables);
  }
  /** Called by its outlet: what was given to it has left, or waits there. */
  proceed(): void {
    const { mailbox, outlet } = this.busy;
    if (mailbox.has(this.ordersOnly) || outlet.journal.waiting > 0) this.ready();
    else this.arm();
    if (this.checkpointDue) void this.checkpoint();
  }

  /** All that it took is durable, and what that caused has left. */
  get quiet(): boolean {
    return this.parts?.quiet !== false;
  }

  /** Called once a second while it is not idle. */
  watch(): void {
    this.parts?.outlet.watch();
  }

  /** Nothing to take, nothing on its way, no leaf in this process. */
  get idle(): boolean {
    const t = this.actor.tables;
    if (this.closed || this.checkpoints.saving || this.parts?.isIdle === false || this.trial === 'begun') return false;
    return (t.actions?.size ?? 0) === 0 && !(t.status === 'active' && hasRunningLeaf(t));
  }

  get checkpointDue(): boolean {
    return this.checkpoints.isDue(this.actor.tables.head);
  }

  /** Saves a checkpoint at the durable head, if nothing is open. */
  checkpoint(): Promise<boolean> {
    return this.checkpoints.save(this.host, this);
  }

  /** All that it took is durable and in a checkpoint, if one may be made. False: something is still open, ask again. */
  private async settleDown(): Promise<boolean> {
    if (!this.quiet || this.checkpoints.saving || this.parts?.mailbox.has(this.ordersOnly) === true) return false;
    // Acknowledgements that were heard are written first, else each wake sends again.
    if (this.doneIds !== undefined) {
      this.enter();
      this.mark();
      this.busy.outlet.flush();
      return false;
    }
    if (this.durableHead > this.checkpoints.seq && (this.actor.tables.actions?.size ?? 0) === 0) await this.checkpoint();
    return this.quiet && this.doneIds === undefined;
  }

  /** For a clean stop: true when it is put away. Leaves that still run are in doubt for the next owner. `now`: what is not durable is dropped. */
  async rest(now = false): Promise<boolean> {
    if (this.closed) return true;
    if (!now && !(await this.settleDown())) return false;
    this.dispose();
    return true;
  }

  /** What only a busy actor needs goes, if it is idle. */
  slim(): void {
    const t = this.actor.tables;
    if (!this.idle) return;
    if (this.parts?.isSpare === true) this.parts = undefined;
    if (t.outbox !== undefined && outboxSize(t.outbox) === 0) t.outbox = undefined;
  }

  /** Puts it away: to nothing but its log. False when something came in between. */
  async passivate(): Promise<boolean> {
    if (!this.idle || !(await this.settleDown()) || !this.idle || this.durableHead > this.checkpoints.seq) return false;
    this.dispose();
    return true;
  }

  /** Something that should not throw did: its log is right, so it is opened again from there. */
  broken(error: unknown): void {
    this.host.crashed(this, error);
    this.close(`it failed: ${errorData(error).message}`, error);
  }

  /** Only what is durable is kept: the rest is discarded, cursors and tables included. Leaves that run are handed on. */
  close(reason: string, error?: unknown): void {
    if (this.closed) return;
    this.parts?.performer.handOn();
    this.parts?.outlet.doors?.refuseAll(error ?? new MeshError('NOT_OWNER', `${this.address}: ${reason}`));
    this.dispose();
    this.host.dropped(this, reason);
  }

  private dispose(): void {
    this.closed = true;
    this.parts?.outlet.journal.close();
    this.wake?.cancel();
    this.parts?.performer.stopAll();
    this.parts?.outlet.doors?.refuseAll(new MeshError('NOT_OWNER', `${this.address} was put away`));
    this.host.trials.leave(this);
    this.host.news.left(this.address);
  }
}
