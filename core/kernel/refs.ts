/**
 * What a machine holds in its hands instead of live actors: `self`, references to actors elsewhere, and the stubs that stand for its
 * own children. None of them runs anything: sends become effects, snapshots of other actors are refused.
 */
import { type Address, childAddress } from '../address.ts';
import type { EventObject, Target } from '../effect.ts';
import { MeshError } from '../errors.ts';
import type { ActorEnv } from '../logic.ts';
import type { RefMarker } from './plain.ts';

/** What the references need of the kernel that made them. */
export interface RefHost {
  readonly id: string;
  readonly system: unknown;
  /** A send by hand, in a step or in an action. */
  sendByHand(to: object, event: EventObject): void;
  persist(snapshot: unknown): unknown;
  /** Throws it. A guard that swallows the code of an error does not swallow this one's. */
  refused(error: MeshError): never;
}

/** Listeners would live in one process and in no log, so a chart never hears of what they are told. */
const listener = (who: string, call: string, whom: string): MeshError =>
  new MeshError(
    'LISTENER_BY_HAND',
    `${who} calls ${call}() on ${whom}: a listener is in no log. Use onSnapshot, or let that actor send what is needed`,
  );

abstract class Ref {
  readonly id: string;
  readonly address: Address;
  readonly host: RefHost;

  constructor(host: RefHost, id: string, address: Address) {
    this.host = host;
    this.id = id;
    this.address = address;
  }

  get sessionId(): string {
    return this.address;
  }

  get ref(): this {
    return this;
  }
  get system(): unknown {
    return this.host.system;
  }
  send(event: EventObject): void {
    this.host.sendByHand(this, event);
  }
  subscribe(): never {
    this.host.refused(listener(`'${this.host.id}'`, 'subscribe', this.address));
  }
  on(): never {
    this.host.refused(listener(`'${this.host.id}'`, 'on', this.address));
  }
  start(): this {
    return this;
  }
  stop(): never {
    throw new MeshError(
      'USAGE',
      `an actor cannot stop ${this.address} by hand: end in a final state, or use stopChild for children`,
    );
  }
  toJSON(): { readonly xstate$$type: 1; readonly id: Address } {
    return { xstate$$type: 1, id: this.address };
  }
}

/** `self`. One an actor; what `getSnapshot` gives is set by the kernel. */
export class SelfRef extends Ref {
  readonly env: ActorEnv;
  readonly _parent: RemoteRef | undefined;
  snapshot: unknown;

  constructor(host: RefHost, env: ActorEnv) {
    super(host, env.parent === undefined ? env.address : childName(env.address), env.address);
    this.env = env;
    this._parent = env.parent === undefined ? undefined : new RemoteRef(host, env.parent, PARENT);
    this.snapshot = undefined;
  }
  getSnapshot(): unknown {
    // As XState says it.
    if (this.snapshot === undefined)
      throw new MeshError('STEP_FAILED', `Snapshot can't be read while the actor initializes itself`);
    return this.snapshot;
  }
  getPersistedSnapshot(): unknown {
    return this.host.persist(this.snapshot);
  }
}

const PARENT: Target = { kind: 'parent' };

/** An actor somewhere: the parent, whoever is named by an address, or the effect that a reply answers. */
export class RemoteRef extends Ref {
  readonly target: Target;

  constructor(host: RefHost, address: Address, target: Target = { kind: 'address', address }) {
    super(host, address, address);
    this.target = target;
  }
  getSnapshot(): never {
    this.host.refused(
      new MeshError(
        'CHILD_SNAPSHOT_READ',
        `'${this.host.id}' reads the snapshot of ${this.address}, an actor with a log of its own: let that actor send what is needed`,
      ),
    );
  }
}

/** A child that context still names after it has gone, restored from JSON: nothing reaches it. */
export class GoneRef extends Ref {
  getSnapshot(): undefined {
    return undefined;
  }
  override toJSON(): { readonly xstate$$type: 1; readonly id: string } {
    return { xstate$$type: 1, id: this.id };
  }
}

