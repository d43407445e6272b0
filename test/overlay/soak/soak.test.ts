import { expect, test } from 'vitest';
import { soak } from './soak.ts';

/** A minute of `npm run soak`, which takes an hour. */
const DURATION_MS = 60_000;
const REKEY_MS = 5_000;
const HEAP_GROWTH_MB = 8;

test('at 1 % loss, with new keys every 5 s, nothing is lost, nothing comes twice, and the heap stays flat', async () => {
  const report = await soak({ durationMs: DURATION_MS, loss: 0.01, rekeyMs: REKEY_MS, perSecond: 100, seed: 1, looks: 3 });
  expect(report.failures).toEqual([]);
  expect(report).toMatchObject({ delivered: report.sent, received: report.sent, doubled: 0, early: 0, spoiled: 0 });
  expect(report.sent).toBeGreaterThan(100);
  expect(report.datagramsLost).toBeGreaterThan(0);
  // The first one, and one every 5 s, however slow the machine is.
  expect(report.handshakes).toBeGreaterThanOrEqual(DURATION_MS / REKEY_MS / 2);
  // Keys may run out, on a machine that does not let it run for seconds; the association does not end by that.
  expect(Object.keys(report.events).toSorted()).toEqual(['path_changed', 'peer_up']);
  const [first = 0, last = Infinity] = [report.heapMb[0], report.heapMb.at(-1)];
  expect(last - first).toBeLessThan(HEAP_GROWTH_MB);
}, 180_000);
