/**
 * The runtime around one actor. One way through it:
 *
 *   offer -> mailbox -> take (dedup, order, via) -> step -> record -> batch -> append -> ack -> perform
 *
 * The cell may step ahead of an append; nothing leaves it (ack, effect, reply) before the append that holds it is done, and
 * ownership is checked again before anything leaves. A refused append ends the cell: it is opened again from the store.
 */
import { type Address, type EffectId, OUTSIDE, positionOf } from './address.ts';
import { encodeCheckpoint } from './checkpoint.ts';
import { effectsDigest } from './digest.ts';
import type { EventObject, Lane } from './effect.ts';
import type { CursorReport, Envelope, TraceContext } from './envelope.ts';
import { assert, type ErrorData, errorData, isMeshError, MeshError } from './errors.ts';
import { applyRecord, type Folded, seedOf, unborn, UNSTEPPED, type Work } from './fold.ts';
import { Mailbox, type Result } from './mailbox.ts';
import { Performer } from './perform.ts';
import type { AppendResult, StreamId } from './ports/event-store.ts';
import type { Span } from './ports/tracer.ts';
import { settle } from './protocol/append.ts';
import { cursorKey, receive } from './protocol/cursors.ts';
import { afterFailure } from './protocol/failure.ts';
import { emptyHeld, type Held, hold, release } from './protocol/held.ts';
import { dueSends, earliestSend, heard, outboxSize, SENDS_MAX } from './protocol/outbox.ts';
import { acceptOutside } from './protocol/outside.ts';
import { NOBODY, sizeOf } from './recovery.ts';
import type { ActivatedRecord, DeadCause, InitData, LogRecord, RecordMeta } from './record.ts';
import { earliestDue, hasRunningLeaf } from './tables.ts';
import type { CellHost } from './cell-host.ts';
import type { View } from './logic.ts';

/** Messages that may be stepped while an append is on its way. */
const AHEAD_MAX = 512;
const RETRY_MS = 100;

/** What kinds of record share before `seq`, `epoch` and `done` are added. */
type Draft = LogRecord extends infer R ? (R extends LogRecord ? Omit<R, 'v' | 'seq' | 'epoch' | 'done'> : never) : never;

interface Ack {
  readonly from: Address;
  readonly lane: Lane;
  readonly shard: string;
  upTo: number;
}

export type Phase = 'running' | 'waiting' | 'parked' | 'ended' | 'closed';

export class Cell {
  readonly stream: StreamId;
  readonly epoch: number;
  actor: Folded;
  readonly mailbox: Mailbox;
  private readonly host: CellHost;
  private readonly perform: Performer;
  private held: Held<Envelope> | undefined;
  private batch: LogRecord[] = [];
  private work: Work[] = [];
  private acks: Ack[] = [];
  private spans: Span[] = [];
  private flight = false;
  private waiters:
    | { readonly id: EffectId; readonly seq: number; resolve(seq: number): void; reject(error: unknown): void }[]
    | undefined;
  private doneIds: EffectId[] = [];
  private timer: (() => void) | undefined;
  private timerAt = Infinity;
  private durable: number;
  private checkpointSeq: number;
  private logBytes: number;
  /** Waits for orders of its supervisor until then. */
  private waitsUntil: number | undefined;
  /** The failing input, kept for its retry. */
  private retry: { readonly envelope: Envelope } | { readonly result: Result } | undefined;
  private closed = false;
  /** The first append of this epoch is durable: things may leave. */
  private active: boolean;
  /** Effects wait for a renewal of the session. */
  private postponed = false;
  /** ms since 1970 of the last append. */
  movedAt: number;

  constructor(
    host: CellHost,
    stream: StreamId,
    epoch: number,
    recovered: { readonly actor: Folded; readonly checkpointSeq: number; readonly logBytes: number },
  ) {
    this.host = host;
    this.stream = stream;
    this.epoch = epoch;
    this.actor = recovered.actor;
    this.durable = recovered.actor.tables.head;
    this.active = recovered.actor.tables.epoch === epoch;
    this.checkpointSeq = recovered.checkpointSeq;
    this.logBytes = recovered.logBytes;
    this.mailbox = new Mailbox(host.limits.mailbox);
    this.perform = new Performer(host, this);
    this.movedAt = host.clock.now();
  }

  get address(): Address {
    return this.stream.actor;
  }

  get phase(): Phase {
    if (this.closed) return 'closed';
    const t = this.actor.tables;
    if (t.parked !== undefined) return 'parked';
    if (t.status !== 'active') return 'ended';
    return this.waitsUntil === undefined ? 'running' : 'waiting';
  }

  /** Head that is known to be durable. */
  get durableHead(): number {
    return this.durable;
  }

