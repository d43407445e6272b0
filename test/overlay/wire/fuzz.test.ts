/**
 * Parsers of the overlay that read what others wrote, and whose own tests do not try all of this: nothing throws past the boundary that it names,
 * and nothing is made that the input did not pay for. Where each parser is tried:
 *
 *   packets, frames, hello, DENYLIST      here in wire/: packets, frames, hello, agreed-vectors      sealed by a member   member-fuzz
 *   REGISTER, RESOLVE, RECORD, RELAY      relay/bodies          CANDIDATES, PUNCH   punch/candidates        endpoints   paths/endpoint
 *   messages of Noise                     noise, session/attacks
 *   descriptor, certificate, deny list    trust/: each by its name; requests and answers to join in authority; allocations here
 *   invites                               trust/invite          addresses, endpoints, paths and names as texts, key files   here
 *   frames of MCP, lines, JSON-RPC        mcp/frames, and here  WebSocket framing   endpoint/batch, and here
 */
import * as fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isMeshError } from '../../../core/errors.ts';
import { unframe } from '../../../transport/overlay/endpoint/batch.ts';
import { addressFromBytes, parseAddress } from '../../../transport/overlay/identity/address.ts';
import { readKeyFile } from '../../../transport/overlay/identity/key-file.ts';
import { nodeOfName, overlayName } from '../../../transport/overlay/link.ts';
import { buildMcpFrame, isServerName, parseMcpFrame } from '../../../transport/overlay/mcp/frames.ts';
import { messagesOf } from '../../../transport/overlay/mcp/json-rpc.ts';
import { Lines } from '../../../transport/overlay/mcp/lines.ts';
import { endpointText, parseEndpoint, parseRelayPath, parseUdpPath, udpPath } from '../../../transport/overlay/paths/endpoint.ts';
import { sourceOf } from '../../../transport/overlay/source.ts';
import { parseCertificate } from '../../../transport/overlay/trust/certificate.ts';
import { DenyLists } from '../../../transport/overlay/trust/deny-list.ts';
import { parseNetwork, type Network } from '../../../transport/overlay/trust/descriptor.ts';
import { isEndpoint, parseInvite } from '../../../transport/overlay/trust/invite.ts';
import { parseJoinAnswer, parseJoinRequest } from '../../../transport/overlay/trust/join.ts';
import { openRecord } from '../../../transport/overlay/trust/record.ts';
import { parseSigned } from '../../../transport/overlay/trust/signed.ts';
import { identityOf } from '../identities.ts';
import trust from '../vectors/trust.json' with { type: 'json' };
import { assertPaidFor, assertWithin, disturbed } from './hostile.ts';

const SEED = 20261126;

/** What is thrown is an error of ours. */
function orMeshError<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isMeshError(error) && error.code !== 'INTERNAL') return undefined;
    throw error;
  }
}

