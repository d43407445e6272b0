/**
 * `npm run bench`: the scenarios in turn, against limits and peers that run beside them. What it measures is what users get: the built
 * package. Speed is never asserted; a missed goal is printed, and the exit code is 1 only when something was wrong, not slow.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type ChildOptions, sampled } from './lib/child.ts';
import { readGoals, goalText, type Goals } from './lib/goals.ts';
import { thisMachine } from './lib/machine.ts';
import { type Options, optionsOf, USAGE } from './lib/options.ts';
import { goalsText, machineText, reportOf, type ScenarioReport, scenarioText, writeReport } from './lib/report.ts';
import type { SampleResult, Scenario } from './lib/scenario.ts';
import { scenarios } from './scenarios/index.ts';

const ROOT = join(import.meta.dirname, '..');
/** As shells have it: 128 and the number of SIGINT. */
const INTERRUPTED = 130;
const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function main(args: readonly string[]): Promise<number> {
  let options: Options;
  try {
    options = optionsOf(args);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  const goals = readGoals();
  const chosen = scenarios(options.quick).filter(({ name }) => chosenBy(options, name));
  if (options.help) say(USAGE);
  else if (options.list) say(chosen.map((scenario) => listed(scenario, goals)).join('\n'));
  else if (chosen.length === 0)
    say(
      `no scenario has such a name; there are: ${scenarios(true)
        .map((s) => s.name)
        .join(', ')}`,
    );
  else return bench(chosen, options, goals);
  return chosen.length === 0 ? 2 : 0;
}

const chosenBy = ({ names }: Options, name: string): boolean => names.length === 0 || names.some((part) => name.includes(part));

function listed({ name, title }: Scenario, goals: Goals): string {
  const own = Object.entries(goals).filter(([metric]) => metric.startsWith(`${name}/`));
  return [`${name}  ${title}`, ...own.map(([metric, goal]) => `  ${metric} ${goalText(goal)}`)].join('\n');
}

async function bench(chosen: readonly Scenario[], options: Options, goals: Goals): Promise<number> {
  if (!options.source && !built()) return 1;
  const machine = thisMachine();
  say(machineText(machine, options.samples, options.quick));
  const reports: ScenarioReport[] = [];
  // The sample in hand gets the signal too, and ends; then its data is removed. The second one ends everything at once.
  let interrupted = false;
  process.once('SIGINT', () => {
    interrupted = true;
  });
  for (const scenario of chosen) {
    if (interrupted) return INTERRUPTED;
    const why = scenario.unavailable?.();
    if (why !== undefined) {
      say(`\n${scenario.name}  SKIPPED: ${why}`);
      continue;
    }
    const report = await measured(scenario, options, goals);
    reports.push(report);
    say(scenarioText(report));
  }
  say(goalsText(reports));
  const { json, quick, samples } = options;
  if (json !== undefined) writeReport(json, { machine, synchronous: 'FULL', quick, samples, scenarios: reports });
  return reports.some((report) => report.failure !== undefined) ? 1 : 0;
}

/** The package into dist/, the samples into bench/dist/: no sample pays for the stripping of types. */
function built(): boolean {
  const steps = [
    ['npm', 'run', '--silent', 'build'],
    ['tsc', '-p', 'bench/tsconfig.json'],
  ] as const;
  return steps.every(([command, ...args]) => spawnSync(command, args, { cwd: ROOT, stdio: 'inherit' }).status === 0);
}

/** All turns of a scenario. The order of its subjects is turned round each time, so that none always comes first. */
async function measured(scenario: Scenario, { samples, source, quietMs, dir }: Options, goals: Goals): Promise<ScenarioReport> {
  const folder = mkdtempSync(join(dir, 'reprise-bench-'));
  const turns: Record<string, SampleResult>[] = [];
  try {
    for (const subject of scenario.prepare ?? []) await sampled(subject, { folder, source, quietMs });
    for (let i = 0; i < samples; i++) turns.push(await turnOf(scenario, i, { folder, source, quietMs }));
    return reportOf(scenario, turns, goals);
  } catch (error) {
    return { name: scenario.name, title: scenario.title, metrics: [], turns, failure: (error as Error).message };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One sample of each subject. Each has a folder of its own, unless a preparation has left something for it. */
async function turnOf(
  { subjects, prepare }: Scenario,
  number: number,
  options: ChildOptions,
): Promise<Record<string, SampleResult>> {
  const turn: Record<string, SampleResult> = {};
  const order = Object.entries(subjects);
  for (const [name, subject] of number % 2 === 0 ? order : order.toReversed()) {
    const own = prepare === undefined ? mkdtempSync(join(options.folder, 'sample-')) : options.folder;
    turn[name] = await sampled(subject, { ...options, folder: own });
    if (own !== options.folder) rmSync(own, { recursive: true, force: true });
  }
  return turn;
}

process.exitCode = await main(process.argv.slice(2));