  // ---- in ----------------------------------------------------------------------------------------------------------

  /** False: the lane is full (the sender keeps the message), or the cell is closed. */
  offer(envelope: Envelope): boolean {
    if (this.closed || !this.mailbox.offer(envelope, this.host.clock.now())) return false;
    this.host.ready(this);
    return true;
  }

  /** From the door: resolves with the seq at which the message is durable. Rejects with BUSY, ACTOR_STOPPED, ACTOR_PARKED, NOT_OWNER. */
  door(envelope: Envelope): Promise<number> {
    if (this.closed) return Promise.reject(new MeshError('NOT_OWNER', `${this.address} moved`));
    if (this.actor.tables.parked !== undefined)
      return Promise.reject(new MeshError('ACTOR_PARKED', `${this.address} is parked: ${this.actor.tables.parked.reason}`));
    if (!this.mailbox.offer(envelope, this.host.clock.now()))
      return Promise.reject(new MeshError('BUSY', `${this.address} has ${this.mailbox.size} messages waiting`));
    return new Promise((resolve, reject) => {
      (this.waiters ??= []).push({ id: envelope.id, seq: 0, resolve, reject });
      this.host.ready(this);
    });
  }

  result(result: Result): void {
    if (this.closed) return;
    this.mailbox.offerResult(result, this.host.clock.now());
    this.host.ready(this);
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
    this.doneIds.push(id);
  }

  // ---- the pump ----------------------------------------------------------------------------------------------------

  /** Takes what may be taken, then appends. Called by the node once a turn in which something arrived. */
  pump(): void {
    if (this.closed) return;
    while (this.batch.length < AHEAD_MAX) {
      const item = this.next();
      if (item === undefined) break;
      try {
        if ('envelope' in item) this.take(item.envelope);
        else this.takeResult(item.result);
      } catch (error) {
        this.fail(error);
        return;
      }
    }
    this.flush();
  }

  private next(): { readonly envelope: Envelope } | { readonly result: Result } | undefined {
    const { phase } = this;
    if (phase === 'running' && this.retry !== undefined) {
      const again = this.retry;
      this.retry = undefined;
      return again;
    }
    return this.mailbox.next(phase === 'waiting' || phase === 'parked');
  }

  private take(e: Envelope): void {
    const t = this.actor.tables;
    const now = this.host.clock.now();
    if (e.from === OUTSIDE) {
      const verdict = acceptOutside(t.outside, e.id, now);
      if (verdict === 'take') return this.meet(e);
      if (verdict === 'busy') return this.refuse(e, new MeshError('BUSY', `${this.address} remembers too many outside messages`));
      if (verdict !== 'known') this.host.replied(e.id, verdict.reply);
      return this.answerDoor(e.id, this.durable);
    }
    if (this.actor.tables.failing?.id === e.id && this.retry === undefined && this.phase !== 'running') {
      // The failing message came again while it waits for its retry.
      this.retry = { envelope: e };
      return;
    }
    const position = positionOf(e.id);
    const verdict = receive(
      t.cursors?.get(cursorKey(e.from, e.lane)),
      { position, after: e.after, ts: e.ts, expired: e.remaining !== undefined && e.remaining <= 0, void: e.void === true },
      now,
      this.host.horizonMs,
    );
    switch (verdict.kind) {
      case 'known':
        return this.ackAgain(e);
      case 'hold':
        hold((this.held ??= emptyHeld()), e.from, e.lane, position, e);
        return;
      case 'dead':
        this.dead(e, verdict.cause);
        break;
      case 'take':
        this.meet(e);
        break;
    }
    if (this.held !== undefined && this.actor.tables.failing === undefined) {
      const cursor = t.cursors?.get(cursorKey(e.from, e.lane));
      if (cursor !== undefined) for (const next of release(this.held, e.from, e.lane, cursor.at, (h) => h.after)) this.take(next);
    }
  }

  /** A message whose turn it is. */
  private meet(e: Envelope): void {
    const t = this.actor.tables;
    const { type } = e.event;
    if (type === 'reprise.start') return this.order(e);
    if (type === 'reprise.park') return this.parkOrder(e);
    if (type === 'reprise.stop' && e.event['keyed'] === true) return this.stopKeyed(e);
    if (this.actor.logic === NOBODY && this.born(e)) return;
    if (this.actor.logic === NOBODY)
      return e.from === OUTSIDE
        ? this.refuse(e, new MeshError('ACTOR_NOT_FOUND', `nothing is at ${this.address}`))
        : this.dead(e, t.init.logic === '' && t.head === 0 ? 'unknown' : 'gone');
    if (type === 'reprise.stop' && this.actor.logic.controls !== true) return this.stopOrder(e);
    if (t.status !== 'active')
      return e.from === OUTSIDE
        ? this.refuse(e, new MeshError('ACTOR_STOPPED', `${this.address} is ${t.status}`))
        : this.dead(e, 'stopped');
    if (e.via !== undefined) return this.reply(e, e.via);
    if (type.startsWith('xstate.') && e.from !== this.actor.env.parent && !this.isChild(e.from)) return this.dead(e, 'rejected');
    this.step(e.event, this.metaOf(e), e);
  }

