/**
 * The fold: record after record into snapshot and tables. The live cell, recovery and replay all go through `applyRecord`,
 * so what is derived is the same in all three. Performs nothing; what a live cell has to do comes back as `Work`.
 *
 *   record -> [step of the logic] -> settle what it answers -> register its effects -> Work
 */
import { type Address, childAddress, type EffectId, effectId, EFFECTS_MAX, OUTSIDE, positionOf } from './address.ts';
import { seedOf } from './kernel/determinism.ts';
import { effectsDigest } from './digest.ts';
import {
  type ActionEffect,
  type Effect,
  type EventObject,
  isDelayed,
  type Lane,
  type SendEffect,
  type SpawnEffect,
  type Target,
} from './effect.ts';
import type { TraceContext } from './envelope.ts';
import { assert, type ErrorData, errorData, MeshError } from './errors.ts';
import type { ActorEnv, AskSource, Logic, Step } from './logic.ts';
import { advance } from './protocol/cursors.ts';
import { addSend, emptyOutbox, giveUp, type PendingSend, settleSend } from './protocol/outbox.ts';
import { emptyOutside, recordMade, recordOutside, recordReply } from './protocol/outside.ts';
import type { FailedRecord, InitData, InitRecord, LogicStamp, LogRecord, RecordMeta } from './record.ts';
import { emptyTables, type PendingLeaf, type Tables } from './tables.ts';
import { cancelTimer, setTimer, takeTimer } from './timers.ts';

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

/** Why these effects cannot be entered: then the step counts as failed. */
function checkEffects(actor: Folded, effects: readonly Effect[]): ErrorData | undefined {
  const { address } = actor.env;
  if (effects.length >= EFFECTS_MAX - 16)
    return errorData(new MeshError('STEP_BUDGET', `${address} made ${effects.length} effects in one step`));
  for (const e of effects) {
    if (e.kind === 'spawn' && actor.logic.source(e.src) === undefined)
      return errorData(
        new MeshError(
          'LOGIC_NOT_FOUND',
          `${address} spawns '${e.child}' from '${e.src}', which '${actor.logic.id}' does not define`,
        ),
      );
  }
  return undefined;
}

/** What a record says of a step: digests of the state and the effects. Or why it cannot be recorded. */
export type Sealed =
  | {
      readonly digest: string;
      readonly effectsDigest: string;
      readonly delays?: readonly number[];
      readonly failed?: undefined;
    }
  | { readonly failed: ErrorData };

export function seal(actor: Folded, step: Step): Sealed {
  const failed = step.failed ?? checkEffects(actor, step.effects);
  if (failed !== undefined) return { failed };
  try {
    const digest = actor.logic.digest(step.snapshot, actor.snapshot);
    const sealed = { digest, effectsDigest: effectsDigest(step.effects) };
    return step.effects.some(isDelayed) ? { ...sealed, delays: step.effects.filter(isDelayed).map((e) => e.delay) } : sealed;
  } catch (error) {
    return { failed: errorData(error) };
  }
}

/** The step that a record stands for; undefined for kinds that do not step the logic. */
export function stepOf(actor: Folded, record: LogRecord): Step | undefined {
  if (record.kind === 'init') return actor.logic.init(actor.env, record.init.input, record.meta, String(record.seq));
  if (record.kind === 'event') return actor.logic.step(actor.env, actor.snapshot, record.event, record.meta, String(record.seq));
  return undefined;
}

export interface Divergence {
  readonly seq: number;
  readonly what: 'state' | 'effects' | 'throw' | 'checkpoint';
  readonly expected: string;
  readonly actual: string;
}

