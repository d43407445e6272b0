import { describe, expect, test } from 'vitest';
import { approver } from '../../../examples/support-desk/approver.ts';
import { billing } from '../../../examples/support-desk/billing.ts';
import { deskCase } from '../../../examples/support-desk/case.ts';
import { intake, OPEN_MAX } from '../../../examples/support-desk/intake.ts';
import type { Mail } from '../../../examples/support-desk/mail.ts';
import { APPROVER, caseAddress, type Finding, INTAKE, type Request } from '../../../examples/support-desk/messages.ts';
import type { Lookup, Order } from '../../../examples/support-desk/policy.ts';
import { refund } from '../../../examples/support-desk/refund.ts';
import { technical } from '../../../examples/support-desk/technical.ts';
import { triage } from '../../../examples/support-desk/triage.ts';
import { run, settle, type StandIn, standIn } from './desk.ts';

const order = (minor = 10_000, id = 'A-10001'): Order => ({
  id,
  email: 'ada@example.com',
  customer: 'Ada',
  item: 'tent',
  total: { minor, currency: 'EUR' },
  orderedOn: '2026-10-01',
  invoice: 'INV-1',
});
const found = (minor?: number, refundedMinor = 0): Lookup => ({ order: order(minor), refundedMinor });
const broken = new TypeError('broken');
const outcomesOf = (actor: { getSnapshot(): { output?: unknown } }): readonly string[] | undefined =>
  (actor.getSnapshot().output as Finding | undefined)?.outcomes;

describe('the refund specialist', () => {
  const claims = [{ order: 'A-10001' }];
  const input = { customer: 'ada@example.com', askedOn: '2026-11-02', claims };
  const start = (lookup: StandIn, post = standIn({ refund: 1 }), claimed: typeof claims = claims) => ({
    ...run(refund.provide({ actors: { lookup: lookup.logic, post: post.logic } }), { ...input, claims: claimed }, [APPROVER]),
    post,
  });

  test('posts what is good, with the sum that the rules give', async () => {
    const { actor, post } = start(standIn(found()));
    await settle();
    expect(outcomesOf(actor)).toEqual(['refunded']);
    expect(post.calls).toEqual([{ order: 'A-10001', amount_minor: 10_000, currency: 'EUR', reason: 'asked for on 2026-11-02' }]);
  });

  test('posts nothing that the rules refuse', async () => {
    const { actor, post } = start(standIn(found(10_000, 10_000)));
    await settle();
    expect([outcomesOf(actor), post.calls]).toEqual([['already-refunded'], []]);
  });

  test('asks which order it is when none is named', async () => {
    const { actor } = start(standIn(found()), undefined, []);
    expect(outcomesOf(actor)).toEqual(['no-order']);
  });

  test('goes through several orders, each on its own', async () => {
    const { actor, post } = start(
      standIn<Lookup>(found(), { refundedMinor: 0 }, { order: order(500, 'A-10003'), refundedMinor: 0 }),
      undefined,
      [{ order: 'A-10001' }, { order: 'A-10002' }, { order: 'A-10003' }],
    );
    await settle();
    expect(outcomesOf(actor)).toEqual(['refunded', 'unknown-order', 'refunded']);
    expect(post.calls).toHaveLength(2);
  });

  test('looks up again after a pause that grows, then leaves it to a person', async () => {
    const lookup = standIn<Lookup>(broken);
    const { actor, clock } = start(lookup);
    for (const [tries, pause] of [
      [1, 2_000],
      [2, 4_000],
      [3, 8_000],
    ] as const) {
      await settle();
      expect(lookup.calls).toHaveLength(tries);
      clock.increment(pause - 1);
      await settle();
      expect(lookup.calls).toHaveLength(tries);
      clock.increment(1);
    }
    await settle();
    expect(outcomesOf(actor)).toEqual(['not-posted']);
  });

  test('goes on when the ledger is back', async () => {
    const { actor, clock } = start(standIn<Lookup>(broken, found()));
    await settle();
    clock.increment(2_000);
    await settle();
    expect(outcomesOf(actor)).toEqual(['refunded']);
  });

  test('never posts a second time by itself', async () => {
    const { actor, post } = start(standIn(found()), standIn<{ refund: number }>(broken));
    await settle();
    expect([outcomesOf(actor), post.calls.length]).toEqual([['not-posted'], 1]);
  });

  describe('above the limit', () => {
    const waiting = async () => {
      const it = start(standIn(found(20_000)));
      await settle();
      expect(it.actor.getSnapshot().matches({ working: 'awaitingApproval' })).toBe(true);
      expect(it.post.calls).toEqual([]);
      return it;
    };

    test('asks the approver, naming order, sum and itself', async () => {
      const { received, actor } = await waiting();
      expect(received[APPROVER]).toEqual([
        { type: 'approval.requested', order: 'A-10001', sum: { minor: 20_000, currency: 'EUR' }, replyTo: actor },
      ]);
    });
    test('posts after an approval', async () => {
      const { actor, post } = await waiting();
      actor.send({ type: 'approval.given', order: 'A-10001' });
      await settle();
      expect([outcomesOf(actor), post.calls.length]).toEqual([['refunded'], 1]);
    });
    test('posts nothing after a refusal', async () => {
      const { actor, post } = await waiting();
      actor.send({ type: 'approval.refused', order: 'A-10001' });
      await settle();
      expect([outcomesOf(actor), post.calls]).toEqual([['not-approved'], []]);
    });
    test('takes no answer about another order', async () => {
      const { actor, post } = await waiting();
      actor.send({ type: 'approval.given', order: 'A-10002' });
      actor.send({ type: 'approval.refused', order: 'A-10002' });
      await settle();
      expect([actor.getSnapshot().status, post.calls]).toEqual(['active', []]);
    });
    test('says so when nobody decides in time', async () => {
      const { actor, clock, post } = await waiting();
      clock.increment(30 * 60_000);
      await settle();
      expect([outcomesOf(actor), post.calls]).toEqual([['not-decided'], []]);
    });
  });

  test('ends at its deadline, whatever hangs', async () => {
    const { actor, clock } = start(standIn<Lookup>(found(), 'never'), undefined, [
      { order: 'A-10001' },
      { order: 'A-10002' },
      { order: 'A-10003' },
    ]);
    await settle();
    clock.increment(60 * 60_000);
    expect(outcomesOf(actor)).toEqual(['refunded', 'not-posted', 'not-posted']);
  });
});

