/** What happens to a pair while it exchanges messages. Each gives what did not come exactly once and in order. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Pair } from './pair.ts';

export interface Exchange {
  /** Messages each way. */
  readonly count: number;
  readonly perSecond: number;
  readonly limitMs: number;
}

/** `happens` in the midst of an exchange: both sides have a part of the messages, and neither has all. */
export async function exchangeWhile(pair: Pair, exchange: Exchange, happens: () => Promise<void>): Promise<readonly string[]> {
  const { count, perSecond, limitMs } = exchange;
  const done = pair.exchange({ count, perSecond }, limitMs);
  const whole = (count / perSecond) * 1_000;
  let isOver = false;
  const over = (): void => void (isOver = true);
  done.then(over, over);
  await wait(whole / 3);
  await happens();
  const late = isOver ? ['all was over before it happened'] : [];
  const { a, b } = await done;
  return [...late, ...a.map((fault) => `at a: ${fault}`), ...b.map((fault) => `at b: ${fault}`)];
}

/** The NAT box of `a` forgets its mappings, and then `a` gets another address. */
export async function move({ lab }: Pair): Promise<void> {
  await lab.rebind('a');
  await wait(500);
  await lab.changeAddress('a');
}
