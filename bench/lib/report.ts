/** What is printed while it runs, and what `--json` keeps. */
import { writeFileSync } from 'node:fs';
import { type Goal, goalText, type Goals, isMet } from './goals.ts';
import type { Machine } from './machine.ts';
import type { Metric, SampleResult, Scenario } from './scenario.ts';
import { shown, summary, type Summary } from './statistics.ts';

export interface MetricReport extends Summary {
  /** `scenario/metric`. */
  readonly name: string;
  readonly unit: string;
  readonly values: readonly number[];
  readonly goal?: Goal;
  readonly met?: boolean;
}
export interface ScenarioReport {
  readonly name: string;
  readonly title: string;
  readonly note?: string;
  readonly metrics: readonly MetricReport[];
  /** By turn and subject. */
  readonly turns: readonly Readonly<Record<string, SampleResult>>[];
  /** Instead of metrics: what went wrong. */
  readonly failure?: string;
}
export interface Report {
  readonly machine: Machine;
  readonly synchronous: 'FULL';
  readonly quick: boolean;
  readonly samples: number;
  readonly scenarios: readonly ScenarioReport[];
}

/** The metrics of all turns, by name. */
export function reportOf(
  scenario: Scenario,
  turns: readonly Readonly<Record<string, SampleResult>>[],
  goals: Goals,
): ScenarioReport {
  const perTurn = turns.map((turn) => scenario.metrics(turn));
  const metrics = (perTurn[0] ?? []).map(({ name, unit }, i): MetricReport => {
    const values = perTurn.map((metrics) => (metrics[i] as Metric).value);
    const full = `${scenario.name}/${name}`;
    const summed = summary(values);
    const goal = goals[full];
    return { name: full, unit, values, ...summed, ...(goal !== undefined && { goal, met: isMet(goal, summed) }) };
  });
  const { name, title, note } = scenario;
  return { name, title, ...(note !== undefined && { note }), metrics, turns };
}

export function machineText(machine: Machine, samples: number, quick: boolean): string {
  const { cpu, cores, memoryGb, system, node, sqlite, commit, at } = machine;
  return [
    `Reprise ${commit}, ${at}`,
    `${cores} x ${cpu}, ${memoryGb} GB, ${system}, Node ${node}, SQLite ${sqlite}, synchronous=FULL`,
    `${samples} ${samples === 1 ? 'sample' : 'samples'} of each in turn, every one in a process of its own: median [min .. max]`,
    ...(quick ? ['Quick: small and short; these figures show that the benches work, and little else.'] : []),
  ].join('\n');
}

export function scenarioText({ name, title, note, metrics, turns, failure }: ScenarioReport): string {
  const lines = [`\n${name}  ${title}`];
  if (failure !== undefined) lines.push(`  FAILED: ${failure}`);
  for (const metric of metrics) {
    const { median, min, max, unit, goal, met } = metric;
    const range = metric.n === 1 ? '' : `[${shown(min)} .. ${shown(max)}]`;
    const aim = goal === undefined ? '' : `goal ${goalText(goal)}${met === true ? '' : '  MISSED'}`;
    const label = metric.name.slice(name.length + 1);
    lines.push(`  ${label.padEnd(20)} ${shown(median).padStart(8)} ${unit.padEnd(10)} ${range.padEnd(20)} ${aim}`.trimEnd());
  }
  const results = turns.flatMap((turn) => Object.values(turn));
  if (results.length > 0) {
    const fsync = summary(results.map((r) => r.fsyncUs));
    const foreign = summary(results.map((r) => r.foreignCores));
    lines.push(
      `  fsync before each: ${shown(fsync.median)} us [${shown(fsync.min)} .. ${shown(fsync.max)}]; other processes used ${shown(foreign.median)} cores [${shown(foreign.min)} .. ${shown(foreign.max)}]`,
    );
  }
  if (note !== undefined) lines.push(`  ${note}`);
  return lines.join('\n');
}

/** A line for each goal that was missed; nothing is asserted. */
export function goalsText(reports: readonly ScenarioReport[]): string {
  const metrics = reports.flatMap((report) => report.metrics).filter((metric) => metric.goal !== undefined);
  const missed = metrics.filter((metric) => metric.met === false);
  const lines = [`\n${metrics.length - missed.length} of ${metrics.length} goals met.`];
  for (const { name, median, unit, goal } of missed)
    lines.push(`missed: ${name} is ${shown(median)} ${unit}, goal ${goalText(goal as Goal)} (${goal?.why})`);
  return lines.join('\n');
}

export const writeReport = (path: string, report: Report): void =>
  writeFileSync(path, `${JSON.stringify(report, undefined, 1)}\n`);