  /** A keyed actor is created by its first message: `init`, then the message. True: the message is dealt with. */
  private born(e: Envelope): boolean {
    let birth: ReturnType<CellHost['birth']>;
    try {
      birth = this.host.birth(this.address, e.event);
    } catch (error) {
      if (e.from === OUTSIDE) this.refuse(e, error as MeshError);
      else this.dead(e, 'rejected', errorData(error).message);
      return true;
    }
    if (birth === undefined) return false;
    this.begin(birth, this.plainMeta());
    this.meet(e);
    return true;
  }

  private isChild(from: Address): boolean {
    return from.startsWith(this.address) && from.indexOf('@', this.address.length) > 0;
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
      return this.step(event, this.metaOf(e), e);
    }
    if (t.children !== undefined)
      for (const child of t.children.values()) if (child.spawn === via) return this.step(e.event, this.metaOf(e), e);
    this.dead(e, e.event.type.startsWith('xstate.') ? 'stale' : 'late');
  }

  private takeResult(r: Result): void {
    const t = this.actor.tables;
    const timer = t.timers?.get(r.via);
    if (timer?.to !== undefined) return void this.record({ kind: 'fired', timer: r.via, meta: this.plainMeta() });
    const failing = t.failing?.via === r.via;
    if (timer === undefined && t.leaves?.has(r.via) !== true && !failing) return;
    this.step(r.event, { ...this.plainMeta(), via: r.via }, r);
  }

  // ---- one step ----------------------------------------------------------------------------------------------------

  private step(event: EventObject, meta: RecordMeta, input: Envelope | Result): void {
    const { actor } = this;
    const seq = actor.tables.head + 1;
    const span = this.host.tracing ? this.host.spanOf(this, event, 'from' in input ? input : undefined) : undefined;
    const full: RecordMeta = span?.context === undefined ? meta : { ...meta, trace: span.context };
    const step = actor.logic.step(actor.env, actor.snapshot, event, full, String(seq));
    if (step.failed !== undefined) {
      span?.end(step.failed);
      return this.stepFailed(step.failed, event, full, input);
    }
    if (span !== undefined) this.spans.push(span);
    this.record(
      {
        kind: 'event',
        event,
        meta: full,
        digest: actor.logic.digest(step.snapshot),
        effectsDigest: effectsDigest(step.effects),
        ...(actor.tables.logic.hash !== actor.logic.hash && { logic: this.stamp() }),
      },
      step,
    );
    if (this.actor.tables.outbox !== undefined && outboxSize(this.actor.tables.outbox) > SENDS_MAX)
      this.park('OUTBOX_FULL: nobody takes what it sends');
  }

  private stamp(): { id: string; version?: string; hash: string } {
    const { logic } = this.actor;
    return { id: logic.id, ...(logic.version !== undefined && { version: logic.version }), hash: logic.hash };
  }

  private stepFailed(error: ErrorData, event: EventObject, meta: RecordMeta, input: Envelope | Result): void {
    const t = this.actor.tables;
    const id = meta.id ?? meta.via;
    const attempt = (t.failing?.id === id ? (t.failing?.attempt ?? 0) : 0) + 1;
    const isResult = !('from' in input);
    const verdict = afterFailure({
      attempt,
      hasVia: meta.via !== undefined,
      chartChild: t.init.parent !== undefined && !this.host.retriesOf(this.address),
    });
    const { from: _from, lane: _lane, ...unread } = meta;
    // A failing message is not taken: its cursor stays, so it is held against its id only.
    const draft = { kind: 'failed' as const, error, attempt, meta: unread, ...(isResult && { event }) };
    switch (verdict) {
      case 'retry':
        this.record(draft);
        this.retry = isResult ? { result: input } : { envelope: input };
        this.wait();
        return;
      case 'end':
        this.record({ ...draft, meta, ends: true });
        return;
      case 'park':
        this.record({ ...draft, parked: `poison: ${error.message}` });
        this.retry = isResult ? { result: input } : { envelope: input };
        return;
      case 'dead':
        this.record(draft);
        this.dead(input as Envelope, 'poison', error.message);
        return;
    }
  }

  /** Until the supervisor orders; on its own after a while without orders. */
  private wait(): void {
    const t = this.actor.tables;
    const now = this.host.clock.now();
    const alone = t.init.supervisor === undefined;
    this.waitsUntil = now + (alone ? RETRY_MS * 2 ** ((t.failing?.attempt ?? 1) - 1) : this.host.limits.ordersMs);
    this.arm();
  }

  // ---- orders ------------------------------------------------------------------------------------------------------

  private order(e: Envelope): void {
    const t = this.actor.tables;
    const order = e.event as unknown as {
      run?: string;
      logic: string;
      input?: unknown;
      marks?: true;
      parent?: Folded['tables']['init']['parent'];
      supervisor?: Address;
      mode?: 'fresh' | 'history';
    };
    const supervisor = order.run === undefined ? undefined : { address: e.from, run: order.run };
    const alive = this.actor.logic !== NOBODY && t.status === 'active';
    if (alive && order.parent !== undefined) return void this.mark(e);
    if (alive && order.mode !== 'fresh') {
      if (supervisor !== undefined && (this.waitsUntil !== undefined || t.parked !== undefined || t.failing !== undefined)) {
        this.record({ kind: 'activated', reason: 'restart', node: this.host.node, run: supervisor.run, meta: this.metaOf(e) });
        this.waitsUntil = undefined;
        return;
      }
      // Outlived: the present run answers.
      const run = t.init.supervisor?.run;
      return void this.mark(
        e,
        run === undefined ? [] : [{ to: e.from, event: { type: 'reprise.started', run, child: this.address } }],
      );
    }
    // One keyed actor is ordered without an input: it keeps that of its first message.
    const input = order.input === undefined && t.init.logic !== '' ? t.init.input : (order.input ?? null);
    this.begin(
      {
        logic: order.logic,
        input,
        ...(order.marks === true && { marks: true as const }),
        ...(order.parent !== undefined && { parent: order.parent }),
        ...(supervisor !== undefined && { supervisor }),
      },
      this.metaOf(e),
    );
  }

  /** A new life above the old head. Leaves that ran are in doubt. */
  begin(init: InitData, meta: RecordMeta): void {
    const data: InitData = { ...init };
    const old = this.actor;
    if (old.tables.leaves !== undefined) {
      for (const leaf of [...old.tables.leaves.values()]) {
        if (leaf.ask !== undefined) continue;
        this.record({
          kind: 'dead',
          cause: 'in_doubt',
          event: { type: 'reprise.leaf', src: leaf.src, input: leaf.input },
          meta: { ...this.plainMeta(), via: leaf.id },
        });
        this.perform.stopLeaf(leaf.id);
      }
    }
    const logic = this.host.logicOf(init.logic, this.address);
    this.actor = { ...unborn(this.address, logic, { init: data }), tables: old.tables };
    const full = { ...this.plainMeta(), ...meta };
    const step = logic.init(this.actor.env, init.input, full);
    if (step.failed !== undefined) {
      this.actor = old;
      return void this.record({ kind: 'failed', init: data, error: step.failed, attempt: 1, ends: true, meta: full });
    }
    this.record(
      {
        kind: 'init',
        init: data,
        meta: full,
        digest: logic.digest(step.snapshot),
        effectsDigest: effectsDigest(step.effects),
        logic: this.stamp(),
      },
      step,
    );
    this.retry = undefined;
    this.waitsUntil = undefined;
  }

  private stopOrder(e: Envelope): void {
    const t = this.actor.tables;
    // `keep`: it is started again with its history, so it only lets go for a while.
    if (t.status !== 'active' || e.event['keep'] === true)
      return this.answerStop(e, t.status === 'active' ? 'stopped' : t.status === 'error' ? 'failed' : t.status);
    this.retry = undefined;
    this.waitsUntil = undefined;
    this.step({ type: 'xstate.stop' }, this.metaOf(e), e);
  }

  private answerStop(e: Envelope, outcome: string): void {
    this.mark(e, [{ to: e.from, event: { type: 'reprise.stopped', run: e.event['run'], child: this.address, outcome } }]);
  }

  /** Order to the address of a keyed kind: its actors are put away, all at once. Their next message takes them up. */
  private stopKeyed(e: Envelope): void {
    this.host.restBelow(this.address);
    this.answerStop(e, 'stopped');
  }

  private parkOrder(e: Envelope): void {
    const { failing } = this.actor.tables;
    const { id: _id, ...meta } = this.metaOf(e);
    this.mark(e);
    this.record({
      kind: 'failed',
      action: failing?.id ?? e.id,
      error: failing?.error ?? { name: 'Parked', message: 'by its supervisor' },
      attempt: failing?.attempt ?? 0,
      meta: { ts: meta.ts, seed: meta.seed },
      parked: String(e.event['reason'] ?? 'by its supervisor'),
    });
    this.waitsUntil = undefined;
  }

  // ---- records -----------------------------------------------------------------------------------------------------

  private plainMeta(): RecordMeta {
    const t = this.actor.tables;
    return { ts: Math.max(this.host.clock.now(), t.lastTs), seed: seedOf(this.address, t.head + 1) };
  }

  private metaOf(e: Envelope): RecordMeta {
    const t = this.actor.tables;
    const meta: { -readonly [K in keyof RecordMeta]: RecordMeta[K] } = {
      ts: Math.max(this.host.clock.now(), t.lastTs),
      seed: seedOf(this.address, t.head + 1),
      id: e.id,
      from: e.from,
      sent: e.ts,
    };
    if (e.lane !== 'user') meta.lane = e.lane;
    if (e.via !== undefined) meta.via = e.via;
    if (e.chain !== undefined) meta.chain = e.chain;
    if (e.trace !== undefined) meta.trace = e.trace;
    return meta;
  }

  private record(draft: Draft, step = UNSTEPPED): LogRecord {
    const t = this.actor.tables;
    const record = { v: 1, seq: t.head + 1, epoch: this.epoch, ...draft } as LogRecord & { done?: EffectId[] };
    if (this.doneIds.length > 0) {
      record.done = this.doneIds;
      this.doneIds = [];
    }
    applyRecord(this.actor, record, step, this.work);
    this.batch.push(record);
    this.logBytes += 200 + (draft.kind === 'event' ? sizeOf(draft.event, 4) : 100);
    const { id, from } = record.meta;
    if (id !== undefined && from !== undefined && record.kind !== 'failed')
      this.took(id, from, record.meta.lane ?? 'user', record.seq);
    return record;
  }

  private took(id: EffectId, from: Address, lane: Lane, seq: number): void {
    if (from === OUTSIDE) {
      if (this.waiters !== undefined) this.waiters = this.waiters.map((w) => (w.id === id ? { ...w, seq } : w));
      return;
    }
    const last = this.acks.at(-1);
    const upTo = positionOf(id);
    if (last !== undefined && last.from === from && last.lane === lane) last.upTo = upTo;
    else this.acks.push({ from, lane, shard: this.host.shardOf(from), upTo });
  }

  private ackAgain(e: Envelope): void {
    const cursor = this.actor.tables.cursors?.get(cursorKey(e.from, e.lane));
    if (cursor === undefined) return;
    // Never ahead of what is durable: an open batch acks when it is done.
    if (this.batch.length > 0 || this.flight) this.acks.push({ from: e.from, lane: e.lane, shard: e.fromShard, upTo: cursor.at });
    else if (this.host.mayAct(this))
      this.host.report({ from: e.from, to: this.address, lane: e.lane, shard: e.fromShard, upTo: cursor.at });
  }

  private dead(e: Envelope, cause: DeadCause, detail?: string): void {
    this.record({ kind: 'dead', cause, event: e.event, meta: this.metaOf(e), ...(detail !== undefined && { detail }) });
  }

  private mark(e?: Envelope, sends: readonly { readonly to: Address; readonly event: EventObject }[] = []): LogRecord {
    return this.record({
      kind: 'mark',
      meta: e === undefined ? this.plainMeta() : this.metaOf(e),
      ...(sends.length > 0 && { sends }),
    });
  }

  /** What a custom action sent by hand, and that it is done. */
  markAction(id: EffectId, sends: readonly { readonly to: Address; readonly event: EventObject }[]): void {
    this.done(id);
    if (sends.length === 0) return;
    this.mark(undefined, sends);
    this.host.ready(this);
  }

  actionFailed(id: EffectId, error: unknown): void {
    const t = this.actor.tables;
    const attempt = (t.failing?.id === id ? t.failing.attempt : 0) + 1;
    const meta = this.plainMeta();
    const ends = t.init.parent !== undefined && attempt >= 3;
    this.record({
      kind: 'failed',
      action: id,
      error: errorData(error),
      attempt,
      meta,
      ...(ends && { ends: true as const }),
      ...(!ends && attempt >= 3 && { parked: `action: ${errorData(error).message}` }),
    });
    if (attempt < 3)
      this.host.clock.after(RETRY_MS * 2 ** (attempt - 1), () => {
        if (!this.closed) this.perform.retryAction(id);
      });
    this.host.ready(this);
  }

  park(reason: string): void {
    const t = this.actor.tables;
    const id = t.failing?.id ?? `${this.address}!${t.head}.0`;
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

  /** By a person: the actor goes on, its failing message is tried again. */
  unpark(): void {
    this.record({ kind: 'activated', reason: 'unparked', node: this.host.node, meta: this.plainMeta() });
    this.waitsUntil = undefined;
    this.resume();
  }

  activated(reason: ActivatedRecord['reason']): void {
    this.record({ kind: 'activated', reason, node: this.host.node, meta: this.plainMeta() });
  }

  voidSend(send: EffectId): void {
    this.record({ kind: 'void', send, meta: this.plainMeta() });
    this.host.ready(this);
  }

  /** A dead letter again, under a new id, once. Throws USAGE when it cannot be. */
  resend(seq: number, event: EventObject, cause: DeadCause): EffectId {
    if (cause === 'forgotten' || cause === 'in_doubt' || cause === 'underivable')
      throw new MeshError(
        'USAGE',
        `dead letter ${seq} of ${this.address} is '${cause}': it may have been taken, and cannot be sent again`,
      );
    if (this.actor.tables.dead?.some((d) => d.seq === seq) !== true)
      throw new MeshError('USAGE', `dead letter ${seq} of ${this.address} was sent again already, or is none`);
    const record = this.record({ kind: 'resend', dead: seq, event, to: this.address, meta: this.plainMeta() });
    this.host.ready(this);
    return `${this.address}!${record.seq}.0`;
  }

  // ---- append and after --------------------------------------------------------------------------------------------

  private flush(): void {
    if (this.flight || this.batch.length === 0) {
      this.arm();
      return;
    }
    const { batch, work, acks, spans } = this;
    this.batch = [];
    this.work = [];
    this.acks = [];
    this.spans = [];
    this.flight = true;
    const epoch = this.host.epochOf(this.stream.shard) === this.epoch ? this.epoch : -1;
    if (epoch < 0) return this.close('its shard was taken over');
    void this.append(batch, this.durable).then((ok) => {
      if (ok) this.settled(batch, work, acks, spans);
    });
  }

  /** False: the cell was closed. */
  private async append(batch: readonly LogRecord[], expected: number): Promise<boolean> {
    let rest = batch;
    let at = expected;
    for (let delay = 5; !this.closed; delay = Math.min(delay * 2, 2_000)) {
      let result: AppendResult;
      try {
        const stored = this.host.deflate === undefined ? rest : await this.host.deflate(rest);
        result = await this.host.store.append(this.stream, at, this.epoch, stored);
      } catch (error) {
        // Nothing was written for sure: the same again, until there is room (or a person ends the process).
        this.host.stalled(this, error);
        if (isMeshError(error) && !error.retryable) {
          this.close(`the store refused it: ${error.message}`, error);
          return false;
        }
        await this.host.sleep(delay);
        continue;
      }
      if (result.outcome === 'done') return true;
      if (result.outcome === 'refused') {
        this.close('another owner wrote its stream');
        return false;
      }
      await this.host.sleep(delay);
      const found = await this.look(at);
      if (found === undefined) continue;
      const verdict = settle(
        { expected: at, epoch: this.epoch, records: rest },
        found,
        this.host.epochOf(this.stream.shard) === this.epoch,
      );
      if (verdict.kind === 'done') return true;
      if (verdict.kind === 'stop') {
        this.close('its append was overtaken');
        return false;
      }
      if (verdict.kind === 'prefix') {
        rest = rest.slice(verdict.count);
        at += verdict.count;
      }
    }
    return false;
  }

  /** What lies above `at`; undefined: the store does not answer. */
  private async look(at: number): Promise<{ head: number; epoch: number; above: LogRecord[] } | undefined> {
    try {
      const { head, epoch } = await this.host.store.head(this.stream);
      const above: LogRecord[] = [];
      for await (const record of this.host.store.read(this.stream, at + 1)) above.push(record);
      return { head, epoch, above };
    } catch {
      return undefined;
    }
  }

  private settled(batch: readonly LogRecord[], work: readonly Work[], acks: readonly Ack[], spans: readonly Span[]): void {
    this.flight = false;
    this.active = true;
    this.durable = (batch.at(-1) as LogRecord).seq;
    this.movedAt = this.host.clock.now();
    for (const span of spans) span.end();
    this.host.appended(this, batch);
    this.leave(acks, work, 0);
    if (this.closed) return;
    if (this.mailbox.size > 0 || this.batch.length > 0) this.host.ready(this);
    else this.arm();
    if (this.host.checkpointDue(this.logBytes, this.durable - this.checkpointSeq)) void this.checkpoint();
  }

  /**
   * Acks, answers and effects of durable records leave. Ownership is checked at each: an answer 'done' that is handled after a
   * freeze proves nothing. Past the session's deadline they wait for its renewal.
   */
  private leave(acks: readonly Ack[], work: readonly Work[], from: number): void {
    if (from === 0) {
      if (!this.host.mayAct(this)) return this.postpone(acks, work, 0);
      for (const a of acks) this.host.report({ from: a.from, to: this.address, lane: a.lane, shard: a.shard, upTo: a.upTo });
      this.answerDoors();
    }
    for (let i = from; i < work.length && !this.closed; i++) {
      if (!this.host.mayAct(this)) return this.postpone([], work, i);
      this.perform.one(work[i] as Work);
    }
    this.postponed = false;
  }

  private postpone(acks: readonly Ack[], work: readonly Work[], from: number): void {
    if (this.host.epochOf(this.stream.shard) !== this.epoch) return this.close('its shard was taken over');
    this.postponed = true;
    this.host.whenRegained(() => {
      if (!this.closed) this.leave(acks, work, from);
    });
  }

  private answerDoors(): void {
    if (this.waiters === undefined) return;
    const open = this.waiters.filter((w) => w.seq === 0 || w.seq > this.durable);
    for (const w of this.waiters) if (w.seq > 0 && w.seq <= this.durable) w.resolve(w.seq);
    this.waiters = open.length > 0 ? open : undefined;
  }

  private answerDoor(id: EffectId, seq: number): void {
    const found = this.waiters?.filter((w) => w.id === id);
    if (this.batch.length > 0 || this.flight) {
      this.waiters = this.waiters?.map((w) => (w.id === id ? { ...w, seq: this.actor.tables.head } : w));
      return;
    }
    this.waiters = this.waiters?.filter((w) => w.id !== id);
    for (const w of found ?? []) w.resolve(seq);
  }

  private refuse(e: Envelope, error: MeshError): void {
    const found = this.waiters?.filter((w) => w.id === e.id);
    this.waiters = this.waiters?.filter((w) => w.id !== e.id);
    for (const w of found ?? []) w.reject(error);
  }

  // ---- recovery, timers, rest --------------------------------------------------------------------------------------

  /** What was unfinished when the last owner stopped: each once. */
  resume(): void {
    if (!this.host.mayAct(this))
      return this.host.whenRegained(() => {
        if (!this.closed) this.resume();
      });
    // A parked actor performs nothing until a person lets it go on.
    if (this.actor.tables.parked === undefined) this.perform.resume();
    this.record({ kind: 'ready', meta: this.plainMeta() });
    const t = this.actor.tables;
    if (t.failing !== undefined && t.parked === undefined && t.status === 'active') {
      if (t.failing.event !== undefined && t.failing.via !== undefined)
        this.retry = { result: { via: t.failing.via, event: t.failing.event } };
      if (t.failing.waits) this.wait();
    }
    this.host.ready(this);
  }

  /** Sets the one timer of this cell to its earliest due. */
  private arm(): void {
    const t = this.actor.tables;
    let due = this.waitsUntil ?? Infinity;
    if (t.parked === undefined) due = Math.min(due, earliestDue(t) ?? Infinity);
    if (t.outbox !== undefined && this.active) due = Math.min(due, earliestSend(t.outbox) ?? Infinity);
    if (due === this.timerAt) return;
    // A later due may wait for the earlier alarm: re-arming at each hop would cost more than an early wake.
    if (this.timer !== undefined && this.timerAt <= due) return;
    this.timer?.();
    this.timer = undefined;
    this.timerAt = due;
    if (due < Infinity)
      this.timer = this.host.clock.after(Math.max(this.host.mayAct(this) ? 0 : RETRY_MS, due - this.host.clock.now()), () =>
        this.alarm(),
      );
  }

  private alarm(): void {
    this.timer = undefined;
    this.timerAt = Infinity;
    if (this.closed) return;
    const now = this.host.clock.now();
    const t = this.actor.tables;
    if (this.waitsUntil !== undefined && this.waitsUntil <= now) {
      this.waitsUntil = undefined;
      this.host.ready(this);
    }
    if (t.parked === undefined) this.fire(now);
    if (t.outbox !== undefined && this.active && this.host.mayAct(this))
      for (const send of dueSends(t.outbox, now)) this.perform.send(send);
    this.arm();
  }

  /** Timers and deadlines that are due, in the order of deadline, then of scheduling. */
  private fire(now: number): void {
    const t = this.actor.tables;
    const due: { readonly due: number; readonly via: EffectId; readonly event: EventObject }[] = [];
    if (t.timers !== undefined)
      for (const timer of t.timers.values())
        if (timer.due <= now && this.perform.firstFire(timer.id)) due.push({ due: timer.due, via: timer.id, event: timer.event });
    if (t.leaves !== undefined) {
      for (const leaf of t.leaves.values()) {
        if (leaf.ask === undefined || leaf.ask.deadline > now || !this.perform.firstFire(leaf.id)) continue;
        const error = errorData(
          new MeshError(
            'ASK_TIMEOUT',
            `${leaf.ask.to} did not reply to ${leaf.child} of ${this.address} in ${leaf.ask.deadline - leaf.at} ms`,
          ),
        );
        due.push({
          due: leaf.ask.deadline,
          via: leaf.id,
          event: { type: `xstate.error.actor.${leaf.child}`, error, actorId: leaf.child },
        });
      }
    }
    due.sort((a, b) => a.due - b.due || positionOf(a.via) - positionOf(b.via));
    for (const d of due) this.result({ via: d.via, event: d.event });
  }

  /** Opened again though nothing was unfinished. A new epoch begins with `activated`. */
  woken(newEpoch: boolean): void {
    if (newEpoch) {
      this.activated('claim');
      this.record({ kind: 'ready', meta: this.plainMeta() });
      this.host.ready(this);
    }
    this.arm();
  }

  view(): View {
    return this.actor.logic.view(this.actor.snapshot);
  }

  get inDoubt(): readonly EffectId[] {
    return this.perform.inDoubt.map((l) => l.id);
  }

  resolve(id: EffectId, how: Parameters<Performer['resolve']>[1]): void {
    this.perform.resolve(id, how);
  }

  /** For a clean stop: true when everything taken is durable and in a checkpoint. */
  async rest(): Promise<boolean> {
    if (this.closed) return true;
    if (this.flight || this.batch.length > 0) return false;
    if (this.doneIds.length > 0) this.mark();
    if (this.batch.length > 0) {
      this.flush();
      return false;
    }
    if (this.durable > this.checkpointSeq && (this.actor.tables.actions?.size ?? 0) === 0) await this.checkpoint();
    if (this.flight || this.batch.length > 0) return false;
    this.dispose();
    return true;
  }

  /** A cell at rest can be put away: nothing to take, nothing on its way, no leaf in this process. */
  get idle(): boolean {
    const t = this.actor.tables;
    return (
      !this.closed &&
      !this.postponed &&
      !this.flight &&
      this.batch.length === 0 &&
      this.mailbox.size === 0 &&
      this.retry === undefined &&
      (t.actions === undefined || t.actions.size === 0) &&
      !(t.status === 'active' && hasRunningLeaf(t)) &&
      this.waiters === undefined
    );
  }

  /** ms since 1970 when it has to be in memory again; undefined: a message wakes it. */
  get wakeAt(): number | undefined {
    const t = this.actor.tables;
    const due = Math.min(
      t.parked === undefined ? (earliestDue(t) ?? Infinity) : Infinity,
      t.outbox === undefined ? Infinity : (earliestSend(t.outbox) ?? Infinity),
      this.waitsUntil ?? Infinity,
    );
    return due === Infinity ? undefined : due;
  }

  /** Saves a checkpoint at the durable head, if nothing is open. */
  async checkpoint(): Promise<boolean> {
    const t = this.actor.tables;
    if (this.closed || this.flight || this.batch.length > 0 || this.durable <= this.checkpointSeq || (t.actions?.size ?? 0) > 0)
      return false;
    const seq = this.durable;
    const bytes = encodeCheckpoint(this.actor.logic === NOBODY ? undefined : this.actor.logic, this.actor.snapshot, t);
    const saved = await this.host.store.saveCheckpoint(
      this.stream,
      seq,
      this.epoch,
      { wakeAt: this.wakeAt, leaf: t.status === 'active' && hasRunningLeaf(t), tombstone: this.actor.logic === NOBODY },
      bytes,
    );
    if (saved === 'refused') {
      if (!this.closed && this.checkpointSeq < seq) this.close('its checkpoint was refused');
      return false;
    }
    this.checkpointSeq = seq;
    this.logBytes = 0;
    return true;
  }

  /** Puts it away; false when something came in between. Acknowledgements that were heard are written first, else each wake re-sends. */
  async passivate(): Promise<boolean> {
    if (!this.idle) return false;
    if (this.doneIds.length > 0) {
      this.mark();
      this.flush();
      return false;
    }
    if (this.durable > this.checkpointSeq && !(await this.checkpoint())) return false;
    if (!this.idle || this.durable > this.checkpointSeq) return false;
    this.dispose();
    return true;
  }

  /** Only what is durable is kept: the rest is discarded, cursors and tables included. Leaves that run are handed on. */
  close(reason: string, error?: unknown): void {
    if (this.closed) return;
    this.perform.handOn();
    this.dispose();
    for (const w of this.waiters ?? []) w.reject(error ?? new MeshError('NOT_OWNER', `${this.address}: ${reason}`));
    this.waiters = undefined;
    this.host.dropped(this, reason);
  }

  private dispose(): void {
    this.closed = true;
    this.timer?.();
    this.perform.stopAll();
  }

  private fail(error: unknown): void {
    this.host.crashed(this, error);
    this.close(`it failed: ${errorData(error).message}`, error);
  }
}

export type { TraceContext };
