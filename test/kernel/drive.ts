/** One machine under the kernel alone: no log, no mailbox, nothing is performed. */
import type { AnyActorLogic } from 'xstate';
import { seedOf } from '../../core/kernel/determinism.ts';
import type { Effect, EventObject } from '../../core/effect.ts';
import type { ErrorData } from '../../core/errors.ts';
import { machineLogic, type MachineOptions } from '../../core/kernel.ts';
import type { ActorEnv, Logic, Step } from '../../core/logic.ts';

export interface DriveOptions extends MachineOptions {
  readonly address?: string;
  readonly parent?: string;
  readonly input?: unknown;
  /** ms since 1970 of every step; default 1,000. */
  readonly ts?: number;
}

export interface Drive {
  readonly env: ActorEnv;
  readonly logic: Logic;
  snapshot: unknown;
  /** Effects of the last step. */
  effects: readonly Effect[];
  failed: ErrorData | undefined;
  /** Steps so far. */
  seq: number;
  /** Takes events one after the other; returns the effects of the last. `via`: the effect that an event answers. */
  send(...events: (EventObject | string)[]): readonly Effect[];
  /** The context, as a view shows it. */
  readonly context: Record<string, unknown>;
  readonly value: unknown;
  readonly digest: string;
}

/** Starts it: its `init` is step 1. Each step has the seed that a record of that seq would have. */
export function drive(machine: AnyActorLogic, options: DriveOptions = {}): Drive {
  const { address = 'a', parent, input, ts = 1_000, ...machineOptions } = options;
  const logic = machineLogic(machine, machineOptions);
  const env: ActorEnv = { address, parent };
  const driven: Drive = {
    env,
    logic,
    snapshot: undefined,
    effects: [],
    failed: undefined,
    seq: 1,
    send(...events) {
      for (const event of events) {
        driven.seq++;
        const given = typeof event === 'string' ? { type: event } : event;
        // What it answers is no part of an event.
        const { via, ...seen } = given;
        const meta = { ts, seed: seedOf(address, driven.seq), ...(typeof via === 'string' && { via }) };
        keep(logic.step(env, driven.snapshot, seen, meta, String(driven.seq)));
      }
      return driven.effects;
    },
    get context() {
      return logic.view(driven.snapshot).context as Record<string, unknown>;
    },
    get value() {
      return logic.view(driven.snapshot).value;
    },
    get digest() {
      return logic.digest(driven.snapshot);
    },
  };
  const keep = (step: Step): void => {
    driven.snapshot = step.snapshot;
    driven.effects = step.effects;
    driven.failed = step.failed;
  };
  keep(logic.init(env, input, { ts, seed: seedOf(address, 1) }, '1'));
  return driven;
}

/** Types of a chart, for `setup({ types: typed<..>() })`. */
export const typed = <T extends object>(none: Partial<T> = {}): T => none as T;

/** As a store would hand it back. */
export const throughJson = <T>(value: T): T => (value === undefined ? value : (JSON.parse(JSON.stringify(value)) as T));

/** Effects without closures. */
export const dataOf = (effects: readonly Effect[]): readonly Effect[] =>
  effects.map((e) => {
    if (e.kind !== 'action') return e;
    const { run: _run, ...rest } = e;
    return rest;
  });
