/** Our supervision under the same world as the model: orders are answered in the order in which they were given. */
import type { ChildSpecInput, FlagsInput } from '../../core/supervision/child-spec.ts';
import type { EventObject } from '../../core/effect.ts';
import { emptySupervision, supervise, type SupervisionState } from '../../core/supervision/supervision.ts';
import { type History, type Resolved, type Seen, World } from './histories.ts';

export class Machine {
  state: SupervisionState = emptySupervision('sup', 0, 0.5);
  private readonly world: World;
  private readonly history: History;
  private readonly inbox: EventObject[] = [];
  private readonly runs = new Map<number, string>();
  private now = 0;
  private ended = false;

  constructor(history: History) {
    this.history = history;
    this.world = new World(history);
  }

  boot(): Seen {
    const { strategy, intensity, periodMs } = this.history;
    const flags: FlagsInput = { strategy, intensity, periodMs, whenSpent: 'escalate', backoff: { minMs: 0 } };
    const children = this.history.children.map((c): ChildSpecInput => ({ id: c.id, address: `sup/${c.id}`, restart: c.restart }));
    this.inbox.push({ type: 'reprise.configure', children, flags });
    this.drain();
    return this.seen();
  }

  step(step: History['steps'][number]): Seen {
    this.now += step.afterMs;
    if (!this.ended) this.inbox.push(...this.world.resolve(step.happen).flatMap((h) => this.eventOf(h)));
    this.drain();
    return this.seen();
  }

  private seen(): Seen {
    const children = this.state.children
      .map((c) => (c.status === 'running' && this.world.isAlive(c.key) ? `${c.key}+` : `${c.key}-`))
      .join(' ');
    return { orders: [...this.world.orders], children, budget: this.state.restarts.length, ended: this.ended };
  }

  private drain(): void {
    for (let event = this.inbox.shift(); event !== undefined; event = this.inbox.shift()) {
      // JSON there and back: the state is plain data at every point.
      const before = JSON.parse(JSON.stringify(this.state)) as SupervisionState;
      const { state, effects } = supervise(before, event, { ts: this.now, random: () => 0.5 });
      this.state = state;
      for (const e of effects) {
        if (e.kind === 'send') this.order(e.event);
        if (e.kind === 'terminate') this.ended = true;
      }
    }
  }

  private order(order: EventObject): void {
    const run = order['run'] as string;
    const child = this.state.children.find((c) => c.run === run) ?? this.dropped.get(run);
    if (child === undefined) throw new Error(`no child has the run ${run}`);
    this.dropped.set(run, child);
    const common = { run, child: child.address };
    if (order.type === 'reprise.start') {
      const { life, meanwhile } = this.world.start(child.key);
      if (life !== undefined) this.runs.set(life, run);
      this.inbox.push(...meanwhile.flatMap((h) => this.eventOf(h)));
      this.inbox.push(
        life === undefined
          ? { type: 'reprise.failed', ...common, error: { name: 'Error', message: 'no start' }, attempt: 0 }
          : { type: 'reprise.started', ...common },
      );
    } else if (order.type === 'reprise.stop') {
      const meanwhile = this.world.stop(child.key);
      this.inbox.push(...meanwhile.flatMap((h) => this.eventOf(h)), { type: 'reprise.stopped', ...common, outcome: 'stopped' });
    }
  }
  /** Children that were forgotten in the same turn still answer. */
  private readonly dropped = new Map<string, { readonly key: string; readonly address: string }>();

  private eventOf(h: Resolved): EventObject[] {
    if (h.do === 'add') return [{ type: 'reprise.child.add', spec: { id: h.id, address: `sup/${h.id}`, restart: h.restart } }];
    if (h.do !== 'exit') return [{ type: `reprise.child.${h.do}`, child: h.id }];
    const common = { run: this.runs.get(h.life), child: `sup/${h.id}` };
    const error = { name: 'Error', message: h.how };
    if (h.how === 'failed') return [{ type: 'reprise.failed', ...common, error, attempt: 1, event: `m!${h.life}.0` }];
    return [
      {
        type: 'reprise.stopped',
        ...common,
        outcome: h.how === 'normal' ? 'done' : h.how === 'crash' ? 'failed' : 'killed',
        ...(h.how !== 'normal' && { error }),
      },
    ];
  }
}
