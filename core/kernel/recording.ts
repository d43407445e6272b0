/**
 * What one step of a machine hands to its scope, and how that becomes effects in the order in which a live actor would do them: first
 * what runs at once (custom actions, logs, sends by hand), then what it defers (sends, timers, stops, starts of children).
 */
import { EFFECTS_MAX } from '../address.ts';
import type { Effect, EventObject, Target } from '../effect.ts';
import { type ErrorCode, type ErrorData, errorData, MeshError } from '../errors.ts';
import { type ChildRef, GoneRef, markerOf, RemoteRef, SelfRef, STUB, type Stub, stubOf } from './refs.ts';
import { childrenOf, type Params, type PlainSnapshot, type Recorded } from './xstate.ts';
import { pathOfCycle, type PlainOptions, toPlain } from './plain.ts';

/** Microsteps that one event may cause. */
export const MICROSTEPS_MAX = 10_000;
const EFFECTS_LIMIT = EFFECTS_MAX - 32;
/** A send by hand inside of a step. */
const BY_HAND = 'reprise.send';

/** What a recording needs of the kernel that it belongs to. */
export interface RecordingHost {
  readonly id: string;
  /** Names of the actors that the machine has. */
  readonly sources: ReadonlyMap<string, unknown>;
  /** Runs user code as `self`, which shows the snapshot `seen` meanwhile. */
  act(self: SelfRef, seen: unknown, run: () => unknown): unknown;
}

let steps = 0;

export class Recording {
  self: SelfRef;
  /** Undefined: the actor begins. */
  previous: PlainSnapshot | undefined;
  private readonly host: RecordingHost;
  private readonly now: (Recorded | ChildRef)[] = [];
  private readonly later: (Recorded | ChildRef)[] = [];
  private readonly order: (Recorded | ChildRef)[] = [];
  /** Of this step among all; stubs remember by it what became of them. */
  private number = 0;
  private key = '';
  private booked = 0;
  private births = 0;
  private microsteps = 0;
  private refusal: MeshError | undefined;
  /** What the event told of a child: a step that fails has learnt nothing. */
  private learnt: { readonly stub: Stub; readonly before: Stub } | undefined;

  constructor(host: RecordingHost, self: SelfRef) {
    this.host = host;
    this.self = self;
  }

  begin(self: SelfRef, previous: PlainSnapshot | undefined, key: string): void {
    this.self = self;
    this.previous = previous;
    this.key = key;
    this.number = ++steps;
    this.booked = this.births = this.microsteps = 0;
    this.refusal = this.learnt = undefined;
  }

  end(): void {
    this.now.length = this.later.length = this.order.length = 0;
    this.previous = undefined;
  }

  // ---- what XState tells ------------------------------------------------------------------------------------------------

  /** A session id; an anonymous child goes by it. */
  bookId(): string {
    return `${this.key}~${this.booked++}`;
  }

  microstep(): void {
    if (++this.microsteps > MICROSTEPS_MAX)
      this.refuse(
        'STEP_BUDGET',
        `'${this.host.id}' took more than ${MICROSTEPS_MAX} microsteps on one event: look for a loop of raise or always`,
      );
  }

  created(ref: ChildRef, stub: Stub): void {
    this.births++;
    stub.created = this.number;
    (this.previous === undefined ? this.now : this.later).push(ref);
  }

  emitted(event: EventObject): void {
    this.now.push({ type: 'xstate.emit', params: { event } });
  }

  logged(value: unknown, label: unknown): void {
    this.now.push({ type: 'xstate.log', params: label === undefined ? { value } : { value, label } });
  }

  sentByHand(to: object, event: EventObject): void {
    this.now.push({ type: BY_HAND, params: { to, event } });
  }

  action(action: Recorded): void {
    if (this.now.length + this.later.length > EFFECTS_LIMIT)
      this.refuse('STEP_BUDGET', `'${this.host.id}' made more than ${EFFECTS_LIMIT} effects on one event`);
    const params = action.params as Params;
    switch (action.type) {
      case 'xstate.spawnChild':
        return this.spawning(params);
      case 'xstate.stopChild':
        return this.stopping(action);
      case 'xstate.raise':
        if (typeof params.delay === 'number') this.later.push(action);
        return;
      case 'xstate.sendTo':
      case 'xstate.cancel':
      case 'xstate.emit':
        this.later.push(action);
        return;
      default:
        this.now.push(action);
    }
  }

  private spawning(params: Params): void {
    if (typeof params.src !== 'string') this.refuseLogic(`spawnChild in '${this.host.id}'`);
    const ref = params.actorRef as ChildRef | undefined;
    if (ref === undefined)
      return this.refuse(
        'LOGIC_NOT_FOUND',
        `'${this.host.id}' spawns from '${params.src}', which is no actor of it; it has: ${[...this.host.sources.keys()].join(', ') || 'none'}`,
      );
    if (params.id === undefined) ref[STUB].id = ref.id;
    // At the start a live actor begins `spawn()`ed children in the order of its actions, spawned ones after all of them.
    if (this.previous === undefined && this.now.at(-1) === ref) this.later.push(this.now.pop() as ChildRef);
  }

