/**
 * The rules of the shop, as pure functions: no actor, no clock, no I/O. The charts ask them, and so does the check of the demo,
 * which folds the same mails through them without a desk.
 */
import type { Claim } from './entities.ts';
import type { Verdict } from './messages.ts';
import type { Money } from './money.ts';

/** What the ledger knows of an order. Field names are those of its tools. */
export interface Order {
  readonly id: string;
  readonly email: string;
  readonly customer: string;
  readonly item: string;
  readonly total: Money;
  /** YYYY-MM-DD. */
  readonly orderedOn: string;
  readonly invoice: string;
}

export interface Lookup {
  readonly order?: Order;
  /** Sum of what was paid back already, minor units. */
  readonly refundedMinor: number;
}

export type Judgement = { readonly refund: Money; readonly approval: boolean } | { readonly refuse: Verdict };

/** Above it a refund waits for approval. Minor units of any currency. */
export const APPROVAL_ABOVE = 15_000;
/** What the approver of the demo never lets through. */
export const APPROVER_CEILING = 40_000;
export const REFUND_WINDOW_DAYS = 90;

/** Is this claim of this customer good, and for how much? Tested in the order in which a clerk would ask. */
export function judge(claim: Claim, { order, refundedMinor }: Lookup, customer: string, askedOn: string): Judgement {
  if (order === undefined) return { refuse: 'unknown-order' };
  if (order.email !== customer) return { refuse: 'not-yours' };
  if (refundedMinor > 0) return { refuse: 'already-refunded' };
  if (daysBetween(order.orderedOn, askedOn) > REFUND_WINDOW_DAYS) return { refuse: 'too-late' };
  const sum = claim.sum ?? order.total;
  if (sum.currency !== order.total.currency) return { refuse: 'other-currency' };
  if (sum.minor > order.total.minor) return { refuse: 'more-than-paid' };
  return { refund: sum, approval: sum.minor > APPROVAL_ABOVE };
}

export const approves = (sum: Money): boolean => sum.minor <= APPROVER_CEILING;

const daysBetween = (from: string, to: string): number => (Date.parse(to) - Date.parse(from)) / 86_400_000;
