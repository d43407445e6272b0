/** The explorer itself, on models that are quickly seen through. */
import { describe, expect, test } from 'vitest';
import { at, explore, less, memo, type Model, put, Sets, type State, type To, Values } from './explore.ts';

const model = (init: State, steps: Model['steps'], more: Partial<Model> = {}): Model => ({
  name: 'test',
  init,
  steps,
  broken: () => undefined,
  settled: () => true,
  ...more,
});
/** A number that is doubled or incremented, up to a bound. */
const arithmetic =
  (max: number): Model['steps'] =>
  (state, to) => {
    const n = at(state, 0);
    if (n + 1 <= max) to(`${n} + 1`, [n + 1]);
    if (n * 2 <= max) to(`${n} * 2`, [n * 2]);
  };

describe('exploring', () => {
  test('meets every state once, and counts its steps', () => {
    const report = explore(model([1], arithmetic(100)));
    expect(report).toMatchObject({ name: 'test', states: 100, steps: 99 + 50, complete: true });
    expect(report.violation).toBeUndefined();
  });

  test('gives a shortest trace to what is wrong', () => {
    const { violation, complete } = explore(
      model([1], arithmetic(100), { broken: (state) => (at(state, 0) === 24 ? '24!' : undefined) }),
    );
    expect(complete).toBe(false);
    expect(violation).toEqual({ what: '24!', trace: ['1 + 1', '2 + 1', '3 * 2', '6 * 2', '12 * 2'] });
  });

  test('finds what is wrong at once, with an empty trace', () => {
    expect(explore(model([1], arithmetic(9), { broken: () => 'bad' })).violation).toEqual({ what: 'bad', trace: [] });
  });

  test('ends at its limit, and says so', () => {
    const report = explore(model([1], arithmetic(1_000)), 10);
    expect(report.complete).toBe(false);
    expect(report.states).toBeGreaterThan(10);
    expect(report.violation).toBeUndefined();
  });
});

describe('a stuck state', () => {
  /** 0 -> 1 -> 2, and by a fault 1 -> 3, from which `back` may lead on. */
  const trap =
    (back: (to: To) => void): Model['steps'] =>
    (state, to) => {
      if (at(state, 0) === 0) to('first', [1]);
      if (at(state, 0) === 1) to('second', [2]);
      if (at(state, 0) === 1) to('falls', [3], true);
      if (at(state, 0) === 3) back(to);
    };
  const ends = { settled: (state: State) => at(state, 0) === 2 };

  test('is one from which no settled state can be reached', () => {
    const { violation } = explore(
      model(
        [0],
        trap(() => undefined),
        ends,
      ),
    );
    expect(violation?.what).toMatch(/^stuck/);
    expect(violation?.trace).toEqual(['first', 'falls']);
  });

  test('is not freed by another fault', () => {
    expect(
      explore(
        model(
          [0],
          trap((to) => to('is helped', [2], true)),
          ends,
        ),
      ).violation?.trace,
    ).toEqual(['first', 'falls']);
  });

  test('nor by turning in a circle', () => {
    expect(
      explore(
        model(
          [0],
          trap((to) => to('turns', [3])),
          ends,
        ),
      ).violation?.what,
    ).toMatch(/^stuck/);
  });

  test('is none when a step leads on', () => {
    expect(
      explore(
        model(
          [0],
          trap((to) => to('climbs out', [0])),
          ends,
        ),
      ).violation,
    ).toBeUndefined();
  });
});

describe('parts of a state', () => {
  test('a value has one number, whoever asks; what comes back is no reference to what went in', () => {
    const values = new Values<{ readonly list: number[] }>();
    const list = [1];
    const id = values.id({ list });
    list.push(2);
    expect(values.at(id)).toEqual({ list: [1] });
    expect(values.id({ list: [1] })).toBe(id);
    expect(values.id({ list })).not.toBe(id);
  });

  test('a set has one number, in whatever order it was filled', () => {
    const sets = new Sets();
    const filled = sets.withAll(sets.empty, [3, 1, 2, 3]);
    expect(sets.of(filled)).toEqual([1, 2, 3]);
    expect(sets.withAll(sets.empty, [2, 3, 1])).toBe(filled);
    expect(sets.without(sets.without(sets.without(filled, 2), 1), 3)).toBe(sets.empty);
    expect(sets.without(filled, 9)).toBe(filled);
  });

  test('memo works a function out once for each pair', () => {
    const calls: string[] = [];
    const sum = memo((a, b) => {
      calls.push(`${a} ${b}`);
      return a === 0 ? undefined : a + b;
    });
    expect([sum(1, 2), sum(2, 1), sum(1, 2), sum(1), sum(0, 5), sum(0, 5)]).toEqual([3, 3, 3, 1, undefined, undefined]);
    expect(calls).toEqual(['1 2', '2 1', '1 0', '0 5']);
  });

  test('put changes a copy; less is one fewer', () => {
    const state = [5, 6, 7];
    expect(put(state, [0, 1], less(state, 2))).toEqual([1, 6, 6]);
    expect(state).toEqual([5, 6, 7]);
  });
});