/** Does this step do what the record says it did? */
export function divergence(actor: Folded, record: LogRecord, step: Step): Divergence | undefined {
  if (record.kind !== 'init' && record.kind !== 'event') return undefined;
  if (step.failed !== undefined) return { seq: record.seq, what: 'throw', expected: 'no error', actual: step.failed.message };
  const state = actor.logic.digest(step.snapshot, actor.snapshot);
  if (state !== record.digest) return { seq: record.seq, what: 'state', expected: record.digest, actual: state };
  const effects = effectsDigest(step.effects);
  return effects === record.effectsDigest
    ? undefined
    : { seq: record.seq, what: 'effects', expected: record.effectsDigest, actual: effects };
}

/** What REPLAY_DIVERGED says. Its data have the digests, which say nothing to people. */
export const explain = (actor: Address, { seq, what, actual }: Divergence): string =>
  `${actor} does not fit the edited code from seq ${seq} on${what === 'throw' ? `: it throws: ${actual}` : ''}`;

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
      if (t.activated !== true) t.strikes = 0;
      actor.snapshot = step.snapshot;
      if (record.logic !== undefined) t.logic = record.logic;
      make.effects(step.effects);
      make.taken();
      make.endIfEnded(step, record.event.type === 'xstate.stop');
      return;
    case 'dead':
      take(t, meta);
      overcome(t, meta.id);
      if (record.cause === 'in_doubt' && meta.via !== undefined) forget(t, meta.via);
      make.taken();
      t.deadCount++;
      (t.dead ??= []).push({ seq: record.seq, cause: record.cause, at: meta.ts });
      if (t.dead.length > 100) t.dead.shift();
      return;
    case 'failed':
      take(t, meta);
      if (record.init === undefined) failed(t, record);
      else {
        t.init = record.init;
        t.toBegin = undefined;
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
      } else if (t.activated === true && record.reason !== 'reopened') {
        // The process died between `activated` and `ready`.
        t.strikes++;
      }
      t.activated = true;
      return;
    case 'ready':
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
] as const satisfies readonly (keyof Tables)[];

/** Advances the cursor, or remembers the outside id. */
function take(t: Tables, meta: RecordMeta): void {
  if (meta.id === undefined || meta.from === undefined) return;
  if (meta.from === OUTSIDE) {
    if (meta.made === true) recordMade((t.made ??= emptyOutside()), meta.id, meta.ts, t.head);
    else recordOutside((t.outside ??= emptyOutside()), meta.id, meta.ts, t.head);
    return;
  }
  advance((t.cursors ??= new Map()), meta.from, meta.lane ?? 'user', positionOf(meta.id), meta.ts);
}

/** An effect that is known to be done. */
function settle(t: Tables, id: EffectId): void {
  t.failures?.delete(id);
  if (t.actions?.delete(id) === true) return;
  if (t.outbox !== undefined) settleSend(t.outbox, id);
}

/**
 * Does this event answer a child that the chart has or has just left? XState goes by the order of the mailbox: the end of a child that
 * came before the stop got to it is an event like any other, unless another child has its name by now. Everything else is stale.
 */
export function isExpected(t: Tables, via: EffectId, event: EventObject): boolean {
  for (const child of t.children?.values() ?? []) if (child.spawn === via) return true;
  const name = event['actorId'] as string;
  return event.type === `xstate.done.actor.${name}` && t.left?.get(name) === via && t.children?.has(name) !== true;
}

function leave(t: Tables, name: string, spawn: EffectId): void {
  const left = (t.left ??= new Map());
  left.delete(name);
  left.set(name, spawn);
  if (left.size > LEFT_MAX) left.delete(left.keys().next().value as string);
}
/** Children whose end is waited for after they were stopped. */
const LEFT_MAX = 16;

const ENDS = /^xstate\.(?:done|error)\.actor\./;
/** The end of a child: after it there is no more of it. */
export const isEnd = (event: EventObject): boolean => ENDS.test(event.type);

/** The event answers an effect of ours: a timer has fired, a leaf or child has ended, an ask was answered. */
function answer(t: Tables, via: EffectId, event: EventObject): void {
  if (takeTimer(t, via) !== undefined) return;
  if (isEnd(event)) forget(t, via);
}

