/** How good triage is on the committed mails, by the truth that their author wrote down: `node evaluate.ts` prints it. */
import fs from 'node:fs';
import path from 'node:path';
import { trainClassifier } from './classifier.ts';
import { type Mail, parseMail } from './mail.ts';
import type { Truth } from './make-mails.ts';
import type { Request, Triage } from './messages.ts';

export interface Score {
  readonly mails: number;
  /** The first thing that the mail wants. */
  readonly intent: number;
  /** All that it wants, and nothing else. */
  readonly intents: number;
  /** The orders, each with its sum or without one, of the mails that name any. */
  readonly claims: number;
  readonly withClaims: number;
  /** Of technical mails: the right article. */
  readonly topic: number;
  readonly withTopic: number;
  /** Everything that the desk acts on. */
  readonly whole: number;
  readonly misses: readonly { readonly key: string; readonly kind: string; readonly wanted: string; readonly got: string }[];
}

export function readMails(folder: string): Mail[] {
  const inbox = path.join(folder, 'inbox');
  return fs
    .readdirSync(inbox)
    .sort()
    .map((file) => parseMail(path.basename(file, '.txt'), fs.readFileSync(path.join(inbox, file), 'utf8')));
}
export const readTruth = (folder: string): Truth[] =>
  JSON.parse(fs.readFileSync(path.join(folder, 'truth.json'), 'utf8')) as Truth[];

export async function evaluate(
  mails: readonly Mail[],
  truth: readonly Truth[],
  classify: (subject: string, text: string) => Promise<Triage>,
): Promise<Score> {
  const rows = await Promise.all(
    mails.map(async (mail) => {
      const right = truth.find((t) => t.key === mail.key)!;
      return { right, got: (await classify(mail.subject, mail.text)).requests };
    }),
  );
  const count = (right: (row: (typeof rows)[number]) => boolean): number => rows.filter(right).length;
  const intents = (requests: readonly Request[]): string =>
    requests
      .map((r) => r.intent)
      .sort()
      .join(' ');
  const claims = (requests: readonly Request[]): string =>
    requests
      .flatMap((r) => r.claims.map((c) => `${r.intent} ${c.order} ${c.sum?.currency ?? ''}${c.sum?.minor ?? ''}`))
      .sort()
      .join(', ');
  const topics = (requests: readonly Request[]): string => requests.flatMap((r) => r.topic ?? []).join(' ');
  const whole = (requests: readonly Request[]): string => [intents(requests), claims(requests), topics(requests)].join(' | ');
  return {
    mails: rows.length,
    intent: count(({ right, got }) => got[0]?.intent === right.requests[0]?.intent),
    intents: count(({ right, got }) => intents(got) === intents(right.requests)),
    claims: count(({ right, got }) => claims(right.requests) !== '' && claims(got) === claims(right.requests)),
    withClaims: count(({ right }) => claims(right.requests) !== ''),
    topic: count(({ right, got }) => topics(right.requests) !== '' && topics(got) === topics(right.requests)),
    withTopic: count(({ right }) => topics(right.requests) !== ''),
    whole: count(({ right, got }) => whole(got) === whole(right.requests)),
    misses: rows
      .filter(({ right, got }) => whole(got) !== whole(right.requests))
      .map(({ right, got }) => ({ key: right.key, kind: right.kind, wanted: whole(right.requests), got: whole(got) })),
  };
}

if (process.argv[1] === import.meta.filename) {
  const { misses, ...score } = await evaluate(
    readMails(import.meta.dirname),
    readTruth(import.meta.dirname),
    await trainClassifier(),
  );
  const percent = (n: number, of: number): string => `${n} of ${of} (${((100 * n) / of).toFixed(1)} %)`;
  console.log(`first intent    ${percent(score.intent, score.mails)}`);
  console.log(`all intents     ${percent(score.intents, score.mails)}`);
  console.log(`orders and sums ${percent(score.claims, score.withClaims)}`);
  console.log(`topic           ${percent(score.topic, score.withTopic)}`);
  console.log(`everything      ${percent(score.whole, score.mails)}`);
  for (const miss of misses) console.log(`  ${miss.key} ${miss.kind}: wanted ${miss.wanted}, got ${miss.got}`);
}
