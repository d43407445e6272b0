/**
 * The only file that meets XState's behaviour: an ordinary machine (or `fromTransition` logic) as a pure `Logic`, and promise, callback
 * and observable logic as a `Leaf`.
 *
 *   event -> [refs revived] -> logic.transition, in virtual time, with a scope that records -> [effects in the order of a live actor]
 *
 * It calls the public `ActorLogic` contract; the scope comes from a real `createActor`. Nothing is executed, started or scheduled here.
 */
import {
  type AnyActorLogic,
  type AnyActorRef,
  type AnyActorScope,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyStateNode as StateNode,
  createActor,
  fromCallback,
  fromEventObservable,
  fromObservable,
} from 'xstate';
import { type ActionSend, asEffect, currentEffect, onLateSend, runAction, sendByHand } from './action-run.ts';
import { type Address, checkAddress, EFFECTS_MAX } from './address.ts';
import { chartDigest } from './chart-digest.ts';
import { misfits } from './chart-fit.ts';
import { digestText, hashKey, hashMembers, hashText, hashValue } from './digest.ts';
import { enterVirtual, leaveVirtual } from './determinism.ts';
import type { Effect, EventObject, Target } from './effect.ts';
import { assert, type ErrorCode, type ErrorData, errorData, isMeshError, MeshError } from './errors.ts';
import {
  addressOfChild,
  type ChildRef,
  GoneRef,
  hiddenSnapshot,
  leafSnapshot,
  type RefHost,
  refuseSnapshot,
  RemoteRef,
  SelfRef,
  STUB,
  type Stub,
  stubOf,
} from './kernel-refs.ts';
import type { ActorEnv, Leaf, Logic, Source, Step, StepMeta, View } from './logic.ts';
import { freezeDeep, notPlain, pathOfCycle, type PlainOptions, type RefMarker, reviveRefs, toPlain } from './plain.ts';

export { type ActionSend, currentEffect, onLateSend, runAction };

export interface MachineOptions {
  /** Instead of the machine's own `version`. */
  readonly version?: string;
  /** Checks the context after every step and freezes it, so that changes in place are found where they are made. */
  readonly development?: boolean;
}

/** Microsteps that one event may cause. */
export const MICROSTEPS_MAX = 10_000;
const EFFECTS_LIMIT = EFFECTS_MAX - 32;
const REMOTES_MAX = 1_000;
/** Where logic objects of `ask()`, `tool()`, `model()` carry what they stand for. */
const SOURCE = Symbol.for('reprise.source');

const kernels = new WeakMap<AnyActorLogic, Map<string, Logic>>();

/**
 * The `Logic` of a machine or of `fromTransition` logic; one for each machine object and set of options, shared by all its actors.
 * Throws INTERNAL when the installed XState is not one that this kernel knows.
 */
export function machineLogic(machine: AnyActorLogic, options: MachineOptions = {}): Logic {
  const key = `${options.development === true}|${options.version ?? ''}`;
  let known = kernels.get(machine);
  if (known === undefined) kernels.set(machine, (known = new Map()));
  let logic = known.get(key);
  if (logic === undefined) known.set(key, (logic = new Kernel(machine, options)));
  return logic;
}

const isMachine = (logic: AnyActorLogic): logic is AnyStateMachine =>
  'root' in logic && 'implementations' in logic && 'provide' in logic;
/** Pure logic can be an actor with a log; what has a `start` runs something. */
const isPure = (logic: AnyActorLogic): boolean => isMachine(logic) || logic.start === undefined;

// ---- what XState hands to the recording scope ---------------------------------------------------------------------------

/** Parameters of the actions that XState itself defines. */
interface Params {
  readonly actorRef?: object;
  readonly src?: unknown;
  readonly to?: object | string;
  readonly event: EventObject;
  readonly id?: string;
  readonly delay?: number;
  readonly sendId?: string;
  readonly label?: string;
  readonly value?: unknown;
}
interface Recorded {
  readonly type: string;
  readonly info?: unknown;
  readonly params: unknown;
  readonly exec?: ((info: unknown, params: unknown) => void) | undefined;
}
/** A send by hand inside of a step. */
const BY_HAND = 'reprise.send';

type Scope = { -readonly [K in keyof AnyActorScope]: AnyActorScope[K] };

/** The inside of XState's system that a recording scope has to replace. */
interface SystemInside {
  _bookId(): string;
  _set(systemId: string, ref: object): void;
  _relay(source: object | undefined, target: object, event: EventObject): void;
  _sendInspectionEvent(event: { readonly type: string }): void;
  get(systemId: string): unknown;
  getAll(): Record<string, unknown>;
}

