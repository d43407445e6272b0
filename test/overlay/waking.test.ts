/** A machine that slept: its wall clock is ahead of where it was, and its monotonic one, of which all timers are, is not. */
import { afterEach, expect, test, vi } from 'vitest';
import { certified, placeOf, relayNode } from './certified.ts';

afterEach(() => vi.useRealTimers());

/** By the monotonic clock: the other one stands still here. */
async function soon(what: string, check: () => boolean): Promise<void> {
  for (const until = performance.now() + 8_000; !check();) {
    if (performance.now() > until) throw new Error(`${what} did not happen`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('after it the node registers anew, and lets nobody stay whose certificate has ended meanwhile', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  await using relay = await relayNode();
  const signed: number[] = [];
  const relays = [placeOf(relay)];
  await using a = await certified('a', { relays, onSeq: (seq) => void signed.push(seq) });
  const gone: string[] = [];
  a.onEvent((event) => {
    if (event.type === 'peer_down') gone.push(`${event.name}: ${event.reason}`);
  });
  await soon('a registration', () => a.status().relays[0]?.state === 'registered');
  const before = signed.length;
  vi.setSystemTime(Date.now() + 120_000);
  await soon('another registration', () => signed.length > before);
  expect(gone).toEqual([]);
  vi.setSystemTime(Date.now() + 2 * 24 * 3_600_000);
  await soon('an end of the session with the relay', () => gone.length > 0);
  expect(gone[0]).toMatch(/^relay: .*no member any more/);
});
