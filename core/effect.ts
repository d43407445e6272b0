/** What a step asks the world to do, as data. Ids are not in here: effect i of record `seq` is `actor!seq.i`. */
import type { Address } from './address.ts';
import type { ErrorData } from './errors.ts';

/** What an actor receives. JSON only; `type` says what it is. */
export interface EventObject {
  readonly type: string;
  readonly [key: string]: unknown;
}

export type Target =
  | { readonly kind: 'self' }
  | { readonly kind: 'parent' }
  /** `spawn`: index of the spawn effect in the same step, when the child was spawned by it. */
  | { readonly kind: 'child'; readonly child: string; readonly spawn?: number }
  /** An actor, or (with `!`) the effect that a reply answers. */
  | { readonly kind: 'address'; readonly address: Address };

export type Lane = 'system' | 'user';

export interface SpawnEffect {
  readonly kind: 'spawn';
  readonly child: string;
  readonly src: string;
  readonly input: unknown;
  readonly systemId?: string;
  readonly sync: boolean;
}
export interface StopEffect {
  readonly kind: 'stop';
  readonly child: string;
}
export interface SendEffect {
  readonly kind: 'send';
  readonly to: Target;
  readonly event: EventObject;
  readonly delay?: number;
  readonly sendId?: string;
  readonly lane?: Lane;
}
export interface TimerEffect {
  readonly kind: 'timer';
  readonly timer: string;
  readonly event: EventObject;
  readonly delay: number;
}
export interface CancelEffect {
  readonly kind: 'cancel';
  readonly timer: string;
}
export interface EmitEffect {
  readonly kind: 'emit';
  readonly event: EventObject;
}
export interface LogEffect {
  readonly kind: 'log';
  readonly label?: string;
  readonly value: unknown;
}
/** `run` is a closure of the machine: never stored, made again by folding. */
export interface ActionEffect {
  readonly kind: 'action';
  readonly type: string;
  readonly params: unknown;
  readonly run?: () => unknown;
}
export interface TerminateEffect {
  readonly kind: 'terminate';
  readonly status: 'done' | 'error' | 'stopped';
  readonly output?: unknown;
  readonly error?: ErrorData;
}

export type Effect =
  | SpawnEffect
  | StopEffect
  | SendEffect
  | TimerEffect
  | CancelEffect
  | EmitEffect
  | LogEffect
  | ActionEffect
  | TerminateEffect;

/** It waits for its time. */
export const isDelayed = (e: Effect): e is TimerEffect | (SendEffect & { readonly delay: number }) =>
  e.kind === 'timer' || (e.kind === 'send' && e.delay !== undefined);
