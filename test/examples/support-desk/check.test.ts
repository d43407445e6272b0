import { describe, expect, test } from 'vitest';
import { compare } from '../../../examples/support-desk/check.ts';
import type { Expected } from '../../../examples/support-desk/expected.ts';

const eur = (minor: number) => ({ minor, currency: 'EUR' as const });
const expected: Expected = {
  replies: new Map([
    ['0001', 'one\nRefunded.\n'],
    ['0002', 'two\n'],
  ]),
  outcomes: new Map(),
  refunds: [
    { order: 'A-10001', sum: eur(100) },
    { order: 'A-10002', sum: eur(200) },
  ],
  approvals: 0,
};
const right = { refunds: expected.refunds, replies: expected.replies };

describe('the check of the demo', () => {
  test('finds nothing in what is right, in any order', () =>
    expect(compare(expected, { ...right, refunds: expected.refunds.toReversed() })).toEqual({
      duplicates: 0,
      lost: 0,
      differences: [],
    }));

  test.each([
    [
      'a lost refund',
      { ...right, refunds: expected.refunds.slice(1) },
      { duplicates: 0, lost: 1, differences: ['order A-10001: the refund of EUR 1.00 is lost'] },
    ],
    [
      'a refund posted twice',
      { ...right, refunds: [...expected.refunds, expected.refunds[0]!] },
      { duplicates: 1, lost: 0, differences: ['order A-10001: refunded 2 times'] },
    ],
    [
      'a wrong sum',
      { ...right, refunds: [{ order: 'A-10001', sum: eur(101) }, expected.refunds[1]!] },
      { duplicates: 0, lost: 0, differences: ['order A-10001: refunded EUR 1.01 instead of EUR 1.00'] },
    ],
    [
      'a refund that was not due',
      { ...right, refunds: [...expected.refunds, { order: 'A-10003', sum: eur(1) }] },
      { duplicates: 0, lost: 0, differences: ['order A-10003: refunded EUR 0.01 instead of nothing'] },
    ],
    [
      'a lost reply',
      { ...right, replies: new Map([['0002', 'two\n']]) },
      { duplicates: 0, lost: 1, differences: ['mail 0001: its reply is lost'] },
    ],
    [
      'another reply',
      { ...right, replies: new Map([...expected.replies, ['0001', 'one\nSorry.\n']]) },
      { duplicates: 0, lost: 0, differences: ['mail 0001: the reply says "Sorry." instead of "Refunded."'] },
    ],
    [
      'a reply that goes on',
      { ...right, replies: new Map([...expected.replies, ['0002', 'two\n\nmore']]) },
      { duplicates: 0, lost: 0, differences: ['mail 0002: the reply goes on too long'] },
    ],
    [
      'a reply to nobody',
      { ...right, replies: new Map([...expected.replies, ['0009', 'x']]) },
      { duplicates: 0, lost: 0, differences: ['mail 0009: answered, and there is no such mail'] },
    ],
  ])('finds %s', (_, done, comparison) => expect(compare(expected, done)).toEqual(comparison));
});
