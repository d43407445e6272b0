/**
 * The offline model itself: an intent classifier of @nlpjs/nlp, trained at start from training.ts in some milliseconds. It reads a
 * mail sentence by sentence, because a mail may want two things, and most sentences of a mail want nothing. Deterministic.
 */
import { Nlp } from '@nlpjs/nlp';
import { LangEn } from '@nlpjs/lang-en-min';
import { findClaims, findOrders } from './entities.ts';
import { ownWords } from './mail.ts';
import type { Intent, Request, Triage } from './messages.ts';
import { findMoney } from './money.ts';
import { trainingExamples } from './training.ts';

/** A label as the model learns it: intent, or intent and topic. */
interface Scored {
  readonly sentence: string;
  readonly label: string;
  readonly score: number;
}

/** A sentence below it says nothing. */
const SENTENCE_FLOOR = 0.6;
/** What a second matter, or a subject line alone, needs at least: one odd sentence opens no case. */
const SECOND_FLOOR = 0.9;

export async function trainClassifier(): Promise<(subject: string, text: string) => Promise<Triage>> {
  const nlp = new Nlp({ languages: ['en'], autoSave: false, forceNER: false, nlu: { log: false } });
  nlp.container.use(LangEn);
  for (const { text, label } of trainingExamples()) nlp.addDocument('en', text, label);
  await nlp.train();

  const label = async (sentence: string): Promise<Scored> => {
    const { classifications } = await nlp.process('en', withoutFigures(sentence));
    const best = classifications[0];
    return best === undefined || best.score < SENTENCE_FLOOR || best.intent === 'None'
      ? { sentence, label: 'none', score: 0 }
      : { sentence, label: best.intent, score: best.score };
  };

  return async (subject, text) => {
    const scored: Scored[] = [];
    for (const sentence of sentencesOf(ownWords(text))) scored.push(await label(sentence));
    if (scored.every((s) => s.label === 'none')) scored.push(atLeast(SECOND_FLOOR, await label(subject)));
    return triageOf(scored);
  };
}

const atLeast = (floor: number, scored: Scored): Scored =>
  scored.score >= floor ? scored : { ...scored, label: 'none', score: 0 };

/** Sentences of one intent make one request; its orders are those of its sentences. */
export function triageOf(scored: readonly Scored[]): Triage {
  const weights = new Map<Intent, number>();
  for (const { label, score } of scored)
    if (label !== 'none') weights.set(intentOf(label), (weights.get(intentOf(label)) ?? 0) + score);
  const ranked = [...weights].sort(([, a], [, b]) => b - a);
  const first = ranked[0];
  if (first === undefined) return { requests: [{ intent: 'unclear', claims: [] }], confidence: 0 };
  const best = (intent: Intent): number =>
    Math.max(...scored.filter((s) => s.label !== 'none' && intentOf(s.label) === intent).map((s) => s.score));
  const wanted =
    first[0] === 'spam'
      ? [first[0]]
      : ranked.map(([intent]) => intent).filter((intent, i) => i === 0 || (intent !== 'spam' && best(intent) >= SECOND_FLOOR));
  return { requests: wanted.map((intent) => requestOf(intent, wanted, scored)), confidence: round(best(first[0])) };
}

function requestOf(intent: Intent, wanted: readonly Intent[], scored: readonly Scored[]): Request {
  if (intent === 'spam' || intent === 'unclear') return { intent, claims: [] };
  const own = scored.filter((s) => s.label !== 'none' && intentOf(s.label) === intent);
  if (intent === 'technical') return { intent, topic: topicOf(own), claims: [] };
  const claims = findClaims(textOf(own, scored, intent, wanted));
  if (claims.length > 0) return { intent, claims };
  const all = findClaims(scored.map((s) => s.sentence).join(' '));
  return { intent, claims: all.length === 1 || wanted.length === 1 ? all : [] };
}

/** Sentences that want nothing themselves may still name the order: they count for the first matter. */
const textOf = (own: readonly Scored[], scored: readonly Scored[], intent: Intent, wanted: readonly Intent[]): string =>
  scored
    .filter((s) => own.includes(s) || (intent === wanted[0] && (s.label === 'none' || !wanted.includes(intentOf(s.label)))))
    .map((s) => s.sentence)
    .join(' ');

const intentOf = (label: string): Intent => label.split('.')[0] as Intent;
const topicOf = (own: readonly Scored[]): string => own.reduce((a, b) => (b.score > a.score ? b : a)).label.split('.')[1] ?? '';
const round = (score: number): number => Math.round(score * 1000) / 1000;

/**
 * At line ends, and behind `.!?` before a capital: `order no. 10417` stays in one piece. Pieces of one or two words (`Refund.
 * A-10417. Now.`) stay together; what follows a closing line such as `Kind regards,` is no sentence.
 */
export function sentencesOf(text: string): string[] {
  const lines = text.split(/\n+/).map((line) => line.trim());
  const closing = lines.findIndex((line, i) => i > 0 && /^\S+(?: \S+){0,6},$/.test(line));
  return lines.slice(0, closing < 0 ? lines.length : closing).flatMap((line) => {
    const pieces: string[] = [];
    for (const piece of line.split(/(?<=[.!?])\s+(?=[A-Z"'(])/)) {
      const last = pieces.at(-1);
      if (last !== undefined && (words(piece) < 3 || words(last) < 3)) pieces[pieces.length - 1] = `${last} ${piece}`;
      else pieces.push(piece);
    }
    return pieces.filter((piece) => /[a-z]/i.test(piece));
  });
}
const words = (text: string): number => text.split(/\s+/).length;

/** Order numbers and sums as the words that stand for them in the training texts. */
function withoutFigures(sentence: string): string {
  const spans = [
    ...findOrders(sentence).map(({ at, end }) => ({ at, end, word: ' orderref ' })),
    ...findMoney(sentence).map(({ at, end }) => ({ at, end, word: ' moneysum ' })),
  ].sort((a, b) => b.at - a.at);
  return spans.reduce((text, { at, end, word }) => text.slice(0, at) + word + text.slice(end), sentence).replace(/\s+/g, ' ');
}
