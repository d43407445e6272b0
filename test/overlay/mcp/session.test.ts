/** Sessions between nodes in memory, on virtual time: who may have one, what is in order, and that no end is silent. */
import { expect, it } from 'vitest';
import { buildMcpFrame, parseMcpFrame } from '../../../transport/overlay/mcp/frames.ts';
import type { ServeOptions } from '../../../transport/overlay/mcp/overlay-mcp.ts';
import { MCP_LIMITS } from '../../../transport/overlay/mcp/limits.ts';
import { Heard, message, world } from './nodes.ts';

/** A node that serves `files` and one that calls. */
function pair(options: Partial<ServeOptions> = {}, limits = {}) {
  const { clock, network, node } = world();
  const server = node('box', limits);
  const client = node('laptop', limits);
  const sessions: Heard[] = [];
  server.mcp.serve('files', { ...options, onSession: (session) => sessions.push(new Heard(session)) });
  const open = async (target = 'files'): Promise<Heard> => new Heard(await clock.run(client.mcp.open(target)));
  return { clock, network, node, server, client, sessions, open };
}
const failed = (code: string, text: string) => ({
  error: expect.objectContaining({ code, message: expect.stringContaining(text) }),
});

it('lines go both ways in order, and an end is heard after them', async () => {
  const { clock, sessions, open } = pair();
  const client = await open();
  const server = sessions[0] as Heard;
  expect(server.session).toMatchObject({ name: 'files', peer: { name: 'laptop' } });
  const up = Array.from({ length: 100 }, (_, i) => message(i));
  const down = Array.from({ length: 100 }, (_, i) => message(1_000 + i));
  await clock.run(
    Promise.all([...up.map((line) => client.session.write(line)), ...down.map((line) => server.session.write(line))]),
  );
  await clock.run(client.session.close());
  await clock.advance(100);
  expect(server.lines).toEqual(up);
  expect([client.ended, server.ended]).toEqual([{ error: undefined }, { error: undefined }]);
  await expect(server.session.write(message(1))).rejects.toMatchObject({ code: 'NET_MCP_ENDED' });
  await expect(client.session.write(message(1))).rejects.toMatchObject({ code: 'NET_MCP_ENDED' });
  expect(clock.pending()).toBe(0);
});