/** A genuine scope, by public means: throw-away logic is handed one. */
function captureScope(id: string): { readonly scope: Scope; readonly self: AnyActorRef } {
  let scope: Scope | undefined;
  const logic = {
    getInitialSnapshot: (given: AnyActorScope) => ((scope = given), { status: 'active', output: undefined, error: undefined }),
    transition: (snapshot: unknown) => snapshot,
    getPersistedSnapshot: (snapshot: unknown) => snapshot,
  };
  const self = createActor(logic as unknown as AnyActorLogic, { id, logger: () => {} });
  assert(scope !== undefined, 'XState hands a scope to getInitialSnapshot');
  for (const name of ['_bookId', '_set', '_relay', '_sendInspectionEvent'] as const) {
    assert(
      typeof (scope.system as unknown as Partial<SystemInside>)[name] === 'function',
      `the installed XState has no system.${name}: Reprise needs xstate >=5.24 <6`,
    );
  }
  return { scope, self };
}

// ---- children are stubs -------------------------------------------------------------------------------------------------

const LEAF_STARTS = {
  callback: String(fromCallback(() => {}).start),
  observable: String(fromObservable(() => undefined as never).start),
  events: String(fromEventObservable(() => undefined as never).start),
};
const startOf = (logic: AnyActorLogic): string => String(logic.start);

type StubScope = { readonly self: unknown };
/** Logic that stands for a child in its parent's machine: it has no behaviour. */
function stubLogic(kernel: Kernel, name: string, original: AnyActorLogic): AnyActorLogic {
  const source = (original as { [SOURCE]?: Source })[SOURCE];
  const kind: Stub['kind'] =
    source === undefined
      ? isPure(original)
        ? 'actor'
        : startOf(original) === LEAF_STARTS.observable
          ? 'hidden'
          : 'leaf'
      : source.kind === 'actor'
        ? 'actor'
        : 'leaf';
  const getSnapshot = kind === 'actor' ? refuseSnapshot : kind === 'hidden' ? hiddenSnapshot : leafSnapshot;
  const attach = (scope: StubScope, stub: Stub): Stub => {
    const ref = scope.self as ChildRef;
    ref[STUB] = stub;
    ref.getSnapshot = getSnapshot;
    if (stub.id !== undefined) ref.id = stub.id;
    return stub;
  };
  return {
    config: { stubOf: name },
    getInitialSnapshot: (scope: StubScope, input: unknown) => {
      const sync = (scope.self as ChildRef)._syncSnapshot === true;
      const stub = attach(scope, {
        kind,
        sync,
        status: 'active',
        output: undefined,
        error: undefined,
        context: undefined,
        at: undefined,
        id: undefined,
        input,
        created: 0,
        stopped: 0,
        placed: 0,
        gone: 0,
        index: -1,
      });
      kernel.created(scope.self as ChildRef, stub);
      return stub;
    },
    transition: (stub: unknown) => stub,
    getPersistedSnapshot: ({ status, output, error, context, at, id }: Stub) => ({
      status,
      ...(at !== undefined && { at }),
      ...(id !== undefined && { id }),
      ...(output !== undefined && { output }),
      ...(error !== undefined && { error }),
      ...(context !== undefined && { context }),
    }),
    restoreSnapshot: (json: Partial<Stub>, scope: StubScope) => {
      const sync = (scope.self as ChildRef)._syncSnapshot === true;
      return attach(scope, {
        kind,
        sync,
        status: json.status ?? 'active',
        output: json.output,
        error: json.error,
        context: json.context,
        at: json.at,
        id: json.id,
        input: undefined,
        created: 0,
        stopped: 0,
        placed: 0,
        gone: 0,
        index: -1,
      });
    },
  } as unknown as AnyActorLogic;
}

/** The same chart with a stub for each source. Inline invokes keep the name that XState gives them: `xstate.invoke.<index>.<state id>`. */
function stubbed(machine: AnyStateMachine, sources: Map<string, AnyActorLogic>, kernel: Kernel): AnyStateMachine {
  const actors: Record<string, AnyActorLogic> = {};
  for (const name of Object.keys(machine.implementations.actors)) {
    const logic = machine.implementations.actors[name] as AnyActorLogic;
    sources.set(name, logic);
    actors[name] = stubLogic(kernel, name, logic);
  }
  interface NodeConfig {
    readonly id?: string;
    readonly invoke?: unknown;
    readonly states?: Readonly<Record<string, NodeConfig>>;
  }
  const rewrite = (config: NodeConfig, id: string): NodeConfig => {
    let { invoke, states } = config;
    const list = (Array.isArray(invoke) ? invoke : invoke === undefined ? [] : [invoke]) as {
      readonly src: string | AnyActorLogic;
    }[];
    if (list.some((i) => typeof i.src !== 'string')) {
      invoke = list.map((one, i) => {
        if (typeof one.src === 'string') return one;
        const name = `xstate.invoke.${i}.${id}`;
        sources.set(name, one.src);
        return { ...one, src: stubLogic(kernel, name, one.src) };
      });
    }
    if (states !== undefined)
      states = Object.fromEntries(
        Object.entries(states).map(([key, child]) => [key, rewrite(child, child.id ?? `${id}.${key}`)]),
      );
    return invoke === config.invoke && states === undefined
      ? config
      : { ...config, ...(invoke !== undefined && { invoke }), ...(states !== undefined && { states }) };
  };
  const Machine = machine.constructor as new (config: unknown, implementations: unknown) => AnyStateMachine;
  return new Machine(rewrite(machine.config as NodeConfig, machine.id), { ...machine.implementations, actors });
}

