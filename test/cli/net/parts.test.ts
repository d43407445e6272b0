/** The small parts of `net`: what is typed, what waits, and what is printed. */
import { describe, expect, test } from 'vitest';
import { Invocation } from '../../../cli/invocation.ts';
import { parseNetConfig } from '../../../cli/net/config.ts';
import { listenFor, parseListen, reachableAt } from '../../../cli/net/endpoints.ts';
import { Inbox, type InboxGap, type InboxMessage } from '../../../cli/net/inbox.ts';
import { liveReport } from '../../../cli/net/live-report.ts';
import { goneRows, Met } from '../../../cli/net/met.ts';
import { otherMembers } from '../../../cli/net/others.ts';
import { typedName } from '../../../cli/net/names.ts';
import { fingerprintOf } from '../../../cli/net/node-id.ts';
import type { NetOverlay } from '../../../cli/net/port.ts';
import { proxyOf } from '../../../cli/net/proxy.ts';
import { bytesText, eventText, oneLine, rttText, surroundings } from '../../../cli/net/render.ts';
import { lineReport } from '../../../cli/net/report.ts';
import { eventText as servingText } from '../../../cli/verbs/net/serve-mcp.ts';
import { traceNotes } from '../../../cli/verbs/net/trace.ts';
import type { OverlayEvent } from '../../../transport/overlay/node/ports.ts';
import type { PeerRef } from '../../../transport/overlay/overlay.ts';
import { captured } from '../processes.ts';
import { screenOf } from '../screen.ts';
import { PEER, RELAY, STATUS } from './status.ts';

