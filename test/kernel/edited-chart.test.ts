/** Between two runs everyone edits their agent: does a saved state fit the new chart, and is an edit seen at all? */
import { fromPromise } from 'xstate';
import { describe, expect, test } from 'vitest';
import { machineLogic } from '../../core/kernel.ts';
import { drive, throughJson } from './drive.ts';
import { type Args, assign, chart } from './loose.ts';

const call = fromPromise(async () => 1);

/** What `then` and `now` differ in: reasons why what was saved by `then`, after `events`, does not fit `now`. */
function reasons(then: object, now: object, events: readonly string[] = [], timers: readonly string[] = []): readonly string[] {
  const implementations = { actors: { call, other: call } };
  const d = drive(chart({ id: 'm', ...then }, implementations));
  d.send(...events);
  const set = d.effects.flatMap((e) => (e.kind === 'timer' ? [e.event.type] : []));
  const saved = throughJson(d.logic.persist(d.snapshot));
  return machineLogic(chart({ id: 'm', ...now }, implementations)).incompatibilities(saved, [...set, ...timers]);
}

const two = { initial: 'a', states: { a: { on: { GO: 'b' } }, b: {} } };

describe('a saved state fits', () => {
  test.each<[name: string, then: object, now: object, events?: string[]]>([
    ['the chart that wrote it', two, two, ['GO']],
    [
      'a chart with one more state',
      two,
      { initial: 'a', states: { a: { on: { GO: 'b' } }, b: { on: { NEXT: 'c' } }, c: {} } },
      ['GO'],
    ],
    ['a chart that has lost a state that it is not in', two, { initial: 'b', states: { b: {} } }, ['GO']],
    ['a chart with another action, guard or context', two, { ...two, entry: () => {}, context: { n: 1 } }],
    [
      'a history that remembers states which are still there',
      { initial: 'a', states: { a: { initial: 'x', states: { x: {}, h: { type: 'history' } }, on: { GO: 'b' } }, b: {} } },
      { initial: 'a', states: { a: { initial: 'y', states: { x: {}, y: {}, h: { type: 'history' } }, on: { GO: 'b' } }, b: {} } },
      ['GO'],
    ],
  ])('%s', (_, then, now, events) => {
    expect(reasons(then, now, events)).toEqual([]);
  });
});

describe('it does not fit, and the reason is one that people can read', () => {
  test.each<[name: string, then: object, now: object, events: string[], reason: string]>([
    [
      'a state was renamed',
      two,
      { initial: 'a', states: { a: {}, bb: {} } },
      ['GO'],
      "state 'm.b' is not in the chart any more (there are: 'a', 'bb')",
    ],
    [
      'a state got states',
      two,
      { initial: 'a', states: { a: {}, b: { initial: 'x', states: { x: {} } } } },
      ['GO'],
      "state 'm.b' has states of its own now ('x')",
    ],
    [
      'a state lost its states',
      { initial: 'b', states: { b: { initial: 'x', states: { x: {} } } } },
      { initial: 'b', states: { b: {} } },
      [],
      "'m.b' has no states any more",
    ],
    [
      'a region was added',
      { type: 'parallel', states: { p: {}, q: {} } },
      { type: 'parallel', states: { p: {}, q: {}, r: {} } },
      [],
      "'m.r' is a new region of 'm', which the saved state is in",
    ],
    [
      'parallel became one of several',
      { type: 'parallel', states: { p: {}, q: {} } },
      { initial: 'p', states: { p: {}, q: {} } },
      [],
      "'m' was parallel and is not any more",
    ],
    [
      'a state became a history',
      two,
      { initial: 'a', states: { a: {}, b: { type: 'history' } } },
      ['GO'],
      "'m.b' is a history state now",
    ],
    [
      'a history is gone',
      { initial: 'a', states: { a: { initial: 'x', states: { x: {}, h: { type: 'history' } }, on: { GO: 'b' } }, b: {} } },
      { initial: 'a', states: { a: { initial: 'x', states: { x: {} }, on: { GO: 'b' } }, b: {} } },
      ['GO'],
      "history state 'm.a.h' is not in the chart any more",
    ],
    [
      'a history remembers a state that is gone',
      { initial: 'a', states: { a: { initial: 'x', states: { x: {}, h: { type: 'history' } }, on: { GO: 'b' } }, b: {} } },
      { initial: 'a', states: { a: { initial: 'y', states: { y: {}, h: { type: 'history' } }, on: { GO: 'b' } }, b: {} } },
      ['GO'],
      "history of 'm.a.h' remembers state 'm.a.x', which is not in the chart any more",
    ],
    [
      'an invoke was added to the state that it is in',
      { initial: 'a', states: { a: {} } },
      { initial: 'a', states: { a: { invoke: { src: 'call', id: 'c' } } } },
      [],
      "state 'm.a' invokes 'c', which was never started: the saved state was entered without it",
    ],
    [
      'an invoke has another source',
      { initial: 'a', states: { a: { invoke: { src: 'call', id: 'c' } } } },
      { initial: 'a', states: { a: { invoke: { src: 'other', id: 'c' } } } },
      [],
      "state 'm.a' invokes 'c' from 'other'; the one that runs was started from 'call'",
    ],
    [
      'a timer was added to the state that it is in',
      { initial: 'a', states: { a: {}, b: {} } },
      { initial: 'a', states: { a: { after: { 1_000: 'b' } }, b: {} } },
      [],
      "state 'm.a' has an `after` now ('xstate.after.1000.m.a') that was not there when it was entered, so nothing would wake it",
    ],
  ])('%s', (_, then, now, events, reason) => {
    expect(reasons(then, now, events)).toEqual([reason]);
  });

  test('a literal delay was edited: the timer that is set waits for nothing, and the state waits for another', () => {
    const waits = (ms: number): object => ({ initial: 'a', states: { a: { after: { [ms]: 'b' } }, b: {} } });
    expect(reasons(waits(60_000), waits(30_000))).toEqual([
      "state 'm.a' has an `after` now ('xstate.after.30000.m.a') that was not there when it was entered, so nothing would wake it",
      "timer 'xstate.after.60000.m.a' is set, but no state has such an 'after' any more ('m.a' has: 'xstate.after.30000.m.a')",
    ]);
  });

  test('a source is gone that a child was spawned from', () => {
    const d = drive(
      chart(
        { id: 'm', entry: assign(({ spawn }) => ({ kid: spawn('call', { id: 'kid' }) })), context: {} },
        { actors: { call } },
      ),
    );
    const saved = throughJson(d.logic.persist(d.snapshot));
    const now = machineLogic(chart({ id: 'm' }, { actors: { other: call } }));
    expect(now.incompatibilities(saved, [])).toEqual([
      "child 'kid' was spawned from 'call', which the chart no longer has (it has: 'other')",
    ]);
    expect(() => now.restore({ address: 'a', parent: undefined }, saved)).toThrow(
      /a: child 'kid' was spawned from 'call', which 'm' does not have/,
    );
  });

  test('something that is no snapshot', () => {
    const { logic } = drive(chart({ id: 'm' }));
    for (const json of [null, 5, 'text', {}, { value: 'a' }])
      expect(logic.incompatibilities(json, [])).toEqual(['it is no snapshot of a machine']);
  });

  test('nothing is asked of an actor that has ended', () => {
    expect(reasons({ initial: 'z', states: { z: { type: 'final' } } }, { initial: 'y', states: { y: {} } })).toEqual([]);
  });
});

