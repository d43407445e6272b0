import { describe, expect, test } from 'vitest';
import { findClaims, findOrders } from '../../../examples/support-desk/entities.ts';
import { formatReply, ownWords, parseMail } from '../../../examples/support-desk/mail.ts';
import { findMoney, formatMoney, parseMoney } from '../../../examples/support-desk/money.ts';

const eur = (minor: number) => ({ minor, currency: 'EUR' });
const gbp = (minor: number) => ({ minor, currency: 'GBP' });
const usd = (minor: number) => ({ minor, currency: 'USD' });

describe('sums of money', () => {
  test.each([
    ['€49.50', eur(4950)],
    ['EUR 49.50', eur(4950)],
    ['49.50 EUR', eur(4950)],
    ['49,50 €', eur(4950)],
    ['1.240,00 €', eur(124_000)],
    ['USD 1,240.50', usd(124_050)],
    ['1240 euros', eur(124_000)],
    ['£ 7', gbp(700)],
    ['20 quid', gbp(2000)],
    ['forty-nine euros and fifty cents', eur(4950)],
    ['fourty pounds', gbp(4000)],
    ['thirty-five pounds and ninety-nine pence', gbp(3599)],
    ['one hundred and twenty dollars', usd(12_000)],
    ['a hundred bucks', usd(10_000)],
    ['two thousand three hundred and five euros', eur(230_500)],
  ])('reads %s', (text, money) => expect(parseMoney(`I ask for ${text}, please`)).toEqual(money));

  test.each(['+44 20 7946 0417', 'VAT ID DE129273398', 'order no. 10417', 'on 3 March 2026', 'twenty of them', '0 EUR'])(
    'finds none in %s',
    (text) => expect(findMoney(text)).toEqual([]),
  );

  test('does not add the next words to a sum', () => expect(parseMoney('twenty euros and a big apology')).toEqual(eur(2000)));
  test('writes what it reads', () => {
    for (const money of [eur(4950), gbp(5), usd(124_000)] as const)
      expect(parseMoney(formatMoney(money as never))).toEqual(money);
  });
});

describe('order numbers and the sums that belong to them', () => {
  test.each([
    'A-10417',
    'a10417',
    'A 10417',
    'order 10417',
    'order no. 10417',
    'order #10417',
    'Order number 10417',
    'order number is 10417',
  ])('reads %s', (text) => expect(findOrders(`it is about ${text}.`).map((o) => o.order)).toEqual(['A-10417']));
  test.each(['ticket #88211', 'Registered no. 10417', '20457 Hamburg', 'INV-2026-10417', 'A-104170'])(
    'finds none in %s',
    (text) => expect(findOrders(text)).toEqual([]),
  );

  test.each([
    ['refund A-10417', [{ order: 'A-10417' }]],
    ['refund A-10417 and a10417 again', [{ order: 'A-10417' }]],
    ['For A-10417 I want 20 EUR.', [{ order: 'A-10417', sum: eur(2000) }]],
    ['I want 20 EUR for A-10417.', [{ order: 'A-10417', sum: eur(2000) }]],
    [
      '20 EUR for A-10417 and 30 EUR for A-10418',
      [
        { order: 'A-10417', sum: eur(2000) },
        { order: 'A-10418', sum: eur(3000) },
      ],
    ],
    [
      'From A-10417 I want 20 EUR back; from A-10418 it is 30 EUR',
      [
        { order: 'A-10417', sum: eur(2000) },
        { order: 'A-10418', sum: eur(3000) },
      ],
    ],
    ['A-10417 and A-10418, together that makes 50 EUR', [{ order: 'A-10417' }, { order: 'A-10418' }]],
    ['refund A-10417. The shipping of 6.90 EUR was steep.', [{ order: 'A-10417' }]],
  ])('pairs them in: %s', (text, claims) => expect(findClaims(text)).toEqual(claims));
});

describe('mails', () => {
  const raw = [
    'From: Ada Abel <Ada.Abel@Example.com>',
    'Subject: A long',
    ' subject',
    'Date: Mon, 02 Nov 2026 23:30:00 -0500',
    'Message-ID: <1@example.com>',
    '',
    'Please refund A-10417.',
    '',
    '-- ',
    'Ada, order A-99999',
  ].join('\r\n');

  test('are read by their headers', () =>
    expect(parseMail('0001', raw)).toEqual({
      key: '0001',
      id: '<1@example.com>',
      from: 'ada.abel@example.com',
      name: 'Ada Abel',
      subject: 'A long subject',
      date: '2026-11-03',
      text: 'Please refund A-10417.\n\n-- \nAda, order A-99999',
    }));

  test('without headers are still mails', () =>
    expect(parseMail('1', '\njust text')).toMatchObject({ from: '', subject: '', date: '', text: 'just text' }));

  test.each([
    ['a signature', 'mine\n-- \nnot mine'],
    ['quoted lines', 'On 12 Oct 2026, Shop wrote:\n> not mine\nmine'],
    ['the mail below', 'mine\n\n-----Original Message-----\nnot mine'],
    ['a phone that speaks', 'mine\nSent from my phone'],
  ])('are read without %s', (_, text) => expect(ownWords(text)).toBe('mine'));

  test('are answered with one text, whenever that is', () =>
    expect(formatReply({ to: 'a@example.com', subject: 'Re: x', inReplyTo: '<1>', outcome: 'refunded', text: 'Done.' })).toBe(
      'From: Harbour & Pine support <support@harbourandpine.example>\nTo: a@example.com\nSubject: Re: x\nIn-Reply-To: <1>\nX-Outcome: refunded\n\nDone.\n',
    ));
});
