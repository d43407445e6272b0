/**
 * Candidates: the endpoints at which a node may be reached, and which of them anything is sent to at all; and the bodies of CANDIDATES and
 * PUNCH (docs/overlay-wire.md §4). They go inside of the session only: no relay and no stranger sees an endpoint, or names one (A16).
 */
import { BlockList, isIP } from 'node:net';
import { endpointText, putEndpoint, readEndpoint, type Endpoint } from '../paths/endpoint.ts';
import { Reader, Writer } from '../wire/bytes.ts';

/** Of one CANDIDATES. */
export const CANDIDATES_MAX = 8;
/** Places for endpoints as others see them: a symmetric NAT shows another one to each that looks. */
const REFLEXIVE_MAX = 3;

/**
 * How a NAT maps a socket. 'none': others see the socket's own address. 'eim': the same endpoint for all that look. 'sym': another one for each.
 * 'unknown': too few have looked.
 */
export const NAT_KINDS = ['unknown', 'none', 'eim', 'sym'] as const;
export type NatKind = (typeof NAT_KINDS)[number];

export interface Candidate extends Endpoint {
  /** As others see the node; else an address of one of its interfaces. */
  readonly isReflexive: boolean;
}

/** Body of a CANDIDATES. */
export interface Offer {
  /** Both sides count the attempts of an association; the higher number is the newer attempt. */
  readonly attempt: number;
  readonly round: 0 | 1;
  readonly kind: NatKind;
  /** This side would guess ports if that is what is left. */
  readonly birthday: boolean;
  /** Round trip over the relay, in ms, rounded up on the wire; 0: not known. */
  readonly rttMs: number;
  /** The most promising ones first. */
  readonly candidates: readonly Candidate[];
}

/** Body of a PUNCH. */
export interface PunchCommand {
  readonly attempt: number;
  readonly round: 0 | 1;
}

/** One list a family: an IPv6 rule for mapped addresses would match every IPv4 address as well. */
function blockList(family: 'ipv4' | 'ipv6', subnets: readonly (readonly [address: string, bits: number])[]): BlockList {
  const list = new BlockList();
  for (const [address, bits] of subnets) list.addSubnet(address, bits, family);
  return list;
}
/** Nobody's, this host's, a link's (on the wire there is no zone), groups, reserved. */
const NEVER4 = blockList('ipv4', [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]);
/** As above; and IPv4 in IPv6 clothes, which would go round the rules for IPv4. */
const NEVER6 = blockList('ipv6', [
  ['::', 96],
  ['::ffff:0:0', 96],
  ['fe80::', 10],
  ['ff00::', 8],
]);
const PRIVATE4 = blockList('ipv4', [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
]);
const PRIVATE6 = blockList('ipv6', [['fc00::', 7]]);

export const familyOf = (host: string): 4 | 6 => (isIP(host) === 6 ? 6 : 4);

/** An address that may be a candidate. Relays of this node are for the node to refuse. */
export function isPunchable({ host, port }: Endpoint): boolean {
  const family = isIP(host);
  if (family === 0 || port < 1 || port > 0xffff || host.includes('%')) return false;
  return family === 4 ? !NEVER4.check(host, 'ipv4') : !NEVER6.check(host, 'ipv6');
}

/** An address of a private network. */
export const isPrivate = (host: string): boolean =>
  isIP(host) === 6 ? PRIVATE6.check(host, 'ipv6') : PRIVATE4.check(host, 'ipv4');

/**
 * At most 8 to offer, each once: first as others see the node (at most 3, in the order given), then the addresses of interfaces, public ones
 * before private ones.
 */
export function gather(o: {
  readonly hosts: readonly Endpoint[];
  readonly reflexive: readonly Endpoint[];
}): readonly Candidate[] {
  const reflexive = o.reflexive.filter(isPunchable).slice(0, REFLEXIVE_MAX);
  const hosts = o.hosts.filter(isPunchable).toSorted((a, b) => Number(isPrivate(a.host)) - Number(isPrivate(b.host)));
  const all = new Map<string, Candidate>();
  for (const { host, port } of reflexive) all.set(endpointText({ host, port }), { host, port, isReflexive: true });
  for (const { host, port } of hosts) {
    const text = endpointText({ host, port });
    if (!all.has(text)) all.set(text, { host, port, isReflexive: false });
  }
  return [...all.values()].slice(0, CANDIDATES_MAX);
}

export function offerBytes(offer: Offer): Uint8Array {
  const writer = new Writer();
  writer.u32(offer.attempt);
  writer.u8(offer.round);
  writer.u8(NAT_KINDS.indexOf(offer.kind));
  writer.u8(offer.birthday ? 1 : 0);
  // 0 would mean that it is not known.
  writer.u16(Math.min(Math.ceil(offer.rttMs), 0xffff));
  writer.u8(offer.candidates.length);
  for (const candidate of offer.candidates) {
    writer.u8(candidate.isReflexive ? 1 : 0);
    putEndpoint(writer, candidate);
  }
  return writer.written();
}

/** Undefined: malformed. Whether the candidates may be used is not looked at. */
export function parseOffer(bytes: Uint8Array): Offer | undefined {
  const reader = new Reader(bytes);
  const attempt = reader.u32();
  const round = reader.u8();
  const kind = NAT_KINDS[reader.u8()];
  const flags = reader.u8();
  const rttMs = reader.u16();
  const count = reader.u8();
  if (reader.bad || !isRound(round) || kind === undefined || flags > 1 || count > CANDIDATES_MAX) return undefined;
  const candidates: Candidate[] = [];
  for (let i = 0; i < count; i++) {
    const seen = reader.u8();
    const endpoint = readEndpoint(reader);
    if (endpoint === undefined || seen > 1) return undefined;
    candidates.push({ ...endpoint, isReflexive: seen === 1 });
  }
  return reader.left === 0 ? { attempt, round, kind, birthday: flags === 1, rttMs, candidates } : undefined;
}

export function punchBytes({ attempt, round }: PunchCommand): Uint8Array {
  const writer = new Writer(new Uint8Array(5));
  writer.u32(attempt);
  writer.u8(round);
  return writer.written();
}

/** Undefined: malformed. */
export function parsePunch(bytes: Uint8Array): PunchCommand | undefined {
  const reader = new Reader(bytes);
  const attempt = reader.u32();
  const round = reader.u8();
  return reader.bad || reader.left > 0 || !isRound(round) ? undefined : { attempt, round };
}

const isRound = (value: number): value is 0 | 1 => value <= 1;
