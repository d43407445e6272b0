/**
 * Invites: one line of text by which one newcomer finds and joins a network, once, within ten minutes.
 *
 *   "reprise-invite-1." base64url( body || first 4 bytes of SHA-256(body) )
 *   body   [1, networkId, relay pk, [endpoint …], CA key, token 16, expires]
 *
 * Whoever reads it can join in the newcomer's place, so it is a secret until it is used. Of the network it names no more than the id, which
 * commits to all of the descriptor. The checksum is for what people do to lines of text; it proves nothing.
 */
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { MeshError } from '../../../core/errors.ts';
import { KEY_BYTES } from '../curve.ts';
import { sameBytes } from './descriptor.ts';
import { pack, Unpacker } from './encoding.ts';
import { NETWORK_ID_BYTES } from './signed.ts';

export interface Invite {
  readonly networkId: Uint8Array;
  /** Whom to call: a relay that answers requests to join. */
  readonly relayKey: Uint8Array;
  /** Where: 1 to 4 of `host:port` (UDP), `ws://host:port`, `wss://host:port`. An IPv6 address stands in brackets. */
  readonly endpoints: readonly string[];
  /** One of the CA keys that the descriptor must name. */
  readonly caKey: Uint8Array;
  readonly token: Uint8Array;
  /** Wall clock, ms. */
  readonly expiresMs: number;
}

/** 128 bits. */
export const TOKEN_BYTES = 16;
export const ENDPOINTS_MAX = 4;

const PREFIX = 'reprise-invite-';
const FORMAT = 1;
const CHECKSUM_BYTES = 4;
/** Of the line, without blanks. */
const TEXT_MAX = 2048;
const ENDPOINT_MAX = 265;
const ENDPOINT = /^(?:wss?:\/\/)?(?:\[(?<v6>[0-9a-fA-F:.]{2,45})\]|(?<host>[A-Za-z0-9.-]{1,253})):(?<port>[1-9][0-9]{0,4})$/;
const LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/** Throws NET_INVITE_INVALID where an endpoint is none: it would not be taken on the other side. */
export function inviteText({ networkId, relayKey, endpoints, caKey, token, expiresMs }: Invite): string {
  if (endpoints.length === 0 || endpoints.length > ENDPOINTS_MAX)
    throw invalid(`an invite names 1 to ${ENDPOINTS_MAX} endpoints, not ${endpoints.length}`);
  const bad = endpoints.find((endpoint) => !isEndpoint(endpoint));
  if (bad !== undefined)
    throw invalid(`${JSON.stringify(bad)} is no endpoint: it is host:port, [IPv6]:port, ws://host:port or wss://host:port`);
  const body = pack([FORMAT, networkId, relayKey, endpoints, caKey, token, expiresMs]);
  return `${PREFIX}${FORMAT}.${Buffer.concat([body, checksum(body)]).toString('base64url')}`;
}

/**
 * What a person has pasted; blanks and line breaks in it do not matter.
 *
 * Throws: NET_INVITE_INVALID, whose message says whether it is no invite, was cut or mistyped, or needs a newer version;
 * NET_INVITE_EXPIRED. Neither repeats the text, which is a secret.
 */
export function parseInvite(pasted: string, wallClockMs: number): Invite {
  // Cut first: what is far too long is not worth a look.
  const text = pasted.slice(0, 2 * TEXT_MAX).replaceAll(/\s+/g, '');
  const [, version, encoded = ''] = /^reprise-invite-([0-9]{1,3})\.(.*)$/.exec(text) ?? [];
  if (version === undefined) throw invalid(`this is no invite: it begins with ${PREFIX}${FORMAT}.`);
  if (Number(version) !== FORMAT) throw invalid('this invite is of another version of Reprise');
  const bytes = Buffer.from(encoded, 'base64url');
  const body = bytes.subarray(0, Math.max(0, bytes.length - CHECKSUM_BYTES));
  if (
    text.length > TEXT_MAX ||
    bytes.toString('base64url') !== encoded ||
    !sameBytes(checksum(body), bytes.subarray(body.length))
  )
    throw invalid('the invite was cut or changed on its way');
  const invite = parseBody(body);
  if (invite === undefined) throw invalid('the invite holds something that no invite has');
  if (!(wallClockMs < invite.expiresMs)) {
    const ago = Math.max(0, Math.ceil((wallClockMs - invite.expiresMs) / 60_000));
    throw new MeshError('NET_INVITE_EXPIRED', `the invite expired ${ago} min ago by the clock of this machine`);
  }
  return invite;
}

/** Whether a text says where a relay listens. */
export function isEndpoint(text: string): boolean {
  const { v6, host, port } = (text.length > ENDPOINT_MAX ? undefined : ENDPOINT.exec(text)?.groups) ?? {};
  if (port === undefined || Number(port) > 65_535) return false;
  if (v6 !== undefined) return isIP(v6) === 6;
  if (host === undefined) return false;
  // What ends in digits is an IPv4 address, or nothing (WHATWG URL, host parsing).
  return /(?:^|\.)[0-9]+$/.test(host) ? isIP(host) === 4 : host.split('.').every((label) => LABEL.test(label));
}

function parseBody(body: Uint8Array): Invite | undefined {
  const from = new Unpacker(body);
  from.list(7);
  if (from.uint() !== FORMAT) from.fail();
  const networkId = from.bytes(NETWORK_ID_BYTES);
  const relayKey = from.bytes(KEY_BYTES);
  const endpoints = from.items(ENDPOINTS_MAX, () => from.text(/^/, ENDPOINT_MAX));
  const caKey = from.bytes(KEY_BYTES);
  const token = from.bytes(TOKEN_BYTES);
  const expiresMs = from.uint();
  if (!from.end() || endpoints.length === 0 || !endpoints.every(isEndpoint)) return undefined;
  return { networkId, relayKey, endpoints, caKey, token, expiresMs };
}

const checksum = (body: Uint8Array): Uint8Array => createHash('sha256').update(body).digest().subarray(0, CHECKSUM_BYTES);

const invalid = (message: string): MeshError => new MeshError('NET_INVITE_INVALID', message);
