/** The place where code of a user threw: of what a step threw, by whatever way. */
import { describe, expect, test } from 'vitest';
import { assign, setup } from 'xstate';
import { machineLogic } from '../../core/kernel.ts';
import { isOfUser, thrownAt } from '../../core/thrown.ts';

const HERE = /\/test\/kernel\/thrown\.test\.ts:\d+:\d+$/;
const fail = (): never => {
  throw new RangeError('no');
};
const logic = machineLogic(
  setup({
    types: { context: {} as { n: number } },
    guards: { bad: fail },
  }).createMachine({
    id: 'm',
    context: { n: 0 },
    on: {
      here: { actions: assign({ n: fail }) },
      json: { actions: assign({ n: () => JSON.parse('{') as number }) },
      text: {
        actions: assign({
          n: () => {
            // eslint-disable-next-line no-throw-literal
            throw 'a text';
          },
        }),
      },
      fine: { actions: assign({ n: 1 }) },
    },
  }),
);
const env = { address: 'm', parent: undefined };
const meta = { ts: 0, seed: 1 };
const step = (type: string) => logic.step(env, logic.init(env, undefined, meta, '1').snapshot, { type }, meta, '2');

describe('a step that throws names its place', () => {
  test.each(['here', 'json'])('%s', (type) => {
    const { failed, thrown } = step(type);
    expect(failed).toBeDefined();
    expect(thrownAt(thrown)).toMatch(HERE);
  });
  test('and none where nothing tells, or nothing is wrong', () => {
    expect(thrownAt(step('text').thrown)).toBeUndefined();
    expect(step('fine').thrown).toBeUndefined();
  });
});

test('frames of packages, of Reprise and of whoever called for the step are not of the user', () => {
  const [repo = ''] = import.meta.dirname.split('/test/');
  const stack = (...frames: readonly string[]): Error =>
    Object.assign(new Error('x'), { stack: `Error: x\n${frames.map((frame) => `    at ${frame}\n`).join('')}` });
  const helper = `Helper (file://${repo}/actors/tool.ts:1:2)`;
  const lib = 'lib (/srv/shop/node_modules/lib/index.js:3:4)';
  const user = 'n (file:///srv/shop/order.ts?v=2:12:30)';
  const below = `Kernel.run (file://${repo}/core/kernel.ts:5:6)`;
  expect(thrownAt(stack('node:internal/x:1:1', lib, helper, user, below))).toBe('/srv/shop/order.ts:12:30');
  expect(thrownAt(stack(lib, below, user))).toBeUndefined();
  expect([isOfUser(`${repo}/core/fold.ts`), isOfUser('/srv/core/fold.ts')]).toEqual([false, true]);
});