  private stopping(action: Recorded): void {
    const ref = action.params as ChildRef | undefined;
    if (ref === undefined || ref === null || ref instanceof GoneRef) return;
    const stub = stubOf(ref);
    if (stub === undefined || ref._parent !== this.self)
      return this.refuse('STEP_FAILED', `Cannot stop child actor ${ref.id} of ${this.self.id} because it is not a child`);
    if (stub.stopped === this.number) return;
    stub.stopped = this.number;
    if (!this.isStillborn(ref)) this.later.push(action);
  }

  /**
   * Spawned and stopped in one step: it is never started. But what `spawn()` makes for the first snapshot is begun, in a live actor,
   * before anything is stopped.
   */
  private isStillborn(ref: ChildRef): boolean {
    const { created, stopped } = ref[STUB];
    return created === this.number && stopped === this.number && !(this.previous === undefined && this.now.includes(ref));
  }

  // ---- system ids -------------------------------------------------------------------------------------------------------

  bySystemId(systemId: string): ChildRef | undefined {
    if (this.births > 0)
      for (const list of [this.now, this.later])
        for (const r of list) if (STUB in r && r.systemId === systemId && this.lives(r)) return r;
    const children = childrenOf(this.previous);
    for (const id in children) if (children[id]?.systemId === systemId && this.lives(children[id])) return children[id];
    return undefined;
  }

  claimSystemId(systemId: string, ref: object): void {
    const other = this.bySystemId(systemId);
    if (other !== undefined && other !== ref) this.refuse('STEP_FAILED', `Actor with system ID '${systemId}' already exists.`);
  }

  private lives(child: ChildRef): boolean {
    return child[STUB].status === 'active' && child[STUB].stopped !== this.number;
  }

  // ---- what the event tells of a child ----------------------------------------------------------------------------------

  learn(stub: Stub, news: Partial<Pick<Stub, 'status' | 'output' | 'error' | 'context'>>): void {
    this.learnt = { stub, before: { ...stub } };
    Object.assign(stub, news);
  }

  // ---- refusals ---------------------------------------------------------------------------------------------------------

  refuse(code: ErrorCode, message: string): never {
    this.refused(new MeshError(code, `${this.self.address}: ${message}`));
  }

  refused(error: MeshError): never {
    throw (this.refusal = error);
  }

  private refuseLogic(where: string): never {
    this.refuse(
      'INLINE_LOGIC',
      `${where} is given a logic object, which no log can name: register it in setup({ actors }) and spawn it by that name`,
    );
  }

  /** Logic that was spawned inline has taken an id, but is no stub. */
  refuseInline(next: PlainSnapshot): void {
    if (this.booked === this.births) return;
    const children = childrenOf(next);
    const inline = Object.keys(children).find((id) => stubOf(children[id] as object) === undefined);
    this.refuseLogic(inline === undefined ? `spawn() in '${this.host.id}'` : `child '${inline}' of '${this.host.id}'`);
  }

  /** The step has failed. XState throws an error of its own when a guard throws: what we refused keeps its code. */
  failed(error: unknown): ErrorData {
    if (this.learnt !== undefined) Object.assign(this.learnt.stub, this.learnt.before);
    const data = errorData(error);
    const { refusal } = this;
    if (refusal === undefined || data.code !== undefined || !data.message.includes(refusal.message)) return data;
    return { ...errorData(refusal), message: data.message };
  }

  // ---- effects ----------------------------------------------------------------------------------------------------------

  effects(next: PlainSnapshot): Effect[] {
    const { now, later, order } = this;
    if (this.previous === undefined && next.status === 'active')
      for (const child of Object.values(childrenOf(next))) this.place(child);
    for (const r of now) this.line(r);
    for (const r of later) this.line(r);
    const out: Effect[] = [];
    for (const r of order) out.push(STUB in r ? spawn(r) : this.effect(r));
    if (next.status === 'done') {
      const output = toPlain(next.output, plainOf('the output'));
      out.push(output === undefined ? { kind: 'terminate', status: 'done' } : { kind: 'terminate', status: 'done', output });
    }
    return out;
  }

  /** Puts a record in its place, or leaves it out where a live actor would do nothing. */
  private line(r: Recorded | ChildRef): void {
    if (STUB in r) return this.place(r);
    if (r.type === 'xstate.stopChild') {
      const ref = r.params as ChildRef;
      if (!this.canHear(ref)) return;
      ref[STUB].gone = this.number;
      if (ref[STUB].status === 'active') this.order.push(r);
      return;
    }
    if (r.type === 'xstate.sendTo' || r.type === BY_HAND) {
      const { to } = r.params as Params;
      if (typeof to !== 'object' || to instanceof GoneRef) return;
      const stub = stubOf(to);
      if (stub?.created === this.number) this.place(to as ChildRef);
      if (stub !== undefined && !this.canHear(to as ChildRef)) return;
    }
    this.order.push(r);
  }

