/**
 * One turn of a supervisor: the draft of its next state, and the effects so far. Carries out what `supervision.ts` has decided:
 * orders to children, and the operation under way (stop in reverse, wait, start in order). Decides no restart.
 */
import type { Effect, EventObject } from '../effect.ts';
import type { ErrorData } from '../errors.ts';
import { type ChildSpec, stopDeadlineMs } from './child-spec.ts';
import { quietMs } from './restart-budget.ts';
import { type Child, newChild, type Operation, type StartCause, type StartMode, type SupervisionState } from './state.ts';

export interface TurnContext {
  /** ms since 1970, never going back. */
  readonly ts: number;
  /** 0 <= x < 1, the same in replay. */
  random(): number;
}

/** Takes part in the boot order of its supervisor only once its own children are up. */
const saysReady = (child: Child): boolean => child.spec.kind === 'supervisor' && child.mode === 'fresh';

export class Turn {
  readonly s: SupervisionState;
  readonly ctx: TurnContext;
  readonly effects: Effect[] = [];

  constructor(state: SupervisionState, ctx: TurnContext) {
    this.s = state;
    this.ctx = ctx;
  }

  // ---- who -----------------------------------------------------------------------------------------------------------

  find(key: string): Child | undefined {
    return this.s.children.find((c) => c.key === key) ?? this.s.instances[key];
  }

  known(address: string): Child | undefined {
    return this.s.children.find((c) => c.address === address) ?? this.s.instances[address];
  }

  /** An actor below the address of a keyed spec is remembered from here on, until it has been well for a while. */
  at(address: string): Child | undefined {
    const known = this.known(address);
    if (known !== undefined) return known;
    const keyed = this.s.children.find((c) => c.spec.kind === 'keyed' && address.startsWith(`${c.address}/`));
    if (keyed === undefined) return undefined;
    const { s, ctx } = this;
    for (const c of Object.values(s.instances))
      if (c.status === 'running' && ctx.ts - c.since >= quietMs(s.flags, s.flags.backoff)) delete s.instances[c.key];
    const child: Child = {
      ...newChild({ ...keyed.spec, input: null }, this.ctx.ts),
      key: address,
      address,
      status: 'running',
      instance: true,
    };
    this.s.instances[address] = child;
    return child;
  }

  // ---- orders --------------------------------------------------------------------------------------------------------

  /** Of a keyed spec nothing is begun: its actors do that by themselves. Those that a restart has interrupted go on. */
  start(child: Child, cause: StartCause, mode: StartMode): void {
    const { spec } = child;
    if (child.run !== undefined) child.prev = child.run;
    child.run = `${this.s.address}#${this.s.life}.${++this.s.runs}`;
    child.cause = cause;
    child.mode = mode;
    delete child.waits;
    delete child.greeted;
    if (isKeyedSpec(child)) {
      if (cause === 'restart') this.order(child, { type: 'reprise.start', run: child.run, keyed: true });
      return this.up(child);
    }
    this.turn(child, 'starting');
    if (cause === 'restart') {
      child.restarts++;
      this.effects.push({
        kind: 'emit',
        event: { type: 'actor.restarted', child: child.address, run: child.run, restarts: child.restarts },
      });
    }
    this.order(child, {
      type: 'reprise.start',
      run: child.run,
      logic: spec.logic,
      supervisor: this.s.address,
      mode,
      ...(child.prev !== undefined && { prev: child.prev }),
      ...(child.instance !== true && { input: spec.input }),
      ...(spec.marks === true && { marks: true }),
    });
  }

  private stop(child: Child, forget: boolean): void {
    this.turn(child, 'stopping');
    const deadlineMs = stopDeadlineMs(child.spec);
    // `keep`: it does not end, so that it can go on where it was. A person who stops it means that it ends.
    const isByHand = this.s.operation?.cause === 'hand';
    const keep = child.spec.history === 'with' && !isByHand && !forget && child.next === undefined;
    this.order(child, {
      type: 'reprise.stop',
      run: child.run,
      deadlineMs,
      ...(keep && { keep: true }),
      ...(isKeyedSpec(child) && { keyed: true }),
    });
    this.effects.push({ kind: 'timer', timer: 'stop', event: { type: 'reprise.deadline', run: child.run }, delay: deadlineMs });
  }

