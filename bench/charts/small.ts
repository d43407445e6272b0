/** Three states in a circle, one assign. */
import { assign, setup } from 'xstate';

const count = assign<{ n: number }, { type: 'next' }, undefined, { type: 'next' }, never>({ n: ({ context }) => context.n + 1 });

export const small = setup({ types: { context: {} as { n: number }, events: {} as { type: 'next' } } }).createMachine({
  id: 'small',
  version: '1',
  context: { n: 0 },
  initial: 'a',
  states: {
    a: { on: { next: { target: 'b', actions: count } } },
    b: { on: { next: { target: 'c', actions: count } } },
    c: { on: { next: { target: 'a', actions: count } } },
  },
});

export const smallCycle = [{ type: 'next' }] as const;
