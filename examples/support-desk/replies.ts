/** The sentences of the desk: what a ruling, an article or a failure reads like to a customer. Pure, so that a reply never varies. */
import { formatReply, type Mail } from './mail.ts';
import type { Finding, Ruling, Verdict } from './messages.ts';
import { formatMoney } from './money.ts';
import { REFUND_WINDOW_DAYS, type Order } from './policy.ts';

const SENTENCES: Record<Verdict, (order: string, sum: string) => string> = {
  refunded: (order, sum) => `We have refunded ${sum} for order ${order}. It reaches your account within five working days.`,
  'already-refunded': (order) => `Order ${order} has already been refunded, so there is nothing left to pay back for it.`,
  'unknown-order': (order) => `We have no order ${order}. Could you look up the number in your confirmation once more?`,
  'not-yours': (order) =>
    `Order ${order} was placed with another address. Please write to us from the address that you ordered with.`,
  'too-late': (order) => `Order ${order} is more than ${REFUND_WINDOW_DAYS} days old, so we can no longer refund it.`,
  'more-than-paid': (order, sum) =>
    `You ask for ${sum} for order ${order}, which is more than was paid for it. Which part should we refund?`,
  'other-currency': (order, sum) => `You ask for ${sum}, but order ${order} was paid in another currency. Which sum do you mean?`,
  'not-approved': (order, sum) =>
    `We cannot refund ${sum} for order ${order}. If you disagree, answer this mail and a person looks at it.`,
  'not-decided': (order, sum) =>
    `The refund of ${sum} for order ${order} needs a decision. A colleague will write to you about it.`,
  'not-posted': (order, sum) =>
    `The refund of ${sum} for order ${order} is being looked at by a colleague, who will write to you.`,
  'no-order': () =>
    'Which order is it about? Please send us its number; you find it in your confirmation, it looks like A-10000.',
};

export const refundFinding = (rulings: readonly Ruling[]): Finding => ({
  outcomes: rulings.map((r) => r.verdict),
  paragraphs: rulings.map((r) => SENTENCES[r.verdict](r.order, r.sum === undefined ? '' : formatMoney(r.sum))),
});

export const NO_ORDER: Ruling = { order: '', verdict: 'no-order' };

/** `order` undefined: the ledger has none of that number, or it is somebody else's. */
export function billingFinding(found: readonly { readonly number: string; readonly order: Order | undefined }[]): Finding {
  if (found.length === 0) return refundFinding([NO_ORDER]);
  return {
    outcomes: found.map(({ order }) => (order === undefined ? 'unknown-order' : 'invoice-sent')),
    paragraphs: found.map(({ number, order }) =>
      order === undefined
        ? SENTENCES['unknown-order'](number, '')
        : `Order ${order.id} of ${order.orderedOn} (${order.item}) is on invoice ${order.invoice} over ${formatMoney(order.total)}. A copy is in your account.`,
    ),
  };
}

export const technicalFinding = (topic: string, article: string): Finding => ({
  outcomes: [`article-${topic}`],
  paragraphs: ['This should help; if it does not, answer this mail.', article.trim()],
});

export const UNCLEAR: Finding = {
  outcomes: ['asked-back'],
  paragraphs: ['We are not sure what we can do for you. Is it about a refund, an invoice, or something that does not work?'],
};
export const SPAM: Finding = { outcomes: ['ignored'], paragraphs: ['No request of a customer. Nothing was sent.'] };
/** The part of a specialist that could not do its work. */
export const HANDED_OVER: Finding = {
  outcomes: ['handed-over'],
  paragraphs: ['This needs a colleague of ours, who will write to you within one working day.'],
};

/** The one reply to a mail. What looks like spam is filed, not answered. */
export function replyTo(mail: Mail, findings: readonly Finding[]): string {
  const outcomes = findings.flatMap((f) => f.outcomes);
  const spam = outcomes.length === 1 && outcomes[0] === 'ignored';
  const greeting = mail.name === '' ? 'Hello,' : `Dear ${mail.name},`;
  const paragraphs = findings.flatMap((f) => f.paragraphs);
  return formatReply({
    to: spam ? 'spam@harbourandpine.example' : mail.from,
    subject: mail.subject,
    inReplyTo: mail.id,
    outcome: outcomes.join(', '),
    text: spam ? paragraphs.join('\n\n') : [greeting, ...paragraphs, 'Harbour & Pine, customer support'].join('\n\n'),
  });
}
