import { describe, expect, test } from 'vitest';
import { timeline, virtualClock } from '../../core/testing/virtual.ts';
import { type LocalNetworkOptions, localNetwork } from '../../transport/local.ts';
import { conform } from '../conformance/conform.ts';
import { linkCases, type LinkSubject } from '../conformance/link.ts';

type Weather = Omit<LocalNetworkOptions, 'clock' | 'seed'>;

function subject(weather: Weather): () => Promise<LinkSubject> {
  return async () => {
    const time = timeline();
    const network = localNetwork({ seed: 1, clock: time.clock(), ...weather });
    return { link: () => network.link(), passes: () => time.advance(1), close: () => Promise.resolve() };
  };
}

conform('a quiet local network', linkCases, subject({ latencyMs: 0 }));
conform('a bad local network', linkCases, subject({ latencyMs: 5, jitterMs: 20, loss: 0.2, duplication: 0.2, reordering: 0.3 }));

describe('the weather of a local network', () => {
  async function run(options: Weather & { seed?: number }, count = 1_000) {
    const clock = virtualClock(0);
    const network = localNetwork({ seed: 1, clock, ...options });
    const [a, b] = [network.link(), network.link()];
    const heard: { n: number; at: number }[] = [];
    b.onMessage('x', (_from, bytes) => heard.push({ n: new DataView(bytes.buffer).getUint32(0), at: clock.monotonic() }));
    await a.start('a');
    await b.start('b');
    for (let n = 0; n < count; n++) {
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setUint32(0, n);
      a.send('b', 'x', bytes);
      bytes.fill(0xff);
      await clock.advance(1);
    }
    await clock.advance(10_000);
    return { network, heard, order: heard.map((h) => h.n) };
  }
  const sorted = (list: readonly number[]): number[] => [...list].sort((x, y) => x - y);

  test('the same seed gives the same run, another seed another', async () => {
    const bad: Weather = { latencyMs: 3, jitterMs: 9, loss: 0.1, duplication: 0.1, reordering: 0.1 };
    const [one, same, other] = [await run({ ...bad, seed: 7 }), await run({ ...bad, seed: 7 }), await run({ ...bad, seed: 8 })];
    expect(same.heard).toEqual(one.heard);
    expect(other.heard).not.toEqual(one.heard);
  });

  test('loss, duplication and reordering come as often as asked, and not when they are not', async () => {
    const still = await run({ latencyMs: 3 });
    expect(still.order).toEqual(sorted(still.order));
    expect(still.heard.map((h) => h.at - h.n)).toEqual(still.order.map(() => 3));
    const lossy = await run({ loss: 0.25 });
    expect(lossy.network.counts.lost).toBeGreaterThan(200);
    expect(lossy.network.counts.lost).toBeLessThan(300);
    expect(lossy.heard.length + lossy.network.counts.lost).toBe(1_000);
    const doubled = await run({ duplication: 0.25 });
    expect(doubled.heard.length).toBe(1_000 + doubled.network.counts.doubled);
    expect(doubled.network.counts.doubled).toBeGreaterThan(200);
    const reordered = await run({ latencyMs: 5, reordering: 0.25 });
    expect(sorted(reordered.order)).toEqual(still.order);
    expect(reordered.order.filter((n, i) => n < (reordered.order[i - 1] ?? -1)).length).toBeGreaterThan(100);
  });

  test('jitter alone spreads arrivals and keeps the order of a pair', async () => {
    const { heard, order } = await run({ latencyMs: 10, jitterMs: 40 });
    expect(order).toEqual(sorted(order));
    const delays = heard.map((h) => h.at - h.n);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(10);
    expect(new Set(delays.map((d) => Math.round(d))).size).toBeGreaterThan(10);
  });

  test('a partition stops both ways or one, spares what is on its way, and heals', async () => {
    const clock = virtualClock();
    const network = localNetwork({ seed: 1, clock, latencyMs: 10 });
    const heard: string[] = [];
    const links = new Map(['a', 'b', 'c'].map((name) => [name, network.link()]));
    for (const [name, link] of links) {
      link.onMessage('x', (from) => heard.push(`${from}${name}`));
      await link.start(name);
    }
    const all = async (): Promise<string[]> => {
      heard.length = 0;
      for (const [from, link] of links) for (const to of links.keys()) if (from !== to) link.send(to, 'x', new Uint8Array(1));
      await clock.advance(10);
      return [...heard].sort();
    };
    const everything = ['ab', 'ac', 'ba', 'bc', 'ca', 'cb'];
    expect(await all()).toEqual(everything);
    network.partition('a', 'b');
    expect(await all()).toEqual(['ac', 'bc', 'ca', 'cb']);
    network.partition('c', 'a', 'oneWay');
    expect(await all()).toEqual(['ac', 'bc', 'cb']);
    network.heal('a', 'b');
    expect(await all()).toEqual(['ab', 'ac', 'ba', 'bc', 'cb']);
    network.heal();
    expect(await all()).toEqual(everything);
    heard.length = 0;
    links.get('a')?.send('b', 'x', new Uint8Array(1));
    network.partition('a', 'b');
    await clock.advance(10);
    expect(heard).toEqual(['ab']);
  });

  test('mail for a frozen node waits for its thaw, and so does what it sends', async () => {
    const clock = virtualClock();
    const network = localNetwork({ seed: 1, clock });
    const heard: string[] = [];
    const [a, b] = [network.link(), network.link()];
    for (const [name, link] of [
      ['a', a],
      ['b', b],
    ] as const) {
      link.onMessage('x', (from) => heard.push(`${from}${name}`));
      await link.start(name);
    }
    network.freeze('b');
    a.send('b', 'x', new Uint8Array(1));
    b.send('a', 'x', new Uint8Array(1));
    await clock.advance(1_000);
    expect(heard).toEqual([]);
    network.thaw('b');
    await clock.advance(10);
    expect([...heard].sort()).toEqual(['ab', 'ba']);
  });

  test('exactly the frames that are chosen are lost', async () => {
    const clock = virtualClock();
    const network = localNetwork({ seed: 1, clock });
    const [a, b] = [network.link(), network.link()];
    const heard: number[] = [];
    b.onMessage('x', (_from, bytes) => heard.push(bytes[0] ?? -1));
    await a.start('a');
    await b.start('b');
    network.dropWhen((frame) => frame.to === 'b' && frame.channel === 'x' && frame.bytes[0] === 2);
    for (const n of [1, 2, 3]) a.send('b', 'x', Uint8Array.of(n));
    network.dropWhen(undefined);
    a.send('b', 'x', Uint8Array.of(2));
    await clock.advance(10);
    expect(heard).toEqual([1, 3, 2]);
  });
});
