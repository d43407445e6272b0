/** An established stream while strangers flood its receiver with INITs, or flood nobody, which costs this machine the same. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Measured } from '../../lib/scenario.ts';
import type { Span } from '../meter.ts';
import { dial } from './ends.ts';
import { identityOf, keyOf, NEWCOMERS } from './members.ts';
import { OtherSide } from './other-side.ts';
import { type OverlayPlace, startNode } from './overlay-end.ts';
import { pump } from './stream.ts';
import { between } from './tally.ts';
import { openUdp } from './udp-end.ts';

export interface FloodedInput extends Span {
  readonly sample: 'flooded';
  readonly to: 'receiver' | 'nobody';
  /** INITs. */
  readonly perSecond: number;
}

const CARRIER = { kind: 'overlay', datagram: 1_200 } as const;
const MESSAGE_BYTES = 1_100;
const GIVE_UP_MS = 60_000;

export async function flooded({ to, perSecond, warmMs, measureMs }: FloodedInput, folder: string): Promise<Measured> {
  const { side, place: found } = await OtherSide.start({ side: 'receiver', carrier: CARRIER, isEcho: false }, folder);
  const place = found as OverlayPlace;
  const end = await dial(CARRIER, place);
  const stop = pump(end, new Uint8Array(MESSAGE_BYTES));
  const port = to === 'receiver' ? Number(place.endpoint.split(':')[1]) : sink();
  const flood = await OtherSide.start({ side: 'flood', port, perSecond }, folder);
  await sleep(warmMs);
  const before = { there: await side.tally(), flood: await flood.side.tally() };
  await sleep(measureMs);
  const after = { there: await side.tally(), flood: await flood.side.tally() };
  const there = between(before.there, after.there);
  const sent = between(before.flood, after.flood);
  const times: number[] = [];
  for (const name of NEWCOMERS) times.push(await arrival(name, place));
  stop();
  return {
    otherCpuMs: (after.there.cpuUs + after.flood.cpuUs) / 1e3,
    mbPerSecond: there.bytes / there.ms / 1e3,
    receiveUs: there.cpuUs / there.messages,
    floodRate: (sent.messages / sent.ms) * 1e3,
    slowestHandshakeMs: Math.max(...times),
    grownMb: after.there.rssMb - before.there.rssMb,
  };
}

/** A socket that nobody listens to. */
const sink = (): number => openUdp('127.0.0.1').address().port;

/** ms of the handshake of a member that comes in the middle of it. */
async function arrival(name: string, place: OverlayPlace): Promise<number> {
  const host = keyOf(await identityOf('listener'));
  const node = await startNode(name, `127.0.77.${1 + NEWCOMERS.indexOf(name)}`, {}, [place]);
  const from = performance.now();
  // One that is not answered in 10 s is a bad figure, and no end of the bench.
  while (!(await node.connect(host).then(yes, no)))
    if (performance.now() - from > GIVE_UP_MS) throw new Error('no handshake came through');
  const ms = performance.now() - from;
  await node.stop();
  return ms;
}

const yes = (): boolean => true;
const no = (): boolean => false;
