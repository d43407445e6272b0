/**
 * What a newcomer and an authority say to each other, inside a session that has proved both keys:
 *
 *   request   [1, "join", token 16, name] | [1, "renew", certificate]
 *   answer    [1, "granted", descriptor, certificate, [deny list …]] | [1, "refused", reason]
 *
 * A newcomer has no certificate, so it shows its request in the place of one; who has an expired one shows that. Either makes it a guest
 * (`trust.ts`), who may ask this and nothing else. The key that gets the certificate is the one that the session has proved.
 */
import { MeshError } from '../../../core/errors.ts';
import { CERTIFICATE_BYTES_MAX, CERTIFICATE_FAULTS, verifyCertificate, type Certificate } from './certificate.ts';
import { DENY_LIST_BYTES_MAX, DENY_LIST_FAULTS, DenyLists } from './deny-list.ts';
import { CA_KEYS_MAX, DESCRIPTOR_BYTES_MAX, parseNetwork, sameBytes, type Network } from './descriptor.ts';
import { NAME_OR_NONE, pack, Unpacker } from './encoding.ts';
import { TOKEN_BYTES, type Invite } from './invite.ts';

export type JoinRequest =
  | { readonly type: 'join'; readonly token: Uint8Array; /** May be empty. */ readonly name: string }
  | { readonly type: 'renew'; readonly certificate: Uint8Array };

export type JoinAnswer =
  | {
      readonly type: 'granted';
      readonly descriptor: Uint8Array;
      readonly certificate: Uint8Array;
      readonly denyLists: readonly Uint8Array[];
    }
  | { readonly type: 'refused'; readonly reason: string };

/** Why an authority refuses, in words. On the wire the reason itself. */
export const JOIN_REFUSALS = {
  malformed: 'it could not read the request',
  invite_unknown: 'it has made no such invite, or it has expired',
  invite_used: 'the invite was used by another key',
  name_taken: 'another node of the network has this name: choose another one, the invite is still good',
  key_revoked: 'the key of this node was revoked',
  key_unusable: 'no member may have the key of this node',
  certificate_refused: 'the certificate to be renewed does not hold, or expired too long ago',
  authority_unfit: 'its own certificate does not hold any more, or does not allow this',
} as const;

export type JoinRefusal = keyof typeof JOIN_REFUSALS;

/** What a newcomer keeps. */
export interface Membership {
  readonly network: Network;
  readonly certificate: Certificate;
  /** As it is shown to others. */
  readonly certificateBytes: Uint8Array;
  readonly denyLists: DenyLists;
}

/** Of the longest request: to renew, and some to spare. */
export const JOIN_REQUEST_BYTES_MAX = CERTIFICATE_BYTES_MAX + 16;
/** Of the longest answer, which is the longest message of the overlay itself. */
export const JOIN_ANSWER_BYTES_MAX = DESCRIPTOR_BYTES_MAX + CERTIFICATE_BYTES_MAX + CA_KEYS_MAX * (DENY_LIST_BYTES_MAX + 5) + 32;

const FORMAT = 1;
const NAME_MAX = 63;
const WORD = /^[a-z_]{1,32}$/;

export const joinRequest = (invite: Invite, name: string): Uint8Array => pack([FORMAT, 'join', invite.token, name]);

export const renewRequest = (certificate: Uint8Array): Uint8Array => pack([FORMAT, 'renew', certificate]);

export const joinAnswer = (answer: JoinAnswer): Uint8Array =>
  answer.type === 'granted'
    ? pack([FORMAT, 'granted', answer.descriptor, answer.certificate, answer.denyLists])
    : pack([FORMAT, 'refused', answer.reason]);

