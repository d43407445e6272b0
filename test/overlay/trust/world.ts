/** A network with fixed keys, for the tests of trust: the same bytes in each run. */
import { createHash } from 'node:crypto';
import { identityFromSeed, type Identity } from '../../../transport/overlay/identity/identity.ts';
import { isMemberKey, SigningKey } from '../../../transport/overlay/curve.ts';
import { Authority } from '../../../transport/overlay/trust/authority.ts';
import { DenyLists } from '../../../transport/overlay/trust/deny-list.ts';
import { LIMITS, networkOf, type Network } from '../../../transport/overlay/trust/descriptor.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
/** 2026-12-01T00:00:00Z. */
export const NOW = Date.UTC(2026, 11, 1);

/** The first seed of a row that a member may have. */
export function seedOf(name: string): Uint8Array {
  for (let i = 0; ; i++) {
    const seed = createHash('sha256').update(`${name} ${i}`).digest();
    if (isMemberKey(new SigningKey(seed).publicKey)) return seed;
  }
}

export const identityOf = (name: string): Promise<Identity> => identityFromSeed(seedOf(name), 'cheap');

/** The same bytes in each run. */
export function fixedRandom(name = 'random'): (bytes: number) => Uint8Array {
  let calls = 0;
  return (bytes) => createHash('shake256', { outputLength: bytes }).update(`${name} ${calls++}`).digest();
}

export interface World {
  readonly network: Network;
  readonly ca: Identity;
  readonly issuing: Identity;
  readonly relay: Identity;
  readonly alice: Identity;
  readonly mallory: Identity;
  readonly denyLists: DenyLists;
  /** Of the CA key. */
  readonly authority: Authority;
}

export async function world(): Promise<World> {
  const [ca, issuing, relay, alice, mallory] = await Promise.all(['ca', 'issuing', 'relay', 'alice', 'mallory'].map(identityOf));
  if (!ca || !issuing || !relay || !alice || !mallory) throw new Error('unreachable');
  const network = networkOf({ name: 'newsroom', caKeys: [ca.publicKey], addressProfile: 'cheap', limits: LIMITS });
  const denyLists = new DenyLists(network);
  const authority = new Authority({ network, signer: ca, denyLists, random: fixedRandom() });
  return { network, ca, issuing, relay, alice, mallory, denyLists, authority };
}

/** The group order of Ed25519, RFC 8032 §5.1. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

/** The same signature with S + L: one that lax verifiers take as another signature of the same statement. */
export function malleated(signature: Uint8Array): Uint8Array {
  const s = BigInt(`0x${Buffer.from(signature.subarray(32).toReversed()).toString('hex')}`) + L;
  const bytes = Buffer.from(s.toString(16).padStart(64, '0'), 'hex');
  return Uint8Array.from([...signature.subarray(0, 32), ...bytes.toReversed()]);
}
