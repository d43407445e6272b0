import { assign, createMachine, enqueueActions, fromPromise, fromTransition, raise, setup, spawnChild } from 'xstate';
import { describe, expect, test } from 'vitest';
import { effectsDigest } from '../../core/digest.ts';
import { MICROSTEPS_MAX, runAction } from '../../core/kernel.ts';
import type { ActionEffect } from '../../core/effect.ts';
import { dataOf, drive, throughJson, typed } from './drive.ts';

const never = fromPromise(() => new Promise<never>(() => {}));

/** A chart with something of everything that a snapshot holds. */
const rich = setup({
  types: typed<{ context: { n: number; list: { id: string; n: number }[] }; input: { n: number } }>(),
  actors: { call: never, child: createMachine({ id: 'child' }) },
  actions: { note: (_args, _params: { n: number }) => {} },
}).createMachine({
  id: 'rich',
  version: '3',
  type: 'parallel',
  context: ({ input }) => ({ n: input.n, list: [] }),
  states: {
    work: {
      initial: 'one',
      states: {
        one: { tags: 'busy', on: { NEXT: 'two' } },
        two: { on: { NEXT: 'one' }, initial: 'x', states: { x: { on: { IN: 'y' } }, y: {} } },
        back: { type: 'history', history: 'deep' },
      },
      on: { PAUSE: 'paused.on' },
    },
    paused: { initial: 'off', states: { off: {}, on: { invoke: { src: 'call', id: 'call' } } } },
  },
  entry: spawnChild('child', { id: 'kid' }),
  on: {
    ADD: {
      actions: [
        assign({ list: ({ context, self }) => [...context.list, { id: self.id, n: context.list.length }] }),
        { type: 'note', params: ({ context }) => ({ n: context.list.length }) },
      ],
    },
  },
});

