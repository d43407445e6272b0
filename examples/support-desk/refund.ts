/**
 * The refund specialist: goes through the orders that a customer wants refunded, one at a time. It looks each up, judges it by the
 * rules of the shop, has a sum above the limit approved, and posts. A posting that failed is never tried again from here: its
 * gateway has done so under the same key, and what it could not settle is for a person.
 */
import { type AnyActorRef, assign, sendTo, setup } from 'xstate';
import type { Claim } from './entities.ts';
import {
  APPROVER,
  type ApprovalGiven,
  type ApprovalRefused,
  type ApprovalRequested,
  type Finding,
  type Ruling,
  type Verdict,
} from './messages.ts';
import type { Money } from './money.ts';
import { judge, type Judgement } from './policy.ts';
import { NO_ORDER, refundFinding } from './replies.ts';
import { lookupOrder, postRefund } from './tools.ts';

interface Input {
  readonly customer: string;
  readonly askedOn: string;
  readonly claims: readonly Claim[];
}
interface Context extends Input {
  readonly rulings: readonly Ruling[];
  /** Of the order in hand. */
  readonly judgement: Judgement | null;
  readonly attempts: number;
}

const ATTEMPTS_MAX = 3;

const claimOf = (context: Context): Claim => context.claims[context.rulings.length]!;
/** The sum that the order in hand is good for, if it is. */
const dueOf = ({ judgement }: Context): Money | undefined =>
  judgement !== null && 'refund' in judgement ? judgement.refund : undefined;

export const refund = setup({
  types: {
    input: {} as Input,
    context: {} as Context,
    events: {} as ApprovalGiven | ApprovalRefused,
    output: {} as Finding,
  },
  actors: { lookup: lookupOrder, post: postRefund },
  delays: { backoff: ({ context }) => 1_000 * 2 ** context.attempts, approvalDeadline: 30 * 60_000, deadline: 60 * 60_000 },
  guards: {
    hasNoOrder: ({ context }) => context.claims.length === 0,
    hasMore: ({ context }) => context.rulings.length < context.claims.length,
    mayTryAgain: ({ context }) => context.attempts < ATTEMPTS_MAX,
    isRefused: ({ context: { judgement } }) => judgement !== null && 'refuse' in judgement,
    needsApproval: ({ context: { judgement } }) => judgement !== null && 'refund' in judgement && judgement.approval,
    /** An answer about an order that is no longer in hand decides nothing. */
    isAboutThis: ({ context, event }) => 'order' in event && event.order === claimOf(context).order,
  },
  actions: {
    rule: assign({
      rulings: ({ context }, verdict: Verdict) => {
        const sum = dueOf(context) ?? claimOf(context).sum;
        return [...context.rulings, { order: claimOf(context).order, verdict, ...(sum !== undefined && { sum }) }];
      },
      judgement: null,
      attempts: 0,
    }),
    ruleTheRest: assign({
      rulings: ({ context }) => [
        ...context.rulings,
        ...context.claims.slice(context.rulings.length).map(({ order }): Ruling => ({ order, verdict: 'not-posted' })),
      ],
    }),
    requestApproval: sendTo(
      ({ system }) => system.get(APPROVER)!,
      ({ context, self }): ApprovalRequested & { replyTo: AnyActorRef } => ({
        type: 'approval.requested',
        order: claimOf(context).order,
        sum: dueOf(context)!,
        replyTo: self,
      }),
    ),
  },
}).createMachine({
  id: 'refund',
  version: '1',
  context: ({ input }) => ({ ...input, rulings: [], judgement: null, attempts: 0 }),
  initial: 'working',
  states: {
    working: {
      initial: 'choosing',
      after: { deadline: { target: 'done', actions: 'ruleTheRest' } },
      states: {
        choosing: {
          always: [
            { guard: 'hasNoOrder', target: '#refund.done', actions: assign({ rulings: [NO_ORDER] }) },
            { guard: 'hasMore', target: 'lookingUp' },
            { target: '#refund.done' },
          ],
        },
        lookingUp: {
          invoke: {
            id: 'lookup',
            src: 'lookup',
            input: ({ context }) => ({ order: claimOf(context).order }),
            onDone: {
              target: 'judging',
              actions: assign({
                judgement: ({ context, event }) => judge(claimOf(context), event.output, context.customer, context.askedOn),
              }),
            },
            onError: [
              {
                guard: 'mayTryAgain',
                target: 'lookingUpLater',
                actions: assign({ attempts: ({ context }) => context.attempts + 1 }),
              },
              { target: 'choosing', actions: { type: 'rule', params: 'not-posted' } },
            ],
          },
        },
        lookingUpLater: { after: { backoff: 'lookingUp' } },
        judging: {
          always: [
            {
              guard: 'isRefused',
              target: 'choosing',
              actions: { type: 'rule', params: ({ context }) => (context.judgement as { refuse: Verdict }).refuse },
            },
            { guard: 'needsApproval', target: 'awaitingApproval' },
            { target: 'posting' },
          ],
        },
        awaitingApproval: {
          tags: 'approval',
          entry: 'requestApproval',
          on: {
            'approval.given': { guard: 'isAboutThis', target: 'posting' },
            'approval.refused': { guard: 'isAboutThis', target: 'choosing', actions: { type: 'rule', params: 'not-approved' } },
          },
          after: { approvalDeadline: { target: 'choosing', actions: { type: 'rule', params: 'not-decided' } } },
        },
        posting: {
          invoke: {
            id: 'post',
            src: 'post',
            input: ({ context }) => ({
              order: claimOf(context).order,
              amount_minor: dueOf(context)!.minor,
              currency: dueOf(context)!.currency,
              reason: `asked for on ${context.askedOn}`,
            }),
            onDone: { target: 'choosing', actions: { type: 'rule', params: 'refunded' } },
            onError: { target: 'choosing', actions: { type: 'rule', params: 'not-posted' } },
          },
        },
      },
    },
    done: { type: 'final' },
  },
  output: ({ context }) => refundFinding(context.rulings),
});