function forget(t: Tables, via: EffectId): void {
  t.leaves?.delete(via);
  if (t.children !== undefined)
    for (const [name, child] of t.children)
      if (child.spawn === via) {
        t.children.delete(name);
        return;
      }
}

const failedId = ({ action, meta }: FailedRecord): EffectId | undefined => action ?? meta.id ?? meta.via;

function failed(t: Tables, record: FailedRecord): void {
  const id = failedId(record) as EffectId;
  if (record.attempt > 0) countFailure(t, id, record.attempt);
  if (record.parked !== undefined) t.parked = { reason: record.parked, seq: record.seq };
  const waits = record.parked === undefined;
  // What it takes goes on to fail, whatever an action does meanwhile, and whoever parks it.
  if (record.action !== undefined) t.failing = t.failing && { ...t.failing, waits: t.failing.waits && waits };
  else
    t.failing = {
      id,
      error: record.error,
      waits,
      ...(record.event !== undefined && { event: record.event }),
      ...(record.meta.via !== undefined && { via: record.meta.via }),
    };
  // A leaf's result that fails is settled with this record: retries read it from `failing`.
  if (record.event !== undefined && record.meta.via !== undefined) t.leaves?.delete(record.meta.via);
}

const FAILURES_MAX = 1_000;

function countFailure(t: Tables, id: EffectId, attempt: number): void {
  const failures = (t.failures ??= new Map());
  failures.delete(id);
  failures.set(id, attempt);
  if (failures.size > FAILURES_MAX) failures.delete(failures.keys().next().value as EffectId);
}

/** It succeeded, or is given up. */
function overcome(t: Tables, id: EffectId | undefined): void {
  if (id === undefined) return;
  t.failures?.delete(id);
  if (t.failing?.id === id) t.failing = undefined;
}

/** A life is over. Messages that failed come again: they go on being counted. */
function forgetFailures(t: Tables, address: Address): void {
  t.failing = undefined;
  if (t.failures === undefined) return;
  for (const id of t.failures.keys()) if (id.startsWith(`${address}!`)) t.failures.delete(id);
  if (t.failures.size === 0) t.failures = undefined;
}

/** Of an ask that was never sent: its error is on its way already, and comes first. */
const REFUSED_MS = 60_000;

const askCycle = (chain: readonly Address[], to: Address): MeshError =>
  new MeshError('ASK_CYCLE', `${chain.at(-1)} would wait for ${to}, which waits for it: ${[...chain, to].join(' -> ')}`);

/** Where a send goes: to an address (with `!`: what it answers), or to what an effect has started in this process. Undefined: nowhere. */
export function resolveTarget(
  actor: Folded,
  target: Target,
): { readonly to: Address; readonly leaf?: undefined } | { readonly leaf: EffectId } | undefined {
  switch (target.kind) {
    case 'self':
      return { to: actor.env.address };
    case 'parent':
      return actor.env.parent === undefined ? undefined : { to: actor.env.parent };
    case 'address':
      return { to: target.address };
    case 'child': {
      const child = actor.tables.children?.get(target.child);
      if (child === undefined) return undefined;
      return child.address === undefined ? { leaf: child.spawn } : { to: child.address };
    }
  }
}

/** Behind `!` stands the effect (or the id of an outside client) that a reply answers. */
function destination(target: Address): { readonly to: Address; readonly via?: EffectId } {
  const bang = target.indexOf('!');
  return bang < 0 ? { to: target } : { to: target.slice(0, bang), via: target };
}

/** Gives effects their ids and enters them into the tables. */
class Registrar {
  private readonly t: Tables;
  private readonly actor: Folded;
  private readonly record: LogRecord;
  private readonly work: Work[] | undefined;
  private extra = 0;
  private delayed = 0;

  constructor(actor: Folded, record: LogRecord, work: Work[] | undefined) {
    this.t = actor.tables;
    this.actor = actor;
    this.record = record;
    this.work = work;
  }

  private id(index: number): EffectId {
    return effectId(this.actor.env.address, this.record.seq, index);
  }

