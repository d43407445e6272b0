/** What a figure depends on besides the code: machine, versions, disk, and who else was busy. */
import { execFileSync } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { summary } from './statistics.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly system: string;
  readonly node: string;
  readonly v8: string;
  /** That Node brings. */
  readonly sqlite: string;
  /** Of the working tree; `+` behind it: with changes that are not committed. */
  readonly commit: string;
  readonly at: string;
}

export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1e9),
    system: `${process.platform} ${release()} ${process.arch}`,
    node: process.versions.node,
    v8: process.versions.v8,
    sqlite: process.versions['sqlite'] ?? 'unknown',
    commit: commit(),
    at: new Date().toISOString(),
  };
}

function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '+');
  } catch {
    return 'unknown';
  }
}

const PROBE_MS = 80;
const RECORD = Buffer.alloc(340, 97);

/** Median time of an append of one record's size and fdatasync in `folder`, us. */
export function probeFsync(folder: string): number {
  const path = join(folder, 'fsync.probe');
  const fd = openSync(path, 'w');
  const times: number[] = [];
  try {
    for (const until = performance.now() + PROBE_MS; performance.now() < until;) {
      const from = performance.now();
      writeSync(fd, RECORD);
      fdatasyncSync(fd);
      times.push((performance.now() - from) * 1e3);
    }
  } finally {
    closeSync(fd);
    rmSync(path);
  }
  return summary(times).median;
}

const LOOK_MS = 200;
/** Cores that others may use in a quiet machine. */
const QUIET = 0.5;

/** Waits until nobody else does much, at most so many ms. */
export async function waitForQuiet(mostMs: number): Promise<void> {
  for (const until = performance.now() + mostMs; performance.now() < until;) {
    const [busy, from] = [busyMs(), performance.now()];
    await sleep(LOOK_MS);
    if ((busyMs() - busy) / (performance.now() - from) < QUIET) return;
  }
}

/** ms of CPU that all processes have used since the machine was started. */
export function busyMs(): number {
  let ms = 0;
  for (const { times } of cpus()) ms += times.user + times.nice + times.sys + times.irq;
  return ms;
}
