/**
 * What a person may do to an actor whose log no longer fits its code, or that should go: reset, migrate, fork, delete.
 * Each appends above the old head, so ids never start again, and keeps what belongs to the address: cursors, outside ids, sends
 * that nobody has acknowledged. Where these tables cannot be derived, it says so and asks for `acceptLoss`.
 */
import { decodeCheckpoint, encodeCheckpoint } from '../checkpoint.ts';
import type { EventObject } from '../effect.ts';
import { MeshError } from '../errors.ts';
import { applyRecord, envOf, foldRecord, type Folded, stampOf, stopsOf, unborn, UNSTEPPED } from '../fold.ts';
import { seedOf } from '../kernel/determinism.ts';
import type { Logic } from '../logic.ts';
import { APPEND_MAX, type EventStore, type StoreAdmin, type StreamId } from '../ports/event-store.ts';
import { migrated, type MigrateSnapshot } from './migration.ts';
import { bridged, NOBODY, nobody, reborn, type RecoverySource } from '../recovery.ts';
import type { InitData, LogRecord } from '../record.ts';
import { encodeTables, type Tables } from '../tables.ts';

export interface LifecycleContext extends RecoverySource {
  readonly store: EventStore;
  readonly now: number;
  readonly node: string;
  /** Epoch at which the shard is held. */
  readonly epoch: number;
  /** These records are durable: for followers of a node. */
  readonly written?: (records: readonly LogRecord[]) => void;
}
export interface LossOptions {
  /** Logic that wrote the log: folds what this code cannot. */
  readonly old?: Logic;
  /** Go on although records could not be folded: one dead letter `underivable` for each. */
  readonly acceptLoss?: boolean;
}

interface AtHead {
  readonly tables: Tables;
  /** Persisted snapshot at `snapshotSeq`, by the code that wrote it. */
  readonly snapshot: unknown;
  readonly snapshotSeq: number;
  /** Records that nobody could fold. */
  readonly lost: readonly LogRecord[];
}

/** The derived tables at the head: from the checkpoint there, by folding with `old`, or with the loss that was accepted. Throws CHECKPOINT_INCOMPATIBLE. */
export async function tablesAtHead(ctx: LifecycleContext, stream: StreamId, options: LossOptions): Promise<AtHead> {
  const checkpoint = await ctx.store.loadCheckpoint(stream);
  const saved = checkpoint === undefined ? undefined : decodeCheckpoint(checkpoint.bytes, stream.actor);
  const { old } = options;
  let actor: Folded = nobody(stream.actor, saved?.tables);
  let snapshot: unknown = saved?.snapshot;
  let snapshotSeq = checkpoint?.seq ?? 0;
  if (old !== undefined && saved !== undefined && saved.snapshot !== null) {
    const env = envOf(stream.actor, saved.tables.init);
    actor = { env, logic: old, snapshot: old.restore(env, structuredClone(saved.snapshot)), tables: saved.tables };
  }
  const lost: LogRecord[] = [];
  for await (const stored of ctx.store.read(stream, await lastBridge(ctx.store, stream, snapshotSeq + 1))) {
    const record = await ctx.inflate(stored);
    if (record.kind === 'bridge') {
      actor = bridged({ logicOf: () => old ?? NOBODY }, stream.actor, record);
      ({ snapshot, seq: snapshotSeq } = record);
      continue;
    }
    const steps = record.kind === 'init' || record.kind === 'event';
    if (steps && old !== undefined) {
      if (record.kind === 'init') actor = reborn({ logicOf: () => old }, stream.actor, record, actor.tables);
      foldRecord(actor, record, undefined);
    } else if (steps) {
      lost.push(record);
      // Without a step its effects are unknown; what it took is not.
      applyRecord(actor, { ...record, kind: 'mark' }, UNSTEPPED, undefined);
      if (record.kind === 'init') actor.tables.init = record.init;
    } else if (record.kind === 'fired' && actor.tables.timers?.has(record.timer) !== true) {
      // A step that was lost has set it: what it sent is as unknown.
      lost.push(record);
      applyRecord(actor, { ...record, kind: 'mark' }, UNSTEPPED, undefined);
    } else applyRecord(actor, record, UNSTEPPED, undefined);
  }
  if (old !== undefined && actor.snapshot !== undefined) {
    snapshot = old.persist(actor.snapshot);
    snapshotSeq = actor.tables.head;
  }
  if (lost.length > 0 && options.acceptLoss !== true) {
    throw new MeshError(
      'CHECKPOINT_INCOMPATIBLE',
      `${stream.actor} has ${lost.length} ${lost.length === 1 ? 'record' : 'records'} above its checkpoint (seq ${lost[0]?.seq} to ${lost.at(-1)?.seq}) that only the old code can fold: name it with --old FILE, or give their sends up with --accept-loss`,
      { data: { actor: stream.actor, records: lost.map((r) => r.seq) } },
    );
  }
  return { tables: actor.tables, snapshot, snapshotSeq, lost };
}

