/** Each statement of DELIVERY §6, and what Reprise does otherwise than OTP on purpose. */
import { describe, expect, it } from 'vitest';
import { type Backoff, childSpec, stopDeadlineMs } from '../../core/supervision/child-spec.ts';
import { describe as describeState } from '../../core/supervision/supervision.ts';
import { Bench, NO_WAIT, WAIT } from './bench.ts';

const abc = [{ id: 'a' }, { id: 'b' }, { id: 'c' }];
const ofType = (type: 'permanent' | 'transient' | 'temporary') => [{ id: 'a', restart: type }, { id: 'b' }];

describe('runs', () => {
  it('are named by the start order, and a report of another run is ignored', () => {
    const sup = Bench.up(abc, { intensity: 9 });
    const old = sup.child('a').run;
    sup.failed('a').settle().take();
    expect(sup.child('a').run).not.toBe(old);
    sup.event({
      type: 'reprise.failed',
      run: old,
      child: 'desk/a',
      error: { name: 'Error', message: 'old' },
      attempt: 1,
      event: 'x!1.0',
    });
    sup.event({ type: 'reprise.stopped', run: old, child: 'desk/a', outcome: 'killed' });
    expect(sup.take()).toEqual([]);
    expect(sup.state.restarts).toHaveLength(1);
    expect(sup.status()).toBe('a running, b running, c running');
  });

  it('differ between two lives of the supervisor', () => {
    const one = Bench.up(abc);
    const two = new Bench();
    two.now += 1;
    two.state = { ...two.state, life: 'other' };
    two.configure(abc);
    expect(two.child('a').run).not.toBe(one.child('a').run);
  });

  it('a child that fails while its group is being stopped is counted once (D20)', () => {
    const sup = Bench.up(abc, { strategy: 'one_for_all', intensity: 1, whenSpent: 'escalate' });
    sup.failed('a');
    expect(sup.take()).toEqual(['stop c 5000']);
    sup.failed('b');
    sup.failed('c').stopped('c');
    expect(sup.take()).toEqual(['start a fresh']);
    sup.settle();
    expect(sup.status()).toBe('a running, b running, c running');
    expect(sup.state.restarts).toHaveLength(1);
  });

  it('a child that has outlived its report answers the order with its present run, and goes on in it', () => {
    const sup = Bench.up(abc);
    const before = sup.child('a').run;
    sup.failed('a');
    sup.event({ type: 'reprise.started', run: before, child: 'desk/a' });
    expect(sup.status()).toBe('a running, b running, c running');
    expect(sup.child('a').run).toBe(before);
  });

  it('a child that lives on under a new life of its supervisor is taken up with its run', () => {
    const sup = new Bench().configure(abc);
    expect(sup.take()).toEqual(['start a history']);
    sup.event({ type: 'reprise.started', run: 'desk#former.1', child: 'desk/a' });
    expect(sup.child('a')).toMatchObject({ status: 'running', run: 'desk#former.1' });
    expect(sup.take()).toEqual(['start b history']);
  });

  it('of fresh starts are never taken over by an older life', () => {
    const sup = Bench.up(abc, { strategy: 'one_for_all', intensity: 9 });
    const old = sup.child('a').run;
    sup.failed('b').stopped('c').stopped('a');
    expect(sup.child('a')).toMatchObject({ status: 'starting', prev: old });
    sup.event({ type: 'reprise.started', run: old, child: 'desk/a' });
    expect(sup.child('a').status).toBe('starting');
  });

  it('only the run before may answer that it lives on', () => {
    const sup = Bench.up(abc, { intensity: 9 });
    const first = sup.child('a').run;
    sup.failed('a').settle().failed('a');
    sup.event({ type: 'reprise.started', run: first, child: 'desk/a' });
    expect(sup.child('a').status).toBe('starting');
  });
});

describe('restart with history or fresh', () => {
  it('one_for_one restarts with history', () => {
    expect(Bench.up(abc).failed('b').take()).toEqual(['start b history']);
  });

  it('one_for_one begins anew what has ended for good', () => {
    expect(Bench.up(abc).stopped('b', 'done').take()).toEqual(['start b fresh']);
    expect(Bench.up(abc).stopped('b', 'failed').take()).toEqual(['start b fresh']);
  });

  it('group strategies restart fresh, in order', () => {
    const sup = Bench.up(abc, { strategy: 'one_for_all' }).failed('b').settle();
    expect(sup.take()).toEqual(['stop c 5000', 'stop a 5000', 'start a fresh', 'start b fresh', 'start c fresh']);
  });

  it('history: with keeps a sibling where it was', () => {
    const sup = Bench.up([{ id: 'a', history: 'with' }, { id: 'b' }], { strategy: 'one_for_all' }).failed('b');
    expect(sup.sent('reprise.stop')).toMatchObject([{ keep: true }]);
    expect(sup.settle().take()).toEqual(['stop a 5000', 'start a history', 'start b fresh']);
  });

  it('a start order carries logic, input and supervisor', () => {
    const sup = new Bench().configure([{ id: 'a', logic: 'triage', input: { model: 'm' } }]);
    expect(sup.sent('reprise.start')).toMatchObject([
      { logic: 'triage', input: { model: 'm' }, supervisor: 'desk', mode: 'history' },
    ]);
  });
});

