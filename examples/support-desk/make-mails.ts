/**
 * Writes the inbox, the orders of the shop and the truth about each mail, all from one seed: `node make-mails.ts`. What it writes
 * is committed; a test holds files and script together. The desk reads inbox and orders, never the truth.
 *
 *   shop (people, orders) -> drafts (one a mail, with its truth) -> order of arrival -> text
 */
import fs from 'node:fs';
import path from 'node:path';
import { DOMAINS, FIRST_NAMES, GOODS, LAST_NAMES } from './corpus/people.ts';
import * as phrases from './corpus/phrases.ts';
import { orderAsWritten, sumAsWritten, sumInWords, withTypos } from './corpus/wording.ts';
import type { Claim } from './entities.ts';
import { foldDesk } from './expected.ts';
import { parseMail } from './mail.ts';
import type { Request } from './messages.ts';
import type { Currency, Money } from './money.ts';
import type { Order } from './policy.ts';
import { type Seeded, seeded } from './seeded.ts';

/** What a mail means, as its author knows. */
export interface Truth {
  readonly key: string;
  readonly kind: string;
  readonly requests: readonly Request[];
  /** What the desk should do about it, by the rules of policy.ts, one word a point. */
  readonly outcomes: readonly string[];
}
export interface Corpus {
  readonly orders: readonly Order[];
  readonly mails: readonly { readonly key: string; readonly text: string }[];
  readonly truth: readonly Truth[];
}

export const SEED = 20_261_102;

interface Person {
  readonly name: string;
  readonly email: string;
}
interface Draft {
  readonly kind: string;
  readonly from: Person;
  readonly subject: keyof typeof phrases.SUBJECTS;
  readonly sentences: readonly string[];
  readonly requests: readonly Request[];
  readonly order?: Order;
  /** Texts that a typo must not touch. */
  readonly spared: readonly string[];
  /** A mail that this one comes after. */
  readonly follows?: Draft;
}
interface Shop {
  readonly people: readonly Person[];
  readonly orders: readonly Order[];
  /** An order that no mail is about yet. */
  fresh(fits: (order: Order) => boolean): Order;
  /** Two such orders of one customer. */
  freshPair(fits: (order: Order) => boolean): readonly [Order, Order];
  owner(order: Order): Person;
}

const FIRST_DAY = '2026-11-02';
const dayBefore = (days: number): string => new Date(Date.parse(FIRST_DAY) - days * 86_400_000).toISOString().slice(0, 10);
const cheap = (order: Order): boolean => recent(order) && order.total.minor <= 15_000;
const recent = (order: Order): boolean => order.orderedOn >= dayBefore(80);

