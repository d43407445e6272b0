/** Every case of `test/protocol/cases.ts`. What was run and found is left in docs/evidence/explorer.md. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Case, CASES } from '../protocol/cases.ts';
import { explore, type Report } from '../protocol/explore.ts';

interface Run {
  readonly case: Case;
  readonly report: Report;
}

test('the explorer, whole', () => {
  const runs = CASES.map((c): Run => ({ case: c, report: explore(c.make(c.name)) }));
  mkdirSync('docs/evidence', { recursive: true });
  writeFileSync('docs/evidence/explorer.md', page(runs));
  expect(runs.filter((run) => !asExpected(run)).map((run) => run.case.name)).toEqual([]);
});

function asExpected({ case: c, report }: Run): boolean {
  const { violation, complete, states } = report;
  if (c.caught === undefined) return violation === undefined && complete && states >= (c.states ?? Infinity);
  return violation !== undefined && c.caught.what.test(violation.what) && violation.trace.length === c.caught.steps;
}

const number = (n: number): string => n.toLocaleString('en-US');

function page(runs: readonly Run[]): string {
  const held = runs.filter((run) => run.case.caught === undefined);
  const broken = runs.filter((run) => run.case.caught !== undefined);
  const sum = (of: (report: Report) => number): number => runs.reduce((total, run) => total + of(run.report), 0);
  return `# The explorer: what was run and found

Written by \`test/long/explorer.test.ts\` (\`npm run test:long\`), on Node ${process.versions.node}. ${runs.length} cases, ${number(sum((r) => r.states))} states,
${number(sum((r) => r.steps))} steps, ${Math.round(sum((r) => r.ms) / 1000)} s on one core. What the models hold and leave out is in [protocol.md](../protocol.md).

## Configurations: every state keeps the invariants, none is stuck

| Configuration | CI | States | Steps | Result |
|---|---|---:|---:|---|
${held.map(heldRow).join('\n')}

## Variants broken on purpose: each must be caught

| Variant | States | Trace | Found |
|---|---:|---:|---|
${broken.map(brokenRow).join('\n')}
`;
}

function heldRow({ case: c, report }: Run): string {
  const result = report.violation?.what ?? (report.complete ? 'holds' : 'not finished');
  return `| ${c.name} | ${c.ci ? 'yes' : ''} | ${number(report.states)} | ${number(report.steps)} | ${result} |`;
}

function brokenRow({ case: c, report }: Run): string {
  const { violation } = report;
  return `| ${c.name} | ${number(report.states)} | ${violation?.trace.length ?? ''} | ${violation?.what ?? 'NOT CAUGHT'} |`;
}
