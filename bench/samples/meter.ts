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
 * us for one of what `batch` does, which says how many it did: the median of many short stretches, so that a neighbour's burst on the
 * same core spoils a few of them and not the figure.
 */
export function measureEach(batch: () => number, { warmMs, measureMs }: Span): { readonly us: number; readonly cpuUs: number } {
  for (const until = performance.now() + warmMs; performance.now() < until;) batch();
  const stretches: number[] = [];
  const cpu = process.cpuUsage();
  let all = 0;
  for (const until = performance.now() + measureMs; performance.now() < until;) {
    let n = 0;
    let ms = 0;
    const from = performance.now();
    for (; ms < STRETCH_MS; ms = performance.now() - from) n += batch();
    stretches.push((ms * 1e3) / n);
    all += n;
  }
  const { user, system } = process.cpuUsage(cpu);
  stretches.sort((a, b) => a - b);
  return { us: stretches[stretches.length >> 1] as number, cpuUs: (user + system) / all };
}
const STRETCH_MS = 20;

/** Resident set of this process, MB (10^6 bytes). */
export const rssMb = (): number => process.memoryUsage().rss / 1e6;
