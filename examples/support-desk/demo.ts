/**
 * `npm run demo`: the desk works through the inbox in a folder of its own, is killed twice in the middle with SIGKILL, is started
 * again, and is then checked against what the same mails come to without a desk.
 *
 *   --work DIR   folder, emptied first (default .demo)
 *   --seed N     decides when the node is killed (default: another one each time)
 *   --kills N    how often (default 2)
 *   --reprise C  command of the CLI (default: the one of this checkout)
 *
 * Exit code: 0 all is as it should be, 1 something differs or did not end in time.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { compare, type Comparison } from './check.ts';
import { trainClassifier } from './classifier.ts';
import { readMails } from './evaluate.ts';
import { type Expected, foldDesk } from './expected.ts';
import { openLedger } from './ledger.ts';
import { caseAddress, INTAKE } from './messages.ts';
import { APPROVAL_ABOVE, type Order } from './policy.ts';
import { seeded } from './seeded.ts';

const HERE = import.meta.dirname;
const MESH = path.join(HERE, 'mesh.yaml');
const TIME_LIMIT_MS = 120_000;
const POLL_MS = 25;

const { values: options } = parseArgs({
  options: {
    work: { type: 'string', default: '.demo' },
    seed: { type: 'string', default: String(randomBytes(4).readUInt32LE()) },
    kills: { type: 'string', default: '2' },
    reprise: {
      type: 'string',
      default: `${process.execPath} --conditions=reprise-source ${path.resolve(HERE, '../../cli/main.ts')}`,
    },
  },
});
const work = path.resolve(options.work);
const [command = '', ...commandArgs] = options.reprise.split(' ');
/** Made up for this run: the ledger gets it by the config, and nobody else. */
const ledgerKey = randomBytes(16).toString('hex');
const env = {
  ...process.env,
  DESK_HOME: work,
  LEDGER_KEY: ledgerKey,
  PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env['PATH'] ?? ''}`,
};

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function prepareFolder(): void {
  fs.rmSync(work, { recursive: true, force: true });
  for (const folder of ['inbox', 'articles'])
    fs.cpSync(path.join(HERE, folder), path.join(work, 'files', folder), { recursive: true });
  fs.mkdirSync(path.join(work, 'files', 'outbox'));
}

async function expectedDesk(): Promise<Expected> {
  const mails = readMails(HERE);
  const classify = await trainClassifier();
  const found = new Map(
    await Promise.all(mails.map(async (mail) => [mail.key, (await classify(mail.subject, mail.text)).requests] as const)),
  );
  return foldDesk(
    mails,
    orders(),
    (mail) => found.get(mail.key) ?? [],
    (topic) => fs.readFileSync(path.join(HERE, 'articles', `${topic}.md`), 'utf8'),
  );
}
const orders = (): Order[] => JSON.parse(fs.readFileSync(path.join(HERE, 'orders.json'), 'utf8')) as Order[];

/** Starts a node; what it says goes to a file, because the table is what this prints. */
function startNode(): ChildProcess {
  const log = fs.openSync(path.join(work, 'up.log'), 'a');
  const node = spawn(command, [...commandArgs, 'up', '-f', MESH], { env, stdio: ['ignore', log, log] });
  fs.closeSync(log);
  return node;
}

const answered = (): string[] => fs.readdirSync(path.join(work, 'files', 'outbox'));
const runs = (node: ChildProcess): boolean => node.exitCode === null && node.signalCode === null;

/** Waits until `count` mails are answered. Throws when the node ends by itself or time is up. */
async function untilAnswered(count: number, node: ChildProcess, deadline: number): Promise<void> {
  while (answered().length < count) {
    if (!runs(node))
      throw new Error(`the node ended by itself (${node.exitCode ?? node.signalCode}); see ${path.join(work, 'up.log')}`);
    if (Date.now() > deadline)
      throw new Error(`only ${answered().length} mails answered when time was up; see ${path.join(work, 'up.log')}`);
    await pause(POLL_MS);
  }
}

async function reprise<T>(...args: readonly string[]): Promise<T> {
  const { stdout } = await promisify(execFile)(command, [...commandArgs, ...args, '-f', MESH, '--json'], {
    env,
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(stdout) as T;
}

/** The last reply is written before the last report is in: intake says when all is done. */
async function untilIntakeIsDone(deadline: number): Promise<void> {
  while ((await reprise<{ status: string }>('state', INTAKE)).status !== 'done') {
    if (Date.now() > deadline) throw new Error(`intake was not done when time was up; see ${path.join(work, 'up.log')}`);
    await pause(POLL_MS);
  }
}

async function stop(node: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
  const ended = once(node, 'exit');
  node.kill(signal);
  const [code] = (await ended) as [number | null];
  return code;
}

/** How many mails are answered when the node is killed: each kill somewhere in its own stretch of the work. */
function killPoints(total: number, kills: number, seed: number): number[] {
  const random = seeded(seed);
  return Array.from({ length: kills }, (_, i) =>
    random.between(Math.ceil((total * (i + 0.2)) / (kills + 0.2)), Math.floor((total * (i + 0.9)) / (kills + 0.2))),
  );
}

function outcome(expected: Expected): Comparison & { readonly refunds: number } {
  const ledger = openLedger(path.join(work, 'ledger.db'), ledgerKey);
  const refunds = ledger.refunds().map((row) => ({ order: row.order, sum: { minor: row.amountMinor, currency: row.currency } }));
  ledger[Symbol.dispose]();
  const outbox = path.join(work, 'files', 'outbox');
  const replies = new Map(
    answered().map((file) => [path.basename(file, '.txt'), fs.readFileSync(path.join(outbox, file), 'utf8')]),
  );
  return { ...compare(expected, { refunds, replies }), refunds: refunds.length };
}

/** The key of the ledger in files of the mesh: records, checkpoints, logs. */
const leaks = (): string[] =>
  fs
    .readdirSync(work)
    .filter((file) => fs.statSync(path.join(work, file)).isFile() && fs.readFileSync(path.join(work, file)).includes(ledgerKey));

async function main(): Promise<number> {
  const [seed, kills] = [Number(options.seed), Number(options.kills)];
  prepareFolder();
  const expected = await expectedDesk();
  const total = expected.replies.size;
  say(
    `${total} mails, ${expected.refunds.length} refunds due, ${expected.approvals} of all that is asked need approval. Seed ${seed}.`,
  );

  const began = Date.now();
  const deadline = began + TIME_LIMIT_MS;
  let node = startNode();
  try {
    for (const point of killPoints(total, kills, seed)) {
      await untilAnswered(point, node, deadline);
      await stop(node, 'SIGKILL');
      say(`kill -9 after ${answered().length} answered mails, and up again`);
      node = startNode();
    }
    await untilAnswered(total, node, deadline);
    await untilIntakeIsDone(deadline);
    const code = await stop(node, 'SIGTERM');
    if (code !== 0) throw new Error(`the node ended with ${code} when it was asked to stop; see ${path.join(work, 'up.log')}`);
  } finally {
    if (runs(node)) await stop(node, 'SIGKILL');
  }
  const seconds = (Date.now() - began) / 1000;
  return report(expected, outcome(expected), { total, kills, seconds, events: await events() });
}

async function events(): Promise<number> {
  const { actors } = await reprise<{ actors: readonly { seq: number }[] }>('ps', '--all');
  return actors.reduce((sum, { seq }) => sum + seq, 0);
}

function report(
  expected: Expected,
  found: ReturnType<typeof outcome>,
  run: { total: number; kills: number; seconds: number; events: number },
): number {
  const rows: readonly (readonly [string, number | string])[] = [
    ['mails', run.total],
    ['refunds posted', found.refunds],
    ['duplicates', found.duplicates],
    ['lost', found.lost],
    ['restarts', run.kills],
    ['events', run.events],
    ['seconds', run.seconds.toFixed(1)],
  ];
  say('');
  for (const [name, value] of rows) say(`  ${name.padEnd(16)}${String(value).padStart(8)}`);
  say('');
  const problems = [...found.differences, ...leaks().map((file) => `the key of the ledger stands in ${file}`)];
  if (problems.length > 0) {
    say(`${problems.length} differences from what it had to be:`);
    for (const problem of problems.slice(0, 20)) say(`  ${problem}`);
    return 1;
  }
  say('As it had to be. What one agent did, step by step:');
  say(`  npm run reprise -- replay ${caseAddress(interesting(expected))} --step -f ${path.relative(process.cwd(), MESH)}`);
  return 0;
}

/** A case whose refund waited for an approval. */
function interesting(expected: Expected): string {
  const large = expected.refunds.find(({ sum }) => sum.minor > APPROVAL_ABOVE);
  return (
    [...expected.replies].find(
      ([, reply]) => large !== undefined && reply.includes(`for order ${large.order}. It reaches`),
    )?.[0] ?? '0001'
  );
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
