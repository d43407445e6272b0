/** What every `Mailboxes` keeps between two nodes of a mesh. Mail may be lost or doubled, so each case sends again until it is taken. */
import assert from 'node:assert/strict';
import type { CursorReport, Envelope } from '../../core/envelope.ts';
import type { Mailboxes } from '../../core/ports/mailboxes.ts';
import { type Case, caseOf, type Passing, until } from './case.ts';

/** Two nodes, started: `here` owns the shard `default/0`, `there` owns `default/1`; nobody owns `default/2`. */
export interface MailboxesSubject extends Passing {
  readonly here: Mailboxes;
  readonly there: Mailboxes;
}

const plain: Envelope = {
  id: 'a!3.0',
  from: 'a',
  to: 'b',
  lane: 'user',
  shard: 'default/1',
  fromShard: 'default/0',
  after: -1,
  ts: 1_764_000_000_000,
  event: { type: 'hello' },
};
const full: Envelope = {
  id: 'desk/case/A%2F17!4711.2',
  from: 'desk/case/A%2F17',
  to: 'desk/refund',
  lane: 'system',
  shard: 'default/1',
  fromShard: 'default/0',
  after: 308_740_098,
  ts: 1_764_000_000_123,
  remaining: 1_500.5,
  void: true,
  via: 'desk/refund!8.1',
  chain: ['desk/refund!8.1', 'desk/case/A%2F17!12.0'],
  trace: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'vendor=value' },
  event: {
    type: 'refund',
    sum: 12.5,
    lines: ['ä', null, { deep: [true] }],
    replyTo: { xstate$$type: 1, id: 'desk/case/A%2F17!12.0' },
  },
};
const large: Envelope = { ...plain, id: 'a!4.0', event: { type: 'document', text: 'ü'.repeat(100_000) } };
const report = (upTo: number, shard: string): CursorReport => ({ from: 'a', to: 'b', lane: 'user', shard, upTo });

async function opened(
  mailboxes: Mailboxes,
  shard: string,
  epoch = 1,
): Promise<{ mail: Envelope[]; reports: CursorReport[]; close(): Promise<void> }> {
  const mail: Envelope[] = [];
  const reports: CursorReport[] = [];
  const receiver = await mailboxes.open(shard, epoch, { deliver: (e) => mail.push(e), report: (r) => reports.push(r) });
  return { mail, reports, close: () => receiver.close() };
}

const mailboxes = (name: string, body: (subject: MailboxesSubject) => Promise<void>): Case<MailboxesSubject> =>
  caseOf(name, body);