  /** What is begun here belongs to the trace of this record. */
  private traced(): { readonly trace?: TraceContext } {
    const { trace } = this.record.meta;
    return trace === undefined ? {} : { trace };
  }

  effects(effects: readonly Effect[]): void {
    this.extra = effects.length;
    for (let i = 0; i < effects.length; i++) this.effect(effects[i] as Effect, i);
  }

  private effect(e: Effect, i: number): void {
    switch (e.kind) {
      case 'send':
        return this.sendEffect(e, i);
      case 'spawn':
        return this.spawn(e, i);
      case 'stop':
        return this.stop(e.child, i);
      case 'timer':
        return setTimer(this.t, {
          id: this.id(i),
          timer: e.timer,
          due: this.due(e.delay),
          event: e.event,
          ...this.traced(),
        });
      case 'cancel':
        return cancelTimer(this.t, e.timer);
      case 'action':
        (this.t.actions ??= new Map()).set(this.id(i), e);
        this.work?.push({ kind: 'action', id: this.id(i), action: e });
        return;
      case 'emit':
        this.work?.push({ kind: 'emit', event: e.event });
        return;
      case 'log':
        this.work?.push({ kind: 'log', label: e.label, value: e.value });
        return;
      case 'terminate':
        return;
    }
  }

  /** By the record: the code may have been edited since. */
  private due(delay: number): number {
    const { record } = this;
    const delays = record.kind === 'event' || record.kind === 'init' ? record.delays : undefined;
    return record.meta.ts + (delays?.[this.delayed++] ?? delay);
  }

  private sendEffect(e: SendEffect, i: number): void {
    const due = e.delay === undefined ? undefined : this.due(e.delay);
    const target = resolveTarget(this.actor, e.to);
    if (target === undefined) return;
    if (due !== undefined) {
      const id = this.id(i);
      const timer = { id, timer: e.sendId ?? id, due, event: e.event, ...this.traced() };
      // To itself it is a timer of the chart: it is due in its order among them, and needs no message.
      if (target.leaf !== undefined) return setTimer(this.t, { ...timer, leaf: target.leaf });
      return setTimer(this.t, target.to === this.actor.env.address ? timer : { ...timer, ...destination(target.to) });
    }
    if (target.leaf !== undefined) return this.toLeaf(target.leaf, e.event);
    const { to, via } = destination(target.to);
    const { lane = 'user' } = e;
    // What a pool passes on is still the question that it was asked.
    const asked = lane === 'user' && this.actor.logic.controls === true ? this.record.meta : undefined;
    this.send(i, to, e.event, lane, via, asked);
  }

  /** A leaf lives in this process: what it is sent is not kept. */
  toLeaf(id: EffectId, event: EventObject): void {
    if (this.t.leaves?.has(id) === true) this.work?.push({ kind: 'leaf.send', id, event });
  }

  /** The mark leaves with the next copy: not before the record that sets it is durable. */
  giveUp(id: EffectId): void {
    if (this.work !== undefined) this.work.push({ kind: 'void', id });
    else if (this.t.outbox !== undefined) giveUp(this.t.outbox, id);
  }

  /** A message to another actor (or to this one): kept until its receiver has reported it. */
  send(
    i: number,
    to: Address,
    event: EventObject,
    lane: Lane,
    via: EffectId | undefined,
    asked?: Pick<RecordMeta, 'deadline' | 'chain'>,
  ): void {
    if (to === OUTSIDE) {
      if (via === undefined) return;
      const id = via.slice(via.indexOf('!') + 1);
      const { made } = this.t;
      const counts = recordReply(made?.ids.has(id) === true ? made : (this.t.outside ??= emptyOutside()), id, event);
      this.work?.push({ kind: 'reply', id, event: counts });
      return;
    }
    const { ts, trace } = this.record.meta;
    const send = addSend((this.t.outbox ??= emptyOutbox()), {
      id: this.id(i),
      position: this.record.seq * EFFECTS_MAX + i,
      to,
      lane,
      event,
      ts,
      via,
      deadline: asked?.deadline,
      chain: asked?.chain,
      trace,
    });
    this.work?.push({ kind: 'send', send });
  }

