/**
 * One case, one mail: has it sorted, gives each thing that it wants to a specialist, writes the one reply, and tells intake. Whatever
 * fails on the way becomes a sentence in the reply; a case ends in any case.
 */
import { assign, forwardTo, sendTo, setup } from 'xstate';
import { billing } from './billing.ts';
import type { Mail } from './mail.ts';
import {
  type ApprovalGiven,
  type ApprovalRefused,
  type CaseClosed,
  type Finding,
  INTAKE,
  type Intent,
  type MailArrived,
  outboxFile,
  type Request,
} from './messages.ts';
import { refund } from './refund.ts';
import { HANDED_OVER, replyTo, SPAM, UNCLEAR } from './replies.ts';
import { technical } from './technical.ts';
import { triagePool, writeFile } from './tools.ts';

interface Context {
  readonly mail: Mail | null;
  /** What is still to be done, the request in hand first. */
  readonly todo: readonly Request[];
  readonly findings: readonly Finding[];
  readonly attempts: number;
}

const ATTEMPTS_MAX = 3;

const outcomeOf = (findings: readonly Finding[]): string => findings.flatMap((finding) => finding.outcomes).join(', ');

export const deskCase = setup({
  types: {
    context: {} as Context,
    events: {} as MailArrived | ApprovalGiven | ApprovalRefused,
    output: {} as { outcome: string },
  },
  actors: { triage: triagePool, refund, billing, technical, write: writeFile },
  delays: { backoff: ({ context }) => 1_000 * 2 ** context.attempts },
  guards: {
    wants: ({ context }, intent: Intent) => context.todo[0]?.intent === intent,
    mayTryAgain: ({ context }) => context.attempts < ATTEMPTS_MAX,
  },
  actions: {
    /** A specialist has spoken: on to the next request. */
    conclude: assign({
      findings: ({ context }, finding: Finding) => [...context.findings, finding],
      todo: ({ context }) => context.todo.slice(1),
      attempts: 0,
    }),
    countAttempt: assign({ attempts: ({ context }) => context.attempts + 1 }),
    report: sendTo(
      ({ system }) => system.get(INTAKE)!,
      ({ context }, { outcome }: { outcome: string }): CaseClosed => ({ type: 'case.closed', key: context.mail!.key, outcome }),
    ),
  },
}).createMachine({
  id: 'case',
  version: '1',
  context: { mail: null, todo: [], findings: [], attempts: 0 },
  initial: 'waiting',
  states: {
    waiting: {
      on: { 'mail.arrived': { target: 'triaging', actions: assign({ mail: ({ event }) => event.mail }) } },
    },
    triaging: {
      invoke: {
        id: 'triage',
        src: 'triage',
        input: ({ context: { mail } }) => ({ event: { type: 'triage.requested', subject: mail!.subject, text: mail!.text } }),
        onDone: [
          {
            guard: ({ event }) => event.output.type === 'triage.found',
            target: 'routing',
            actions: assign({
              todo: ({ event }) => (event.output.type === 'triage.found' ? event.output.requests : []),
              attempts: 0,
            }),
          },
          { target: 'routing', actions: { type: 'conclude', params: HANDED_OVER } },
        ],
        onError: [
          { guard: 'mayTryAgain', target: 'triagingLater', actions: 'countAttempt' },
          { target: 'routing', actions: { type: 'conclude', params: HANDED_OVER } },
        ],
      },
    },
    triagingLater: { after: { backoff: 'triaging' } },
    routing: {
      always: [
        { guard: { type: 'wants', params: 'refund' }, target: 'refund' },
        { guard: { type: 'wants', params: 'billing' }, target: 'billing' },
        { guard: { type: 'wants', params: 'technical' }, target: 'technical' },
        {
          guard: { type: 'wants', params: 'spam' },
          target: 'routing',
          reenter: true,
          actions: { type: 'conclude', params: SPAM },
        },
        {
          guard: { type: 'wants', params: 'unclear' },
          target: 'routing',
          reenter: true,
          actions: { type: 'conclude', params: UNCLEAR },
        },
        { target: 'replying' },
      ],
    },
    refund: {
      // A person may decide too: `reprise send desk/case/0042 '{"type":"approval.given","order":"A-10417"}'`.
      on: { 'approval.given': { actions: forwardTo('refund') }, 'approval.refused': { actions: forwardTo('refund') } },
      invoke: {
        id: 'refund',
        src: 'refund',
        input: ({ context: { mail, todo } }) => ({ customer: mail!.from, askedOn: mail!.date, claims: todo[0]!.claims }),
        onDone: { target: 'routing', actions: { type: 'conclude', params: ({ event }) => event.output } },
        onError: { target: 'routing', actions: { type: 'conclude', params: HANDED_OVER } },
      },
    },
    billing: {
      invoke: {
        id: 'billing',
        src: 'billing',
        input: ({ context: { mail, todo } }) => ({ customer: mail!.from, claims: todo[0]!.claims }),
        onDone: { target: 'routing', actions: { type: 'conclude', params: ({ event }) => event.output } },
        onError: { target: 'routing', actions: { type: 'conclude', params: HANDED_OVER } },
      },
    },
    technical: {
      invoke: {
        id: 'technical',
        src: 'technical',
        input: ({ context: { todo } }) => ({ topic: todo[0]!.topic }),
        onDone: { target: 'routing', actions: { type: 'conclude', params: ({ event }) => event.output } },
        onError: { target: 'routing', actions: { type: 'conclude', params: HANDED_OVER } },
      },
    },
    replying: {
      invoke: {
        id: 'write',
        src: 'write',
        input: ({ context: { mail, findings } }) => ({ path: outboxFile(mail!.key), content: replyTo(mail!, findings) }),
        onDone: 'closed',
        onError: [{ guard: 'mayTryAgain', target: 'replyingLater', actions: 'countAttempt' }, { target: 'unanswered' }],
      },
    },
    replyingLater: { after: { backoff: 'replying' } },
    closed: {
      type: 'final',
      entry: { type: 'report', params: ({ context }) => ({ outcome: outcomeOf(context.findings) }) },
    },
    unanswered: {
      type: 'final',
      tags: 'attention',
      entry: { type: 'report', params: { outcome: 'unanswered' } },
    },
  },
  output: ({ context }) => ({ outcome: outcomeOf(context.findings) }),
});
