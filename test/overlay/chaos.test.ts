/** A22, A23: random stories of whole nodes. `test/long/overlay.test.ts` tells thousands more. */
import { describe, expect, test } from 'vitest';
import { runChaos } from './chaos.ts';

const SEEDS = 32;
const GROUP = 8;
const STARTS = Array.from({ length: SEEDS / GROUP }, (_, i) => 1 + i * GROUP);

describe('nodes that crash, freeze, move and restart, over relays that do the same, in all weathers', () => {
  test.each(STARTS)(
    `${GROUP} seeds from %i on: every message once and in order or told as lost; in the end all talk`,
    async (from) => {
      let [delivered, datagrams] = [0, 0];
      for (let seed = from; seed < from + GROUP; seed++) {
        const result = await runChaos(seed);
        delivered += result.delivered;
        datagrams += result.datagrams;
      }
      expect([delivered > 20 * GROUP, datagrams > 500 * GROUP]).toEqual([true, true]);
    },
  );

  test('a seed tells the same story each time', async () => {
    expect(await runChaos(5)).toEqual(await runChaos(5));
  });
});
