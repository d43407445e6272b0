/** What changes a network folder: invites, peers that are made known, and revocation. The same while its node runs as while it does not. */
import { nearest } from '../../core/config/problems.ts';
import { MeshError } from '../../core/errors.ts';
import { addressOf } from '../../transport/overlay/identity/address.ts';
import { INVITE_LIFE_MS } from '../../transport/overlay/trust/authority.ts';
import { type Endpoint, endpointText } from '../../transport/overlay/paths/endpoint.ts';
import type { Role } from '../../transport/overlay/trust/roles.ts';
import { noAuthority } from './authority-key.ts';
import type { KnownPeer, NetConfig } from './config.ts';
import { elsewhere } from './endpoints.ts';
import type { NetFolder, NetState } from './folder.ts';
import { hexOf } from '../../transport/overlay/key-text.ts';

export interface InviteTerms {
  readonly roles: readonly Role[];
  /** Where the newcomer finds this node, 1 to 4. */
  readonly endpoints: readonly string[];
}

export interface MadeInvite {
  readonly invite: string;
  readonly roles: readonly Role[];
  readonly endpoints: readonly string[];
  /** Those of them at whose port this node does not listen, and where it does. */
  readonly elsewhere: readonly string[];
  readonly listening: readonly string[];
  /** ms since 1970. */
  readonly expires: number;
}

/** `listening`: where this node takes UDP. Throws NET_AUTHORITY_INVALID where the CA key is not here; USAGE where no endpoint is known. */
export async function makeInvite(
  folder: NetFolder,
  state: Pick<NetState, 'authority' | 'identity' | 'network'>,
  { roles, endpoints }: InviteTerms,
  listening: readonly Endpoint[],
  wallClockMs: number,
): Promise<MadeInvite> {
  const { authority, identity, network } = state;
  if (authority === undefined) throw await noAuthority(folder, state, `nobody can be invited to '${network.name}' from here`);
  if (endpoints.length === 0)
    throw new MeshError(
      'USAGE',
      'this node listens at no port of its own, so a newcomer could not find it: name where it is with --endpoint host:port',
    );
  const all: readonly Role[] = ['node', ...roles.filter((role) => role !== 'node')];
  const invite = authority.invite({ relayKey: identity.publicKey, endpoints }, wallClockMs, all);
  await folder.saveAuthority(authority);
  return {
    invite,
    roles: all,
    endpoints,
    elsewhere: elsewhere(endpoints, listening),
    listening: listening.map(endpointText),
    expires: wallClockMs + INVITE_LIFE_MS,
  };
}

/** Invites that nobody has used yet let nobody in any more. How many they were. Throws NET_AUTHORITY_INVALID where the CA key is not here. */
export async function cancelInvites(
  folder: NetFolder,
  state: Pick<NetState, 'authority' | 'network'>,
  wallClockMs: number,
): Promise<number> {
  const { authority, network } = state;
  if (authority === undefined) throw await noAuthority(folder, state, `no invite to '${network.name}' was made here`);
  const cancelled = authority.cancelInvites(wallClockMs);
  await folder.saveAuthority(authority);
  return cancelled;
}

export interface AddedPeer {
  readonly peer: KnownPeer;
  readonly isRelay: boolean;
}

/** In the place of what was known of this key, but for its name where no other is given. A relay needs an endpoint: throws USAGE. */
export function withPeer(config: NetConfig, { peer: given, isRelay }: AddedPeer): NetConfig {
  if (isRelay && given.endpoints.length === 0)
    throw new MeshError('USAGE', 'a relay is to be found: name where it is with --endpoint host:port');
  const others = <T extends { readonly key: string }>(list: readonly T[]): T[] => list.filter(({ key }) => key !== given.key);
  const { key, endpoints } = given;
  const name = given.name ?? [...config.peers, ...config.relays].find((known) => known.key === key)?.name;
  const peer = { ...given, ...(name !== undefined && { name }) };
  const relay = { key, endpoints, ...(name !== undefined && { name }) };
  return {
    ...config,
    peers: [...others(config.peers), peer],
    relays: isRelay ? [...others(config.relays), relay] : config.relays,
  };
}

const withoutPeer = (config: NetConfig, key: string): NetConfig => ({
  ...config,
  peers: config.peers.filter((peer) => peer.key !== key),
  relays: config.relays.filter((relay) => relay.key !== key),
});

/** A node that is known under a name, an address or its key. */
export interface Acquaintance {
  readonly key: string;
  readonly name?: string | undefined;
  readonly address?: string | undefined;
}

