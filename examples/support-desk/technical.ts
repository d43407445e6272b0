/** The technical specialist: answers with the article on what does not work, as it stands in the folder of articles today. */
import { assign, setup } from 'xstate';
import { articleFile, type Finding } from './messages.ts';
import { HANDED_OVER, technicalFinding } from './replies.ts';
import { readFile } from './tools.ts';

interface Input {
  readonly topic: string | undefined;
}
interface Context {
  readonly topic: string | null;
  readonly article: string | null;
  readonly attempts: number;
}

const ATTEMPTS_MAX = 3;

export const technical = setup({
  types: { input: {} as Input, context: {} as Context, output: {} as Finding },
  actors: { read: readFile },
  delays: { backoff: ({ context }) => 1_000 * 2 ** context.attempts, deadline: 10 * 60_000 },
  guards: {
    knowsTheTopic: ({ context }) => context.topic !== null,
    mayTryAgain: ({ context }) => context.attempts < ATTEMPTS_MAX,
  },
}).createMachine({
  id: 'technical',
  version: '1',
  context: ({ input }) => ({ topic: input.topic ?? null, article: null, attempts: 0 }),
  initial: 'choosing',
  states: {
    choosing: { always: [{ guard: 'knowsTheTopic', target: 'working' }, { target: 'done' }] },
    working: {
      initial: 'reading',
      after: { deadline: 'done' },
      states: {
        reading: {
          invoke: {
            id: 'read',
            src: 'read',
            input: ({ context }) => ({ path: articleFile(context.topic!) }),
            onDone: { target: '#technical.done', actions: assign({ article: ({ event }) => event.output.content }) },
            onError: [
              {
                guard: 'mayTryAgain',
                target: 'readingLater',
                actions: assign({ attempts: ({ context }) => context.attempts + 1 }),
              },
              { target: '#technical.done' },
            ],
          },
        },
        readingLater: { after: { backoff: 'reading' } },
      },
    },
    done: { type: 'final' },
  },
  output: ({ context: { topic, article } }) =>
    topic === null || article === null ? HANDED_OVER : technicalFinding(topic, article),
});
