/** What a state has in `on`, and which types of events that means. */
import { describe, expect, test } from 'vitest';
import { fromPromise, setup } from 'xstate';
import { machineLogic } from '../../core/kernel.ts';
import { isTaken } from '../../core/logic.ts';

const machine = setup({ actors: { call: fromPromise(() => Promise.resolve(1)) }, delays: { soon: 1_000 } }).createMachine({
  id: 'order',
  version: '1',
  initial: 'open',
  states: {
    open: {
      initial: 'empty',
      states: { empty: { on: { add: 'full', never: {} } }, full: { on: { 'item.*': 'empty' } } },
      on: { pay: 'paid' },
      after: { soon: 'gone' },
      invoke: { src: 'call' },
    },
    paid: { on: { '*': 'gone' } },
    gone: { type: 'final' },
  },
  on: { look: { actions: () => undefined } },
});
const logic = machineLogic(machine);
const env = { address: 'order', parent: undefined };
const meta = { ts: 0, seed: 1 };

/** After these events, restored as from a checkpoint. */
function takes(...types: readonly string[]): readonly string[] {
  let { snapshot } = logic.init(env, undefined, meta, '1');
  for (const [i, type] of types.entries()) ({ snapshot } = logic.step(env, snapshot, { type }, meta, String(i + 2)));
  const found = logic.takes?.(snapshot);
  expect(logic.takes?.(logic.restore(env, logic.persist(snapshot)))).toEqual(found);
  return (found ?? []).filter((type) => !type.startsWith('xstate.'));
}

test('a state takes what it, those above it and the machine have in `on`, but for what they forbid', () => {
  expect(takes().toSorted()).toEqual(['add', 'look', 'pay']);
  expect(takes('add').toSorted()).toEqual(['item.*', 'look', 'pay']);
  expect(takes('pay').toSorted()).toEqual(['*', 'look']);
  expect(takes('pay', 'whatever')).toEqual([]);
});

describe('a type is meant', () => {
  test.each([
    ['by its name', ['a'], 'a', true],
    ['not by another', ['a', 'ab', 'a.b'], 'b', false],
    ['by *', ['*'], 'anything', true],
    ['by what it begins with', ['item.*'], 'item.added', true],
    ['by all of its parts', ['item.*'], 'item', true],
    ['not by the half of a part', ['item.*'], 'items.added', false],
  ])('%s', (_how, names, type, expected) => {
    expect(isTaken(names, type)).toBe(expected);
    // As XState has it.
    const on = Object.fromEntries(names.map((name) => [name, 'b']));
    const chart = setup({}).createMachine({ id: 'm', initial: 'a', states: { a: { on }, b: {} } });
    const { snapshot } = machineLogic(chart).init(env, undefined, meta, '1');
    const next = machineLogic(chart).step(env, snapshot, { type }, meta, '2');
    expect(machineLogic(chart).view(next.snapshot).value).toBe(expected ? 'b' : 'a');
  });
});
