/**
 * `npm run natlab`: the matrix of NATs; or one pair, where `port/sym` is a home behind its carrier; or a list of such with NATs behind NATs, with two
 * hosts in one home, or with two homes of one carrier (`matrix.ts`); or how long failovers take.
 *
 *   npm run natlab -- --timings [TEXT] [--times N] [--json]      only those whose name has TEXT; 3 times by default
 *   npm run natlab -- [A B | stacked | same | carrier] [--birthday] [--loss PERCENT] [--delay MS] [--jitter MS] [--dup PERCENT] [--secs N] [--times N] [--json]
 *
 * Loss and the others are one way. Ends with 1 where a pair did not come to what it should.
 */
import { parseArgs } from 'node:util';
import { inCommon, PAIRS, runPair, TOPOLOGIES, type Result, type RunOptions } from './matrix.ts';
import { NAT_KINDS } from './nat.ts';
import { timings, type Timing } from './timings.ts';
import { labTools, type Tools } from './tools.ts';
import type { Chain, LabNet } from './topology.ts';

const USAGE = `npm run natlab -- [A B | ${Object.keys(TOPOLOGIES).join(' | ')}] [--birthday] [--loss PERCENT] [--delay MS] [--jitter MS] [--dup PERCENT] [--secs N] [--times N] [--json]
npm run natlab -- --timings [TEXT] [--times N] [--json]
A and B: ${NAT_KINDS.join(', ')}; or two of them, as port/sym: of a home, and of its carrier`;

const { values, positionals } = readArgs(() =>
  parseArgs({
    allowPositionals: true,
    options: {
      timings: { type: 'boolean', default: false },
      birthday: { type: 'boolean', default: false },
      loss: { type: 'string', default: '0' },
      delay: { type: 'string', default: '0' },
      jitter: { type: 'string', default: '0' },
      dup: { type: 'string', default: '0' },
      secs: { type: 'string', default: '8' },
      times: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  }),
);

/** Ends the process with the usage where the arguments are none, or ask for it. */
function readArgs<T extends { readonly values: { readonly help: boolean } }>(read: () => T): T {
  try {
    const args = read();
    if (!args.values.help) return args;
    console.log(USAGE);
    process.exit(0);
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

async function main(): Promise<number> {
  return values.timings ? showTimings(labTools()) : showPairs();
}

async function showTimings(tools: Tools | undefined): Promise<number> {
  if (tools === undefined) return 2;
  if (!values.json) console.log(TIMINGS_HEAD);
  for await (const timing of timings(tools, Number(values.times ?? '3'), positionals.join(' ')))
    console.log(values.json ? JSON.stringify(timing) : timingRow(timing));
  return 0;
}

async function showPairs(): Promise<number> {
  const nets = netsOf(positionals);
  if (nets === undefined) {
    console.error(`not '${positionals.join(' ')}'\n${USAGE}`);
    return 2;
  }
  const tools = labTools();
  if (tools === undefined) return 2;
  const options: RunOptions = { birthday: values.birthday, impairment: impairmentOf(), seconds: Number(values.secs) };
  const results: Result[] = [];
  if (!values.json) console.log(HEAD);
  for (const net of nets)
    for (let n = 0; n < Number(values.times ?? '1'); n++) {
      const result = await runPair(tools, net, options);
      results.push(result);
      console.log(values.json ? JSON.stringify(result) : row(result));
    }
  const good = results.filter(({ isAsExpected }) => isAsExpected).length;
  if (!values.json) console.log(`${good} of ${results.length} as expected`);
  return good === results.length ? 0 : 1;
}

/** Undefined: these words name none. */
function netsOf(words: readonly string[]): readonly LabNet[] | undefined {
  const [first, second, third] = words;
  if (first === undefined) return PAIRS.map(([a, b]) => ({ a, b }));
  if (second === undefined) return Object.entries(TOPOLOGIES).find(([name]) => name === first)?.[1];
  return isChain(first) && isChain(second) && third === undefined ? [{ a: first, b: second }] : undefined;
}

function isChain(text: string): text is Chain {
  const kinds = text.split('/');
  return kinds.length <= 2 && kinds.every((word) => NAT_KINDS.some((kind) => kind === word));
}

function impairmentOf(): RunOptions['impairment'] {
  const [delayMs, jitterMs, lossPercent, dupPercent] = [values.delay, values.jitter, values.loss, values.dup].map(Number);
  const impairment = { delayMs, jitterMs, lossPercent, dupPercent } as NonNullable<RunOptions['impairment']>;
  return Object.values(impairment).some((value) => value > 0) ? impairment : undefined;
}

function timingRow({ what, goalMs, runs }: Timing): string {
  const sorted = runs.toSorted((one, other) => one - other).map(Math.round);
  const median = sorted[Math.floor(sorted.length / 2)];
  const within = goalMs === undefined ? '' : `${sorted.filter((run) => run <= goalMs).length} of ${sorted.length}`;
  return cells([what, ms(goalMs), ms(sorted[0]), ms(median), ms(sorted.at(-1)), within], TIMING_COLUMNS);
}

const TIMING_COLUMNS = [40, 10, 10, 10, 10, 8] as const;
const TIMINGS_HEAD = cells(['', 'goal', 'min', 'median', 'max', 'within'], TIMING_COLUMNS);

const COLUMNS = [12, 12, 30, 9, 10, 12, 10, 14] as const;
const HEAD = cells(['A', 'B', 'in common', 'expected', 'found', 'connected', 'direct', 'NATs seen', 'faults']);

function row(result: Result): string {
  const { net, expected, isAsExpected, connectMs, directMs, faults, sides } = result;
  const found = sides.a?.peer?.kind ?? 'none';
  const nats = `${sides.a?.nat ?? '?'}/${sides.b?.nat ?? '?'}`;
  const why = isAsExpected ? '' : [...faults, sides.a?.peer?.whyRelayed ?? ''].filter((text) => text !== '').join('; ');
  const mark = isAsExpected ? found : `${found} !`;
  return cells([net.a, net.b, inCommon(net).join(', '), expected, mark, ms(connectMs), ms(directMs), nats, why]);
}

function ms(value: number | undefined): string {
  return value === undefined ? '-' : `${value} ms`;
}

function cells(texts: readonly string[], columns: readonly number[] = COLUMNS): string {
  return texts
    .map((text, i) => text.padEnd(columns[i] ?? 0))
    .join(' ')
    .trimEnd();
}

process.exitCode = await main();
