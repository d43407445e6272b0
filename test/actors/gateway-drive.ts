/** A gateway as pure steps: events in, effects out, time by hand. Its state goes through its stored form, at first before each step. */
import assert from 'node:assert/strict';
import type { Effect, EventObject } from '../../core/effect.ts';
import type { ErrorData } from '../../core/errors.ts';
import type { Leaf, Logic } from '../../core/logic.ts';

/** Never started: the steps only name it. */
export const NO_LEAF: Leaf = {
  inDoubt: () => 'retry',
  start: () => {
    throw new Error('a pure step started a leaf');
  },
};

export interface Started {
  readonly child: string;
  readonly input: Readonly<Record<string, unknown>>;
}

export class GatewayDrive {
  private readonly logic: Logic;
  private readonly env;
  private snapshot: unknown;
  private seq = 1;
  now = 1_000_000;
  effects: readonly Effect[] = [];
  /** Every event so far, for a second fold. */
  readonly log: { readonly event: EventObject; readonly ts: number }[] = [];

  constructor(logic: Logic, address: string, input: unknown = null) {
    this.logic = logic;
    this.env = { address, parent: undefined };
    const step = logic.init(this.env, input, { ts: this.now, seed: 1 }, '1');
    this.take(step);
  }

  private take(step: ReturnType<Logic['init']>): void {
    assert.equal(step.failed, undefined, step.failed?.message);
    this.snapshot = step.snapshot;
    if (this.seq < 50 || this.seq % 50 === 0)
      this.snapshot = this.logic.restore(this.env, JSON.parse(JSON.stringify(this.logic.persist(step.snapshot))));
    this.effects = step.effects;
  }

  event(event: EventObject): this {
    this.log.push({ event, ts: this.now });
    this.seq++;
    this.take(this.logic.step(this.env, this.snapshot, event, { ts: this.now, seed: this.seq }, String(this.seq)));
    return this;
  }

  get digest(): string {
    return this.logic.digest(this.snapshot);
  }
  get state(): unknown {
    return this.logic.view(this.snapshot).context;
  }

  /** Leaves that the last step started, but for the one that is always there. */
  get started(): readonly Started[] {
    return this.effects.flatMap((e) =>
      e.kind === 'spawn' && e.input !== null ? [{ child: e.child, input: e.input as Started['input'] }] : [],
    );
  }
  get stopped(): readonly string[] {
    return this.effects.flatMap((e) => (e.kind === 'stop' ? [e.child] : []));
  }
  /** Replies of the last step. */
  get replies(): readonly { readonly to: string; readonly output?: unknown; readonly error?: ErrorData }[] {
    return this.effects.flatMap((e) => {
      if (e.kind !== 'send' || e.to.kind !== 'address') return [];
      const { output, error } = e.event as { output?: unknown; error?: ErrorData };
      return [{ to: e.to.address, ...(output !== undefined && { output }), ...(error !== undefined && { error }) }];
    });
  }
  get timers(): readonly { readonly timer: string; readonly delay: number; readonly event: EventObject }[] {
    return this.effects.flatMap((e) => (e.kind === 'timer' ? [{ timer: e.timer, delay: e.delay, event: e.event }] : []));
  }

  /** The last step set this timer: time goes on to it, and it fires. */
  fire(name: string): this {
    const timer = this.timers.find((t) => t.timer === name);
    assert(timer !== undefined, `no timer '${name}' among ${this.timers.map((t) => t.timer).join(', ')}`);
    this.now += timer.delay;
    return this.event(timer.event);
  }

  done(child: string, output: unknown): this {
    return this.event({ type: `xstate.done.actor.${child}`, output, actorId: child });
  }
  failed(child: string, error: Omit<ErrorData, 'name'>): this {
    return this.event({ type: `xstate.error.actor.${child}`, error: { name: 'MeshError', ...error }, actorId: child });
  }
}
