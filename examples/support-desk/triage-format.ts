/** The question that triage puts to a model, and its answer as data. The same for every model; what comes back is not trusted. */
import { jsonOf, type ModelRequest, type ModelResult } from 'reprise';
import { z } from 'zod';
import { findOrders } from './entities.ts';
import type { Triage } from './messages.ts';
import { formatMoney, parseMoney } from './money.ts';

/** There is an article for each. */
export const TOPICS = ['login', 'app', 'tracking', 'checkout', 'voucher'] as const;

const answer = z.object({
  requests: z
    .array(
      z.object({
        intent: z.enum(['refund', 'billing', 'technical', 'spam', 'unclear']),
        topic: z.enum(TOPICS).optional(),
        orders: z.array(z.object({ order: z.string(), sum: z.string().optional() })).max(20),
      }),
    )
    .min(1)
    .max(5),
  confidence: z.number().min(0).max(1),
});

const INSTRUCTIONS = `You sort the mail of a shop. Answer with JSON only: {"requests":[{"intent","topic"?,"orders":[{"order","sum"?}]}],"confidence"}.
One request for each thing that the customer wants now, the most important first. Leave out quoted mail and signatures.
intent: refund (wants money back), billing (invoices, charges, tax), technical (something does not work), spam, unclear.
topic, for technical only: ${TOPICS.join(', ')}.
orders: those that the request is about, as A-10000; sum only if the customer names one for that order, as "49.50 EUR".
confidence: 0 to 1.`;

export const triageRequest = (subject: string, text: string): ModelRequest => ({
  messages: [
    { role: 'system', content: INSTRUCTIONS },
    { role: 'user', content: `Subject: ${subject}\n\n${text}` },
  ],
  responseSchema: z.toJSONSchema(answer),
  settings: { temperature: 0 },
});

/** A model may invent: orders that the mail does not name are left out. Undefined: no answer of the right shape. */
export function readTriage(result: ModelResult, subject: string, text: string): Triage | undefined {
  const json = jsonOf(result);
  const parsed = 'value' in json ? answer.safeParse(json.value) : undefined;
  if (parsed?.success !== true) return undefined;
  const named = new Set(findOrders(`${subject}\n${text}`).map((found) => found.order));
  return {
    confidence: parsed.data.confidence,
    requests: parsed.data.requests.map(({ intent, topic, orders }) => ({
      intent,
      ...(topic !== undefined && { topic }),
      claims: orders.filter(({ order }) => named.has(order)).map(({ order, sum }) => withSum(order, sum)),
    })),
  };
}

/** What a model would write. */
export const triageAnswer = ({ requests, confidence }: Triage): string =>
  JSON.stringify({
    requests: requests.map(({ intent, topic, claims }) => ({
      intent,
      ...(topic !== undefined && { topic }),
      orders: claims.map(({ order, sum }) => ({ order, ...(sum !== undefined && { sum: formatMoney(sum) }) })),
    })),
    confidence,
  });

function withSum(order: string, text: string | undefined): Triage['requests'][number]['claims'][number] {
  const sum = text === undefined ? undefined : parseMoney(text);
  return sum === undefined ? { order } : { order, sum };
}