  /** At once, and without waiting for the answer. */
  kill(child: Child): void {
    this.order(child, { type: 'reprise.stop', run: child.run, deadlineMs: 0, ...(isKeyedSpec(child) && { keyed: true }) });
  }

  /** `itself`: the child has parked on its own account and need not be told. */
  park(child: Child, reason: string, itself = false): void {
    this.turn(child, 'parked');
    if (child.waits === true && !itself) this.order(child, { type: 'reprise.park', run: child.run, reason });
    this.effects.push({
      kind: 'emit',
      event: { type: 'actor.parked', child: child.address, reason, ...(child.error !== undefined && { error: child.error }) },
    });
  }

  private order(child: Child, event: EventObject): void {
    this.effects.push({ kind: 'send', to: { kind: 'address', address: child.address }, event, lane: 'system' });
  }

  log(label: string, value: unknown): void {
    this.effects.push({ kind: 'log', label, value });
  }

  // ---- what becomes of a child ---------------------------------------------------------------------------------------

  turn(child: Child, status: Child['status']): void {
    child.status = status;
    child.since = this.ctx.ts;
    delete child.again;
    delete child.unstarted;
  }

  up(child: Child): void {
    this.turn(child, 'running');
    child.upAt = this.ctx.ts;
    delete child.waits;
    delete child.error;
    const op = this.s.operation;
    if (op === null || op.stop.length > 0 || op.start[0] !== child.key) return;
    if (isKeyedSpec(child)) op.start.shift();
    else this.started();
  }

  /** It is up, or its supervisor has waited long enough: the next one. */
  started(): void {
    this.s.operation?.start.shift();
    this.effects.push({ kind: 'cancel', timer: 'start' });
  }

  greet(child: Child): void {
    if (saysReady(child)) child.greeted = true;
    else this.up(child);
  }

  /** Ends a child that waits for orders, and leaves it at rest. Actors of a keyed spec are forgotten then. */
  rest(child: Child): void {
    if (child.waits === true) this.kill(child);
    delete child.waits;
    this.turn(child, 'idle');
    if (child.instance === true) delete this.s.instances[child.key];
  }

  forget(child: Child): void {
    this.rest(child);
    this.s.children = this.s.children.filter((c) => c !== child);
  }

  /** Takes these out of all waits: something else has been decided for them. */
  absorb(keys: readonly string[]): void {
    for (const [origin, ids] of Object.entries(this.s.waits)) {
      const left = ids.filter((id) => !keys.includes(id));
      if (left.length === ids.length) continue;
      if (left.length > 0) this.s.waits[origin] = left;
      else this.unwait(origin);
    }
  }

  wait(origin: string, keys: string[], ms: number): void {
    this.s.waits[origin] = keys;
    this.effects.push({
      kind: 'timer',
      timer: `backoff:${origin}`,
      event: { type: 'reprise.backoff', child: origin },
      delay: ms,
    });
  }

  private unwait(origin: string): void {
    delete this.s.waits[origin];
    this.effects.push({ kind: 'cancel', timer: `backoff:${origin}` });
  }

  // ---- the operation -------------------------------------------------------------------------------------------------

  begin(operation: Partial<Operation> & Pick<Operation, 'cause'>): void {
    this.s.operation = { stop: [], start: [], forget: [], waitMs: 0, ...operation };
  }

