/**
 * docs/overlay-trust.md once more, by nothing but that page: what another implementation would have to write, on `node:crypto`, and on a decoder of points
 * for what is asked of keys. Faults are all that the page finds, so that they do not depend on an order of questions.
 */
import { createHash, createPublicKey, scryptSync, verify } from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import { judged, must } from './wire-spec.ts';

export type Value = number | string | Uint8Array | readonly Value[];

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const same = (a: Uint8Array, b: Uint8Array): boolean => hex(a) === hex(b);

class Unpacker {
  private at = 0;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  all(): Value {
    const value = this.value();
    must(this.at === this.bytes.length);
    return value;
  }

  private value(): Value {
    const mark = this.take(1)[0] as number;
    if (mark < 0x80) return mark;
    if (mark >= 0x90 && mark < 0xa0) return this.list(mark - 0x90);
    if (mark >= 0xa0 && mark < 0xc0) return this.text(mark - 0xa0);
    switch (mark) {
      case 0xc4:
        return this.take(this.number(1, 0));
      case 0xc5:
        return this.take(this.number(2, 0x100));
      case 0xc6:
        return this.take(this.number(4, 0x1_0000));
      case 0xcc:
        return this.number(1, 0x80);
      case 0xcd:
        return this.number(2, 0x100);
      case 0xce:
        return this.number(4, 0x1_0000);
      case 0xcf:
        return this.number(8, 0x1_0000_0000);
      case 0xd9:
        return this.text(this.number(1, 0x20));
      case 0xda:
        return this.text(this.number(2, 0x100));
      case 0xdc:
        return this.list(this.number(2, 0x10));
      default:
        must(false);
        return 0;
    }
  }

  /** Big-endian; below `least` there is a shorter form. */
  private number(size: number, least: number): number {
    const value = BigInt(`0x${hex(this.take(size))}`);
    must(value >= least && value < 2n ** 53n);
    return Number(value);
  }

  private list(count: number): readonly Value[] {
    must(count <= this.bytes.length - this.at);
    return Array.from({ length: count }, () => this.value());
  }

  private text(length: number): string {
    const bytes = this.take(length);
    must(bytes.every((byte) => byte >= 0x20 && byte <= 0x7e));
    return Buffer.from(bytes).toString('latin1');
  }

  private take(count: number): Uint8Array {
    must(this.at + count <= this.bytes.length);
    this.at += count;
    return this.bytes.slice(this.at - count, this.at);
  }
}

const unpack = (bytes: Uint8Array): Value => new Unpacker(bytes).all();

/** Fields of a list, each asked for by what it has to be. */
class Fields {
  private readonly values: readonly Value[];
  private at = 0;

  constructor(value: Value | undefined, count: number) {
    must(Array.isArray(value) && value.length === count);
    this.values = value as readonly Value[];
  }

  number(least = 0, most = Number.MAX_SAFE_INTEGER): number {
    const value = this.next();
    must(typeof value === 'number' && value >= least && value <= most);
    return value as number;
  }

  bytes(least: number, most = least): Uint8Array {
    const value = this.next();
    must(value instanceof Uint8Array && value.length >= least && value.length <= most);
    return value as Uint8Array;
  }

  text(isGood: (text: string) => boolean): string {
    const value = this.next();
    must(typeof value === 'string' && isGood(value));
    return value as string;
  }

  fields(count: number): Fields {
    return new Fields(this.next(), count);
  }

  /** A list of at most `most`. */
  list<T>(most: number, read: (items: Fields) => T): T[] {
    const value = this.next();
    must(Array.isArray(value) && value.length <= most);
    const items = new Fields(value, (value as readonly Value[]).length);
    return (value as readonly Value[]).map(() => read(items));
  }

  version(): void {
    this.number(1, 1);
  }

  private next(): Value | undefined {
    return this.values[this.at++];
  }
}

const isName = (text: string): boolean =>
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text) && !/^[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}$/.test(text);
const isNameOrNone = (text: string): boolean => text === '' || isName(text);
const isAscending = (keys: readonly Uint8Array[]): boolean =>
  keys.every((key, i) => i === 0 || hex(keys[i - 1] as Uint8Array) < hex(key));
const isAddress = (bytes: Uint8Array): boolean => !/^(?:0{12}|f{12})$/.test(hex(bytes));

function isMemberKey(key: Uint8Array): boolean {
  try {
    const point = ed25519.Point.fromBytes(key, false);
    return ((key[31] as number) & 0x80) === 0 && !point.isSmallOrder() && point.isTorsionFree();
  } catch {
    return false;
  }
}

export function specAddress(key: Uint8Array, profile: string): string {
  const bytes = scryptSync(key, 'OVL1/addr', 6, { N: profile === 'cheap' ? 2 ** 4 : 2 ** 14, r: 8, p: 1 });
  return hex(bytes).toUpperCase().match(/.{4}/g)?.join('.') ?? '';
}

