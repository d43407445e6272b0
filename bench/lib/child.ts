/** Runs one sample in a fresh process and reads what it has measured. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { busyMs, probeFsync, waitForQuiet } from './machine.ts';
import type { Measured, SampleResult, Subject } from './scenario.ts';

const BENCH = join(import.meta.dirname, '..');

export interface ChildOptions {
  /** Where its data goes. */
  readonly folder: string;
  /** The TypeScript of the working tree instead of what was built. */
  readonly source: boolean;
  /** How long it may wait for a quiet machine, ms. */
  readonly quietMs: number;
}

/** Throws when it ends badly, with what it said. */
export async function sampled(subject: Subject, { folder, source, quietMs }: ChildOptions): Promise<SampleResult> {
  await waitForQuiet(quietMs);
  const fsyncUs = probeFsync(folder);
  const ownCpu = process.cpuUsage();
  const busy = busyMs();
  const from = performance.now();
  const child = spawn(process.execPath, argumentsOf(subject, source), {
    cwd: join(BENCH, '..'),
    env: { ...process.env, NODE_OPTIONS: undefined, NODE_ENV: 'production', BENCH_FOLDER: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let firstWordMs = 0;
  let last = '';
  for await (const line of createInterface({ input: child.stdout })) {
    firstWordMs ||= performance.now() - from;
    last = line;
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  const ms = performance.now() - from;
  if (child.exitCode !== 0 && child.signalCode !== 'SIGKILL')
    throw new Error(`${JSON.stringify(subject)} ended with ${child.exitCode ?? child.signalCode}`);
  const said = JSON.parse(last) as { readonly measured: Measured; readonly cpuMs: number };
  const { user, system } = process.cpuUsage(ownCpu);
  // `otherCpuMs`: of the processes that the sample has started.
  const foreign = busyMs() - busy - said.cpuMs - (said.measured['otherCpuMs'] ?? 0) - (user + system) / 1e3;
  return { measured: said.measured, firstWordMs, fsyncUs, foreignCores: Math.max(0, foreign / ms) };
}

function argumentsOf(subject: Subject, source: boolean): readonly string[] {
  if ('node' in subject) return subject.node;
  const { flags = [], ...input } = subject;
  const [conditions, file] = source ? [['--conditions=reprise-source'], 'sample.ts'] : [[], 'dist/sample.js'];
  return [...conditions, '--expose-gc', ...flags, join(BENCH, file), JSON.stringify(input)];
}
