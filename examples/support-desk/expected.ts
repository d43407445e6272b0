/**
 * What the desk must come to, computed without a desk: the mails in their order through the same pure rules. No actor, no crash,
 * no concurrency; so whatever differs from it was lost, doubled or confused by the machinery.
 */
import type { Mail } from './mail.ts';
import type { Finding, Intent, Request, Ruling } from './messages.ts';
import type { Money } from './money.ts';
import { approves, judge, type Order } from './policy.ts';
import { billingFinding, HANDED_OVER, NO_ORDER, refundFinding, replyTo, SPAM, technicalFinding, UNCLEAR } from './replies.ts';

export interface Expected {
  /** By key of the mail: the file in the outbox. */
  readonly replies: ReadonlyMap<string, string>;
  readonly outcomes: ReadonlyMap<string, readonly string[]>;
  readonly refunds: readonly { readonly order: string; readonly sum: Money }[];
  /** Refunds that waited for an approval, whatever it was. */
  readonly approvals: number;
}

/** `articleOf` gives the text of an article, undefined when there is none of that topic. */
export function foldDesk(
  mails: readonly Mail[],
  orders: readonly Order[],
  requestsOf: (mail: Mail) => readonly Request[],
  articleOf: (topic: string) => string | undefined = () => '',
): Expected {
  const byId = new Map(orders.map((order) => [order.id, order]));
  const refunded = new Map<string, Money>();
  let approvals = 0;

  const rule = (mail: Mail, { order: id, sum }: Request['claims'][number]): Ruling => {
    const order = byId.get(id);
    const found = { refundedMinor: refunded.get(id)?.minor ?? 0, ...(order !== undefined && { order }) };
    const judgement = judge({ order: id, ...(sum !== undefined && { sum }) }, found, mail.from, mail.date);
    if ('refuse' in judgement) return { order: id, verdict: judgement.refuse, ...(sum !== undefined && { sum }) };
    if (judgement.approval) approvals++;
    if (judgement.approval && !approves(judgement.refund)) return { order: id, verdict: 'not-approved', sum: judgement.refund };
    refunded.set(id, judgement.refund);
    return { order: id, verdict: 'refunded', sum: judgement.refund };
  };

  const findingOf: Record<Intent, (mail: Mail, request: Request) => Finding> = {
    refund: (mail, { claims }) => refundFinding(claims.length === 0 ? [NO_ORDER] : claims.map((claim) => rule(mail, claim))),
    billing: (mail, { claims }) =>
      billingFinding(claims.map(({ order }) => ({ number: order, order: ownOrder(byId.get(order), mail) }))),
    technical: (_, { topic }) => {
      const article = topic === undefined ? undefined : articleOf(topic);
      return topic === undefined || article === undefined ? HANDED_OVER : technicalFinding(topic, article);
    },
    spam: () => SPAM,
    unclear: () => UNCLEAR,
  };

  const findings = mails.map(
    (mail) => [mail, requestsOf(mail).map((request) => findingOf[request.intent](mail, request))] as const,
  );
  return {
    replies: new Map(findings.map(([mail, found]) => [mail.key, replyTo(mail, found)])),
    outcomes: new Map(findings.map(([mail, found]) => [mail.key, found.flatMap((f) => f.outcomes)])),
    refunds: [...refunded].map(([order, sum]) => ({ order, sum })),
    approvals,
  };
}

/** Nobody is told about orders of others. */
const ownOrder = (order: Order | undefined, mail: Mail): Order | undefined => (order?.email === mail.from ? order : undefined);