  /** Goes on as far as it can. True: it waits for a report or a timer, or the supervisor has ended. */
  run(): boolean {
    for (;;) {
      const op = this.s.operation;
      if (op === null) return false;
      if (op.stop.length > 0) {
        if (this.stopFirst(op)) return true;
      } else if (op.start.length > 0 && op.waitMs > 0) {
        this.s.operation = null;
        this.wait(op.start[0] as string, op.start, op.waitMs);
      } else if (op.start.length > 0) {
        if (this.startFirst(op)) return true;
      } else {
        this.s.operation = null;
        if (op.end !== undefined) return this.end(op.end);
        if (this.s.phase === 'booting') this.s.phase = 'up';
      }
    }
  }

  private stopFirst(op: Operation): boolean {
    const child = this.find(op.stop[0] as string);
    if (child === undefined) {
      op.stop.shift();
      return false;
    }
    if (child.status === 'stopping') return true;
    if (child.status === 'running' || child.status === 'starting') {
      this.stop(child, op.forget.includes(child.key));
      return true;
    }
    this.stopped(op, child);
    return false;
  }

  /** The first of `stop` has no life any more, or waits for what becomes of it. */
  stopped(op: Operation, child: Child): void {
    op.stop.shift();
    if (child.status === 'stopping') this.effects.push({ kind: 'cancel', timer: 'stop' });
    if (isKeyedSpec(child)) this.dropInstances(child.spec);
    if (op.forget.includes(child.key)) return this.forget(child);
    if (child.next !== undefined) this.renew(child, child.next);
    if (op.start.includes(child.key)) this.turn(child, 'restarting');
    else this.rest(child);
  }

  /** It goes on without this one. */
  leaveOperation(child: Child): void {
    const op = this.s.operation;
    if (op === null) return;
    if (child.status === 'starting' && op.start[0] === child.key) this.started();
    op.stop = op.stop.filter((key) => key !== child.key);
    op.start = op.start.filter((key) => key !== child.key);
  }

  private renew(child: Child, spec: ChildSpec): void {
    if (child.waits === true) this.kill(child);
    delete child.waits;
    delete child.next;
    delete child.run;
    delete child.prev;
    child.spec = spec;
    child.address = spec.address;
  }

  /** They were stopped with their spec, all at once. Parked ones stay parked. */
  private dropInstances(spec: ChildSpec): void {
    for (const child of Object.values(this.s.instances)) {
      if (child.spec.id !== spec.id || child.status === 'parked') continue;
      this.absorb([child.key]);
      delete this.s.instances[child.key];
    }
  }

  private startFirst(op: Operation): boolean {
    const child = this.find(op.start[0] as string);
    if (child === undefined) {
      op.start.shift();
      return false;
    }
    if (child.status === 'starting') return true;
    this.start(child, op.cause, this.modeOf(op, child));
    if (op.start[0] !== child.key) return false;
    this.effects.push({
      kind: 'timer',
      timer: 'start',
      event: { type: 'reprise.late', run: child.run },
      delay: this.s.flags.startMs,
    });
    return true;
  }

  /** `history` takes up what lives (or was kept) and creates what does not; supervisors and pools begin anew, from their config. */
  private modeOf(op: Operation, child: Child): StartMode {
    if (op.cause === 'restart') return child.spec.history === 'with' ? 'history' : 'fresh';
    if (child.waits === true) return 'history';
    return child.spec.kind === 'supervisor' || child.spec.kind === 'pool' ? 'fresh' : 'history';
  }

  private end(end: { readonly status: 'stopped' | 'error'; readonly error?: ErrorData }): true {
    this.s.phase = 'ended';
    this.effects.push({ kind: 'terminate', ...end });
    return true;
  }

  /** Without waiting for anybody. */
  killAll(): void {
    for (const child of this.s.children.toReversed()) {
      if (child.status !== 'idle') this.kill(child);
      this.turn(child, 'idle');
    }
    this.s.instances = {};
    this.s.operation = null;
    this.s.queue = [];
    this.end({ status: 'stopped' });
  }
}

/** It stands for all actors below its address, and has no life of its own. */
export const isKeyedSpec = (child: Child): boolean => child.spec.kind === 'keyed' && child.instance !== true;
