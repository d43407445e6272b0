/**
 * What the holder of a CA key or of an issuing key does: certify, renew, revoke, invite, and answer who asks to join.
 *
 * It reads no clock and writes no file. What has to outlive the process is `state()` and the deny lists: keep both before anything that
 * a call has given leaves this machine, or an invite might be used twice and a number of a deny list given twice.
 */
import { assert, isMeshError, MeshError, type ErrorCode } from '../../../core/errors.ts';
import { isMemberKey } from '../curve.ts';
import { addressOf } from '../identity/address.ts';
import {
  CERTIFICATE_FAULTS,
  parseCertificate,
  signCertificate,
  signIssuer,
  validUntilMs,
  verifyCertificate,
  verifyIssuer,
  type Certificate,
  type VerifiedIssuer,
} from './certificate.ts';
import { DENIED_KEYS_MAX, signDenyList, type DenyLists } from './deny-list.ts';
import { sameBytes, type Network } from './descriptor.ts';
import { NAME_OR_NONE } from './encoding.ts';
import { inviteText, TOKEN_BYTES, type Invite } from './invite.ts';
import { joinAnswer, parseJoinRequest, type JoinRefusal, type JoinRequest } from './join.ts';
import { GivenNames, NAMES_MAX, NAMES_OF_KEY_MAX, type GivenName } from './given-names.ts';
import { OpenInvites, type OpenInvite } from './open-invites.ts';
import { roleBits, type Role } from './roles.ts';
import type { Signer } from './signed.ts';
import type { Guests } from './trust.ts';

/** What an authority has to remember: plain JSON. */
export interface AuthorityState {
  readonly invites: readonly OpenInvite[];
  /** In certificates that it has given. Undefined: none yet. */
  readonly names?: readonly GivenName[];
}

/** What a key is to get. Roles: `node` alone if none are named; at least one. Name: may be empty. */
export interface Terms {
  readonly roles?: readonly Role[];
  readonly name?: string;
}

export const INVITE_LIFE_MS = 10 * 60_000;
export const ISSUER_LIFE_MS = 90 * 24 * 3_600_000;
/** So long after it has expired may a certificate be renewed: laptops are closed over holidays. Whoever lost the key revokes it. */
export const RENEWAL_GRACE_MS = 30 * 24 * 3_600_000;
/** Certificates begin so long ago, for members whose clocks are behind; of a short life at most a quarter. */
const BACKDATE_MS = 5 * 60_000;
const SERIAL_BYTES = 6;
const NODE: readonly Role[] = ['node'];
const REFUSAL_OF: Partial<Record<ErrorCode, JoinRefusal>> = {
  NET_AUTHORITY_INVALID: 'authority_unfit',
  NET_KEY_INVALID: 'key_unusable',
  NET_KEY_REVOKED: 'key_revoked',
  NET_NAME_TAKEN: 'name_taken',
};

export class Authority implements Guests {
  private readonly network: Network;
  private readonly signer: Signer;
  private readonly issuer: Uint8Array | undefined;
  private readonly denyLists: DenyLists;
  private readonly random: (bytes: number) => Uint8Array;
  private readonly invites: OpenInvites;
  private readonly names: GivenNames;

  /**
   * `issuer`: the certificate of the signer, where it is no CA key. `denyLists`: with all lists that are known; what is revoked here is
   * installed there. Throws NET_AUTHORITY_INVALID where the key is neither a CA key of the network nor has a certificate to show.
   */
  constructor(options: {
    readonly network: Network;
    readonly signer: Signer;
    readonly issuer?: Uint8Array;
    readonly denyLists: DenyLists;
    readonly random: (bytes: number) => Uint8Array;
    readonly state?: AuthorityState;
  }) {
    this.network = options.network;
    this.signer = options.signer;
    this.issuer = options.issuer === undefined ? undefined : new Uint8Array(options.issuer);
    this.denyLists = options.denyLists;
    this.random = options.random;
    this.invites = new OpenInvites(options.state?.invites ?? []);
    this.names = new GivenNames(options.state?.names ?? []);
    if (this.issuer === undefined && !this.isCa)
      throw new MeshError('NET_AUTHORITY_INVALID', `this key is no CA key of the network '${this.network.name}'`);
  }

  /** Whether it holds a CA key. Only such may certify issuing keys and revoke. */
  get isCa(): boolean {
    return this.network.caKeys.some((key) => sameBytes(key, this.signer.publicKey));
  }

  /** To be kept, and given to the next `Authority` of this key. */
  state(): AuthorityState {
    return { invites: this.invites.all(), names: this.names.all() };
  }