// ---- the kernel ---------------------------------------------------------------------------------------------------------

interface PlainSnapshot {
  readonly status: View['status'];
  readonly context?: unknown;
  readonly output?: unknown;
  readonly error?: unknown;
}
/** As JSON keeps it: XState's persisted snapshot, and `nodes` where its value does not say all. */
interface PersistedSnapshot extends PlainSnapshot {
  readonly children?: Readonly<Record<string, { readonly src: string }>>;
  readonly historyValue?: Readonly<Record<string, readonly { readonly id: string }[]>>;
  readonly nodes?: readonly string[];
}
const CHILD_ENDS = /^xstate\.(done|error)\.actor\./;

class Kernel implements Logic, RefHost {
  readonly id: string;
  readonly version: string | undefined;
  readonly system: SystemInside;
  private readonly original: AnyActorLogic;
  private readonly options: MachineOptions;
  private readonly logic: AnyActorLogic;
  private readonly machine: AnyStateMachine | undefined;
  private readonly sources = new Map<string, AnyActorLogic>();
  private readonly made = new Map<string, Source>();
  private readonly scope: Scope;
  private readonly remotes = new Map<Address, RemoteRef>();
  private readonly plainContexts = new WeakSet<object>();
  private hashed: string | undefined;

  // Of the step in hand; reused from step to step.
  private readonly now: (Recorded | ChildRef)[] = [];
  private readonly later: (Recorded | ChildRef)[] = [];
  private readonly order: (Recorded | ChildRef)[] = [];
  private env: ActorEnv | undefined;
  private self: SelfRef | undefined;
  private previous: PlainSnapshot | undefined;
  private number = 0;
  private key = '';
  private booked = 0;
  private births = 0;
  private microsteps = 0;
  private refusal: MeshError | undefined;

  constructor(original: AnyActorLogic, options: MachineOptions) {
    this.original = original;
    this.options = options;
    const { scope } = captureScope('#kernel');
    this.scope = scope;
    this.system = this.recordingSystem(scope.system as unknown as SystemInside);
    scope.defer = () => {};
    scope.stopChild = () => {};
    scope.emit = (event: unknown) => void this.now.push({ type: 'xstate.emit', params: { event } });
    scope.logger = (...values: unknown[]) =>
      void this.now.push({
        type: 'xstate.log',
        params: { value: values.length > 1 ? values[1] : values[0], ...(values.length > 1 && { label: values[0] }) },
      });
    scope.actionExecutor = (action: unknown) => this.record(action as Recorded);
    this.machine = isMachine(original) ? stubbed(original, this.sources, this) : undefined;
    this.logic = this.machine ?? original;
    this.id = this.machine?.id ?? 'transition';
    this.version = options.version ?? this.machine?.version;
  }

  get hash(): string {
    return (this.hashed ??= chartDigest(this.original, this.version));
  }

  // ---- Logic -------------------------------------------------------------------------------------------------------------

  init(env: ActorEnv, input: unknown, meta: StepMeta, key: string): Step {
    this.begin(env, undefined, key);
    const given = reviveRefs(input, this.revive);
    return this.run(meta, () => this.logic.getInitialSnapshot(this.scope, given) as PlainSnapshot);
  }

  step(env: ActorEnv, snapshot: unknown, event: EventObject, meta: StepMeta, key: string): Step {
    if ((snapshot as PlainSnapshot).status !== 'active') return { snapshot, effects: [] };
    this.begin(env, snapshot as PlainSnapshot, key);
    const seen = this.incoming(event);
    return this.run(meta, () => {
      const next = this.logic.transition(snapshot, seen, this.scope) as PlainSnapshot;
      // A machine ends itself; transition logic only sees the event.
      return seen.type === 'xstate.stop' && next.status === 'active' ? { ...next, status: 'stopped' } : next;
    });
  }

  private run(meta: StepMeta, transition: () => PlainSnapshot): Step {
    const { previous } = this;
    const outer = enterVirtual(meta.ts, meta.seed);
    try {
      const next = transition();
      if (next.status === 'error') throw next.error;
      if (this.booked !== this.births) this.refuseInline(next);
      if (next.context !== previous?.context) this.checkContext(next.context);
      (this.self as SelfRef).snapshot = next;
      return { snapshot: next, effects: this.effects(next) };
    } catch (error) {
      (this.self as SelfRef).snapshot = previous;
      return { snapshot: previous, effects: [], failed: this.failure(error) };
    } finally {
      leaveVirtual(outer);
      this.env = undefined;
      this.now.length = this.later.length = this.order.length = 0;
    }
  }

