/** How people write numbers and slip on keys: variants of one order number, of one sum, of one word. */
import type { Currency, Money } from '../money.ts';
import { formatMoney } from '../money.ts';
import type { Seeded } from '../seeded.ts';

const ONES =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  );
const TENS = 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ');
const NAMES: Record<Currency, readonly [whole: string, part: string]> = {
  EUR: ['euros', 'cents'],
  GBP: ['pounds', 'pence'],
  USD: ['dollars', 'cents'],
};
const SIGNS: Record<Currency, string> = { EUR: '€', GBP: '£', USD: '$' };

export function orderAsWritten(order: string, random: Seeded): string {
  const digits = order.slice(2);
  return random.pick([
    order,
    order,
    order,
    `order ${order}`,
    `order no. ${digits}`,
    `order #${digits}`,
    `a${digits}`,
    `A ${digits}`,
    `order number ${digits}`,
  ]);
}

export function sumAsWritten(money: Money, random: Seeded): string {
  const plain = formatMoney(money).slice(4).replace(/\.00$/, '');
  const { currency } = money;
  return random.pick([
    `${currency} ${plain}`,
    `${plain} ${currency}`,
    `${SIGNS[currency]}${plain}`,
    `${plain} ${NAMES[currency][0]}`,
    currency === 'EUR' ? `${plain.replace('.', ',')} €` : `${SIGNS[currency]} ${plain}`,
  ]);
}

export function sumInWords({ minor, currency }: Money): string {
  const [whole, part] = NAMES[currency];
  const cents = minor % 100;
  return `${inWords(Math.trunc(minor / 100))} ${whole}${cents === 0 ? '' : ` and ${inWords(cents)} ${part}`}`;
}

function inWords(n: number): string {
  if (n < 20) return ONES[n]!;
  if (n < 100) return `${TENS[Math.trunc(n / 10) - 2]}${n % 10 === 0 ? '' : `-${ONES[n % 10]}`}`;
  if (n < 1000) return `${ONES[Math.trunc(n / 100)]} hundred${n % 100 === 0 ? '' : ` and ${inWords(n % 100)}`}`;
  return `${inWords(Math.trunc(n / 1000))} thousand${n % 1000 === 0 ? '' : ` ${inWords(n % 1000)}`}`;
}

/** Swaps, drops or doubles a letter in `count` words; words that hold anything but letters stay, and so do those in `spared`. */
export function withTypos(text: string, count: number, spared: readonly string[], random: Seeded): string {
  const words = text.split(/(\s+)/);
  const kept = new Set(spared.flatMap((s) => s.split(/\s+/)));
  const open = words.flatMap((word, i) => (/^[A-Za-z]{5,}[,.]?$/.test(word) && !kept.has(word.replace(/[,.]$/, '')) ? [i] : []));
  for (const i of random.shuffle(open).slice(0, count)) {
    const word = words[i]!;
    const at = random.between(1, word.length - 3);
    const slip = random.between(0, 2);
    if (slip === 0) words[i] = word.slice(0, at) + word[at + 1]! + word[at]! + word.slice(at + 2);
    else if (slip === 1) words[i] = word.slice(0, at) + word.slice(at + 1);
    else words[i] = word.slice(0, at) + word[at]! + word.slice(at);
  }
  return words.join('');
}
