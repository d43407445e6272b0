import * as fc from 'fast-check';
import {
  HANDSHAKE_BYTES_MAX,
  INIT_BYTES_MIN,
  INIT_OVERHEAD_BYTES,
  type Packet,
  RESP_OVERHEAD_BYTES,
  TAG_BYTES,
} from '../../../transport/overlay/wire/packets.ts';

const index = fc.nat(0xffff_ffff);
const bytes = (min: number, max = min): fc.Arbitrary<Uint8Array> =>
  // Drawn byte by byte only where small, else it shrinks for ever.
  fc
    .tuple(fc.integer({ min, max }), fc.uint8Array({ minLength: 1, maxLength: 8 }))
    .map(([length, seed]) => Uint8Array.from({ length }, (_, i) => (seed[i % seed.length] as number) ^ i));

const init = INIT_OVERHEAD_BYTES - TAG_BYTES;
const resp = RESP_OVERHEAD_BYTES - TAG_BYTES;

/** Any packet that may be built. */
export const anyPacket: fc.Arbitrary<Packet> = fc.oneof(
  fc.record({
    type: fc.constant('init' as const),
    sender: index,
    ephemeral: bytes(32),
    sealedStatic: bytes(48),
    sealedPayload: bytes(INIT_BYTES_MIN - init, HANDSHAKE_BYTES_MAX - init),
    mac1: bytes(16),
    mac2: bytes(16),
  }),
  fc.record({
    type: fc.constant('resp' as const),
    sender: index,
    receiver: index,
    ephemeral: bytes(32),
    sealedPayload: bytes(TAG_BYTES, HANDSHAKE_BYTES_MAX - resp),
    mac1: bytes(16),
    mac2: bytes(16),
  }),
  fc.record({ type: fc.constant('cookie' as const), receiver: index, cookie: bytes(16), tag: bytes(16) }),
  fc.record({ type: fc.constant('hint' as const), receiver: index, random: bytes(8) }),
  fc.record({ type: fc.constant('data' as const), receiver: index, pn: fc.maxSafeNat(), sealed: bytes(TAG_BYTES, 1500) }),
);
