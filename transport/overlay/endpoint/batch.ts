/**
 * Packets in a WebSocket message: each with its length before it, u16, little-endian as all of the overlay. Those of one turn of the event
 * loop share a message.
 */

/** Bytes of a message. */
export const BATCH_BYTES_MAX = 64 << 10;
const LENGTH_BYTES = 2;
/** The longest packet that can go. */
export const STREAM_PACKET_BYTES_MAX = BATCH_BYTES_MAX - LENGTH_BYTES;

/** A copy with its length before it. */
export function framed(packet: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES + packet.length);
  bytes.writeUInt16LE(packet.length, 0);
  bytes.set(packet, LENGTH_BYTES);
  return bytes;
}

/** False: the message does not hold packets, and `take` was not called. A packet has a byte at least; they are views into the message. */
export function unframe(message: Uint8Array, take: (packet: Uint8Array) => void): boolean {
  if (!holdsPackets(message)) return false;
  for (let at = 0; at < message.length;) {
    const from = at + LENGTH_BYTES;
    at = from + lengthAt(message, at);
    take(message.subarray(from, at));
  }
  return true;
}

function holdsPackets(message: Uint8Array): boolean {
  let at = 0;
  while (at + LENGTH_BYTES < message.length) {
    const length = lengthAt(message, at);
    if (length === 0) return false;
    at += LENGTH_BYTES + length;
  }
  return at === message.length && at > 0;
}

const lengthAt = (bytes: Uint8Array, at: number): number => (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
