/** The whole desk in plain XState, on the committed mails, over the real ledger and the local model: what it does is what `foldDesk` says. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type AnyActorRef, createActor, fromCallback, fromPromise } from 'xstate';
import { afterAll, describe, expect, test } from 'vitest';
import { approver } from '../../../examples/support-desk/approver.ts';
import { billing } from '../../../examples/support-desk/billing.ts';
import { deskCase } from '../../../examples/support-desk/case.ts';
import { compare } from '../../../examples/support-desk/check.ts';
import { trainClassifier } from '../../../examples/support-desk/classifier.ts';
import { readMails } from '../../../examples/support-desk/evaluate.ts';
import { foldDesk } from '../../../examples/support-desk/expected.ts';
import { intake } from '../../../examples/support-desk/intake.ts';
import { openLedger } from '../../../examples/support-desk/ledger.ts';
import { APPROVER, caseAddress, INTAKE } from '../../../examples/support-desk/messages.ts';
import type { Currency } from '../../../examples/support-desk/money.ts';
import type { Order } from '../../../examples/support-desk/policy.ts';
import { refund } from '../../../examples/support-desk/refund.ts';
import { seeded } from '../../../examples/support-desk/seeded.ts';
import { technical } from '../../../examples/support-desk/technical.ts';
import type { PostRefund } from '../../../examples/support-desk/tools.ts';

const DESK = path.resolve(import.meta.dirname, '../../../examples/support-desk');
const ORDERS = JSON.parse(fs.readFileSync(path.join(DESK, 'orders.json'), 'utf8')) as Order[];
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'desk-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Answers come after a random number of turns, so that cases overtake each other in another way for each seed. */
async function runDesk(seed: number) {
  const random = seeded(seed);
  const classify = await trainClassifier();
  using ledger = openLedger(path.join(folder, `${seed}.db`), 'key', () => ORDERS);
  const replies = new Map<string, string>();
  const later = async <T>(work: () => T): Promise<T> => {
    for (let i = random.between(0, 5); i > 0; i--) await new Promise((resolve) => setImmediate(resolve));
    return work();
  };
  const read = fromPromise<{ content: string }, { path: string }>(async ({ input }) =>
    later(() => ({ content: fs.readFileSync(path.join(DESK, input.path), 'utf8') })),
  );
  const lookup = fromPromise(async ({ input }: { input: { order: string } }) => later(() => ledger.lookup(input.order)));
  const post = fromPromise(async ({ input }: { input: PostRefund }) =>
    later(() =>
      ledger.post({
        order: input.order,
        amountMinor: input.amount_minor,
        currency: input.currency as Currency,
        reason: input.reason,
      }),
    ),
  );
  const desk = {
    intake: intake.provide({
      actors: {
        list: fromPromise(async ({ input }: { input: { path: string } }) => ({
          content: fs
            .readdirSync(path.join(DESK, input.path))
            .map((file) => `[FILE] ${file}`)
            .join('\n'),
        })) as never,
        read: read as never,
      },
    }),
    case: deskCase.provide({
      actors: {
        triage: fromPromise(async ({ input }: { input: { event: { subject: string; text: string } } }) => ({
          type: 'triage.found',
          ...(await classify(input.event.subject, input.event.text)),
        })) as never,
        refund: refund.provide({ actors: { lookup: lookup as never, post: post as never } }),
        billing: billing.provide({ actors: { lookup: lookup as never } }),
        technical: technical.provide({ actors: { read: read as never } }),
        write: fromPromise(async ({ input }: { input: { path: string; content: string } }) =>
          later(() => void replies.set(path.basename(input.path, '.txt'), input.content)),
        ) as never,
      },
    }),
    approver: approver.provide({ delays: { aMoment: 1 } }),
  };
  const finished = Promise.withResolvers<unknown>();
  createActor(
    fromCallback(({ self }) => {
      const start = (logic: Parameters<typeof createActor>[0], address: string): AnyActorRef =>
        createActor(logic, { parent: self, id: address, systemId: address } as never).start();
      start(desk.approver, APPROVER);
      for (const { key } of readMails(DESK)) start(desk.case, caseAddress(key));
      const running = start(desk.intake, INTAKE);
      running.subscribe({ complete: () => finished.resolve(running.getSnapshot().output), error: finished.reject });
    }),
  ).start();
  const output = await finished.promise;
  return {
    output,
    done: {
      replies,
      refunds: ledger.refunds().map((r) => ({ order: r.order, sum: { minor: r.amountMinor, currency: r.currency } })),
    },
  };
}

describe('the whole desk, in plain XState', () => {
  const mails = readMails(DESK);
  const article = (topic: string): string => fs.readFileSync(path.join(DESK, 'articles', `${topic}.md`), 'utf8');

  test.each([1, 2, 3])('does what the rules say, in whatever order its cases end (seed %i)', async (seed) => {
    const classify = await trainClassifier();
    const triaged = new Map(
      await Promise.all(mails.map(async (mail) => [mail.key, (await classify(mail.subject, mail.text)).requests] as const)),
    );
    const expected = foldDesk(mails, ORDERS, (mail) => triaged.get(mail.key)!, article);
    const { output, done } = await runDesk(seed);
    expect(compare(expected, done)).toEqual({ duplicates: 0, lost: 0, differences: [] });
    expect(output).toEqual({ mails: 200, unreadable: [] });
    expect(done.replies.size).toBe(200);
    expect(expected.approvals).toBeGreaterThan(10);
  });
});
