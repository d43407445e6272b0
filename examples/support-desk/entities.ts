/** Order numbers and sums in the words of a customer, by patterns. Which sum belongs to which order is decided by where they stand. */
import { findMoney, type FoundMoney, type Money } from './money.ts';

/** An order that a mail names, and the sum asked for if it names one. */
export interface Claim {
  /** `A-10417`. */
  readonly order: string;
  readonly sum?: Money;
}

interface FoundOrder {
  readonly order: string;
  readonly at: number;
  readonly end: number;
}

/** `A-10417`, `a10417`, `A 10417`; digits alone only behind the word `order`. */
const ORDER = /\b(?:A[-\s]?|orders?\s*(?:no\.?|number|nr\.?|num)?[\s:#]*(?:is\s+)?)(\d{5})\b(?![-/.]\d)/gi;

/** Sums that stand in a mail about an order without being what is asked for. */
const BESIDE_THE_POINT =
  /(?:shipping|postage|delivery|voucher|discount|coupon|together|altogether|in total|all in all)[^.!?\n]{0,24}$/i;

export function findOrders(text: string): FoundOrder[] {
  const found: FoundOrder[] = [];
  for (const match of text.matchAll(ORDER)) {
    const order = `A-${match[1]}`;
    if (!found.some((o) => o.order === order)) found.push({ order, at: match.index, end: match.index + match[0].length });
  }
  return found;
}

/** Each order takes the first free sum behind it and before the next order, else the last free one before it. */
export function findClaims(text: string): Claim[] {
  const orders = findOrders(text);
  const sums = findMoney(text).filter((sum) => !BESIDE_THE_POINT.test(text.slice(0, sum.at)));
  const taken = new Set<FoundMoney>();
  const take = (sum: FoundMoney | undefined): Money | undefined => {
    if (sum !== undefined) taken.add(sum);
    return sum?.money;
  };
  return orders.map(({ order, at, end }, i) => {
    const next = orders[i + 1]?.at ?? text.length;
    const previous = orders[i - 1]?.end ?? 0;
    const free = sums.filter((sum) => !taken.has(sum));
    const behind = free.find(
      (sum) => sum.at >= end && sum.end <= next && !leadsTo(text.slice(sum.end, next), orders[i + 1] !== undefined),
    );
    const sum = take(behind ?? free.findLast((s) => s.at >= previous && s.end <= at));
    return sum === undefined ? { order } : { order, sum };
  });
}

/** `... for A-1, and 20 EUR for A-2`: the sum belongs to the order that follows it. */
const leadsTo = (between: string, another: boolean): boolean =>
  another && /^\s*(?:for|from|of|on)\s+(?:my\s+|the\s+)?(?:order\s+)?$/i.test(between);