  private begin(env: ActorEnv, previous: PlainSnapshot | undefined, key: string): void {
    this.enter(env);
    (this.self as SelfRef).snapshot = previous;
    this.env = env;
    this.previous = previous;
    this.key = key;
    this.number++;
    this.booked = this.births = this.microsteps = 0;
    this.refusal = undefined;
  }

  private enter(env: ActorEnv): SelfRef {
    const self = (env.cache ??= new SelfRef(this, env)) as SelfRef;
    this.self = self;
    this.scope.self = self as unknown as AnyActorRef;
    this.scope.id = self.id;
    this.scope.sessionId = self.sessionId;
    return self;
  }

  // ---- what comes in -----------------------------------------------------------------------------------------------------

  private readonly revive = (marker: RefMarker): unknown => {
    const self = this.self as SelfRef;
    if (marker.id === self.address) return self;
    if (marker.id === self._parent?.address) return self._parent;
    if (marker.id.startsWith(`${self.address}/`)) {
      for (const child of Object.values(childrenOf(this.previous)))
        if (child[STUB].at !== undefined && addressOfChild(child) === marker.id) return child;
    }
    return this.remote(marker.id);
  };

  /** The event as the machine sees it. What it tells of a leaf is kept for `getSnapshot`. */
  private incoming(event: EventObject): EventObject {
    const seen = reviveRefs(event, this.revive);
    if (!seen.type.startsWith('xstate.')) return seen;
    const children = childrenOf(this.previous);
    const ended = CHILD_ENDS.exec(seen.type);
    if (ended !== null) {
      const stub = children[seen['actorId'] as string]?.[STUB];
      if (stub !== undefined) {
        stub.status = ended[1] as 'done' | 'error';
        if (stub.kind !== 'actor') {
          stub.output = seen['output'];
          stub.error = seen['error'];
        }
      }
      return seen;
    }
    if (!seen.type.startsWith('xstate.snapshot.')) return seen;
    const child = children[seen.type.slice('xstate.snapshot.'.length)];
    const given = seen['snapshot'];
    if (child === undefined || typeof given !== 'object' || given === null) return seen;
    const stub = child[STUB];
    if (stub.kind !== 'actor') {
      stub.context = (given as PlainSnapshot).context;
      return seen;
    }
    // A machine's snapshot has methods (`matches`, `hasTag`): they are given back.
    const source = typeof child.src === 'string' ? this.source(child.src) : undefined;
    if (source?.kind !== 'actor') return seen;
    const env = { address: addressOfChild(child), parent: (this.self as SelfRef).address };
    return { ...seen, snapshot: source.logic.restore(env, structuredClone(event['snapshot'])) };
  }

  // ---- recording ---------------------------------------------------------------------------------------------------------

  private recordingSystem(system: SystemInside): SystemInside {
    system._bookId = () => `${this.key}~${this.booked++}`;
    system._set = (systemId, ref) => this.claimSystemId(systemId, ref);
    system._relay = (_source, target, event) => this.sendByHand(target, event);
    system._sendInspectionEvent = (event) => {
      if (event.type === '@xstate.microstep' && ++this.microsteps > MICROSTEPS_MAX)
        this.refuse(
          'STEP_BUDGET',
          `'${this.id}' took more than ${MICROSTEPS_MAX} microsteps on one event: look for a loop of raise or always`,
        );
    };
    system.get = (systemId) => {
      const child = this.bySystemId(systemId);
      return child ?? (isAddress(systemId) ? this.remote(systemId) : undefined);
    };
    system.getAll = () =>
      Object.fromEntries(
        Object.values(childrenOf(this.previous))
          .filter((c) => c.systemId !== undefined && this.lives(c))
          .map((c) => [c.systemId as string, c]),
      );
    return system;
  }

  private lives(child: ChildRef): boolean {
    const stub = child[STUB];
    return stub.status === 'active' && (this.env === undefined || stub.stopped !== this.number);
  }

  private bySystemId(systemId: string): ChildRef | undefined {
    if (this.births > 0)
      for (const list of [this.now, this.later])
        for (const r of list) if (STUB in r && r.systemId === systemId && this.lives(r)) return r;
    const children = childrenOf(this.previous);
    for (const id in children) if (children[id]?.systemId === systemId && this.lives(children[id])) return children[id];
    return undefined;
  }

  private claimSystemId(systemId: string, ref: object): void {
    if (this.env === undefined) return;
    const other = this.bySystemId(systemId);
    if (other !== undefined && other !== ref) this.refuse('STEP_FAILED', `Actor with system ID '${systemId}' already exists.`);
  }

  /** A stub was made in this step. */
  created(ref: ChildRef, stub: Stub): void {
    this.births++;
    if (this.env === undefined) return;
    stub.created = this.number;
    (this.previous === undefined ? this.now : this.later).push(ref);
  }

