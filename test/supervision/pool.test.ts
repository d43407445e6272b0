/** Pools as pure steps: routes that follow from the log alone, members that are supervised. */
import assert from 'node:assert/strict';
import { describe, expect, it } from 'vitest';
import type { Effect, EventObject } from '../../core/effect.ts';
import type { ActorEnv } from '../../core/logic.ts';
import { pool, type PoolConfig, type PoolState } from '../../core/pool.ts';

const env = (): ActorEnv => ({ address: 'desk/triage', parent: undefined });
const member = { logic: 'triage', input: { model: 'm' } };

class Bench {
  private readonly env = env();
  private snapshot: unknown;
  private seq = 1;
  now = 1_000;
  effects: readonly Effect[];

  constructor(config: PoolConfig | undefined) {
    const step = pool.init(this.env, config, { ts: this.now, seed: 1 }, '1');
    this.snapshot = step.snapshot;
    this.effects = step.effects;
  }

  static up(config: Omit<PoolConfig, 'member'>): Bench {
    return new Bench({ member, flags: { backoff: { minMs: 0 } }, ...config }).settle();
  }

  get digest(): string {
    return pool.digest(this.snapshot);
  }

  get state(): PoolState {
    return pool.view(this.snapshot).context as PoolState;
  }

  event(event: EventObject): this {
    // Recovery may come between any two events: the snapshot goes through its stored form.
    this.snapshot = pool.restore(this.env, JSON.parse(JSON.stringify(pool.persist(this.snapshot))));
    const step = pool.step(this.env, this.snapshot, event, { ts: this.now, seed: this.seq }, String(++this.seq));
    if (step.failed !== undefined) throw Object.assign(new RangeError(step.failed.message), step.failed);
    this.snapshot = step.snapshot;
    this.effects = step.effects;
    return this;
  }

  /** Members chosen for these events, by number. */
  route(...events: readonly EventObject[]): number[] {
    return events.map((event) => {
      this.event(event);
      const [send, ...others] = this.effects.filter((e) => e.kind === 'send');
      assert(send?.kind === 'send' && send.to.kind === 'address' && others.length === 0);
      assert.deepEqual([send.event, send.lane], [event, undefined]);
      return Number(send.to.address.replace('desk/triage/', ''));
    });
  }

  about(n: number): { readonly run: string | undefined; readonly child: string } {
    const child = this.state.supervision.children[n - 1];
    return { run: child?.run, child: `desk/triage/${n}` };
  }

  failed(n: number): this {
    return this.event({
      type: 'reprise.failed',
      ...this.about(n),
      error: { name: 'Error', message: 'broke' },
      attempt: 1,
      event: `x!${this.seq}.0`,
    });
  }

  settle(): this {
    for (;;) {
      const i = this.state.supervision.children.findIndex((c) => c.status === 'starting' || c.status === 'stopping');
      if (i < 0) return this;
      const { status, run, address: child } = this.state.supervision.children[i] ?? {};
      this.event({ type: status === 'starting' ? 'reprise.started' : 'reprise.stopped', run, child, outcome: 'stopped' });
    }
  }

  orders(): string[] {
    return this.effects.flatMap((e) => (e.kind === 'send' && e.to.kind === 'address' ? [`${e.event.type} ${e.to.address}`] : []));
  }
}

const mails = (n: number): EventObject[] => Array.from({ length: n }, (_, i) => ({ type: 'mail', n: i }));

describe('members', () => {
  it('stand at numbered addresses and are started in order', () => {
    const bench = new Bench({ size: 2, member });
    expect(bench.effects).toContainEqual(
      expect.objectContaining({
        to: { kind: 'address', address: 'desk/triage/1' },
        event: expect.objectContaining({
          type: 'reprise.start',
          logic: 'triage',
          input: { model: 'm' },
          supervisor: 'desk/triage',
        }) as unknown,
      }),
    );
    bench.settle();
    expect(bench.state.supervision.children.map((c) => [c.address, c.status])).toEqual([
      ['desk/triage/1', 'running'],
      ['desk/triage/2', 'running'],
    ]);
  });

  it('are supervised one_for_one, with history', () => {
    const bench = Bench.up({ size: 3 }).failed(2);
    expect(bench.orders()).toEqual(['reprise.start desk/triage/2']);
    expect(bench.effects).toContainEqual(
      expect.objectContaining({ event: expect.objectContaining({ mode: 'history' }) as unknown }),
    );
  });

  it('a new size starts or stops the last ones', () => {
    const bench = Bench.up({ size: 2 }).event({ type: 'reprise.configure', size: 3, member });
    expect(bench.orders()).toEqual(['reprise.start desk/triage/3']);
    bench.settle().event({ type: 'reprise.configure', size: 1, member });
    expect(bench.orders()).toEqual(['reprise.stop desk/triage/3']);
    expect(bench.settle().route(...mails(3))).toEqual([1, 1, 1]);
  });

  it('are stopped before the pool is', () => {
    const bench = Bench.up({ size: 2 }).event({ type: 'reprise.stop', run: 'r', deadlineMs: 10_000 });
    expect(bench.orders()).toEqual(['reprise.stop desk/triage/2']);
    bench.settle();
    expect(bench.effects).toContainEqual({ kind: 'terminate', status: 'stopped' });
  });

  it('of a pool without any is refused', () => {
    expect(() => Bench.up({ size: 2 }).event({ type: 'reprise.configure', size: 0, member })).toThrow(/at least one member/);
  });
});

