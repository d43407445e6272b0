/**
 * The runtime around one actor. One way through it:
 *
 *   offer -> mailbox -> take (dedup, order, via) -> step -> record -> journal (append) -> ack -> perform
 *
 * The cell may step ahead of an append; nothing leaves it (ack, effect, reply) before the append that holds it is done, and
 * ownership is checked again before anything leaves. A refused append ends the cell: it is opened again from the store.
 */
import { type Address, type EffectId, OUTSIDE, positionOf } from './address.ts';
import { begin, born, obey } from './cell/orders.ts';
import { CellParts, type Leaving } from './cell/parts.ts';
import type { CellHost } from './cell/host.ts';
import { encodeCheckpoint } from './checkpoint.ts';
import { Doors } from './cell/doors.ts';
import type { ActionEffect, EventObject, Lane } from './effect.ts';
import type { CursorReport, Envelope, TraceContext } from './envelope.ts';
import { assert, type ErrorData, errorData, MeshError } from './errors.ts';
import { applyRecord, type Folded, stampOf, UNSTEPPED } from './fold.ts';
import { isEnd, isExpected } from './fold/outcomes.ts';
import { seal } from './fold/seal.ts';
import { seedOf } from './kernel/determinism.ts';
import type { JournalOwner } from './cell/journal.ts';
import type { View } from './logic.ts';
import type { Item, Result } from './cell/mailbox.ts';
import { payloadsOf, spill, unspill } from './cell/outbox-payloads.ts';
import type { Performer } from './cell/perform.ts';
import type { StreamId } from './ports/event-store.ts';
import { checkpointDue } from './protocol/checkpoint.ts';
import { cursorKey, dropStill, receive } from './protocol/cursors.ts';
import { afterFailure, ATTEMPTS_MAX } from './protocol/failure.ts';
import { emptyHeld, hold, release } from './protocol/held.ts';
import { catchUp, dueSends, earliestSend, heard, outboxSize, type PendingSend, SENDS_MAX } from './protocol/outbox.ts';
import { acceptOutside, OUTSIDE_MAX } from './protocol/outside.ts';
import { NOBODY, type Recovered, sizeOf, viewOf } from './recovery.ts';
import type { ActivatedRecord, DeadCause, FailedRecord, LogRecord, MarkedSend, RecordMeta } from './record.ts';
import { earliestDue, hasRunningLeaf, isUnfinished, type PendingLeaf } from './tables.ts';

/** Records that may be made while an append is on its way. */
const AHEAD_MAX = 512;
/** First pause before a failing step or action is tried again, when nobody else decides, ms. */
const RETRY_MS = 100;

/** A record before `seq`, `epoch` and `done` are added. */
type Draft = LogRecord extends infer R ? (R extends LogRecord ? Omit<R, 'v' | 'seq' | 'epoch' | 'done'> : never) : never;

const askedBy = (leaf: PendingLeaf | undefined): Pick<RecordMeta, 'chain'> =>
  leaf?.asked === undefined ? {} : { chain: leaf.asked };

export type Phase = 'running' | 'waiting' | 'parked' | 'failed' | 'ended' | 'closed';

/**
 * After an unclean end an actor's first step is on trial: `activated` is durable before it and `ready` comes after it, so that an
 * actor that kills its process is known by its log.
 */
type Trial = 'over' | 'owed' | 'begun';

export class Cell implements JournalOwner<Leaving> {
  readonly stream: StreamId;
  readonly epoch: number;
  actor: Folded;
  private readonly host: CellHost;
  private parts: CellParts | undefined;
  /** What the last owner left unfinished waits for the next renewal as well. */
  private resumes = false;
  private doneIds: EffectId[] | undefined;
  /** The one timer of this cell. `at`: ms since 1970. */
  private wake: { readonly at: number; cancel(): void } | undefined;
  private checkpointSeq: number;
  /** Where one was last tried in vain. */
  private triedSeq = 0;
  /** There its state could not be made into one. */
  private isUnsaveable = false;
  private stateBytes: number;
  private logBytes: number;
  private saving = false;
  /** Waits for orders of its supervisor until then. */
  private waitsUntil: number | undefined;
  private closed = false;
  /** A record of this epoch is durable: things may leave. */
  private active: boolean;
  private trial: Trial;
  /** ms since 1970 of the last append. */
  movedAt: number;