  private spawn(e: SpawnEffect, i: number): void {
    const id = this.id(i);
    const source = this.actor.logic.source(e.src);
    assert(source !== undefined, `checkEffects let '${e.src}' pass`);
    const children = (this.t.children ??= new Map());
    if (source.kind === 'actor') {
      const address = childAddress(this.actor.env.address, e.child, id);
      const named = e.systemId !== undefined && { systemId: e.systemId };
      children.set(e.child, { spawn: id, kind: 'actor', address, ...named });
      const parent = { address: this.actor.env.address, child: e.child, via: id, sync: e.sync };
      this.send(
        i,
        address,
        { type: 'reprise.start', logic: `${this.t.init.logic}>${e.src}`, input: e.input, parent, ...this.system() },
        'user',
        undefined,
      );
      return;
    }
    children.set(e.child, { spawn: id, kind: source.kind });
    const { ts: at, chain: asked } = this.record.meta;
    const common = {
      id,
      child: e.child,
      src: e.src,
      input: e.input,
      sync: e.sync,
      at,
      ...this.traced(),
      ...(asked !== undefined && { asked }),
    };
    let leaf: PendingLeaf = common;
    if (source.kind === 'ask') leaf = { ...common, ask: this.ask(source.ask, e.input, i) };
    (this.t.leaves ??= new Map()).set(id, leaf);
    this.work?.push({ kind: 'leaf', leaf });
  }

  private ask(source: AskSource, input: unknown, i: number): NonNullable<PendingLeaf['ask']> {
    const id = this.id(i);
    const self = this.actor.env.address;
    const { ts, chain: above = [] } = this.record.meta;
    const chain = [...above, self];
    let request: ReturnType<AskSource['request']>;
    try {
      request = source.request(input, id);
    } catch (error) {
      return { to: self, deadline: ts + REFUSED_MS, refused: errorData(error) };
    }
    const { to, event } = request;
    const deadline = ts + request.timeoutMs;
    if (chain.includes(to)) return { to, deadline, refused: errorData(askCycle(chain, to)) };
    this.send(i, to, { ...event, replyTo: reference(id) }, 'user', undefined, { deadline, chain });
    return { to, deadline };
  }

  /** What a child finds by system id. Names that are given later it does not know. */
  private system(): { readonly system?: Readonly<Record<string, Address>> } {
    const system: Record<string, Address> = { ...this.t.init.system };
    for (const { systemId, address } of this.t.children?.values() ?? [])
      if (systemId !== undefined && address !== undefined) system[systemId] = address;
    return Object.keys(system).length === 0 ? {} : { system };
  }

  private stop(name: string, i: number): void {
    const child = this.t.children?.get(name);
    if (child === undefined) return;
    this.t.children?.delete(name);
    if (child.kind === 'actor') {
      leave(this.t, name, child.spawn);
      return this.send(i, child.address as Address, { type: 'xstate.stop' }, 'user', undefined);
    }
    const leaf = this.t.leaves?.get(child.spawn);
    this.t.leaves?.delete(child.spawn);
    if (child.kind === 'leaf') this.work?.push({ kind: 'leaf.stop', id: child.spawn });
    else if (leaf?.ask !== undefined && leaf.ask.refused === undefined) this.cancelAsk(leaf, i);
  }

  /** Who was asked is told that nobody waits any more, if it wants to know. */
  private cancelAsk(leaf: PendingLeaf, i: number): void {
    const source = this.actor.logic.source(leaf.src);
    const cancel = source?.kind === 'ask' ? source.ask.cancel?.(leaf.input, leaf.id) : undefined;
    if (cancel !== undefined) this.send(i, cancel.to, cancel.event, 'user', undefined);
  }

