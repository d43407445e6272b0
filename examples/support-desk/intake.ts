/**
 * Intake: lists the inbox, reads one mail after the other and gives each to a case of its own. At most `OPEN_MAX` mails are in hand,
 * and never two of one customer, so that what the second is told may rest on what became of the first.
 */
import { assign, enqueueActions, setup } from 'xstate';
import { type Mail, parseMail } from './mail.ts';
import { type CaseClosed, caseAddress, INBOX, inboxFile, type MailArrived } from './messages.ts';
import { listFolder, readFile } from './tools.ts';

export const OPEN_MAX = 24;

interface Context {
  /** Names of files. */
  readonly unread: readonly string[];
  /** Read, and waiting for an earlier case of the same customer. */
  readonly held: readonly Mail[];
  /** Customer of each open case, by key. */
  readonly open: Readonly<Record<string, string>>;
  readonly closed: number;
  /** Files that could not be read. */
  readonly unreadable: readonly string[];
}

const keyOf = (file: string): string => file.replace(/\.txt$/, '');
const filesOf = (listing: string): string[] => [...listing.matchAll(/^\[FILE\] (.+\.txt)$/gm)].map((match) => match[1]!).sort();
/** The first mail in hand whose customer has no open case. */
const nextMail = ({ held, open }: Context): Mail | undefined => held.find((mail) => !Object.values(open).includes(mail.from));
const without = (open: Context['open'], key: string): Context['open'] =>
  Object.fromEntries(Object.entries(open).filter(([k]) => k !== key));

export const intake = setup({
  types: { context: {} as Context, events: {} as CaseClosed, output: {} as { mails: number; unreadable: readonly string[] } },
  actors: { list: listFolder, read: readFile },
  delays: { untilTheFolderIsBack: 2_000, patience: 15 * 60_000 },
  guards: {
    mayHandOut: ({ context }) => nextMail(context) !== undefined,
    mayRead: ({ context: { unread, held, open } }) => unread.length > 0 && held.length + Object.keys(open).length < OPEN_MAX,
    nothingLeft: ({ context: { unread, held, open } }) => unread.length + held.length + Object.keys(open).length === 0,
  },
  actions: {
    handOut: enqueueActions(({ context, enqueue }) => {
      const mail = nextMail(context)!;
      const arrived: MailArrived = { type: 'mail.arrived', mail };
      enqueue.assign({ held: context.held.filter((m) => m !== mail), open: { ...context.open, [mail.key]: mail.from } });
      enqueue.sendTo(({ system }) => system.get(caseAddress(mail.key))!, arrived);
    }),
    setAside: assign({
      unread: ({ context }) => context.unread.slice(1),
      unreadable: ({ context }) => [...context.unreadable, context.unread[0]!],
    }),
    strikeOff: assign({
      open: ({ context, event }) => without(context.open, event.key),
      closed: ({ context }) => context.closed + 1,
    }),
  },
}).createMachine({
  id: 'intake',
  version: '1',
  context: { unread: [], held: [], open: {}, closed: 0, unreadable: [] },
  initial: 'listing',
  states: {
    listing: {
      invoke: {
        id: 'list',
        src: 'list',
        input: { path: INBOX },
        onDone: { target: 'working', actions: assign({ unread: ({ event }) => filesOf(event.output.content) }) },
        onError: 'withoutFolder',
      },
    },
    withoutFolder: { tags: 'attention', after: { untilTheFolderIsBack: 'listing' } },
    working: {
      initial: 'choosing',
      on: { 'case.closed': { actions: 'strikeOff' } },
      states: {
        choosing: {
          always: [
            { guard: 'mayHandOut', actions: 'handOut', target: 'choosing', reenter: true },
            { guard: 'mayRead', target: 'reading' },
            { guard: 'nothingLeft', target: '#intake.finished' },
            { target: 'waiting' },
          ],
        },
        reading: {
          invoke: {
            id: 'read',
            src: 'read',
            input: ({ context }) => ({ path: inboxFile(context.unread[0]!) }),
            onDone: {
              target: 'choosing',
              actions: assign({
                unread: ({ context }) => context.unread.slice(1),
                held: ({ context, event }) => [...context.held, parseMail(keyOf(context.unread[0]!), event.output.content)],
              }),
            },
            onError: { target: 'choosing', actions: 'setAside' },
          },
        },
        waiting: {
          on: { 'case.closed': { actions: 'strikeOff', target: 'choosing' } },
          after: { patience: 'stalled' },
        },
        stalled: { tags: 'attention', on: { 'case.closed': { actions: 'strikeOff', target: 'choosing' } } },
      },
    },
    finished: { type: 'final' },
  },
  output: ({ context }) => ({ mails: context.closed, unreadable: context.unreadable }),
});
