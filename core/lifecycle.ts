/**
 * What a person may do to an actor whose log no longer fits its code, or that should go: reset, migrate, fork, delete.
 * Each appends above the old head, so ids never start again, and keeps what belongs to the address: cursors, outside ids, sends
 * that nobody has acknowledged. Where these tables cannot be derived, it says so and asks for `acceptLoss`.
 */
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint.ts';
import { effectsDigest } from './digest.ts';
import { MeshError } from './errors.ts';
import { applyRecord, foldRecord, type Folded, seedOf, unborn, stampOf, UNSTEPPED } from './fold.ts';
import type { Logic } from './logic.ts';
import type { EventStore, StoreAdmin, StreamId } from './ports/event-store.ts';
import { nobody, reborn, type RecoverySource } from './recovery.ts';
import type { InitData, LogRecord } from './record.ts';
import { encodeTables, type Tables } from './tables.ts';

export interface LifecycleContext extends RecoverySource {
  readonly store: EventStore;
  readonly now: number;
  readonly node: string;
  /** Epoch at which the shard is held. */
  readonly epoch: number;
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
  if (old !== undefined && saved !== undefined && saved.tables.init.logic !== '') {
    const env = { address: stream.actor, parent: saved.tables.init.parent?.address };
    actor = { env, logic: old, snapshot: old.restore(env, structuredClone(saved.snapshot)), tables: saved.tables };
  }
  const lost: LogRecord[] = [];
  for await (const stored of ctx.store.read(stream, snapshotSeq + 1)) {
    const record = await ctx.inflate(stored);
    const steps = record.kind === 'init' || record.kind === 'event';
    if (steps && old !== undefined) {
      if (record.kind === 'init') actor = reborn({ logicOf: () => old }, stream.actor, record, actor.tables);
      foldRecord(actor, record, undefined);
    } else if (steps) {
      lost.push(record);
      // Without a step its effects are unknown; what it took is not.
      applyRecord(actor, { ...record, kind: 'mark' } as LogRecord, UNSTEPPED, undefined);
      if (record.kind === 'init') actor.tables.init = record.init;
    } else applyRecord(actor, record, UNSTEPPED, undefined);
  }
  if (old !== undefined && actor.snapshot !== undefined) {
    snapshot = old.persist(actor.snapshot);
    snapshotSeq = actor.tables.head;
  }
  if (lost.length > 0 && options.acceptLoss !== true) {
    throw new MeshError(
      'CHECKPOINT_INCOMPATIBLE',
      `${stream.actor} has ${lost.length} records above its checkpoint (seq ${lost[0]?.seq} to ${lost.at(-1)?.seq}) that only the old code can fold: name it with --old MODULE, or give their sends up with --accept-loss`,
      { data: { actor: stream.actor, records: lost.map((r) => r.seq) } },
    );
  }
  return { tables: actor.tables, snapshot, snapshotSeq, lost };
}

/** A new life from the same input. The old records stay (archived) below it. */
export async function reset(ctx: LifecycleContext, stream: StreamId, options: LossOptions = {}): Promise<number> {
  const { tables, lost } = await tablesAtHead(ctx, stream, options);
  if (tables.init.logic === '') throw new MeshError('ACTOR_NOT_FOUND', `${stream.actor} has no life to reset`);
  const records = losses(ctx, tables, lost);
  const logic = ctx.logicOf(tables.init.logic, stream.actor);
  const expected = tables.head;
  const actor: Folded = { ...unborn(stream.actor, logic, { init: tables.init }), tables };
  for (const record of records) applyRecord(actor, record, UNSTEPPED, undefined);
  for (const leaf of tables.leaves?.values() ?? []) {
    if (leaf.ask !== undefined) continue;
    const doubt = {
      ...header(ctx, actor.tables),
      kind: 'dead',
      cause: 'in_doubt',
      event: { type: 'reprise.leaf', src: leaf.src, input: leaf.input },
      meta: { ...meta(ctx, actor), via: leaf.id },
    } as LogRecord;
    records.push(doubt);
    applyRecord(actor, doubt, UNSTEPPED, undefined);
  }
  const m = meta(ctx, actor);
  const step = logic.init(actor.env, tables.init.input, m, String(actor.tables.head + 1));
  if (step.failed !== undefined)
    throw new MeshError('STEP_FAILED', `${stream.actor} cannot begin again: ${step.failed.message}`, { data: step.failed });
  records.push({
    ...header(ctx, actor.tables),
    kind: 'init',
    init: tables.init,
    meta: m,
    digest: logic.digest(step.snapshot),
    effectsDigest: effectsDigest(step.effects),
    logic: stampOf(logic),
  });
  return write(ctx, stream, expected, records);
}

