/** Words that the output of verbs is made of. Their help and docs/cli.md give the same lines. */
import type { Words } from './command.ts';

/** Kinds of records, as `replay` and `events` name them. */
export const RECORD_WORDS: Words = [
  ['init', 'A life begins: the first step of the machine, with its input.'],
  ['event', 'The machine takes an event; `from` says who sent it, `for` which call or timer it answers.'],
  ['activated', 'It is taken up again from its log, on which node, and why (the words below).'],
  ['claim', 'Activated: another owner takes it up; the last one had let it go in order.'],
  [
    'unclean',
    'Activated: the process that had it died; what was under way is looked at first. Normal after a kill, and needs nobody.',
  ],
  [
    'trial',
    'Activated: its first step after that comes next, and counts if it kills the process again. Normal after a kill, and needs nobody.',
  ],
  ['reopened', 'Activated: its owner takes it up again, such as after a `migrate`.'],
  ['restart', 'Activated: its supervisor restarts it.'],
  ['unparked', 'Activated: a person lets it go on.'],
  ['ready', 'It is taken up, and its process has not died of it.'],
  ['failed', 'The machine threw on an event, and stays where it was; the event comes again.'],
  ['dead', 'An event became a dead letter: the machine never sees it.'],
  ['fired', 'A delayed send is due, and goes out.'],
  ['mark', 'Book-keeping: effects that are done, and sends of custom actions.'],
  ['void', 'A send is given up.'],
  ['resend', 'A dead letter is sent again.'],
  ['bridge', 'It goes on from a state that does not follow from the log: by `migrate`, `fork` or `reset`.'],
];

/** Columns and phases of `ps`. */
export const PS_WORDS: Words = [
  ['@root', 'The supervisor of everything at the top of the mesh file. Reprise starts it; it has a log like any other.'],
  ['running', 'In memory, and takes events.'],
  ['waiting', 'It failed on an event, and waits to try again, or for its supervisor.'],
  ['opening', 'It is being taken up from its log.'],
  ['passive', 'Only its log is there, it needs no memory; the next event or timer takes it up.'],
  [
    'unfinished',
    'No mesh runs, and records lie above its last checkpoint: the next run takes it up. Normal after a kill, and needs nobody.',
  ],
  ['parked', 'It waits for a person: NOTE says why.'],
  ['failed', 'It ended with an error, or could not begin: NOTE says why.'],
  ['ended', 'It has finished, or was stopped (`--all`).'],
  ['gone', 'Its log was removed (`--all`).'],
  [
    'STATE',
    'State of its chart: of those in memory, and while no mesh runs, of up to 200 from their logs. `…`: its log above the last checkpoint is long (1,000 records), or its code has changed or does not load; `reprise state ACTOR` shows it, or why not.',
  ],
  ['SEQ', 'Number of the last record in its log.'],
  ['MAILBOX', 'Messages that wait for it, and how long the oldest has.'],
  ['DEAD', 'Dead letters so far: `reprise deadletters` lists them.'],
];

/** Members of what a migration function gets and gives. */
export const SNAPSHOT_WORDS: Words = [
  ['status', '`active`, as long as it has not ended.'],
  ['value', 'The state: a name, or for nested and parallel states an object as XState has it.'],
  ['context', 'The context.'],
  ['historyValue', 'What history states remember.'],
  ['children', 'Spawned and invoked actors by their ids: what is under way goes on.'],
  ['timers', 'Timers that are set, `[{ id, name, due }]`; `due` is ms since 1970. Left out: they stay as they are.'],
];
