/** What `net doctor` says of what is known. */
import { describe, expect, test } from 'vitest';
import { certificateFinding, diagnose, memberFindings } from '../../../cli/net/doctor.ts';
import { examined } from '../../../cli/net/examination.ts';
import type { NetStatus } from '../../../cli/net/status.ts';
import { timeText } from '../../../cli/render/text.ts';
import { NOW, PEER, RELAY, STATUS } from './status.ts';

const HOUR = 3_600_000;

function finding(name: string, status: Partial<NetStatus>, now = NOW): readonly [status: string, message: string] {
  const found = diagnose({ ...STATUS, ...status }, now).find((each) => each.name === name);
  return [found?.status ?? 'none', found?.message ?? ''];
}

test('a node that is well has nothing but what is ok', () => {
  const found = diagnose(STATUS, NOW);
  expect(found.map(({ name, status }) => `${name} ${status}`)).toEqual([
    'process ok',
    'certificate ok',
    'udp ok',
    'nat ok',
    'relay role skipped',
    'relay hub ok',
    'peer bob ok',
  ]);
  expect(finding('udp', {})[1]).toContain('hub answers');
  expect(finding('nat', {})[1]).toContain('seen from outside as 198.51.100.7:4000');
});

describe('the certificate', () => {
  const at = (now: number, renewalFailed?: string) => {
    const { status, message } = certificateFinding(STATUS.node, now, renewalFailed);
    return [status, message];
  };
  test('of a clock that is behind', () => {
    expect(at(NOW - 7 * HOUR)).toEqual(['failed', expect.stringMatching(/is valid from .*: set the clock of this machine$/)]);
  });
  test('that has expired, and what is done about it', () => {
    expect(at(NOW + 20 * HOUR, 'nobody answers')).toEqual([
      'failed',
      expect.stringMatching(
        /^it expired 2h ago, or the clock .* has to run, and be reached; the last try failed: nobody answers$/,
      ),
    ]);
    expect(certificateFinding({ ...STATUS.node, isAuthority: true }, NOW + 20 * HOUR).message).toContain(
      '`reprise net up` makes a new one',
    );
  });
  test('that is not renewed', () => {
    expect(at(NOW + 7 * HOUR)[0]).toBe('ok');
    expect(at(NOW + 7 * HOUR, 'nobody answers')).toEqual([
      'warning',
      expect.stringContaining('the last try failed: nobody answers'),
    ]);
    expect(at(NOW + 15 * HOUR)[0]).toBe('warning');
  });
  test('that is not there, and where there is none', () => {
    expect(certificateFinding({ ...STATUS.node, certificate: undefined }, NOW).status).toBe('failed');
    const pinned = { ...STATUS.node, network: { ...STATUS.node.network, kind: 'pinned' as const } };
    expect(certificateFinding(pinned, NOW).status).toBe('skipped');
  });
});

test('of a node that was revoked: who has done it, and what is left to do', () => {
  expect(memberFindings(STATUS.node)).toEqual([]);
  const revokedBy = { authority: '5f0c'.repeat(16), list: 3 };
  // That nobody answers it needs no other reasons.
  const node = { ...STATUS.node, isRevoked: true, revokedBy };
  expect(diagnose({ ...STATUS, node, peers: [] }, NOW).map(({ name }) => name)).toEqual(['process']);
  expect(memberFindings({ ...STATUS.node, isRevoked: true, revokedBy })).toEqual([
    {
      name: 'member',
      status: 'failed',
      message: expect.stringMatching(
        /^NET_KEY_REVOKED: this node was revoked, for good, by deny list 3 of the authority of 'home' \(key 5f0c5f0c5f0c…\)\. `reprise net join INVITE --dir FOLDER`/,
      ) as string,
    },
  ]);
});