it('a line of megabytes goes in pieces, and a message of the overlay is never longer than one', async () => {
  const { clock, sessions, open, client } = pair();
  const heard = await open();
  const long = message(1, 'ö'.repeat(3_000_000));
  await clock.run(heard.session.write(long));
  await clock.advance(1_000);
  expect(sessions[0]?.lines).toEqual([long]);
  expect(Math.max(...client.overlay.sent.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(MCP_LIMITS.pieceBytes + 32);
});

it('in a network of the shortest messages no frame is longer than those', async () => {
  const { clock, node } = world();
  const [server, client] = [node('box', {}, 1_024), node('laptop', {}, 1_024)];
  const sessions: Heard[] = [];
  server.mcp.serve('x'.repeat(64), { onSession: (session) => sessions.push(new Heard(session)) });
  const heard = new Heard(await clock.run(client.mcp.open('x'.repeat(64))));
  await clock.run(heard.session.write(message(1, 'x'.repeat(10_000))));
  await clock.run(heard.session.close('failed', 'x'.repeat(5_000)));
  await clock.advance(100);
  expect(sessions[0]?.lines).toEqual([message(1, 'x'.repeat(10_000))]);
  const sizes = [...client.overlay.sent, ...server.overlay.sent].map(({ bytes }) => bytes.length);
  expect(Math.max(...sizes)).toBeGreaterThan(1_000);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1_024);
});

it('what the other side does not take is refused before it is sent', async () => {
  const { clock, sessions, open } = pair({}, { lineBytesMax: 1_000 });
  const heard = await open();
  expect(heard.session.lineBytesMax).toBe(1_000);
  await expect(heard.session.write(message(1, 'x'.repeat(1_000)))).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  await clock.run(heard.session.write(message(2)));
  await clock.advance(100);
  expect(sessions[0]?.lines).toEqual([message(2)]);
});

it('a slow reader holds the writer back, within the window', async () => {
  const { clock, sessions, open } = pair({}, { windowBytes: 10_000, pieceBytes: 1_000 });
  const heard = await open();
  const server = sessions[0] as Heard;
  const gate = Promise.withResolvers<void>();
  server.gate = gate.promise;
  const line = message(1, 'x'.repeat(900));
  let written = 0;
  const all = Array.from({ length: 100 }, () => heard.session.write(line).then(() => written++));
  await clock.advance(60_000);
  expect(written).toBeGreaterThan(5);
  expect(written * line.length).toBeLessThan(12_000);
  expect(server.lines).toHaveLength(1);
  gate.resolve();
  await clock.run(Promise.all(all));
  await clock.advance(100);
  expect(server.lines).toHaveLength(100);
});

it('an overlay without room is asked again, in order', async () => {
  const { clock, sessions, open, client } = pair();
  const heard = await open();
  client.overlay.refusals = 5;
  await clock.run(Promise.all([1, 2, 3].map((i) => heard.session.write(message(i)))));
  await clock.advance(1_000);
  expect(sessions[0]?.lines).toEqual([message(1), message(2), message(3)]);
});

it('writers who do not wait are refused when too much does', async () => {
  const { sessions, open } = pair({}, { windowBytes: 1_000, queueBytesMax: 5_000 });
  const heard = await open();
  (sessions[0] as Heard).gate = new Promise(() => undefined);
  const results = Array.from({ length: 10 }, () => heard.session.write(message(1, 'x'.repeat(900))));
  for (const result of results) result.catch(() => undefined);
  await expect(results[9]).rejects.toMatchObject({ code: 'NET_BACKPRESSURE' });
});

it('who does not serve the name says so; who is not allowed hears that; who is one too many, too', async () => {
  const { clock, node, open, client } = pair({ allow: ['laptop'], sessionsMax: 2 });
  await expect(open('box/nothing')).rejects.toMatchObject({ code: 'NET_MCP_UNKNOWN', message: expect.stringContaining('box') });
  await expect(open('nowhere/files')).rejects.toMatchObject({ code: 'NET_PEER_UNREACHABLE' });
  await expect(open('box/bad name')).rejects.toMatchObject({ code: 'USAGE' });
  const other = node('other');
  await expect(clock.run(other.mcp.open('box/files'))).rejects.toMatchObject({ code: 'NET_MCP_REFUSED' });
  await expect(clock.run(other.mcp.open('files'))).rejects.toMatchObject({ code: 'NET_MCP_UNKNOWN' });
  const [first] = [await open(), await open('box/files')];
  await expect(open()).rejects.toMatchObject({ code: 'NET_MCP_BUSY' });
  await clock.run(first.session.close());
  await clock.advance(100);
  await open(`${client.overlay.peers()[0]?.address}/files`);
});

it('a name is served once, and only to nodes that are known for certain', () => {
  const { server } = pair();
  expect(() => server.mcp.serve('files', { onSession: () => undefined })).toThrow(
    expect.objectContaining({ code: 'NET_MCP_TAKEN' }),
  );
  expect(() => server.mcp.serve('a/b', { onSession: () => undefined })).toThrow(expect.objectContaining({ code: 'USAGE' }));
  for (const allow of ['0a1b.2C3D.4E5F', ''])
    expect(() => server.mcp.serve('other', { allow: [allow], onSession: () => undefined })).toThrow(
      expect.objectContaining({ code: 'USAGE' }),
    );
  expect(server.mcp.serving()).toEqual(['files']);
});

it('a name alone: the one node that serves it; two are named; none that is connected: the others are asked', async () => {
  const { clock, node, open, client, server } = pair();
  const second = node('spare');
  const stop = second.mcp.serve('files', { onSession: (session) => void new Heard(session) });
  await expect(open()).rejects.toMatchObject({
    code: 'NET_MCP_AMBIGUOUS',
    message: expect.stringContaining('box/files, spare/files'),
  });
  client.overlay.connected = [second.overlay];
  expect((await open()).session.peer.name).toBe('spare');
  stop();
  expect((await open()).session.peer.name).toBe('box');
  server.overlay.isCut = true;
  const began = clock.monotonic();
  await expect(open()).rejects.toMatchObject({
    code: 'NET_MCP_UNKNOWN',
    message: "no node serves an MCP server 'files' to this one; asked: spare; no answer from box",
  });
  expect(clock.monotonic() - began).toBeLessThan(2 * MCP_LIMITS.findMs + 100);
  client.overlay.isCut = true;
  await expect(open()).rejects.toMatchObject({
    message: expect.stringMatching(/; nobody has answered; no answer from spare, box$/),
  });
});

it('nobody that it knows serves the name: all members are asked, and named as their certificates say', async () => {
  const { open, node, client } = pair();
  client.overlay.known = [];
  expect((await open()).session.peer.name).toBe('box');
  node('spare').mcp.serve('files', { onSession: (session) => void new Heard(session) });
  await expect(open()).rejects.toMatchObject({ message: expect.stringContaining('box/files, spare/files') });
  for (let n = 0; n < 70; n++) node(`n${n}`);
  const told = expect.stringMatching(/^no node serves an MCP server 'nothing'.*; 8 more were not asked, NODE\/NAME asks one$/);
  await expect(open('nothing')).rejects.toMatchObject({ code: 'NET_MCP_UNKNOWN', message: told });
});

it('the peer restarts: the session is lost, and says so', async () => {
  const { clock, server, open } = pair();
  const heard = await open();
  server.overlay.restart();
  expect(heard.ended).toEqual(failed('NET_MCP_ENDED', 'box has started again'));
  await clock.advance(60_000);
  expect(clock.pending()).toBe(0);
});

it('a peer that forgot the session says so at the next sign of life', async () => {
  const { clock, server, client, open } = pair();
  const heard = await open();
  const sign = { type: 'ping', id: 'f'.repeat(16) } as const;
  await clock.run(client.overlay.send('box', 'mcp/up/0', buildMcpFrame(sign)));
  await clock.advance(100);
  const answer = server.overlay.sent.at(-1);
  expect(answer).toMatchObject({ channel: 'mcp/down/0' });
  expect(parseMcpFrame(answer?.bytes ?? Uint8Array.of())).toEqual({
    type: 'end',
    id: sign.id,
    reason: 'unknown_session',
    text: '',
  });
  expect(heard.ended).toBeUndefined();
  await clock.run(
    server.overlay.send(
      'laptop',
      'mcp/down/0',
      buildMcpFrame({ type: 'end', id: heard.session.id, reason: 'unknown_session', text: '' }),
    ),
  );
  await clock.advance(100);
  expect(heard.ended).toEqual(failed('NET_MCP_ENDED', 'knows nothing of it any more'));
});

it('idle for a day, both sides stay; each asks after the other', async () => {
  const { clock, client, server, sessions, open } = pair();
  const heard = await open();
  await clock.advance(24 * 3_600_000);
  expect([heard.ended, sessions[0]?.ended]).toEqual([undefined, undefined]);
  expect(client.overlay.sent.length).toBeLessThan(24 * 360 + 10);
  await clock.run(server.mcp.stop());
  await clock.advance(100);
  expect(heard.ended).toEqual({ error: undefined });
  expect(clock.pending()).toBe(0);
});

it('a peer that falls silent is given up: by the one who sends, and by the one who waits', async () => {
  const { clock, network, server, sessions, open } = pair();
  const heard = await open();
  server.overlay.isCut = true;
  await clock.advance(MCP_LIMITS.silenceMs + 2 * MCP_LIMITS.pingMs);
  expect(heard.ended).toEqual(failed('NET_MCP_ENDED', 'cannot be reached'));
  expect(sessions[0]?.ended).toEqual(failed('NET_MCP_ENDED', 'cannot be reached'));
  // Messages that are taken and never answered.
  server.overlay.isCut = false;
  const second = await open();
  for (const node of network.nodes) node.send = () => new Promise(() => undefined);
  await clock.advance(MCP_LIMITS.silenceMs - 1_000);
  expect(second.ended).toBeUndefined();
  await clock.advance(1_000);
  expect(second.ended).toEqual(failed('NET_MCP_ENDED', 'has said nothing'));
  await clock.advance(60_000);
  expect(clock.pending()).toBe(0);
});

it('a node that does not know of MCP: the session is not opened, in time', async () => {
  const { clock, network, open } = pair();
  network.node('old');
  const began = clock.monotonic();
  await expect(open('old/files')).rejects.toMatchObject({ code: 'NET_MCP_UNKNOWN' });
  expect(clock.monotonic() - began).toBeLessThan(MCP_LIMITS.openMs + 100);
});

it('what a server says last is handled before its end is heard, and why it ended is not forgotten meanwhile', async () => {
  const { clock, server, sessions, open } = pair();
  const heard = await open();
  const gate = Promise.withResolvers<void>();
  heard.gate = gate.promise;
  const said = sessions[0]?.session;
  await clock.run(Promise.all([said?.write(message(1)), said?.write(message(2)), said?.close('failed', 'out of paper')]));
  await clock.advance(100);
  expect([heard.lines.length, heard.ended]).toEqual([1, undefined]);
  await expect(heard.session.write(message(3))).rejects.toMatchObject({ code: 'NET_MCP_ENDED' });
  gate.resolve();
  await clock.advance(0);
  server.overlay.restart();
  await clock.advance(10);
  expect(heard.lines).toEqual([message(1), message(2)]);
  expect(heard.ended).toEqual(failed('NET_MCP_ENDED', 'it failed at node box: out of paper'));
});

it('a reader that never comes back does not keep an ended session', async () => {
  const { clock, sessions, open } = pair();
  const heard = await open();
  heard.gate = new Promise(() => undefined);
  await clock.run(Promise.all([sessions[0]?.session.write(message(1)), sessions[0]?.session.close()]));
  await clock.advance(MCP_LIMITS.endMs + 100);
  expect(heard.ended).toEqual({ error: undefined });
  expect(clock.pending()).toBe(0);
});

it('garbage ends the session, and no other', async () => {
  const { clock, server, client, sessions, open } = pair();
  const id = (heard: Heard): string => heard.session.id;
  const data = (heard: Heard, offset: number, text: string): Uint8Array =>
    buildMcpFrame({ type: 'data', id: id(heard), offset, bytes: Buffer.from(text) });
  const spared = await open();
  const garbage: readonly ((heard: Heard) => Uint8Array)[] = [
    () => Uint8Array.of(),
    () => Uint8Array.of(1, 2, 3),
    (heard) => data(heard, 0, 'no json\n'),
    (heard) => data(heard, 0, '{"jsonrpc":"2.0"}{"jsonrpc":"2.0"}\n'),
    (heard) => data(heard, 7, `${message(1)}\n`),
    (heard) => data(heard, 0, 'x'.repeat(MCP_LIMITS.windowBytes + 1)),
    (heard) => buildMcpFrame({ type: 'credit', id: id(heard), total: 0 }),
    (heard) => buildMcpFrame({ type: 'opened', id: id(heard), window: 1, lineMax: 1 }),
    (heard) => buildMcpFrame({ type: 'open', id: id(heard), window: 1, lineMax: 1, name: 'files' }),
  ];
  for (const make of garbage) {
    const heard = await open();
    const at = sessions.length - 1;
    await clock.run(client.overlay.send(server.overlay.publicKey, 'mcp/up/1', make(heard)));
    await clock.advance(1_000);
    expect(sessions[at]?.ended).toEqual(failed('NET_MCP_ENDED', 'laptop was cut off'));
    expect(heard.ended).toEqual(failed('NET_MCP_ENDED', 'box cut this node off'));
    expect(sessions[at]?.lines).toEqual([]);
  }
  expect([spared.ended, sessions[0]?.ended]).toEqual([undefined, undefined]);
});

it('a stranger to a session cannot touch it', async () => {
  const { clock, node, server, sessions, open } = pair();
  const heard = await open();
  const stranger = node('stranger');
  const end = buildMcpFrame({ type: 'end', id: heard.session.id, reason: 'done', text: '' });
  await clock.run(stranger.overlay.send(server.overlay.publicKey, 'mcp/up/0', end));
  await clock.run(stranger.overlay.send('laptop', 'mcp/down/0', end));
  await clock.run(stranger.overlay.send('laptop', 'mcp/down/0', Uint8Array.of(9)));
  await clock.advance(1_000);
  expect([heard.ended, sessions[0]?.ended]).toEqual([undefined, undefined]);
});

it('what all sessions hold is bounded: the one that goes beyond it ends', async () => {
  const { clock, sessions, open } = pair({}, { heldBytesMax: 5_000 });
  const first = await open();
  const second = await open();
  for (const heard of sessions) heard.gate = new Promise(() => undefined);
  await clock.run(first.session.write(message(1, 'x'.repeat(3_000))));
  await clock.advance(100);
  second.session.write(message(1, 'x'.repeat(3_000))).catch(() => undefined);
  await clock.advance(100);
  expect(second.ended).toEqual(failed('NET_MCP_ENDED', 'hold too much'));
  expect(first.ended).toBeUndefined();
  // What it held is free again.
  await clock.run(first.session.close());
  await clock.advance(100);
  const third = await open();
  await clock.run(third.session.write(message(2, 'x'.repeat(3_000))));
  await clock.advance(100);
  expect(sessions.at(-1)?.lines).toHaveLength(1);
});

it('two thousand sessions use the channels of one', async () => {
  const { clock, client, server, open } = pair();
  for (let i = 0; i < 2_000; i++) await clock.run((await open('box/files')).session.close());
  await clock.advance(1_000);
  const channels = new Set([...client.overlay.sent, ...server.overlay.sent].map(({ channel }) => channel));
  expect([...channels]).toEqual(['mcp/up/0', 'mcp/down/0']);
  expect(clock.pending()).toBe(0);
});

it('a client that has more sessions than slots hears it at once', async () => {
  const { open } = pair({ sessionsMax: 100 }, { slots: 3 });
  for (let i = 0; i < 3; i++) await open('box/files');
  await expect(open('box/files')).rejects.toMatchObject({ code: 'NET_MCP_BUSY' });
});

it('what was written before the end arrives, when the peer gives credit for it', async () => {
  const { clock, sessions, open } = pair({}, { windowBytes: 2_000, pieceBytes: 500 });
  const heard = await open();
  const lines = Array.from({ length: 20 }, (_, i) => message(i, 'x'.repeat(900)));
  const writes = lines.map((line) => heard.session.write(line));
  await clock.run(Promise.all([...writes, heard.session.close()]));
  await clock.advance(1_000);
  expect(sessions[0]?.lines).toEqual(lines);
  expect(sessions[0]?.ended).toEqual({ error: undefined });
});

it('a close is over in time, although the peer takes nothing', async () => {
  const { clock, sessions, open } = pair({}, { windowBytes: 2_000 });
  const heard = await open();
  (sessions[0] as Heard).gate = new Promise(() => undefined);
  heard.session.write(message(1, 'x'.repeat(9_000))).catch(() => undefined);
  const began = clock.monotonic();
  await clock.run(heard.session.close());
  expect(clock.monotonic() - began).toBeLessThanOrEqual(MCP_LIMITS.endMs + 100);
});

it('who closes what is being closed already waits for the same end', async () => {
  const { clock, client, open } = pair();
  const heard = await open();
  client.overlay.refusals = Number.POSITIVE_INFINITY;
  const ends: string[] = [];
  void heard.session.close().then(() => ends.push('first'));
  void heard.session.close().then(() => ends.push('second'));
  await clock.advance(MCP_LIMITS.endMs - 1);
  expect(ends).toEqual([]);
  await clock.advance(1);
  expect(ends).toEqual(['first', 'second']);
  expect(clock.pending()).toBeLessThanOrEqual(1); // The last try to send.
});

it('who stops does not wait for lines that came before an end of the peer, and leaves no timer', async () => {
  const { clock, client, sessions, open } = pair();
  const heard = await open();
  heard.gate = new Promise(() => undefined);
  const said = sessions[0]?.session;
  await clock.run(Promise.all([said?.write(message(1)), said?.write(message(2)), said?.close('failed', 'out of paper')]));
  await clock.advance(100);
  expect([heard.lines.length, heard.ended]).toEqual([1, undefined]);
  await client.mcp.stop();
  expect(heard.ended).toEqual(failed('NET_MCP_ENDED', 'it failed at node box: out of paper'));
  expect(clock.pending()).toBe(0);
});

it('nothing is opened any more by who has stopped, not even what was asked for just before', async () => {
  const { clock, client, sessions } = pair();
  const late = client.mcp.open('box/files');
  await client.mcp.stop();
  await expect(late).rejects.toMatchObject({ code: 'NET_CLOSED' });
  for (const target of ['files', 'box/files'])
    await expect(client.mcp.open(target)).rejects.toMatchObject({ code: 'NET_CLOSED' });
  await clock.advance(MCP_LIMITS.openMs);
  expect([sessions.length, clock.pending()]).toEqual([0, 0]);
});