describe('restart types', () => {
  it('permanent restarts after a normal end too: it spends budget and triggers the group', () => {
    const sup = Bench.up(ofType('permanent'), { strategy: 'one_for_all' }).stopped('a', 'done');
    expect(sup.state.restarts).toHaveLength(1);
    expect(sup.take()).toEqual(['stop b 5000']);
  });

  it('for transient, stopping when asked and a normal end are normal', () => {
    for (const outcome of ['stopped', 'done'] as const) {
      const sup = Bench.up(ofType('transient')).stopped('a', outcome);
      expect(sup.take()).toEqual([]);
      expect(sup.status()).toBe('a idle, b running');
      expect(sup.state.restarts).toEqual([]);
    }
  });

  it('for transient, a kill and a failure are failures', () => {
    for (const outcome of ['killed', 'failed'] as const)
      expect(Bench.up(ofType('transient')).stopped('a', outcome).take()).toEqual(['start a fresh']);
    expect(Bench.up(ofType('transient')).failed('a').take()).toEqual(['start a history']);
  });

  it('a temporary child never counts, triggers nothing, and is ended and forgotten', () => {
    const sup = Bench.up(ofType('temporary'), { strategy: 'one_for_all', intensity: 0, whenSpent: 'escalate' }).failed('a');
    expect(sup.take()).toEqual(['stop a 0']);
    expect(sup.status()).toBe('b running');
    expect(sup.state.restarts).toEqual([]);
  });

  it('a temporary child is forgotten when a group restart stops it', () => {
    const sup = Bench.up(ofType('temporary'), { strategy: 'one_for_all' }).failed('b').settle();
    expect(sup.take()).toEqual(['stop a 5000', 'start b fresh']);
    expect(sup.status()).toBe('b running');
  });
});

describe('the budget', () => {
  it("is the supervisor's, not the child's", () => {
    const sup = Bench.up(abc, { intensity: 1, whenSpent: 'escalate' }).failed('a').settle().failed('b');
    expect(sup.take()).toEqual(['start a history', 'stop c 5000']);
  });

  it('a group restart costs 1 however many children', () => {
    expect(Bench.up(abc, { strategy: 'one_for_all' }).failed('a').settle().state.restarts).toHaveLength(1);
  });

  it('a gap of exactly the period still counts, one ms more does not', () => {
    const flags = { intensity: 1, periodMs: 5_000, whenSpent: 'escalate' } as const;
    expect(Bench.up(abc, flags).failed('a').settle().elapse(5_000).failed('a').state.phase).toBe('stopping');
    expect(Bench.up(abc, flags).failed('a').settle().elapse(5_001).failed('a').state.phase).toBe('up');
  });

  it('the window slides: quiet does not reset it', () => {
    const sup = Bench.up(abc, { intensity: 2, periodMs: 5_000, whenSpent: 'escalate' });
    sup.failed('a').settle().elapse(4_000).failed('a').settle().elapse(4_000).failed('a').settle();
    expect(sup.state.phase).toBe('up');
    expect(sup.elapse(500).failed('a').state.phase).toBe('stopping');
  });

  it('the retries of one event spend one restart', () => {
    const sup = Bench.up(abc, { intensity: 1, whenSpent: 'escalate' });
    for (const attempt of [1, 2, 3]) sup.failed('a', { attempt, event: 'mail!7.0' }).settle();
    expect(sup.state.restarts).toHaveLength(1);
    expect(sup.take()).toEqual(['start a history', 'start a history', 'start a history']);
  });

  it('a second attempt of another event than the last spends', () => {
    const sup = Bench.up(abc, { intensity: 5 });
    sup.failed('a', { attempt: 1, event: 'mail!7.0' }).settle().failed('a', { attempt: 2, event: 'mail!8.0' });
    expect(sup.state.restarts).toHaveLength(2);
  });

  it('two failures at once: one_for_one spends 2, one_for_all 1, rest_for_one 1 or 2', () => {
    const spend = (strategy: 'one_for_one' | 'one_for_all' | 'rest_for_one', first: string, second: string): number => {
      const sup = Bench.up(abc, { strategy, intensity: 9 });
      const run = sup.child(second).run;
      sup.failed(first);
      sup.event({
        type: 'reprise.failed',
        run,
        child: `desk/${second}`,
        error: { name: 'Error', message: 'too' },
        attempt: 1,
        event: 'x!2.0',
      });
      return sup.settle().state.restarts.length;
    };
    expect(spend('one_for_one', 'a', 'c')).toBe(2);
    expect(spend('one_for_all', 'a', 'c')).toBe(1);
    expect(spend('one_for_all', 'c', 'a')).toBe(1);
    expect(spend('rest_for_one', 'a', 'c')).toBe(1);
    expect(spend('rest_for_one', 'c', 'a')).toBe(2);
  });

  it('a nested supervisor that gives up costs the one above it 1, and begins with a fresh one', () => {
    const sup = Bench.up([{ id: 'a', kind: 'supervisor', input: { children: [] } }, { id: 'b' }], { intensity: 1 }).stopped(
      'a',
      'failed',
    );
    expect(sup.state.restarts).toHaveLength(1);
    expect(sup.take()).toEqual(['start a fresh']);
  });
});