describe('the approver', () => {
  test.each([
    [40_000, 'approval.given'],
    [40_001, 'approval.refused'],
  ])('answers a request for %i after a moment: %s', (minor, type) => {
    const { actor, clock, received, refs } = run(approver, undefined, ['asker']);
    actor.send({ type: 'approval.requested', order: 'A-10001', sum: { minor, currency: 'EUR' }, replyTo: refs['asker']! });
    expect(received['asker']).toEqual([]);
    clock.increment(400);
    expect(received['asker']).toEqual([{ type, order: 'A-10001' }]);
  });
});

describe('the billing specialist', () => {
  const start = (lookup: StandIn, claims = [{ order: 'A-10001' }]) =>
    run(billing.provide({ actors: { lookup: lookup.logic } }), { customer: 'ada@example.com', claims });

  test('names the invoice of each order', async () => {
    const { actor } = start(standIn<Lookup>(found(), { refundedMinor: 0 }), [{ order: 'A-10001' }, { order: 'A-10002' }]);
    await settle();
    expect(outcomesOf(actor)).toEqual(['invoice-sent', 'unknown-order']);
  });
  test('knows nothing of orders of others', async () => {
    const { actor } = start(standIn<Lookup>({ order: { ...order(), email: 'eve@example.com' }, refundedMinor: 0 }));
    await settle();
    expect(outcomesOf(actor)).toEqual(['unknown-order']);
  });
  test('asks which order it is', () => expect(outcomesOf(start(standIn<Lookup>(broken), []).actor)).toEqual(['no-order']));
  test('tries three times, then hands over', async () => {
    const lookup = standIn<Lookup>(broken);
    const { actor, clock } = start(lookup);
    for (const pause of [2_000, 4_000, 8_000]) {
      await settle();
      clock.increment(pause);
    }
    await settle();
    expect([outcomesOf(actor), lookup.calls.length]).toEqual([['handed-over'], 4]);
  });
  test('ends at its deadline', async () => {
    const { actor, clock } = start(standIn<Lookup>('never'));
    clock.increment(10 * 60_000);
    expect(outcomesOf(actor)).toEqual(['handed-over']);
  });
});