describe('the hash of a definition', () => {
  const base = (): object => ({
    id: 'm',
    initial: 'a',
    context: { n: 1 },
    states: { a: { on: { GO: { target: 'b', guard: ({ context }: Args) => context.n > 0 } } }, b: { after: { soon: 'a' } } },
  });
  const hash = (config: object, implementations: object = {}): string => machineLogic(chart(config, implementations)).hash;

  test('is the same for the same text, in another process and another order of members too', () => {
    expect(hash(base())).toBe(hash(base()));
    expect(hash({ states: { b: {}, a: {} }, initial: 'a' })).toBe(hash({ initial: 'a', states: { a: {}, b: {} } }));
    expect(hash(base())).toMatch(/^[0-9a-f]{14}$/);
  });

  test.each<[name: string, config: object, implementations?: object]>([
    ['a state', { ...base(), states: { a: {}, c: {} } }],
    ['the context', { ...base(), context: { n: 2 } }],
    [
      'the text of a guard',
      {
        ...base(),
        states: { a: { on: { GO: { target: 'b', guard: ({ context }: Args) => context.n > 1 } } }, b: { after: { soon: 'a' } } },
      },
    ],
    ['a version', { ...base(), version: '2' }],
    ['an action that is registered', base(), { actions: { note: () => 1 } }],
    ['a delay that is registered', base(), { delays: { soon: 5 } }],
    ['what an assign does', { ...base(), entry: assign(({ context }) => ({ n: context.n + 1 })) }],
    ['the logic of a child', base(), { actors: { call } }],
    ['a child machine', base(), { actors: { call: chart({ id: 'x' }) } }],
  ])('changes with %s', (_, config, implementations) => {
    expect(hash(config, implementations)).not.toBe(hash(base()));
  });

  test('sees what a builder of XState was given', () => {
    const by = (n: number): string => hash({ ...base(), entry: assign({ n }) });
    expect(by(1)).not.toBe(by(2));
  });

  test('does not change with descriptions', () => {
    expect(hash({ ...base(), description: 'for people' })).toBe(hash(base()));
  });

  test('of a machine that contains itself can be made', () => {
    const machine = chart({ id: 'm' });
    (machine.implementations.actors as Record<string, unknown>)['self'] = machine;
    expect(machineLogic(machine).hash).toMatch(/^[0-9a-f]{14}$/);
  });
});