/** Every kind of mail and how many there are of it. */
const PLAN: readonly (readonly [count: number, kind: string, draft: (shop: Shop, random: Seeded) => Draft])[] = [
  [23, 'refund', (shop, random) => refund(shop.fresh(cheap), {}, random.pick(phrases.REFUND_ASKS), shop, random)],
  [
    14,
    'refund of a sum',
    (shop, random) => refundPart(shop.fresh(cheap), random.pick(phrases.REFUND_SUM_ASKS), sumAsWritten, shop, random),
  ],
  [
    6,
    'refund, sum in another clause',
    (shop, random) => refundPart(shop.fresh(cheap), random.pick(phrases.REFUND_SUM_BEHIND), sumAsWritten, shop, random),
  ],
  [
    8,
    'refund, sum in words',
    (shop, random) => refundPart(shop.fresh(cheap), random.pick(phrases.REFUND_SUM_ASKS), sumInWords, shop, random),
  ],
  [6, 'refund, other currency', (shop, random) => refundOtherCurrency(shop, random)],
  [4, 'refund of more than paid', (shop, random) => refundTooMuch(shop, random)],
  [
    9,
    'refund above the limit',
    (shop, random) =>
      refund(
        shop.fresh((o) => recent(o) && o.total.minor > 15_000 && o.total.minor <= 40_000),
        {},
        random.pick(phrases.REFUND_ASKS),
        shop,
        random,
      ),
  ],
  [
    5,
    'refund above the ceiling',
    (shop, random) =>
      refund(
        shop.fresh((o) => recent(o) && o.total.minor > 40_000),
        {},
        random.pick(phrases.REFUND_ASKS),
        shop,
        random,
      ),
  ],
  [5, 'refund of two orders', (shop, random) => refundTwo(phrases.REFUND_TWO, () => undefined, shop, random)],
  [
    5,
    'refund of two orders, two sums',
    (shop, random) => refundTwo(phrases.REFUND_TWO_SUMS, (order) => partOf(order, random), shop, random),
  ],
  [3, 'refund of two orders, one total', (shop, random) => refundTwo(phrases.REFUND_TWO_TOGETHER, () => undefined, shop, random)],
  [
    5,
    "refund of somebody else's order",
    (shop, random) => ({
      ...refund(shop.fresh(cheap), {}, random.pick(phrases.REFUND_ASKS), shop, random),
      from: stranger(random),
    }),
  ],
  [
    4,
    'refund of an unknown order',
    (shop, random) =>
      refund(
        { ...shop.fresh(cheap), id: `A-${random.between(70_000, 79_999)}` },
        {},
        random.pick(phrases.REFUND_ASKS),
        shop,
        random,
      ),
  ],
  [
    5,
    'refund, too late',
    (shop, random) =>
      refund(
        shop.fresh((o) => o.orderedOn < dayBefore(120)),
        {},
        random.pick(phrases.REFUND_ASKS),
        shop,
        random,
      ),
  ],
  [
    6,
    'refund without a number',
    (shop, random) => ({
      ...refund(shop.fresh(cheap), {}, random.pick(phrases.REFUND_NO_NUMBER), shop, random),
      requests: [{ intent: 'refund', claims: [] }],
    }),
  ],
  [24, 'billing', (shop, random) => billing(shop.fresh(recent), random.pick(phrases.BILLING_ASKS), shop, random)],
  [
    4,
    'billing without a number',
    (shop, random) => ({
      ...billing(shop.fresh(recent), random.pick(phrases.BILLING_NO_NUMBER), shop, random),
      requests: [{ intent: 'billing', claims: [] }],
    }),
  ],
  [26, 'technical', (shop, random) => technical(random.pick(shop.people), random)],
  [
    6,
    'refund and billing',
    (shop, random) =>
      both(refund(shop.fresh(cheap), {}, random.pick(phrases.REFUND_ASKS), shop, random), (from) =>
        billing(anyOf(shop, from, random), random.pick(phrases.BILLING_ASKS.slice(0, 5)), shop, random),
      ),
  ],
  [
    3,
    'refund and technical',
    (shop, random) =>
      both(refund(shop.fresh(cheap), {}, random.pick(phrases.REFUND_ASKS), shop, random), (from) => technical(from, random)),
  ],
  [
    3,
    'billing and technical',
    (shop, random) =>
      both(billing(shop.fresh(recent), random.pick(phrases.BILLING_ASKS), shop, random), (from) => technical(from, random)),
  ],
];
const SPAM = 8;
const UNCLEAR = 6;
const DUPLICATES = 12;

