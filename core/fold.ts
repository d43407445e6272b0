/**
 * The fold: record after record into snapshot and tables. The live cell, recovery and replay all go through `applyRecord`,
 * so what is derived is the same in all three. Performs nothing; what a live cell has to do comes back as `Work`.
 *
 *   record -> [step of the logic] -> settle what it answers -> register its effects -> Work
 */
import { type Address, type EffectId, OUTSIDE, positionOf } from './address.ts';
import type { ActionEffect, EventObject } from './effect.ts';
import { assert, MeshError } from './errors.ts';
import { failed, failedId, forgetFailures, overcome } from './fold/failures.ts';
import { answer, forget, settle } from './fold/outcomes.ts';
import { refusalOf } from './fold/refusals.ts';
import { Registrar } from './fold/registrar.ts';
import { divergence, explain } from './fold/seal.ts';
import { destination } from './fold/targets.ts';
import { takeTimer } from './fold/timers.ts';
import type { ActorEnv, Logic, Step } from './logic.ts';
import { advance } from './protocol/cursors.ts';
import type { PendingSend } from './protocol/outbox.ts';
import { emptyOutside, recordMade, recordOutside, type Refusal } from './protocol/outside.ts';
import type { InitData, InitRecord, LogicStamp, LogRecord, RecordMeta } from './record.ts';
import { emptyTables, type PendingLeaf, type Tables } from './tables.ts';

/** What a live cell has to do once the record is durable. Recovery derives the unfinished part of it from the tables. */
export type Work =
  | { readonly kind: 'send'; readonly send: PendingSend }
  /** A send that a later one has made needless. */
  | { readonly kind: 'replaced'; readonly id: EffectId }
  | { readonly kind: 'void'; readonly id: EffectId }
  /** A person or a supervisor lets it go on: what the records below have left pending. */
  | { readonly kind: 'resume'; readonly below: number }
  | { readonly kind: 'leaf'; readonly leaf: PendingLeaf }
  | { readonly kind: 'leaf.stop'; readonly id: EffectId }
  | { readonly kind: 'leaf.send'; readonly id: EffectId; readonly event: EventObject }
  /** `marked`: that it is done is in the log already. */
  | { readonly kind: 'action'; readonly id: EffectId; readonly action: ActionEffect; readonly marked?: true }
  | { readonly kind: 'emit'; readonly event: EventObject }
  | { readonly kind: 'log'; readonly label: string | undefined; readonly value: unknown }
  | { readonly kind: 'reply'; readonly id: string; readonly event: EventObject };

export interface Folded {
  readonly env: ActorEnv;
  readonly logic: Logic;
  snapshot: unknown;
  readonly tables: Tables;
}

export const UNSTEPPED: Step = { snapshot: undefined, effects: [] };

/** The fold of nothing: what an `init` record is applied to. */
export function unborn(address: Address, logic: Logic, record: Pick<InitRecord, 'init'>): Folded {
  return {
    env: envOf(address, record.init),
    logic,
    snapshot: undefined,
    tables: emptyTables(record.init, stampOf(logic)),
  };
}

/** Who steps, as its `init` says. */
export const envOf = (address: Address, init: InitData): ActorEnv => ({
  address,
  parent: init.parent?.address,
  ...(init.system !== undefined && { system: init.system }),
});

const stamps = new WeakMap<Logic, LogicStamp>();

/** How a log names the logic that wrote it: one object for all actors of it. */
export function stampOf(logic: Logic): LogicStamp {
  let stamp = stamps.get(logic);
  if (stamp === undefined) {
    stamp = { id: logic.id, ...(logic.version !== undefined && { version: logic.version }), hash: logic.hash };
    stamps.set(logic, stamp);
  }
  return stamp;
}

/** The step that a record stands for; undefined for kinds that do not step the logic. */
export function stepOf(actor: Folded, record: LogRecord): Step | undefined {
  if (record.kind === 'init') return actor.logic.init(actor.env, record.init.input, record.meta, String(record.seq));
  if (record.kind === 'event') return actor.logic.step(actor.env, actor.snapshot, record.event, record.meta, String(record.seq));
  return undefined;
}

/** Step and apply, checking the digests. Throws REPLAY_DIVERGED. */
export function foldRecord(actor: Folded, record: LogRecord, work: Work[] | undefined, verify = true): Step {
  const step = stepOf(actor, record) ?? UNSTEPPED;
  const bad = verify || step.failed !== undefined ? divergence(actor, record, step) : undefined;
  if (bad !== undefined) {
    throw new MeshError('REPLAY_DIVERGED', explain(actor.env.address, bad), {
      data: { ...bad, actor: actor.env.address, record },
    });
  }
  applyRecord(actor, record, step, work);
  return step;
}