describe('the contract', () => {
  test('init gives the first snapshot and its effects, step the next ones', () => {
    const d = drive(rich, { input: { n: 7 } });
    expect(d.effects).toEqual([{ kind: 'spawn', child: 'kid', src: 'child', input: undefined, sync: false }]);
    expect(d.send('ADD').map((e) => e.kind)).toEqual(['action']);
    expect(dataOf(d.effects)).toEqual([{ kind: 'action', type: 'note', params: { n: 1 } }]);
    expect(d.send('PAUSE')).toEqual([{ kind: 'spawn', child: 'call', src: 'call', input: undefined, sync: false }]);
    expect(d.logic.view(d.snapshot)).toEqual({
      status: 'active',
      value: { work: 'one', paused: 'on' },
      context: { n: 7, list: [{ id: 'a', n: 0 }] },
      tags: ['busy'],
      children: ['kid', 'call'],
    });
  });

  test('a step changes nothing that it was given: it can be taken again, and gives the same', () => {
    const d = drive(rich, { input: { n: 7 } });
    d.send('ADD', 'NEXT');
    const { snapshot, logic, env } = d;
    const before = [logic.digest(snapshot), JSON.stringify(logic.persist(snapshot))];
    const meta = { ts: 5, seed: 6 };
    const once = logic.step(env, snapshot, { type: 'ADD' }, meta, '9');
    logic.step(env, snapshot, { type: 'PAUSE' }, meta, '9');
    const twice = logic.step(env, snapshot, { type: 'ADD' }, meta, '9');
    expect([logic.digest(snapshot), JSON.stringify(logic.persist(snapshot))]).toEqual(before);
    expect(logic.digest(twice.snapshot)).toBe(logic.digest(once.snapshot));
    expect(effectsDigest(twice.effects)).toBe(effectsDigest(once.effects));
  });

  test('what is persisted is JSON, and restores to the same actor', () => {
    const d = drive(rich, { input: { n: 7 } });
    for (const event of ['ADD', 'NEXT', 'IN', 'PAUSE', 'ADD']) {
      d.send(event);
      const json = throughJson(d.logic.persist(d.snapshot));
      expect(json).toEqual(d.logic.persist(d.snapshot));
      const env = { address: 'a', parent: undefined };
      const restored = d.logic.restore(env, throughJson(json));
      expect(d.logic.persist(restored)).toEqual(json);
      expect(d.logic.digest(restored)).toBe(d.digest);
      const meta = { ts: 1, seed: 2 };
      const [live, again] = [
        d.logic.step(d.env, d.snapshot, { type: 'NEXT' }, meta, '50'),
        d.logic.step(env, restored, { type: 'NEXT' }, meta, '50'),
      ];
      expect(d.logic.persist(again.snapshot)).toEqual(d.logic.persist(live.snapshot));
    }
  });

  test('a history remembers states whose id has a dot in it', () => {
    const d = drive(
      createMachine({
        id: 'm',
        initial: 'on',
        states: {
          on: {
            initial: 'a',
            states: { a: { on: { NEXT: 'b' } }, b: { id: 'odd.id' }, back: { type: 'history' } },
            on: { OFF: 'off' },
          },
          off: { on: { ON: 'on.back' } },
        },
      }),
    );
    d.send('NEXT', 'OFF');
    const env = { address: 'a', parent: undefined };
    const restored = d.logic.restore(env, throughJson(d.logic.persist(d.snapshot)));
    expect(d.logic.digest(restored)).toBe(d.digest);
    const { snapshot } = d.logic.step(env, restored, { type: 'ON' }, { ts: 0, seed: 0 }, '9');
    expect(d.logic.view(snapshot).value).toEqual({ on: 'b' });
  });

  test('active states that XState itself has lost track of are those of the actor that comes back', () => {
    // A history state of a parallel root that was never left: nothing but the root is in XState's list, while the value says more.
    const d = drive(
      createMachine({
        id: 'm',
        type: 'parallel',
        context: { n: 0 },
        states: {
          s: { always: { guard: ({ context }) => context.n === 1, target: '#m.back', reenter: true, actions: assign({ n: 2 }) } },
          back: { type: 'history' },
        },
        on: { GO: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
      }),
    );
    for (const event of ['GO', 'GO', 'GO']) {
      d.send(event);
      const env = { address: 'a', parent: undefined };
      const restored = d.logic.restore(env, throughJson(d.logic.persist(d.snapshot)));
      const meta = { ts: 0, seed: 0 };
      const [live, again] = [
        d.logic.step(d.env, d.snapshot, { type: 'GO' }, meta, '9').snapshot,
        d.logic.step(env, restored, { type: 'GO' }, meta, '9').snapshot,
      ];
      expect([d.logic.digest(again), d.logic.view(again)]).toEqual([d.logic.digest(live), d.logic.view(live)]);
    }
  });

  test('one kernel a machine: actors share it and do not see each other', () => {
    const a = drive(rich, { address: 'a', input: { n: 1 } });
    const b = drive(rich, { address: 'b', input: { n: 2 } });
    expect(a.logic).toBe(b.logic);
    a.send('ADD');
    b.send('ADD', 'ADD');
    expect(a.context).toEqual({ n: 1, list: [{ id: 'a', n: 0 }] });
    expect(b.context).toEqual({
      n: 2,
      list: [
        { id: 'b', n: 0 },
        { id: 'b', n: 1 },
      ],
    });
  });

  test('an actor that has ended takes nothing more', () => {
    const machine = createMachine({
      initial: 'a',
      states: { a: { on: { END: 'z' } }, z: { type: 'final' } },
      output: { ok: true },
    });
    const d = drive(machine);
    expect(d.send('END')).toEqual([{ kind: 'terminate', status: 'done', output: { ok: true } }]);
    const { digest } = d;
    expect(d.send('END', 'END')).toEqual([]);
    expect(d.digest).toBe(digest);
  });

  test('a step that throws leaves nothing behind, not even what its actions did before', () => {
    const machine = createMachine({
      context: { n: 0 },
      on: {
        BAD: {
          actions: [
            assign({ n: 1 }),
            raise({ type: 'LATER' }, { delay: 10 }),
            assign(() => {
              throw new RangeError('no', { cause: new Error('because') });
            }),
          ],
        },
      },
    });
    const d = drive(machine);
    const { snapshot, digest } = d;
    expect(d.send('BAD')).toEqual([]);
    expect(d.snapshot).toBe(snapshot);
    expect(d.digest).toBe(digest);
    expect(d.failed).toEqual({ name: 'RangeError', message: 'no', cause: { name: 'Error', message: 'because' } });
  });

  test('an actor that cannot begin says why', () => {
    const d = drive(
      createMachine({
        context: () => {
          throw new TypeError('no input');
        },
      }),
    );
    expect([d.snapshot, d.failed]).toEqual([undefined, { name: 'TypeError', message: 'no input' }]);
  });

  test('the error of a child that nobody handles is the failure of the step', () => {
    const d = drive(setup({ actors: { call: never } }).createMachine({ invoke: { src: 'call', id: 'call' } }));
    d.send({ type: 'xstate.error.actor.call', actorId: 'call', error: { name: 'Error', message: 'down' } });
    expect(d.failed).toEqual({ name: 'Error', message: 'down' });
    expect(d.logic.view(d.snapshot).status).toBe('active');
  });

  test('a step that fails has learnt nothing of its children', () => {
    const d = drive(
      setup({ actors: { call: never } }).createMachine({
        initial: 'a',
        states: {
          a: {
            invoke: {
              src: 'call',
              id: 'call',
              onDone: {
                actions: assign(() => {
                  throw new Error('no');
                }),
              },
            },
            on: { LEAVE: 'b' },
          },
          b: {},
        },
      }),
    );
    const before = throughJson(d.logic.persist(d.snapshot));
    d.send({ type: 'xstate.done.actor.call', actorId: 'call', output: 1, via: 'a!1.0' });
    expect([d.failed?.message, d.logic.persist(d.snapshot)]).toEqual(['no', before]);
    expect(d.send('LEAVE')).toEqual([{ kind: 'stop', child: 'call' }]);
  });

  test('transition logic is logic like any other', () => {
    const d = drive(fromTransition((state, event: { type: string; by: number }) => ({ sum: state.sum + event.by }), { sum: 1 }));
    d.send({ type: 'ADD', by: 4 });
    expect(d.context).toEqual({ sum: 5 });
    const restored = d.logic.restore({ address: 'a', parent: undefined }, throughJson(d.logic.persist(d.snapshot)));
    expect(d.logic.digest(restored)).toBe(d.digest);
    d.send('xstate.stop');
    expect(d.logic.view(d.snapshot).status).toBe('stopped');
  });
});

describe('time and chance inside a step', () => {
  const seen = createMachine({
    context: () => ({
      at: Date.now(),
      date: new Date().toISOString(),
      text: Date(),
      dice: Math.random(),
      id: crypto.randomUUID(),
    }),
    on: {
      AGAIN: {
        guard: () => Date.now() === 1_000,
        actions: assign({ at: () => +new Date(), dice: () => Math.random(), id: () => crypto.randomUUID() }),
      },
    },
  });

  test('come from the record', () => {
    const d = drive(seen, { ts: 1_000 });
    expect(d.context['at']).toBe(1_000);
    expect(d.context['date']).toBe('1970-01-01T00:00:01.000Z');
    expect(d.context['text']).toBe(new Date(1_000).toString());
    expect(d.context['id']).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const first = d.context;
    d.send('AGAIN');
    expect([d.context['dice'], d.context['id']]).not.toEqual([first['dice'], first['id']]);
    const other = drive(seen, { ts: 1_000 });
    expect(other.context).toEqual(first);
    other.send('AGAIN');
    expect(other.context).toEqual(d.context);
  });

  test('differ from actor to actor and from step to step', () => {
    const ids = new Set<unknown>();
    for (const address of ['a', 'b', 'c']) {
      const d = drive(seen, { address });
      ids.add(d.context['id']);
      for (let i = 0; i < 20; i++) ids.add((d.send('AGAIN'), d.context['id']));
    }
    expect(ids.size).toBe(63);
  });

  test('are the real ones again after the step, also after one that threw', () => {
    const globals = () => [globalThis.Date, Math.random, Reflect.get(crypto, 'randomUUID')] as unknown[];
    const real = globals();
    const d = drive(
      createMachine({
        on: {
          BAD: {
            actions: assign(() => {
              throw new Error('no');
            }),
          },
        },
      }),
    );
    expect(globals()).toEqual(real);
    d.send('BAD');
    expect(d.failed?.message).toBe('no');
    expect(globals()).toEqual(real);
  });

  test('a step inside of a step has its own, and the outer one goes on where it was', () => {
    const inner = createMachine({ context: () => ({ at: Date.now(), dice: Math.random() }) });
    const outer = (nested: boolean) =>
      createMachine({
        context: () => {
          const first = Math.random();
          const child = nested ? drive(inner, { ts: 77, address: 'inner' }).context : {};
          return { first, child, at: Date.now(), second: Math.random() };
        },
      });
    const [plain, nested] = [drive(outer(false)).context, drive(outer(true)).context];
    expect(nested).toEqual({ ...plain, child: { at: 77, dice: expect.any(Number) } });
    expect(nested['child']).toEqual(drive(inner, { ts: 77, address: 'inner' }).context);
    expect(Date.now()).toBeGreaterThan(1e12);
  });

  test('custom actions are performed later, in real time', () => {
    const times: number[] = [];
    const d = drive(createMachine({ on: { GO: { actions: () => times.push(Date.now()) } } }), { ts: 1_000 });
    const [action] = d.send('GO');
    expect(times).toEqual([]);
    runAction(action as ActionEffect, 'a!2.0');
    expect(times[0]).toBeGreaterThan(1e12);
  });
});

describe('ids', () => {
  test('of anonymous children are those of the step, the same in each replay, whatever else runs', () => {
    const machine = setup({ actors: { call: never }, types: typed<{ context: { kids: string[] } }>() }).createMachine({
      context: ({ spawn }) => ({ kids: [spawn('call').id] }),
      on: {
        GO: { actions: [assign({ kids: ({ spawn }) => [spawn('call').id, spawn('call').id] }), spawnChild('call')] },
      },
    });
    const run = (): unknown => {
      const d = drive(machine);
      const first = d.effects.map((e) => e.kind === 'spawn' && e.child);
      return [first, d.send('GO').map((e) => e.kind === 'spawn' && e.child), d.context];
    };
    const once = run();
    drive(machine, { address: 'other' }).send('GO', 'GO');
    expect(run()).toEqual(once);
    expect(once).toEqual([['1~0'], ['2~0', '2~1', '2~2'], { kids: ['2~0', '2~1'] }]);
  });

  test('of timers without one are those of the step', () => {
    const d = drive(
      createMachine({
        on: { GO: { actions: [raise({ type: 'A' }, { delay: 1 }), raise({ type: 'B' }, { delay: 1, id: 'b' })] } },
      }),
    );
    expect(d.send('GO').map((e) => e.kind === 'timer' && e.timer)).toEqual(['2~t0', 'b']);
  });
});

describe('budgets', () => {
  test('a loop of raise, of always, and of both ends with STEP_BUDGET', () => {
    const loop = createMachine({ on: { A: { actions: raise({ type: 'B' }) }, B: { actions: raise({ type: 'A' }) } } });
    const always = createMachine({
      context: { n: 0 },
      initial: 'a',
      states: {
        a: { on: { A: 'b' } },
        b: { always: 'c' },
        c: { always: { target: 'b', actions: assign({ n: ({ context }) => context.n + 1 }) } },
      },
    });
    for (const machine of [loop, always]) {
      const d = drive(machine);
      const { snapshot } = d;
      expect(d.send('A')).toEqual([]);
      expect([d.failed?.code, d.snapshot]).toEqual(['STEP_BUDGET', snapshot]);
      expect(d.failed?.message).toContain(`more than ${MICROSTEPS_MAX} microsteps`);
    }
  });

  test('what stays below it passes, step after step', () => {
    const machine = createMachine({
      context: { n: 0 },
      initial: 'a',
      states: {
        a: {
          on: { GO: { actions: assign({ n: 0 }) } },
          always: { guard: ({ context }) => context.n < 400, actions: assign({ n: ({ context }) => context.n + 1 }) },
        },
      },
    });
    const d = drive(machine);
    for (let i = 0; i < 30; i++) {
      d.send('GO');
      expect([d.failed, d.context['n']]).toEqual([undefined, 400]);
    }
  });

  test('a step of too many effects ends with STEP_BUDGET', () => {
    const d = drive(
      createMachine({
        on: {
          GO: {
            actions: enqueueActions(({ enqueue }) => {
              for (let i = 0; i < 70_000; i++) enqueue.emit({ type: 'E' });
            }),
          },
        },
      }),
    );
    expect(d.send('GO')).toEqual([]);
    expect(d.failed?.code).toBe('STEP_BUDGET');
  });
});