  constructor(host: CellHost, stream: StreamId, epoch: number, recovered: Recovered) {
    const { tables } = recovered.actor;
    this.host = host;
    this.stream = stream;
    this.epoch = epoch;
    this.actor = recovered.actor;
    this.active = tables.epoch === epoch;
    this.trial = host.unclean(stream.shard) && tables.epoch > 0 ? 'owed' : 'over';
    this.checkpointSeq = recovered.checkpointSeq;
    this.stateBytes = recovered.stateBytes;
    this.logBytes = recovered.logBytes;
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
  /** Head that is known to be durable. */
  get durableHead(): number {
    return this.parts === undefined ? this.actor.tables.head : this.parts.journal.durable;
  }
  /** Messages that wait. */
  get waiting(): number {
    return this.parts === undefined ? 0 : this.parts.mailbox.size;
  }
  /** ms since 1970 of the oldest message that nobody has taken; undefined: none waits. */
  get oldestAt(): number | undefined {
    return this.parts?.mailbox.oldestAt;
  }
  private get busy(): CellParts {
    return (this.parts ??= new CellParts(this.host, this));
  }
  private get performer(): Performer {
    return this.busy.performer;
  }
  /** It has failed and waits for orders. */
  get waits(): boolean {
    return this.waitsUntil !== undefined;
  }

  // ---- in ----------------------------------------------------------------------------------------------------------

  /** False: the lane is full (the sender keeps the message), or the cell is closed. */
  offer(envelope: Envelope): boolean {
    const now = this.host.clock.now();
    const { remaining } = envelope;
    const e = remaining === undefined ? envelope : { ...envelope, until: now + remaining };
    if (this.closed || !this.busy.mailbox.offer(e, now)) return false;
    this.host.ready(this);
    return true;
  }

  /** From the door: resolves with the seq at which the message is durable. Rejects with BUSY, ACTOR_STOPPED, ACTOR_PARKED, NOT_OWNER. */
  door(envelope: Envelope): Promise<number> {
    if (this.closed) return Promise.reject(new MeshError('NOT_OWNER', `${this.address} moved`));
    const { parked } = this.actor.tables;
    if (parked !== undefined) return Promise.reject(new MeshError('ACTOR_PARKED', `${this.address} is parked: ${parked.reason}`));
    if (!this.busy.mailbox.offer(envelope, this.host.clock.now()))
      return Promise.reject(new MeshError('BUSY', `${this.address} has ${this.waiting} messages waiting`));
    this.host.ready(this);
    return (this.busy.doors ??= new Doors()).wait(envelope.id);
  }

  result(result: Result): void {
    if (this.closed) return;
    this.busy.mailbox.offerResult(result, this.host.clock.now());
    this.host.ready(this);
  }
  /** Has this leaf ended, and its result is only not taken yet? */
  hasEndOf(leaf: EffectId): boolean {
    return this.parts?.mailbox.hasEndOf(leaf) === true;
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

  // ---- the pump ----------------------------------------------------------------------------------------------------

  /** Takes what may be taken, then appends. Called by the node once a turn in which something arrived. */
  pump(): void {
    while (!this.closed && this.mayTake()) {
      const item = this.next();
      if (item === undefined) break;
      try {
        this.enter();
        const { head } = this.actor.tables;
        if (item.envelope !== undefined) this.take(item.envelope);
        else this.takeResult(item.result);
        if (this.actor.tables.head > head) this.passTrial();
      } catch (error) {
        this.broken(error);
      }
    }
    if (!this.closed) this.flush();
  }

  /** Something that should not throw did: its log is right, so it is opened again from there. */
  private broken(error: unknown): void {
    this.host.crashed(this, error);
    this.close(`it failed: ${errorData(error).message}`, error);
  }

  private mayTake(): boolean {
    const { journal } = this.busy;
    // A step ahead of what the last owner left would be performed twice.
    if (this.resumes || journal.waiting >= AHEAD_MAX) return false;
    // A checkpoint needs a head at which nothing is open: no stepping ahead until it is taken.
    if (journal.inFlight && this.checkpointDue) return false;
    // What has ended steps no more, nor does a message that was taken before: nothing of it can hurt.
    if (this.trial === 'over' || !this.hasItem || this.actor.tables.status !== 'active' || this.isKnown(this.peek())) return true;
    if (this.trial === 'owed') this.beginTrial();
    return this.trial === 'begun' && journal.quiet;
  }

  private isKnown(item: Item | undefined): boolean {
    const e = item?.envelope;
    if (e === undefined) return false;
    const { cursors } = this.actor.tables;
    if (e.from === OUTSIDE) return this.accepted(e) !== 'take';
    return positionOf(e.id) <= (cursors?.get(cursorKey(e.from, e.lane))?.at ?? -1);
  }

  /** While it waits for orders or for a person, it takes nothing else. */
  private get ordersOnly(): boolean {
    return this.phase === 'waiting' || this.phase === 'parked';
  }
  private get hasItem(): boolean {
    const { parts } = this;
    if (parts === undefined) return false;
    return parts.mailbox.has(this.ordersOnly) || this.retries;
  }
  /** What failed is next. Where the actor has ended meanwhile, it is given back. */
  private get retries(): boolean {
    return this.parts?.retry !== undefined && !this.ordersOnly;
  }
  private peek(): Item | undefined {
    const parts = this.busy;
    return this.retries ? parts.retry : parts.mailbox.peek(this.ordersOnly);
  }
  private next(): Item | undefined {
    const parts = this.busy;
    if (this.retries) {
      const again = parts.retry;
      parts.retry = undefined;
      return again;
    }
    return parts.mailbox.next(this.ordersOnly);
  }

  /** The first record of a new epoch says who goes on with the stream. */
  private enter(): void {
    const t = this.actor.tables;
    if (t.epoch === this.epoch || t.epoch === 0) return;
    this.activated('claim');
    this.record({ kind: 'ready', meta: this.plainMeta() });
  }

  private beginTrial(): void {
    // Of those that were seen before at a process's death, one at a time: else the innocent are struck with the guilty.
    const { strikes } = this.actor.tables;
    if (strikes > 0 && !this.host.trials.enter(this, strikes)) return;
    this.trial = 'begun';
    this.activated('trial');
    this.flush();
  }

  private passTrial(): void {
    if (this.trial !== 'begun') return;
    this.trial = 'over';
    this.record({ kind: 'ready', meta: this.plainMeta() });
    this.host.trials.leave(this);
  }

  private take(e: Envelope): void {
    const t = this.actor.tables;
    if (e.from === OUTSIDE) return this.takeOutside(e);
    if (t.failing?.id === e.id && this.busy.retry === undefined && this.ordersOnly) {
      // The failing message came again while it waits for its retry.
      this.busy.retry = { envelope: e };
      return;
    }
    const key = cursorKey(e.from, e.lane);
    const arrival = {
      position: positionOf(e.id),
      after: e.after,
      ts: e.ts,
      expired: e.until !== undefined && e.until <= this.host.clock.now(),
      void: e.void === true,
    };
    const verdict = receive(t.cursors?.get(key), arrival, this.host.clock.now(), this.host.horizonMs);
    switch (verdict.kind) {
      case 'known':
        return this.ackAgain(e);
      case 'hold':
        hold((this.busy.held ??= emptyHeld()), e.from, e.lane, arrival.position, e);
        return;
      case 'dead':
        this.dead(e, verdict.cause);
        break;
      case 'take':
        this.meet(e);
        break;
    }
    const { held } = this.busy;
    if (held === undefined || this.actor.tables.failing !== undefined) return;
    const cursor = this.actor.tables.cursors?.get(key);
    if (cursor !== undefined) for (const next of release(held, e.from, e.lane, cursor.at, (h) => h.after)) this.take(next);
  }

  private takeOutside(e: Envelope): void {
    // Its client was told that it is not taken: it asks again if it wants to.
    if (this.busy.doors?.has(e.id) !== true) return;
    const verdict = this.accepted(e);
    if (verdict === 'take') return this.meet(e);
    if (verdict === 'busy') {
      const why = `${this.address} remembers ${OUTSIDE_MAX} ids that came with messages of the last 24 hours, or 16 MiB of replies to them`;
      return this.refuse(
        e,
        new MeshError('BUSY', `${why}; a message without an id of your own is taken, but not safe to repeat`),
      );
    }
    // It was taken before, maybe by a record that is on its way: the answer leaves when that is durable.
    this.busy.doors?.taken(e.id, verdict.seq);
    if (verdict.reply !== undefined) this.busy.leaving.work.push({ kind: 'reply', id: e.id, event: verdict.reply });
  }

  private accepted(e: Envelope): ReturnType<typeof acceptOutside> {
    const { made, outside } = this.actor.tables;
    // Whoever asked in vain brings the id back that the node had made for it.
    return made?.ids.get(e.id) ?? (e.made === true ? 'take' : acceptOutside(outside, e.id, this.host.clock.now()));
  }

  /** A message whose turn it is. */
  private meet(e: Envelope): void {
    if (obey(this, this.host, e)) return;
    const t = this.actor.tables;
    if (this.actor.logic === NOBODY && t.status !== 'error' && !this.begins(e)) return;
    if (t.status !== 'active')
      return this.giveBack(e, 'stopped', new MeshError('ACTOR_STOPPED', `${this.address} is ${t.status}`));
    if (e.via !== undefined) return this.reply(e, e.via);
    if (e.event.type.startsWith('xstate.') && e.from !== this.actor.env.parent && !this.isChild(e.from))
      return this.dead(e, 'rejected');
    this.step(e.event, this.metaOf(e), { envelope: e });
  }

  /** False: the message does not create the actor, and is dealt with. */
  private begins(e: Envelope): boolean {
    const t = this.actor.tables;
    try {
      if (born(this, this.host, this.address, e.event)) return true;
    } catch (error) {
      this.giveBack(e, 'rejected', error as MeshError);
      return false;
    }
    // Its supervisor's order is on another lane, and may come later: until then it waits at its sender, as its sender's order does.
    if (e.from !== OUTSIDE && this.host.isSupervised(this.address)) return false;
    const never = t.init.logic === '' && t.epoch === 0;
    this.giveBack(e, never ? 'unknown' : 'gone', new MeshError('ACTOR_NOT_FOUND', `nothing is at ${this.address}`));
    return false;
  }

  /** A client hears of it at once; another actor's message is kept as a dead letter. */
  private giveBack(e: Envelope, cause: DeadCause, error: MeshError): void {
    if (e.from === OUTSIDE) this.refuse(e, error);
    else this.dead(e, cause, cause === 'rejected' ? error.message : undefined);
  }

  private isChild(from: Address): boolean {
    return from.startsWith(`${this.address}/`) && from.indexOf('@', this.address.length) > 0;
  }

  /** A message that answers an effect: the end or the snapshot of a child, or the reply to an ask. */
  private reply(e: Envelope, via: EffectId): void {
    const t = this.actor.tables;
    const leaf = t.leaves?.get(via);
    if (leaf?.ask !== undefined) {
      const source = this.actor.logic.source(leaf.src);
      assert(source?.kind === 'ask', `${leaf.src} of ${this.address} is no ask`);
      const answer = source.ask.result(e.event);
      const event =
        'error' in answer
          ? { type: `xstate.error.actor.${leaf.child}`, error: answer.error, actorId: leaf.child }
          : { type: `xstate.done.actor.${leaf.child}`, output: answer.output, actorId: leaf.child };
      return this.step(event, { ...this.metaOf(e), ...askedBy(leaf) }, { envelope: e });
    }
    if (isExpected(t, via, e.event)) return this.step(e.event, this.metaOf(e), { envelope: e });
    this.dead(e, e.event.type.startsWith('xstate.') ? 'stale' : 'late');
  }

  private takeResult(r: Result): void {
    const t = this.actor.tables;
    const timer = t.timers?.get(r.via);
    if (timer?.to !== undefined || timer?.leaf !== undefined)
      return void this.record({ kind: 'fired', timer: r.via, meta: this.plainMeta() });
    const leaf = t.leaves?.get(r.via);
    if (timer === undefined && leaf === undefined && t.failing?.via !== r.via) return;
    // What a call comes to is part of the question that it was made for; what a subscription goes on to say is not.
    const asked = isEnd(r.event) ? askedBy(leaf) : {};
    this.step(r.event, { ...this.plainMeta(), via: r.via, ...asked }, { result: r });
  }

  // ---- one step ----------------------------------------------------------------------------------------------------

  step(event: EventObject, meta: RecordMeta, input: Item): void {
    const { actor } = this;
    const span = this.isTraced(input) ? this.host.spanOf(this, event, input.envelope, this.causeOf(meta.via)) : undefined;
    const full: RecordMeta = span?.context === undefined ? meta : { ...meta, trace: span.context };
    const step = actor.logic.step(actor.env, actor.snapshot, event, full, String(actor.tables.head + 1));
    const sealed = seal(actor, step);
    if (sealed.failed !== undefined) {
      span?.end(sealed.failed);
      return this.stepFailed(sealed.failed, event, full, input);
    }
    if (span !== undefined) (this.busy.leaving.spans ??= []).push(span);
    const changed = actor.tables.logic.hash !== actor.logic.hash && { logic: stampOf(actor.logic) };
    this.record({ kind: 'event', event, meta: full, ...sealed, ...changed }, step);
    const { outbox } = actor.tables;
    if (outbox === undefined || outboxSize(outbox) <= SENDS_MAX) return;
    const error = new MeshError('OUTBOX_FULL', `nobody acknowledges what it sends: ${outboxSize(outbox)} messages wait`);
    this.park(`${error.code}: ${error.message}`);
  }

  /** What supervisors do among themselves is in their logs, not in traces. */
  private isTraced({ envelope }: Item): boolean {
    return this.host.tracing && (envelope === undefined ? this.actor.logic.controls !== true : envelope.lane !== 'system');
  }

  /** The turn that began what this answers. */
  private causeOf(via: EffectId | undefined): TraceContext | undefined {
    const { leaves, timers } = this.actor.tables;
    return via === undefined ? undefined : (leaves?.get(via)?.trace ?? timers?.get(via)?.trace);
  }

  private stepFailed(error: ErrorData, event: EventObject, meta: RecordMeta, input: Item): void {
    const t = this.actor.tables;
    const id = meta.id ?? meta.via;
    const attempt = ((id === undefined ? undefined : t.failures?.get(id)) ?? 0) + 1;
    const chartChild = t.init.parent !== undefined && !this.host.retriesOf(this.address);
    const verdict = afterFailure({ attempt, hasVia: meta.via !== undefined, chartChild });
    // A failing message is not taken: its cursor stays, so it is held against its id only.
    const { from: _from, lane: _lane, made: _made, ...unread } = meta;
    const draft = { kind: 'failed' as const, error, attempt, meta: unread, ...(input.result !== undefined && { event }) };
    switch (verdict) {
      case 'retry':
        this.record(draft);
        this.busy.retry = input;
        this.wait();
        return;
      case 'end':
        this.record({ ...draft, meta, ends: true });
        // It has ended: so this one is given back.
        this.busy.retry = input;
        return;
      case 'park':
        this.record({ ...draft, parked: `poison: ${error.message}` });
        this.busy.retry = input;
        this.parked(`poison: ${error.message}`);
        return;
      case 'dead':
        this.record(draft);
        this.dead(input.envelope as Envelope, 'poison', error.message);
        return;
    }
  }

  /** Until the supervisor orders; on its own after a while without orders. */
  private wait(): void {
    const { init, failing, failures } = this.actor.tables;
    const alone = init.supervisor === undefined;
    const attempt = failures?.get(failing?.id ?? '') ?? 1;
    const pause = alone ? RETRY_MS * 2 ** (attempt - 1) : this.host.limits.ordersMs;
    this.waitsUntil = this.host.clock.now() + pause;
    this.arm();
  }

  /** An order came: what failed is tried again, or is no more. */
  goOn(): void {
    this.waitsUntil = undefined;
    const { parts } = this;
    // A message is one in a new life as well, but a result is of the life that asked for it.
    if (parts?.retry?.result !== undefined && this.actor.tables.failing === undefined) parts.retry = undefined;
  }

  /** Whoever waits outside is told, and what they sent is not taken: a person may let it go on in days. */
  parked(reason: string): void {
    this.waitsUntil = undefined;
    this.parts?.doors?.refuseWaiting(new MeshError('ACTOR_PARKED', `${this.address} is parked: ${reason}`));
  }

  // ---- records -----------------------------------------------------------------------------------------------------

  plainMeta(): RecordMeta {
    const t = this.actor.tables;
    return { ts: Math.max(this.host.clock.now(), t.lastTs), seed: seedOf(this.address, t.head + 1) };
  }

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

  /** The one place where a record is made. */
  record(draft: Draft, step = UNSTEPPED): LogRecord {
    const record = { v: 1, seq: this.actor.tables.head + 1, epoch: this.epoch, ...draft } as LogRecord & { done?: EffectId[] };
    if (this.doneIds !== undefined) {
      record.done = this.doneIds;
      this.doneIds = undefined;
    }
    const { journal, leaving } = this.busy;
    applyRecord(this.actor, record, step, leaving.work);
    journal.add(record);
    this.logBytes += 200 + (draft.kind === 'event' ? sizeOf(draft.event, 4) : 100);
    const { id, from } = record.meta;
    if (id !== undefined && from !== undefined) this.took(id, from, record.meta.lane ?? 'user', record.seq);
    return record;
  }

  private took(id: EffectId, from: Address, lane: Lane, seq: number): void {
    if (from === OUTSIDE) return this.busy.doors?.taken(id, seq);
    const { acks } = this.busy.leaving;
    const last = acks.at(-1);
    const upTo = positionOf(id);
    if (last !== undefined && last.from === from && last.lane === lane) last.upTo = upTo;
    else acks.push({ from, to: this.address, lane, shard: this.host.shardOf(from), upTo });
  }

  /** Its sender has not heard of the cursor: that leaves again, never ahead of what is durable. */
  private ackAgain(e: Envelope): void {
    const cursor = this.actor.tables.cursors?.get(cursorKey(e.from, e.lane));
    if (cursor === undefined) return;
    this.busy.leaving.acks.push({ from: e.from, to: this.address, lane: e.lane, shard: e.fromShard, upTo: cursor.at });
  }

  private dead(e: Envelope, cause: DeadCause, detail?: string): void {
    this.record({ kind: 'dead', cause, event: e.event, meta: this.metaOf(e), ...(detail !== undefined && { detail }) });
  }

  mark(e?: Envelope, sends: readonly MarkedSend[] = []): LogRecord {
    const meta = e === undefined ? this.plainMeta() : this.metaOf(e);
    return this.record({ kind: 'mark', meta, ...(sends.length > 0 && { sends }) });
  }

  activated(reason: ActivatedRecord['reason']): void {
    this.record({ kind: 'activated', reason, node: this.host.node, meta: this.plainMeta() });
  }

  // ---- custom actions ----------------------------------------------------------------------------------------------

  /** An action that may run once at most: first the log says that it is done. */
  markFirst(id: EffectId, action: ActionEffect): void {
    this.done(id);
    this.mark();
    this.busy.leaving.work.push({ kind: 'action', id, action, marked: true });
    this.host.ready(this);
  }

  /** What user code sent by hand while this cell performed it, or the node for it. After the cell it cannot be recorded: said, not kept. */
  sendByHand(sends: readonly MarkedSend[]): void {
    if (this.closed) {
      for (const { to, event } of sends) this.host.logged(this, 'sent by hand too late', { to, event });
      return;
    }
    this.enter();
    this.mark(undefined, sends);
    this.host.ready(this);
  }

  actionFailed(id: EffectId, error: unknown): void {
    const t = this.actor.tables;
    const attempt = (t.failures?.get(id) ?? 0) + 1;
    const data = errorData(error);
    const last = attempt >= ATTEMPTS_MAX;
    const ends = last && t.init.parent !== undefined;
    const what: Partial<Pick<FailedRecord, 'parked' | 'ends'>> = !last
      ? {}
      : ends
        ? { ends: true }
        : { parked: `action: ${data.message}` };
    this.record({ kind: 'failed', action: id, error: data, attempt, meta: this.plainMeta(), ...what });
    if (what.parked !== undefined) this.parked(what.parked);
    if (!last) this.performer.retryLater(id, RETRY_MS * 2 ** (attempt - 1));
    this.host.ready(this);
  }

  stopLeaf(id: EffectId): void {
    this.performer.stopLeaf(id);
  }

  // ---- by people ---------------------------------------------------------------------------------------------------

  park(reason: string): void {
    this.enter();
    const t = this.actor.tables;
    const id = t.failing?.id ?? `${this.address}!${t.head}.0`;
    this.parked(reason);
    this.record({
      kind: 'failed',
      action: id,
      error: { name: 'Parked', message: reason },
      attempt: 0,
      meta: this.plainMeta(),
      parked: reason,
    });
    this.host.ready(this);
  }

  /** The actor goes on, its failing message is tried again. */
  unpark(): void {
    this.activated('unparked');
    this.waitsUntil = undefined;
    this.goOnWhenDurable();
  }

  /** Nothing was performed while it was parked: that is taken up when the record that ended it is durable. */
  goOnWhenDurable(): void {
    this.busy.leaving.work.push({ kind: 'resume', below: this.actor.tables.head });
    this.host.ready(this);
  }

  /** Gives a send up. Throws USAGE when it is not pending. */
  voidSend(send: EffectId): void {
    if (this.actor.tables.outbox?.byId.has(send) !== true)
      throw new MeshError('USAGE', `${send} is not waiting to be acknowledged`);
    this.enter();
    this.record({ kind: 'void', send, meta: this.plainMeta() });
    this.host.ready(this);
  }

  /** A dead letter again, under a new id, once. Throws USAGE when it cannot be. */
  resend(seq: number, event: EventObject, cause: DeadCause): EffectId {
    const letter = `dead letter ${seq} of ${this.address}`;
    if (cause === 'forgotten' || cause === 'in_doubt' || cause === 'underivable')
      throw new MeshError('USAGE', `${letter} is '${cause}': it may have been taken, and cannot be sent again`);
    if (this.actor.tables.dead?.some((d) => d.seq === seq) !== true)
      throw new MeshError('USAGE', `${letter} was sent again already, or is none`);
    this.enter();
    const record = this.record({ kind: 'resend', dead: seq, event, to: this.address, meta: this.plainMeta() });
    this.host.ready(this);
    return `${this.address}!${record.seq}.0`;
  }

  get inDoubt(): readonly EffectId[] {
    return this.parts === undefined ? [] : this.parts.performer.inDoubt.map((l) => l.id);
  }

  /** A person decides an effect in doubt. Throws USAGE when it is not. */
  resolve(id: EffectId, how: Parameters<Performer['resolve']>[1]): void {
    if (!this.host.mayAct(this)) throw new MeshError('NOT_OWNER', `the session of this node has lapsed: ${id} is left as it is`);
    this.performer.resolve(id, how);
  }

  // ---- out ---------------------------------------------------------------------------------------------------------

  private flush(): void {
    const parts = this.busy;
    if (parts.journal.inFlight) return;
    if (parts.journal.waiting === 0 && parts.outgoing === undefined && parts.doors === undefined) return this.arm();
    if (this.host.epochOf(this.stream.shard) !== this.epoch) return this.close('its shard was taken over');
    const { leaving } = parts;
    parts.outgoing = undefined;
    parts.journal.flush(leaving);
  }

  /** Called by its journal, as the next two. */
  written(records: readonly LogRecord[], leaving: Leaving): void {
    if (records.length > 0) {
      this.active = true;
      this.movedAt = this.host.clock.now();
      for (const span of leaving.spans ?? []) span.end();
      this.host.appended(this, records);
    }
    if (this.active) {
      const parts = this.busy;
      if (parts.detained === undefined) parts.detained = [leaving];
      else parts.detained.push(leaving);
      this.leave(parts);
    } else if (leaving.acks.length + leaving.work.length > 0) {
      // Nothing of this epoch is durable yet, so nothing may leave: a record first.
      this.busy.outgoing = leaving;
      this.enter();
    }
    if (this.closed) return;
    if (this.hasItem || this.busy.journal.waiting > 0) this.host.ready(this);
    else this.arm();
    if (this.checkpointDue) void this.checkpoint();
  }

  ended(reason: string, error?: unknown): void {
    this.close(reason, error);
  }
  stalled(error: unknown): void {
    this.host.stalled(this, error);
  }

  /**
   * Acks, answers and effects of durable records leave, in order. Ownership is checked at each: an answer 'done' that is handled after
   * a freeze proves nothing. Past the session's deadline they wait for its renewal.
   */
  private leave(parts: CellParts): void {
    for (let next = parts.detained?.[0]; next !== undefined && !this.closed; next = parts.detained?.[0]) {
      if (!this.host.mayAct(this)) return this.detain(parts);
      const { acks } = next;
      next.acks = [];
      for (const ack of acks) this.host.report(ack);
      parts.doors?.settle(parts.journal.durable);
      if (parts.doors?.size === 0) parts.doors = undefined;
      for (let work = next.work[next.left]; work !== undefined && !this.closed; work = next.work[next.left]) {
        if (!this.host.mayAct(this)) return this.detain(parts);
        // Off the list before it is performed: what throws is not performed a second time.
        next.left++;
        try {
          parts.performer.one(work);
        } catch (error) {
          this.broken(error);
        }
      }
      if (parts.detained?.length === 1) parts.detained = undefined;
      else parts.detained?.shift();
    }
  }

  private detain(parts: CellParts): void {
    if (this.host.epochOf(this.stream.shard) !== this.epoch) return this.close('its shard was taken over');
    this.host.whenRegained(() => {
      if (!this.closed) this.leave(parts);
    });
  }

  private refuse(e: Envelope, error: MeshError): void {
    this.parts?.doors?.refuse(e.id, error);
  }

  // ---- recovery and timers -----------------------------------------------------------------------------------------

  /** It was reset by a person. */
  beginAgain(): void {
    begin(this, this.host, this.actor.tables.init, this.plainMeta());
  }

  /** What was unfinished when the last owner stopped: each once. What is recorded from now on is performed when it is durable. */
  resume(): void {
    const below = this.durableHead + 1;
    this.resumes = !this.host.mayAct(this);
    if (!this.resumes) return this.goOnBelow(below);
    this.host.whenRegained(() => {
      this.resumes = false;
      if (!this.closed) this.goOnBelow(below);
    });
  }

  /** Takes up what the records below this one have left pending. */
  goOnBelow(seq: number): void {
    const t = this.actor.tables;
    this.performer.resume(seq);
    this.record({ kind: 'ready', meta: this.plainMeta() });
    if (t.failing !== undefined && t.parked === undefined && t.status === 'active') {
      const { event, via, waits } = t.failing;
      if (event !== undefined && via !== undefined) this.busy.retry = { result: { via, event } };
      if (waits) this.wait();
    }
    this.host.ready(this);
  }

  /** Sets the timer to the earliest due. */
  arm(): void {
    const due = this.wakeAt;
    // A later due may wait for the earlier alarm: setting it anew at each hop would cost more than an early wake.
    if (due === undefined || (this.wake !== undefined && this.wake.at <= due)) return;
    this.wake?.cancel();
    const { clock } = this.host;
    const ms = Math.max(this.host.mayAct(this) ? 0 : RETRY_MS, due - clock.now());
    this.wake = { at: due, cancel: clock.after(ms, () => this.alarm()) };
  }

  /** The wall clock has jumped by `ms`. Timers and deadlines are instants of it; pauses are not. */
  clockJumped(ms: number): void {
    const { outbox } = this.actor.tables;
    if (outbox !== undefined) catchUp(outbox, this.host.clock.now());
    if (this.waitsUntil !== undefined) this.waitsUntil += ms;
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
    if (this.waitsUntil !== undefined && this.waitsUntil <= now) {
      this.waitsUntil = undefined;
      this.host.ready(this);
    }
    if (parked === undefined) this.fire(now);
    if (outbox !== undefined && this.host.mayAct(this)) {
      const due = dueSends(outbox, now);
      // Before anything leaves, a record of this epoch is durable: the re-send is then the alarm's next business.
      if (due.length > 0 && !this.active) {
        this.enter();
        this.host.ready(this);
        return;
      }
      for (const send of due) this.performer.send(send);
      const lacking = due.filter((send) => send.event === undefined);
      if (lacking.length > 0) void this.sendSpilled(lacking);
    }
    this.arm();
  }

  /** Timers and deadlines that are due, in the order of deadline, then of scheduling. */
  private fire(now: number): void {
    const t = this.actor.tables;
    const due: (Result & { readonly due: number })[] = [];
    for (const timer of t.timers?.values() ?? [])
      if (timer.due <= now && this.performer.firstFire(timer.id)) due.push({ due: timer.due, via: timer.id, event: timer.event });
    for (const leaf of t.leaves?.values() ?? []) {
      if (leaf.ask === undefined || leaf.ask.deadline > now || !this.performer.firstFire(leaf.id)) continue;
      const what = `${leaf.ask.to} did not reply to ${leaf.child} of ${this.address} in ${leaf.ask.deadline - leaf.at} ms`;
      const error = errorData(new MeshError('ASK_TIMEOUT', what));
      const event = { type: `xstate.error.actor.${leaf.child}`, error, actorId: leaf.child };
      due.push({ due: leaf.ask.deadline, via: leaf.id, event });
    }
    due.sort((a, b) => a.due - b.due || positionOf(a.via) - positionOf(b.via));
    for (const { via, event } of due) this.result({ via, event });
  }

  view(): View {
    return viewOf(this.actor) ?? NOBODY.view(undefined);
  }

  // ---- rest --------------------------------------------------------------------------------------------------------

  /** ms since 1970 when it has to be in memory again; undefined: a message wakes it. */
  get wakeAt(): number | undefined {
    return this.wakes((id) => this.parts?.performer.hasFired(id) === true);
  }
  /** `isUnderWay`: of a timer or deadline, its result waits in the mailbox. That of a crashed owner waits nowhere. */
  private wakes(isUnderWay: (id: EffectId) => boolean): number | undefined {
    const t = this.actor.tables;
    const due = Math.min(
      t.parked === undefined ? (earliestDue(t, isUnderWay) ?? Infinity) : Infinity,
      t.outbox === undefined ? Infinity : (earliestSend(t.outbox) ?? Infinity),
      this.waitsUntil ?? Infinity,
    );
    return due === Infinity ? undefined : due;
  }

  /** All that it took is durable, and what that caused has left. A checkpoint before would hide it from the next owner. */
  private get quiet(): boolean {
    return this.parts?.quiet !== false && !this.resumes;
  }

  /** Nothing to take, nothing on its way, no leaf in this process. */
  get idle(): boolean {
    const t = this.actor.tables;
    if (this.closed || this.saving || !this.quiet) return false;
    if (this.parts?.isIdle === false || this.trial === 'begun') return false;
    return (t.actions?.size ?? 0) === 0 && !(t.status === 'active' && hasRunningLeaf(t));
  }

  private get checkpointDue(): boolean {
    const since = Math.max(this.checkpointSeq, this.triedSeq);
    return checkpointDue(this.logBytes, this.actor.tables.head - since, this.stateBytes);
  }

  /** Saves a checkpoint at the durable head, if nothing is open. */
  async checkpoint(): Promise<boolean> {
    const t = this.actor.tables;
    if (this.closed || this.saving || !this.quiet || (t.actions?.size ?? 0) > 0) return false;
    const seq = this.durableHead;
    if (seq <= this.checkpointSeq || (this.isUnsaveable && seq === this.triedSeq)) return false;
    this.saving = true;
    try {
      if (!(await unspill(this.host.store, this.stream, t)) || this.durableHead !== seq || !this.quiet || this.closed)
        return false;
      if (t.cursors !== undefined) dropStill(t.cursors, this.host.clock.now(), this.host.horizonMs);
      const encoded = this.encode(seq);
      if (encoded === undefined) return false;
      const { bytes, jsonBytes } = encoded;
      const meta = {
        wakeAt: this.wakes(() => false),
        leaf: isUnfinished(t),
        ...(this.actor.logic === NOBODY && t.status !== 'error' && { tombstone: true }),
      };
      const { logBytes } = this;
      const saved = await this.host.store.saveCheckpoint(this.stream, seq, this.epoch, meta, bytes);
      if (saved === 'refused') {
        this.close('its checkpoint was refused');
        return false;
      }
      this.checkpointSeq = seq;
      this.stateBytes = jsonBytes;
      this.logBytes -= logBytes;
      spill(t, seq);
      return true;
    } catch (error) {
      this.host.stalled(this, error);
      this.inVain(seq);
      return false;
    } finally {
      this.saving = false;
      if (!this.closed && this.waiting > 0) this.host.ready(this);
    }
  }

  /** The log is whole without it: the next one is tried when as much log again has come. */
  private inVain(seq: number): void {
    this.logBytes = 0;
    this.triedSeq = seq;
  }

  /** Undefined: JSON cannot hold its state. It goes on without checkpoints, from a log that grows; that is told once. */
  private encode(seq: number): ReturnType<typeof encodeCheckpoint> | undefined {
    const { logic, snapshot, tables } = this.actor;
    try {
      const encoded = encodeCheckpoint(logic === NOBODY ? undefined : logic, snapshot, tables);
      this.isUnsaveable = false;
      return encoded;
    } catch (error) {
      if (!this.isUnsaveable) this.host.checkpointFailed(this, error);
      this.isUnsaveable = true;
      this.inVain(seq);
      return undefined;
    }
  }

  /** Sends whose payloads lie in the checkpoint only. What cannot be read now is due again later. */
  private async sendSpilled(sends: readonly PendingSend[]): Promise<void> {
    try {
      const payloads = await payloadsOf(this.host.store, this.stream);
      for (const send of sends) {
        if (this.closed || !this.host.mayAct(this)) return;
        const event = send.event ?? payloads.get(send.id);
        if (event === undefined) return this.park(`STORE_CORRUPT: the payload of ${send.id} is in no checkpoint`);
        this.performer.send(send, event);
      }
    } catch (error) {
      this.host.stalled(this, error);
    }
  }

  /** All that it took is durable and in a checkpoint, if one may be made. False: something is still open, ask again. */
  private async settleDown(): Promise<boolean> {
    if (!this.quiet || this.saving || this.hasItem) return false;
    // Acknowledgements that were heard are written first, else each wake sends again.
    if (this.doneIds !== undefined) {
      this.enter();
      this.mark();
      this.flush();
      return false;
    }
    if (this.durableHead > this.checkpointSeq && (this.actor.tables.actions?.size ?? 0) === 0) await this.checkpoint();
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
    if (!this.idle || !(await this.settleDown()) || !this.idle || this.durableHead > this.checkpointSeq) return false;
    this.dispose();
    return true;
  }

  /** Only what is durable is kept: the rest is discarded, cursors and tables included. Leaves that run are handed on. */
  close(reason: string, error?: unknown): void {
    if (this.closed) return;
    this.parts?.performer.handOn();
    this.parts?.doors?.refuseAll(error ?? new MeshError('NOT_OWNER', `${this.address}: ${reason}`));
    this.dispose();
    this.host.dropped(this, reason);
  }

  private dispose(): void {
    this.closed = true;
    this.parts?.journal.close();
    this.wake?.cancel();
    this.parts?.performer.stopAll();
    this.parts?.doors?.refuseAll(new MeshError('NOT_OWNER', `${this.address} was put away`));
    this.host.trials.leave(this);
  }
}