/** Book-keeping for one record; the same live and in replay. */
export function applyRecord(actor: Folded, record: LogRecord, step: Step, work: Work[] | undefined): void {
  const t = actor.tables;
  const { meta } = record;
  assert(record.kind !== 'failed' || record.init !== undefined || failedId(record) !== undefined, 'it says what failed');
  t.head = record.seq;
  t.epoch = record.epoch;
  t.lastTs = Math.max(meta.ts, t.lastTs);
  if (record.done !== undefined) for (const id of record.done) settle(t, id);
  const make = new Registrar(actor, record, work);
  switch (record.kind) {
    case 'init':
      beginLife(t, record, actor.env.address);
      take(t, meta);
      actor.snapshot = step.snapshot;
      if (record.logic !== undefined) t.logic = record.logic;
      make.effects(step.effects);
      make.report('reprise.started', {});
      make.endIfEnded(step);
      return;
    case 'event':
      take(t, meta);
      if (meta.via !== undefined) answer(t, meta.via, record.event);
      overcome(t, meta.id ?? meta.via);
      // Else the process may yet die of it.
      if (t.activated === undefined || t.activated === false) t.strikes = 0;
      actor.snapshot = step.snapshot;
      if (record.logic !== undefined) t.logic = record.logic;
      make.effects(step.effects);
      make.taken();
      make.endIfEnded(step, record.event.type === 'xstate.stop');
      return;
    case 'dead':
      take(t, meta, refusalOf(actor.env.address, record));
      overcome(t, meta.id);
      if (record.cause === 'in_doubt' && meta.via !== undefined) forget(t, meta.via);
      make.taken();
      t.deadCount++;
      (t.dead ??= []).push({ seq: record.seq, cause: record.cause, at: meta.ts });
      if (t.dead.length > 100) t.dead.shift();
      return;
    case 'failed':
      take(t, meta, refusalOf(actor.env.address, record));
      if (record.init === undefined) failed(t, record);
      else {
        t.init = record.init;
        t.toBegin = undefined;
        if (record.parked !== undefined) t.parked = { reason: record.parked, seq: record.seq };
      }
      make.failed(record);
      return;
    case 'activated':
      if (record.reason === 'restart' && record.run !== undefined) {
        if (t.init.supervisor !== undefined)
          t.init = { ...t.init, supervisor: { address: t.init.supervisor.address, run: record.run } };
        take(t, meta);
        t.parked = undefined;
        if (t.failing !== undefined) t.failing = { ...t.failing, waits: false };
        make.report('reprise.started', {});
        return;
      }
      if (record.reason === 'unparked') {
        t.parked = undefined;
        t.failures = undefined;
        t.strikes = 0;
      } else if (t.activated !== undefined && t.activated !== false && record.reason !== 'reopened') {
        // The process died between `activated` and `ready`.
        t.strikes++;
      }
      t.activated = record.reason === 'trial' ? 'trial' : true;
      return;
    case 'ready':
      if (t.activated === 'trial') {
        t.strikes = 0;
        t.tried = record.epoch;
      }
      t.activated = false;
      return;
    case 'fired': {
      const timer = takeTimer(t, record.timer);
      assert(timer !== undefined, `fired ${record.timer} of ${actor.env.address} is not pending`);
      if (timer.to !== undefined) make.send(0, timer.to, timer.event, 'user', timer.via);
      else if (timer.leaf !== undefined) make.toLeaf(timer.leaf, timer.event);
      return;
    }
    case 'void':
      make.giveUp(record.send);
      return;
    case 'resend':
      t.dead = t.dead?.filter((d) => d.seq !== record.dead);
      make.send(0, record.to, record.event, 'user', undefined);
      return;
    case 'mark':
      take(t, meta);
      for (const [i, { to: target, event, lane = 'user' }] of record.sends?.entries() ?? []) {
        const { to, via } = destination(target);
        make.send(i, to, event, lane, via);
      }
      return;
    case 'bridge':
      return;
  }
}

/** Orders that end the actors that a chart has spawned: they do not outlive it. */
export function stopsOf(t: Tables): { readonly to: Address; readonly event: EventObject }[] {
  const stops: { readonly to: Address; readonly event: EventObject }[] = [];
  for (const { address } of t.children?.values() ?? [])
    if (address !== undefined) stops.push({ to: address, event: { type: 'xstate.stop' } });
  return stops;
}

/** A new life keeps what belongs to the address: cursors, outside ids, unacknowledged sends. */
function beginLife(t: Tables, record: InitRecord, address: Address): void {
  t.init = record.init;
  t.status = 'active';
  t.strikes = 0;
  forgetFailures(t, address);
  // What was never there stays so: in most actors all of it, and idle actors are many.
  for (const key of OF_ONE_LIFE) if (t[key] !== undefined) t[key] = undefined;
}
const OF_ONE_LIFE = [
  'endedAt',
  'error',
  'leaves',
  'timers',
  'actions',
  'children',
  'left',
  'told',
  'parked',
  'activated',
  'toBegin',
  'gone',
] as const satisfies readonly (keyof Tables)[];

/** Advances the cursor, or remembers the outside id. */
function take(t: Tables, meta: RecordMeta, refusal?: Refusal): void {
  if (meta.id === undefined || meta.from === undefined) return;
  if (meta.from === OUTSIDE) {
    if (meta.made === true) recordMade((t.made ??= emptyOutside()), meta.id, meta.ts, t.head, refusal);
    else recordOutside((t.outside ??= emptyOutside()), meta.id, meta.ts, t.head, refusal);
    return;
  }
  advance((t.cursors ??= new Map()), meta.from, meta.lane ?? 'user', positionOf(meta.id), meta.ts);
}
