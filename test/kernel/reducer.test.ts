import { describe, expect, test } from 'vitest';
import { reducer } from '../../core/reducer.ts';

const counter = reducer<{ readonly n: number; readonly dice: readonly number[] }, { readonly n: number }>({
  id: 'counter',
  version: '1',
  init: (input, ctx) => ({ state: { n: input.n, dice: [ctx.random()] }, effects: [] }),
  step: (state, event, ctx) => {
    if (event.type === 'BOOM') throw new RangeError('boom');
    if (event.type === 'END') return { state, effects: [{ kind: 'terminate', status: 'done', output: state.n }] };
    return {
      state: { n: state.n + 1, dice: [...state.dice, ctx.random(), ctx.random()] },
      effects: [{ kind: 'log', value: [ctx.address, ctx.parent, ctx.ts] }],
    };
  },
});
const env = { address: 'a', parent: 'p' };

describe('logic from a plain function', () => {
  const init = counter.init(env, { n: 1 }, { ts: 5, seed: 6 }, '1');

  test('steps from state to state, and ends with its terminate effect', () => {
    const next = counter.step(env, init.snapshot, { type: 'UP' }, { ts: 7, seed: 8 }, '2');
    expect(next.effects).toEqual([{ kind: 'log', value: ['a', 'p', 7] }]);
    expect(counter.view(next.snapshot)).toMatchObject({ status: 'active', context: { n: 2 } });
    const end = counter.step(env, next.snapshot, { type: 'END' }, { ts: 9, seed: 1 }, '3');
    expect(counter.view(end.snapshot)).toMatchObject({ status: 'done', output: 2 });
  });

  test('is pure: the same time and seed give the same numbers, another seed others', () => {
    const step = (seed: number): unknown => counter.step(env, init.snapshot, { type: 'UP' }, { ts: 7, seed }, '2').snapshot;
    expect(step(8)).toEqual(step(8));
    expect(step(8)).not.toEqual(step(9));
    for (const x of (counter.view(init.snapshot).context as { dice: number[] }).dice) expect(x >= 0 && x < 1).toBe(true);
  });

  test('a step that throws has failed', () => {
    expect(counter.step(env, init.snapshot, { type: 'BOOM' }, { ts: 0, seed: 0 }, '2')).toEqual({
      snapshot: undefined,
      effects: [],
      failed: { name: 'RangeError', message: 'boom' },
    });
  });

  test('its state is its persisted form, and digests the same when it comes back', () => {
    const json = JSON.parse(JSON.stringify(counter.persist(init.snapshot))) as unknown;
    expect(counter.digest(counter.restore(env, json))).toBe(counter.digest(init.snapshot));
    expect([counter.incompatibilities(json, []), counter.incompatibilities({ x: 1 }, [])]).toEqual([
      [],
      ["it is no state of 'counter'"],
    ]);
  });
});
