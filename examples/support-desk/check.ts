/** Compares what a desk did with what it had to do. Pure; finds each kind of harm by its name, and counts a thing once. */
import type { Expected } from './expected.ts';
import type { Money } from './money.ts';
import { formatMoney } from './money.ts';

export interface Done {
  /** Rows of the ledger. */
  readonly refunds: readonly { readonly order: string; readonly sum: Money }[];
  /** Files of the outbox by key. */
  readonly replies: ReadonlyMap<string, string>;
}

export interface Comparison {
  /** Refunds posted beyond the first of an order. */
  readonly duplicates: number;
  /** Refunds and replies that are not there. */
  readonly lost: number;
  /** One line each; empty: as it had to be. */
  readonly differences: readonly string[];
}

export function compare(expected: Expected, done: Done): Comparison {
  const byOrder = Map.groupBy(done.refunds, (refund) => refund.order);
  const due = new Map(expected.refunds.map((refund) => [refund.order, refund.sum]));
  const lostRefunds = [...due.keys()].filter((order) => !byOrder.has(order));
  const lostReplies = [...expected.replies.keys()].filter((key) => !done.replies.has(key));
  const repeated = [...byOrder].filter(([, rows]) => rows.length > 1);
  const text = (sum: Money | undefined): string => (sum === undefined ? 'nothing' : formatMoney(sum));
  return {
    duplicates: repeated.reduce((sum, [, rows]) => sum + rows.length - 1, 0),
    lost: lostRefunds.length + lostReplies.length,
    differences: [
      ...lostRefunds.map((order) => `order ${order}: the refund of ${text(due.get(order))} is lost`),
      ...repeated.map(([order, rows]) => `order ${order}: refunded ${rows.length} times`),
      ...[...byOrder].flatMap(([order, [row]]) =>
        text(row?.sum) === text(due.get(order))
          ? []
          : [`order ${order}: refunded ${text(row?.sum)} instead of ${text(due.get(order))}`],
      ),
      ...lostReplies.map((key) => `mail ${key}: its reply is lost`),
      ...[...done.replies].flatMap(([key, reply]) =>
        reply === expected.replies.get(key) ? [] : [`mail ${key}: ${unlike(reply, expected.replies.get(key))}`],
      ),
    ],
  };
}

function unlike(reply: string, expected: string | undefined): string {
  if (expected === undefined) return 'answered, and there is no such mail';
  const lines = reply.split('\n');
  const at = expected.split('\n').findIndex((line, i) => line !== lines[i]);
  return at < 0 ? 'the reply goes on too long' : `the reply says "${lines[at] ?? ''}" instead of "${expected.split('\n')[at]}"`;
}
