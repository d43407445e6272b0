/** Bounds of one connection. Both sides have the same: they are part of the description of the network. */
import { MESSAGE_COST } from './flow.ts';
import type { IncomingLimits } from './incoming.ts';
import type { OutgoingLimits } from './outgoing.ts';

const MIB = 2 ** 20;

export interface ConnectionLimits extends IncomingLimits, OutgoingLimits {
  /** Control frames that wait to be sent. */
  readonly controlsMax: number;
  /** Data is in flight and nothing of it is acknowledged. */
  readonly silenceMs: number;
  /** Messages wait and the peer gives no credit. */
  readonly stalledMs: number;
  /** An orderly close takes no longer. */
  readonly closeMs: number;
}

/** `windowBytes` and `partialBytesMax` are at least `messageBytesMax`, or the longest messages could never be sent. */
export const CONNECTION_LIMITS: ConnectionLimits = {
  channelsMax: 1_024,
  messageBytesMax: MIB,
  windowMessages: 16_384,
  windowBytes: 4 * MIB,
  windowBytesMax: 16 * MIB,
  queueBytesMax: 8 * MIB,
  partialBytesMax: 4 * MIB,
  partialsMax: 256,
  partialIdleMs: 30_000,
  controlsMax: 256,
  silenceMs: 30_000,
  stalledMs: 60_000,
  closeMs: 10_000,
};

/** Limits of a network whose longest message has this many bytes: what is begun with, 4 MiB, is no less than one message. */
export function connectionLimits(messageBytesMax: number): ConnectionLimits {
  const { windowBytes, windowBytesMax, queueBytesMax, partialBytesMax } = CONNECTION_LIMITS;
  const least = messageBytesMax + MESSAGE_COST;
  return {
    ...CONNECTION_LIMITS,
    messageBytesMax,
    windowBytes: Math.max(windowBytes, least),
    windowBytesMax: Math.max(windowBytesMax, least),
    queueBytesMax: Math.max(queueBytesMax, least),
    partialBytesMax: Math.max(partialBytesMax, least),
  };
}
