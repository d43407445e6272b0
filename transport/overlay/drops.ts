/** Why packets of strangers and peers were dropped: one counter a reason. A dropped packet changes nothing else. */

/** Each reason with what it means. Whoever drops for another reason adds it here. */
export const DROP_REASONS = {
  // wire/
  packet_type: 'the first byte is no type of packet, or there is none',
  packet_length: 'too short or too long for its type',
  packet_version: 'another version of the protocol',
  packet_reserved: 'a reserved byte is not zero',
  packet_number: 'the packet number is above 2^53 - 1',
  frames_malformed: 'authentic, but its frames cannot be read, or one is critical and unknown',
} as const;

export type DropReason = keyof typeof DROP_REASONS;

/** Packets dropped since the start, by reason. */
export type Drops = Record<DropReason, number>;

export function noDrops(): Drops {
  return Object.fromEntries(Object.keys(DROP_REASONS).map((reason) => [reason, 0])) as Drops;
}
