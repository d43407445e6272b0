/** Sums of money: integers of the smallest unit, found in running text, written for people. No arithmetic on fractions. */

export type Currency = 'EUR' | 'GBP' | 'USD';

export interface Money {
  /** Cents or pence. */
  readonly minor: number;
  readonly currency: Currency;
}

/** A sum and where it stands in the text. */
export interface FoundMoney {
  readonly money: Money;
  readonly at: number;
  readonly end: number;
}

const CURRENCIES: readonly (readonly [Currency, RegExp])[] = [
  ['EUR', /^(?:€|eur|euros?)$/i],
  ['GBP', /^(?:£|gbp|pounds?|quid)$/i],
  ['USD', /^(?:\$|usd|dollars?|bucks)$/i],
];

const UNITS =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen';
const NUMBER_WORDS = new Map<string, number>([
  ...UNITS.split(' ').map((word, n) => [word, n] as const),
  ...'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ').map((word, n) => [word, (n + 2) * 10] as const),
  ['a', 1],
  ['fourty', 40],
]);

const SIGN = '€|£|\\$|\\b(?:eur|gbp|usd)\\b';
const UNIT = '€|£|\\$|(?:eur|gbp|usd|euros?|pounds?|quid|dollars?|bucks)\\b';
const FIGURE = '\\d{1,3}(?:[.,]\\d{3})+(?:[.,]\\d{2})?(?!\\d)|\\d+(?:[.,]\\d{2})?(?!\\d)';
const WORD = `(?:${[...NUMBER_WORDS.keys(), 'hundred', 'thousand', 'and'].join('|')})`;
const WORDS = `${WORD}(?:[\\s-]+${WORD})*`;

const SUM = new RegExp(
  [
    `(?<sign>${SIGN})\\s?(?<after>${FIGURE})`,
    `(?<![\\d.,#-])(?<before>${FIGURE})\\s?(?<unit>${UNIT})`,
    `\\b(?<words>${WORDS})\\s+(?<wordUnit>euros?|pounds?|quid|dollars?|bucks)\\b(?:\\s+(?:and\\s+)?(?<cents>${WORDS})\\s+(?:cents?|pence)\\b)?`,
  ].join('|'),
  'gi',
);

export const formatMoney = ({ minor, currency }: Money): string =>
  `${currency} ${Math.trunc(minor / 100)}.${String(minor % 100).padStart(2, '0')}`;

/** Every sum in the text, in its order. What has no currency is no sum. */
export function findMoney(text: string): FoundMoney[] {
  return [...text.matchAll(SUM)].flatMap((match) => {
    const { sign, after, before, unit, words, wordUnit, cents } = match.groups!;
    const currency = currencyOf(sign ?? unit ?? wordUnit ?? '');
    const figure = after ?? before;
    const minor = figure === undefined ? minorOfWords(words ?? '', cents) : minorOfFigure(figure);
    return currency === undefined || minor === undefined || minor === 0
      ? []
      : [{ money: { minor, currency }, at: match.index, end: match.index + match[0].length }];
  });
}

export const parseMoney = (text: string): Money | undefined => findMoney(text)[0]?.money;

const currencyOf = (text: string): Currency | undefined => CURRENCIES.find(([, pattern]) => pattern.test(text))?.[0];

/** `1,240.50`, `1.240,50` and `1240` alike: a separator before exactly two last digits is the decimal one. */
function minorOfFigure(figure: string): number {
  const decimal = /[.,](\d{2})$/.exec(figure);
  const whole = figure.slice(0, decimal?.index ?? figure.length).replace(/[.,]/g, '');
  return Number(whole) * 100 + Number(decimal?.[1] ?? 0);
}

function minorOfWords(words: string, cents: string | undefined): number | undefined {
  const whole = numberOfWords(words);
  return whole === undefined ? undefined : whole * 100 + (cents === undefined ? 0 : (numberOfWords(cents) ?? 0));
}

function numberOfWords(words: string): number | undefined {
  let total = 0;
  let group = 0;
  let seen = false;
  for (const word of words.toLowerCase().split(/[\s-]+/)) {
    const value = NUMBER_WORDS.get(word);
    if (value !== undefined) group += value;
    else if (word === 'hundred') group = Math.max(1, group) * 100;
    else if (word === 'thousand') [total, group] = [Math.max(1, group) * 1000, 0];
    else continue;
    seen = true;
  }
  return seen ? total + group : undefined;
}