export function makeCorpus(seed = SEED): Corpus {
  const random = seeded(seed);
  const shop = makeShop(random);
  const first = PLAN.flatMap(([count, kind, draft]) => Array.from({ length: count }, () => ({ ...draft(shop, random), kind })));
  const odd = [
    ...oddMails('spam', phrases.SPAM_TEXTS, SPAM, random),
    ...oddMails('unclear', phrases.UNCLEAR_TEXTS, UNCLEAR, random),
  ];
  const repeated = random
    .shuffle(first.filter((d) => d.kind === 'refund' || d.kind === 'refund of a sum'))
    .slice(0, DUPLICATES - 2)
    .map((d) => again(d, random));
  const thrice = repeated.slice(0, 2).map((d) => again(d, random));
  const mails = arrivals([...random.shuffle([...first, ...odd]), ...repeated, ...thrice], random).map((draft, i) => ({
    key: String(i + 1).padStart(4, '0'),
    draft,
  }));
  const texts = mails.map(({ key, draft }, i) => ({ key, text: write(draft, key, i, random) }));
  const truth = mails.map(({ key, draft }) => ({ key, kind: draft.kind, requests: draft.requests }));
  const right = foldDesk(
    texts.map(({ key, text }) => parseMail(key, text)),
    shop.orders,
    (mail) => truth[Number(mail.key) - 1]!.requests,
  );
  return { orders: shop.orders, mails: texts, truth: truth.map((t) => ({ ...t, outcomes: right.outcomes.get(t.key)! })) };
}

function makeShop(random: Seeded): Shop {
  const people = Array.from({ length: 150 }, (_, i) => person(FIRST_NAMES[i % FIRST_NAMES.length]!, random));
  let number = 10_100;
  const orders = people.flatMap((who, i) =>
    Array.from({ length: 2 }, (_, n): Order => {
      const [item, minor] = random.pick(GOODS);
      const currency: Currency = i % 10 < 6 ? 'EUR' : i % 10 < 8 ? 'GBP' : 'USD';
      number += random.between(1, 9);
      const age = i % 9 === 0 && n === 0 ? random.between(125, 300) : random.between(4, 78);
      return {
        id: `A-${number}`,
        email: who.email,
        customer: who.name,
        item,
        total: { minor, currency },
        orderedOn: dayBefore(age),
        invoice: `INV-2026-${random.between(10_000, 99_999)}`,
      };
    }),
  );
  const left = random.shuffle(orders);
  const fresh = (fits: (order: Order) => boolean): Order => left.splice(left.findIndex(fits), 1)[0]!;
  const sibling = (order: Order, fits: (order: Order) => boolean) => (other: Order) =>
    other.email === order.email && other !== order && fits(other);
  const freshPair = (fits: (order: Order) => boolean): readonly [Order, Order] => {
    const one = fresh((order) => fits(order) && left.some(sibling(order, fits)));
    return [one, fresh(sibling(one, fits))];
  };
  return { people, orders, fresh, freshPair, owner: (order) => people.find((p) => p.email === order.email)! };
}

function person(first: string, random: Seeded): Person {
  const last = random.pick(LAST_NAMES);
  return { name: `${first} ${last}`, email: `${first}.${last}${random.between(2, 99)}@${random.pick(DOMAINS)}`.toLowerCase() };
}
const stranger = (random: Seeded): Person => person(random.pick(FIRST_NAMES), random);

function refund(order: Order, claim: { sum?: Money; written?: string }, ask: string, shop: Shop, random: Seeded): Draft {
  const written = orderAsWritten(order.id, random);
  const reason = random.chance(0.7) ? [random.pick(phrases.REFUND_REASONS)] : [];
  const noise = claim.sum === undefined && random.chance(0.15) ? [random.pick(phrases.SHIPPING_NOISE)] : [];
  const spared = [written, claim.written ?? ''];
  return {
    kind: '',
    from: shop.owner(order),
    subject: 'refund',
    sentences: [...reason, ask, ...noise].map((s) => fill(s, order, written, claim.written)),
    requests: [
      { intent: 'refund', claims: [claim.sum === undefined ? { order: order.id } : { order: order.id, sum: claim.sum }] },
    ],
    order,
    spared,
  };
}

function refundPart(
  order: Order,
  ask: string,
  wording: (sum: Money, random: Seeded) => string,
  shop: Shop,
  random: Seeded,
): Draft {
  const sum = partOf(order, random);
  return refund(order, { sum, written: wording(sum, random) }, ask, shop, random);
}

