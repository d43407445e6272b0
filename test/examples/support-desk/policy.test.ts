import { describe, expect, test } from 'vitest';
import { foldDesk } from '../../../examples/support-desk/expected.ts';
import type { Mail } from '../../../examples/support-desk/mail.ts';
import type { Request } from '../../../examples/support-desk/messages.ts';
import { APPROVAL_ABOVE, APPROVER_CEILING, approves, judge, type Order } from '../../../examples/support-desk/policy.ts';
import { replyTo, SPAM, UNCLEAR } from '../../../examples/support-desk/replies.ts';

const order = (minor = 10_000): Order => ({
  id: 'A-10001',
  email: 'ada@example.com',
  customer: 'Ada',
  item: 'tent',
  total: { minor, currency: 'EUR' },
  orderedOn: '2026-10-01',
  invoice: 'INV-1',
});
const mail = (key: string, from = 'ada@example.com'): Mail => ({
  key,
  id: `<${key}>`,
  from,
  name: 'Ada',
  subject: 'Tent',
  date: '2026-11-02',
  text: '',
});
const claim = { order: 'A-10001' };
const euros = (minor: number) => ({ minor, currency: 'EUR' as const });

describe('a refund', () => {
  const judged = (
    lookup: Parameters<typeof judge>[1],
    asked: Parameters<typeof judge>[0] = claim,
    customer = 'ada@example.com',
    on = '2026-11-02',
  ) => judge(asked, lookup, customer, on);

  test('is the whole price unless a sum is named', () => {
    expect(judged({ order: order(), refundedMinor: 0 })).toEqual({ refund: euros(10_000), approval: false });
    expect(judged({ order: order(), refundedMinor: 0 }, { ...claim, sum: euros(500) })).toEqual({
      refund: euros(500),
      approval: false,
    });
  });
  test('needs approval above the limit, not at it', () => {
    expect(judged({ order: order(APPROVAL_ABOVE), refundedMinor: 0 })).toMatchObject({ approval: false });
    expect(judged({ order: order(APPROVAL_ABOVE + 1), refundedMinor: 0 })).toMatchObject({ approval: true });
    expect([approves(euros(APPROVER_CEILING)), approves(euros(APPROVER_CEILING + 1))]).toEqual([true, false]);
  });
  test.each([
    ['unknown-order', judged({ refundedMinor: 0 })],
    ['not-yours', judged({ order: order(), refundedMinor: 0 }, claim, 'eve@example.com')],
    ['already-refunded', judged({ order: order(), refundedMinor: 1 })],
    ['too-late', judged({ order: order(), refundedMinor: 0 }, claim, 'ada@example.com', '2026-12-31')],
    ['other-currency', judged({ order: order(), refundedMinor: 0 }, { ...claim, sum: { minor: 1, currency: 'USD' } })],
    ['more-than-paid', judged({ order: order(), refundedMinor: 0 }, { ...claim, sum: euros(10_001) })],
  ])('is refused as %s', (refuse, judgement) => expect(judgement).toEqual({ refuse }));
  test('is in time on the last day', () =>
    expect(judged({ order: order(), refundedMinor: 0 }, claim, 'ada@example.com', '2026-12-30')).toHaveProperty('refund'));
});

describe('a desk without machinery', () => {
  const refund: Request = { intent: 'refund', claims: [claim] };
  const fold = (requests: Record<string, readonly Request[]>, minor?: number) =>
    foldDesk(
      Object.keys(requests).map((key) => mail(key)),
      [order(minor)],
      (m) => requests[m.key]!,
      (topic) => (topic === 'app' ? 'Update it.' : undefined),
    );

  test('pays once for an order, however often it is asked', () => {
    const { refunds, outcomes } = fold({ a: [refund], b: [refund], c: [refund, refund] });
    expect(refunds).toEqual([{ order: 'A-10001', sum: euros(10_000) }]);
    expect([...outcomes.values()]).toEqual([['refunded'], ['already-refunded'], ['already-refunded', 'already-refunded']]);
  });
  test('counts approvals and pays none that is refused', () => {
    expect(fold({ a: [refund] }, 20_000)).toMatchObject({ approvals: 1, refunds: [{ order: 'A-10001' }] });
    expect(fold({ a: [refund], b: [refund] }, 50_000)).toMatchObject({ approvals: 2, refunds: [] });
  });
  test('answers all that a mail wants in one reply', () => {
    const { replies } = fold({
      a: [refund, { intent: 'billing', claims: [claim] }, { intent: 'technical', topic: 'app', claims: [] }],
    });
    expect(replies.get('a')).toContain('X-Outcome: refunded, invoice-sent, article-app\n');
    expect(replies.get('a')).toMatch(/We have refunded EUR 100\.00[\s\S]+invoice INV-1[\s\S]+Update it\./);
  });
  test('tells nobody of the orders of others', () => {
    const { replies } = foldDesk([mail('a', 'eve@example.com')], [order()], () => [{ intent: 'billing', claims: [claim] }]);
    expect(replies.get('a')).not.toContain('INV-1');
  });
  test('hands over what has no article, and asks back what is unclear', () => {
    expect([
      ...fold({
        a: [{ intent: 'technical', topic: 'zzz', claims: [] }],
        b: [{ intent: 'unclear', claims: [] }],
      }).outcomes.values(),
    ]).toEqual([['handed-over'], ['asked-back']]);
  });
  test('files spam and answers everything else', () => {
    expect(replyTo(mail('a'), [SPAM])).toContain('To: spam@');
    expect(replyTo(mail('a'), [UNCLEAR])).toContain('To: ada@example.com');
  });
});
