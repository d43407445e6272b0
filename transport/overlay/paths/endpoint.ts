/**
 * IP endpoints, and the texts by which paths are named.
 *
 *   udp:0/192.0.2.1:4000           socket 0, IPv4            udp:0/[2001:db8::1]:4000   IPv6
 *   ws:7                           a WebSocket, dialled      ws:8/192.0.2.1   accepted from there, IPv6 in brackets
 *   relay:<key of the relay, 64 hex digits>/<hash of the peer's key, 16>
 *
 * On the wire an endpoint is: family u8 (4, 6), address [4] or [16], port u16, little-endian as all of the overlay.
 */
import { BlockList, isIP } from 'node:net';
import { assert } from '../../../core/errors.ts';
import { Reader, Writer } from '../wire/bytes.ts';
import type { PathId } from '../source.ts';

/** An address as text (IPv6 without brackets or zone) and a port from 1 to 65535. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

const UDP = /^udp:([^/]+)\/(?:\[([^\]]+)\]|([^:]+)):(\d+)$/;
const RELAY = /^relay:([0-9a-f]{64})\/([0-9a-f]{16})$/;
const WRITTEN = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/;
/** An IPv4 address as a dual-stack socket shows it. */
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

export const endpointText = ({ host, port }: Endpoint): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);

/** `192.0.2.1:4000`, `[2001:db8::1]:4000`. Undefined: not an IP address with a port. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const [, ipv6, other, digits = ''] = WRITTEN.exec(text) ?? [];
  const host = ipv6 ?? other ?? '';
  const port = Number(digits);
  const isWritten = ipv6 === undefined ? isIP(host) === 4 : isIP(host) === 6;
  return isWritten && port >= 1 && port <= 0xffff ? { host, port } : undefined;
}

export const udpPath = (socket: string, { host, port }: Endpoint): PathId =>
  `udp:${socket}/${endpointText({ host: MAPPED.exec(host)?.[1] ?? host, port })}`;

/** Undefined: it is no UDP path. */
export function parseUdpPath(path: PathId): { readonly socket: string; readonly endpoint: Endpoint } | undefined {
  const [, socket, ipv6, ipv4, port] = UDP.exec(path) ?? [];
  const host = ipv6 ?? ipv4;
  return socket === undefined || host === undefined ? undefined : { socket, endpoint: { host, port: Number(port) } };
}

/** `number`: one for each connection. `host`: the address of the other side, where that is who came (`sourceOf` counts by it). */
export const webSocketPath = (number: number, host?: string): PathId =>
  host === undefined ? `ws:${number}` : `ws:${number}/${host.includes(':') ? `[${host}]` : host}`;

/** `relay`: the key of the relay, `peer`: the hash of the peer's key (`relay/hash.ts`), both in hex. */
export const relayPath = (relay: string, peer: string): PathId => `relay:${relay}/${peer}`;

export function parseRelayPath(path: PathId): { readonly relay: string; readonly peer: string } | undefined {
  const [, relay, peer] = RELAY.exec(path) ?? [];
  return relay === undefined || peer === undefined ? undefined : { relay, peer };
}

/** 'direct': UDP. 'tcp': a WebSocket. 'relayed': by another node. */
export type PathKind = 'direct' | 'tcp' | 'relayed';

export const kindOfPath = (path: PathId): PathKind =>
  path.startsWith('udp:') ? 'direct' : path.startsWith('ws:') ? 'tcp' : 'relayed';

export const isLoopback = (host: string): boolean => LOOPBACK.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4');

export function endpointBytes(endpoint: Endpoint): Uint8Array {
  const writer = new Writer(new Uint8Array(19));
  putEndpoint(writer, endpoint);
  return writer.written();
}

export function putEndpoint(writer: Writer, { host, port }: Endpoint): void {
  const family = isIP(host);
  assert(family !== 0, `${host} is no IP address`);
  writer.u8(family);
  writer.bytes(family === 4 ? ipv4Bytes(host) : ipv6Bytes(host));
  writer.u16(port);
}

/** Undefined: malformed, or more than one endpoint. */
export function parseEndpointBytes(bytes: Uint8Array): Endpoint | undefined {
  const reader = new Reader(bytes);
  const endpoint = readEndpoint(reader);
  return reader.left === 0 ? endpoint : undefined;
}

/** The next endpoint; undefined: malformed. */
export function readEndpoint(reader: Reader): Endpoint | undefined {
  const family = reader.u8();
  if (family !== 4 && family !== 6) return undefined;
  const address = reader.bytes(family === 4 ? 4 : 16);
  const port = reader.u16();
  if (reader.bad || port === 0) return undefined;
  return { host: family === 4 ? address.join('.') : ipv6Text(address), port };
}

const ipv4Bytes = (host: string): Uint8Array => Uint8Array.from(host.split('.').map(Number));

function ipv6Bytes(host: string): Uint8Array {
  // URL gives the canonical form, with an IPv4 tail as two groups.
  const text = new URL(`http://[${host.split('%')[0]}]/`).hostname.slice(1, -1);
  const [head = '', tail] = text.split('::');
  const groups = (part: string): number[] => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
  return Uint8Array.from(all.flatMap((group) => [group >>> 8, group & 0xff]));
}

function ipv6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number)).toString(16),
  );
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}