/** Seq of the last bridge from `from` on, which holds all that was below it; `from`: there is none. */
export async function lastBridge(store: Pick<EventStore, 'read'>, stream: StreamId, from: number): Promise<number> {
  let last = from;
  for await (const { kind, seq } of store.read(stream, from)) if (kind === 'bridge') last = seq;
  return last;
}

/**
 * A new life from the same input. The old records stay (archived) below a `bridge` that keeps what belongs to the address; the cell that is
 * opened next begins the new life itself, so that its effects are first performed there.
 *
 * Throws STEP_FAILED when it cannot begin.
 */
export async function reset(ctx: LifecycleContext, stream: StreamId, options: LossOptions = {}): Promise<number> {
  const { tables, lost } = await tablesAtHead(ctx, stream, options);
  const { init } = tables;
  if (init.logic === '')
    throw new MeshError(
      'ACTOR_NOT_FOUND',
      `${stream.actor} has no life to reset: its log was removed. Who starts it begins it anew`,
    );
  const logic = ctx.logicOf(init.logic, stream.actor);
  const actor: Folded = { ...unborn(stream.actor, logic, { init }), tables };
  const tried = logic.init(actor.env, init.input, meta(ctx, actor), String(tables.head + 1));
  if (tried.failed !== undefined)
    throw new MeshError('STEP_FAILED', `${stream.actor} cannot begin again: ${tried.failed.message}`, { data: tried.failed });
  const expected = tables.head;
  const records = ending(ctx, actor, lost);
  const kept: Tables = { ...withoutLife(tables), init, toBegin: true };
  records.push({ ...bridgeOf(ctx, actor, logic, kept, init), snapshot: null, digest: '', reason: 'reset' });
  return write(ctx, stream, expected, records);
}

/** Goes on in the new chart from what `migrate` makes of the old persisted snapshot. Throws CHECKPOINT_INCOMPATIBLE when the result does not fit. */
export async function migrate(
  ctx: LifecycleContext,
  stream: StreamId,
  snapshotOf: MigrateSnapshot,
  options: LossOptions = {},
): Promise<number> {
  const at = await tablesAtHead(ctx, stream, options);
  if (at.snapshot === undefined || at.snapshot === null)
    throw new MeshError(
      'CHECKPOINT_INCOMPATIBLE',
      `${stream.actor} has no checkpoint to migrate from: name the old code with --old FILE`,
    );
  const logic = ctx.logicOf(at.tables.init.logic, stream.actor);
  const seq = at.tables.head + at.lost.length + 1;
  const { snapshot, timers } = migrated({ ...at, address: stream.actor, seq }, logic, snapshotOf);
  const reasons = logic.incompatibilities(
    snapshot,
    timers.map((t) => t.event.type),
  );
  if (reasons.length > 0)
    throw new MeshError(
      'CHECKPOINT_INCOMPATIBLE',
      `the migrated snapshot of ${stream.actor} does not fit '${logic.id}': ${reasons.join('; ')}`,
      { data: { reasons } },
    );
  const expected = at.tables.head;
  const actor: Folded = { ...unborn(stream.actor, logic, { init: at.tables.init }), tables: at.tables };
  const records = applied(actor, losses(ctx, at.tables, at.lost));
  const tables: Tables = { ...at.tables, timers: timers.length === 0 ? undefined : new Map(timers.map((t) => [t.id, t])) };
  records.push({
    ...bridgeOf(ctx, actor, logic, tables, tables.init),
    ...restorable(logic, actor, snapshot),
    reason: 'migrate',
  });
  return write(ctx, stream, expected, records);
}

/** A new actor at another address, in the state that `from` had at the end of what this code can fold. Nothing pending comes along. */
export async function fork(ctx: LifecycleContext, target: StreamId, persisted: unknown, init: InitData): Promise<number> {
  const { head } = await ctx.store.head(target);
  const logic = ctx.logicOf(init.logic, target.actor);
  const actor = unborn(target.actor, logic, { init });
  actor.tables.head = head;
  const record: LogRecord = {
    ...bridgeOf(ctx, actor, logic, actor.tables, init),
    ...restorable(logic, actor, persisted),
    reason: 'fork',
  };
  return write(ctx, target, head, [record]);
}

