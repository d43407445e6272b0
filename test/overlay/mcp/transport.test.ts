/** Clients and servers of the MCP SDK in programs that have an overlay of their own: two of them, real, on the loopback. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/client';
import { McpServer } from '@modelcontextprotocol/server';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { OverlayMcp } from '../../../transport/overlay/mcp/overlay-mcp.ts';
import type { Session, SessionHandlers } from '../../../transport/overlay/mcp/session.ts';
import { overlayClientTransport, type OverlayTransport, serveOverlay } from '../../../transport/overlay/mcp/transport.ts';
import { type Machine, machine } from './loopback.ts';

const MEMBERS = ['box', 'laptop'];
const LINE_MAX = 3_000_000;
const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });

let box: Machine;
let laptop: Machine;
let cancelled: string[];
let transports: OverlayTransport[];

/** Each client gets a server of its own; `who` says which. */
function serve(on: Machine, number = { last: 0 }): void {
  serveOverlay(on.mcp, 'tools', {}, (transport, client) => {
    const own = ++number.last;
    const server = new McpServer({ name: 'tools', version: '1.0.0' });
    server.registerTool('who', {}, () => text(`${own} ${client.name}`));
    server.registerTool('repeat', { inputSchema: z.object({ text: z.string(), times: z.number() }) }, (args) =>
      text(args.text.repeat(args.times)),
    );
    server.registerTool('slow', {}, async ({ mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken;
      for (let progress = 1; progress <= 3 && progressToken !== undefined; progress++)
        await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 3 } });
      const { promise, resolve } = Promise.withResolvers<void>();
      mcpReq.signal.addEventListener('abort', () => {
        cancelled.push(`${own}`);
        resolve();
      });
      await promise;
      return text('late');
    });
    server.registerTool('guess', {}, async () => {
      const messages = [{ role: 'user' as const, content: { type: 'text' as const, text: 'a number?' } }];
      const { content } = await server.server.createMessage({ messages, maxTokens: 10 });
      return text(`you said ${JSON.stringify(content)}`);
    });
    server.registerResource('readme', 'demo://readme', {}, (uri) => ({ contents: [{ uri: uri.href, text: 'read me' }] }));
    transports.push(transport);
    server.connect(transport).catch(() => undefined);
  });
}

interface Connected {
  readonly client: Client;
  readonly errors: Error[];
  readonly closed: Promise<void>;
}

async function connected(target = 'box/tools'): Promise<Connected> {
  const client = new Client({ name: 'test', version: '1.0.0' }, { capabilities: { sampling: {} } });
  const errors: Error[] = [];
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  client.onerror = (error) => errors.push(error);
  client.onclose = resolve;
  client.setRequestHandler('sampling/createMessage', () => ({
    model: 'none',
    role: 'assistant' as const,
    content: { type: 'text' as const, text: '42' },
  }));
  await client.connect(overlayClientTransport(laptop.mcp, target));
  return { client, errors, closed };
}
const said = (result: { readonly content?: unknown }): string =>
  (result.content as readonly { readonly text: string }[]).map((part) => part.text).join('');

beforeEach(async () => {
  cancelled = [];
  transports = [];
  box = await machine('box', MEMBERS, {}, { limits: { lineBytesMax: LINE_MAX } });
  laptop = await machine('laptop', MEMBERS, { box });
  serve(box);
});
afterEach(async () => {
  await Promise.all([box.mcp.stop(), laptop.mcp.stop()]);
  await Promise.all([box.overlay.stop(), laptop.overlay.stop()]);
});

