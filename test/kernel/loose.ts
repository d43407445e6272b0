/** XState's builders for charts of tests: one kind of context and event for all of them, so that types are not in the way. */
import * as xstate from 'xstate';
import type { AnyActorLogic, AnyActorRef, AnyStateMachine } from 'xstate';
import type { EventObject } from '../../core/effect.ts';
import { currentEffect } from '../../core/kernel.ts';

export interface Args {
  readonly context: {
    readonly n: number;
    readonly got: readonly unknown[];
    readonly kid: AnyActorRef;
    readonly [key: string]: unknown;
  };
  readonly event: EventObject;
  readonly self: AnyActorRef & { readonly _parent: AnyActorRef };
  readonly system: { get(id: string): AnyActorRef };
}
export interface AssignArgs extends Args {
  readonly spawn: (src: string | AnyActorLogic, options?: object) => AnyActorRef;
}
export interface InputArgs {
  readonly input: { readonly [key: string]: unknown };
  readonly spawn: (src: string | AnyActorLogic, options?: object) => AnyActorRef;
}
export interface EnqueueArgs extends Args {
  readonly enqueue: ((action: unknown) => void) & { readonly [name: string]: (...args: unknown[]) => void };
  readonly check: (guard: unknown) => boolean;
}

type Of<A, T> = T | ((args: A) => T);
type Target = string | AnyActorRef | ((args: Args) => AnyActorRef | string | undefined);
interface Delayed {
  readonly id?: string;
  readonly delay?: number | string | ((args: Args) => number);
}
/** What a builder makes: an action or a guard for a config. */
type Part = object;

export const chart = (config: object, implementations: object = {}): AnyStateMachine =>
  xstate.createMachine(config as never, implementations as never);
export const assign = xstate.assign as unknown as (to: Of<AssignArgs, object>) => Part;
export const raise = (event: Of<Args, EventObject>, options?: Delayed): Part => xstate.raise(event as never, options as never);
export const sendTo = (to: Target, event: Of<Args, EventObject>, options?: Delayed): Part =>
  xstate.sendTo(to as never, event as never, options as never);
export const sendParent = (event: Of<Args, EventObject>, options?: Delayed): Part =>
  xstate.sendParent(event as never, options as never);
export const forwardTo = (to: Target): Part => xstate.forwardTo(to as never);
export const cancel = (id: Of<Args, string>): Part => xstate.cancel(id as never);
export const emit = (event: Of<Args, EventObject>): Part => xstate.emit(event as never);
export const log = (value: unknown, label?: string): Part => xstate.log(value as never, label);
export const spawnChild = (src: string, options?: object): Part => xstate.spawnChild(src as never, options as never);
export const stopChild = (child: Of<Args, string | AnyActorRef>): Part => xstate.stopChild(child as never);
export const enqueueActions = (collect: (args: EnqueueArgs, params: never) => void): Part =>
  xstate.enqueueActions(collect as never);
export const { and, not, or, stateIn } = xstate as unknown as {
  readonly and: (guards: readonly unknown[]) => Part;
  readonly or: (guards: readonly unknown[]) => Part;
  readonly not: (guard: unknown) => Part;
  readonly stateIn: (value: unknown) => Part;
};

/** Keeps each event that it takes in `got`. */
export const keep: Part = assign(({ context, event }) => ({ got: [...context.got, event] }));

/** Promise logic that tests answer. A run that was answered is never begun again: that would throw. */
export interface Gate {
  /** For one run of a chart. */
  logic(): AnyActorLogic;
  readonly inputs: unknown[];
  /** Resolves or rejects a run; default: the last. */
  answer(output: unknown, run?: number): void;
  reject(error: unknown): void;
}
export function gate(): Gate {
  const inputs: unknown[] = [];
  const runs: { readonly effect: string | undefined; readonly promise: PromiseWithResolvers<unknown> }[] = [];
  const completed = new Set<string | undefined>();
  const end = (run: number): PromiseWithResolvers<unknown> | undefined => {
    const found = runs.at(run);
    if (found?.effect !== undefined) completed.add(found.effect);
    return found?.promise;
  };
  const logic = xstate.fromPromise(({ input }: { input: unknown }) => {
    const effect = currentEffect();
    if (completed.has(effect)) throw new RangeError(`${effect} was performed again`);
    const promise = Promise.withResolvers<unknown>();
    inputs.push(input);
    runs.push({ effect, promise });
    return promise.promise;
  });
  return {
    inputs,
    logic() {
      completed.clear();
      runs.length = inputs.length = 0;
      return logic;
    },
    answer: (output, run = -1) => end(run)?.resolve(output),
    reject: (error) => end(-1)?.reject(error),
  };
}