  /** To the supervisor, if there is one. */
  report(
    type: 'reprise.started' | 'reprise.stopped' | 'reprise.failed' | 'reprise.taken',
    more: Readonly<Record<string, unknown>>,
  ): void {
    const supervisor = this.t.init.supervisor;
    if (supervisor === undefined) return;
    this.send(
      this.extra++,
      supervisor.address,
      { type, run: supervisor.run, child: this.actor.env.address, ...more },
      'system',
      undefined,
    );
  }

  /** A pool counts what its members have not taken: dead letters are taken too. */
  taken(): void {
    const { id, from, lane } = this.record.meta;
    const { marks, supervisor } = this.t.init;
    if (marks === true && id !== undefined && from === supervisor?.address && lane === undefined)
      this.report('reprise.taken', { count: 1 });
  }

  /** The parent watches the snapshots of this child: the last one counts, so an earlier one that is still on its way is not kept. */
  snapshot(i: number): void {
    const parent = this.t.init.parent;
    if (parent === undefined) return;
    const { told } = this.t;
    // Live, it goes when this record is durable, before anything of the batch leaves: until then it may be the last one after all.
    if (told !== undefined && this.work !== undefined) this.work.unshift({ kind: 'replaced', id: told });
    else if (told !== undefined) settle(this.t, told);
    this.t.told = this.id(i);
    this.send(
      i,
      parent.address,
      { type: `xstate.snapshot.${parent.child}`, snapshot: this.actor.logic.persist(this.actor.snapshot) },
      'user',
      parent.via,
    );
  }

  failed(record: FailedRecord): void {
    if (record.ends === true) return this.end('error', undefined, record.error);
    this.report('reprise.failed', {
      error: record.error,
      attempt: record.attempt,
      event: record.action ?? record.meta.id ?? record.meta.via,
      ...(record.parked !== undefined && { gaveUp: true }),
    });
  }

  endIfEnded(step: Step, stopped = false): void {
    const end =
      step.effects.find((e) => e.kind === 'terminate') ??
      (stopped ? ({ kind: 'terminate', status: 'stopped' } as const) : undefined);
    if (end !== undefined && end.kind === 'terminate') {
      this.end(end.status, end.output, end.error);
      return;
    }
    const parent = this.t.init.parent;
    if (parent?.sync === true) this.snapshot(this.extra++);
  }

  private end(status: 'done' | 'error' | 'stopped', output: unknown, error: ErrorData | undefined): void {
    const { t } = this;
    t.status = status;
    t.endedAt = this.record.meta.ts;
    if (error !== undefined) t.error = error;
    // Nobody has to let it go on any more.
    t.parked = undefined;
    forgetFailures(t, this.actor.env.address);
    // Timers and delayed sends die with their actor; leaves are stopped with it.
    t.timers = undefined;
    if (t.leaves !== undefined)
      for (const leaf of t.leaves.values()) if (leaf.ask === undefined) this.work?.push({ kind: 'leaf.stop', id: leaf.id });
    if (t.children !== undefined) for (const name of [...t.children.keys()]) this.stop(name, this.extra++);
    t.leaves = undefined;
    t.children = t.left = undefined;
    const { parent } = t.init;
    if (parent !== undefined && status !== 'stopped') {
      const event =
        status === 'done'
          ? { type: `xstate.done.actor.${parent.child}`, output, actorId: parent.child }
          : { type: `xstate.error.actor.${parent.child}`, error, actorId: parent.child };
      this.send(this.extra++, parent.address, event, 'user', parent.via);
    }
    this.report('reprise.stopped', {
      outcome: status === 'error' ? 'failed' : status,
      ...(output !== undefined && { output }),
      ...(error !== undefined && { error }),
    });
  }
}

/** How JSON holds a reference to an actor, or to an effect that waits for a reply. XState's own marker. */
export const reference = (id: string): { readonly xstate$$type: 1; readonly id: string } => ({ xstate$$type: 1, id });

export { seedOf };