/**
 * The key, in hex, of whom a text means. `peers`: who is known besides; the authority's own names come first, since it has given them.
 *
 * Throws: NET_NAME_UNKNOWN; NET_ADDRESS_CONFLICT where it is that of several keys.
 */
async function keyOf(target: string, state: NetState, peers: readonly Acquaintance[]): Promise<string> {
  const { network, config, authority } = state;
  if (/^[0-9a-f]{64}$/i.test(target)) return target.toLowerCase();
  const given = (authority?.state().names ?? []).map(({ name, publicKey }) => ({ name, key: publicKey }));
  const all: readonly Acquaintance[] = [...given, ...config.peers, ...peers];
  const isMeant = ({ name, address }: Acquaintance): boolean =>
    name?.toLowerCase() === target.toLowerCase() || address === target.toUpperCase();
  const named = given.find(isMeant);
  if (named !== undefined) return named.key;
  let keys = new Set(all.filter(isMeant).map(({ key }) => key));
  // Of those that have not said it yet the address takes a moment each.
  if (keys.size === 0 && ADDRESS.test(target)) {
    const keysOf = new Map(all.map(({ key }) => [key, key]));
    const found: string[] = [];
    for (const key of keysOf.keys())
      if ((await addressOf(Buffer.from(key, 'hex'), network.addressProfile)) === target.toUpperCase()) found.push(key);
    keys = new Set(found);
  }
  const [key, ...more] = keys;
  if (key === undefined)
    throw new MeshError(
      'NET_NAME_UNKNOWN',
      `no node of '${network.name}' that is known here is '${target}'${knownText(target, namesOf(all, state))}; a whole key will do as well`,
      { data: { cure: '' } },
    );
  if (more.length > 0)
    throw new MeshError('NET_ADDRESS_CONFLICT', `${keys.size} keys are '${target}': name one of ${[...keys].join(', ')}`);
  return key;
}

/** Of others that were not revoked. */
function namesOf(all: readonly Acquaintance[], { identity, denyLists }: NetState): readonly string[] {
  const own = hexOf(identity.publicKey);
  const others = all.filter(({ key }) => key !== own && !denyLists.has(Buffer.from(key, 'hex')));
  return [...new Set(others.flatMap(({ name = '' }) => (name === '' ? [] : [name])))].toSorted();
}

/** ` (did you mean "nas"?). Known are laptop, nas`; empty: nobody is known. */
function knownText(target: string, names: readonly string[]): string {
  if (names.length === 0) return '';
  const near = nearest(target, names);
  const more = names.length > NAMES_MAX ? ` and ${names.length - NAMES_MAX} more` : '';
  return `${near === undefined ? '' : ` (did you mean "${near}"?)`}. Known are ${names.slice(0, NAMES_MAX).join(', ')}${more}`;
}

/** Names that a message lists. */
const NAMES_MAX = 20;
const ADDRESS = /^[0-9A-F]{4}\.[0-9A-F]{4}\.[0-9A-F]{4}$/i;

/** Who was shut out; `list`: the new deny list, where there is an authority. */
export interface Revoked {
  readonly key: string;
  /** It was not on a list of an authority before. */
  readonly isNews: boolean;
  readonly list: Uint8Array | undefined;
  readonly config: NetConfig;
}

/**
 * Shuts a node out, by a deny list, or by taking its pin away. What is known of it goes from the configuration. `target`: its key, or what it is called
 * here or among `peers`.
 *
 * Throws: NET_AUTHORITY_INVALID where the network has a CA whose key is not here; NET_NAME_UNKNOWN; NET_ADDRESS_CONFLICT; USAGE for this node itself.
 */
export async function revokeNode(
  folder: NetFolder,
  state: NetState,
  target: string,
  peers: readonly Acquaintance[] = [],
): Promise<Revoked> {
  const { network, identity, authority } = state;
  // Before the name: it is asked for in vain here, whatever it is.
  if (network.caKeys.length > 0 && authority === undefined)
    throw await noAuthority(folder, state, `nobody can be shut out of '${network.name}' from here`);
  const key = await keyOf(target, state, peers);
  if (key === hexOf(identity.publicKey)) throw new MeshError('USAGE', 'that is this node itself');
  const publicKey = Buffer.from(key, 'hex');
  const isNews = !state.denyLists.has(publicKey);
  // Kept before it is told to anybody: a number is given once.
  const list = isNews ? authority?.revoke([publicKey]) : undefined;
  if (list !== undefined) await folder.addDenyLists(network, [list]);
  if (authority !== undefined) await folder.saveAuthority(authority);
  const config = withoutPeer(state.config, key);
  await folder.saveConfig(config);
  return { key, isNews, list, config };
}
