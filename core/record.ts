/** One entry of a stream, the only truth. The format is specified in docs/format.md. */
import type { Address, EffectId } from './address.ts';
import type { EventObject, Lane } from './effect.ts';
import type { TraceContext } from './envelope.ts';
import type { ErrorData } from './errors.ts';

export const FORMAT = 1;

/** How an actor came to be: enough to build its logic again and to know whom it answers to. */
export interface InitData {
  readonly logic: string;
  readonly input: unknown;
  /** A child that a chart spawned. */
  readonly parent?: { readonly address: Address; readonly child: string; readonly via: EffectId; readonly sync: boolean };
  /** A child under a supervisor: the run is the id of its start order. */
  readonly supervisor?: { readonly address: Address; readonly run: string } | undefined;
  /** Actors that it finds by system id: what its ancestors had named when it was spawned, and itself. */
  readonly system?: Readonly<Record<string, Address>>;
  /** It tells its supervisor what it takes of it: a pool counts with that. */
  readonly marks?: true;
}

export interface RecordMeta {
  /** Wall clock, ms, never before the stream's last. */
  readonly ts: number;
  readonly seed: number;
  /** Message id; absent where nothing was received. */
  readonly id?: EffectId;
  /** The id was made by a node, for a client outside that brought none. */
  readonly made?: true;
  readonly from?: Address;
  readonly lane?: Lane;
  readonly via?: EffectId;
  /** `ts` of the record that made the send, when it is an envelope. */
  readonly sent?: number;
  readonly chain?: readonly Address[];
  /** ms since 1970: nobody waits for an answer any longer. Kept where the message is passed on, by a pool. */
  readonly deadline?: number;
  readonly trace?: TraceContext;
}

export interface LogicStamp {
  readonly id: string;
  readonly version?: string;
  readonly hash: string;
}

interface Common {
  readonly v: typeof FORMAT;
  readonly seq: number;
  readonly epoch: number;
  readonly meta: RecordMeta;
  /** Effects known to be settled since the record before. */
  readonly done?: readonly EffectId[];
}
interface Stepped extends Common {
  readonly digest: string;
  readonly effectsDigest: string;
  /** ms of each timer and delayed send among the effects, in their order: deadlines stay what they were when the code is edited. */
  readonly delays?: readonly number[];
  /** Present at init and when it changed. */
  readonly logic?: LogicStamp;
}

export interface InitRecord extends Stepped {
  readonly kind: 'init';
  readonly init: InitData;
}
export interface EventRecord extends Stepped {
  readonly kind: 'event';
  readonly event: EventObject;
}
/** `trial`: its first step after an unclean end comes next; `unparked` when a person lets a parked actor go on, `restart` when its supervisor does. */
export interface ActivatedRecord extends Common {
  readonly kind: 'activated';
  readonly reason: 'claim' | 'unclean' | 'trial' | 'restart' | 'unparked' | 'reopened';
  readonly node: string;
  readonly run?: string;
}
export interface ReadyRecord extends Common {
  readonly kind: 'ready';
}
/**
 * A step that threw, or a custom action that threw (`action`). The machine stays where it was. `ends`: the actor ends with this
 * error (a child that a chart spawned); `parked`: it waits for a person, and why; `init`: it could not even begin.
 */
export interface FailedRecord extends Common {
  readonly kind: 'failed';
  readonly error: ErrorData;
  readonly attempt: number;
  readonly event?: EventObject;
  readonly action?: EffectId;
  readonly parked?: string;
  readonly ends?: true;
  readonly init?: InitData;
}
export type DeadCause =
  | 'poison'
  | 'expired'
  | 'void'
  | 'gone'
  | 'stopped'
  | 'unknown'
  | 'late'
  | 'stale'
  | 'forgotten'
  | 'in_doubt'
  | 'underivable'
  | 'rejected';
export interface DeadRecord extends Common {
  readonly kind: 'dead';
  readonly cause: DeadCause;
  readonly event: EventObject;
  readonly detail?: string;
}
export interface FiredRecord extends Common {
  readonly kind: 'fired';
  readonly timer: EffectId;
}
export interface VoidRecord extends Common {
  readonly kind: 'void';
  readonly send: EffectId;
}
export interface ResendRecord extends Common {
  readonly kind: 'resend';
  readonly dead: number;
  readonly event: EventObject;
  readonly to: Address;
}
/** A message that no step made. */
export interface MarkedSend {
  readonly to: Address;
  readonly event: EventObject;
  /** @default 'user' */
  readonly lane?: Lane;
}
/** Settled effects; `sends` that a custom action made, or that answer an order. */
export interface MarkRecord extends Common {
  readonly kind: 'mark';
  readonly sends?: readonly MarkedSend[];
}
/** The actor goes on from a state that was not folded: a migration, a reset, a fork, a fresh restart keeps `tables`. */
export interface BridgeRecord extends Common {
  readonly kind: 'bridge';
  readonly snapshot: unknown;
  readonly tables: unknown;
  readonly logic: LogicStamp;
  /** `reset`: nobody lives there; the cell that is opened next begins a new life. */
  readonly reason: 'migrate' | 'fork' | 'reset';
  readonly digest: string;
  readonly init: InitData;
}

export type LogRecord =
  | InitRecord
  | EventRecord
  | ActivatedRecord
  | ReadyRecord
  | FailedRecord
  | DeadRecord
  | FiredRecord
  | VoidRecord
  | ResendRecord
  | MarkRecord
  | BridgeRecord;