describe('starts', () => {
  it('are in order, each when the one before is up', () => {
    const sup = new Bench().configure(abc);
    expect(sup.take()).toEqual(['start a history']);
    expect(sup.started('a').take()).toEqual(['start b history']);
    expect(sup.started('b').started('c').take()).toEqual(['start c history']);
    expect(sup.state.phase).toBe('up');
  });

  it('a nested supervisor is up when its children are', () => {
    const sup = new Bench().configure([{ id: 'a', kind: 'supervisor', input: { children: [] } }, { id: 'b' }]);
    expect(sup.started('a').take()).toEqual(['start a fresh']);
    expect(sup.event({ type: 'reprise.ready', child: 'desk/a' }).take()).toEqual(['start b history']);
  });

  it('one that fails at boot is parked, with its error, and the others are started', () => {
    const sup = new Bench().configure(abc);
    sup.started('a').take();
    sup.stopped('b', 'failed');
    expect(sup.take()).toEqual(['start c history']);
    expect(sup.started('c').status()).toBe('a running, b parked, c running');
    expect(sup.state).toMatchObject({ phase: 'up', restarts: [], operation: null });
  });

  it('one that has parked so is tried again by a config that says so, and by no other', () => {
    const again = { type: 'reprise.configure', children: Bench.specs(abc), again: true };
    const sup = new Bench().configure(abc).started('a').stopped('b', 'failed').started('c').configure(abc);
    sup.take();
    expect(sup.event(again).take()).toEqual(['start b history']);
    sup.stopped('b', 'failed');
    expect(sup.status()).toBe('a running, b parked, c running');
    expect(sup.event(again).started('b').status()).toBe('a running, b running, c running');
    // One that waits for a person is none that did not start.
    const parked = Bench.up(abc, { intensity: 0 }).failed('b');
    parked.take();
    expect(parked.event(again).take()).toEqual([]);
  });

  it('where a spent budget escalates, one that fails at boot is not retried: those started are stopped in reverse and the failure goes up', () => {
    const sup = new Bench().configure(abc, { whenSpent: 'escalate' });
    sup.started('a').started('b').take();
    sup.failed('c');
    expect(sup.take()).toEqual(['stop c 0', 'stop b 5000']);
    expect(sup.stopped('b').stopped('a').take()).toEqual(['stop a 5000', 'end error']);
    expect(sup.effects).toContainEqual(
      expect.objectContaining({
        kind: 'terminate',
        error: expect.objectContaining({
          code: 'SUPERVISOR_GAVE_UP',
          message: 'desk could not start desk/c: c broke',
        }) as unknown,
      }),
    );
    expect(sup.state.restarts).toEqual([]);
  });

  it('one that fails during a restart is retried, and each try counts', () => {
    const sup = Bench.up(abc, { intensity: 3, whenSpent: 'escalate' }).failed('a').failed('a').failed('a');
    expect(sup.take()).toEqual(['start a history', 'start a history', 'start a history']);
    expect(sup.state.restarts).toHaveLength(3);
    expect(sup.failed('a').state.phase).toBe('stopping');
  });

  it('a try that fails keeps the memory of the child: it is tried with history again', () => {
    expect(Bench.up(abc, { intensity: 9 }).failed('a').stopped('a', 'failed').take()).toEqual([
      'start a history',
      'start a history',
    ]);
  });

  it('one_for_all stops again what had come up and starts from the first', () => {
    const sup = Bench.up(abc, { strategy: 'one_for_all', intensity: 5 }).failed('a').stopped('c').stopped('b').started('a');
    sup.take();
    sup.failed('b');
    expect(sup.take()).toEqual(['stop a 5000']);
    expect(sup.settle().take()).toEqual(['start a fresh', 'start b fresh', 'start c fresh']);
    expect(sup.state.restarts).toHaveLength(2);
  });

  it('rest_for_one goes on from the child whose start failed, earlier ones stay up', () => {
    const sup = Bench.up([...abc, { id: 'd' }], { strategy: 'rest_for_one', intensity: 5 })
      .failed('b')
      .stopped('d')
      .stopped('c')
      .started('b');
    sup.take();
    sup.failed('c');
    expect(sup.take()).toEqual(['start c fresh']);
    expect(sup.settle().take()).toEqual(['start d fresh']);
    expect(sup.status()).toBe('a running, b running, c running, d running');
  });

  it('exits that arrived meanwhile are handled before the next try', () => {
    const sup = Bench.up(abc, { strategy: 'rest_for_one', intensity: 5 }).failed('b').stopped('c');
    sup.failed('a');
    sup.take();
    sup.failed('b');
    expect(sup.take()).toEqual(['start a fresh']);
    expect(sup.settle().status()).toBe('a running, b running, c running');
    expect(sup.state.restarts).toHaveLength(2);
  });

  it('one that nobody answers holds the others up for its time only; its order stands', () => {
    const sup = new Bench().configure(abc, { startMs: 30_000 });
    sup.take();
    expect(sup.elapse(29_999).take()).toEqual([]);
    expect(sup.elapse(1).take()).toEqual(['start b history']);
    expect(sup.status()).toBe('a starting, b starting, c idle');
    expect(sup.started('a').status()).toBe('a running, b starting, c idle');
  });

  it('one that fails after its time is no failure of the boot: it is tried again', () => {
    const sup = new Bench().configure(abc, { intensity: 9 }).elapse(30_000);
    sup.take();
    sup.failed('a').started('b').started('c');
    expect(sup.take()).toEqual(['start c history', 'start a history']);
    expect(sup.state.phase).toBe('up');
  });

  it('a child that had ended or was stopped by hand is started again by a group restart', () => {
    const sup = Bench.up([{ id: 'a', restart: 'transient' }, { id: 'b' }, { id: 'c' }], { strategy: 'one_for_all' });
    sup.stopped('a', 'done').byHand('stop', 'b').settle().take();
    expect(sup.status()).toBe('a idle, b idle, c running');
    expect(sup.failed('c').settle().take()).toEqual(['start a fresh', 'start b fresh', 'start c fresh']);
  });

  it('in rest_for_one only if it stands after the failed one', () => {
    const sup = Bench.up(abc, { strategy: 'rest_for_one' }).byHand('stop', 'a').settle().byHand('stop', 'c').settle();
    sup.take();
    expect(sup.failed('b').settle().take()).toEqual(['start b fresh', 'start c fresh']);
    expect(sup.status()).toBe('a idle, b running, c running');
  });
});

