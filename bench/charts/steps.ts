/** W3: a run of journaled steps. Each step is a promise whose result is in the log before the next begins. */
import { assign, fromPromise, setup } from 'xstate';

/** Steps of one run. */
export const STEPS = 20;
const ANSWER = 'an answer of about a hundred characters, as a tool that looks up an order might give it to its agent';

export const runMachine = setup({
  types: { context: {} as { readonly done: number; readonly last: string } },
  actors: {
    work: fromPromise<{ readonly step: number; readonly answer: string }, { readonly step: number }>(async ({ input }) => ({
      step: input.step,
      answer: ANSWER,
    })),
  },
  guards: { isLast: ({ context }) => context.done === STEPS - 1 },
}).createMachine({
  id: 'run',
  version: '1',
  context: { done: 0, last: '' },
  initial: 'working',
  states: {
    working: {
      invoke: {
        id: 'work',
        src: 'work',
        input: ({ context }) => ({ step: context.done }),
        onDone: [
          { guard: 'isLast', target: 'finished' },
          {
            target: 'working',
            reenter: true,
            actions: assign(({ context, event }) => ({ done: context.done + 1, last: event.output.answer })),
          },
        ],
      },
    },
    finished: { type: 'final' },
  },
});