interface Statement {
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
}

function statement(fields: Fields): Statement {
  return { body: fields.bytes(0, Infinity), signature: fields.bytes(64) };
}

function holds(kind: string, networkId: Uint8Array, key: Uint8Array, { body, signature }: Statement): boolean {
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key]);
  const message = Buffer.concat([Buffer.from(`OVL1/${kind}\0`), networkId, body]);
  return verify(null, message, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature);
}

export interface SpecNetwork {
  readonly name: string;
  readonly caKeys: readonly Uint8Array[];
  readonly addressProfile: string;
  readonly limits: { readonly messageBytesMax: number; readonly certificateLifeMs: number; readonly recordTtlMs: number };
  readonly networkId: Uint8Array;
}

/** Undefined: malformed, or of a newer version. */
export const specNetwork = (bytes: Uint8Array): SpecNetwork | undefined =>
  judged(() => {
    must(bytes.length <= 256);
    const fields = new Fields(unpack(bytes), 6);
    fields.version();
    const name = fields.text(isName);
    const caKeys = fields.list(4, (items) => items.bytes(32));
    must(isAscending(caKeys) && caKeys.every(isMemberKey));
    const addressProfile = fields.text((text) => text === 'standard' || text === 'cheap');
    fields.number(1, 1);
    const limits = fields.fields(3);
    return {
      name,
      caKeys,
      addressProfile,
      limits: {
        messageBytesMax: limits.number(1_024, 16_777_216),
        certificateLifeMs: limits.number(60_000, 2_678_400_000),
        recordTtlMs: limits.number(1_000, 600_000),
      },
      networkId: createHash('sha256').update(bytes).digest(),
    };
  });

interface Grant {
  readonly networkId: Uint8Array;
  readonly key: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly roles: number;
}

function grant(body: Uint8Array, isMember: boolean): Grant {
  const fields = new Fields(unpack(body), isMember ? 9 : 8);
  fields.version();
  const networkId = fields.bytes(32);
  const key = fields.bytes(32);
  if (isMember) must(isAddress(fields.bytes(6)));
  fields.number();
  const [notBefore, notAfter] = [fields.number(), fields.number()];
  const roles = fields.number(1, 7);
  fields.text(isNameOrNone);
  must(notBefore < notAfter);
  return { networkId, key, notBefore, notAfter, roles };
}

/** All that is wrong with a certificate that `key` shows; nothing: it holds. */
export function specCertificateFaults(
  bytes: Uint8Array,
  { networkId, caKeys, limits }: SpecNetwork,
  key: Uint8Array,
  now: number,
  denied: readonly Uint8Array[],
): readonly string[] {
  const read = judged(() => {
    must(bytes.length <= 473);
    const value = unpack(bytes);
    must(Array.isArray(value) && (value.length === 1 || value.length === 2));
    const [member, issuer] = (value as readonly Value[]).map((each) => statement(new Fields(each, 2)));
    return {
      member: { ...grant((member as Statement).body, true), statement: member as Statement },
      issuer: issuer && { ...grant(issuer.body, false), statement: issuer },
    };
  });
  if (read === undefined) return ['malformed'];
  const { member, issuer } = read;
  const both = issuer === undefined ? [member] : [member, issuer];
  const isByCa = (kind: string, of: Statement): boolean => caKeys.some((ca) => holds(kind, networkId, ca, of));
  const isSigned =
    issuer === undefined
      ? isByCa('certificate', member.statement)
      : isByCa('issuer', issuer.statement) && holds('certificate', networkId, issuer.key, member.statement);
  const faults: Readonly<Record<string, boolean>> = {
    wrong_network: both.some((each) => !same(each.networkId, networkId)),
    wrong_key: !same(member.key, key),
    revoked: both.some((each) => denied.some((one) => same(one, each.key))),
    life_too_long: member.notAfter - member.notBefore > limits.certificateLifeMs,
    not_yet_valid: both.some(({ notBefore }) => now < notBefore),
    expired: both.some(({ notAfter }) => now >= notAfter),
    roles_not_granted: issuer !== undefined && (member.roles & ~issuer.roles) !== 0,
    bad_signature: !isSigned,
  };
  return Object.keys(faults).filter((fault) => faults[fault]);
}

/** `newest`: the number of the newest list of that CA key. */
export function specDenyListFaults(bytes: Uint8Array, { networkId, caKeys }: SpecNetwork, newest: number): readonly string[] {
  const read = judged(() => {
    const signed = statement(new Fields(unpack(bytes), 2));
    const fields = new Fields(unpack(signed.body), 5);
    fields.version();
    const [id, caKey, number] = [fields.bytes(32), fields.bytes(32), fields.number(1)];
    must(isAscending(fields.list(4_096, (items) => items.bytes(32))));
    return { signed, id, caKey, number };
  });
  if (read === undefined) return ['malformed'];
  const faults: Readonly<Record<string, boolean>> = {
    wrong_network: !same(read.id, networkId),
    not_from_ca: !caKeys.some((key) => same(key, read.caKey)),
    not_newer: read.number <= newest,
    bad_signature: !holds('deny-list', networkId, read.caKey, read.signed),
  };
  return Object.keys(faults).filter((fault) => faults[fault]);
}