describe('texts that others wrote', () => {
  const letters = fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdefABCDEF.:[]/%-_xz ws\n\0é')), maxLength: 60 });
  const near = fc
    .tuple(
      fc.constantFrom(
        '2F9A.D8AA.4D6B',
        '192.0.2.1:4000',
        '[2001:db8::1]:4000',
        'wss://relay.example:443',
        'udp:0/192.0.2.1:4000',
        'udp:0/[2001:db8::1]:4000',
        'ws:7/[::ffff:192.0.2.1]',
        `relay:${'ab'.repeat(32)}/${'cd'.repeat(8)}`,
        'x--6e616d65',
      ),
      fc.nat(80),
      letters,
    )
    .map(([text, at, more]) => text.slice(0, at) + more + text.slice(at));
  const any = fc.oneof(letters, near, fc.string({ unit: 'binary', maxLength: 60 }));

  test('are an address, an endpoint, a path, a name or an invite, or none: nothing throws but what says so', () => {
    fc.assert(
      fc.property(any, (text) => {
        const address = orMeshError(() => parseAddress(text));
        expect(address ?? '2F9A.D8AA.4D6B').toMatch(/^(?:[0-9A-F]{4}\.){2}[0-9A-F]{4}$/);
        const endpoint = parseEndpoint(text);
        expect(endpoint === undefined || isEndpoint(endpointText(endpoint))).toBe(true);
        const path = parseUdpPath(text);
        expect(path === undefined || udpPath(path.socket, path.endpoint).startsWith('udp:')).toBe(true);
        expect(parseRelayPath(text)?.relay ?? 'ab'.repeat(32)).toHaveLength(64);
        expect(sourceOf(text).length).toBeLessThanOrEqual(text.length + 20);
        expect(orMeshError(() => parseInvite(text, 0))).toBeUndefined();
        expect(isEndpoint(text) && text.length > 265).toBe(false);
        const node = nodeOfName(text);
        expect(node === undefined || orMeshError(() => overlayName(node)) === text || !text.startsWith('x--')).toBe(true);
      }),
      { seed: SEED, numRuns: 5_000 },
    );
  });

  test('that are long take no longer than they are', () => {
    // One that goes back over what it has read would not end with these.
    for (const part of ['a.', 'a-', '1.', ':', '[', 'udp:', 'é', ' ', '\n'])
      for (const text of [part.repeat(200_000), `wss://${part.repeat(200_000)}:1`, `reprise-invite-1.${part.repeat(200_000)}`]) {
        expect(isEndpoint(text)).toBe(false);
        expect(parseEndpoint(text)).toBeUndefined();
        expect(parseUdpPath(text)).toBeUndefined();
        expect(orMeshError(() => parseInvite(text, 0))).toBeUndefined();
        expect(orMeshError(() => parseAddress(text))).toBeUndefined();
      }
  });

  test('of six bytes an address is one of two, or none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), (bytes) => {
        const isReserved = bytes.every((byte) => byte === 0) || bytes.every((byte) => byte === 0xff);
        expect(addressFromBytes(bytes) === undefined).toBe(bytes.length !== 6 || isReserved);
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });
});

describe('what is signed', () => {
  const { networkId: _id, invite: _text, ...hex } = trust.formats;
  const samples = Object.fromEntries(
    Object.entries(hex).map(([name, text]) => [name, Uint8Array.from(Buffer.from(text, 'hex'))]),
  ) as Record<keyof typeof hex, Uint8Array>;
  const network = parseNetwork(samples.descriptor) as Network;
  const parsers: Readonly<Record<keyof typeof samples, (bytes: Uint8Array) => unknown>> = {
    descriptor: parseNetwork,
    certificate: parseCertificate,
    certificateByIssuer: parseCertificate,
    issuer: (bytes) => parseSigned(bytes, 255),
    denyList: (bytes) => {
      const lists = new DenyLists(network);
      const taken = lists.install(bytes);
      return taken === 'installed' ? lists.heads().map((head) => ({ ...head, caKey: '' })) : taken;
    },
    record: (bytes) => openRecord(bytes, network),
    joinRequest: parseJoinRequest,
    joinGranted: parseJoinAnswer,
    joinRefused: parseJoinAnswer,
  };

  test.each(Object.keys(parsers) as (keyof typeof samples)[])(
    '%s: disturbed, it makes no more than its bytes, and never throws',
    (name) => {
      const [parse, bytes] = [parsers[name], samples[name]];
      expect(typeof parse(bytes)).toBe('object');
      for (const changed of disturbed(bytes)) assertPaidFor(changed, parse(changed));
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(bytes.length - 1), (random, at) => {
          const changed = Uint8Array.from([...bytes.subarray(0, at), ...random]);
          assertPaidFor(changed, parse(changed));
        }),
        { seed: SEED, numRuns: 300 },
      );
    },
  );

  test('lengths and counts that are not there make nothing', () => {
    // Behind each beginning, the longest list, bytes and text that MessagePack has, and those that the formats have.
    const claims = ['dcffff', 'ddffffffff', 'c6ffffffff', 'c5ffff', 'daffff', 'dbffffffff', 'dc1000', 'c600022000'];
    for (const name of Object.keys(parsers) as (keyof typeof samples)[])
      for (let at = 0; at < samples[name].length; at++)
        for (const claim of claims) {
          const bytes = Uint8Array.from([...samples[name].subarray(0, at), ...Buffer.from(claim, 'hex')]);
          const parsed = parsers[name](bytes);
          assertPaidFor(bytes, parsed);
          // What makes up exactly the end of a signature may be one.
          expect(bytes.length === samples[name].length || parsed === undefined || parsed === 'malformed').toBe(true);
        }
  });
});