/** The id that its parent gave it: last segment of the address, without what stands behind `@`. */
export function childName(address: Address): string {
  const last = address.slice(address.lastIndexOf('/') + 1);
  const at = last.lastIndexOf('@');
  return decodeURIComponent(at < 0 ? last : last.slice(0, at));
}

export const STUB: unique symbol = Symbol('reprise.stub');

/** What stands behind a child's reference. It is the stub's snapshot, so XState keeps it. */
export interface Stub {
  readonly kind: 'actor' | 'leaf' | 'hidden';
  readonly sync: boolean;
  status: 'active' | 'done' | 'error' | 'stopped';
  /** For `getSnapshot` of a leaf. */
  output: unknown;
  error: unknown;
  context: unknown;
  /** `seq.index` of the effect that spawned it. */
  at: string | undefined;
  /** Id of the reference, where XState keeps the child under another key (`spawnChild` without id). */
  id: string | undefined;
  /** Until the effect is made. */
  input: unknown;
  /** Steps (by number) in which it was created, stopped, put among the effects, and gone for later sends. */
  created: number;
  stopped: number;
  placed: number;
  gone: number;
  /** Index of its spawn effect in the step that created it. */
  index: number;
}

/** A child's reference: an XState actor that is never started. */
export interface ChildRef {
  id: string;
  readonly src: unknown;
  readonly systemId: string | undefined;
  readonly _parent: SelfRef;
  readonly _syncSnapshot: boolean | undefined;
  getSnapshot: () => unknown;
  subscribe: () => unknown;
  on: () => unknown;
  [STUB]: Stub;
}

export const stubOf = (ref: object): Stub | undefined => (ref as Partial<ChildRef>)[STUB];

export const addressOfChild = (ref: ChildRef): Address => {
  const { address } = ref._parent;
  return childAddress(address, ref.id, `${address}!${ref[STUB].at ?? '0.0'}`);
};

/** Of a child that is an actor of its own. */
export function refuseSnapshot(this: ChildRef): never {
  this._parent.host.refused(
    new MeshError(
      'CHILD_SNAPSHOT_READ',
      `${this._parent.address} reads children.${this.id}.getSnapshot(), but '${this.id}' is an actor with a log of its own: let it send what is needed, or use onSnapshot`,
    ),
  );
}
export function refuseSubscribe(this: ChildRef): never {
  this._parent.host.refused(listener(this._parent.address, 'subscribe', `its child '${this.id}'`));
}
export function refuseOn(this: ChildRef): never {
  this._parent.host.refused(listener(this._parent.address, 'on', `its child '${this.id}'`));
}
/** Of an observable whose values do not reach this actor. */
export function hiddenSnapshot(this: ChildRef): unknown {
  const stub = this[STUB];
  if (!stub.sync && stub.status === 'active')
    this._parent.host.refused(
      new MeshError(
        'CHILD_SNAPSHOT_READ',
        `${this._parent.address} reads children.${this.id}.getSnapshot(), but the values of observable '${this.id}' reach it only with onSnapshot or syncSnapshot`,
      ),
    );
  return leafSnapshot.call(this);
}
/** Of a leaf: what its events have told. Its input is not kept twice. */
export function leafSnapshot(this: ChildRef): unknown {
  const { status, output, error, context } = this[STUB];
  return { status, output, error, input: undefined, ...(context !== undefined && { context }) };
}

/** How a reference travels: as an address. Undefined: it is none of ours. */
export function markerOf(ref: object): RefMarker | undefined {
  if (ref instanceof RemoteRef || ref instanceof SelfRef) return ref.toJSON();
  return stubOf(ref) === undefined ? undefined : { xstate$$type: 1, id: addressOfChild(ref as ChildRef) };
}

/** In a persisted context a child is named as XState does, by its id. */
export function contextMarker(ref: object): RefMarker | undefined {
  if (ref instanceof GoneRef) return ref.toJSON();
  if (stubOf(ref) !== undefined) return { xstate$$type: 1, id: (ref as ChildRef).id };
  const foreign = markerOf(ref);
  return foreign && { ...foreign, at: 'address' };
}