/** Goes on in the new chart from what `migrate` makes of the old persisted snapshot. Throws CHECKPOINT_INCOMPATIBLE when the result does not fit. */
export async function migrate(
  ctx: LifecycleContext,
  stream: StreamId,
  snapshotOf: (old: unknown, from: { readonly version?: string; readonly hash: string }) => unknown,
  options: LossOptions = {},
): Promise<number> {
  const at = await tablesAtHead(ctx, stream, options);
  if (at.snapshot === undefined || at.snapshot === null)
    throw new MeshError(
      'CHECKPOINT_INCOMPATIBLE',
      `${stream.actor} has no checkpoint to migrate from: name the old code with --old MODULE`,
    );
  const logic = ctx.logicOf(at.tables.init.logic, stream.actor);
  const snapshot = snapshotOf(structuredClone(at.snapshot), at.tables.logic);
  const timers = [...(at.tables.timers?.values() ?? [])].map((t) => t.event.type);
  const reasons = logic.incompatibilities(snapshot, timers);
  if (reasons.length > 0)
    throw new MeshError(
      'CHECKPOINT_INCOMPATIBLE',
      `the migrated snapshot of ${stream.actor} does not fit '${logic.id}': ${reasons.join('; ')}`,
      { data: { reasons } },
    );
  const expected = at.tables.head;
  const records = losses(ctx, at.tables, at.lost);
  const actor: Folded = { ...unborn(stream.actor, logic, { init: at.tables.init }), tables: at.tables };
  for (const record of records) applyRecord(actor, record, UNSTEPPED, undefined);
  records.push(bridge(ctx, actor, logic, snapshot, at.tables, at.tables.init, 'migrate'));
  return write(ctx, stream, expected, records);
}

/** A new actor at another address, in the state that `from` had at the end of what this code can fold. Nothing pending comes along. */
export async function fork(ctx: LifecycleContext, target: StreamId, persisted: unknown, init: InitData): Promise<number> {
  const { head } = await ctx.store.head(target);
  const logic = ctx.logicOf(init.logic, target.actor);
  const actor = unborn(target.actor, logic, { init });
  actor.tables.head = head;
  return write(ctx, target, head, [bridge(ctx, actor, logic, persisted, actor.tables, init, 'fork')]);
}

/** Removes the log; a tombstone keeps what the address still owes. Returns how many records went. */
export async function remove(
  ctx: LifecycleContext & { readonly admin: StoreAdmin },
  stream: StreamId,
  options: LossOptions = {},
): Promise<number> {
  const { tables, lost } = await tablesAtHead(ctx, stream, options);
  const expected = tables.head;
  const records = losses(ctx, tables, lost);
  const actor = nobody(stream.actor, tables);
  for (const record of records) applyRecord(actor, record, UNSTEPPED, undefined);
  for (const leaf of tables.leaves?.values() ?? []) {
    if (leaf.ask !== undefined) continue;
    const doubt = {
      ...header(ctx, tables),
      kind: 'dead',
      cause: 'in_doubt',
      event: { type: 'reprise.leaf', src: leaf.src, input: leaf.input },
      meta: { ...meta(ctx, actor), via: leaf.id },
    } as LogRecord;
    records.push(doubt);
    applyRecord(actor, doubt, UNSTEPPED, undefined);
  }
  records.push({ ...header(ctx, tables), kind: 'mark', meta: meta(ctx, actor) });
  const head = await write(ctx, stream, expected, records);
  const kept: Tables = {
    ...tables,
    head,
    init: { logic: '', input: null },
    status: 'stopped',
    leaves: undefined,
    timers: undefined,
    actions: undefined,
    children: undefined,
    left: undefined,
    failing: undefined,
    parked: undefined,
  };
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

function losses(ctx: LifecycleContext, tables: Tables, lost: readonly LogRecord[]): LogRecord[] {
  return lost.map((record, i) => ({
    v: 1,
    seq: tables.head + 1 + i,
    epoch: ctx.epoch,
    kind: 'dead',
    cause: 'underivable',
    detail: `seq ${record.seq}`,
    event: record.kind === 'event' ? record.event : { type: 'reprise.init' },
    meta: { ts: ctx.now, seed: 0 },
  }));
}

function bridge(
  ctx: LifecycleContext,
  actor: Folded,
  logic: Logic,
  snapshot: unknown,
  tables: Tables,
  init: InitData,
  reason: 'migrate' | 'fork',
): LogRecord {
  const restored = logic.restore(actor.env, structuredClone(snapshot));
  return {
    ...header(ctx, tables),
    kind: 'bridge',
    snapshot,
    tables: JSON.parse(JSON.stringify(encodeTables(tables))) as unknown,
    logic: stampOf(logic),
    reason,
    digest: logic.digest(restored),
    init,
    meta: meta(ctx, actor),
  };
}

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
  const result = await ctx.store.append(stream, expected, ctx.epoch, records);
  if (result.outcome === 'done') return result.head;
  throw new MeshError('STORE_CONFLICT', `${stream.actor} was written by another owner meanwhile (${result.outcome})`);
}