  private record(action: Recorded): void {
    if (this.now.length + this.later.length > EFFECTS_LIMIT)
      this.refuse('STEP_BUDGET', `'${this.id}' made more than ${EFFECTS_LIMIT} effects on one event`);
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
    if (typeof params.src !== 'string') this.refuseLogic(`spawnChild in '${this.id}'`);
    const ref = params.actorRef as ChildRef | undefined;
    if (ref === undefined)
      return this.refuse(
        'LOGIC_NOT_FOUND',
        `'${this.id}' spawns from '${params.src}', which is no actor of it; it has: ${[...this.sources.keys()].join(', ') || 'none'}`,
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
      return this.refuse(
        'STEP_FAILED',
        `Cannot stop child actor ${ref.id} of ${(this.self as SelfRef).id} because it is not a child`,
      );
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

  /** `ref.send(event)` by user code. */
  sendByHand(to: object, event: EventObject): void {
    if (this.env !== undefined) {
      this.now.push({ type: BY_HAND, params: { to, event } });
      return;
    }
    const stub = stubOf(to);
    const from =
      to instanceof SelfRef
        ? to.address
        : stub === undefined
          ? (this.self?.address ?? this.id)
          : (to as ChildRef)._parent.address;
    const target = to instanceof SelfRef ? SELF : this.targetOf(to);
    const send: ActionSend = { target, event: toPlain(event, this.plain(`event '${event.type}'`)) };
    sendByHand(from, send);
  }

  // ---- refusals ----------------------------------------------------------------------------------------------------------

  private refuse(code: ErrorCode, message: string): never {
    this.refused(new MeshError(code, `${this.self?.address ?? this.id}: ${message}`));
  }

  refused(error: MeshError): never {
    throw (this.refusal = error);
  }

  /** XState throws an error of its own when a guard throws: what we refused keeps its code. */
  private failure(error: unknown): ErrorData {
    const data = errorData(error);
    const { refusal } = this;
    if (refusal === undefined || data.code !== undefined || !data.message.includes(refusal.message)) return data;
    return { ...errorData(refusal), message: data.message };
  }

  private refuseLogic(where: string): never {
    this.refuse(
      'INLINE_LOGIC',
      `${where} is given a logic object, which no log can name: register it in setup({ actors }) and spawn it by that name`,
    );
  }

  private refuseInline(next: PlainSnapshot): never {
    const children = childrenOf(next);
    const inline = Object.keys(children).find((id) => stubOf(children[id] as object) === undefined);
    this.refuseLogic(inline === undefined ? `spawn() in '${this.id}'` : `child '${inline}' of '${this.id}'`);
  }

  private checkContext(context: unknown): void {
    if (this.previous !== undefined && this.options.development !== true) return;
    const bad = notPlain(context, 'context', (ref) => stubOf(ref) !== undefined || ref instanceof GoneRef, this.plainContexts);
    if (bad?.ref === true)
      this.refuse(
        'CONTEXT_FOREIGN_REF',
        `${bad.path} is ${bad.what}: keep its address (ref.sessionId) and send with system.get(address)`,
      );
    if (bad !== undefined)
      this.refuse('CONTEXT_NOT_PLAIN', `${bad.path} is ${bad.what}, which JSON cannot give back: keep plain data in context`);
    if (this.options.development === true) freezeDeep(context);
  }

  // ---- what goes out -----------------------------------------------------------------------------------------------------

  /** In the order in which a live actor would do them: what runs at once, then what it defers. */
  private effects(next: PlainSnapshot): Effect[] {
    const { now, later, order } = this;
    if (this.previous === undefined && next.status === 'active')
      for (const child of Object.values(childrenOf(next))) this.place(child);
    for (const r of now) this.line(r);
    for (const r of later) this.line(r);
    const out: Effect[] = [];
    for (const r of order) out.push(STUB in r ? this.spawn(r) : this.effect(r));
    if (next.status === 'done' && this.previous?.status !== 'done') {
      const output = toPlain(next.output, this.plain('the output'));
      out.push(output === undefined ? { kind: 'terminate', status: 'done' } : { kind: 'terminate', status: 'done', output });
    }
    return out;
  }

  /** Puts a record in its place, or leaves it out where a live actor would do nothing. */
  private line(r: Recorded | ChildRef): void {
    if (STUB in r) return this.place(r);
    if (r.type === 'xstate.stopChild') {
      const ref = r.params as ChildRef;
      const stub = ref[STUB];
      if (stub.gone === this.number || (stub.placed !== this.number && !this.isChild(ref))) return;
      stub.gone = this.number;
      if (stub.status === 'active') this.order.push(r);
      return;
    }
    if (r.type === 'xstate.sendTo' || r.type === BY_HAND) {
      const { to } = r.params as Params;
      if (typeof to !== 'object' || to instanceof GoneRef) return;
      const stub = stubOf(to);
      if (stub !== undefined) {
        if (stub.created === this.number) this.place(to as ChildRef);
        if (stub.gone === this.number || (stub.placed !== this.number && !this.isChild(to as ChildRef))) return;
      }
    }
    this.order.push(r);
  }

  private isChild(ref: ChildRef): boolean {
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

  private spawn(ref: ChildRef): Effect {
    const stub = ref[STUB];
    const input = toPlain(stub.input, this.plain(`the input of '${ref.id}'`));
    stub.input = undefined;
    const src = ref.src as string;
    return ref.systemId === undefined
      ? { kind: 'spawn', child: ref.id, src, input, sync: stub.sync }
      : { kind: 'spawn', child: ref.id, src, input, systemId: ref.systemId, sync: stub.sync };
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
        return this.action(r);
    }
  }

  /** The closure sees what a live action sees: at a step the snapshot before it, at the start the first one. */
  private action(r: Recorded): Effect {
    const { exec } = r;
    this.shown(r.params, `params of action '${r.type}'`);
    if (exec === undefined) return { kind: 'action', type: r.type, params: r.params };
    const self = this.self as SelfRef;
    const seen = this.previous ?? self.snapshot;
    const run = (): void => {
      const { snapshot } = self;
      const { self: before } = this;
      this.enter(self.env);
      self.snapshot = seen;
      try {
        exec(r.info, r.params);
      } finally {
        self.snapshot = snapshot;
        this.self = before;
      }
    };
    return { kind: 'action', type: r.type, params: r.params, run };
  }

  private outgoing(event: EventObject): EventObject {
    // As XState's own sendTo does for `escalate`.
    const given =
      event.type === 'xstate.error'
        ? { type: `xstate.error.actor.${(this.self as SelfRef).id}`, error: event['data'], actorId: (this.self as SelfRef).id }
        : event;
    return toPlain(given, this.plain(`event '${given.type}'`));
  }

  private targetOf(ref: object): Target {
    if (ref === this.self) return SELF;
    if (ref instanceof RemoteRef) return ref.target;
    if (ref instanceof SelfRef) return { kind: 'address', address: ref.address };
    const stub = stubOf(ref);
    if (stub === undefined)
      return this.refuse(
        'ADDRESS_INVALID',
        `it sends to something that is no actor of this mesh (${String((ref as { id?: unknown }).id)})`,
      );
    const child = (ref as ChildRef).id;
    return stub.placed === this.number && this.env !== undefined
      ? { kind: 'child', child, spawn: stub.index }
      : { kind: 'child', child };
  }

  /** Stays in this process, as it is: it has to have a digest, no more. */
  private shown<T>(value: T, what: string): T {
    const path = pathOfCycle(value);
    if (path !== undefined)
      this.refuse('EVENT_NOT_PLAIN', `${what} holds an object that contains itself at ${path}: hand over plain data`);
    return value;
  }

  private plain(what: string): PlainOptions {
    return { what, code: 'EVENT_NOT_PLAIN', marker };
  }

  private remote(address: Address): RemoteRef {
    let ref = this.remotes.get(address);
    if (ref === undefined) {
      if (this.remotes.size >= REMOTES_MAX) this.remotes.clear();
      this.remotes.set(address, (ref = new RemoteRef(this, address)));
    }
    return ref;
  }

  // ---- snapshots as data -------------------------------------------------------------------------------------------------

  persist(snapshot: unknown): unknown {
    // XState would walk the context too, and knows references to children only.
    const persisted = this.logic.getPersistedSnapshot({
      ...(snapshot as object),
      context: undefined,
    }) as unknown as Record<string, unknown>;
    persisted['context'] = (snapshot as PlainSnapshot).context;
    const nodes = this.machine === undefined ? undefined : unusualNodes(snapshot as AnyMachineSnapshot);
    if (nodes !== undefined) persisted['nodes'] = nodes;
    return toPlain(persisted, { what: `the snapshot of '${this.id}'`, code: 'CONTEXT_NOT_PLAIN', marker: contextMarker });
  }

  restore(env: ActorEnv, json: unknown): unknown {
    const self = this.enter(env);
    const { context, ...rest } = json as PersistedSnapshot;
    for (const [id, child] of Object.entries(rest.children ?? {})) {
      if (!this.sources.has(child.src))
        throw new MeshError(
          'CHECKPOINT_INCOMPATIBLE',
          `${env.address}: child '${id}' was spawned from '${child.src}', which '${this.id}' does not have`,
        );
    }
    let restored: PlainSnapshot;
    try {
      // XState's own revival of references knows children only: the context is put in afterwards.
      const shell = {
        ...rest,
        context: {},
        ...(rest.historyValue !== undefined && { historyValue: this.historyOf(rest.historyValue) }),
      };
      restored = (this.logic.restoreSnapshot?.(shell as never, this.scope) ?? shell) as PlainSnapshot;
    } catch (cause) {
      throw new MeshError(
        'CHECKPOINT_INCOMPATIBLE',
        `${env.address} cannot be restored in '${this.id}': ${errorData(cause).message}`,
        { cause },
      );
    }
    if (this.machine !== undefined) restoreNodes(this.machine, restored as AnyMachineSnapshot, rest.nodes);
    const children = childrenOf(restored);
    const revived = reviveRefs(context, (marker) => {
      const { id, at } = marker as RefMarker & { readonly at?: 'address' };
      if (at === undefined) return children[id] ?? new GoneRef(this, id, env.address);
      return id === self.address ? self : id === self._parent?.address ? self._parent : this.remote(id);
    });
    (restored as { context: unknown }).context = revived;
    self.snapshot = restored;
    return restored;
  }

  /** XState would look for ids with dots in them in the wrong place. */
  private historyOf(history: NonNullable<PersistedSnapshot['historyValue']>): object {
    const nodes = nodesOf(this.machine as AnyStateMachine);
    return Object.fromEntries(Object.entries(history).map(([id, saved]) => [id, saved.map((n) => nodes.get(n.id) ?? n)]));
  }

  digest(snapshot: unknown): string {
    const s = snapshot as PlainSnapshot & Partial<AnyMachineSnapshot>;
    const m = members;
    let n = 0;
    m[n++] = KEYS.status;
    m[n++] = hashText(s.status);
    m[n++] = KEYS.context;
    m[n++] = hashValue(s.context);
    if (s.output !== undefined) {
      m[n++] = KEYS.output;
      m[n++] = hashValue(s.output);
    }
    if (this.machine !== undefined) {
      m[n++] = KEYS.value;
      m[n++] = hashValue(s.value);
      const history = hashHistory(s.historyValue as object);
      if (history !== undefined) {
        m[n++] = KEYS.historyValue;
        m[n++] = history;
      }
      const children = hashChildren(childrenOf(s));
      if (children !== undefined) {
        m[n++] = KEYS.children;
        m[n++] = children;
      }
    }
    return digestText(hashMembers(m, n));
  }

  view(snapshot: unknown): View {
    const s = snapshot as PlainSnapshot & Partial<AnyMachineSnapshot>;
    return {
      status: s.status,
      value: this.machine === undefined ? s.status : s.value,
      context: s.context,
      tags: s.tags === undefined ? [] : [...s.tags],
      children: Object.values(childrenOf(s)).map((c) => c.id),
      ...(s.output !== undefined && { output: s.output }),
      ...(s.error !== undefined && { error: s.error }),
    };
  }

  source(src: string): Source | undefined {
    let source = this.made.get(src);
    if (source !== undefined) return source;
    const logic = this.sources.get(src);
    if (logic === undefined) return undefined;
    const { development } = this.options;
    source =
      (logic as { [SOURCE]?: Source })[SOURCE] ??
      (isPure(logic)
        ? { kind: 'actor', logic: machineLogic(logic, development === undefined ? {} : { development }) }
        : { kind: 'leaf', leaf: leafOf(logic) });
    this.made.set(src, source);
    return source;
  }

  incompatibilities(persisted: unknown, timers: readonly string[]): readonly string[] {
    if (this.machine === undefined)
      return typeof persisted === 'object' && persisted !== null && 'context' in persisted
        ? []
        : ['it is no snapshot of transition logic'];
    return misfits(this.machine, this.sources, persisted, timers);
  }
}

const nodesOf = (machine: AnyStateMachine): ReadonlyMap<string, StateNode> =>
  (machine as unknown as { readonly idMap: ReadonlyMap<string, StateNode> }).idMap;

/**
 * Ids of the active states, where they are not simply those of the value in the order of the document. XState takes the `always` of
 * parallel regions in the order of its own list, as they were entered; and its list may lack a parent. It forgets both when it
 * restores, but a restored actor must not do things in another order.
 */
function unusualNodes(snapshot: AnyMachineSnapshot): readonly string[] | undefined {
  const nodes = snapshot._nodes as readonly StateNode[];
  let before = -1;
  for (const { order, parent } of nodes) {
    if (order < before || (parent !== undefined && !nodes.includes(parent))) return nodes.map((n) => n.id);
    before = order;
  }
  return undefined;
}

/** As they were saved, or in the order of the document. Where the chart has lost one of them, the value counts. */
function restoreNodes(machine: AnyStateMachine, snapshot: AnyMachineSnapshot, ids: readonly string[] | undefined): void {
  const known = nodesOf(machine);
  const nodes = ids?.flatMap((id) => known.get(id) ?? []);
  snapshot._nodes =
    nodes !== undefined && nodes.length === ids?.length
      ? nodes
      : (snapshot._nodes as StateNode[]).toSorted((a, b) => a.order - b.order);
  snapshot.tags = new Set((snapshot._nodes as StateNode[]).flatMap((n) => n.tags));
}

const SELF: Target = { kind: 'self' };
const NO_CHILDREN: Readonly<Record<string, ChildRef>> = {};
const childrenOf = (snapshot: unknown): Readonly<Record<string, ChildRef>> =>
  (snapshot as { readonly children?: Readonly<Record<string, ChildRef>> } | undefined)?.children ?? NO_CHILDREN;

/** A live actor's timers take any number; here it has to survive JSON. */
const delayMs = (delay: number): number => (delay > 0 ? Math.min(delay, Number.MAX_SAFE_INTEGER) : 0);

function isAddress(text: string): boolean {
  try {
    checkAddress(text.includes('!') ? text.slice(0, text.indexOf('!')) : text);
    return true;
  } catch {
    return false;
  }
}

/** How a reference travels: as an address. */
function marker(ref: object): RefMarker | undefined {
  if (ref instanceof RemoteRef || ref instanceof SelfRef) return ref.toJSON();
  return stubOf(ref) === undefined ? undefined : { xstate$$type: 1, id: addressOfChild(ref as ChildRef) };
}
/** In a persisted context a child is named as XState does, by its id. */
function contextMarker(ref: object): RefMarker | undefined {
  if (ref instanceof GoneRef) return ref.toJSON();
  if (stubOf(ref) !== undefined) return { xstate$$type: 1, id: (ref as ChildRef).id };
  const foreign = marker(ref);
  return foreign && { ...foreign, at: 'address' };
}

// ---- digests ------------------------------------------------------------------------------------------------------------

const KEYS = {
  status: hashKey('status'),
  context: hashKey('context'),
  value: hashKey('value'),
  output: hashKey('output'),
  historyValue: hashKey('historyValue'),
  children: hashKey('children'),
};
/** Scratch. */
const members: number[] = [];
const histories = new WeakMap<object, number>();

/** As `{ [history id]: [state ids] }`. */
function hashHistory(history: object): number | undefined {
  let h = histories.get(history);
  if (h !== undefined) return h;
  const ids = Object.entries(history as Record<string, readonly { readonly id: string }[]>).map(([id, nodes]) => [
    id,
    nodes.map((n) => n.id),
  ]);
  if (ids.length === 0) return undefined;
  h = hashValue(Object.fromEntries(ids));
  histories.set(history, h);
  return h;
}

const ids: number[] = [];
/** As `{ [child id]: source }`. */
function hashChildren(children: Readonly<Record<string, ChildRef>>): number | undefined {
  let n = 0;
  for (const id in children) {
    ids[n++] = hashKey(id);
    ids[n++] = hashText(String(children[id]?.src));
  }
  return n === 0 ? undefined : hashMembers(ids, n);
}

// ---- leaves -------------------------------------------------------------------------------------------------------------

const leaves = new WeakMap<AnyActorLogic, Leaf>();

/**
 * Promise, callback, observable or event observable logic as a leaf: a live XState actor under a parent that hands on what it is sent.
 * Callbacks and observables count as endless. In doubt after a crash it starts again from its input, as XState restores it.
 */
export function leafOf(logic: AnyActorLogic): Leaf {
  let leaf = leaves.get(logic);
  if (leaf === undefined) leaves.set(logic, (leaf = makeLeaf(logic)));
  return leaf;
}

function makeLeaf(logic: AnyActorLogic): Leaf {
  const start = startOf(logic);
  const endless = start === LEAF_STARTS.callback || start === LEAF_STARTS.observable || start === LEAF_STARTS.events;
  return {
    ...(endless && { endless: true as const }),
    inDoubt: () => 'retry',
    start: (job, deliver) =>
      asEffect(job.id, () => {
        const owner = job.id.slice(0, job.id.lastIndexOf('!'));
        const { scope, self: hub } = captureScope(owner);
        const system = scope.system as unknown as SystemInside;
        let stopped = false;
        system._relay = (_source, target, event) => {
          if (target !== hub) (target as { _send(event: EventObject): void })._send(event);
          else if (!stopped) deliver(deliverable(event, job.child));
        };
        const input = reviveRefs(job.input, (marker) => (marker.id === owner ? hub : marker));
        const child = createActor(logic, {
          id: job.child,
          parent: hub,
          input,
          syncSnapshot: job.sync,
        } as never) as unknown as AnyActorRef;
        child.start();
        return {
          stop: () => {
            stopped = true;
            scope.stopChild(child);
          },
          send: (event) => system._relay(undefined, child, event),
        };
      }),
  };
}

/** A copy, so that the leaf holds no part of what the machine keeps. What cannot be carried becomes the leaf's error. */
function deliverable(event: EventObject, child: string): EventObject {
  try {
    // A live snapshot tells how its actor is, not how it is subscribed.
    const snapshot = event.type.startsWith('xstate.snapshot.') ? (event['snapshot'] as Record<string, unknown>) : undefined;
    const given =
      snapshot === undefined
        ? event
        : { ...event, snapshot: Object.fromEntries(Object.entries(snapshot).filter(([key]) => key !== '_subscription')) };
    return toPlain(given, {
      what: `what '${child}' delivers (${event.type})`,
      code: 'EVENT_NOT_PLAIN',
      marker: (ref) => ({ xstate$$type: 1, id: (ref as { id: string }).id }),
      copy: true,
    });
  } catch (error) {
    if (!isMeshError(error)) throw error;
    return { type: `xstate.error.actor.${child}`, error: errorData(error), actorId: child };
  }
}
