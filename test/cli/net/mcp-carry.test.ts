/** What lies between a process of `serve-mcp` or `connect-mcp` and the overlay: two nodes in memory, each with a control socket. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ControlClient } from '../../../cli/control/client.ts';
import { Duplex } from '../../../cli/control/duplex.ts';
import { type ControlServer, serveControl } from '../../../cli/control/server.ts';
import { main } from '../../../cli/dispatch.ts';
import { bridge, type BridgePatience } from '../../../cli/net/mcp/bridge.ts';
import { mcpOperations } from '../../../cli/net/mcp/operations.ts';
import { ServerProcess } from '../../../cli/net/mcp/server-process.ts';
import { Serving, type ServingEvent } from '../../../cli/net/mcp/serving.ts';
import { systemClock } from '../../../cli/system.ts';
import { OverlayMcp } from '../../../transport/overlay/mcp/overlay-mcp.ts';
import { FakeNetwork } from '../../overlay/fake-overlay.ts';
import { Heard } from '../../overlay/mcp/nodes.ts';
import { captured } from '../processes.ts';
import { isAlive, until } from './mcp-machines.ts';

const LINE_MAX = 10_000;
const folder = mkdtempSync(join(tmpdir(), 'reprise-carry-'));
let made = 0;

/** A node with a control socket. */
class Machine {
  readonly mcp: OverlayMcp;
  readonly client: ControlClient;
  private server: ControlServer | undefined;

  constructor(network: FakeNetwork, name: string) {
    const limits = { lineBytesMax: LINE_MAX };
    this.mcp = new OverlayMcp(network.node(name), { clock: systemClock(), random: randomBytes, limits });
    this.client = new ControlClient(join(folder, `${++made}.sock`));
  }
  async start(): Promise<void> {
    this.server = await serveControl(this.client.path, mcpOperations(this.mcp));
  }
  async stop(): Promise<void> {
    await this.server?.close();
    await this.mcp.stop();
  }
}