describe('the technical specialist', () => {
  const start = (topic: string | undefined, read: StandIn) => run(technical.provide({ actors: { read: read.logic } }), { topic });

  test('answers with the article of the topic', async () => {
    const read = standIn({ content: '# Help\n' });
    const { actor } = start('app', read);
    await settle();
    expect([outcomesOf(actor), read.calls]).toEqual([['article-app'], [{ path: 'articles/app.md' }]]);
  });
  test('hands over what has no topic', () =>
    expect(outcomesOf(start(undefined, standIn({ content: '' })).actor)).toEqual(['handed-over']));
  test('reads again after a pause', async () => {
    const { actor, clock } = start('app', standIn<{ content: string }>(broken, { content: 'x' }));
    await settle();
    clock.increment(2_000);
    await settle();
    expect(outcomesOf(actor)).toEqual(['article-app']);
  });
  test('hands over what cannot be read, and ends at its deadline', async () => {
    const one = start('app', standIn<{ content: string }>(broken));
    for (const pause of [2_000, 4_000, 8_000]) {
      await settle();
      one.clock.increment(pause);
    }
    await settle();
    const two = start('app', standIn<{ content: string }>('never'));
    two.clock.increment(10 * 60_000);
    expect([outcomesOf(one.actor), outcomesOf(two.actor)]).toEqual([['handed-over'], ['handed-over']]);
  });
});

describe('a member of the triage pool', () => {
  const answer = (intent: string) => ({
    content: [{ type: 'text', text: JSON.stringify({ requests: [{ intent, orders: [] }], confidence: 1 }) }],
    finishReason: 'stop',
    usage: {},
  });
  const nonsense = { content: [{ type: 'text', text: 'I think that this is a refund.' }], finishReason: 'stop', usage: {} };
  const start = (model: StandIn) => run(triage.provide({ actors: { model: model.logic } }), undefined, ['a', 'b']);
  const question = (subject: string, replyTo: string) => ({
    type: 'triage.requested' as const,
    subject,
    text: subject,
    replyTo: { id: replyTo },
  });

  test('answers one after the other, each to who asked', async () => {
    const model = standIn<unknown>(answer('refund'), answer('billing'), answer('spam'));
    const { actor, received } = start(model);
    for (const [subject, who] of [
      ['1', 'a'],
      ['2', 'b'],
      ['3', 'a'],
    ] as const)
      actor.send(question(subject, who));
    expect(model.calls).toHaveLength(1);
    await settle();
    expect(received['a']!.map((e) => (e['requests'] as Request[])[0]!.intent)).toEqual(['refund', 'spam']);
    expect(received['b']!.map((e) => (e['requests'] as Request[])[0]!.intent)).toEqual(['billing']);
    expect(actor.getSnapshot().value).toBe('idle');
  });
  test('asks once more when the model says something else', async () => {
    const model = standIn<unknown>(nonsense, answer('refund'));
    const { actor, received } = start(model);
    actor.send(question('1', 'a'));
    await settle();
    expect([model.calls.length, received['a']]).toMatchObject([2, [{ type: 'triage.found' }]]);
  });
  test.each([
    ['keeps saying something else', nonsense, 2],
    ['fails', broken, 1],
  ])('says so when the model %s, and goes on with the next', async (_, first, calls) => {
    const model = standIn<unknown>(...Array.from({ length: calls }, () => first), answer('refund'));
    const { actor, received } = start(model);
    actor.send(question('1', 'a'));
    actor.send(question('2', 'b'));
    await settle();
    expect([received['a'], received['b']]).toMatchObject([[{ type: 'triage.failed' }], [{ type: 'triage.found' }]]);
    expect(model.calls).toHaveLength(calls + 1);
  });
});