  /** It is a child, or has just become one, and was not stopped by what stands before. */
  private canHear(ref: ChildRef): boolean {
    const { gone, placed } = ref[STUB];
    if (gone === this.number) return false;
    if (placed === this.number) return true;
    const children = childrenOf(this.previous);
    return children[ref.id] === ref || children['undefined'] === ref;
  }

  private place(ref: ChildRef): void {
    const stub = ref[STUB];
    if (stub.placed === this.number || stub.created !== this.number || this.isStillborn(ref)) return;
    stub.placed = this.number;
    stub.index = this.order.length;
    stub.at = `${this.key}.${stub.index}`;
    this.order.push(ref);
  }

  private effect(r: Recorded): Effect {
    const p = r.params as Params;
    switch (r.type) {
      case 'xstate.stopChild':
        return { kind: 'stop', child: (r.params as ChildRef).id };
      case 'xstate.sendTo':
      case BY_HAND: {
        const event = this.outgoing(p.event);
        const to = this.targetOf(p.to as object);
        if (typeof p.delay !== 'number') return { kind: 'send', to, event };
        return p.id === undefined
          ? { kind: 'send', to, event, delay: delayMs(p.delay) }
          : { kind: 'send', to, event, delay: delayMs(p.delay), sendId: p.id };
      }
      case 'xstate.raise':
        return {
          kind: 'timer',
          timer: p.id ?? `${this.key}~t${this.booked++}`,
          event: this.outgoing(p.event),
          delay: delayMs(p.delay as number),
        };
      case 'xstate.cancel':
        return { kind: 'cancel', timer: p.sendId as string };
      case 'xstate.emit':
        return { kind: 'emit', event: this.shown(p.event, `emitted event '${p.event.type}'`) };
      case 'xstate.log':
        this.shown(p.value, 'what is logged');
        return p.label === undefined ? { kind: 'log', value: p.value } : { kind: 'log', label: p.label, value: p.value };
      default:
        return this.custom(r);
    }
  }

  /** The closure sees what a live action sees: at a step the snapshot before it, at the start the first one. */
  private custom({ type, params, info, exec }: Recorded): Effect {
    this.shown(params, `params of action '${type}'`);
    if (exec === undefined) return { kind: 'action', type, params };
    const { host, self } = this;
    const seen = this.previous ?? self.snapshot;
    return { kind: 'action', type, params, run: () => host.act(self, seen, () => exec(info, params)) };
  }

  private outgoing(event: EventObject): EventObject {
    const { id } = this.self;
    // As XState's own sendTo does for `escalate`.
    const given = event.type === 'xstate.error' ? { type: `xstate.error.actor.${id}`, error: event['data'], actorId: id } : event;
    return toPlain(given, plainOf(`event '${given.type}'`));
  }

  private targetOf(ref: object): Target {
    if (ref === this.self) return SELF;
    const stub = stubOf(ref);
    return stub?.placed === this.number
      ? { kind: 'child', child: (ref as ChildRef).id, spawn: stub.index }
      : targetOf(ref, this.self.address);
  }

  /** Stays in this process, as it is: it has to have a digest, no more. */
  private shown<T>(value: T, what: string): T {
    const path = pathOfCycle(value);
    if (path !== undefined)
      this.refuse('EVENT_NOT_PLAIN', `${what} holds an object that contains itself at ${path}: hand over plain data`);
    return value;
  }
}

export const SELF: Target = { kind: 'self' };

/** `from`: who sends. Throws ADDRESS_INVALID for what is no actor of this mesh. */
export function targetOf(ref: object, from: string): Target {
  if (ref instanceof RemoteRef) return ref.target;
  if (ref instanceof SelfRef) return { kind: 'address', address: ref.address };
  if (stubOf(ref) !== undefined) return { kind: 'child', child: (ref as ChildRef).id };
  throw new MeshError(
    'ADDRESS_INVALID',
    `${from}: it sends to something that is no actor of this mesh (${String((ref as { id?: unknown }).id)})`,
  );
}

/** What leaves an actor. */
export const plainOf = (what: string): PlainOptions => ({ what, code: 'EVENT_NOT_PLAIN', marker: markerOf });

/** A live actor's timers take any number; here it has to survive JSON. */
const delayMs = (delay: number): number => (delay > 0 ? Math.min(delay, Number.MAX_SAFE_INTEGER) : 0);

function spawn(ref: ChildRef): Effect {
  const stub = ref[STUB];
  const input = toPlain(stub.input, plainOf(`the input of '${ref.id}'`));
  stub.input = undefined;
  const src = ref.src as string;
  return ref.systemId === undefined
    ? { kind: 'spawn', child: ref.id, src, input, sync: stub.sync }
    : { kind: 'spawn', child: ref.id, src, input, systemId: ref.systemId, sync: stub.sync };
}