  /**
   * A certificate for this key, valid for as long as the network allows and not beyond that of the issuing key. That the key belongs to whom
   * it should is for the caller to know: a session proves it, a person compares it.
   *
   * Throws: NET_KEY_INVALID where no member may have the key; NET_KEY_REVOKED; NET_NAME_TAKEN where another key has the name that was not
   * revoked; NET_AUTHORITY_INVALID where the own certificate does not hold (any more) or does not allow the roles, or no more names are kept.
   */
  async issue(publicKey: Uint8Array, { roles = NODE, name = '' }: Terms, wallClockMs: number): Promise<Uint8Array> {
    const verified = this.mayGive(roles, wallClockMs);
    this.admissible(publicKey, name);
    this.give(name, publicKey);
    const address = await addressOf(publicKey, this.network.addressProfile);
    if (address === undefined) throw unusable(publicKey);
    const { networkId, limits } = this.network;
    const notBeforeMs = Math.floor(wallClockMs - Math.min(BACKDATE_MS, limits.certificateLifeMs / 4));
    const notAfterMs = Math.min(notBeforeMs + limits.certificateLifeMs, verified?.issuer.notAfterMs ?? Number.POSITIVE_INFINITY);
    const grant = { networkId, publicKey, address, serial: this.serial(), notBeforeMs, notAfterMs, roles, name };
    return signCertificate(this.signer, grant, verified?.signed);
  }

  /**
   * A certificate for an issuing key, which may then give these roles.
   *
   * Throws: NET_AUTHORITY_INVALID without a CA key; NET_KEY_INVALID; NET_KEY_REVOKED.
   */
  certifyIssuer(
    publicKey: Uint8Array,
    { roles = NODE, name = '' }: Terms,
    wallClockMs: number,
    lifeMs = ISSUER_LIFE_MS,
  ): Uint8Array {
    if (!this.isCa) throw unfit('only a CA key certifies issuing keys');
    assert(roles.length > 0, 'a certificate gives at least one role');
    this.admissible(publicKey, name);
    const notBeforeMs = Math.floor(wallClockMs - BACKDATE_MS);
    const notAfterMs = Math.floor(wallClockMs + lifeMs);
    const { networkId } = this.network;
    return signIssuer(this.signer, { networkId, publicKey, serial: this.serial(), notBeforeMs, notAfterMs, roles, name });
  }

  /**
   * Deny these keys, too. The new list is installed here, and returned to be handed on.
   *
   * Throws: NET_AUTHORITY_INVALID without a CA key, or where the list would grow beyond 4,096 keys.
   */
  revoke(publicKeys: readonly Uint8Array[]): Uint8Array {
    if (!this.isCa) throw unfit('only a CA key revokes');
    const last = this.denyLists.of(this.signer.publicKey);
    const added = publicKeys.filter((key) => !last.keys.some((known) => sameBytes(known, key)));
    if (last.keys.length + added.length > DENIED_KEYS_MAX)
      throw unfit(`a deny list holds at most ${DENIED_KEYS_MAX} keys: found a new network with those who are members still`);
    const list = signDenyList(this.signer, this.network.networkId, last.number + 1, [...last.keys, ...added]);
    const taken = this.denyLists.install(list);
    assert(taken === 'installed', `the own deny list is not taken: ${taken}`);
    return list;
  }

  /**
   * An invite for one newcomer, as one line of text. It gives these roles.
   *
   * Throws: NET_INVITE_INVALID where an endpoint is none; NET_AUTHORITY_INVALID where the own certificate does not hold or does not allow the roles.
   */
  invite(relay: Pick<Invite, 'relayKey' | 'endpoints'>, wallClockMs: number, roles = NODE, lifeMs = INVITE_LIFE_MS): string {
    this.mayGive(roles, wallClockMs);
    this.invites.forget(wallClockMs);
    const [caKey] = this.network.caKeys;
    assert(caKey !== undefined, 'a network that has an authority has a CA key');
    const token = this.random(TOKEN_BYTES);
    const expiresMs = Math.floor(wallClockMs + lifeMs);
    const text = inviteText({ ...relay, networkId: this.network.networkId, caKey, token, expiresMs });
    this.invites.add(token, expiresMs, roles);
    return text;
  }

  /** Invites that nobody has used yet let nobody in any more. How many of them were still good. */
  cancelInvites(wallClockMs: number): number {
    this.invites.forget(wallClockMs);
    return this.invites.cancel();
  }

  /** Whether this key may come in to ask: with an invite, or with a certificate that held until some time ago. */
  admits(publicKey: Uint8Array, shown: Uint8Array, wallClockMs: number): boolean {
    if (this.denyLists.has(publicKey)) return false;
    const request = parseJoinRequest(shown);
    if (request?.type === 'join') return typeof this.invites.find(request.token, publicKey, wallClockMs) !== 'string';
    return this.renewable(shown, publicKey, wallClockMs) !== undefined;
  }

