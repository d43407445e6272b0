/**
 * The approver of the demo, in the place of a person: thinks for a moment and answers by one rule. It keeps nothing: each request
 * becomes one delayed answer, which outlives a crash.
 */
import { type AnyActorRef, sendTo, setup } from 'xstate';
import type { ApprovalGiven, ApprovalRefused, ApprovalRequested } from './messages.ts';
import { approves } from './policy.ts';

export const approver = setup({
  types: { events: {} as ApprovalRequested & { readonly replyTo: AnyActorRef } },
  delays: { aMoment: 400 },
  actions: {
    decide: sendTo(
      ({ event }) => event.replyTo,
      ({ event }): ApprovalGiven | ApprovalRefused => ({
        type: approves(event.sum) ? 'approval.given' : 'approval.refused',
        order: event.order,
      }),
      { delay: 'aMoment' },
    ),
  },
}).createMachine({
  id: 'approver',
  version: '1',
  on: { 'approval.requested': { actions: 'decide' } },
});