describe('stops', () => {
  it('by hand touch that child only and cost nothing', () => {
    const sup = Bench.up(abc, { strategy: 'one_for_all' }).byHand('stop', 'b').settle();
    expect(sup.take()).toEqual(['stop b 5000']);
    expect(sup.status()).toBe('a running, b idle, c running');
    expect(sup.state.restarts).toEqual([]);
    expect(sup.byHand('start', 'b').settle().take()).toEqual(['start b history']);
    expect(sup.status()).toBe('a running, b running, c running');
  });

  it('by hand forget a temporary child', () => {
    expect(Bench.up(ofType('temporary')).byHand('stop', 'a').settle().status()).toBe('b running');
  });

  it('a start by hand that fails is not retried', () => {
    const sup = Bench.up(abc).byHand('stop', 'b').settle().byHand('start', 'b').failed('b');
    expect(sup.status()).toBe('a running, b idle, c running');
    expect(sup.state.restarts).toEqual([]);
  });

  it('are sequential in reverse specification order, which restarts do not change', () => {
    const sup = Bench.up(abc, { intensity: 9 }).failed('a').settle().failed('c').settle();
    sup.take();
    sup.event({ type: 'reprise.stop', run: 'r', deadlineMs: 15_000 });
    expect(sup.take()).toEqual(['stop c 5000']);
    expect(sup.stopped('c').take()).toEqual(['stop b 5000']);
    expect(sup.stopped('b').stopped('a').take()).toEqual(['stop a 5000', 'end stopped']);
    expect(sup.state.phase).toBe('ended');
  });

  it('deadlines add up; one that misses its deadline is killed', () => {
    const sup = Bench.up(abc).event({ type: 'reprise.stop', run: 'r', deadlineMs: 15_000 });
    sup.elapse(4_999);
    expect(sup.take()).toEqual(['stop c 5000']);
    expect(sup.elapse(1).take()).toEqual(['stop c 0', 'stop b 5000']);
    sup.elapse(5_000).elapse(5_000);
    expect(sup.take()).toEqual(['stop b 0', 'stop a 5000', 'stop a 0', 'end stopped']);
  });

  it('a nested supervisor has the sum of its children as deadline', () => {
    const nested = childSpec({
      id: 'n',
      address: 'n',
      kind: 'supervisor',
      input: {
        children: [
          { id: 'x', address: 'n/x' },
          { id: 'y', address: 'n/y', shutdownMs: 700 },
          { id: 'z', address: 'n/z', kind: 'pool', input: { size: 3, member: { shutdownMs: 100 } } },
        ],
      },
    });
    expect(stopDeadlineMs(nested)).toBe(6_000);
    expect(stopDeadlineMs(childSpec({ id: 'n', address: 'n', kind: 'supervisor', shutdownMs: 900 }))).toBe(900);
    const sup = Bench.up([{ id: 'n', kind: 'supervisor', input: nested.input }]).event({
      type: 'reprise.stop',
      run: 'r',
      deadlineMs: 6_000,
    });
    expect(sup.take()).toEqual(['stop n 6000']);
  });

  it('failing while being stopped costs nothing, and the stop is still waited for', () => {
    const sup = Bench.up(abc).byHand('stop', 'b').failed('b');
    expect(sup.status()).toBe('a running, b stopping, c running');
    sup.stopped('b');
    expect(sup.pending).toEqual([]);
    expect(sup.status()).toBe('a running, b idle, c running');
    expect(sup.state.restarts).toEqual([]);
  });

  it('while a slow child is being stopped nothing else is decided; an exit outside the group is handled afterwards', () => {
    const sup = Bench.up(abc, { strategy: 'rest_for_one', intensity: 9 }).failed('b');
    expect(sup.take()).toEqual(['stop c 5000']);
    sup.failed('a').byHand('stop', 'a');
    expect(sup.take()).toEqual([]);
    sup.stopped('c').started('b');
    expect(sup.take()).toEqual(['start b fresh', 'start c fresh']);
    sup.started('c');
    expect(sup.take()).toEqual(['stop c 5000']);
  });

  it('an exit inside the group is swallowed', () => {
    const sup = Bench.up(abc, { strategy: 'one_for_all', intensity: 1, whenSpent: 'escalate' })
      .failed('a')
      .stopped('b', 'killed')
      .settle();
    expect(sup.status()).toBe('a running, b running, c running');
  });

  it('a supervisor without children left lives on', () => {
    const sup = Bench.up([{ id: 'a', restart: 'temporary' }]).stopped('a', 'done');
    expect(sup.state).toMatchObject({ phase: 'up', children: [] });
    expect(new Bench().configure([]).state.phase).toBe('up');
  });

  it('a supervisor that is killed kills its children and does not wait', () => {
    expect(Bench.up(abc).event({ type: 'reprise.stop', run: 'r', deadlineMs: 0 }).take()).toEqual([
      'stop c 0',
      'stop b 0',
      'stop a 0',
      'end stopped',
    ]);
  });

  it('nor does it decide what was queued', () => {
    const sup = Bench.up(abc, { strategy: 'rest_for_one', intensity: 9 }).failed('b').failed('a').byHand('start', 'a');
    sup.take();
    expect(sup.event({ type: 'reprise.stop', run: 'r', deadlineMs: 0 }).take()).toEqual([
      'stop c 0',
      'stop b 0',
      'stop a 0',
      'end stopped',
    ]);
  });

  it('an order to stop cuts a restart short', () => {
    const sup = Bench.up(abc, { strategy: 'one_for_all' }).failed('a');
    sup.event({ type: 'reprise.stop', run: 'r', deadlineMs: 15_000 }).settle();
    expect(sup.take()).toEqual(['stop c 5000', 'stop b 5000', 'stop a 0', 'end stopped']);
  });
});

