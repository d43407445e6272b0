/**
 * Triage, a member of the pool `desk/triage`: asks the model what a mail wants, one mail at a time, in the order in which they came.
 * A model that answers something else is asked once more; a mail that it cannot read goes back as failed.
 */
import { assign, sendTo, setup } from 'xstate';
import type { TriageFailed, TriageFound, TriageRequested } from './messages.ts';
import { readTriage, triageRequest } from './triage-format.ts';
import { triageModel } from './tools.ts';

/** The asker, as an address: context keeps no references. */
interface Question {
  readonly subject: string;
  readonly text: string;
  readonly replyTo: string;
}
interface Context {
  readonly queue: readonly Question[];
  readonly attempts: number;
}

const ATTEMPTS_MAX = 2;

export const triage = setup({
  types: { context: {} as Context, events: {} as TriageRequested & { readonly replyTo: { readonly id: string } } },
  actors: { model: triageModel },
  guards: {
    hasWork: ({ context }) => context.queue.length > 0,
    mayAskAgain: ({ context }) => context.attempts < ATTEMPTS_MAX,
  },
  actions: {
    enqueue: assign({
      queue: ({ context, event: { subject, text, replyTo } }) => [...context.queue, { subject, text, replyTo: replyTo.id }],
    }),
    reply: sendTo(
      ({ context, system }) => system.get(context.queue[0]!.replyTo)!,
      (_, answer: TriageFound | TriageFailed) => answer,
    ),
    next: assign({ queue: ({ context }) => context.queue.slice(1), attempts: 0 }),
  },
}).createMachine({
  id: 'triage',
  version: '1',
  context: { queue: [], attempts: 0 },
  on: { 'triage.requested': { actions: 'enqueue' } },
  initial: 'idle',
  states: {
    idle: { always: { guard: 'hasWork', target: 'asking' } },
    asking: {
      entry: assign({ attempts: ({ context }) => context.attempts + 1 }),
      invoke: {
        id: 'model',
        src: 'model',
        input: ({ context }) => triageRequest(context.queue[0]!.subject, context.queue[0]!.text),
        onDone: [
          {
            guard: ({ context, event }) =>
              readTriage(event.output, context.queue[0]!.subject, context.queue[0]!.text) !== undefined,
            target: 'idle',
            actions: [
              {
                type: 'reply',
                params: ({ context, event }) => ({
                  type: 'triage.found',
                  ...readTriage(event.output, context.queue[0]!.subject, context.queue[0]!.text)!,
                }),
              },
              'next',
            ],
          },
          { guard: 'mayAskAgain', target: 'asking', reenter: true },
          { target: 'idle', actions: [{ type: 'reply', params: { type: 'triage.failed' } }, 'next'] },
        ],
        onError: { target: 'idle', actions: [{ type: 'reply', params: { type: 'triage.failed' } }, 'next'] },
      },
    },
  },
});
