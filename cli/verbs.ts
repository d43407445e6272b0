/** Every verb of the CLI in one table: what it is called, what it takes, and where its code is. Loads none of it. */
import type { Group, Option, Verb } from './command.ts';
import { PS_WORDS, RECORD_WORDS, SNAPSHOT_WORDS } from './glossary.ts';
import { NET_VERBS } from './net/verbs.ts';

const FILE: Option = { flags: '-f, --file <file>', about: 'The mesh file (default: mesh.yaml)' };
const ENV_FILE: Option = {
  flags: '--env-file <file>',
  about: 'Variables for the mesh file and its tools, as `node --env-file` reads them',
};
const MESH = [FILE, ENV_FILE];
const JSON_OUT: Option = { flags: '--json', about: 'Print JSON with stable fields' };
const READ = [...MESH, JSON_OUT];
const IMPORTED: Option = { flags: '--imported <name>', about: 'Look at the logs that `import` brought under this name' };
const OLD: Option = {
  flags: '--old <file>',
  about: 'The code that wrote the log, FILE or FILE#EXPORT: it folds what the new code cannot',
};
const LOSS: Option = { flags: '--accept-loss', about: 'Go on although records cannot be folded: each becomes a dead letter' };

export const VERBS: readonly Verb[] = [
  {
    name: 'up',
    about: 'Run the mesh until it is stopped',
    options: [
      ...MESH,
      { flags: '--watch', about: 'Take up changed actors from their logs when their code changes' },
      { flags: '--reset <actor>', about: 'Begin this actor anew; its old log stays below. May be repeated' },
      { flags: '--fork <actor>', about: 'Go on beside this actor, from the last state that this code repeats. May be repeated' },
      OLD,
      LOSS,
      { flags: '--quiet', about: 'Print only what needs a person' },
    ],
    examples: ['reprise up', 'reprise up --watch', 'reprise up --reset desk/intake'],
    load: () => import('./verbs/up.ts'),
  },
  {
    name: 'send',
    args: '<actor> <event>',
    about: 'Send an event to an actor; prints where its log has it',
    options: [...READ, { flags: '--id <id>', about: 'Makes a retry safe: the same id acts once within 24 hours' }],
    examples: [`reprise send greeter '{"type":"greet","name":"Ada"}'`, 'reprise send greeter ping'],
    load: () => import('./verbs/send.ts'),
  },
  {
    name: 'ask',
    args: '<actor> <event>',
    about: 'Send an event and print the reply',
    options: [
      ...READ,
      { flags: '--id <id>', about: 'Asked again under the same id, it gives the same reply' },
      { flags: '--timeout <ms>', about: 'How long to wait for the reply (default: 30000)' },
    ],
    load: () => import('./verbs/ask.ts'),
  },
  {
    name: 'ps',
    args: '[prefix]',
    about: 'List actors: state, mailbox, what is wrong',
    options: [...READ, { flags: '--all', about: 'Finished and removed actors too' }, IMPORTED],
    words: PS_WORDS,
    load: () => import('./verbs/ps.ts'),
  },
  {
    name: 'tree',
    about: 'Show the supervision tree: who restarts whom, and how often it had to',
    options: READ,
    load: () => import('./verbs/tree.ts'),
  },
  {
    name: 'logs',
    args: '[actor]',
    about: 'Print what the running mesh has to say, or what the records of a stopped one say',
    options: [
      { flags: '-f, --follow', about: 'Go on until Ctrl-C' },
      { flags: '--file <file>', about: 'The mesh file (default: mesh.yaml)' },
      ENV_FILE,
      JSON_OUT,
      { flags: '--last <n>', about: 'Lines to begin with (default: 100)' },
    ],
    load: () => import('./verbs/logs.ts'),
  },
  {
    name: 'events',
    args: '<actor>',
    about: 'Print the log of an actor: the last 100 records, or those asked for',
    options: [
      ...READ,
      { flags: '--from <seq>', about: 'First record' },
      { flags: '--to <seq>', about: 'Last record' },
      { flags: '--last <n>', about: 'So many of the last' },
      { flags: '--follow', about: 'Go on with new records until Ctrl-C; with --json a line each' },
      IMPORTED,
    ],
    load: () => import('./verbs/events.ts'),
  },
  {
    name: 'state',
    args: '<actor>',
    about: 'Print the state of an actor, now or after any record',
    options: [...READ, { flags: '--at <seq>', about: 'After this record' }, IMPORTED],
    load: () => import('./verbs/state.ts'),
  },
  {
    name: 'diff',
    args: '<actor> <a> <b>',
    about: 'What changed in the state between two records',
    options: [...READ, IMPORTED],
    load: () => import('./verbs/diff.ts'),
  },
  {
    name: 'replay',
    args: '<actor>',
    about: 'Perform the log of an actor again, step by step; nothing is done. Exit code 3 where the code does otherwise',
    options: [
      ...READ,
      { flags: '--from <seq>', about: 'First record to show' },
      { flags: '--to <seq>', about: 'Last record to show' },
      { flags: '--step', about: 'Step by hand, forward and back (on a terminal)' },
      IMPORTED,
    ],
    words: RECORD_WORDS,
    load: () => import('./verbs/replay.ts'),
  },
  {
    name: 'verify',
    args: '[...actors]',
    about: 'Does code do what the logs say, of these actors or of all? Exit code 3 where it does not',
    options: [
      ...READ,
      { flags: '--against <file>', about: 'FILE or FILE#EXPORT with the machine (default: the code of the mesh)' },
      IMPORTED,
    ],
    examples: ['reprise verify', 'reprise verify desk/intake', 'reprise verify --against ./intake.ts'],
    load: () => import('./verbs/verify.ts'),
  },
  {
    name: 'deadletters',
    args: '[action] [...args]',
    about: 'List what could not be delivered; `resend ACTOR SEQ` sends one again',
    options: [...READ, { flags: '--actor <actor>', about: 'Of this actor only' }],
    examples: ['reprise deadletters', 'reprise deadletters resend desk/intake 12'],
    load: () => import('./verbs/deadletters.ts'),
  },
  {
    name: 'resolve',
    args: '<effect>',
    about: 'Decide a call that was under way when its process died',
    options: [
      ...MESH,
      { flags: '--retry', about: 'Call again under the same key' },
      { flags: '--fail', about: 'The chart gets an error' },
      { flags: '--output <json>', about: 'It took effect, and this was its result' },
    ],
    load: () => import('./verbs/resolve.ts'),
  },
  {
    name: 'unpark',
    args: '<actor>',
    about: 'Let a parked actor go on',
    options: MESH,
    load: () => import('./verbs/orders.ts').then((m) => ({ run: m.unpark })),
  },
  {
    name: 'restart',
    args: '<actor>',
    about: 'Take an actor up again: from its log, or anew when it was stopped',
    options: MESH,
    load: () => import('./verbs/orders.ts').then((m) => ({ run: m.restart })),
  },
  {
    name: 'stop',
    args: '<actor>',
    about: 'Stop an actor; its log is kept',
    options: MESH,
    load: () => import('./verbs/orders.ts').then((m) => ({ run: m.stop })),
  },
  {
    name: 'migrate',
    args: '<actor>',
    about: 'Go on in edited code, from the state that the old code left',
    options: [
      ...MESH,
      {
        flags: '--with <file>',
        about: 'FILE or FILE#EXPORT: (oldSnapshot, { version, hash }) => newSnapshot (default: the state as it is)',
      },
      OLD,
      LOSS,
    ],
    examples: [
      'git show HEAD:order.ts > order.old.ts',
      'reprise migrate shop/order --old order.old.ts',
      '',
      'echo \'export default (old) => ({ ...old, value: "wrapping" })\' > rename.ts    # the state `packing` has another name now',
      'reprise migrate shop/order --old order.old.ts --with rename.ts',
    ],
    words: SNAPSHOT_WORDS,
    mends: true,
    load: () => import('./verbs/lifecycle.ts').then((m) => ({ run: m.migrate })),
  },
  {
    name: 'fork',
    args: '<actor>',
    about: 'A second actor beside this one, in the state that it had',
    options: [
      ...MESH,
      { flags: '--at <seq>', about: 'After this record (default: the last that this code repeats)' },
      { flags: '--as <name>', about: 'It stands at ACTOR~NAME (default: the next number)' },
    ],
    mends: true,
    load: () => import('./verbs/lifecycle.ts').then((m) => ({ run: m.fork })),
  },
  {
    name: 'reset',
    args: '<actor>',
    about: 'Begin an actor anew from its input; its old log stays below',
    options: [...MESH, OLD, LOSS],
    mends: true,
    load: () => import('./verbs/lifecycle.ts').then((m) => ({ run: m.reset })),
  },
  {
    name: 'delete',
    args: '<actor>',
    about: 'Remove the log of an actor; what it owes others is kept',
    options: [...MESH, OLD, LOSS],
    mends: true,
    load: () => import('./verbs/lifecycle.ts').then((m) => ({ run: m.remove })),
  },
  {
    name: 'prune',
    about: 'Remove what is older than its retention: logs of finished actors, payloads that nothing names',
    options: [...READ, { flags: '--dry-run', about: 'Only say what would go' }],
    load: () => import('./verbs/prune.ts'),
  },
  {
    name: 'backup',
    args: '<path>',
    about: 'A consistent copy of the store, also while the mesh runs',
    options: MESH,
    load: () => import('./verbs/backup.ts'),
  },
  {
    name: 'export',
    args: '[...actors]',
    about: 'Write logs as JSON Lines (default: of every actor)',
    options: [
      ...MESH,
      { flags: '-o, --out <path>', about: 'To this file (default: stdout)' },
      { flags: '--sign <key>', about: 'Sign it with the Ed25519 key in this PEM file' },
      IMPORTED,
    ],
    load: () => import('./verbs/export.ts'),
  },
  {
    name: 'import',
    args: '<path>',
    about: 'Bring exported logs in, to be looked at and replayed, never run',
    options: [
      ...MESH,
      { flags: '--as <name>', about: 'Name of the import (default: the name of the file)' },
      { flags: '--signer <key>', about: 'Only if it is signed by this public key: base64url, or a PEM file' },
    ],
    load: () => import('./verbs/import.ts'),
  },
  {
    name: 'doctor',
    about: 'Check this machine, the mesh file, the store, tools and models',
    options: [
      ...READ,
      { flags: '--store <store>', about: 'Check this kind of store instead of that of the mesh, such as sqlite: or memory:' },
    ],
    load: () => import('./verbs/doctor.ts'),
  },
  {
    name: 'config',
    args: '<action>',
    about: '`validate` the mesh file, print its `schema`, or `print` it with all defaults and no secrets',
    options: READ,
    examples: ['reprise config validate', 'reprise config schema > mesh.schema.json', 'reprise config print'],
    load: () => import('./verbs/config.ts'),
  },
];

export const GROUPS: readonly Group[] = [
  {
    name: 'net',
    about: 'Connect machines: encrypted, through NAT, by permanent addresses; `net help` lists its verbs',
    verbs: NET_VERBS,
  },
];
