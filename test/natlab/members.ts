/** A network of the overlay for a lab: a CA, two relays and two nodes, each with its certificate. New keys each time. */
import { randomBytes } from 'node:crypto';
import { generateIdentity, identityFromSeed, type Identity } from '../../transport/overlay/identity/identity.ts';
import type { Endpoint } from '../../transport/overlay/paths/endpoint.ts';
import type { RelayAddress } from '../../transport/overlay/relay/ports.ts';
import { Authority } from '../../transport/overlay/trust/authority.ts';
import { DenyLists } from '../../transport/overlay/trust/deny-list.ts';
import { LIMITS, networkOf, readNetwork, type Network } from '../../transport/overlay/trust/descriptor.ts';
import { CertificateTrust } from '../../transport/overlay/trust/trust.ts';
import { RELAY_ADDRESSES, type Place, type RelayName } from './topology.ts';

const RELAY_PORT = 7000;
/** Another one on each side: behind one box that keeps ports the same would be taken. */
const HOST_PORTS = { a: 7001, b: 7002 } as const;
export const WEBSOCKET_PORT = 7443;

/** What a member knows of itself and of its network, as JSON: bytes in hex. */
export interface Member {
  readonly name: Place;
  readonly seed: string;
  readonly publicKey: string;
  readonly network: string;
  readonly certificate: string;
}

export async function makeMembers(): Promise<Readonly<Record<Place, Member>>> {
  const ca = await generateIdentity(randomBytes, 'cheap');
  const network = networkOf({ name: 'natlab', caKeys: [ca.publicKey], addressProfile: 'cheap', limits: LIMITS });
  const authority = new Authority({ network, signer: ca, denyLists: new DenyLists(network), random: randomBytes });
  const member = async (name: Place): Promise<Member> => {
    const { seed, identity } = await draw();
    const roles = name.startsWith('relay') ? (['node', 'relay'] as const) : (['node'] as const);
    const certificate = await authority.issue(identity.publicKey, { name, roles }, Date.now());
    const [publicKey, descriptor, shown] = [identity.publicKey, network.bytes, certificate].map(hex) as [string, string, string];
    return { name, seed, publicKey, network: descriptor, certificate: shown };
  };
  const [a, b, relay1, relay2] = await Promise.all([member('a'), member('b'), member('relay1'), member('relay2')]);
  return { a, b, relay1, relay2 };
}

export async function readMember(member: Member): Promise<{ identity: Identity; network: Network; trust: CertificateTrust }> {
  const identity = await identityFromSeed(Buffer.from(member.seed, 'hex'), 'cheap');
  const network = readNetwork(Buffer.from(member.network, 'hex'), 'the network of the lab');
  const trust = new CertificateTrust({ network });
  trust.present(Buffer.from(member.certificate, 'hex'), identity.publicKey, Date.now());
  return { identity, network, trust };
}

/** Where a node listens for UDP: a relay at both of its addresses. */
export function listenAt(place: Place): readonly Endpoint[] {
  if (place === 'a' || place === 'b') return [{ host: '0.0.0.0', port: HOST_PORTS[place] }];
  return RELAY_ADDRESSES[place].map((host) => ({ host, port: RELAY_PORT }));
}

/** Where the relay of this member is reached: at two addresses by UDP, and by WebSocket. */
export function relayAddress(member: Member): RelayAddress {
  const addresses = RELAY_ADDRESSES[member.name as RelayName];
  const udp = addresses.map((address) => `${address}:${RELAY_PORT}`);
  return { publicKey: member.publicKey, endpoints: [...udp, `ws://${addresses[0]}:${WEBSOCKET_PORT}`] };
}

async function draw(): Promise<{ readonly seed: string; readonly identity: Identity }> {
  let seed = '';
  const identity = await generateIdentity((count) => {
    const drawn = randomBytes(count);
    seed = drawn.toString('hex');
    return drawn;
  }, 'cheap');
  return { seed, identity };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