describe('round_robin', () => {
  it('goes from one to the next', () => {
    expect(Bench.up({ size: 3 }).route(...mails(7))).toEqual([1, 2, 3, 1, 2, 3, 1]);
  });

  it('a member that restarts keeps its turn and its mail', () => {
    const bench = Bench.up({ size: 2, flags: { intensity: 9 } });
    bench.route(...mails(1));
    expect(bench.failed(2).route(...mails(3))).toEqual([2, 1, 2]);
  });

  it('passes by a member that is parked', () => {
    const bench = Bench.up({ size: 3, flags: { intensity: 0 } }).failed(2);
    expect(bench.route(...mails(4))).toEqual([1, 3, 1, 3]);
  });

  it('when none works, mail waits at a parked one rather than with one that was stopped', () => {
    const bench = Bench.up({ size: 2, flags: { intensity: 0 } })
      .event({ type: 'reprise.child.stop', child: '1' })
      .settle()
      .failed(2);
    expect(bench.route(...mails(2))).toEqual([2, 2]);
  });

  it('a message for a reducer of another kind is routed too', () => {
    expect(Bench.up({ size: 1 }).route({ type: 'reprise.call', name: 'read' })).toEqual([1]);
  });
});

describe('least_mailbox', () => {
  const config = { size: 3, router: 'least_mailbox' } as const;
  const taken = (bench: Bench, n: number, count: number): Bench =>
    bench.event({ type: 'reprise.taken', child: `desk/triage/${n}`, count });

  it('members are asked to say what they have taken', () => {
    const bench = new Bench({ ...config, member });
    expect(bench.effects).toContainEqual(expect.objectContaining({ event: expect.objectContaining({ marks: true }) as unknown }));
    expect(JSON.stringify(Bench.up({ size: 1 }).state)).not.toContain('marks');
  });

  it('chooses the one with the fewest that it has not taken', () => {
    const bench = Bench.up(config);
    expect(bench.route(...mails(4))).toEqual([1, 2, 3, 1]);
    taken(bench, 3, 1);
    expect(bench.route(...mails(1))).toEqual([3]);
    taken(bench, 2, 1);
    taken(bench, 1, 2);
    expect(bench.route(...mails(3))).toEqual([1, 2, 1]);
  });

  it('a member that restarts keeps its queue', () => {
    const bench = Bench.up(config);
    bench.route(...mails(3));
    taken(bench, 2, 1);
    taken(bench, 3, 1);
    bench.failed(1).settle();
    expect(bench.route(...mails(2))).toEqual([2, 3]);
  });

  it('a member that left and comes back begins with an empty one', () => {
    const bench = Bench.up({ ...config, size: 2 });
    bench.route(...mails(2));
    const resize = (size: number): Bench => bench.event({ type: 'reprise.configure', ...config, member, size }).settle();
    resize(1);
    resize(2);
    expect(bench.route(...mails(1))).toEqual([2]);
  });

  it('marks of what it never forwarded do not count below nothing', () => {
    const bench = taken(Bench.up(config), 1, 5);
    expect(bench.route(...mails(3))).toEqual([1, 2, 3]);
  });
});

describe('hash', () => {
  it('the same field goes to the same member, whatever else the event holds', () => {
    const bench = Bench.up({ size: 5, router: 'hash', field: 'mail.from' });
    const from = (name: string, n: number): EventObject => ({ type: 'mail', n, mail: { from: name, n } });
    const first = bench.route(...['ann', 'bob', 'cem', 'dee', 'eve', 'fay'].map((name, i) => from(name, i)));
    expect(bench.route(...['ann', 'bob', 'cem', 'dee', 'eve', 'fay'].map((name, i) => from(name, i + 100)))).toEqual(first);
    expect(new Set(first).size).toBeGreaterThan(1);
  });

  it('without a field the whole event counts, but not its order of fields nor whom to reply to', () => {
    const bench = Bench.up({ size: 7, router: 'hash' });
    const [one, two, other] = bench.route(
      { type: 'q', a: 1, b: { x: 1, y: 2 }, replyTo: { id: 'a!1.0' } },
      { b: { y: 2, x: 1 }, a: 1, type: 'q', replyTo: { id: 'a!2.0' } },
      { type: 'q', a: 5 },
    );
    expect(two).toBe(one);
    expect(other).not.toBe(one);
  });

  it('stays with its member while that is parked', () => {
    const bench = Bench.up({ size: 3, router: 'hash', field: 'key', flags: { intensity: 0 } });
    const [n] = bench.route({ type: 'q', key: 'k' });
    expect(bench.failed(n ?? 0).route({ type: 'q', key: 'k' })).toEqual([n]);
  });
});

describe('a route is never chosen again for the same message (D8)', () => {
  it('the choice follows from the log: a fold of the same events gives the same forwards under the same positions', () => {
    for (const router of ['round_robin', 'least_mailbox', 'hash'] as const) {
      const live = (): { readonly routes: number[]; readonly digest: string } => {
        const bench = Bench.up({ size: 3, router, flags: { intensity: 1 } });
        const routes = bench.route(...mails(5));
        bench.failed(2).event({ type: 'reprise.taken', child: 'desk/triage/3', count: 1 });
        routes.push(...bench.route(...mails(5)));
        return { routes, digest: bench.digest };
      };
      expect(live()).toEqual(live());
    }
  });

  it('the state says whom it chose last, so a fold by a router that chooses otherwise is found out', () => {
    const bench = Bench.up({ size: 3 });
    bench.route(...mails(2));
    expect(bench.state).toMatchObject({ last: 'desk/triage/2', routed: 2 });
  });
});
