/**
 * The ledger as an MCP server on stdio. It alone holds the key of the books: agents name a tool, never a credential.
 *
 *   LEDGER_FILE    SQLite file, founded when it is not there
 *   LEDGER_KEY     what opens it
 *   LEDGER_ORDERS  JSON file with the orders of a new ledger
 *
 * `post_refund` is not idempotent by itself: each call posts. With an `idempotency_key` that it has seen, it answers as it did then.
 */
import fs from 'node:fs';
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';
import { type Ledger, openLedger, type Refund } from './ledger.ts';
import type { Order } from './policy.ts';

const order = z.string().regex(/^A-\d{5}$/, 'an order number looks like A-10000');
const idempotencyKey = z.string().min(1).max(512);

function ledgerServer(ledger: Ledger): McpServer {
  const server = new McpServer({ name: 'ledger', version: '1.0.0' });
  server.registerTool(
    'lookup_order',
    {
      description: 'One order of the shop, and what has been refunded for it so far.',
      inputSchema: z.object({ order }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    (args) => answer({ ...ledger.lookup(args.order) }),
  );
  server.registerTool(
    'post_refund',
    {
      description: 'Pays a sum back for an order. Each call pays, unless its idempotency_key has been seen before.',
      inputSchema: z.object({
        order,
        amount_minor: z.int().positive(),
        currency: z.enum(['EUR', 'GBP', 'USD']),
        reason: z.string().max(200),
        idempotency_key: idempotencyKey.optional(),
      }),
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
    },
    ({ amount_minor, idempotency_key, ...posting }) =>
      attempt(() =>
        wire(
          ledger.post({ ...posting, amountMinor: amount_minor, ...(idempotency_key !== undefined && { key: idempotency_key }) }),
        ),
      ),
  );
  server.registerTool(
    'find_refund_by_key',
    {
      description: 'The refund that was posted under an idempotency key, if there is one.',
      inputSchema: z.object({ idempotency_key: idempotencyKey }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ idempotency_key }) => {
      const found = ledger.findByKey(idempotency_key);
      return answer(found === undefined ? { found: false } : { found: true, result: wire(found) });
    },
  );
  return server;
}

type Answer = { content: { type: 'text'; text: string }[]; structuredContent?: Record<string, unknown>; isError?: boolean };

const answer = (content: Record<string, unknown>): Answer => ({
  content: [{ type: 'text', text: JSON.stringify(content) }],
  structuredContent: content,
});

function attempt(work: () => Record<string, unknown>): Answer {
  try {
    return answer(work());
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { content: [{ type: 'text', text: error.message }], isError: true };
  }
}

const wire = ({ refund, order, amountMinor, currency }: Refund): Record<string, unknown> => ({
  refund,
  order,
  amount_minor: amountMinor,
  currency,
});

function setting(name: string): string {
  const value = process.env[name];
  if (value !== undefined && value !== '') return value;
  process.stderr.write(`ledger: ${name} is not set\n`);
  return process.exit(2);
}

const ledger = ((): Ledger => {
  try {
    return openLedger(
      setting('LEDGER_FILE'),
      setting('LEDGER_KEY'),
      () => JSON.parse(fs.readFileSync(setting('LEDGER_ORDERS'), 'utf8')) as Order[],
    );
  } catch (error) {
    process.stderr.write(`ledger: ${error instanceof Error ? error.message : String(error)}\n`);
    return process.exit(1);
  }
})();
serveStdio(() => ledgerServer(ledger));
