/** Counts what happens, and reads off a rate over a while: warm-up first, then what counts. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Span {
  readonly warmMs: number;
  readonly measureMs: number;
}

export interface Rate {
  /** Things a second. */
  readonly rate: number;
  /** CPU time of this process for one of them, all threads, us. */
  readonly cpuUs: number;
}

/** `count` tells how many there were so far. */
export async function measureRate(count: () => number, { warmMs, measureMs }: Span): Promise<Rate> {
  await sleep(warmMs);
  const [before, cpu, from] = [count(), process.cpuUsage(), performance.now()];
  await sleep(measureMs);
  const n = count() - before;
  const ms = performance.now() - from;
  const { user, system } = process.cpuUsage(cpu);
  if (n === 0) throw new Error('nothing happened in the measured time');
  return { rate: (n / ms) * 1e3, cpuUs: (user + system) / n };
}

/**
 * For what only computes: CPU time of this thread for one of what `batch` does, which says how many it did, in us. Neighbours on the same
 * core do not count in it; `wallUs` is what the clock on the wall says.
 */
export function measureEach(batch: () => number, { warmMs, measureMs }: Span): { readonly us: number; readonly wallUs: number } {
  for (const until = performance.now() + warmMs; performance.now() < until;) batch();
  const [cpu, from] = [process.threadCpuUsage(), performance.now()];
  let n = 0;
  let ms = 0;
  for (; ms < measureMs; ms = performance.now() - from) n += batch();
  const { user, system } = process.threadCpuUsage(cpu);
  return { us: (user + system) / n, wallUs: (ms * 1e3) / n };
}

/** Resident set of this process, MB (10^6 bytes). */
export const rssMb = (): number => process.memoryUsage().rss / 1e6;