function refundOtherCurrency(shop: Shop, random: Seeded): Draft {
  const order = shop.fresh(cheap);
  const currency: Currency = order.total.currency === 'USD' ? 'EUR' : 'USD';
  const sum = { ...partOf(order, random), currency };
  return refund(order, { sum, written: sumAsWritten(sum, random) }, random.pick(phrases.REFUND_SUM_ASKS), shop, random);
}

function refundTooMuch(shop: Shop, random: Seeded): Draft {
  const order = shop.fresh(cheap);
  const sum = { ...order.total, minor: order.total.minor * 2 };
  return refund(order, { sum, written: sumAsWritten(sum, random) }, random.pick(phrases.REFUND_SUM_ASKS), shop, random);
}

function refundTwo(asks: readonly string[], part: (order: Order) => Money | undefined, shop: Shop, random: Seeded): Draft {
  const [order, other] = shop.freshPair(cheap);
  const [sum, sum2] = [part(order), part(other)];
  const total = { ...order.total, minor: order.total.minor + other.total.minor };
  const [written, written2] = [orderAsWritten(order.id, random), orderAsWritten(other.id, random)];
  const text = fill(random.pick(asks), order, written, sumAsWritten(sum ?? total, random))
    .replace('{order2}', written2)
    .replace('{sum2}', sumAsWritten(sum2 ?? total, random));
  const claim = (id: string, s: Money | undefined): Claim => (s === undefined ? { order: id } : { order: id, sum: s });
  return {
    kind: '',
    from: shop.owner(order),
    subject: 'refund',
    sentences: [text],
    requests: [{ intent: 'refund', claims: [claim(order.id, sum), claim(other.id, sum2)] }],
    order,
    spared: [text],
  };
}

function billing(order: Order, ask: string, shop: Shop, random: Seeded): Draft {
  const written = orderAsWritten(order.id, random);
  return {
    kind: '',
    from: shop.owner(order),
    subject: 'billing',
    sentences: [fill(ask, order, written)],
    requests: [{ intent: 'billing', claims: [{ order: order.id }] }],
    order,
    spared: [written],
  };
}

function technical(from: Person, random: Seeded): Draft {
  const [topic, text] = random.pick(phrases.TECHNICAL_ASKS);
  return {
    kind: '',
    from,
    subject: 'technical',
    sentences: [text],
    requests: [{ intent: 'technical', topic, claims: [] }],
    spared: [],
  };
}

/** Two matters in one mail. */
function both(one: Draft, other: (from: Person) => Draft): Draft {
  const two = other(one.from);
  return {
    ...one,
    subject: 'mixed',
    sentences: [...one.sentences, `Apart from that: ${lowerFirst(two.sentences[0]!)}`, ...two.sentences.slice(1)],
    requests: [...one.requests, ...two.requests],
    spared: [...one.spared, ...two.spared],
  };
}

function oddMails(kind: 'spam' | 'unclear', texts: readonly string[], count: number, random: Seeded): Draft[] {
  return random
    .shuffle(texts)
    .slice(0, count)
    .map((text) => ({
      kind,
      from: stranger(random),
      subject: kind,
      sentences: [text],
      requests: [{ intent: kind, claims: [] }],
      spared: [text],
    }));
}

/** The same customer asks for the same again. */
function again(draft: Draft, random: Seeded): Draft {
  const written = orderAsWritten(draft.order!.id, random);
  const { sum, ...claim } = draft.requests[0]!.claims[0]!;
  const copied = random.chance(0.4);
  return {
    ...draft,
    kind: 'refund asked for again',
    follows: draft,
    sentences: copied ? draft.sentences : [fill(random.pick(phrases.REFUND_AGAIN), draft.order!, written)],
    requests: [{ intent: 'refund', claims: [copied && sum !== undefined ? { ...claim, sum } : claim] }],
    spared: copied ? draft.spared : [written],
  };
}

