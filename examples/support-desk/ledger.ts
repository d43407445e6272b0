/**
 * The books of the shop on SQLite: orders, refunds and the digest of the key that opens them. Every posting is on disk (fsync)
 * before it is answered. It does not judge: the desk does that (policy.ts).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import type { Currency } from './money.ts';
import type { Lookup, Order } from './policy.ts';

export interface Posting {
  readonly order: string;
  readonly amountMinor: number;
  readonly currency: Currency;
  readonly reason: string;
  /** The same key never posts twice. Without one each call posts. */
  readonly key?: string;
}
export interface Refund {
  readonly refund: number;
  readonly order: string;
  readonly amountMinor: number;
  readonly currency: Currency;
  readonly key?: string;
}

export interface Ledger extends Disposable {
  lookup(order: string): Lookup;
  /** Throws RangeError when there is no such order or the sum is none. */
  post(posting: Posting): Refund;
  findByKey(key: string): Refund | undefined;
  refunds(): Refund[];
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS access (digest BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, email TEXT NOT NULL, customer TEXT NOT NULL, item TEXT NOT NULL,
    total_minor INTEGER NOT NULL, currency TEXT NOT NULL, ordered_on TEXT NOT NULL, invoice TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS refunds (
    id INTEGER PRIMARY KEY AUTOINCREMENT, order_id TEXT NOT NULL REFERENCES orders (id),
    amount_minor INTEGER NOT NULL, currency TEXT NOT NULL, reason TEXT NOT NULL, idempotency_key TEXT UNIQUE
  ) STRICT;
`;

type OrderRow = {
  id: string;
  email: string;
  customer: string;
  item: string;
  total_minor: number;
  currency: Currency;
  ordered_on: string;
  invoice: string;
};
type RefundRow = { id: number; order_id: string; amount_minor: number; currency: Currency; idempotency_key: string | null };

/**
 * Opens the books, and founds them with `orders` and this access key if there are none.
 *
 * Throws: RangeError for a wrong access key.
 */
export function openLedger(file: string, accessKey: string, orders: () => readonly Order[] = () => []): Ledger {
  const db = new DatabaseSync(file);
  try {
    db.exec('PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON');
    inTransaction(db, () => {
      db.exec(SCHEMA);
      unlock(db, accessKey, orders);
    });
  } catch (error) {
    db.close();
    throw error;
  }

  const orderById = db.prepare('SELECT * FROM orders WHERE id = ?');
  const refunded = db.prepare('SELECT COALESCE(SUM(amount_minor), 0) AS sum FROM refunds WHERE order_id = ?');
  const insert = db.prepare(
    'INSERT INTO refunds (order_id, amount_minor, currency, reason, idempotency_key) VALUES (?, ?, ?, ?, ?) RETURNING *',
  );
  const byKey = db.prepare('SELECT * FROM refunds WHERE idempotency_key = ?');
  const all = db.prepare('SELECT * FROM refunds ORDER BY id');

  const lookup = (id: string): Lookup => {
    const row = orderById.get(id) as OrderRow | undefined;
    return { refundedMinor: (refunded.get(id) as { sum: number }).sum, ...(row !== undefined && { order: orderOf(row) }) };
  };
  const findByKey = (key: string): Refund | undefined => {
    const row = byKey.get(key) as RefundRow | undefined;
    return row && refundOf(row);
  };
  return {
    lookup,
    findByKey,
    refunds: () => (all.all() as RefundRow[]).map(refundOf),
    post: ({ order, amountMinor, currency, reason, key }) =>
      inTransaction(db, () => {
        const first = key === undefined ? undefined : findByKey(key);
        if (first !== undefined) return first;
        if (orderById.get(order) === undefined) throw new RangeError(`the ledger has no order ${order}`);
        if (!Number.isSafeInteger(amountMinor) || amountMinor <= 0) throw new RangeError(`${amountMinor} is no sum to refund`);
        return refundOf(insert.get(order, amountMinor, currency, reason, key ?? null) as RefundRow);
      }),
    [Symbol.dispose]: () => db.close(),
  };
}

function unlock(db: DatabaseSync, accessKey: string, orders: () => readonly Order[]): void {
  const given = createHash('sha256').update(accessKey).digest();
  const stored = db.prepare('SELECT digest FROM access').get() as { digest: Uint8Array } | undefined;
  if (stored !== undefined) {
    if (!timingSafeEqual(stored.digest, given)) throw new RangeError('this is not the key of the ledger');
    return;
  }
  db.prepare('INSERT INTO access VALUES (?)').run(given);
  const insert = db.prepare('INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
  for (const o of orders())
    insert.run(o.id, o.email, o.customer, o.item, o.total.minor, o.total.currency, o.orderedOn, o.invoice);
}

function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}

const orderOf = (row: OrderRow): Order => ({
  id: row.id,
  email: row.email,
  customer: row.customer,
  item: row.item,
  total: { minor: row.total_minor, currency: row.currency },
  orderedOn: row.ordered_on,
  invoice: row.invoice,
});
const refundOf = (row: RefundRow): Refund => ({
  refund: row.id,
  order: row.order_id,
  amountMinor: row.amount_minor,
  currency: row.currency,
  ...(row.idempotency_key !== null && { key: row.idempotency_key }),
});