  /**
   * The answer to a request that came in a session with this key. An invite that was answered once is of that key only.
   *
   * Nothing in a request makes it throw.
   */
  async answer(publicKey: Uint8Array, request: Uint8Array, wallClockMs: number): Promise<Uint8Array> {
    const parsed = parseJoinRequest(request);
    const terms = parsed === undefined ? 'malformed' : this.termsOf(parsed, publicKey, wallClockMs);
    if (typeof terms === 'string') return joinAnswer({ type: 'refused', reason: terms });
    try {
      const certificate = await this.issue(publicKey, terms, wallClockMs);
      const { bytes: descriptor } = this.network;
      return joinAnswer({ type: 'granted', descriptor, certificate, denyLists: this.denyLists.lists() });
    } catch (error) {
      const reason = isMeshError(error) ? REFUSAL_OF[error.code] : undefined;
      if (reason === undefined) throw error;
      return joinAnswer({ type: 'refused', reason });
    }
  }

  /** What a request is to get. An invite is used up here, before anything is waited for, so that of two at once one has it. */
  private termsOf(request: JoinRequest, publicKey: Uint8Array, wallClockMs: number): Terms | JoinRefusal {
    if (this.denyLists.has(publicKey)) return 'key_revoked';
    if (request.type === 'renew') return this.renewable(request.certificate, publicKey, wallClockMs) ?? 'certificate_refused';
    const invite = this.invites.find(request.token, publicKey, wallClockMs);
    if (typeof invite === 'string') return invite;
    this.invites.use(invite, publicKey);
    return { roles: invite.roles, name: request.name };
  }

  /** A certificate that holds, or did until at most `RENEWAL_GRACE_MS` ago: then it is looked at as of its last moment. */
  private renewable(bytes: Uint8Array, publicKey: Uint8Array, wallClockMs: number): Certificate | undefined {
    const claimed = parseCertificate(bytes);
    if (claimed === undefined || !(wallClockMs < validUntilMs(claimed) + RENEWAL_GRACE_MS)) return undefined;
    const atMs = Math.min(wallClockMs, validUntilMs(claimed) - 1);
    const certificate = verifyCertificate(bytes, this.network, publicKey, atMs, (key) => this.denyLists.has(key));
    return typeof certificate === 'string' ? undefined : certificate;
  }

  /** Throws NET_AUTHORITY_INVALID. Undefined: it is a CA key that gives them, and nothing has to be shown beside its signature. */
  private mayGive(roles: readonly Role[], wallClockMs: number): VerifiedIssuer | undefined {
    assert(roles.length > 0, 'a certificate gives at least one role');
    if (this.issuer === undefined) return undefined;
    const isDenied = (key: Uint8Array): boolean => this.denyLists.has(key);
    const verified = verifyIssuer(this.issuer, this.network, this.signer.publicKey, wallClockMs, isDenied);
    if (typeof verified === 'string') throw unfit(`its own certificate does not hold: ${CERTIFICATE_FAULTS[verified]}`);
    const { issuer } = verified;
    if ((roleBits(roles) & ~roleBits(issuer.roles)) !== 0)
      throw unfit(`it may give the roles ${issuer.roles.join(', ')}, and not ${roles.join(', ')}`);
    return verified;
  }

  /** Throws NET_KEY_INVALID, NET_KEY_REVOKED. */
  private admissible(publicKey: Uint8Array, name: string): void {
    assert(NAME_OR_NONE.test(name), `${JSON.stringify(name)} is no name`);
    if (!isMemberKey(publicKey)) throw unusable(publicKey);
    if (this.denyLists.has(publicKey)) throw new MeshError('NET_KEY_REVOKED', `the key ${hex(publicKey)} was revoked`);
  }

  /** Throws NET_NAME_TAKEN, NET_AUTHORITY_INVALID. Before anything is waited for, so that of two at once one has the name. */
  private give(name: string, publicKey: Uint8Array): void {
    const given = name === '' ? 'given' : this.names.give(name, publicKey, (key) => this.denyLists.has(key));
    if (given === 'taken')
      throw new MeshError('NET_NAME_TAKEN', `another node of the network '${this.network.name}' is '${name}'`);
    if (given === 'full') throw unfit(`it keeps at most ${NAMES_MAX} names, and ${NAMES_OF_KEY_MAX} of one key`);
  }

  private serial(): number {
    return this.random(SERIAL_BYTES).reduce((value, byte) => value * 0x1_00 + byte, 0);
  }
}

const hex = (key: Uint8Array): string => Buffer.from(key.subarray(0, 40)).toString('hex');

const unfit = (message: string): MeshError => new MeshError('NET_AUTHORITY_INVALID', `this key may not do it: ${message}`);

const unusable = (publicKey: Uint8Array): MeshError =>
  new MeshError('NET_KEY_INVALID', `no member may have the key ${hex(publicKey)}`);
