import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { sentencesOf } from '../../../examples/support-desk/classifier.ts';
import { readMails, readTruth } from '../../../examples/support-desk/evaluate.ts';
import { lines, makeCorpus } from '../../../examples/support-desk/make-mails.ts';
import { trainingExamples } from '../../../examples/support-desk/training.ts';

const DESK = path.resolve(import.meta.dirname, '../../../examples/support-desk');
const committed = (file: string): string => fs.readFileSync(path.join(DESK, file), 'utf8');

describe('the mails of the support desk', () => {
  const corpus = makeCorpus();

  test('are what their script writes from its seed, byte for byte', () => {
    expect(fs.readdirSync(path.join(DESK, 'inbox')).sort()).toEqual(corpus.mails.map(({ key }) => `${key}.txt`));
    for (const { key, text } of corpus.mails) expect(committed(`inbox/${key}.txt`)).toBe(text);
    expect(committed('orders.json')).toBe(lines(corpus.orders));
    expect(committed('truth.json')).toBe(lines(corpus.truth));
  });

  test('differ from seed to seed', () => expect(makeCorpus(1).mails).not.toEqual(corpus.mails));

  test('are about 200, of every kind that makes the work hard', () => {
    expect(corpus.mails).toHaveLength(200);
    const outcomes = new Set(corpus.truth.flatMap((t) => t.outcomes));
    for (const outcome of [
      'refunded',
      'already-refunded',
      'unknown-order',
      'not-yours',
      'too-late',
      'more-than-paid',
      'other-currency',
      'not-approved',
      'no-order',
    ])
      expect(outcomes).toContain(outcome);
    expect(corpus.truth.filter((t) => t.requests.length > 1).length).toBeGreaterThanOrEqual(10);
    expect(corpus.truth.filter((t) => t.requests.some((r) => r.claims.length > 1)).length).toBeGreaterThanOrEqual(10);
  });

  test('name each order that their truth says they name', () => {
    const mails = new Map(readMails(DESK).map((mail) => [mail.key, `${mail.subject} ${mail.text}`.replace(/\D/g, ' ')]));
    for (const { key, requests } of readTruth(DESK))
      for (const { claims } of requests) for (const { order } of claims) expect(mails.get(key)).toContain(order.slice(2));
  });

  test('share no sentence with what the local model is trained on', () => {
    const bare = (text: string): string => text.toLowerCase().replace(/\W+/g, ' ').trim();
    const learned = new Set(
      trainingExamples()
        .filter((e) => e.label !== 'none')
        .map((e) => bare(e.text)),
    );
    const read = readMails(DESK).flatMap((mail) => sentencesOf(mail.text).map(bare));
    expect(read.filter((sentence) => learned.has(sentence))).toEqual([]);
  });
});
