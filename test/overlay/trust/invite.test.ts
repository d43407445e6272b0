import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isMeshError } from '../../../core/errors.ts';
import { pack, type Packable } from '../../../transport/overlay/trust/encoding.ts';
import { inviteText, isEndpoint, parseInvite, type Invite } from '../../../transport/overlay/trust/invite.ts';
import { codeOf } from './hostile.ts';
import { NOW, world } from './world.ts';

const { network, ca, relay } = await world();
const invite: Invite = {
  networkId: network.networkId,
  relayKey: relay.publicKey,
  endpoints: ['192.0.2.7:4000', '[2001:db8::7]:4000', 'relay.example.org:4000', 'wss://relay.example.org:443'],
  caKey: ca.publicKey,
  token: Uint8Array.from({ length: 16 }, (_, i) => i),
  expiresMs: NOW + 600_000,
};
const text = inviteText(invite);
const PREFIX = 'reprise-invite-1.';
const textOf = (values: readonly Packable[]): string => {
  const body = pack(values);
  return PREFIX + Buffer.concat([body, createHash('sha256').update(body).digest().subarray(0, 4)]).toString('base64url');
};
const { networkId, relayKey, endpoints, caKey, token, expiresMs } = invite;
const values: readonly Packable[] = [1, networkId, relayKey, endpoints, caKey, token, expiresMs];

describe('an invite', () => {
  test('is one line of letters, digits and - _ . that says all', () => {
    expect(text).toMatch(/^reprise-invite-1\.[A-Za-z0-9_-]+$/);
    expect(parseInvite(text, NOW)).toEqual(invite);
    expect(textOf(values)).toBe(text);
  });

  test('may be wrapped and have blanks around it', () => {
    expect(parseInvite(`  ${text.replaceAll(/(.{60})/g, '$1\r\n ')}\n`, NOW)).toEqual(invite);
  });

  test('holds until it expires, and then says how long ago that was', () => {
    expect(parseInvite(text, invite.expiresMs - 1)).toEqual(invite);
    expect(codeOf(() => parseInvite(text, invite.expiresMs + 61_000))).toEqual([
      'NET_INVITE_EXPIRED',
      'the invite expired 2 min ago by the clock of this machine',
    ]);
    expect(codeOf(() => parseInvite(text, Number.NaN))[0]).toBe('NET_INVITE_EXPIRED');
  });

  test.each([
    ['nothing', '', /no invite: it begins with reprise-invite-1\./],
    ['another text', 'https://example.org', /no invite/],
    ['something before it', `> ${text}`, /no invite/],
    ['another version', text.replace('-1.', '-2.'), /another version/],
    ['its end cut', text.slice(0, -1), /cut or changed/],
    ['nothing behind the prefix', PREFIX, /cut or changed/],
    ['two letters swapped', text.replace(/(.)(.)$/, (_, a: string, b: string) => (a === b ? `${a}x` : b + a)), /cut or changed/],
    ['a sign that base64url has not', `${text}!`, /cut or changed/],
    ['padding', `${text}=`, /cut or changed/],
    ['a second invite behind it', text + text, /cut or changed/],
    ['far too much behind it', text + 'A'.repeat(10_000), /cut or changed/],
    ['an endpoint that is none', textOf(values.with(3, ['relay.example.org'])), /no invite has/],
    ['no endpoint', textOf(values.with(3, [])), /no invite has/],
    [
      'five endpoints',
      textOf(
        values.with(
          3,
          [1, 2, 3, 4, 5].map((n) => `a:${n}`),
        ),
      ),
      /no invite has/,
    ],
    ['a short token', textOf(values.with(5, token.subarray(1))), /no invite has/],
    ['another format inside', textOf(values.with(0, 2)), /no invite has/],
    ['a field too many', textOf([...values, 0]), /no invite has/],
  ])('with %s is refused, and the message does not repeat it', (_, pasted, message) => {
    const [code, said] = codeOf(() => parseInvite(pasted, NOW));
    expect([code, said]).toEqual(['NET_INVITE_INVALID', expect.stringMatching(message)]);
    expect(said).not.toContain(text.slice(PREFIX.length, PREFIX.length + 20));
  });

  test('is taken in one form only, and nothing throws anything else', () => {
    const isTaken = (pasted: string): boolean => {
      try {
        return parseInvite(pasted, NOW) !== undefined;
      } catch (error) {
        if (isMeshError(error, 'NET_INVITE_INVALID')) return false;
        throw error;
      }
    };
    const bytes = Buffer.from(text.slice(PREFIX.length), 'base64url');
    for (let at = 0; at < text.length; at++) {
      expect(isTaken(text.slice(0, at))).toBe(false);
      const other = text[at] === 'A' ? 'B' : 'A';
      expect(isTaken(text.slice(0, at) + other + text.slice(at + 1)), `${at}`).toBe(false);
    }
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ 0x01;
      expect(isTaken(PREFIX + changed.toString('base64url'))).toBe(false);
    }
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.base64String()), (random) => {
        expect(isTaken(random)).toBe(false);
        expect(isTaken(PREFIX + random)).toBe(false);
      }),
    );
    // With a right checksum, too.
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
        const sum = createHash('sha256').update(random).digest().subarray(0, 4);
        expect(isTaken(PREFIX + Buffer.concat([random, sum]).toString('base64url'))).toBe(false);
      }),
    );
  });

  test('is not made with an endpoint that would not be taken, or with none, or with too many', () => {
    for (const endpoints of [[], ['relay.example.org'], ['a:1', 'b:2', 'c:3', 'd:4', 'e:5']])
      expect(codeOf(() => inviteText({ ...invite, endpoints }))[0]).toBe('NET_INVITE_INVALID');
  });
});

describe('an endpoint', () => {
  test.each([
    '192.0.2.7:1',
    '[::1]:65535',
    '[2001:db8::192.0.2.1]:4000',
    'localhost:4000',
    'a-b.example.org:4000',
    '4.example.org:80',
    'ws://127.0.0.1:8080',
    'wss://relay.example.org:443',
    `${'a'.repeat(63)}.${'b'.repeat(63)}:1`,
  ])('is %s', (endpoint) => {
    expect(isEndpoint(endpoint)).toBe(true);
  });

  test.each([
    '',
    'host',
    ':4000',
    'host:',
    'host:0',
    'host:65536',
    'host:04',
    'host:4000 ',
    'ho st:4000',
    '-host:4000',
    'host-:4000',
    'a..b:4000',
    'host.:4000',
    '256.0.0.1:4000',
    '1.2.3:4000',
    '0x7f.1:4000',
    '2001:db8::7:4000',
    '[2001:db8::g]:4000',
    '[fe80::1%eth0]:4000',
    '[192.0.2.7]:4000',
    'http://host:80',
    'wss://host:443/path',
    'wss://user@host:443',
    `${'a'.repeat(64)}:1`,
    `${'a.'.repeat(140)}b:1`,
    'host:4000\nhost:4000',
  ])('is not %j', (endpoint) => {
    expect(isEndpoint(endpoint)).toBe(false);
  });
});