describe('a key file', () => {
  test('that was cut or changed is an identity or NET_KEY_INVALID, and nothing else', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'reprise-fuzz-'));
    try {
      const pem = Buffer.from((await identityOf('fuzz')).toPem());
      const path = join(folder, 'node.key');
      const codes = new Set<string>();
      let index = 0;
      for (const bytes of disturbed(pem)) {
        // Each third: a file takes its time.
        if (index++ % 3 > 0) continue;
        writeFileSync(path, bytes, { mode: 0o600 });
        codes.add(
          await readKeyFile(path, 'cheap').then(
            ({ publicKey }) => `${publicKey.length} bytes`,
            (error: unknown) => (isMeshError(error) ? error.code : String(error)),
          ),
        );
      }
      expect(codes).toEqual(new Set(['32 bytes', 'NET_KEY_INVALID']));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('MCP', () => {
  test('random bytes are a frame or none, within the bytes', () => {
    const noisy = fc
      .tuple(
        fc.nat(9),
        fc.array(fc.oneof(fc.nat(6), fc.integer({ min: 0x61, max: 0x7a }), fc.nat(0xff)), { minLength: 8, maxLength: 24 }),
      )
      .map(([kind, rest]) => Uint8Array.of(kind, ...rest));
    let read = 0;
    fc.assert(
      fc.property(noisy, (bytes) => {
        const frame = parseMcpFrame(bytes);
        if (frame === undefined) return;
        read++;
        expect('name' in frame ? isServerName(frame.name) : true).toBe(true);
        const text = frame.type === 'end' ? frame.text.replaceAll('\ufffd', '.') : undefined;
        assertWithin(bytes, { ...frame, id: '', reason: '', text });
        // The text of an END loses what would move a cursor.
        expect(frame.type === 'end' || Buffer.compare(buildMcpFrame(frame), bytes) === 0).toBe(true);
      }),
      { seed: SEED, numRuns: 5_000 },
    );
    expect(read).toBeGreaterThan(500);
  });

  test('lines hold no more than their bound, and what came, however it is cut', () => {
    const piece = fc.uint8Array({ maxLength: 40 }).map((bytes) => bytes.map((byte) => (byte < 40 ? 0x0a : byte)));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const lines = new Lines(50);
        const all: Uint8Array[] = [];
        for (const each of pieces) {
          const found = lines.push(each);
          if (found === undefined) return;
          all.push(...found);
          expect(lines.length).toBeLessThanOrEqual(50);
        }
        const whole = Buffer.concat(pieces);
        const ended = Buffer.concat(all.map((line) => Buffer.from([...line, 0x0a])));
        expect(Buffer.compare(ended, whole.subarray(0, ended.length))).toBe(0);
        expect(lines.length).toBe(whole.length - ended.length);
        expect(all.every((line) => line.length <= 50 && !line.includes(0x0a))).toBe(true);
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });

  test('a line is JSON-RPC or nothing', () => {
    const line = Buffer.from(
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ö","arguments":[1,null,"\\u0000"]}}',
    );
    for (const bytes of disturbed(Uint8Array.from(line))) {
      const messages = messagesOf(bytes);
      expect(messages === undefined || (messages as { readonly jsonrpc: unknown }).jsonrpc === '2.0').toBe(true);
    }
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string({ unit: 'binary' })), (text) => {
        expect(() => messagesOf(Buffer.from(text))).not.toThrow();
      }),
      { seed: SEED, numRuns: 500 },
    );
  });
});

test('a message of a WebSocket holds packets or none, within its bytes', () => {
  let read = 0;
  // Packets behind their lengths, of which some are wrong.
  const packet = fc.tuple(fc.uint8Array({ maxLength: 6 }), fc.constantFrom(0, 0, 0, 0, 1, 2, 0xff, 0xff00));
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 6 }), (all) => {
      const lengths = all.map(([bytes, wrong]) => (bytes.length + wrong) & 0xffff);
      const message = Uint8Array.from(all.flatMap(([bytes], i) => [(lengths[i] ?? 0) & 0xff, (lengths[i] ?? 0) >> 8, ...bytes]));
      const packets: Uint8Array[] = [];
      const isTaken = unframe(message, (each) => packets.push(each));
      if (isTaken) read++;
      assertWithin(message, packets);
      expect(packets.length > 0 && packets.every(({ length }) => length > 0)).toBe(isTaken);
      expect(packets.reduce((sum, { length }) => sum + 2 + length, 0)).toBe(isTaken ? message.length : 0);
    }),
    { seed: SEED, numRuns: 2_000 },
  );
  expect(read).toBeGreaterThan(200);
});
