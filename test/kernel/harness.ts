/**
 * Runs a machine twice: as a live XState actor, and by the kernel with the smallest interpreter of effects that there can be, under
 * virtual time. Both give what can be seen from outside: states after each step of a script, and everything that was done, in order.
 */
import { type AnyActorLogic, type AnyActorRef, type AnyStateMachine, createActor } from 'xstate';
import { type Address, childAddress, type EffectId, effectId } from '../../core/address.ts';
import { effectsDigest } from '../../core/digest.ts';
import { seedOf } from '../../core/determinism.ts';
import type { Effect, EventObject, Target } from '../../core/effect.ts';
import type { ErrorData } from '../../core/errors.ts';
import { machineLogic, runAction } from '../../core/kernel.ts';
import type { ActorEnv, LeafHandle, Logic, Step } from '../../core/logic.ts';

/** One step: an event, or time that passes, or something that the world does. */
export type Act = EventObject | { readonly advance: number } | (() => void);
export type Trace = (entry: unknown) => void;
/** Made anew for each run, so that its actions can write to the trace of that run. */
export type MachineOf = (trace: Trace) => AnyActorLogic;

export interface Outcome {
  /** After the start and after each act. */
  readonly states: readonly unknown[];
  /** What actions, emits and logs did, with the number of the act. */
  readonly trace: readonly unknown[];
}

export interface RunOptions {
  readonly input?: unknown;
  /** The actor is restored from JSON before each event. */
  readonly restore?: boolean;
  readonly development?: boolean;
}

/** Promises of leaves get their turns. */
const settle = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
};

// ---- time ---------------------------------------------------------------------------------------------------------------

interface Due {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
}

/** Timers in order of deadline, then of setting. */
export class Time {
  now = 0;
  private order = 0;
  private readonly due = new Set<Due>();

  set(delay: number, fire: () => void): Due {
    const due = { at: this.now + Math.max(0, delay), order: this.order++, fire };
    this.due.add(due);
    return due;
  }
  clear(due: Due | undefined): void {
    if (due !== undefined) this.due.delete(due);
  }
  advance(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const [next] = [...this.due].filter((d) => d.at <= end).toSorted((a, b) => a.at - b.at || a.order - b.order);
      if (next === undefined) break;
      this.due.delete(next);
      this.now = next.at;
      next.fire();
    }
    this.now = end;
  }
}

// ---- what is compared ---------------------------------------------------------------------------------------------------

/** References count as the ids of children, wherever they are. */
export function plainOf(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, v: unknown) =>
      typeof v === 'object' && v !== null && 'sessionId' in v && 'send' in v ? { ref: (v as unknown as { id: string }).id } : v,
    ) ?? 'null',
  ) as unknown;
}

interface AnySnapshot {
  readonly status: string;
  readonly value?: unknown;
  readonly context?: unknown;
  readonly output?: unknown;
  readonly error?: unknown;
  readonly tags?: ReadonlySet<string>;
  readonly children?: Readonly<Record<string, unknown>>;
  getMeta?(): unknown;
}

function shown(snapshot: AnySnapshot): unknown {
  if (snapshot.status === 'error')
    return { status: 'error', message: (snapshot.error as Error | undefined)?.message ?? snapshot.error };
  // `context` is read apart: the getter of references must not be met by `plainOf` of the whole machine.
  return plainOf({
    status: snapshot.status,
    value: snapshot.value,
    context: snapshot.context,
    output: snapshot.output,
    tags: [...(snapshot.tags ?? [])],
    children: Object.keys(snapshot.children ?? {}),
    meta: snapshot.getMeta?.(),
  });
}

// ---- live ---------------------------------------------------------------------------------------------------------------

