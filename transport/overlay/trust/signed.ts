/**
 * A signed statement: `[body, signature]`, where the body is the encoding of a list and the signature is over its exact bytes.
 *
 * What a statement is and for which network is in its tag (`identity.ts`), so that none can be shown as another.
 */
import { SIGNATURE_BYTES } from '../curve.ts';
import { verifyStatement, type Identity } from '../identity/identity.ts';
import { pack, type Packable, Unpacker } from './encoding.ts';

/** What is signed with keys of a network. */
export type StatementKind = 'certificate' | 'issuer' | 'deny-list' | 'record';

/** All that signing takes of an identity. */
export type Signer = Pick<Identity, 'publicKey' | 'sign'>;

export interface Signed {
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
}

export const NETWORK_ID_BYTES = 32;

export function sign(signer: Signer, kind: StatementKind, networkId: Uint8Array, statement: readonly Packable[]): Signed {
  const body = pack(statement);
  return { body, signature: signer.sign(kind, networkId, body) };
}

/** To be packed, or to be put into what is. */
export const packable = ({ body, signature }: Signed): readonly Packable[] => [body, signature];

/** The next value, a statement that no one has verified yet. */
export function readSigned(from: Unpacker, bodyBytesMax: number): Signed {
  from.list(2);
  return { body: from.bytes(1, bodyBytesMax), signature: from.bytes(SIGNATURE_BYTES) };
}

/** All of `bytes` as one statement; undefined: malformed. */
export function parseSigned(bytes: Uint8Array, bodyBytesMax: number): Signed | undefined {
  const from = new Unpacker(bytes);
  const statement = readSigned(from, bodyBytesMax);
  return from.end() ? statement : undefined;
}

/** Whether the statement is of this kind, for this network, and by this key. About 0.3 ms: ask last. */
export const isSignedBy = (
  publicKey: Uint8Array,
  kind: StatementKind,
  networkId: Uint8Array,
  { body, signature }: Signed,
): boolean => verifyStatement(publicKey, kind, networkId, body, signature);
