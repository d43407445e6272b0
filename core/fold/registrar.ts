/** From effects to tables and work: each is given its id, entered, and handed to whoever performs it. */
import { type Address, checkTarget, childAddress, type EffectId, effectId, EFFECTS_MAX, OUTSIDE } from '../address.ts';
import type { Effect, EventObject, Lane, SendEffect, SpawnEffect } from '../effect.ts';
import type { TraceContext } from '../envelope.ts';
import { assert, type ErrorData, errorData, MeshError } from '../errors.ts';
import type { Folded, Work } from '../fold.ts';
import type { AskSource, Step } from '../logic.ts';
import { addSend, emptyOutbox, giveUp } from '../protocol/outbox.ts';
import { emptyOutside, recordReply } from '../protocol/outside.ts';
import type { FailedRecord, LogRecord, RecordMeta } from '../record.ts';
import type { PendingLeaf, Tables } from '../tables.ts';
import { forgetFailures } from './failures.ts';
import { leave, settle } from './outcomes.ts';
import { destination, reference, resolveTarget } from './targets.ts';
import { cancelTimer, setTimer } from './timers.ts';

/** Of an ask that was never sent: its error is on its way already, and comes first. */
const REFUSED_MS = 60_000;

const askCycle = (chain: readonly Address[], to: Address): MeshError =>
  new MeshError('ASK_CYCLE', `${chain.at(-1)} would wait for ${to}, which waits for it: ${[...chain, to].join(' -> ')}`);

/** Enters what one record causes. */
export class Registrar {
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
      checkTarget(request.to);
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
