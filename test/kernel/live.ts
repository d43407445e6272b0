/** A chart on a live XState actor, under virtual time. */
import { type AnyActorRef, createActor } from 'xstate';
import type { EventObject } from '../../core/effect.ts';
import { type Act, type MachineOf, type Outcome, Recorder, settle } from './outcome.ts';

interface Due {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
}

/** Timers in the order of deadline, then of setting. */
class LiveClock {
  private now = 0;
  private order = 0;
  private readonly due = new Map<number, Due>();

  setTimeout(fire: () => void, ms: number): number {
    const order = this.order++;
    this.due.set(order, { at: this.now + Math.max(0, ms), order, fire });
    return order;
  }
  clearTimeout(id: number): void {
    this.due.delete(id);
  }
  advance(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const [next] = [...this.due.values()].filter((d) => d.at <= end).toSorted((a, b) => a.at - b.at || a.order - b.order);
      if (next === undefined) break;
      this.due.delete(next.order);
      this.now = next.at;
      next.fire();
    }
    this.now = end;
  }
}

export async function runLive(machineOf: MachineOf, script: readonly Act[], input?: unknown): Promise<Outcome> {
  const record = new Recorder();
  const clock = new LiveClock();
  const logger = (...values: unknown[]): void => record.note({ log: values });
  const actor = createActor(machineOf(record.note), { id: 'root', clock, logger, input } as never) as AnyActorRef;
  actor.on('*', (event) => record.note({ emit: event }));
  actor.subscribe({ error: () => {} });
  actor.start();
  await settle();
  record.state(actor.getSnapshot());
  for (const act of script) {
    record.act++;
    if (typeof act === 'function') act();
    else if ('advance' in act) clock.advance(Number(act['advance']));
    else actor.send(structuredClone<EventObject>(act));
    await settle();
    record.state(actor.getSnapshot());
  }
  const outcome = record.outcome();
  if ((actor.getSnapshot() as { status: string }).status === 'active') actor.stop();
  return outcome;
}