describe('UDP', () => {
  const tcp = { relays: [{ ...RELAY, kind: 'tcp' as const }], peers: [{ ...PEER, kind: 'relayed' as const, via: 'hub' }] };
  test('that does not get out: what carries instead, and which port is to be let out', () => {
    expect(finding('udp', tcp)).toEqual([
      'warning',
      expect.stringMatching(
        /^it does not get out of this network: hub answers by TCP alone.* let UDP out to hub\.example\.org:7337$/,
      ),
    ]);
    expect(finding('relay hub', tcp)).toEqual(['ok', expect.stringContaining('answers by TCP')]);
    expect(finding('peer bob', tcp)).toEqual([
      'warning',
      expect.stringContaining('UDP does not get out of this network (see udp)'),
    ]);
  });
  test('of a machine that reaches nobody', () => {
    const alone = { relays: [{ ...RELAY, kind: undefined, state: 'connecting' as const, why: 'it did not answer' }], peers: [] };
    expect(finding('udp', alone)).toEqual(['failed', expect.stringContaining('its key was revoked')]);
    expect(finding('relay hub', alone)).toEqual([
      'failed',
      expect.stringMatching(
        /^no answer at hub\.example\.org:7337, wss:.*: it did not answer\. See that it runs .* its key was revoked .* has expired .* another network/,
      ),
    ]);
  });
  test('without a relay', () => {
    expect(finding('udp', { relays: [], peers: [] })).toEqual([
      'warning',
      expect.stringContaining('`reprise net add KEY --relay'),
    ]);
    expect(finding('udp', { relays: [], peers: [], isRelay: true })[0]).toBe('ok');
  });
});

test('a NAT of which too little is known is not ok, and what makes it known is said', () => {
  expect(finding('nat', { nat: { kind: 'unknown', reflexive: [] } })).toEqual([
    'skipped',
    expect.stringContaining('`--listen` and `--endpoint` twice there'),
  ]);
});

describe('a relay', () => {
  test('that answers and does not serve', () => {
    const relays = [{ ...RELAY, state: 'up' as const, why: 'this node is not registered: record_from_future' }];
    expect(finding('relay hub', { relays })).toEqual(['warning', expect.stringContaining('record_from_future')]);
  });
  test('that is not asked', () => {
    expect(finding('relay hub', { relays: [{ ...RELAY, state: 'idle', kind: undefined }] })[0]).toBe('skipped');
  });
  test('to which no path carries anything has failed, whatever else is known of it, and though others are direct', () => {
    for (const state of ['idle', 'connecting', 'up', 'registered'] as const) {
      const status = {
        relays: [{ ...RELAY, state, kind: undefined, why: 'it does not answer' }],
        peers: [{ ...PEER, key: RELAY.key }, PEER],
      };
      expect(finding('relay hub', status)).toEqual(['failed', expect.stringMatching(/^no answer at .* See that it runs/)]);
      expect(finding('udp', status)).toEqual(['ok', expect.stringContaining('bob answers')]);
    }
  });
  test('whose WebSocket cannot be opened: why, and what to do', () => {
    const fault = (reason: string, message: string) => {
      const dialFaults = [{ url: 'wss://hub.example.org:443', message: `wss://hub.example.org:443: ${message}`, reason }];
      return finding('relay hub', { relays: [{ ...RELAY, state: 'connecting', kind: undefined, dialFaults }] });
    };
    expect(fault('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate')).toEqual([
      'failed',
      expect.stringMatching(
        /^no answer at .*\. wss:\/\/hub\.example\.org:443: self-signed certificate \(.*NODE_EXTRA_CA_CERTS=FILE.*\)\. See/,
      ),
    ]);
    expect(fault('PROXY_407', 'the proxy p:3128 answers 407')[1]).toContain('HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT');
    expect(fault('PROXY_403', 'the proxy p:3128 answers 403')[1]).toContain('has to let CONNECT through');
    // What nobody has a cure for is told as it is; what a proxy says moves no cursor.
    const [, told] = fault('EWHATEVER', 'a\u001b[2Jb');
    expect(told).toMatch(/443: a.*b\. See/);
    expect(told).not.toContain('\u001b');
  });
  test('says with what it has ended the last connection, if that says anything', () => {
    const told = (parted: string) => finding('relay hub', { relays: [{ ...RELAY, state: 'idle', kind: undefined, parted }] })[1];
    expect(told('it says that this node is no member any more')).toContain('ended with: it says that this node is no member');
    expect(told('it does not answer')).not.toContain('ended with');
  });
  test('by role: with a port, and without one', () => {
    const certificate = { ...STATUS.node.certificate, roles: ['node', 'relay'] } as NonNullable<NetStatus['node']['certificate']>;
    const node = { ...STATUS.node, certificate };
    expect(finding('relay role', { node })).toEqual(['warning', expect.stringContaining('`reprise net relay --listen')]);
    const serves = { clients: 3, registered: 2, packets: 48, bytes: 1_000 };
    expect(finding('relay role', { node, isRelay: true, serves })).toEqual([
      'ok',
      expect.stringContaining('2 nodes are registered, 48 packets'),
    ]);
    expect(finding('relay role', { node, isRelay: true, serves, webSocket: 'ws://0.0.0.0:80' })[1]).not.toContain('--ws');
  });
});

