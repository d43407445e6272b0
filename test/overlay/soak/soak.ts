/** Two nodes that talk for long over a wire that loses datagrams, with new keys every few seconds: nothing lost, nothing doubled, and a flat heap. */
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startOverlay, type Overlay } from '../../../transport/overlay/overlay.ts';
import type { KnownPeer } from '../../../transport/overlay/node/ports.ts';
import { LIMITS, networkOf } from '../../../transport/overlay/trust/descriptor.ts';
import { PinnedTrust } from '../../../transport/overlay/trust/trust.ts';
import { identityOf, toHex } from '../identities.ts';
import { dice } from '../simulated-link.ts';
import { LossyWire } from './lossy-wire.ts';
import { Receiver, Sender } from './traffic.ts';

export interface SoakOptions {
  readonly durationMs: number;
  /** Of datagrams, each way: 0 to 1. */
  readonly loss: number;
  /** New keys that often. */
  readonly rekeyMs: number;
  /** Messages of each side. */
  readonly perSecond: number;
  readonly seed: number;
  /** Told `looks` times, as far as it is. */
  readonly onLook?: (report: SoakReport) => void;
  readonly looks: number;
}
export interface SoakReport {
  readonly ms: number;
  /** Of both sides. */
  readonly sent: number;
  readonly delivered: number;
  readonly received: number;
  readonly doubled: number;
  readonly early: number;
  readonly spoiled: number;
  readonly failures: readonly unknown[];
  readonly datagrams: number;
  readonly datagramsLost: number;
  readonly handshakes: number;
  /** After a collection, at each look, MB. */
  readonly heapMb: readonly number[];
  readonly events: Readonly<Record<string, number>>;
}

const HOST = '127.0.0.1';
const EVERY_MS = 10;
/** What is under way at the end arrives within this. */
const SETTLE_MS = 10_000;

const network = networkOf({ name: 'soak', caKeys: [], addressProfile: 'cheap', limits: LIMITS });

export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { durationMs, loss, rekeyMs, perSecond, seed, looks, onLook } = options;
  const identities = { a: await identityOf('a'), b: await identityOf('b') };
  const keys = { a: toHex(identities.a.publicKey) as string, b: toHex(identities.b.publicKey) as string };
  const trust = new PinnedTrust({ network });
  for (const { publicKey } of Object.values(identities)) trust.pin(publicKey);
  const node = (name: 'a' | 'b', peers: readonly KnownPeer[]): Promise<Overlay> =>
    startOverlay({
      identity: identities[name],
      network,
      trust,
      name,
      peers,
      listen: [{ host: HOST, port: 0 }],
      keyLimits: { rekeyMs, stopMs: 3 * rekeyMs },
    });
  const roll = dice(seed);
  await using stack = new AsyncDisposableStack();
  const b = stack.use(await node('b', []));
  const wire = await LossyWire.open(b.endpoints[0]?.port as number, () => roll() < loss);
  stack.defer(() => wire.close());
  const a = stack.use(await node('a', [{ publicKey: keys.b, endpoints: [wire.endpoint] }]));
  const events: Record<string, number> = {};
  for (const overlay of [a, b])
    overlay.onEvent(({ type }) => {
      events[type] = (events[type] ?? 0) + 1;
    });
  await a.connect(keys.b);

  const senders = [new Sender(a, keys.b), new Sender(b, keys.a)];
  const receivers = [new Receiver(b), new Receiver(a)];
  const heapMb: number[] = [];
  const begun = performance.now();
  const report = (): SoakReport => ({
    ms: performance.now() - begun,
    sent: sum(senders, (s) => s.sent),
    delivered: sum(senders, (s) => s.delivered),
    received: sum(receivers, (r) => r.received),
    doubled: sum(receivers, (r) => r.doubled),
    early: sum(receivers, (r) => r.early),
    spoiled: sum(receivers, (r) => r.spoiled),
    failures: senders.flatMap(({ failures }) => failures).slice(0, 10),
    datagrams: wire.passed + wire.lost,
    datagramsLost: wire.lost,
    handshakes: wire.handshakes,
    heapMb: [...heapMb],
    // A copy: both stop after this, and tell of that.
    events: { ...events },
  });
  for (let ms = 0; ms < durationMs; ms = performance.now() - begun) {
    for (const sender of senders) while (sender.sent < (ms / 1_000) * perSecond) sender.send(roll());
    if (ms >= ((heapMb.length + 1) * durationMs) / (looks + 1)) {
      heapMb.push(heapAfterCollection());
      onLook?.(report());
    }
    await sleep(EVERY_MS);
  }
  for (const until = performance.now() + SETTLE_MS; performance.now() < until && senders.some((s) => s.underWay > 0);)
    await sleep(EVERY_MS);
  heapMb.push(heapAfterCollection());
  return report();
}

const sum = <T>(all: readonly T[], of: (one: T) => number): number => all.reduce((total, one) => total + of(one), 0);

let collect: (() => void) | undefined;

/** MB */
function heapAfterCollection(): number {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 1e6;
}
