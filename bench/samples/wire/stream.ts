/** Messages one way, as fast as they go: what arrives at the other process counts. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Measured } from '../../lib/scenario.ts';
import type { Span } from '../meter.ts';
import { type Carrier, dial, type End, type Place } from './ends.ts';
import { OtherSide } from './other-side.ts';
import type { OverlayPlace } from './overlay-end.ts';
import { between, tallyOf } from './tally.ts';

export interface StreamInput extends Span {
  readonly sample: 'stream';
  readonly carrier: Carrier;
  /** Of a message. */
  readonly bytes: number;
  /** By a relay, which is a third process. */
  readonly isRelayed?: boolean;
}

/** Messages that are sent before the event loop has its turn. */
const BATCH = 256;

export async function stream(
  { carrier, bytes, warmMs, measureMs, isRelayed = false }: StreamInput,
  folder: string,
): Promise<Measured> {
  const relay = isRelayed ? await OtherSide.start({ side: 'relay' }, folder) : undefined;
  const used: Carrier =
    relay === undefined || carrier.kind !== 'overlay' ? carrier : { ...carrier, via: relay.place as OverlayPlace };
  const { side, place } = await OtherSide.start({ side: 'receiver', carrier: used, isEcho: false }, folder);
  const end = await dial(used, place as Place);
  const stop = pump(end, new Uint8Array(bytes).fill(97));
  await sleep(warmMs);
  const tallies = async () => ({
    there: await side.tally(),
    relay: await relay?.side.tally(),
    here: tallyOf(0, end.sentBytes() ?? 0),
  });
  const before = await tallies();
  await sleep(measureMs);
  const after = await tallies();
  stop();
  const [there, here] = [between(before.there, after.there), between(before.here, after.here)];
  if (there.messages === 0) throw new Error('nothing arrived');
  const wire = here.bytes > 0 ? here.bytes / 1_200 : (there.messages * bytes) / 1_200;
  const atRelay =
    relay && between(before.relay as NonNullable<typeof before.relay>, after.relay as NonNullable<typeof after.relay>);
  return {
    otherCpuMs: (after.there.cpuUs + (after.relay?.cpuUs ?? 0)) / 1e3,
    rate: (there.messages / there.ms) * 1e3,
    mbPerSecond: there.bytes / there.ms / 1e3,
    sendUs: here.cpuUs / there.messages,
    receiveUs: there.cpuUs / there.messages,
    // Of 1,200 bytes in datagrams, however long these are.
    sendUsPer1200: here.cpuUs / wire,
    receiveUsPer1200: there.cpuUs / wire,
    ...(atRelay !== undefined && {
      relayRate: (atRelay.messages / atRelay.ms) * 1e3,
      relayUs: atRelay.cpuUs / atRelay.messages,
    }),
  };
}

/** Sends the message again and again. Gives what ends it. */
export function pump(end: End, message: Uint8Array): () => void {
  let isStopped = false;
  const go = (): void => {
    for (let i = 0; i < BATCH && !isStopped; i++) if (!end.send(message)) return;
    if (!isStopped) setImmediate(go);
  };
  end.onRoom = go;
  go();
  return () => {
    isStopped = true;
  };
}
