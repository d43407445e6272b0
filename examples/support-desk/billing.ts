/** The billing specialist: looks up the invoice of each order that a customer asks about. It says nothing of orders of others. */
import { assign, setup } from 'xstate';
import type { Claim } from './entities.ts';
import type { Finding } from './messages.ts';
import type { Order } from './policy.ts';
import { billingFinding, HANDED_OVER } from './replies.ts';
import { lookupOrder } from './tools.ts';

interface Input {
  readonly customer: string;
  readonly claims: readonly Claim[];
}
interface Context extends Input {
  /** In the order of the claims; null: none that this customer may know of. */
  readonly found: readonly (Order | null)[];
  readonly attempts: number;
}

const ATTEMPTS_MAX = 3;

export const billing = setup({
  types: { input: {} as Input, context: {} as Context, output: {} as Finding },
  actors: { lookup: lookupOrder },
  delays: { backoff: ({ context }) => 1_000 * 2 ** context.attempts, deadline: 10 * 60_000 },
  guards: {
    hasMore: ({ context }) => context.found.length < context.claims.length,
    mayTryAgain: ({ context }) => context.attempts < ATTEMPTS_MAX,
  },
}).createMachine({
  id: 'billing',
  version: '1',
  context: ({ input }) => ({ ...input, found: [], attempts: 0 }),
  initial: 'working',
  states: {
    working: {
      initial: 'choosing',
      after: { deadline: 'done' },
      states: {
        choosing: { always: [{ guard: 'hasMore', target: 'lookingUp' }, { target: '#billing.done' }] },
        lookingUp: {
          invoke: {
            id: 'lookup',
            src: 'lookup',
            input: ({ context }) => ({ order: context.claims[context.found.length]!.order }),
            onDone: {
              target: 'choosing',
              actions: assign({
                found: ({ context, event: { output } }) => [
                  ...context.found,
                  output.order?.email === context.customer ? output.order : null,
                ],
                attempts: 0,
              }),
            },
            onError: [
              {
                guard: 'mayTryAgain',
                target: 'lookingUpLater',
                actions: assign({ attempts: ({ context }) => context.attempts + 1 }),
              },
              { target: '#billing.done' },
            ],
          },
        },
        lookingUpLater: { after: { backoff: 'lookingUp' } },
      },
    },
    done: { type: 'final' },
  },
  output: ({ context: { claims, found } }) =>
    found.length < claims.length
      ? HANDED_OVER
      : billingFinding(claims.map(({ order }, i) => ({ number: order, order: found[i] ?? undefined }))),
});