describe('a client of another node', () => {
  it('calls tools, reads resources, and is asked by the server', async () => {
    const { client, errors } = await connected();
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['who', 'repeat', 'slow', 'guess']);
    expect(said(await client.callTool({ name: 'who' }))).toBe('1 laptop');
    expect(await client.readResource({ uri: 'demo://readme' })).toMatchObject({ contents: [{ text: 'read me' }] });
    expect(said(await client.callTool({ name: 'guess' }))).toContain('42');
    await client.close();
    expect(errors).toEqual([]);
  });

  it('megabytes go both ways', async () => {
    const { client } = await connected();
    const long = 'ö'.repeat(500_000);
    expect(said(await client.callTool({ name: 'repeat', arguments: { text: long, times: 2 } }))).toBe(long + long);
  });

  it('hears of progress, and cancels', async () => {
    const { client } = await connected();
    const cancel = new AbortController();
    const progress: number[] = [];
    const onprogress = (at: { readonly progress: number }): void => {
      progress.push(at.progress);
      if (at.progress === 3) cancel.abort();
    };
    await expect(client.callTool({ name: 'slow' }, { signal: cancel.signal, onprogress })).rejects.toThrow('abort');
    expect(progress).toEqual([1, 2, 3]);
    while (cancelled.length === 0) await sleep(5);
    expect(said(await client.callTool({ name: 'who' }))).toBe('1 laptop');
  });

  it('a message that is too long: who waits gets an error, and the session goes on', async () => {
    const { client } = await connected();
    const long = { name: 'repeat', arguments: { text: 'x'.repeat(LINE_MAX), times: 1 } };
    await expect(client.callTool(long)).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    const answer = { name: 'repeat', arguments: { text: 'x'.repeat(1_000_000), times: 9 } };
    await expect(client.callTool(answer)).rejects.toThrow('at most 8388608 fit through the overlay');
    expect(said(await client.callTool({ name: 'who' }))).toBe('1 laptop');
  });

  it('two at once have a server each; one that closes leaves the other alone', async () => {
    const [first, second] = [await connected(), await connected('tools')];
    expect(said(await first.client.callTool({ name: 'who' }))).toBe('1 laptop');
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const [transport] = transports;
    const before = transport?.onclose;
    if (transport !== undefined)
      transport.onclose = () => {
        before?.();
        resolve();
      };
    await first.client.close();
    await closed;
    expect(said(await second.client.callTool({ name: 'who' }))).toBe('2 laptop');
  });
});

describe('when it cannot be', () => {
  it('a name that is not served', async () => {
    await expect(connected('box/nothing')).rejects.toMatchObject({ code: 'NET_MCP_UNKNOWN' });
    await expect(connected('nothing')).rejects.toMatchObject({ code: 'NET_MCP_UNKNOWN' });
  });

  it('the other node stops: the call ends, with the reason', async () => {
    const { client, errors, closed } = await connected();
    const call = client.callTool({ name: 'slow' });
    call.catch(() => undefined);
    await sleep(20);
    await box.overlay.stop();
    await closed;
    await expect(call).rejects.toThrow('Connection closed');
    expect(errors).toContainEqual(expect.objectContaining({ code: 'NET_MCP_ENDED' }));
  });

  it('the other node dies without a word and runs again: the session is lost, another one is not', async () => {
    const { client, errors, closed } = await connected();
    const call = client.callTool({ name: 'slow' });
    call.catch(() => undefined);
    await sleep(20);
    const [at] = box.overlay.endpoints;
    await silenced(box);
    box = await machine('box', MEMBERS, {}, { port: at?.port ?? 0 });
    serve(box);
    // Whatever is said next, here by another session, finds that it restarted.
    const again = await connected();
    await closed;
    await expect(call).rejects.toThrow('Connection closed');
    expect(errors).toContainEqual(expect.objectContaining({ code: 'NET_MCP_ENDED' }));
    expect(said(await again.client.callTool({ name: 'who' }))).toBe('1 laptop');
  });
});

/** Its sockets are gone, and nobody was told. */
async function silenced({ overlay }: Machine): Promise<void> {
  const inside = overlay as unknown as { udp: { send: () => void } };
  inside.udp.send = () => undefined;
  await overlay.stop();
}

it('a transport that is closed while it is opened hears nothing any more', async () => {
  const opened = Promise.withResolvers<Session>();
  const mcp = { open: () => opened.promise } as unknown as OverlayMcp;
  const transport = overlayClientTransport(mcp, 'box/tools');
  const heard: unknown[] = [];
  transport.onmessage = (said) => heard.push(said);
  transport.onclose = () => heard.push('closed');
  const started = transport.start();
  await transport.close();
  let isClosed = false;
  opened.resolve({
    start: ({ onLine }: SessionHandlers) => void onLine('', { jsonrpc: '2.0', method: 'notifications/x' }),
    close: () => {
      isClosed = true;
      return Promise.resolve();
    },
  } as unknown as Session);
  await started;
  expect([heard, isClosed]).toEqual([['closed'], true]);
});
