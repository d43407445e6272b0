/** Who is in the network of the benches: keys made of names, all of them pinned, so that processes need to tell each other nothing. */
import { createHash } from 'node:crypto';
import { generateIdentity, type Identity, LIMITS, type Network, networkOf, PinnedTrust } from 'reprise/overlay';

/** Addresses at a fraction of their usual price: they are no part of what is measured. */
export const network: Network = networkOf({ name: 'bench', caKeys: [], addressProfile: 'cheap', limits: LIMITS });

export async function identityOf(name: string): Promise<Identity> {
  let drawn = 0;
  return generateIdentity((bytes) => createHash('sha256').update(`${name} ${drawn++}`).digest().subarray(0, bytes), 'cheap');
}

export const keyOf = ({ publicKey }: Identity): string => Buffer.from(publicKey).toString('hex');

/** Who may come while others are at work. */
export const NEWCOMERS: readonly string[] = Array.from({ length: 5 }, (_, i) => `newcomer ${i}`);

/** The usual ones, and these. */
export async function trustIn(others: readonly string[]): Promise<PinnedTrust> {
  const trust = new PinnedTrust({ network });
  for (const name of ['listener', 'dialler', 'relay', ...NEWCOMERS, ...others]) {
    const { publicKey } = await identityOf(name);
    trust.pin(publicKey, name === 'relay' ? ['node', 'relay'] : ['node']);
  }
  return trust;
}