export const mailboxesCases: readonly Case<MailboxesSubject>[] = [
  mailboxes('an envelope reaches the receiver of its shard unchanged, on the same node and on another', async (subject) => {
    const [mine, theirs] = [await opened(subject.here, 'default/0'), await opened(subject.there, 'default/1')];
    for (const envelope of [plain, full, large]) {
      await until(
        subject,
        'mail for the other node',
        () => theirs.mail.at(-1)?.id === envelope.id,
        () => void subject.here.send(envelope),
      );
      assert.deepEqual(theirs.mail.at(-1), envelope);
      const local = { ...envelope, shard: 'default/0' };
      await until(
        subject,
        'mail for the same node',
        () => mine.mail.at(-1)?.id === envelope.id,
        () => void subject.here.send(local),
      );
      assert.deepEqual(mine.mail.at(-1), local);
    }
    assert.ok(mine.mail.every((e) => e.shard === 'default/0') && theirs.mail.every((e) => e.shard === 'default/1'));
  }),

  mailboxes('send never rejects: not without an owner, not without a receiver, not after the stop', async (subject) => {
    await subject.here.send({ ...plain, shard: 'default/2' });
    await subject.here.send({ ...plain, shard: 'default/0' });
    await subject.here.send(plain);
    await subject.here.stop();
    await subject.here.send(plain);
    subject.here.report(report(1, 'default/1'));
  }),

  mailboxes('a report reaches the shard of the sender, on the same node and on another', async (subject) => {
    const [mine, theirs] = [await opened(subject.here, 'default/0'), await opened(subject.there, 'default/1')];
    await until(
      subject,
      'a report for the other node',
      () => theirs.reports.length > 0,
      () => subject.here.report(report(196_608, 'default/1')),
    );
    assert.deepEqual(theirs.reports[0], report(196_608, 'default/1'));
    await until(
      subject,
      'a report for the same node',
      () => mine.reports.length > 0,
      () => subject.here.report(report(7, 'default/0')),
    );
    assert.deepEqual(mine.reports[0], report(7, 'default/0'));
  }),

  mailboxes('of reports that are made together, the highest of each sender, receiver and lane arrives', async (subject) => {
    const theirs = await opened(subject.there, 'default/1');
    await until(
      subject,
      'all arrive',
      () =>
        theirs.reports.some((r) => r.upTo === 500 && r.lane === 'user') &&
        theirs.reports.some((r) => r.lane === 'system') &&
        theirs.reports.some((r) => r.from === 'c'),
      () => {
        for (let upTo = 1; upTo <= 500; upTo++) subject.here.report(report(upTo, 'default/1'));
        subject.here.report(report(3, 'default/1'));
        subject.here.report({ ...report(42, 'default/1'), lane: 'system' });
        subject.here.report({ ...report(43, 'default/1'), from: 'c' });
      },
    );
    assert.ok(
      theirs.reports.every((r) => (r.lane === 'system' ? r.upTo === 42 : r.from === 'c' ? r.upTo === 43 : r.upTo <= 500)),
    );
  }),

  mailboxes('thousands of reports in one turn arrive, whatever a frame may hold', async (subject) => {
    const theirs = await opened(subject.there, 'default/1');
    const all = Array.from({ length: 20_000 }, (_, i): CursorReport => ({
      ...report(i, 'default/1'),
      from: `desk/case/${i}`,
      to: 'desk/a-receiver-with-a-rather-long-name/that-makes-reports-large',
    }));
    const seen = new Set<string>();
    let read = 0;
    await until(
      subject,
      'all arrive',
      () => {
        for (; read < theirs.reports.length; read++) seen.add(theirs.reports[read]?.from ?? '');
        return seen.size === all.length;
      },
      () => {
        for (const r of all) subject.here.report(r);
      },
    );
  }),

  mailboxes('after the close nothing is delivered; who opens at a higher epoch gets the mail', async (subject) => {
    const first = await opened(subject.there, 'default/1', 1);
    await until(
      subject,
      'the first hears',
      () => first.mail.length > 0,
      () => void subject.here.send(plain),
    );
    await first.close();
    const count = first.mail.length;
    const second = await opened(subject.there, 'default/1', 2);
    await until(
      subject,
      'the second hears',
      () => second.mail.length > 0,
      () => void subject.here.send(plain),
    );
    assert.equal(first.mail.length, count);
  }),

  mailboxes('the close of an older receiver does not end a newer one', async (subject) => {
    const first = await opened(subject.there, 'default/1', 1);
    const second = await opened(subject.there, 'default/1', 2);
    await first.close();
    await until(
      subject,
      'the second hears',
      () => second.mail.length > 0,
      () => void subject.here.send(plain),
    );
    assert.equal(first.mail.length, 0);
  }),

  mailboxes('a receiver that sends while it is given mail neither deadlocks nor loses it', async (subject) => {
    const mine = await opened(subject.here, 'default/0');
    const seen: string[] = [];
    await subject.there.open('default/1', 1, {
      report: () => undefined,
      deliver: (e) => {
        seen.push(e.id);
        void subject.there.send({
          ...plain,
          id: `b!${seen.length}.0`,
          from: 'b',
          to: 'a',
          shard: 'default/0',
          fromShard: 'default/1',
        });
        subject.there.report(report(1, 'default/0'));
      },
    });
    await until(
      subject,
      'an answer and a report',
      () => mine.mail.length > 0 && mine.reports.length > 0,
      () => void subject.here.send(plain),
    );
  }),
];
