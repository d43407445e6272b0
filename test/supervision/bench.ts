/** A supervisor under a test's hand: orders come out as short lines, reports and time go in, JSON there and back at every step. */
import type { ChildSpecInput, FlagsInput } from '../../core/supervision/child-spec.ts';
import type { Effect, EventObject } from '../../core/effect.ts';
import { emptySupervision, supervise, type SupervisionState } from '../../core/supervision/supervision.ts';

export type Spec = Partial<ChildSpecInput> & { readonly id: string };
export const NO_WAIT = { minMs: 0 } as const;
export const WAIT = { minMs: 1_000, maxMs: 8_000, factor: 2, jitter: 0 } as const;

export class Bench {
  state: SupervisionState;
  now = 1_000_000;
  /** Effects of the last event. */
  effects: Effect[] = [];
  /** Lines of the orders since `take`. */
  private lines: string[] = [];
  private readonly timers = new Map<string, { readonly due: number; readonly event: EventObject }>();
  random = 0;

  constructor(address = 'desk') {
    this.state = emptySupervision(address, this.now, 0.5);
  }

  /** Booted, all up, and the orders of that forgotten. */
  static up(children: readonly Spec[], flags: FlagsInput = {}): Bench {
    const bench = new Bench();
    bench.configure(children, flags);
    bench.settle();
    bench.take();
    return bench;
  }

  static specs(children: readonly Spec[]): ChildSpecInput[] {
    return children.map((c) => ({ address: `desk/${c.id}`, ...c }));
  }

  configure(children: readonly Spec[], flags: FlagsInput = {}): this {
    return this.event({ type: 'reprise.configure', children: Bench.specs(children), flags: { backoff: NO_WAIT, ...flags } });
  }

  event(event: EventObject): this {
    const before = JSON.stringify(this.state);
    const state = JSON.parse(before) as SupervisionState;
    const turned = supervise(state, event, { ts: this.now, random: () => this.random });
    if (JSON.stringify(state) !== before) throw new Error('the state that was given was changed');
    this.state = turned.state;
    this.effects = turned.effects;
    for (const e of this.effects) this.perform(e);
    return this;
  }

  private perform(e: Effect): void {
    if (e.kind === 'timer') this.timers.set(e.timer, { due: this.now + e.delay, event: e.event });
    if (e.kind === 'cancel') this.timers.delete(e.timer);
    if (e.kind === 'terminate') this.lines.push(`end ${e.status}`);
    if (e.kind !== 'send') return;
    const { event } = e;
    const to = e.to.kind === 'address' ? e.to.address.replace(/^desk\//, '') : e.to.kind;
    const more = { 'reprise.start': event['mode'], 'reprise.stop': event['deadlineMs'] }[event.type] as
      | string
      | number
      | undefined;
    this.lines.push(`${event.type.replace('reprise.', '')} ${to}${more === undefined ? '' : ` ${more}`}`);
  }

  /** Orders since the last look. */
  take(): string[] {
    const { lines } = this;
    this.lines = [];
    return lines;
  }

  /** Names of the timers that are set. */
  get pending(): string[] {
    return [...this.timers.keys()];
  }

  sent(type: string): EventObject[] {
    return this.effects.flatMap((e) => (e.kind === 'send' && e.event.type === type ? [e.event] : []));
  }

  child(id: string): SupervisionState['children'][number] {
    const child = this.state.children.find((c) => c.key === id) ?? this.state.instances[`desk/${id}`];
    if (child === undefined) throw new Error(`no child ${id}`);
    return child;
  }

  status(): string {
    return [...this.state.children, ...Object.values(this.state.instances)]
      .map((c) => `${c.key.replace(/^desk\//, '')} ${c.status}`)
      .join(', ');
  }

  private about(id: string): { readonly run: string | undefined; readonly child: string } {
    return { run: this.child(id).run, child: this.child(id).address };
  }

  started(id: string): this {
    return this.event({ type: 'reprise.started', ...this.about(id) });
  }

  failed(id: string, more: Record<string, unknown> = {}): this {
    return this.event({
      type: 'reprise.failed',
      ...this.about(id),
      error: { name: 'Error', message: `${id} broke` },
      attempt: 1,
      event: `sender!${this.now}.0`,
      ...more,
    });
  }

  stopped(id: string, outcome: 'done' | 'stopped' | 'killed' | 'failed' = 'stopped'): this {
    return this.event({ type: 'reprise.stopped', ...this.about(id), outcome });
  }

  byHand(what: 'stop' | 'start' | 'remove', id: string): this {
    return this.event({ type: `reprise.child.${what}`, child: id });
  }

  /** Answers every open order as a healthy child does. */
  settle(): this {
    for (let i = 0; i < 100; i++) {
      const child = [...this.state.children, ...Object.values(this.state.instances)].find(
        (c) => c.status === 'starting' || c.status === 'stopping',
      );
      if (child === undefined) return this;
      this.event({
        type: child.status === 'starting' ? 'reprise.started' : 'reprise.stopped',
        run: child.run,
        child: child.address,
        outcome: 'stopped',
      });
      if (child.spec.kind === 'supervisor') this.event({ type: 'reprise.ready', child: child.address });
    }
    throw new Error('it does not settle');
  }

  /** Time passes; timers fire in order. */
  elapse(ms: number): this {
    const until = this.now + ms;
    for (;;) {
      const next = [...this.timers].filter(([, t]) => t.due <= until).toSorted(([, a], [, b]) => a.due - b.due)[0];
      if (next === undefined) break;
      this.now = Math.max(this.now, next[1].due);
      this.timers.delete(next[0]);
      this.event(next[1].event);
    }
    this.now = until;
    return this;
  }
}