describe('a case', () => {
  const mail: Mail = {
    key: '0007',
    id: '<7>',
    from: 'ada@example.com',
    name: 'Ada',
    subject: 'Tent',
    date: '2026-11-02',
    text: 'Hello',
  };
  const triaged = (...requests: Request[]) => ({ type: 'triage.found', requests, confidence: 1 });
  const says = (...outcomes: string[]) => standIn<Finding>({ outcomes, paragraphs: outcomes });
  const start = (actors: Partial<Record<'triage' | 'refund' | 'billing' | 'technical' | 'write', StandIn>>) => {
    const write = actors.write ?? standIn({ content: 'ok' });
    const parts = { refund: says('refunded'), billing: says('invoice-sent'), technical: says('article-app'), ...actors, write };
    const provided = Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part.logic]));
    const it = run(deskCase.provide({ actors: provided }), undefined, [INTAKE]);
    it.actor.send({ type: 'mail.arrived', mail });
    const outcome = () => it.received[INTAKE]!.map((e) => [e.type, e['key'], e['outcome']]);
    return { ...it, write, outcome };
  };

  test.each([
    ['refund', 'refunded'],
    ['billing', 'invoice-sent'],
    ['technical', 'article-app'],
    ['spam', 'ignored'],
    ['unclear', 'asked-back'],
  ] as const)('about %s writes one reply and tells intake: %s', async (intent, outcome) => {
    const { actor, write, outcome: told } = start({ triage: standIn(triaged({ intent, claims: [] })) });
    await settle();
    expect(actor.getSnapshot()).toMatchObject({ status: 'done', value: 'closed', output: { outcome } });
    expect(write.calls).toMatchObject([
      { path: 'outbox/0007.txt', content: expect.stringContaining(`X-Outcome: ${outcome}\n`) as string },
    ]);
    expect(told()).toEqual([['case.closed', '0007', outcome]]);
  });

  test('gives each thing that a mail wants to its specialist, with what it needs', async () => {
    const [refundPart, billingPart] = [says('refunded'), says('invoice-sent')];
    const { outcome } = start({
      triage: standIn(
        triaged(
          { intent: 'refund', claims: [{ order: 'A-10001' }] },
          { intent: 'billing', claims: [{ order: 'A-10002' }] },
          { intent: 'unclear', claims: [] },
        ),
      ),
      refund: refundPart,
      billing: billingPart,
    });
    await settle();
    expect(outcome()).toEqual([['case.closed', '0007', 'refunded, invoice-sent, asked-back']]);
    expect(refundPart.calls).toEqual([{ customer: 'ada@example.com', askedOn: '2026-11-02', claims: [{ order: 'A-10001' }] }]);
    expect(billingPart.calls).toEqual([{ customer: 'ada@example.com', claims: [{ order: 'A-10002' }] }]);
  });

  test('takes its mail once', async () => {
    const triaging = standIn<never>('never');
    const { actor } = start({ triage: triaging });
    actor.send({ type: 'mail.arrived', mail });
    await settle();
    expect(triaging.calls).toHaveLength(1);
  });

  test('passes a decision of a person on to its refund', async () => {
    const order20 = standIn<Lookup>(found(20_000));
    const real = refund.provide({ actors: { lookup: order20.logic, post: standIn({ refund: 1 }).logic } });
    const it = run(
      deskCase.provide({
        actors: {
          triage: standIn(triaged({ intent: 'refund', claims: [{ order: 'A-10001' }] })).logic,
          refund: real,
          write: standIn({ content: '' }).logic,
        },
      }),
      undefined,
      [INTAKE, APPROVER],
    );
    it.actor.send({ type: 'mail.arrived', mail });
    await settle();
    it.actor.send({ type: 'approval.given', order: 'A-10001' });
    await settle();
    expect(it.received[INTAKE]).toMatchObject([{ outcome: 'refunded' }]);
  });

  test('asks triage again, and in the end hands over', async () => {
    const triaging = standIn<never>(broken);
    const { clock, outcome } = start({ triage: triaging });
    for (const pause of [2_000, 4_000, 8_000]) {
      await settle();
      clock.increment(pause);
    }
    await settle();
    expect([triaging.calls.length, outcome()]).toEqual([4, [['case.closed', '0007', 'handed-over']]]);
  });

  test('hands over what triage could not read', async () => {
    const { outcome } = start({ triage: standIn({ type: 'triage.failed' }) });
    await settle();
    expect(outcome()).toEqual([['case.closed', '0007', 'handed-over']]);
  });

  test.each(['refund', 'billing', 'technical'] as const)('hands over when its %s specialist breaks', async (intent) => {
    const { outcome } = start({ triage: standIn(triaged({ intent, claims: [] })), [intent]: standIn<never>(broken) });
    await settle();
    expect(outcome()).toEqual([['case.closed', '0007', 'handed-over']]);
  });

  test('writes its reply again, the same one, and reports when it cannot', async () => {
    const write = standIn<never>(broken);
    const { clock, outcome, actor } = start({ triage: standIn(triaged({ intent: 'spam', claims: [] })), write });
    for (const pause of [2_000, 4_000, 8_000]) {
      await settle();
      clock.increment(pause);
    }
    await settle();
    expect(new Set(write.calls.map((call) => JSON.stringify(call))).size).toBe(1);
    expect([actor.getSnapshot().value, outcome()]).toEqual(['unanswered', [['case.closed', '0007', 'unanswered']]]);
  });
});

