/**
 * A flood of INITs by one who knows the network and the key of a node, but is no member: mac1 is right, and nothing behind it. It is made by
 * docs/overlay-wire.md alone. They come from many addresses of the loopback, as if they were forged.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { Socket } from 'node:dgram';
import { type Tally, tallyOf } from './tally.ts';
import { identityOf, network } from './members.ts';
import { openUdp } from './udp-end.ts';

export interface FloodSide {
  readonly side: 'flood';
  /** A port of 127.0.0.1. */
  readonly port: number;
  readonly perSecond: number;
}

const SOURCES = 256;
const POOL = 4096;
const INIT_BYTES = 512;
const MACS_BYTES = 32;
const MAC_BYTES = 16;
const EVERY_MS = 4;

/** Gives its tally: messages are INITs that were sent. */
export async function flood({ port, perSecond }: FloodSide): Promise<() => Tally> {
  const { publicKey } = await identityOf('listener');
  const key = createHash('sha256').update('mac1').update(publicKey).update(network.networkId).update(new Uint8Array(32)).digest();
  const inits = Array.from({ length: POOL }, () => init(key));
  const sources = Array.from({ length: SOURCES }, (_, i) => source(`127.${1 + (i % 250)}.${i >> 4}.7`));
  let sent = 0;
  let due = 0;
  let at = performance.now();
  setInterval(() => {
    const now = performance.now();
    // What a busy machine did not let it send is not made up for.
    due = Math.min(due + ((now - at) / 1e3) * perSecond, perSecond / 20);
    at = now;
    for (; due >= 1; due--) {
      (sources[sent % SOURCES] as Socket).send(inits[sent % POOL] as Buffer, port, '127.0.0.1');
      sent++;
    }
  }, EVERY_MS);
  return () => tallyOf(sent, sent * INIT_BYTES);
}

function init(key: Buffer): Buffer {
  const packet = randomBytes(INIT_BYTES);
  packet.set([1, 1, 0, 0]);
  createHmac('sha256', key)
    .update(packet.subarray(0, -MACS_BYTES))
    .digest()
    .copy(packet, INIT_BYTES - MACS_BYTES, 0, MAC_BYTES);
  packet.fill(0, INIT_BYTES - MAC_BYTES);
  return packet;
}

/** Answers are not read. */
function source(address: string): Socket {
  const socket = openUdp(address);
  socket.on('error', () => undefined);
  return socket;
}
