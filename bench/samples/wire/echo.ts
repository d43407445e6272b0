/** Messages there and back, so many in flight: the time of each, and how many a second. */
import type { Measured } from '../../lib/scenario.ts';
import type { Span } from '../meter.ts';
import { type Carrier, dial, type Place } from './ends.ts';
import { OtherSide } from './other-side.ts';
import type { OverlayPlace } from './overlay-end.ts';
import { between, type Tally, tallyOf } from './tally.ts';

export interface EchoInput extends Span {
  readonly sample: 'echo';
  readonly carrier: Carrier;
  readonly bytes: number;
  readonly inFlight: number;
  readonly isRelayed?: boolean;
}

export async function echo(
  { carrier, bytes, inFlight, warmMs, measureMs, isRelayed = false }: EchoInput,
  folder: string,
): Promise<Measured> {
  const relay = isRelayed ? await OtherSide.start({ side: 'relay' }, folder) : undefined;
  const used: Carrier =
    relay === undefined || carrier.kind !== 'overlay' ? carrier : { ...carrier, via: relay.place as OverlayPlace };
  const { side, place } = await OtherSide.start({ side: 'receiver', carrier: used, isEcho: true }, folder);
  const wire = await dial(used, place as Place);
  const message = new Uint8Array(bytes).fill(97);
  const times: number[] = [];
  // All of them keep order here, so the oldest is the one that comes back.
  const sentAt: number[] = [];
  const begun = performance.now();
  let from: Tally | undefined;
  let warm: Tally | undefined;
  const send = (): void => {
    sentAt.push(performance.now());
    wire.send(message);
  };
  await new Promise<void>((resolve, reject) => {
    const stuck = setTimeout(() => reject(new Error('nothing came back')), 2 * (warmMs + measureMs) + 10_000);
    wire.onMessage = () => {
      const now = performance.now();
      const sent = sentAt.shift() as number;
      if (from !== undefined) times.push(now - sent);
      else if (now - begun >= warmMs) {
        from = tallyOf(0, 0);
        void side.tally().then((tally) => (warm = tally));
      }
      if (from !== undefined && now - from.at >= measureMs) {
        clearTimeout(stuck);
        resolve();
      } else send();
    };
    for (let i = 0; i < inFlight; i++) send();
  });
  const to = tallyOf(0, 0);
  const end = await side.tally();
  const there = between(warm as unknown as Tally, end);
  const { at, cpuUs } = from as unknown as Tally;
  times.sort((a, b) => a - b);
  const quantile = (share: number): number => (times[Math.floor(share * (times.length - 1))] as number) * 1e3;
  return {
    otherCpuMs: (end.cpuUs + ((await relay?.side.tally())?.cpuUs ?? 0)) / 1e3,
    rate: (times.length / (to.at - at)) * 1e3,
    p50Us: quantile(0.5),
    p99Us: quantile(0.99),
    sendUs: (to.cpuUs - cpuUs) / times.length,
    echoUs: there.cpuUs / there.messages,
  };
}
