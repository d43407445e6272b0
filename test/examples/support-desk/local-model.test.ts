import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { trainClassifier, triageOf } from '../../../examples/support-desk/classifier.ts';
import { evaluate, readMails, readTruth, type Score } from '../../../examples/support-desk/evaluate.ts';
import { localModel } from '../../../examples/support-desk/local-model.ts';
import { readTriage, triageAnswer, triageRequest } from '../../../examples/support-desk/triage-format.ts';

const DESK = path.resolve(import.meta.dirname, '../../../examples/support-desk');
const context = { signal: new AbortController().signal, idempotencyKey: 'k' };

describe('the local model', () => {
  const model = localModel();
  const ask = async (subject: string, text: string) =>
    readTriage(await model.generate(triageRequest(subject, text), context), subject, text);

  test('finds intent, order and sum', async () =>
    expect(await ask('Question', 'Hello,\n\nplease refund 20 EUR of my order A-10417.\n\nRegards,\nAda')).toMatchObject({
      requests: [{ intent: 'refund', claims: [{ order: 'A-10417', sum: { minor: 2000, currency: 'EUR' } }] }],
    }));

  test('finds two matters in one mail, each with its own order', async () =>
    expect((await ask('Two things', 'Please refund order A-10417. Where is my invoice for A-10418?'))?.requests).toEqual([
      { intent: 'refund', claims: [{ order: 'A-10417' }] },
      { intent: 'billing', claims: [{ order: 'A-10418' }] },
    ]));

  test('finds nothing in nothing', async () =>
    expect((await ask('', 'zzz'))?.requests).toEqual([{ intent: 'unclear', claims: [] }]));

  test('answers the same to the same, and after training anew', async () => {
    const mails = readMails(DESK).slice(0, 40);
    const [one, two] = [await trainClassifier(), await trainClassifier()];
    for (const { subject, text } of mails) {
      const first = await one(subject, text);
      expect([await one(subject, text), await two(subject, text)]).toEqual([first, first]);
    }
  });
});

describe('on the committed mails the local model', () => {
  let score: Score;
  beforeAll(async () => {
    score = await evaluate(readMails(DESK), readTruth(DESK), await trainClassifier());
  });

  // Measured: 187 of 200, 181 of 200, 141 of 150, 29 of 32, 180 of 200 (README). The floors leave room for a new version of the library.
  test('finds the first intent in 9 of 10', () => expect(score.intent / score.mails).toBeGreaterThan(0.9));
  test('finds all intents in 87 of 100', () => expect(score.intents / score.mails).toBeGreaterThan(0.87));
  test('finds orders and sums in 91 of 100', () => expect(score.claims / score.withClaims).toBeGreaterThan(0.91));
  test('finds the topic in 85 of 100', () => expect(score.topic / score.withTopic).toBeGreaterThan(0.85));
  test('gets everything right in 86 of 100, and not all: it is a classifier', () => {
    expect(score.whole / score.mails).toBeGreaterThan(0.86);
    expect(score.misses.length).toBeGreaterThan(0);
  });
});

describe('the answer of a model', () => {
  const result = (text: string) => ({ content: [{ type: 'text' as const, text }], finishReason: 'stop' as const, usage: {} });
  const triage = {
    requests: [{ intent: 'refund' as const, claims: [{ order: 'A-10417', sum: { minor: 2000, currency: 'EUR' as const } }] }],
    confidence: 0.5,
  };

  test('is read back as it was written', () => expect(readTriage(result(triageAnswer(triage)), '', 'A-10417')).toEqual(triage));
  test('may stand in a fence', () =>
    expect(readTriage(result(`\`\`\`json\n${triageAnswer(triage)}\n\`\`\``), '', 'A-10417')).toEqual(triage));
  test('loses orders that the mail does not name', () =>
    expect(readTriage(result(triageAnswer(triage)), '', 'A-10418')?.requests[0]?.claims).toEqual([]));
  test.each([
    '',
    'refund',
    '{}',
    '{"requests":[],"confidence":1}',
    '{"requests":[{"intent":"pay","orders":[]}],"confidence":1}',
    '{"requests":[{"intent":"technical","topic":"../../etc","orders":[]}],"confidence":1}',
  ])('is none: %s', (text) => expect(readTriage(result(text), '', '')).toBeUndefined());
});

describe('labelled sentences', () => {
  test('of spam make spam, whatever else they say', () =>
    expect(
      triageOf([
        { sentence: 'a', label: 'spam', score: 1 },
        { sentence: 'b', label: 'spam', score: 1 },
        { sentence: 'refund A-10417', label: 'refund', score: 0.9 },
      ]).requests,
    ).toEqual([{ intent: 'spam', claims: [] }]));
  test('need more than one weak word for a second matter', () =>
    expect(
      triageOf([
        { sentence: 'a', label: 'refund', score: 1 },
        { sentence: 'b', label: 'technical.app', score: 0.8 },
      ]).requests,
    ).toHaveLength(1));
});