export function parseJoinRequest(bytes: Uint8Array): JoinRequest | undefined {
  const { from, type } = begin(bytes, { join: 4, renew: 3 });
  if (type === 'join') {
    const token = from.bytes(TOKEN_BYTES);
    const name = from.text(NAME_OR_NONE, NAME_MAX);
    return from.end() ? { type, token, name } : undefined;
  }
  const certificate = from.bytes(1, CERTIFICATE_BYTES_MAX);
  return from.end() ? { type: 'renew', certificate } : undefined;
}

export function parseJoinAnswer(bytes: Uint8Array): JoinAnswer | undefined {
  const { from, type } = begin(bytes, { granted: 5, refused: 3 });
  if (type === 'granted') {
    const descriptor = from.bytes(1, DESCRIPTOR_BYTES_MAX);
    const certificate = from.bytes(1, CERTIFICATE_BYTES_MAX);
    const denyLists = from.items(CA_KEYS_MAX, () => from.bytes(1, DENY_LIST_BYTES_MAX));
    return from.end() ? { type, descriptor, certificate, denyLists } : undefined;
  }
  const reason = from.text(WORD, 32);
  return from.end() ? { type: 'refused', reason } : undefined;
}

/**
 * What the answer to a request gives the node with this key. It believes nobody: the descriptor has to have the id that was expected, and
 * everything else has to hold in that network. `expected` is the invite, or the network for which a certificate is renewed.
 *
 * Throws: NET_JOIN_REFUSED with the reason, or with what does not hold in the answer.
 */
export function acceptAnswer(
  bytes: Uint8Array,
  expected: { readonly networkId: Uint8Array; readonly caKey?: Uint8Array },
  publicKey: Uint8Array,
  wallClockMs: number,
): Membership {
  const answer = parseJoinAnswer(bytes);
  if (answer === undefined) throw refused('the answer cannot be read');
  if (answer.type === 'refused') {
    const words = Object.hasOwn(JOIN_REFUSALS, answer.reason) ? JOIN_REFUSALS[answer.reason as JoinRefusal] : answer.reason;
    throw refused(`the authority of the network refuses: ${words}`, answer.reason);
  }
  const network = parseNetwork(answer.descriptor);
  if (network === 'newer_version') throw refused('the network needs a newer version of Reprise');
  if (network === 'malformed' || !sameBytes(network.networkId, expected.networkId))
    throw refused('the answer describes another network');
  const { caKey } = expected;
  if (caKey !== undefined && !network.caKeys.some((key) => sameBytes(key, caKey)))
    throw refused('the CA key of the invite is none of the network');
  const denyLists = new DenyLists(network);
  for (const list of answer.denyLists) {
    const taken = denyLists.install(list);
    if (taken !== 'installed' && taken !== 'known')
      throw refused(`a deny list in the answer does not hold: ${DENY_LIST_FAULTS[taken]}`);
  }
  const certificate = verifyCertificate(answer.certificate, network, publicKey, wallClockMs, (key) => denyLists.has(key));
  if (typeof certificate === 'string')
    throw refused(`the certificate in the answer does not hold: ${CERTIFICATE_FAULTS[certificate]}`);
  return { network, certificate, certificateBytes: answer.certificate, denyLists };
}

/** Reads the format and the type; each type has lists of one length. What cannot be read is bad from here on. */
function begin<Type extends string>(
  bytes: Uint8Array,
  lengths: Readonly<Record<Type, number>>,
): { readonly from: Unpacker; readonly type: Type | undefined } {
  const from = new Unpacker(bytes);
  const count = from.list(1, 0xf);
  if (from.uint() !== FORMAT) from.fail();
  const word = from.text(WORD, 32);
  const type = (Object.keys(lengths) as Type[]).find((known) => known === word && lengths[known] === count);
  if (type === undefined) from.fail();
  return { from, type };
}

/** Of a taken name the words say what to do: no other invite is asked for. */
const refused = (message: string, reason?: string): MeshError =>
  new MeshError('NET_JOIN_REFUSED', message, {
    ...(reason !== undefined && { data: { reason, ...(reason === 'name_taken' && { cure: '' }) } }),
  });