describe('what is typed', () => {
  test('where to listen', () => {
    expect(parseListen('0.0.0.0:7337')).toEqual({ host: '0.0.0.0', port: 7337 });
    expect(parseListen('[::]:0')).toEqual({ host: '::', port: 0 });
    for (const text of ['7337', ':7337', 'localhost:7337', '0.0.0.0:70000', '::1:7337', '[127.0.0.1]:1', '1.2.3:4', ''])
      expect(parseListen(text), text).toBeUndefined();
  });

  test('where a node listens that others find at some endpoints', () => {
    expect(listenFor([])).toEqual(['0.0.0.0:7337']);
    expect(listenFor(['hub.example.org:7338', '192.0.2.1:7338', '192.0.2.1:7339'])).toEqual(['0.0.0.0:7338', '0.0.0.0:7339']);
    expect(listenFor(['192.0.2.1:7338', '[2001:db8::1]:7338'])).toEqual(['[::]:7338']);
    expect(listenFor(['wss://hub.example.org:443'])).toEqual(['0.0.0.0:7337']);
  });

  test('names of machines become names of nodes', () => {
    expect(typedName(undefined, 'laptop.fritz.box')).toBe('laptop');
    expect(typedName(undefined, 'Müllers Rechner')).toBe('M-llers-Rechner');
    expect(typedName(undefined, '__')).toBe('node');
    expect(typedName(undefined, 'a'.repeat(80))).toHaveLength(63);
    expect(typedName('nas.1')).toBe('nas.1');
    expect(() => typedName('a b')).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  test('a configuration: what is left out has its default, what is wrong is named', () => {
    expect(parseNetConfig('{}', 'c')).toEqual({ listen: [], endpoints: [], relays: [], peers: [], birthday: true });
    const wrong = (text: string): string => {
      try {
        return JSON.stringify(parseNetConfig(text, 'config.json'));
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(wrong('{"relays":[{"key":"x","endpoints":["a:1"]}]}')).toBe(
      'config.json: relays.0.key is no public key: 64 hex digits',
    );
    expect(wrong(`{"relays":[{"key":"${'ab'.repeat(32)}","endpoints":[]}]}`)).toContain('relays.0.endpoints');
    expect(wrong('{"listen":["7337"]}')).toBe('config.json: listen.0 is no IP address with a port');
    expect(wrong('[]')).toContain('config.json: it ');
  });

  test('the proxy that other programs use, unless it is none for HTTP', () => {
    expect(proxyOf({})).toBeUndefined();
    expect(proxyOf({ HTTPS_PROXY: 'http://p:3128' })).toBe('http://p:3128');
    expect(proxyOf({ https_proxy: 'http://a', HTTPS_PROXY: 'http://b', HTTP_PROXY: 'http://c' })).toBe('http://a');
    expect(proxyOf({ ALL_PROXY: 'socks5://p:1080' })).toBeUndefined();
    expect(proxyOf({ HTTPS_PROXY: '', http_proxy: 'http://c' })).toBe('http://c');
  });
});

test('where others find a node: at its addresses, those of IPv4 first, with one WebSocket among the four', () => {
  const own = (address: string, family: 'IPv4' | 'IPv6', internal = false) => ({ address, family, internal }) as never;
  const interfaces = {
    lo: [own('127.0.0.1', 'IPv4', true)],
    eth0: [own('fe80::1', 'IPv6'), own('2001:db8::1', 'IPv6'), own('192.0.2.1', 'IPv4'), own('192.0.2.2', 'IPv4')],
  };
  const at = (host: string, port: number, webSocket?: { host: string; port: number }) =>
    reachableAt([{ host, port }], webSocket, interfaces);
  expect(at('0.0.0.0', 1)).toEqual(['192.0.2.1:1', '192.0.2.2:1']);
  expect(at('::', 1)).toEqual(['192.0.2.1:1', '192.0.2.2:1', '[2001:db8::1]:1']);
  expect(at('192.0.2.9', 1)).toEqual(['192.0.2.9:1']);
  expect(at('0.0.0.0', 0)).toEqual([]);
  expect(at('::', 1, { host: '0.0.0.0', port: 80 })).toEqual([
    '192.0.2.1:1',
    '192.0.2.2:1',
    '[2001:db8::1]:1',
    'ws://192.0.2.1:80',
  ]);
  expect(reachableAt([{ host: '0.0.0.0', port: 1 }], undefined, { lo: interfaces.lo })).toEqual(['127.0.0.1:1']);
});

test('the fingerprint of a key is base32 of 16 bytes of its SHA-256', () => {
  expect(fingerprintOf(new Uint8Array(32))).toBe('MZUH-VLPY-MK6X-O3EP-YGFY-5H4O-EA');
});

describe('messages wait for who listens', () => {
  const FROM: PeerRef = { publicKey: 'aa', name: 'bob', address: undefined };

  function inbox() {
    let handler: Parameters<NetOverlay['onUnclaimed']>[0] | undefined;
    const unheard: InboxMessage[] = [];
    const overlay: Pick<NetOverlay, 'onUnclaimed'> = {
      onUnclaimed: (given) => {
        handler = given;
        return () => (handler = undefined);
      },
    };
    const box = new Inbox(
      overlay,
      () => 7,
      (message) => void unheard.push(message),
    );
    const come = (bytes: Uint8Array | string, channel = 'text'): boolean | undefined =>
      handler?.(channel, FROM, Buffer.from(bytes));
    return { box, come, unheard };
  }
  const texts = (items: readonly (InboxMessage | InboxGap)[]) =>
    items.map((item) => ('skipped' in item ? item.skipped : (item.text ?? item.base64)));
  async function take(box: Inbox, count: number, channel = 'text') {
    const ended = new AbortController();
    const items: (InboxMessage | InboxGap)[] = [];
    for await (const item of box.listen(channel, ended.signal)) if (items.push(item) === count) ended.abort();
    return texts(items);
  }

  test('once, in order, and then those that come', async () => {
    const { box, come, unheard } = inbox();
    come('a');
    come('b');
    expect(await take(box, 1)).toEqual(['a']);
    expect(await take(box, 1)).toEqual(['b']);
    const next = take(box, 1);
    await Promise.resolve();
    come('c');
    expect(await next).toEqual(['c']);
    expect(texts(unheard)).toEqual(['a', 'b']);
  });

  test('up to a bound: who comes late is told how many went', async () => {
    const { box, come } = inbox();
    for (let n = 0; n < 1_003; n++) come(String(n));
    expect(await take(box, 2)).toEqual([3, '3']);
  });

  test('what is no text comes as base64, with who sent it, and when', async () => {
    const { box, come } = inbox();
    come(Uint8Array.of(0xff));
    expect(await take(box, 1)).toEqual(['/w==']);
    come('é');
    const ended = new AbortController();
    for await (const item of box.listen('text', ended.signal)) {
      expect(item).toEqual({ ts: 7, channel: 'text', from: { key: 'aa', name: 'bob', address: undefined }, bytes: 2, text: 'é' });
      ended.abort();
    }
  });

  test('on whatever channel, but for those of Reprise itself', async () => {
    const { box, come } = inbox();
    for (const job of ['a', 'b']) expect(come(job, 'jobs')).toBe(true);
    expect(await take(box, 1, 'jobs')).toEqual(['a']);
    expect(await take(box, 1, 'jobs')).toEqual(['b']);
    for (const name of ['net/join', 'mcp/names', '', 'x'.repeat(201)]) {
      expect(come('x', name), name).toBe(false);
      await expect(box.listen(name, AbortSignal.abort()).next(), name).rejects.toMatchObject({ code: 'USAGE' });
    }
    box[Symbol.dispose]();
    expect(come('x')).toBeUndefined();
  });

  test('on sixteen channels besides text: the one that has been quiet for longest is forgotten', async () => {
    const { box, come } = inbox();
    come('first');
    for (let n = 0; n <= 15; n++) come(`of ${n}`, `c${n}`);
    come('again', 'c0');
    come('one more', 'c16');
    expect(await take(box, 2, 'c0')).toEqual(['of 0', 'again']);
    expect(await take(box, 1)).toEqual(['first']);
    const listened = take(box, 1, 'c1');
    await Promise.resolve();
    // It was forgotten; and one to which somebody listens is not.
    for (let n = 20; n < 40; n++) come('x', `c${n}`);
    come('new', 'c1');
    expect(await listened).toEqual(['new']);
  });
});

describe('who has gone', () => {
  const up = (peer: string, name: string): OverlayEvent => ({ type: 'peer_up', peer, name, path: 'ws:1' });
  const down = (peer: string, reason: string): OverlayEvent => ({ type: 'peer_down', peer, name: '', reason });
  const gone = (met: Met, peers: readonly string[] = []) =>
    goneRows(
      met.partings,
      peers.map((publicKey) => ({ publicKey })),
      (key) => met.names.get(key) ?? `${key}…`,
      (key) => key === 'cc',
    );

  test('is known by name, until when it was here, and whether it was revoked; who comes again is not gone', () => {
    const met = new Met();
    for (const [at, event] of [
      up('bb', 'bob'),
      up('cc', 'carol'),
      down('bb', 'it does not answer'),
      down('cc', 'closed'),
    ].entries())
      met.heard(event, at);
    const bob = { name: 'bob', key: 'bb', at: 2, why: 'it does not answer', isRevoked: false };
    const carol = { name: 'carol', key: 'cc', at: 3, why: 'it said goodbye', isRevoked: true };
    expect(gone(met)).toEqual([carol, bob]);
    expect([gone(met, ['cc']), met.called('carol'), met.called('x')]).toEqual([[bob], ['cc'], []]);
    met.heard(up('bb', 'bob'), 4);
    expect(gone(met)).toEqual([carol]);
  });
  test('is no guest, which has no name, and nobody to whom nothing was said for a while', () => {
    const met = new Met();
    for (const event of [up('aa', ''), down('aa', 'closed'), up('bb', 'bob'), down('bb', 'idle')]) met.heard(event, 1);
    expect(gone(met)).toEqual([]);
  });
});

describe('other members', () => {
  const MEMBERS: readonly PeerRef[] = ['aa', 'bb'].map((publicKey) => ({ publicKey, name: publicKey, address: undefined }));
  /** `aa` is a relay; how it is, and the path to it. */
  function overlay(state: string, path: string | undefined, members: () => Promise<readonly PeerRef[]>) {
    return { status: () => ({ peers: [{ publicKey: 'aa', path }], relays: [{ relay: 'aa', state }] }) as never, members };
  }
  test('are asked of relays that serve this node, or of the one that it is, and of no others', async () => {
    let asked = 0;
    const given = (): Promise<readonly PeerRef[]> => {
      asked++;
      return Promise.resolve(MEMBERS);
    };
    const others = [{ key: 'bb', name: 'bb', address: undefined }];
    expect(await otherMembers(overlay('registered', 'udp:0/192.0.2.1:1', given))).toEqual(others);
    const itself = { status: () => ({ peers: [{ publicKey: 'aa' }], relays: [] }) as never, members: given };
    expect([await otherMembers(itself), asked]).toEqual([others, 2]);
    expect(await otherMembers(overlay('connecting', 'udp:0/192.0.2.1:1', given))).toEqual([]);
    expect([await otherMembers(overlay('registered', undefined, given)), asked]).toEqual([[], 2]);
  });
  test('are none where no answer comes, or an error', async () => {
    for (const members of [() => new Promise<never>(() => undefined), () => Promise.reject(new Error('no'))])
      expect(await otherMembers(overlay('registered', 'udp:0/192.0.2.1:1', members), 5)).toEqual([]);
  });
});

describe('what is printed', () => {
  test('texts of others stay on their line, and move no cursor', () => {
    expect(oneLine('hi\u001b[2J\u009b1A\u202ethere\r\n')).toBe('hi\\u001b[2J\\u009b1A\\u202ethere');
    expect(oneLine('a\nb\tc\n')).toBe('a\\nb\tc');
  });
  test('numbers', () => {
    expect([0.4, 9.99, 12.34, 1_500, undefined].map(rttText)).toEqual(['0.40ms', '9.99ms', '12.3ms', '1.5s', '']);
    expect([0, 999, 1_000, 12_345, 1e7, 3e15].map(bytesText)).toEqual([
      '0 B',
      '999 B',
      '1.0 kB',
      '12.3 kB',
      '10.0 MB',
      '3000.0 TB',
    ]);
  });
  test('what is around a node', () => {
    expect(surroundings(STATUS)).toBe('nat eim, seen at 198.51.100.7:4000; relays hub (home, 12.0ms)');
    expect(surroundings({ ...STATUS, nat: { kind: 'unknown', reflexive: [] }, relays: [] })).toBe('');
    expect(surroundings({ ...STATUS, relays: [{ ...RELAY, isHome: false, rttMs: undefined }] })).toMatch(/; relays hub$/);
    expect(
      surroundings({ ...STATUS, isRelay: true, relays: [{ ...RELAY, state: 'connecting', kind: 'tcp', isHome: false }] }),
    ).toContain('this node relays; relays hub (tcp, connecting)');
  });

  const names = (key: string): string => ({ aa: 'hub', bb: 'bob' })[key] ?? key;
  const RELAYED = `relay:${'aa'.repeat(32)}/${'0'.repeat(16)}`;
  test.each<[OverlayEvent, string | undefined]>([
    [{ type: 'peer_up', peer: 'bb', name: 'bob', path: 'udp:0/192.0.2.2:4000' }, 'bob is here, direct 192.0.2.2:4000'],
    [{ type: 'peer_up', peer: 'bb', name: 'bob', path: 'ws:3' }, 'bob is here, tcp'],
    [{ type: 'peer_down', peer: 'bb', name: 'bob', reason: 'closed' }, 'bob is gone: it said goodbye'],
    [{ type: 'peer_restarted', peer: 'bb', name: 'bob' }, 'bob has started again: what was under way to it may be lost'],
    [
      { type: 'path_changed', peer: 'bb', name: 'bob', from: undefined, to: RELAYED, kind: 'relayed', reason: 'begin' },
      undefined,
    ],
    [
      {
        type: 'path_changed',
        peer: 'bb',
        name: 'bob',
        from: RELAYED,
        to: 'udp:0/[2001:db8::1]:1',
        kind: 'direct',
        reason: 'better',
      },
      'bob is direct [2001:db8::1]:1: a better way',
    ],
    [
      { type: 'path_changed', peer: 'bb', name: 'bob', from: RELAYED, to: undefined, kind: undefined, reason: 'lost' },
      'no path is left to bob',
    ],
    [{ type: 'home_relay', relay: 'aa' }, 'hub is the home relay'],
    [{ type: 'deny_list', closed: ['bb'] }, 'a new deny list is in force: bob shut out'],
    [{ type: 'deny_list', closed: [] }, 'a new deny list is in force'],
  ])('$0.type', (event, text) => {
    expect(eventText(event, names)).toBe(text);
  });

  test('of a node that is not reached it is not said how a direct path was found once', () => {
    const punching = { state: 'direct', tries: 0, lastResult: 'direct', why: '' } as const;
    const traced = { ...PEER, punching, whyRelayed: 'both', relays: [] };
    expect(traceNotes({ ...traced, unreachable: 'it did not answer' })).toEqual([
      '`reprise net doctor` says how this node is; ask it there, too, and whether it runs',
    ]);
    expect(traceNotes({ ...traced, unreachable: undefined })).toEqual([
      'a direct path: it was found, the last time that one was looked for',
      'not direct: both',
    ]);
  });

  test('how a served name is reached, as it has to be typed on another node', () => {
    expect(servingText({ type: 'serving', name: 'files' }, new Invocation({ npm_command: 'exec' }, undefined, 'hub'))).toBe(
      "'files' is served; on another node an MCP client finds it by `npx reprise net connect-mcp files`",
    );
  });

  test('a client whose server process could not be started is not said to have one', () => {
    const session = { type: 'session', session: 's', from: 'bob', key: 'bb', pid: undefined } as const;
    expect(servingText(session, new Invocation({}))).toBe('bob has connected, and its process could not be started');
    expect(servingText({ ...session, pid: 7 }, new Invocation({}))).toBe('bob has connected: process 7');
  });

  test('where no terminal is: a line for what is new, and none for what is not', () => {
    const { io, text } = captured({});
    const report = lineReport(io, new Invocation({}, undefined, 'n'));
    report.ready(STATUS);
    for (const rttMs of [1, 2, 3]) report.show({ ...STATUS, relays: [{ ...RELAY, rttMs }] });
    report.note('`reprise net doctor` says more');
    report.unheard({ ts: 1, channel: 'jobs', from: { key: 'k', name: 'bob', address: undefined }, bytes: 3, text: 'abc' });
    expect(text.stdout.replaceAll(/^.{23} /gm, '').split('\n')).toEqual([
      'alice (40F7.3150.16D8) of home is up: UDP 0.0.0.0:4000',
      'pid 1234. Ctrl-C stops it; `reprise net peers --dir n`, `ping`, `send`, `listen`, `doctor` work beside it.',
      'nat eim, seen at 198.51.100.7:4000; relays hub (home)',
      '`reprise net doctor --dir n` says more',
      'a message of 3 B from bob waits for `reprise net listen --channel jobs --dir n`',
      '',
    ]);
    expect(text.stdout).not.toContain('abc');
  });

  test('on a terminal: a table that is drawn in its place, within its width', () => {
    const { io, screen } = screenOf(8, 60);
    const report = liveReport(io, new Invocation({}));
    report.ready(STATUS);
    const wide = { ...PEER, name: 'n'.repeat(63), kind: 'relayed' as const, via: 'hub', whyRelayed: 'both' };
    report.show({
      ...STATUS,
      peers: [PEER, { ...PEER, name: 'carol', kind: 'relayed', via: 'hub', whyRelayed: 'both sides are behind symmetric NATs' }],
    });
    report.event({ type: 'home_relay', relay: 'aa' }, names);
    expect(
      screen()
        .slice(3)
        .map((line) => line.trimEnd()),
    ).toEqual([
      'nat eim, seen at 198.51.100.7:4000; relays hub (home, 12.0m',
      '  bob    direct 192.0.2.2:4000  3.25ms  0.0%',
      '  carol  relayed by hub         3.25ms  0.0%  both sides ar',
    ]);
    expect(screen()[2]).toMatch(/^\d\d:\d\d:\d\d hub is the home relay$/);
    report.show({ ...STATUS, peers: [wide, ...Array.from({ length: 9 }, () => PEER)] });
    const lines = screen();
    expect(Math.max(...lines.slice(3).map((line) => line.length))).toBeLessThan(60);
    expect(lines.at(-1)).toBe('  … and 7 more: reprise net peers');
    report.show({ ...STATUS, relays: [], peers: [], nat: { kind: 'unknown', reflexive: [] } });
    expect(screen().slice(3)).toEqual(['  no other node is here']);
    report.stopping();
    report.end();
    expect(screen().at(-1)).toBe('it stops');
  });
});