describe('when the budget is spent, with escalate', () => {
  const spent = (): Bench => Bench.up(abc, { intensity: 0, whenSpent: 'escalate' }).failed('b');

  it('the failed child is not restarted, the others are stopped in reverse with their deadlines, then the supervisor ends', () => {
    const sup = spent();
    expect(sup.take()).toEqual(['stop c 5000']);
    expect(sup.elapse(5_000).take()).toEqual(['stop c 0', 'stop b 0', 'stop a 5000']);
    expect(sup.stopped('a').take()).toEqual(['end error']);
  });

  it('the supervisor has failed, and says who and why', () => {
    expect(spent().settle().effects).toContainEqual({
      kind: 'terminate',
      status: 'error',
      error: {
        name: 'MeshError',
        code: 'SUPERVISOR_GAVE_UP',
        message: 'desk gave up: more than 0 restarts within 5000 ms, the last one of desk/b: b broke',
        cause: { name: 'Error', message: 'b broke' },
      },
    });
  });

  it('nothing is decided any more', () => {
    expect(spent().settle().failed('a').byHand('start', 'b').take()).toEqual([
      'stop c 5000',
      'stop b 0',
      'stop a 5000',
      'end error',
    ]);
  });
});

describe('when the budget is spent, with park', () => {
  const spent = (strategy: 'one_for_one' | 'one_for_all' = 'one_for_one'): Bench =>
    Bench.up(abc, { intensity: 0, strategy }).failed('b');

  it('is the default', () => {
    expect(Bench.up(abc).state.flags.whenSpent).toBe('park');
  });

  it('siblings keep running, the window is emptied, and the child is told to wait', () => {
    for (const strategy of ['one_for_one', 'one_for_all'] as const) {
      const sup = spent(strategy);
      expect(sup.take()).toEqual(['park b']);
      expect(sup.status()).toBe('a running, b parked, c running');
      expect(sup.state.restarts).toEqual([]);
    }
  });

  it('the reason says what was allowed, and the last error', () => {
    expect(Bench.up(abc, { intensity: 0 }).failed('b').sent('reprise.park')).toMatchObject([
      { reason: 'more than 0 restarts within 5000 ms; the last error: b broke' },
    ]);
    expect(Bench.up(abc, { intensity: 1 }).failed('b').settle().failed('b').sent('reprise.park')).toMatchObject([
      { reason: 'more than 1 restart within 5000 ms; the last error: b broke' },
    ]);
  });

  it('a parked child stays parked in a group restart', () => {
    const sup = spent('one_for_all').configure(abc, { strategy: 'one_for_all', intensity: 5 });
    sup.take();
    expect(sup.failed('c').settle().take()).toEqual(['stop a 5000', 'start a fresh', 'start c fresh']);
    expect(sup.status()).toBe('a running, b parked, c running');
  });

  it('until a person says otherwise: then it goes on with its history', () => {
    const sup = spent();
    sup.take();
    expect(sup.event({ type: 'reprise.unpark', child: 'b' }).settle().take()).toEqual(['start b history']);
    expect(sup.status()).toBe('a running, b running, c running');
  });

  it('a parked supervisor goes on with what it knows', () => {
    const sup = Bench.up([{ id: 'n', kind: 'supervisor', input: { children: [] } }], { intensity: 0 }).failed('n');
    sup.take();
    expect(sup.event({ type: 'reprise.unpark', child: 'n' }).take()).toEqual(['start n history']);
    expect(sup.started('n').status()).toBe('n running');
  });

  it('one that cannot be started is parked again', () => {
    expect(spent().event({ type: 'reprise.unpark', child: 'desk/b' }).failed('b').status()).toBe(
      'a running, b parked, c running',
    );
  });

  it('a child that parked itself costs nothing and is shown', () => {
    const sup = Bench.up(abc).failed('b', { attempt: 3, gaveUp: true });
    expect(sup.take()).toEqual([]);
    expect(sup.status()).toBe('a running, b parked, c running');
    expect(sup.state.restarts).toEqual([]);
    expect(sup.started('b').status()).toBe('a running, b running, c running');
  });

  it('one that parks itself while its restart waits is not started', () => {
    const sup = Bench.up(abc, { intensity: 9, backoff: WAIT }).failed('b').failed('b', { attempt: 3, gaveUp: true });
    expect([sup.pending, sup.state.waits]).toEqual([[], {}]);
    expect(sup.elapse(60_000).take()).toEqual([]);
    expect(sup.status()).toBe('a running, b parked, c running');
    expect(sup.event({ type: 'reprise.unpark', child: 'b' }).settle().take()).toEqual(['start b history']);
  });

  it('one that parks itself while its group restarts is left out of it, wherever that has got to', () => {
    const group = (backoff: Partial<Backoff>): Bench =>
      Bench.up(abc, { strategy: 'one_for_all', intensity: 9, backoff }).failed('b');
    const parked = 'a running, b parked, c running';
    const gaveUp = { attempt: 3, gaveUp: true };
    // Before its own turn to be stopped, with its own behind it, and in the wait.
    expect(group(NO_WAIT).failed('b', gaveUp).settle().status()).toBe(parked);
    expect(group(NO_WAIT).stopped('c').failed('b', gaveUp).settle().status()).toBe(parked);
    const sup = group(WAIT).settle().failed('b', gaveUp);
    sup.take();
    expect(sup.elapse(1_000).settle().take()).toEqual(['start a fresh', 'start c fresh']);
    expect(sup.status()).toBe(parked);
    // A sibling that runs and is about to be stopped.
    expect(group(NO_WAIT).failed('a', gaveUp).settle().status()).toBe('a parked, b running, c running');
  });

  it('one that parks itself before its next try is not tried, and those behind it come up', () => {
    const sup = Bench.up([...abc, { id: 'd' }], { strategy: 'rest_for_one', intensity: 9, backoff: WAIT });
    sup.failed('b').settle().elapse(1_000).failed('b').failed('b', { attempt: 3, gaveUp: true });
    expect(sup.elapse(60_000).settle().status()).toBe('a running, b parked, c running, d running');
  });

  it('a nested supervisor that parks itself while its children start does not hold the others up', () => {
    const sup = new Bench().configure([{ id: 'n', kind: 'supervisor', input: { children: [] } }, { id: 'b' }]).started('n');
    expect(sup.failed('n', { attempt: 3, gaveUp: true }).settle().status()).toBe('n parked, b running');
    expect(sup.state.phase).toBe('up');
    expect(sup.pending).toEqual([]);
  });

  it('one that parks itself while it is being stopped has ended all the same', () => {
    const sup = Bench.up(abc).byHand('stop', 'b').failed('b', { attempt: 3, gaveUp: true });
    expect(sup.stopped('b').status()).toBe('a running, b idle, c running');
    const all = Bench.up(abc).event({ type: 'reprise.stop', run: 'r', deadlineMs: 15_000 });
    // Not its turn yet: it is ended at its turn, and not left behind.
    expect(all.failed('a', { attempt: 3, gaveUp: true }).settle().take()).toEqual([
      'stop c 5000',
      'stop b 5000',
      'stop a 0',
      'end stopped',
    ]);
  });

  it('a stop by hand ends a parked child', () => {
    expect(spent().byHand('stop', 'b').take()).toEqual(['park b', 'stop b 0']);
  });

  it('a group whose restart is spent halfway comes up without the one that failed', () => {
    const sup = Bench.up(abc, { strategy: 'one_for_all', intensity: 1 }).failed('a').stopped('c').stopped('b').started('a');
    sup.take();
    sup.failed('b');
    expect(sup.take()).toEqual(['park b', 'start c fresh']);
    expect(sup.settle().status()).toBe('a running, b parked, c running');
  });
});

