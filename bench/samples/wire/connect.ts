/** Handshakes with one node, each by another member from another address; or of TLS 1.3, none of them resumed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Measured } from '../../lib/scenario.ts';
import type { Overlay } from 'reprise/overlay';
import { OtherSide } from './other-side.ts';
import { startNode, type OverlayPlace } from './overlay-end.ts';
import { between } from './tally.ts';
import { connectTls, type TlsPlace } from './tls-end.ts';
import { identityOf, keyOf } from './members.ts';

export interface ConnectInput {
  readonly sample: 'connect';
  readonly kind: 'overlay' | 'tls';
  readonly count: number;
  readonly inFlight: number;
}

const LOOKS_MAX = 100;
const LOOK_MS = 20;

export async function connecting({ kind, count, inFlight }: ConnectInput, folder: string): Promise<Measured> {
  const names = kind === 'tls' ? [] : Array.from({ length: count }, (_, i) => `member ${i}`);
  const { side, place } = await OtherSide.start({ side: 'host', kind, names }, folder);
  const once = kind === 'tls' ? () => overTls(place as TlsPlace) : await overOverlay(place as OverlayPlace, names);
  const times: number[] = [];
  const [before, cpu, from] = [await side.tally(), process.cpuUsage(), performance.now()];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) times.push(await once(next++));
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  const ms = performance.now() - from;
  const { user, system } = process.cpuUsage(cpu);
  let there = between(before, await side.tally());
  // Its side of the last ones ends a moment later.
  for (let looks = 0; there.messages < count; looks++, there = between(before, await side.tally())) {
    if (looks === LOOKS_MAX) throw new Error(`${there.messages} of ${count} handshakes were seen by the other side`);
    await sleep(LOOK_MS);
  }
  times.sort((a, b) => a - b);
  return {
    otherCpuMs: there.cpuUs / 1e3,
    rate: (count / ms) * 1e3,
    p50Ms: times[times.length >> 1] as number,
    p99Ms: times[Math.floor(0.99 * (times.length - 1))] as number,
    dialUs: (user + system) / count,
    acceptUs: there.cpuUs / count,
  };
}

/** ms */
async function overTls(place: TlsPlace): Promise<number> {
  const from = performance.now();
  const socket = await connectTls(place);
  const ms = performance.now() - from;
  // In order: what the handshake still has to send is sent.
  socket.end();
  return ms;
}

/** The nodes are there before the clock runs; they have one connection each. */
async function overOverlay(place: OverlayPlace, names: readonly string[]): Promise<(number: number) => Promise<number>> {
  const host = keyOf(await identityOf('listener'));
  const nodes: Overlay[] = [];
  for (const [i, name] of names.entries())
    nodes.push(await startNode(name, `127.0.${1 + (i >> 7)}.${1 + (i & 127)}`, {}, [place]));
  return async (number) => {
    const from = performance.now();
    await nodes[number]?.connect(host);
    return performance.now() - from;
  };
}
