/** What XState's own restore forgets, and a restored actor must not: it would do something else than the one that was saved. */
import { expect, test } from 'vitest';
import { createMachine } from 'xstate';
import { machineLogic } from '../../core/kernel.ts';
import { envOf } from '../../core/fold.ts';

const machine = createMachine({
  id: 'r',
  version: '1',
  initial: 'a',
  states: { a: { tags: 'a' }, b: { tags: 'b' }, h: { type: 'history' } },
});
const logic = machineLogic(machine);
const env = envOf('root', { logic: 'r', input: null });
const saved = logic.persist(logic.init(env, undefined, { ts: 1, seed: 1 }, '1').snapshot) as object;

test.each([
  ['a history of nothing, which is not the same as none', { historyValue: { 'r.h': [] } }],
  ['active states that are not those of the value, as conflicting transitions leave them', { nodes: ['r', 'r.b'] }],
  ['no active state at all', { value: {}, nodes: [] }],
])('%s', (_, more) => {
  const json = { ...saved, ...more };
  const restored = logic.restore(env, structuredClone(json));
  expect(logic.persist(restored)).toEqual(json);
  expect(logic.digest(logic.restore(env, structuredClone(logic.persist(restored))))).toBe(logic.digest(restored));
});
