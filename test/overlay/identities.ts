/** Identities and randomness that are the same in every run. */
import { createHash } from 'node:crypto';
import { generateIdentity, type Identity } from '../../transport/overlay/identity/identity.ts';

/** Bytes of a hash chain that begins with `seed`. */
export function seededRandom(seed: number | string): (bytes: number) => Uint8Array {
  let drawn = 0;
  return (bytes) => {
    const out = Buffer.alloc(bytes);
    for (let at = 0; at < bytes; at += 32) createHash('sha256').update(`${seed}/${drawn++}`).digest().copy(out, at);
    return out;
  };
}

/** The identity of a name, in the cheap profile. */
export const identityOf = (name: string): Promise<Identity> => generateIdentity(seededRandom(name), 'cheap');

export const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');
export const toHex = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('hex');