export async function runLive(machineOf: MachineOf, script: readonly Act[], options: RunOptions = {}): Promise<Outcome> {
  const trace: unknown[] = [];
  const states: unknown[] = [];
  let act = 0;
  const note: Trace = (entry) => void trace.push([act, plainOf(entry)]);
  const time = new Time();
  const set = new Map<number, Due>();
  let n = 0;
  const clock = {
    setTimeout: (fn: (...args: never[]) => void, ms: number) => {
      const id = n++;
      set.set(id, time.set(ms, fn as () => void));
      return id;
    },
    clearTimeout: (id: number) => time.clear(set.get(id)),
  };
  const logger = (...values: unknown[]): void => note({ log: values });
  const actor: AnyActorRef = createActor(machineOf(note), { id: 'root', clock, logger, input: options.input } as never);
  actor.on('*', (event: unknown) => note({ emit: event }));
  actor.subscribe({ error: () => {} });
  actor.start();
  await settle();
  states.push(shown(actor.getSnapshot() as AnySnapshot));
  for (const one of script) {
    act++;
    if (typeof one === 'function') one();
    else if ('advance' in one) time.advance(one['advance'] as number);
    else actor.send(structuredClone(one as EventObject));
    await settle();
    states.push(shown(actor.getSnapshot() as AnySnapshot));
  }
  if ((actor.getSnapshot() as AnySnapshot).status === 'active') actor.stop();
  return { states, trace };
}

// ---- by the kernel ------------------------------------------------------------------------------------------------------

interface Child {
  readonly name: string;
  readonly spawn: EffectId;
  readonly runner?: Runner;
  readonly leaf?: LeafHandle;
}

export interface Logged {
  readonly seq: number;
  readonly event: EventObject | undefined;
  readonly input: unknown;
  readonly ts: number;
  readonly digest: string;
  readonly effects: string;
}

const json = <T>(value: T): T => (value === undefined ? value : (JSON.parse(JSON.stringify(value)) as T));

/** Mesh of one process without a log on disk: actors by address. */
export class World {
  readonly time = new Time();
  readonly actors = new Map<Address, Runner>();
  readonly dead: { readonly to: Address; readonly event: EventObject }[] = [];
  readonly note: Trace;
  readonly restore: boolean;

  constructor(note: Trace, restore = false) {
    this.note = note;
    this.restore = restore;
  }

  deliver(to: Address, event: EventObject): void {
    const bang = to.indexOf('!');
    const actor = this.actors.get(bang < 0 ? to : to.slice(0, bang));
    if (actor === undefined) this.dead.push({ to, event });
    else actor.enqueue(event);
  }
}

export class Runner {
  env: ActorEnv;
  snapshot: unknown;
  failed: ErrorData | undefined;
  status: 'active' | 'done' | 'error' | 'stopped' = 'active';
  readonly log: Logged[] = [];
  readonly effectsOf: (readonly Effect[])[] = [];
  readonly children = new Map<string, Child>();
  private readonly world: World;
  private readonly logic: Logic;
  private readonly mailbox: EventObject[] = [];
  private readonly named = new Map<string, Due>();
  private readonly set = new Set<Due>();
  private readonly parent:
    | { readonly runner: Runner; readonly name: string; readonly spawn: EffectId; readonly sync: boolean }
    | undefined;
  private busy = false;
  private seq = 0;

  constructor(world: World, address: Address, logic: Logic, parent?: Runner['parent']) {
    this.world = world;
    this.logic = logic;
    this.parent = parent;
    this.env = { address, parent: parent?.runner.env.address };
  }

  start(input: unknown): void {
    const given = json(input);
    this.busy = true;
    this.settle(undefined, given, (ts, key) =>
      this.logic.init(this.env, given, { ts, seed: seedOf(this.env.address, this.seq) }, key),
    );
    this.busy = false;
    this.drain();
  }

  enqueue(event: EventObject): void {
    if (this.status !== 'active') return;
    this.mailbox.push(json(event));
    this.drain();
  }

  private drain(): void {
    if (this.busy) return;
    this.busy = true;
    while (this.status === 'active') {
      const event = this.mailbox.shift();
      if (event === undefined) break;
      if (this.world.restore) this.revive();
      this.settle(event, undefined, (ts, key) =>
        this.logic.step(this.env, this.snapshot, event, { ts, seed: seedOf(this.env.address, this.seq) }, key),
      );
    }
    this.busy = false;
  }

