/**
 * What a cell runs: one pure step. `kernel.ts` makes it from an XState machine, `reducer.ts` from a plain function
 * (supervisors, pools, gateways). Nothing else in `core/` knows which of the two it holds.
 */
import type { Address, EffectId } from './address.ts';
import type { Effect, EventObject } from './effect.ts';
import type { TraceContext } from './envelope.ts';
import type { ErrorData } from './errors.ts';

export interface StepMeta {
  /** What `Date.now()` answers inside the step, ms. */
  readonly ts: number;
  /** Seeds `Math.random` and `crypto.randomUUID` inside the step. */
  readonly seed: number;
  /** The effect that the event answers: so the end of a child is told from an error that it only escalates. */
  readonly via?: EffectId;
}

/** Who is stepping. One small object an actor; the logic itself is shared. */
export interface ActorEnv {
  readonly address: Address;
  readonly parent: Address | undefined;
  /** Actors that it finds by system id, besides its own children. */
  readonly system?: Readonly<Record<string, Address>>;
  /** Scratch of the logic (the kernel's facade of `self`). */
  cache?: unknown;
}

export interface Step {
  readonly snapshot: unknown;
  readonly effects: Effect[];
  /** The step threw or ended in `error`: nothing of it counts. */
  readonly failed?: ErrorData;
  /** What it threw, where it did: for the place that its stack names. */
  readonly thrown?: unknown;
}

/** What a `spawn` effect starts. */
export type Source =
  /** An actor of its own, with its own log. */
  | { readonly kind: 'actor'; readonly logic: Logic }
  /** Promise, callback or observable logic that runs in this process. */
  | { readonly kind: 'leaf'; readonly leaf: Leaf }
  /** A message to another actor whose reply is the result. */
  | { readonly kind: 'ask'; readonly ask: AskSource };

export type InDoubt = 'retry' | 'ask' | 'park' | 'fail';

/**
 * Runs logic that is not pure. Delivers what XState would send to the parent; or `reprise.doubt` when it does not know what became of what
 * it began: the leaf then counts as ended, and `inDoubt` decides as after a crash; or `reprise.forward` with `to` and `event`: its owner
 * sends that. `doubt`: it may have run before; ask first.
 */
export interface Leaf {
  /** It ends only when it is stopped (a connection, a subscription): a clean stop does not wait for it. */
  readonly endless?: true;
  inDoubt(input: unknown): InDoubt;
  /** What a person says that came of it, as it would have given it itself. Throws USAGE when it cannot have. Absent: anything can. */
  admit?(output: unknown): unknown;
  start(
    job: {
      readonly id: EffectId;
      readonly child: string;
      readonly input: unknown;
      readonly sync: boolean;
      readonly doubt?: true;
      readonly trace?: TraceContext;
    },
    deliver: (event: EventObject) => void,
  ): LeafHandle;
}
export interface LeafHandle {
  /** Nothing is delivered any more. A promise: what it began is gone when that resolves, and a clean stop waits for it. */
  stop(): void | Promise<void>;
  send(event: EventObject): void;
}

/** Turns the input of an invoke into the message that is asked. */
export interface AskSource {
  /** What it throws becomes the error of the invoke. */
  request(input: unknown, key: EffectId): { readonly to: Address; readonly event: EventObject; readonly timeoutMs: number };
  /** Reads a reply: the output, or an error. */
  result(reply: EventObject): { readonly output: unknown } | { readonly error: ErrorData };
  /** Told to the asked actor when the invoke is stopped before its reply came. */
  cancel?(input: unknown, key: EffectId): { readonly to: Address; readonly event: EventObject };
}

/** Does one of what `Logic.takes` has mean an event of this type? */
export const isTaken = (takes: readonly string[], type: string): boolean =>
  takes.some((name) => name === type || name === '*' || (name.endsWith('.*') && `${type}.`.startsWith(name.slice(0, -1))));

/** A state for people: what `reprise state` and the debugger show. */
export interface View {
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  readonly value: unknown;
  readonly context: unknown;
  readonly tags: readonly string[];
  readonly children: readonly string[];
  readonly output?: unknown;
  readonly error?: unknown;
}

export interface Logic {
  readonly id: string;
  readonly version: string | undefined;
  /** Digest of the definition: changes when the chart does. */
  readonly hash: string;
  /** It takes `reprise.*` orders as events of its own (supervisors, pools). */
  readonly controls?: true;
  /** `key` makes ids inside the step unique and repeatable: the seq of its record. */
  init(env: ActorEnv, input: unknown, meta: StepMeta, key: string): Step;
  step(env: ActorEnv, snapshot: unknown, event: EventObject, meta: StepMeta, key: string): Step;
  /** Plain JSON; `restore` consumes it. */
  persist(snapshot: unknown): unknown;
  restore(env: ActorEnv, json: unknown): unknown;
  /** `like`: a snapshot that it may have parts of, such as the one before. Makes it quicker, and never another. */
  digest(snapshot: unknown, like?: unknown): string;
  view(snapshot: unknown): View;
  /** What the present state has in `on`: types of events, `*`, `order.*`; empty: it has ended. Undefined, or absent: only a step tells. */
  takes?(snapshot: unknown): readonly string[] | undefined;
  source(src: string): Source | undefined;
  /** Is this snapshot one that this definition could be in? The reasons why not; empty: it fits. */
  incompatibilities(persisted: unknown, timers: readonly string[]): readonly string[];
  /**
   * Event types of set timers whose state was renamed, with what they are called now: where one `after` of the snapshot waits for a
   * timer, and exactly one of its delay waits for nothing.
   */
  renamedTimers(persisted: unknown, timers: readonly string[]): ReadonlyMap<string, string>;
}