/** `last`: the seq of the last record of the key. */
export function specRecordFaults(bytes: Uint8Array, network: SpecNetwork, now: number, last: number): readonly string[] {
  const read = judged(() => {
    must(bytes.length <= 400);
    const signed = statement(new Fields(unpack(bytes), 2));
    const fields = new Fields(unpack(signed.body), 8);
    fields.version();
    const [id, key, address] = [fields.bytes(32), fields.bytes(32), fields.bytes(6)];
    must(isAddress(address));
    const [seq, ttlMs] = [fields.number(), fields.number(1)];
    fields.list(4, (items) => items.bytes(32));
    fields.text(isNameOrNone);
    return { signed, id, key, address, seq, ttlMs };
  });
  if (read === undefined) return ['malformed'];
  const { seq, ttlMs, key } = read;
  const address = specAddress(key, network.addressProfile).replaceAll('.', '').toLowerCase();
  const faults: Readonly<Record<string, boolean>> = {
    wrong_network: !same(read.id, network.networkId),
    ttl_too_long: ttlMs > network.limits.recordTtlMs,
    bad_signature: !holds('record', network.networkId, key, read.signed),
    address_mismatch: hex(read.address) !== address,
    record_from_future: seq > now + 60_000,
    record_expired: now >= seq + ttlMs + 60_000,
    record_not_newer: seq <= last,
  };
  return Object.keys(faults).filter((fault) => faults[fault]);
}

/** Undefined: malformed. */
export const specRequest = (bytes: Uint8Array): readonly Value[] | undefined =>
  judged(() => {
    const value = unpack(bytes);
    const isJoin = Array.isArray(value) && value[1] === 'join';
    const fields = new Fields(value, isJoin ? 4 : 3);
    fields.version();
    const word = fields.text((text) => text === 'join' || text === 'renew');
    return isJoin ? [word, fields.bytes(16), fields.text(isNameOrNone)] : [word, fields.bytes(1, 473)];
  });

/** Undefined: malformed. */
export const specAnswer = (bytes: Uint8Array): readonly Value[] | undefined =>
  judged(() => {
    const value = unpack(bytes);
    const isGranted = Array.isArray(value) && value[1] === 'granted';
    const fields = new Fields(value, isGranted ? 5 : 3);
    fields.version();
    const word = fields.text((text) => text === 'granted' || text === 'refused');
    if (!isGranted) return [word, fields.text((text) => /^[a-z_]{1,32}$/.test(text))];
    const [descriptor, certificate] = [fields.bytes(1, 256), fields.bytes(1, 473)];
    return [word, descriptor, certificate, fields.list(4, (items) => items.bytes(1, Infinity))];
  });

function isEndpoint(text: string): boolean {
  const [, ipv6, host = '', port = ''] = /^(?:wss?:\/\/)?(?:\[(.*)\]|([^[\]:/]*)):(.*)$/.exec(text) ?? [];
  if (text.length > 265 || !/^[1-9]\d*$/.test(port) || Number(port) > 65_535) return false;
  if (ipv6 !== undefined) return URL.canParse(`http://[${ipv6}]/`);
  if (/(?:^|\.)\d+$/.test(host)) return /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.|$)){4}$/.test(host) && !/(?:^|\.)0\d/.test(host);
  return host.length <= 253 && host.split('.').every((label) => /^(?!-)[A-Za-z0-9-]{1,63}(?<!-)$/.test(label));
}

/** The body of an invite: relay key, endpoints, CA key, token, expires. Undefined: it is none, or no more. */
export const specInvite = (pasted: string, now: number): readonly Value[] | undefined =>
  judged(() => {
    const text = pasted.replaceAll(/\s/g, '');
    must(text.length <= 2_048 && text.startsWith('reprise-invite-1.'));
    const encoded = text.slice('reprise-invite-1.'.length);
    const bytes = Buffer.from(encoded, 'base64url');
    must(bytes.toString('base64url') === encoded && bytes.length > 4);
    const body = bytes.subarray(0, -4);
    must(same(createHash('sha256').update(body).digest().subarray(0, 4), bytes.subarray(-4)));
    const fields = new Fields(unpack(body), 7);
    fields.version();
    const [networkId, relay] = [fields.bytes(32), fields.bytes(32)];
    const endpoints = fields.list(4, (items) => items.text(isEndpoint));
    const [caKey, token, expires] = [fields.bytes(32), fields.bytes(16), fields.number()];
    must(endpoints.length > 0 && now < expires);
    return [networkId, relay, endpoints, caKey, token, expires];
  });