test('an endpoint at whose port nothing listens, until somebody has come by it', () => {
  const elsewhere = ['hub.example.org:7337'];
  expect(finding('endpoint', {})[0]).toBe('none');
  expect(finding('endpoint', { elsewhere, peers: [] })).toEqual([
    'warning',
    expect.stringMatching(/is at hub\.example\.org:7337, and it listens at 0\.0\.0\.0:4000: right where a router/),
  ]);
  expect(finding('endpoint', { elsewhere })[0]).toBe('none');
});

describe('a peer that is not direct', () => {
  const relayed = { ...PEER, kind: 'relayed' as const, via: 'hub' };
  test('says why, and what would help', () => {
    const whyRelayed = 'both sides are behind symmetric NATs';
    const nat = { kind: 'sym' as const, reflexive: [] };
    expect(finding('nat', { nat })[0]).toBe('warning');
    expect(finding('peer bob', { nat, peers: [{ ...relayed, whyRelayed }] })).toEqual([
      'warning',
      expect.stringMatching(/^relayed by hub, 3\.25ms\. Not direct: both sides are behind symmetric NATs\. A port forwarded/),
    ]);
  });
  test('is being looked at, or was not yet', () => {
    const punching = { state: 'fire' as const, tries: 1, lastResult: undefined, why: '' };
    expect(finding('peer bob', { peers: [{ ...relayed, punching }] })[1]).toContain(
      'both sides send to all addresses of each other; 1 attempt came to nothing',
    );
    expect(finding('peer bob', { peers: [relayed] })[1]).toContain('that begins with traffic');
  });
  test('or not there at all', () => {
    expect(finding('peer bob', { peers: [{ ...PEER, state: 'connecting', kind: undefined }] })[0]).toBe('warning');
    expect(finding('peer bob', { peers: [{ ...PEER, state: 'resting', kind: undefined }] })).toEqual([
      'ok',
      expect.stringContaining('the next message connects again'),
    ]);
    expect(finding('peer bob', { peers: [{ ...PEER, state: 'searching', kind: undefined }] })).toEqual([
      'warning',
      expect.stringContaining('`reprise net trace bob`'),
    ]);
  });
  test('or does not let this node in any more, as it says', () => {
    const expelledBy = [
      { name: 'carol', key: 'ee'.repeat(32) },
      { name: 'hub', key: RELAY.key },
    ];
    expect(finding('peer carol', { expelledBy })).toEqual([
      'warning',
      expect.stringMatching(/^it says that this node is no member/),
    ]);
    // Of relays their own finding says it.
    expect(finding('peer hub', { expelledBy })[0]).toBe('none');
  });
  test('or has gone: until when it was here, and whether that is to be looked at', () => {
    const ended = (why: string, isRevoked = false) =>
      diagnose({ ...STATUS, gone: [{ name: 'carol', key: 'dd'.repeat(32), at: NOW, why, isRevoked }] }, NOW).at(-1);
    const at = timeText(NOW).slice(0, 19);
    expect(ended('it does not answer')).toEqual({
      name: 'peer carol',
      status: 'warning',
      message: `it is gone since ${at}: it does not answer. See that it runs there`,
    });
    expect(ended('it said goodbye')).toMatchObject({ status: 'skipped', message: `it is gone since ${at}: it said goodbye` });
    expect(ended('it is no member any more', true)).toMatchObject({ status: 'skipped', message: 'it was revoked, for good' });
  });
  test('is not gone where a relay knows it: it has come back, and was not spoken to yet', async () => {
    const row = { at: NOW, why: 'it does not answer', isRevoked: false };
    const gone = ['carol', 'dave'].map((name) => ({ ...row, name, key: name }));
    const overlay = {
      status: () => ({ peers: [], relays: [] }),
      members: () => Promise.resolve([{ publicKey: 'dave', name: 'dave', address: undefined }]),
    };
    const status = () => ({ ...STATUS, relays: [], peers: [], gone });
    expect((await examined({ status, overlay } as never)).gone.map(({ name }) => name)).toEqual(['carol']);
  });
  test('what others say of themselves moves no cursor', () => {
    expect(finding('peer bob', { peers: [{ ...relayed, whyRelayed: 'a\u001b[2Jb' }] })[1]).not.toContain('\u001b');
  });
});