describe('intake', () => {
  const listing = (files: readonly string[]) =>
    standIn({ content: ['[DIR] old', ...files.map((file) => `[FILE] ${file}`), '[FILE] notes.md'].join('\n') });
  const mailFrom = (who: string) => ({
    content: `From: ${who}\nSubject: s\nDate: Mon, 02 Nov 2026 07:00:00 +0000\nMessage-ID: <1>\n\ntext`,
  });
  const start = (senders: readonly string[], list?: StandIn, read?: StandIn) => {
    const files = senders.map((_, i) => `${String(i + 1).padStart(4, '0')}.txt`);
    const reading = read ?? standIn((input: { path: string }) => mailFrom(senders[files.indexOf(input.path.slice(6))]!));
    const it = run(
      intake.provide({ actors: { list: (list ?? listing(files)).logic, read: reading.logic } }),
      undefined,
      files.map((file) => caseAddress(file.slice(0, 4))),
    );
    const arrived = () => Object.entries(it.received).flatMap(([address, events]) => events.map(() => address.slice(-4)));
    const close = (key: string) => it.actor.send({ type: 'case.closed', key, outcome: 'refunded' });
    return { ...it, reading, arrived, close };
  };
  const customers = (n: number) => Array.from({ length: n }, (_, i) => `c${i}@example.com`);

  test('gives each mail to a case of its own, and is done when all are closed', async () => {
    const { actor, arrived, close, received } = start(customers(3));
    await settle();
    expect(arrived()).toEqual(['0001', '0002', '0003']);
    expect(received[caseAddress('0002')]).toMatchObject([
      { type: 'mail.arrived', mail: { key: '0002', from: 'c1@example.com', date: '2026-11-02' } },
    ]);
    for (const key of ['0002', '0003']) close(key);
    expect(actor.getSnapshot().status).toBe('active');
    close('0001');
    expect(actor.getSnapshot()).toMatchObject({ status: 'done', output: { mails: 3, unreadable: [] } });
  });

  test('has only so many cases open', async () => {
    const { arrived, close, reading } = start(customers(OPEN_MAX + 5));
    await settle();
    expect(arrived()).toHaveLength(OPEN_MAX);
    expect(reading.calls).toHaveLength(OPEN_MAX);
    close('0005');
    await settle();
    expect(arrived()).toHaveLength(OPEN_MAX + 1);
  });

  test('never has two cases of one customer open, and keeps their order', async () => {
    const { arrived, close, actor } = start(['a@x.example', 'b@x.example', 'a@x.example', 'a@x.example']);
    await settle();
    expect(arrived()).toEqual(['0001', '0002']);
    close('0001');
    await settle();
    expect(arrived()).toEqual(['0001', '0002', '0003']);
    close('0003');
    await settle();
    expect(arrived()).toEqual(['0001', '0002', '0003', '0004']);
    close('0004');
    close('0002');
    expect(actor.getSnapshot().status).toBe('done');
  });

  test('takes reports while it reads', async () => {
    const { arrived, close, actor } = start(
      customers(2),
      undefined,
      standIn<{ content: string }>(mailFrom('a@x.example'), 'never'),
    );
    await settle();
    expect(arrived()).toEqual(['0001']);
    close('0001');
    expect(actor.getSnapshot().context).toMatchObject({ closed: 1, open: {} });
  });

  test('sets a mail aside that cannot be read, and says so', async () => {
    const { actor, arrived, close } = start(
      customers(2),
      undefined,
      standIn<{ content: string }>(broken, mailFrom('a@x.example')),
    );
    await settle();
    expect(arrived()).toEqual(['0002']);
    close('0002');
    expect(actor.getSnapshot().output).toEqual({ mails: 1, unreadable: ['0001.txt'] });
  });

  test('waits for its folder', async () => {
    const list = standIn<{ content: string }>(broken, { content: '' });
    const { actor, clock } = start([], list);
    await settle();
    expect(actor.getSnapshot().hasTag('attention')).toBe(true);
    clock.increment(2_000);
    await settle();
    expect(actor.getSnapshot().status).toBe('done');
  });

  test('calls for attention when no case closes for long, and goes on when one does', async () => {
    const { actor, clock, close } = start(customers(1));
    await settle();
    clock.increment(15 * 60_000);
    expect(actor.getSnapshot().hasTag('attention')).toBe(true);
    close('0001');
    expect(actor.getSnapshot().status).toBe('done');
  });
});
