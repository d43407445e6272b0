/**
 * Records what a real OTP does: `npx node test/supervision/record-otp.ts [histories per family]`. Needs `erlc` and `erl` (Debian:
 * erlang-base). Time stands still in it: OTP counts in whole seconds. Not part of any test run.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { families } from './arbitrary-history.ts';
import type { Happening, History } from './histories.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const numRuns = Number(process.argv[2] ?? 60);
const seed = Number(process.argv[3] ?? 3);

const list = (items: readonly string[]): string => `[${items.join(',')}]`;
const happening = (h: Happening): string =>
  h.do === 'exit' ? `{exit,${h.id},${h.how}}` : h.do === 'add' ? `{add,${h.id},${h.restart}}` : `{${h.do},${h.id}}`;
const term = (h: History): string =>
  `{${[
    h.strategy,
    String(h.intensity),
    list(h.children.map((c) => `{${c.id},${c.restart}}`)),
    list(h.failingStarts.map((f) => `{${f.replace(':', ',')}}`)),
    list(Object.entries(h.during).map(([order, happen]) => `{${order},${list(happen.map(happening))}}`)),
    list(h.steps.map((s) => list(s.happen.map(happening)))),
  ].join(',')}}.`;

const histories = Object.values(families)
  .flatMap((family, i) => fc.sample(family, { numRuns, seed: seed + i }))
  .map((h): History => ({ ...h, periodMs: 3_600_000, steps: h.steps.map((s) => ({ ...s, afterMs: 0 })) }));
const folder = mkdtempSync(join(tmpdir(), 'reprise-otp-'));
writeFileSync(join(folder, 'histories.terms'), histories.map(term).join('\n'));
execFileSync('erlc', ['-o', folder, join(here, 'otp_recorder.erl')]);
const out = execFileSync(
  'erl',
  ['-noshell', '-pa', folder, '-eval', `otp_recorder:main(["${join(folder, 'histories.terms')}"]), halt().`],
  { encoding: 'utf8' },
);
const lines = out.trimEnd().split('\n');
const recorded = histories.map(
  (history, i) => `  ${JSON.stringify({ history, seen: (lines[i] ?? '').replace(/^\d+ /, '').split('|') })}`,
);
writeFileSync(join(here, 'otp-recorded.json'), `[\n${recorded.join(',\n')}\n]\n`);
