/**
 * Where XState's behaviour is met (with its parts in `kernel/`): an ordinary machine, or `fromTransition` logic, as a pure `Logic`.
 *
 *   event -> [refs revived] -> logic.transition, in virtual time, with a scope that records -> [effects in the order of a live actor]
 *
 * It calls the public `ActorLogic` contract; the scope comes from a real `createActor`. Nothing is executed, started or scheduled here.
 */
import type { AnyActorLogic, AnyActorRef, AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import { currentEffect, runAction, sendByHand } from './kernel/action-run.ts';
import { type Address, checkAddress, checkTarget } from './address.ts';
import { chartDigest } from './kernel/chart-digest.ts';
import { misfits, renamedWaits } from './kernel/chart-fit.ts';
import { enterVirtual, leaveVirtual } from './kernel/determinism.ts';
import type { EventObject } from './effect.ts';
import { errorData, MeshError } from './errors.ts';
import { leafOf } from './kernel/leaf.ts';
import { MICROSTEPS_MAX, plainOf, Recording, type RecordingHost, SELF, targetOf } from './kernel/recording.ts';
import { addressOfChild, type ChildRef, GoneRef, type RefHost, RemoteRef, SelfRef, STUB, stubOf } from './kernel/refs.ts';
import { digestSnapshot, type PersistedSnapshot, persistSnapshot, restoreShell } from './kernel/snapshot.ts';
import { sourceOf, withStubs } from './kernel/stubs.ts';
import {
  captureScope,
  childrenOf,
  isMachine,
  isPure,
  type PlainSnapshot,
  type Recorded,
  type Scope,
  slim,
  type SystemInside,
} from './kernel/xstate.ts';
import type { ActorEnv, Logic, Source, Step, StepMeta, View } from './logic.ts';
import { freezeDeep, notPlain, type RefMarker, reviveRefs, toPlain } from './kernel/plain.ts';

export { currentEffect, leafOf, MICROSTEPS_MAX, runAction };

export interface MachineOptions {
  /** Instead of the machine's own `version`. */
  readonly version?: string;
  /** Checks the context after every step and freezes it, so that changes in place are found where they are made. */
  readonly development?: boolean;
}

const REMOTES_MAX = 1_000;
const CHILD_ENDS = /^xstate\.(done|error)\.actor\./;

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

class Kernel implements Logic, RefHost, RecordingHost {
  readonly id: string;
  readonly version: string | undefined;
  readonly system: SystemInside;
  readonly sources: ReadonlyMap<string, AnyActorLogic>;
  private readonly original: AnyActorLogic;
  private readonly development: boolean;
  /** With stubs for its children. */
  private readonly logic: AnyActorLogic;
  private readonly machine: AnyStateMachine | undefined;
  private readonly scope: Scope;
  private readonly made = new Map<string, Source>();
  private readonly remotes = new Map<Address, RemoteRef>();
  /** Parts of contexts that were looked through; in development, where every step is. */
  private readonly plainContexts: WeakSet<object> | undefined;
  private hashed: string | undefined;

  /** Whose turn it is; undefined before the first. */
  private self: SelfRef | undefined;
  /** The step in hand. Steps may nest; the recording of the outermost is used again and again. */
  private recording: Recording | undefined;
  private spare: Recording | undefined;

  constructor(original: AnyActorLogic, options: MachineOptions) {
    this.original = original;
    this.development = options.development === true;
    this.plainContexts = this.development ? new WeakSet() : undefined;
    const { scope } = captureScope('#kernel');
    this.scope = scope;
    this.system = this.recordingSystem(scope.system as unknown as SystemInside);
    scope.defer = () => {};
    scope.stopChild = () => {};
    scope.emit = (event: unknown) => this.recording?.emitted(event as EventObject);
    scope.logger = (...values: unknown[]) => this.recording?.logged(values.at(-1), values.length > 1 ? values[0] : undefined);
    scope.actionExecutor = (action: unknown) => this.recording?.action(action as Recorded);
    const stubbed = isMachine(original)
      ? withStubs(original, (ref, stub) => this.recording?.created(ref, stub))
      : { machine: undefined, sources: new Map<string, AnyActorLogic>() };
    this.machine = stubbed.machine;
    this.sources = stubbed.sources;
    this.logic = this.machine ?? original;
    this.id = this.machine?.id ?? 'transition';
    this.version = options.version ?? this.machine?.version;
  }

  get hash(): string {
    return (this.hashed ??= chartDigest(this.original, this.version));
  }

  // ---- steps -------------------------------------------------------------------------------------------------------------

  init(env: ActorEnv, input: unknown, meta: StepMeta, key: string): Step {
    return this.run(env, undefined, meta, key, () => {
      const given = reviveRefs(input, this.revive);
      return this.logic.getInitialSnapshot(this.scope, given) as PlainSnapshot;
    });
  }

  step(env: ActorEnv, snapshot: unknown, event: EventObject, meta: StepMeta, key: string): Step {
    const previous = snapshot as PlainSnapshot;
    if (previous.status !== 'active') return { snapshot, effects: [] };
    return this.run(env, previous, meta, key, (recording) => {
      const seen = this.incoming(event, meta.via, recording);
      const next = this.logic.transition(snapshot, seen, this.scope) as PlainSnapshot;
      // A machine ends itself; transition logic only sees the event.
      return seen.type === 'xstate.stop' && next.status === 'active' ? { ...next, status: 'stopped' } : next;
    });
  }

  private run(
    env: ActorEnv,
    previous: PlainSnapshot | undefined,
    meta: StepMeta,
    key: string,
    transition: (recording: Recording) => PlainSnapshot,
  ): Step {
    const { self: outerSelf, recording: outer } = this;
    const self = this.enter(env);
    const recording = this.spare ?? new Recording(this, self);
    this.spare = undefined;
    this.recording = recording;
    recording.begin(self, previous, key);
    self.snapshot = previous;
    const time = enterVirtual(meta.ts, meta.seed);
    try {
      const next = transition(recording);
      if (next.status === 'error') throw next.error;
      recording.refuseInline(next);
      if (next.context !== previous?.context) this.checkContext(next.context, recording);
      self.snapshot = slim(next);
      return { snapshot: next, effects: recording.effects(next) };
    } catch (error) {
      self.snapshot = previous;
      return { snapshot: previous, effects: [], failed: recording.failed(error), thrown: error };
    } finally {
      leaveVirtual(time);
      recording.end();
      this.spare = recording;
      this.recording = outer;
      if (outer !== undefined) this.take(outerSelf as SelfRef);
    }
  }

  private enter(env: ActorEnv): SelfRef {
    return this.take((env.cache ??= new SelfRef(this, env)) as SelfRef);
  }

  /** It is the turn of `self`. */
  private take(self: SelfRef): SelfRef {
    this.self = self;
    this.scope.self = self as unknown as AnyActorRef;
    this.scope.id = self.id;
    this.scope.sessionId = self.sessionId;
    return self;
  }

  private checkContext(context: unknown, recording: Recording): void {
    if (recording.previous !== undefined && !this.development) return;
    const bad = notPlain(context, 'context', (ref) => stubOf(ref) !== undefined || ref instanceof GoneRef, this.plainContexts);
    if (bad?.ref === true)
      recording.refuse(
        'CONTEXT_FOREIGN_REF',
        `${bad.path} is ${bad.what}: keep its address (ref.sessionId) and send with system.get(address)`,
      );
    if (bad !== undefined)
      recording.refuse(
        'CONTEXT_NOT_PLAIN',
        `${bad.path} is ${bad.what}, which JSON cannot give back: keep plain data in context`,
      );
    if (this.development) freezeDeep(context);
  }

  // ---- what comes in -----------------------------------------------------------------------------------------------------

  private readonly revive = (marker: RefMarker): unknown => {
    const self = this.self as SelfRef;
    if (marker.id === self.address) return self;
    if (marker.id === self._parent?.address) return self._parent;
    if (marker.id.startsWith(`${self.address}/`)) {
      for (const child of Object.values(childrenOf(this.recording?.previous)))
        if (child[STUB].at !== undefined && addressOfChild(child) === marker.id) return child;
    }
    return this.remote(marker.id);
  };

  /** The event as the machine sees it. What it tells of a leaf is kept for `getSnapshot`. */
  private incoming(event: EventObject, via: string | undefined, recording: Recording): EventObject {
    const seen = reviveRefs(event, this.revive);
    if (!seen.type.startsWith('xstate.')) return seen;
    const children = childrenOf(recording.previous);
    const ended = CHILD_ENDS.exec(seen.type);
    if (ended !== null) {
      const stub = children[seen['actorId'] as string]?.[STUB];
      const status = ended[1] as 'done' | 'error';
      if (stub !== undefined && via === `${recording.self.address}!${stub.at}`)
        recording.learn(stub, stub.kind === 'actor' ? { status } : { status, output: seen['output'], error: seen['error'] });
      return seen;
    }
    if (!seen.type.startsWith('xstate.snapshot.')) return seen;
    const child = children[seen.type.slice('xstate.snapshot.'.length)];
    const given = seen['snapshot'];
    if (child === undefined || typeof given !== 'object' || given === null) return seen;
    if (child[STUB].kind !== 'actor') {
      recording.learn(child[STUB], { context: (given as PlainSnapshot).context });
      return seen;
    }
    // A machine's snapshot has methods (`matches`, `hasTag`): they are given back.
    const source = typeof child.src === 'string' ? this.source(child.src) : undefined;
    if (source?.kind !== 'actor') return seen;
    const env = { address: addressOfChild(child), parent: recording.self.address };
    return { ...seen, snapshot: source.logic.restore(env, structuredClone(event['snapshot'])) };
  }

  // ---- the system, as machines see it --------------------------------------------------------------------------------------

  private recordingSystem(system: SystemInside): SystemInside {
    system._bookId = () => this.recording?.bookId() ?? '';
    system._set = (systemId, ref) => this.recording?.claimSystemId(systemId, ref);
    system._relay = (_source, target, event) => this.sendByHand(target, event);
    system._sendInspectionEvent = (event) => {
      if (event.type === '@xstate.microstep') this.recording?.microstep();
    };
    system.get = (systemId) => {
      const address = this.self?.env.system?.[systemId] ?? systemId;
      return this.living(systemId) ?? (isAddress(address) ? this.remote(address) : undefined);
    };
    system.getAll = () => {
      const names = [
        ...Object.keys(this.self?.env.system ?? {}),
        ...Object.values(childrenOf(this.seen())).flatMap((c) => c.systemId ?? []),
      ];
      const found = names.map((name) => [name, system.get(name)] as const);
      return Object.fromEntries(found.filter(([, ref]) => ref !== undefined));
    };
    return system;
  }

  /** In a step by what it has recorded so far, in an action by the snapshot that it sees. */
  private living(systemId: string): ChildRef | undefined {
    if (this.recording !== undefined) return this.recording.bySystemId(systemId);
    return Object.values(childrenOf(this.seen())).find((c) => c.systemId === systemId && c[STUB].status === 'active');
  }

  private seen(): unknown {
    return this.recording?.previous ?? this.self?.snapshot;
  }

  /** `ref.send(event)` by user code. */
  sendByHand(to: object, event: EventObject): void {
    if (this.recording !== undefined) return this.recording.sentByHand(to, event);
    const from = (to as Partial<SelfRef>).address ?? (to as Partial<ChildRef>)._parent?.address ?? this.id;
    const target = to instanceof SelfRef ? SELF : targetOf(to, from);
    if (target.kind === 'address') checkTarget(target.address);
    sendByHand(from, { target, event: toPlain(event, plainOf(`event '${event.type}'`)) });
  }

  refused(error: MeshError): never {
    if (this.recording !== undefined) return this.recording.refused(error);
    throw error;
  }

  act(self: SelfRef, seen: unknown, run: () => unknown): unknown {
    const { snapshot } = self;
    const { self: before } = this;
    this.take(self);
    self.snapshot = seen;
    try {
      return run();
    } finally {
      self.snapshot = snapshot;
      if (before !== undefined) this.take(before);
    }
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
    return persistSnapshot(this.logic, snapshot as PlainSnapshot, `the snapshot of '${this.id}'`);
  }

  restore(env: ActorEnv, json: unknown): unknown {
    const { self: outerSelf, recording: outer } = this;
    const self = this.enter(env);
    this.recording = undefined;
    try {
      const restored = this.restored(env, json as PersistedSnapshot, self);
      self.snapshot = restored;
      return restored;
    } finally {
      this.recording = outer;
      if (outer !== undefined) this.take(outerSelf as SelfRef);
    }
  }

  private restored(env: ActorEnv, json: PersistedSnapshot, self: SelfRef): PlainSnapshot {
    for (const [id, child] of Object.entries(json.children ?? {})) {
      if (!this.sources.has(child.src))
        throw new MeshError(
          'CHECKPOINT_INCOMPATIBLE',
          `${env.address}: child '${id}' was spawned from '${child.src}', which '${this.id}' does not have`,
        );
    }
    let restored: PlainSnapshot;
    try {
      restored = restoreShell(this.logic, json, this.scope);
    } catch (cause) {
      throw new MeshError(
        'CHECKPOINT_INCOMPATIBLE',
        `${env.address} cannot be restored in '${this.id}': ${errorData(cause).message}`,
        { cause },
      );
    }
    const children = childrenOf(restored);
    (restored as { context: unknown }).context = reviveRefs(json.context, (marker) => {
      const { id, at } = marker;
      if (at === undefined) return children[id] ?? new GoneRef(this, id, env.address);
      return id === self.address ? self : id === self._parent?.address ? self._parent : this.remote(id);
    });
    return restored;
  }

  digest(snapshot: unknown, like?: unknown): string {
    return digestSnapshot(snapshot as PlainSnapshot, this.machine !== undefined, like as PlainSnapshot | undefined);
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

  takes(snapshot: unknown): readonly string[] | undefined {
    if (this.machine === undefined) return undefined;
    const { status, _nodes } = snapshot as AnyMachineSnapshot;
    return status === 'active' ? [...new Set(_nodes.flatMap((node) => node.ownEvents as readonly string[]))] : [];
  }

  source(src: string): Source | undefined {
    const made = this.made.get(src);
    if (made !== undefined) return made;
    const logic = this.sources.get(src);
    if (logic === undefined) return undefined;
    const source: Source =
      sourceOf(logic) ??
      (isPure(logic)
        ? { kind: 'actor', logic: machineLogic(logic, { development: this.development }) }
        : { kind: 'leaf', leaf: leafOf(logic) });
    this.made.set(src, source);
    return source;
  }

  incompatibilities(persisted: unknown, timers: readonly string[]): readonly string[] {
    if (this.machine !== undefined) return misfits(this.machine, this.sources, persisted, timers);
    const fits = typeof persisted === 'object' && persisted !== null && 'context' in persisted;
    return fits ? [] : ['it is no snapshot of transition logic'];
  }
  renamedTimers(persisted: unknown, timers: readonly string[]): ReadonlyMap<string, string> {
    return this.machine === undefined ? new Map() : renamedWaits(this.machine, persisted, timers);
  }
}

/** An address, or an effect whose reply is awaited (`actor!12.0`). */
function isAddress(text: string): boolean {
  const bang = text.indexOf('!');
  try {
    checkAddress(bang < 0 ? text : text.slice(0, bang));
    return true;
  } catch {
    return false;
  }
}