let hub: Machine;
let laptop: Machine;
let sessions: Heard[];
beforeEach(async () => {
  const network = new FakeNetwork();
  hub = new Machine(network, 'hub');
  laptop = new Machine(network, 'laptop');
  sessions = [];
  await Promise.all([hub.start(), laptop.start()]);
});
afterEach(async () => {
  await Promise.all([hub.stop(), laptop.stop()]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A server of lines at the hub, in this process. */
const serveHere = (): void => void hub.mcp.serve('here', { onSession: (session) => sessions.push(new Heard(session)) });

/** What `connect-mcp` says and prints, as long as it runs. */
class Bridged {
  readonly stdin = new PassThrough();
  readonly lines: string[] = [];
  readonly notes: string[] = [];
  readonly over: Promise<unknown>;

  constructor(target: string, patience: Partial<BridgePatience> = {}) {
    const out = (line: string): Promise<unknown> => Promise.resolve(this.lines.push(line));
    const io = { stdin: this.stdin, out, note: (text: string) => this.notes.push(text) };
    this.over = bridge(laptop.client, target, io, { findMs: 0, answerMs: 60_000, ...patience }).catch((error: unknown) => error);
  }
  say(...lines: readonly string[]): void {
    this.stdin.write(lines.map((line) => `${line}\n`).join(''));
  }
}
const request = (id: number, text = ''): string => JSON.stringify({ jsonrpc: '2.0', id, method: 'x', params: { text } });
const answer = (id: number, text = ''): string => JSON.stringify({ jsonrpc: '2.0', id, result: { text } });

describe('connect-mcp', () => {
  it('to a node that does not serve it: told that all can be asked', async () => {
    expect(await new Bridged('hub/none').over).toMatchObject({
      code: 'NET_MCP_UNKNOWN',
      message: expect.stringMatching(
        /hub serves no MCP server 'none'; `reprise net connect-mcp none`, without the node, asks all$/,
      ) as string,
    });
  });

  it('passes lines on, and ends with its client', async () => {
    serveHere();
    const bridged = new Bridged('here');
    bridged.say(request(1), '', request(2));
    await until('both have come', () => sessions[0]?.lines.length === 2);
    await sessions[0]?.session.write(answer(1));
    await sessions[0]?.session.write(answer(2));
    await until('answers', () => bridged.lines.length === 2);
    bridged.stdin.end();
    expect(await bridged.over).toBeUndefined();
    expect(bridged.lines).toEqual([answer(1), answer(2)]);
    expect(bridged.notes).toEqual(["connected to 'here' at hub"]);
    await until('the server hears of it', () => sessions[0]?.ended !== undefined);
    expect(sessions[0]).toMatchObject({ lines: [request(1), request(2)], ended: { error: undefined } });
  });

  it('a client that has closed its end gets the answers to what it has asked', async () => {
    serveHere();
    const bridged = new Bridged('here');
    const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 3 } };
    const batch = `[${request(4)},{"jsonrpc":"2.0","method":"a notification"}]`;
    bridged.say(request(1), request(2), request(3), JSON.stringify(cancelled), batch);
    bridged.stdin.end();
    await until('all has come', () => sessions[0]?.lines.length === 5);
    await sessions[0]?.session.write(answer(2));
    // A request of the server with the same id is no answer.
    await sessions[0]?.session.write(request(1));
    await sessions[0]?.session.write(`[${answer(4)},${answer(1)}]`);
    expect(await bridged.over).toBeUndefined();
    expect(bridged.lines).toEqual([answer(2), request(1), `[${answer(4)},${answer(1)}]`]);
    await until('the server hears of it', () => sessions[0]?.ended !== undefined);
    expect(bridged.notes).toEqual(["connected to 'here' at hub"]);
  });

  it('but does not wait for them for ever, nor longer than the server is there', async () => {
    serveHere();
    const late = new Bridged('here', { answerMs: 20 });
    late.say(request(1));
    late.stdin.end();
    expect(await late.over).toBeUndefined();
    expect(late.notes.at(-1)).toBe('1 request of the client had no answer for 0.02 s after it closed its end');
    const left = new Bridged('here');
    left.say(request(1));
    left.stdin.end();
    await until('it is asked', () => sessions[1]?.lines.length === 1);
    await sessions[1]?.session.close();
    expect(await left.over).toBeUndefined();
  });

  it('looks for a while for a server that nobody serves yet, and says so', async () => {
    for (const target of ['here', 'hub/here']) {
      const bridged = new Bridged(target, { findMs: 60_000 });
      await until('it says so', () => bridged.notes.length > 0);
      const end = hub.mcp.serve('here', { onSession: (session) => sessions.push(new Heard(session)) });
      await until('it is found', () => bridged.notes.length > 1);
      expect(bridged.notes).toEqual([`'${target}' is not found yet: this looks for it for 60 s`, "connected to 'here' at hub"]);
      bridged.stdin.end();
      expect(await bridged.over).toBeUndefined();
      end();
    }
  });

  it('what is no JSON-RPC goes nowhere; what is too long is answered here', async () => {
    serveHere();
    const bridged = new Bridged('here');
    bridged.say('Welcome!', request(1, 'x'.repeat(LINE_MAX)), answer(2, 'x'.repeat(LINE_MAX)), request(3));
    await until('the last has come', () => sessions[0]?.lines.at(-1) === request(3));
    await until('an answer', () => bridged.lines.length === 1);
    expect(JSON.parse(bridged.lines[0] ?? '')).toMatchObject({ id: 1, error: { data: { code: 'PAYLOAD_TOO_LARGE' } } });
    expect(JSON.parse(sessions[0]?.lines[0] ?? '')).toMatchObject({ id: 2, error: { data: { code: 'PAYLOAD_TOO_LARGE' } } });
    expect(sessions[0]?.lines).toHaveLength(2);
    expect(bridged.notes.slice(1)).toEqual([
      'a line that is no JSON-RPC message was not passed on',
      expect.stringContaining('10000 are taken by the other side'),
      expect.stringContaining('10000 are taken by the other side'),
    ]);
  });

  it('says why there is no session, and why one is lost', async () => {
    expect(await new Bridged('nothing').over).toMatchObject({ code: 'NET_MCP_UNKNOWN' });
    serveHere();
    const bridged = new Bridged('here');
    await until('a session', () => sessions.length === 1);
    await sessions[0]?.session.close('failed', 'out of\u001b[2J paper');
    expect(await bridged.over).toMatchObject({ code: 'NET_MCP_ENDED', message: expect.stringMatching(/out of \[2J paper$/) });
    const second = new Bridged('here');
    await until('another session', () => sessions.length === 2);
    await laptop.stop();
    expect(await second.over).toMatchObject({ code: 'NET_NOT_RUNNING' });
    await until('the server hears of it', () => sessions[1]?.ended !== undefined);
  });

  it('a server that has no more to say: so it is told', async () => {
    serveHere();
    const bridged = new Bridged('here');
    await until('a session', () => sessions.length === 1);
    await sessions[0]?.session.close();
    expect(await bridged.over).toBeUndefined();
    expect(bridged.notes.at(-1)).toBe('the server has ended the session');
  });

  it('a process that is killed, or sends what it should not, ends the session', async () => {
    serveHere();
    for (const end of [(d: Duplex) => d.close(), (d: Duplex) => void d.send({ nonsense: 1 })]) {
      const duplex = new Duplex(laptop.client, 'mcp.connect', { target: 'here' });
      const { value } = await duplex.items<unknown>().next();
      expect(value).toEqual({ open: { name: 'here', node: 'hub' } });
      const at = sessions.length - 1;
      end(duplex);
      await until('the server hears of it', () => sessions[at]?.ended !== undefined);
      expect(sessions[at]?.ended?.error).toMatchObject({ code: 'NET_MCP_ENDED' });
    }
  });
});

describe('serve-mcp', () => {
  /** Says something that is no JSON-RPC, then answers each line with its length; ends at the line `die`. */
  const SCRIPT = `console.log('ready'); let rest = ''; process.stdin.on('data', (d) => { const lines = (rest + d).split('\\n'); rest = lines.pop();
    for (const line of lines) { const { id, params } = JSON.parse(line); if (params.text === 'die') process.exit(7);
      console.log(JSON.stringify({ jsonrpc: '2.0', id, result: { length: line.length, text: params.text === 'long' ? 'x'.repeat(${LINE_MAX}) : '' } })); } });`;
  const stop = new AbortController();
  let events: ServingEvent[];
  let running: Promise<unknown>;
  const serve = (name: string, ...args: readonly string[]): void => {
    events = [];
    const options = {
      name,
      command: process.execPath,
      args,
      allow: [],
      sessionsMax: 2,
      onEvent: (e: ServingEvent) => events.push(e),
    };
    running = new Serving(hub.client, options).run(stop.signal).catch((error: unknown) => error);
  };

  it('a process a client; noise and what is too long do no harm; how it ends is told; a stop ends all', async () => {
    serve('script', '-e', SCRIPT);
    await until('it is served', () => events.some(({ type }) => type === 'serving'));
    const [first, second] = [new Bridged('script'), new Bridged('script')];
    first.say(request(1), request(2, 'long'));
    second.say(request(3));
    await until('answers', () => first.lines.length === 2 && second.lines.length === 1);
    expect(JSON.parse(first.lines[0] ?? '')).toMatchObject({ id: 1, result: { length: request(1).length } });
    expect(JSON.parse(first.lines[1] ?? '')).toMatchObject({ id: 2, error: { data: { code: 'PAYLOAD_TOO_LARGE' } } });
    const noted = events.flatMap((event) => (event.type === 'note' ? [event.text] : []));
    expect(noted).toContain('a line that is no JSON-RPC message was not passed on');
    expect(await new Bridged('script').over).toMatchObject({ code: 'NET_MCP_BUSY' });
    first.say(request(4, 'die'));
    expect(await first.over).toMatchObject({ message: expect.stringContaining('its process ended with exit code 7') });
    const pids = events.flatMap((event) => (event.type === 'session' ? [event.pid ?? 0] : []));
    expect(pids.filter(isAlive)).toHaveLength(1);
    stop.abort();
    expect(await running).toBeUndefined();
    expect(pids.filter(isAlive)).toEqual([]);
    expect(await second.over).toMatchObject({ message: expect.stringContaining('it is not served any more') });
    expect(hub.mcp.serving()).toEqual([]);
  });

  it('a session is accepted once', async () => {
    const duplex = new Duplex(hub.client, 'mcp.accept', { session: 'none' });
    await expect(duplex.items().next()).rejects.toMatchObject({ code: 'NET_MCP_ENDED' });
  });
});

describe('a server process', () => {
  it('that heeds neither the end of stdin nor SIGTERM is killed, with all that it started', async () => {
    const deaf = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log(process.pid)`;
    const server = new ServerProcess('/bin/sh', ['-c', `"$0" -e "$1" & wait`, process.execPath, deaf], 30);
    const { value } = await server.lines().next();
    expect([server.pid ?? 0, Number(value)].map(isAlive)).toEqual([true, true]);
    await server.stop();
    await until('both are gone', () => !isAlive(server.pid ?? 0) && !isAlive(Number(value)));
    expect(await server.ended).toMatch(/SIGTERM|SIGKILL/);
    // Nobody is there to take it, and nobody waits for that.
    await server.write('x'.repeat(1_000_000));
  });

  it('that writes without an end is ended', async () => {
    const endless = new ServerProcess(
      process.execPath,
      ['-e', `const on = () => process.stdout.write('x'.repeat(1_000_000), on); on()`],
      30,
    );
    const { done } = await endless.lines().next();
    expect(done).toBe(true);
    expect(await endless.ended).toBe('its process was ended by SIGKILL');
  });
});

it('what follows -- is for the server: not even its --json is meant for serve-mcp', async () => {
  const { io, text } = captured();
  expect(await main(['net', 'serve-mcp', 'x', '--dir', folder, '--', 'server', '--json', '--help'], io)).toBe(1);
  expect(text.stderr).toMatch(/^NET_FOLDER_MISSING: /);
  expect(await main(['net', 'serve-mcp', 'x', '--json'], io)).toBe(2);
  expect(text.stderr).toContain('{"error":{"code":"USAGE"');
});