describe('backoff', () => {
  it('the child is restarting during the wait, each wait is longer, and each try counts', () => {
    const sup = Bench.up(abc, { intensity: 9, backoff: WAIT }).failed('a');
    expect(sup.status()).toBe('a restarting, b running, c running');
    expect(sup.elapse(999).take()).toEqual([]);
    expect(sup.elapse(1).take()).toEqual(['start a history']);
    sup.failed('a');
    expect(sup.elapse(1_999).take()).toEqual([]);
    expect(sup.elapse(1).settle().take()).toEqual(['start a history']);
    expect(sup.state.restarts).toHaveLength(2);
  });

  it('other reports and orders are served meanwhile', () => {
    const sup = Bench.up(abc, { intensity: 9, backoff: WAIT }).failed('a').byHand('stop', 'c').settle().failed('b');
    expect(sup.take()).toEqual(['stop c 5000']);
    expect(sup.elapse(1_000).settle().status()).toBe('a running, b running, c idle');
  });

  it('a stop cancels it', () => {
    const sup = Bench.up(abc, { backoff: WAIT }).failed('a').byHand('stop', 'a');
    expect(sup.take()).toEqual(['stop a 0']);
    expect([sup.pending, sup.state.waits]).toEqual([[], {}]);
    expect(sup.elapse(10_000).take()).toEqual([]);
    expect(sup.status()).toBe('a idle, b running, c running');
  });

  it('of a group: it is stopped first and started as one, so it is not left half up', () => {
    const sup = Bench.up(abc, { strategy: 'one_for_all', intensity: 9, backoff: WAIT }).failed('b').settle();
    expect(sup.take()).toEqual(['stop c 5000', 'stop a 5000']);
    expect(sup.status()).toBe('a restarting, b restarting, c restarting');
    sup.elapse(1_000).started('a').failed('b').settle();
    expect(sup.take()).toEqual(['start a fresh', 'start b fresh', 'stop a 5000']);
    expect(sup.elapse(2_000).settle().status()).toBe('a running, b running, c running');
  });

  it('a stop by hand takes one child out of the group that waits; the others come up', () => {
    const sup = Bench.up(abc, { strategy: 'one_for_all', backoff: WAIT }).failed('b').settle().byHand('stop', 'b');
    sup.take();
    expect(sup.elapse(1_000).settle().take()).toEqual(['start a fresh', 'start c fresh']);
    expect(sup.status()).toBe('a running, b idle, c running');
  });

  it('a stop by hand of the one whose start failed: the rest of its group comes up without it', () => {
    const sup = Bench.up(abc, { strategy: 'one_for_all', intensity: 9 })
      .failed('a')
      .stopped('c')
      .stopped('b')
      .started('a')
      .byHand('stop', 'b')
      .failed('b')
      .settle();
    expect(sup.status()).toBe('a running, b idle, c running');
    expect(sup.state.restarts).toHaveLength(1);
  });

  it('an earlier child that fails meanwhile takes the waiting ones with it', () => {
    const sup = Bench.up(abc, { strategy: 'rest_for_one', intensity: 9, backoff: WAIT })
      .failed('b')
      .settle()
      .elapse(500)
      .failed('a');
    expect(sup.take()).toEqual(['stop c 5000']);
    expect(sup.elapse(500).take()).toEqual([]);
    expect(sup.elapse(500).settle().take()).toEqual(['start a fresh', 'start b fresh', 'start c fresh']);
  });

  it('jitter shortens a wait, as chance has it and the record tells', () => {
    const sup = Bench.up(abc, { backoff: { ...WAIT, jitter: 0.5 } });
    sup.random = 0.5;
    expect(sup.failed('a').elapse(749).take()).toEqual([]);
    expect(sup.elapse(1).take()).toEqual(['start a history']);
  });

  it('begins anew when the child has been well for a while', () => {
    const sup = Bench.up(abc, { intensity: 9, backoff: WAIT }).failed('a').elapse(1_000).settle().elapse(16_000).failed('a');
    sup.take();
    expect(sup.elapse(1_000).take()).toEqual(['start a history']);
  });

  it('of a spec replaces that of the flags', () => {
    const sup = Bench.up([{ id: 'a', backoff: { minMs: 300, jitter: 0 } }], {}).failed('a');
    expect(sup.elapse(299).take()).toEqual([]);
    expect(sup.elapse(1).take()).toEqual(['start a history']);
  });
});