  /** The actor is dropped and comes back from JSON. */
  revive(): void {
    const digest = this.logic.digest(this.snapshot);
    const persisted = JSON.stringify(this.logic.persist(this.snapshot));
    this.env = { address: this.env.address, parent: this.env.parent };
    this.snapshot = this.logic.restore(this.env, JSON.parse(persisted));
    if (this.logic.digest(this.snapshot) !== digest) throw new TypeError(`restoring changed the digest of ${persisted}`);
    if (JSON.stringify(this.logic.persist(this.snapshot)) !== persisted)
      throw new TypeError(`restoring changed ${persisted} into ${JSON.stringify(this.logic.persist(this.snapshot))}`);
  }

  private settle(event: EventObject | undefined, input: unknown, make: (ts: number, key: string) => Step): void {
    const seq = ++this.seq;
    const ts = this.world.time.now;
    const step = make(ts, String(seq));
    if (step.failed !== undefined) {
      this.failed = step.failed;
      this.end('error', undefined, step.failed);
      return;
    }
    this.snapshot = step.snapshot;
    this.log.push({ seq, event, input, ts, digest: this.logic.digest(step.snapshot), effects: effectsDigest(step.effects) });
    this.effectsOf.push(step.effects);
    for (const [i, effect] of step.effects.entries()) this.perform(effect, effectId(this.env.address, seq, i));
    if (event?.type === 'xstate.stop') this.end('stopped');
    else if (this.parent?.sync === true && this.status === 'active')
      this.tell({ type: `xstate.snapshot.${this.parent.name}`, snapshot: this.logic.persist(this.snapshot) });
  }

  private perform(e: Effect, id: EffectId): void {
    switch (e.kind) {
      case 'spawn':
        return this.spawn(e, id);
      case 'stop': {
        const child = this.children.get(e.child);
        this.children.delete(e.child);
        child?.leaf?.stop();
        child?.runner?.enqueue({ type: 'xstate.stop' });
        return;
      }
      case 'send': {
        const child = e.to.kind === 'child' ? this.children.get(e.to.child) : undefined;
        const go = (): void => this.send(e.to, child, e.event);
        if (e.delay === undefined) go();
        else this.timer(e.sendId ?? id, e.delay, go);
        return;
      }
      case 'timer':
        return this.timer(e.timer, e.delay, () => this.enqueue(e.event));
      case 'cancel': {
        const due = this.named.get(e.timer);
        this.named.delete(e.timer);
        this.world.time.clear(due);
        return;
      }
      case 'emit':
        return this.parent === undefined ? this.world.note({ emit: e.event }) : undefined;
      case 'log':
        return this.world.note({ log: e.label === undefined ? [e.value] : [e.label, e.value] });
      case 'action':
        for (const { target, event } of runAction(e, id))
          this.send(target, target.kind === 'child' ? this.children.get(target.child) : undefined, event);
        return;
      case 'terminate':
        return this.end(e.status, e.output, e.error);
    }
  }

  /** As XState: a name that is set again leaves the earlier timer running, and `cancel` finds the later one. */
  private timer(name: string, delay: number, fire: () => void): void {
    const due = this.world.time.set(delay, () => {
      this.named.delete(name);
      this.set.delete(due);
      if (this.status === 'active') fire();
    });
    this.named.set(name, due);
    this.set.add(due);
  }

  private send(to: Target, child: Child | undefined, event: EventObject): void {
    switch (to.kind) {
      case 'self':
        return this.enqueue(event);
      case 'parent':
        return this.parent?.runner.enqueue(event);
      case 'address':
        return this.world.deliver(to.address, event);
      case 'child':
        child?.leaf?.send(event);
        child?.runner?.enqueue(event);
    }
  }

