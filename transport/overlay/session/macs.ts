/** mac1, mac2 and the tag of a COOKIE, as docs/overlay-wire.md has them. They are cheap questions before dear ones, and prove no identity. */
import { createHash, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { MAC_BYTES } from '../wire/packets.ts';

/** The key of mac1 for handshakes with this responder: who does not know whom it speaks to hears nothing. */
export const mac1Key = (responder: Uint8Array, networkId: Uint8Array, psk: Uint8Array): KeyObject =>
  macKey(createHash('sha256').update('mac1').update(responder).update(networkId).update(psk).digest());

/** The key of the tag of this responder's COOKIEs. */
export const cookieTagKey = (responder: Uint8Array): KeyObject =>
  macKey(createHash('sha256').update('cookie').update(responder).digest());

/** A cookie, or another secret, as a key. To make it costs as much as a mac, so whoever uses one again keeps it. */
export const macKey = (bytes: Uint8Array): KeyObject => createSecretKey(bytes);

/** HMAC-SHA-256, the first 16 bytes. */
export function mac(key: KeyObject, ...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const hmac = createHmac('sha256', key);
  for (const part of parts) hmac.update(part);
  return hmac.digest().subarray(0, MAC_BYTES);
}

/** In time that says nothing of where they differ. */
export const sameMac = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);
