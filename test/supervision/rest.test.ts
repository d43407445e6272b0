/** Whatever happens, with backoff, parking, keyed actors, silence and new configs: a supervisor comes to rest, and its books are right. */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { EventObject } from '../../core/effect.ts';
import { Bench, type Spec } from './bench.ts';

const IDS = ['a', 'b', 'c', 'k'];
const specs = fc
  .uniqueArray(
    fc.record({
      id: fc.constantFrom(...IDS),
      restart: fc.constantFrom('permanent' as const, 'transient' as const, 'temporary' as const),
      history: fc.constantFrom('with' as const, 'fresh' as const),
      logic: fc.constantFrom('one', 'two'),
      input: fc.constantFrom(1, 2),
    }),
    { selector: (s) => s.id, maxLength: 4 },
  )
  .map((list) => list.map((s): Spec => (s.id === 'k' ? { ...s, kind: 'keyed' } : s)));
const flags = fc.record({
  strategy: fc.constantFrom('one_for_one' as const, 'one_for_all' as const, 'rest_for_one' as const),
  intensity: fc.integer({ min: 0, max: 4 }),
  periodMs: fc.constant(1_000),
  startMs: fc.constant(500),
  whenSpent: fc.constantFrom('park' as const, 'park' as const, 'escalate' as const),
  backoff: fc.constantFrom({ minMs: 0 }, { minMs: 100, maxMs: 400, factor: 2, jitter: 0 }),
});
const child = fc.constantFrom(...IDS, 'k/1', 'k/2');
const step = fc.oneof(
  fc.record({ what: fc.constant('answer' as const), count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ what: fc.constant('time' as const), ms: fc.constantFrom(1, 100, 400, 1_000, 5_000) }),
  fc.record({ what: fc.constant('fail' as const), child, attempt: fc.integer({ min: 1, max: 3 }), gaveUp: fc.boolean() }),
  fc.record({ what: fc.constant('end' as const), child, outcome: fc.constantFrom('done', 'stopped', 'killed', 'failed') }),
  fc.record({
    what: fc.constant('hand' as const),
    child,
    order: fc.constantFrom('child.stop', 'child.start', 'child.remove', 'unpark'),
  }),
  fc.record({ what: fc.constant('add' as const), id: fc.constantFrom('x', 'y') }),
  fc.record({ what: fc.constant('config' as const), specs, flags }),
);

/** Without `stay`: reports of whatever run the supervisor expects. */
function play(sup: Bench, s: typeof step extends fc.Arbitrary<infer T> ? T : never): void {
  const about = (id: string): { readonly run?: string; readonly child: string } => {
    const known = [...sup.state.children, ...Object.values(sup.state.instances)].find((c) => c.address === `desk/${id}`);
    return { child: `desk/${id}`, ...(known?.run !== undefined && { run: known.run }) };
  };
  switch (s.what) {
    case 'answer':
      for (let i = 0; i < s.count; i++) answer(sup);
      return;
    case 'time':
      sup.elapse(s.ms);
      return;
    case 'fail':
      sup.event({
        type: 'reprise.failed',
        ...about(s.child),
        attempt: s.attempt,
        event: 'm!1.0',
        error: { name: 'Error', message: 'x' },
        ...(s.gaveUp && { gaveUp: true }),
      });
      return;
    case 'end':
      sup.event({ type: 'reprise.stopped', ...about(s.child), outcome: s.outcome });
      return;
    case 'hand':
      sup.event({ type: `reprise.${s.order}`, child: `desk/${s.child}` });
      return;
    case 'add':
      sup.event({ type: 'reprise.child.add', spec: { id: s.id, address: `desk/${s.id}` } });
      return;
    case 'config':
      sup.configure(s.specs, s.flags);
      return;
  }
}

function answer(sup: Bench): boolean {
  const open = [...sup.state.children, ...Object.values(sup.state.instances)].find(
    (c) => c.status === 'starting' || c.status === 'stopping',
  );
  if (open === undefined) return false;
  const event: EventObject = {
    type: open.status === 'starting' ? 'reprise.started' : 'reprise.stopped',
    run: open.run,
    child: open.address,
    outcome: 'stopped',
  };
  sup.event(event);
  return true;
}

/** What is wrong with its books; nothing should be. */
function problems(sup: Bench): string[] {
  const { state } = sup;
  const all = [...state.children, ...Object.values(state.instances)];
  const runs = all.flatMap((c) => (c.run === undefined ? [] : [c.run]));
  const waiting = Object.values(state.waits).flat();
  const found: (string | false)[] = [
    new Set(runs).size < runs.length && 'a run is used twice',
    new Set(state.children.map((c) => c.key)).size < state.children.length && 'a child is there twice',
    all.some((c) => c.status === 'stopping' && state.operation?.stop[0] !== c.key) && 'one is being stopped out of turn',
    state.phase === 'up' && state.restarts.length > Math.max(state.flags.intensity, 4) && 'the budget is overspent',
    state.operation === null && state.queue.length > 0 && 'something waits for nothing',
    state.operation === null &&
      all.some((c) => c.status === 'restarting' && !waiting.includes(c.key)) &&
      'a restart is forgotten',
  ];
  return found.filter((problem) => problem !== false);
}

it('comes to rest: nobody is left starting, stopping or restarting', () => {
  fc.assert(
    fc.property(specs, flags, fc.array(step, { maxLength: 30 }), fc.boolean(), (children, given, steps, silent) => {
      const sup = new Bench().configure(children, given);
      for (const s of steps) {
        play(sup, s);
        expect(problems(sup)).toEqual([]);
      }
      // Either all answer from here on, or nobody ever does.
      for (let i = 0; i < 200; i++) if (silent || !answer(sup)) sup.elapse(5_000);
      expect(problems(sup)).toEqual([]);
      expect(sup.state.operation).toBeNull();
      expect(sup.state.waits).toEqual({});
      expect(sup.state.phase === 'up' || sup.state.phase === 'ended').toBe(true);
      const left =
        sup.state.phase === 'ended' ? [] : [...sup.state.children, ...Object.values(sup.state.instances)].map((c) => c.status);
      expect(
        left.filter((status) => status === 'stopping' || status === 'restarting' || (status === 'starting' && !silent)),
      ).toEqual([]);
    }),
    { seed: Number(process.env['REPRISE_SEED'] ?? 6), numRuns: Number(process.env['REPRISE_RUNS'] ?? 1_000) },
  );
});

it('an order to stop ends it, whatever it is about, within the sum of the deadlines', () => {
  fc.assert(
    fc.property(specs, flags, fc.array(step, { maxLength: 20 }), (children, given, steps) => {
      const sup = new Bench().configure(children, given);
      for (const s of steps) play(sup, s);
      const deadline = (sup.state.children.length + 1) * 5_000;
      sup.event({ type: 'reprise.stop', run: 'r', deadlineMs: deadline }).elapse(deadline);
      expect(sup.state.phase).toBe('ended');
    }),
    { seed: Number(process.env['REPRISE_SEED'] ?? 6), numRuns: Number(process.env['REPRISE_RUNS'] ?? 1_000) },
  );
});