describe('keyed actors', () => {
  const desk = [{ id: 'case', kind: 'keyed' as const }, { id: 'b' }];
  const fail = (sup: Bench, key: string, run?: string): Bench =>
    sup.event({
      type: 'reprise.failed',
      ...(run !== undefined && { run }),
      child: `desk/case/${key}`,
      error: { name: 'Error', message: 'x' },
      attempt: 1,
      event: `m!${key}.0`,
    });

  it('begin by themselves: their spec is not ordered to start', () => {
    expect(new Bench().configure(desk).take()).toEqual(['start b history']);
  });

  it('count in the budget of their supervisor, and the order goes to the one that failed', () => {
    const sup = fail(Bench.up(desk), '7');
    expect(sup.take()).toEqual(['start case/7 history']);
    expect(sup.sent('reprise.start')[0]).not.toHaveProperty('input');
    expect(sup.state.restarts).toHaveLength(1);
    fail(sup, '8');
    expect(sup.status()).toBe('case running, b running, case/7 starting, case/8 parked');
  });

  it('after an order only reports of that run count', () => {
    const sup = fail(Bench.up(desk, { intensity: 9 }), '7');
    sup.started('case/7').take();
    fail(sup, '7', 'another');
    expect(sup.take()).toEqual([]);
    fail(sup, '7', sup.child('case/7').run);
    expect(sup.take()).toEqual(['start case/7 history']);
  });

  it('that are well are not remembered: a million of them costs nothing', () => {
    const sup = Bench.up(desk, { intensity: 9 });
    sup.event({ type: 'reprise.started', run: 'r', child: 'desk/case/1' });
    sup.event({ type: 'reprise.stopped', run: 'r', child: 'desk/case/1', outcome: 'done' });
    expect(sup.state.instances).toEqual({});
    fail(sup, '7').settle().elapse(60_000);
    fail(sup, '8');
    expect(Object.keys(sup.state.instances)).toEqual(['desk/case/8']);
  });

  it('are stopped all at once under one deadline', () => {
    const sup = fail(Bench.up(desk), '7').event({ type: 'reprise.stop', run: 'r', deadlineMs: 10_000 });
    sup.stopped('b');
    expect(sup.sent('reprise.stop')).toMatchObject([{ keyed: true, deadlineMs: 5_000 }]);
    expect(sup.elapse(5_000).take().slice(-2)).toEqual(['stop case 0', 'end stopped']);
  });

  it('in rest_for_one one takes the later children with it, but not its likes', () => {
    const sup = fail(Bench.up([{ id: 'a' }, ...desk], { strategy: 'rest_for_one' }), '7').settle();
    expect(sup.take()).toEqual(['stop b 5000', 'start case/7 fresh', 'start b fresh']);
  });

  it('in one_for_all all are stopped, and those that were at work go on with the group', () => {
    const sup = fail(Bench.up(desk, { strategy: 'one_for_all' }), '7').settle();
    expect(sup.take()).toEqual(['stop b 5000', 'stop case 5000', 'start case', 'start b fresh']);
    expect(sup.state.instances).toEqual({});
  });

  it('that fail by the thousand while something is under way wait in a bounded queue; orders always find room', () => {
    const sup = Bench.up([{ id: 'a' }, ...desk], { strategy: 'rest_for_one' });
    sup.event({ type: 'reprise.child.stop', child: 'a' });
    const full = Array.from({ length: 10_000 }, () => ({ type: 'reprise.child.start', child: 'nobody' }));
    sup.state = { ...sup.state, queue: full };
    expect(fail(sup, '7').state.queue).toHaveLength(10_000);
    expect(sup.effects).toContainEqual(expect.objectContaining({ kind: 'log', label: 'supervisor.queue_full' }));
    expect(sup.byHand('stop', 'b').state.queue).toHaveLength(10_001);
  });

  it('one is stopped and let go on by its address', () => {
    const sup = Bench.up(desk, { intensity: 0 }).event({ type: 'reprise.child.stop', child: 'desk/case/9' }).settle();
    expect(sup.take()).toEqual(['stop case/9 5000']);
    expect(sup.state.instances).toEqual({});
    fail(sup, '7');
    expect(sup.event({ type: 'reprise.unpark', child: 'desk/case/7' }).settle().take()).toEqual([
      'park case/7',
      'start case/7 history',
    ]);
  });
});

