/** Small machines for the tests of mesh and CLI. */
import { type AnyActorRef, assign, enqueueActions, setup } from 'xstate';

/** Keeps whom it greeted, and answers who asks. */
export const greeter = setup({
  types: {
    context: {} as { greeted: readonly string[] },
    events: {} as { type: 'greet'; name: string; replyTo?: AnyActorRef },
  },
}).createMachine({
  id: 'greeter',
  version: '1',
  context: { greeted: [] },
  on: {
    greet: {
      actions: [
        assign({ greeted: ({ context, event }) => [...context.greeted, event.name] }),
        enqueueActions(({ event, enqueue }) => {
          if (event.replyTo !== undefined) enqueue.sendTo(event.replyTo, { type: 'hello', text: `Hello, ${event.name}!` });
        }),
      ],
    },
  },
});