/** Removes the log; a tombstone keeps what the address still owes. Returns how many records went. */
export async function remove(
  ctx: LifecycleContext & { readonly admin: StoreAdmin },
  stream: StreamId,
  options: LossOptions = {},
): Promise<number> {
  const { tables, lost } = await tablesAtHead(ctx, stream, options);
  const expected = tables.head;
  const head = await write(ctx, stream, expected, ending(ctx, nobody(stream.actor, tables), lost));
  const kept: Tables = { ...withoutLife(tables), head, init: { logic: '', input: null }, gone: true };
  const saved = await ctx.store.saveCheckpoint(
    stream,
    head,
    ctx.epoch,
    { wakeAt: tables.outbox === undefined ? undefined : ctx.now, leaf: false, tombstone: true },
    encodeCheckpoint(undefined, undefined, kept).bytes,
  );
  if (saved === 'refused')
    throw new MeshError('STORE_CONFLICT', `the tombstone of ${stream.actor} was refused: its log moved on`);
  return ctx.admin.truncateBefore(stream, head);
}

/** Records that end a life: what cannot be folded and what is in doubt become dead letters, children are told to stop. Applied to `actor`. */
function ending(ctx: LifecycleContext, actor: Folded, lost: readonly LogRecord[]): LogRecord[] {
  const { tables } = actor;
  const records = applied(actor, losses(ctx, tables, lost));
  for (const leaf of [...(tables.leaves?.values() ?? [])]) {
    if (leaf.ask !== undefined) continue;
    const event = { type: 'reprise.leaf', src: leaf.src, input: leaf.input };
    const doubt: LogRecord = {
      ...header(ctx, tables),
      kind: 'dead',
      cause: 'in_doubt',
      event,
      meta: { ...meta(ctx, actor), via: leaf.id },
    };
    records.push(...applied(actor, [doubt]));
  }
  const mark: LogRecord = { ...header(ctx, tables), kind: 'mark', meta: meta(ctx, actor), sends: stopsOf(tables) };
  return [...records, ...applied(actor, [mark])];
}

function applied(actor: Folded, records: LogRecord[]): LogRecord[] {
  for (const record of records) applyRecord(actor, record, UNSTEPPED, undefined);
  return records;
}

/** What is left when a life is over: that which belongs to the address. */
const withoutLife = (tables: Tables): Tables => ({
  ...tables,
  status: 'stopped',
  leaves: undefined,
  timers: undefined,
  actions: undefined,
  children: undefined,
  left: undefined,
  failing: undefined,
  parked: undefined,
  error: undefined,
});

function losses(ctx: LifecycleContext, tables: Tables, lost: readonly LogRecord[]): LogRecord[] {
  return lost.map((record, i) => ({
    v: 1,
    seq: tables.head + 1 + i,
    epoch: ctx.epoch,
    kind: 'dead',
    cause: 'underivable',
    detail: `seq ${record.seq}`,
    event: eventOf(record),
    meta: { ts: ctx.now, seed: 0 },
  }));
}

function eventOf(record: LogRecord): EventObject {
  if (record.kind === 'event') return record.event;
  return record.kind === 'fired' ? { type: 'reprise.fired', timer: record.timer } : { type: 'reprise.init' };
}

/** A bridge but for its snapshot. */
const bridgeOf = (ctx: LifecycleContext, actor: Folded, logic: Logic, tables: Tables, init: InitData) => ({
  ...header(ctx, tables),
  kind: 'bridge' as const,
  tables: JSON.parse(JSON.stringify(encodeTables(tables))) as unknown,
  logic: stampOf(logic),
  init,
  meta: meta(ctx, actor),
});

const restorable = (logic: Logic, actor: Folded, snapshot: unknown): { snapshot: unknown; digest: string } => ({
  snapshot,
  digest: logic.digest(logic.restore(actor.env, structuredClone(snapshot))),
});

const header = (ctx: LifecycleContext, tables: Tables): { v: 1; seq: number; epoch: number } => ({
  v: 1,
  seq: tables.head + 1,
  epoch: ctx.epoch,
});
const meta = (ctx: LifecycleContext, actor: Folded): { ts: number; seed: number } => ({
  ts: Math.max(ctx.now, actor.tables.lastTs),
  seed: seedOf(actor.env.address, actor.tables.head + 1),
});

async function write(ctx: LifecycleContext, stream: StreamId, expected: number, records: readonly LogRecord[]): Promise<number> {
  let head = expected;
  while (head < expected + records.length) {
    const part = records.slice(head - expected, head - expected + APPEND_MAX);
    const result = await ctx.store.append(stream, head, ctx.epoch, part);
    if (result.outcome !== 'done')
      throw new MeshError('STORE_CONFLICT', `${stream.actor} was written by another owner meanwhile (${result.outcome})`);
    ({ head } = result);
    ctx.written?.(part);
  }
  return head;
}