/** Mails that follow another are put somewhere behind it. */
function arrivals(drafts: readonly Draft[], random: Seeded): Draft[] {
  const out = drafts.filter((d) => d.follows === undefined);
  for (const draft of drafts.filter((d) => d.follows !== undefined))
    out.splice(random.between(out.indexOf(draft.follows!) + 1, out.length), 0, draft);
  return out;
}

const anyOf = (shop: Shop, who: Person, random: Seeded): Order =>
  random.pick(shop.orders.filter((order) => order.email === who.email));

/** A part of the price in whole units; of cheap things the price itself. */
const partOf = (order: Order, random: Seeded): Money => ({
  ...order.total,
  minor:
    order.total.minor < 3000
      ? order.total.minor
      : random.between(10, Math.trunc(order.total.minor / 100)) * 100 - (random.chance(0.3) ? 5 : 0),
});

function fill(text: string, order: Order, written: string, sum = ''): string {
  const capital = text.startsWith('{order}') || text.includes('. {order}');
  return text
    .replace('{order}', capital ? upperFirst(written) : written)
    .replace('{sum}', sum)
    .replaceAll('{item}', order.item);
}
const upperFirst = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const lowerFirst = (text: string): string => (/^I\b|^A[- ]?\d/.test(text) ? text : text.charAt(0).toLowerCase() + text.slice(1));

function write(draft: Draft, key: string, index: number, random: Seeded): string {
  const angry = random.chance(0.25);
  const opener =
    draft.subject === 'spam' || draft.subject === 'unclear'
      ? []
      : angry
        ? [random.pick(phrases.ANGRY_OPENERS)]
        : random.chance(0.3)
          ? [random.pick(phrases.POLITE_OPENERS)]
          : [];
  const plain = [...opener, ...draft.sentences].join(' ');
  const text = random.chance(0.25) ? withTypos(plain, random.between(1, 4), draft.spared, random) : plain;
  const greeting = random.chance(0.8) ? `${random.pick(phrases.GREETINGS)}\n\n` : '';
  const closing = angry ? '' : `${random.pick(phrases.CLOSINGS)}\n`;
  const signature = random.pick(phrases.SIGNATURES).replace('{name}', draft.from.name);
  const quote = random.chance(0.2)
    ? `\n\n${random.pick(phrases.QUOTES).replaceAll('{old}', `A-${random.between(20_000, 29_999)}`)}`
    : '';
  const subject = random
    .pick(phrases.SUBJECTS[draft.subject])
    .replace('{order}', draft.order?.id ?? '')
    .replace('{item}', draft.order?.item ?? '');
  const sent = new Date(Date.parse(`${FIRST_DAY}T07:00:00Z`) + index * 29 * 60_000);
  return [
    `From: ${draft.from.name} <${draft.from.email}>`,
    'To: support@harbourandpine.example',
    `Subject: ${subject}`,
    `Date: ${sent.toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${key}.${random.between(100_000, 999_999)}@${draft.from.email.split('@')[1]}>`,
    '',
    `${greeting}${text}\n\n${closing}${signature}${quote}`,
    '',
  ].join('\n');
}

export function writeCorpus(folder: string, { orders, mails, truth }: Corpus): void {
  const inbox = path.join(folder, 'inbox');
  fs.rmSync(inbox, { recursive: true, force: true });
  fs.mkdirSync(inbox, { recursive: true });
  for (const { key, text } of mails) fs.writeFileSync(path.join(inbox, `${key}.txt`), text);
  fs.writeFileSync(path.join(folder, 'orders.json'), lines(orders));
  fs.writeFileSync(path.join(folder, 'truth.json'), lines(truth));
}

/** JSON with one row a line, so that a change of one row is one line of a diff. */
export const lines = (rows: readonly unknown[]): string => `[\n${rows.map((row) => `  ${JSON.stringify(row)}`).join(',\n')}\n]\n`;

if (process.argv[1] === import.meta.filename) writeCorpus(import.meta.dirname, makeCorpus());