  private spawn(e: Extract<Effect, { kind: 'spawn' }>, id: EffectId): void {
    const source = this.logic.source(e.src);
    if (source === undefined) throw new TypeError(`no source ${e.src}`);
    const input = json(e.input);
    if (source.kind === 'actor') {
      const runner = new Runner(this.world, childAddress(this.env.address, e.child, id), source.logic, {
        runner: this,
        name: e.child,
        spawn: id,
        sync: e.sync,
      });
      this.children.set(e.child, { name: e.child, spawn: id, runner });
      this.world.actors.set(runner.env.address, runner);
      runner.start(input);
      return;
    }
    if (source.kind !== 'leaf') throw new TypeError(`the harness runs no ${source.kind}`);
    const queued: EventObject[] = [];
    let started = false;
    const leaf = source.leaf.start({ id, child: e.child, input, sync: e.sync }, (event) => {
      if (started) this.answer(e.child, id, event);
      else queued.push(event);
    });
    this.children.set(e.child, { name: e.child, spawn: id, leaf });
    started = true;
    for (const event of queued) this.answer(e.child, id, event);
  }

  /** What answers an earlier child of the same name is stale. */
  private answer(name: string, spawn: EffectId, event: EventObject): void {
    const child = this.children.get(name);
    if (child !== undefined && child.spawn !== spawn) return;
    this.enqueue(event);
  }

  private tell(event: EventObject): void {
    this.parent?.runner.answer(this.parent.name, this.parent.spawn, event);
  }

  private end(status: 'done' | 'error' | 'stopped', output?: unknown, error?: ErrorData): void {
    this.status = status;
    for (const due of this.set) this.world.time.clear(due);
    for (const child of this.children.values()) {
      child.leaf?.stop();
      child.runner?.enqueue({ type: 'xstate.stop' });
    }
    this.children.clear();
    const name = this.parent?.name;
    if (status === 'done') this.tell({ type: `xstate.done.actor.${name}`, output, actorId: name });
    if (status === 'error') this.tell({ type: `xstate.error.actor.${name}`, error, actorId: name });
  }

  shown(): unknown {
    if (this.status === 'error') return { status: 'error', message: this.failed?.message };
    return shown(this.snapshot as AnySnapshot);
  }

  /** The log folded anew performs nothing and gives the same. Throws where it does not. */
  replay(logic: Logic = this.logic): void {
    const env: ActorEnv = { address: this.env.address, parent: this.env.parent };
    let snapshot: unknown;
    for (const r of this.log) {
      const meta = { ts: r.ts, seed: seedOf(env.address, r.seq) };
      const step =
        r.event === undefined
          ? logic.init(env, r.input, meta, String(r.seq))
          : logic.step(env, snapshot, r.event, meta, String(r.seq));
      if (step.failed !== undefined) throw new TypeError(`replay of ${env.address} failed at ${r.seq}: ${step.failed.message}`);
      snapshot = step.snapshot;
      if (logic.digest(snapshot) !== r.digest)
        throw new TypeError(`replay of ${env.address} diverged at ${r.seq} (${r.event?.type ?? 'init'})`);
      if (effectsDigest(step.effects) !== r.effects)
        throw new TypeError(`replay of ${env.address} made other effects at ${r.seq} (${r.event?.type ?? 'init'})`);
    }
  }
}

export interface KernelOutcome extends Outcome {
  readonly world: World;
  readonly root: Runner;
}

export async function runKernel(machineOf: MachineOf, script: readonly Act[], options: RunOptions = {}): Promise<KernelOutcome> {
  const trace: unknown[] = [];
  const states: unknown[] = [];
  let act = 0;
  const note: Trace = (entry) => void trace.push([act, plainOf(entry)]);
  const world = new World(note, options.restore === true);
  const machine = machineOf(note);
  const root = new Runner(world, 'root', machineLogic(machine, { development: options.development ?? true }));
  world.actors.set('root', root);
  root.start(options.input);
  await settle();
  states.push(root.shown());
  for (const one of script) {
    act++;
    if (typeof one === 'function') one();
    else if ('advance' in one) world.time.advance(one['advance'] as number);
    else root.enqueue(one as EventObject);
    await settle();
    states.push(root.shown());
  }
  for (const child of root.children.values()) child.leaf?.stop();
  const before = trace.length;
  for (const actor of world.actors.values()) actor.replay();
  if (trace.length !== before) throw new TypeError('a replay performed something');
  return { states, trace, world, root };
}

/** For tests that need the chart itself. */
export const asMachine = (logic: AnyActorLogic): AnyStateMachine => logic as AnyStateMachine;