describe('a new config (D19)', () => {
  it('stops what it no longer names, starts what is new in order, leaves the rest running', () => {
    const sup = Bench.up(abc)
      .configure([{ id: 'x' }, { id: 'b' }, { id: 'y' }])
      .settle();
    expect(sup.take()).toEqual(['stop c 5000', 'stop a 5000', 'start x history', 'start y history']);
    expect(sup.status()).toBe('x running, b running, y running');
  });

  it('changes strategy and intensity for what comes, and keeps the window', () => {
    const sup = Bench.up(abc, { intensity: 1 }).failed('a').settle().configure(abc, { strategy: 'one_for_all', intensity: 2 });
    sup.take();
    expect(sup.failed('c').settle().take()).toEqual([
      'stop b 5000',
      'stop a 5000',
      'start a fresh',
      'start b fresh',
      'start c fresh',
    ]);
    expect(sup.state.restarts).toHaveLength(2);
  });

  it('the same config again does nothing', () => {
    expect(Bench.up(abc).configure(abc).take()).toEqual([]);
  });

  it('a child that becomes another actor is stopped and started', () => {
    const sup = Bench.up(abc).configure([{ id: 'a' }, { id: 'b', logic: 'other' }, { id: 'c' }]);
    expect(sup.take()).toEqual(['stop b 5000']);
    sup.stopped('b');
    expect(sup.sent('reprise.start')).toMatchObject([{ logic: 'other' }]);
  });

  it('its memory is not kept for the other one', () => {
    const sup = Bench.up([{ id: 'a', history: 'with' }]).configure([{ id: 'a', history: 'with', logic: 'other' }]);
    expect(sup.sent('reprise.stop')[0]).not.toHaveProperty('keep');
  });

  it('the config of a nested supervisor is handed down', () => {
    const sup = Bench.up([{ id: 'a', kind: 'supervisor', input: { children: [] } }]);
    sup.configure([{ id: 'a', kind: 'supervisor', input: { children: [{ id: 'x', address: 'desk/a/x' }] } }]);
    expect(sup.sent('reprise.configure')).toMatchObject([{ children: [{ id: 'x' }] }]);
  });

  it('a new child that does not start is parked, its siblings are left alone', () => {
    const sup = Bench.up(abc, { strategy: 'one_for_all' })
      .configure([...abc, { id: 'x' }], { strategy: 'one_for_all' })
      .failed('x');
    expect(sup.status()).toBe('a running, b running, c running, x parked');
    expect(sup.state.restarts).toEqual([]);
  });

  it('that says so lets those below try again what did not start', () => {
    const nested = [{ id: 'a', kind: 'supervisor', input: { children: [] } }, { id: 'b' }] as const;
    const sup = Bench.up(nested).event({ type: 'reprise.configure', children: Bench.specs(nested), again: true });
    expect(sup.sent('reprise.configure')).toEqual([{ type: 'reprise.configure', children: [], again: true }]);
    expect(sup.configure(nested).sent('reprise.configure')).toEqual([]);
  });

  it('an edit of a parked child lets it go on', () => {
    const sup = Bench.up(abc, { intensity: 0 })
      .failed('b')
      .configure([{ id: 'a' }, { id: 'b', input: 2 }, { id: 'c' }])
      .settle();
    expect(sup.status()).toBe('a running, b running, c running');
  });

  it('children added at run time survive group restarts and new configs, not the restart of their supervisor', () => {
    const sup = Bench.up(abc, { strategy: 'one_for_all' })
      .event({ type: 'reprise.child.add', spec: { id: 'x', address: 'desk/x' } })
      .settle();
    sup.failed('a').settle();
    expect(sup.status()).toBe('a running, b running, c running, x running');
    sup.configure([{ id: 'a' }]).settle();
    expect(sup.status()).toBe('a running, x running');
    expect(new Bench().configure(abc).state.children.map((c) => c.key)).toEqual(['a', 'b', 'c']);
  });

  it('an added child that does not start is forgotten', () => {
    expect(
      Bench.up(abc)
        .event({ type: 'reprise.child.add', spec: { id: 'x', address: 'desk/x' } })
        .failed('x')
        .status(),
    ).toBe('a running, b running, c running');
  });

  it('with one id twice is refused', () => {
    expect(() => Bench.up([]).configure([{ id: 'a' }, { id: 'a' }])).toThrow(/two children 'a'/);
  });
});

describe('what a tree shows', () => {
  it('is how each child is, and the budget', () => {
    const view = describeState(Bench.up(abc, { intensity: 2, backoff: WAIT }).failed('a').state);
    expect(view).toMatchObject({
      address: 'desk',
      phase: 'up',
      strategy: 'one_for_one',
      budget: { used: 1, intensity: 2, periodMs: 5_000 },
    });
    expect(view.children[0]).toMatchObject({
      id: 'a',
      address: 'desk/a',
      kind: 'worker',
      status: 'restarting',
      error: 'a broke',
    });
    expect(describeState(Bench.up(abc).failed('a').settle().state).children[0]).not.toHaveProperty('error');
  });
});
