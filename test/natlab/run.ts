/**
 * `npm run natlab`: the matrix of NATs, or with two kinds one pair.
 *
 *   npm run natlab -- [A B] [--birthday] [--loss PERCENT] [--delay MS] [--jitter MS] [--dup PERCENT] [--secs N] [--times N] [--json]
 *
 * Loss and the others are one way. Ends with 1 where a pair did not come to what it should.
 */
import { parseArgs } from 'node:util';
import { PAIRS, runPair, type Result, type RunOptions } from './matrix.ts';
import { NAT_KINDS, type NatKind } from './nat.ts';
import { labTools } from './tools.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    birthday: { type: 'boolean', default: false },
    loss: { type: 'string', default: '0' },
    delay: { type: 'string', default: '0' },
    jitter: { type: 'string', default: '0' },
    dup: { type: 'string', default: '0' },
    secs: { type: 'string', default: '8' },
    times: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  const pairs = pairsOf(positionals);
  if (pairs === undefined) {
    console.error(`two of ${NAT_KINDS.join(', ')}, or none for all pairs; not '${positionals.join(' ')}'`);
    return 2;
  }
  const tools = labTools();
  if (tools === undefined) return 2;
  const options: RunOptions = { birthday: values.birthday, impairment: impairmentOf(), seconds: Number(values.secs) };
  const results: Result[] = [];
  if (!values.json) console.log(HEAD);
  for (const [a, b] of pairs)
    for (let n = 0; n < Number(values.times); n++) {
      const result = await runPair(tools, a, b, options);
      results.push(result);
      console.log(values.json ? JSON.stringify(result) : row(result));
    }
  const good = results.filter(({ isAsExpected }) => isAsExpected).length;
  if (!values.json) console.log(`${good} of ${results.length} as expected`);
  return good === results.length ? 0 : 1;
}

function pairsOf(kinds: readonly string[]): readonly (readonly [NatKind, NatKind])[] | undefined {
  if (kinds.length === 0) return PAIRS;
  const [a, b] = kinds.map((text) => NAT_KINDS.find((kind) => kind === text));
  return kinds.length === 2 && a !== undefined && b !== undefined ? [[a, b]] : undefined;
}

function impairmentOf(): RunOptions['impairment'] {
  const [delayMs, jitterMs, lossPercent, dupPercent] = [values.delay, values.jitter, values.loss, values.dup].map(Number);
  const impairment = { delayMs, jitterMs, lossPercent, dupPercent } as NonNullable<RunOptions['impairment']>;
  return Object.values(impairment).some((value) => value > 0) ? impairment : undefined;
}

const COLUMNS = [8, 8, 9, 10, 12, 10, 14] as const;
const HEAD = cells(['A', 'B', 'expected', 'found', 'connected', 'direct', 'NATs seen', 'faults']);

function row(result: Result): string {
  const { a, b, expected, isAsExpected, connectMs, directMs, faults, sides } = result;
  const found = sides.a?.peer?.kind ?? 'none';
  const nats = `${sides.a?.nat ?? '?'}/${sides.b?.nat ?? '?'}`;
  const why = isAsExpected ? '' : [...faults, sides.a?.peer?.whyRelayed ?? ''].filter((text) => text !== '').join('; ');
  const mark = isAsExpected ? found : `${found} !`;
  return cells([a, b, expected, mark, ms(connectMs), ms(directMs), nats, why]);
}

function ms(value: number | undefined): string {
  return value === undefined ? '-' : `${value} ms`;
}

function cells(texts: readonly string[]): string {
  return texts
    .map((text, i) => text.padEnd(COLUMNS[i] ?? 0))
    .join(' ')
    .trimEnd();
}

process.exitCode = await main();
