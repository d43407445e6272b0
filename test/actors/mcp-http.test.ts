/** Tool servers over Streamable HTTP: a real one, and one that misbehaves. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KEY_META } from '../../actors/mcp-client.ts';
import { type Behaviour, HttpProbe } from './http-probe.ts';
import { folder, LeafDrive, serverPath, type TransportPlan } from './leaf-drive.ts';

let probe: HttpProbe;
let open: LeafDrive[] = [];
const http = (url: string, headers: Extract<TransportPlan, { kind: 'http' }>['headers'] = {}): TransportPlan => ({
  kind: 'http',
  url,
  headers,
});
const drive = (...args: ConstructorParameters<typeof LeafDrive>): LeafDrive => {
  const made = new LeafDrive(...args);
  open.push(made);
  return made;
};
const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

beforeEach(async () => {
  probe = await new HttpProbe().listen();
});
afterEach(async () => {
  await Promise.all(open.map((d) => d.close()));
  open = [];
  await probe.close();
});

it('server-everything: the same tools as over stdio', async () => {
  const port = await freePort();
  const child = spawn(process.execPath, [serverPath('server-everything'), 'streamableHttp'], {
    env: { PATH: process.env['PATH'], PORT: String(port) },
    stdio: 'ignore',
  });
  try {
    const everything = drive(http(`http://127.0.0.1:${port}/mcp`));
    expect((await everything.connected()).identity.name).toBe('mcp-servers/everything');
    expect(await everything.output('get-sum', { a: 19, b: 23 })).toBe('The sum of 19 and 23 is 42.');
    const long = everything.call('trigger-long-running-operation', { duration: 0.4, steps: 4 }, { timeoutMs: 300 });
    expect(await long).toMatchObject({ output: expect.stringContaining('completed') });
    child.kill('SIGKILL');
    expect(await everything.call('get-sum', { a: 1, b: 1 }, { timeoutMs: 2_000 })).toMatchObject({
      error: { code: 'MCP_FAILED', data: { retryable: true } },
    });
  } finally {
    child.kill('SIGKILL');
  }
});

it('a call carries key, trace and the headers of the config', async () => {
  const server = drive(http(probe.url, { 'x-team': 'desk', authorization: { env: 'TOKEN', prefix: 'Bearer ' } }), {
    secrets: { env: { TOKEN: 't0ken' }, readFile: () => '' },
  });
  await server.output('get', {}, { key: 'agent!7.1' });
  expect(probe.calls[0]).toMatchObject({
    meta: { [KEY_META]: 'agent!7.1', traceparent: expect.stringContaining('-1111') },
    headers: { 'x-team': 'desk', authorization: 'Bearer t0ken' },
  });
});

describe('a call that was answered badly', () => {
  const cases: readonly [what: string, how: Behaviour, error: Record<string, unknown>][] = [
    ['500', { status: 500 }, { code: 'MCP_FAILED', data: { sent: true, retryable: true, status: 500 } }],
    ['503', { status: 503 }, { code: 'MCP_FAILED', data: { sent: true, retryable: true } }],
    ['429', { status: 429 }, { code: 'MCP_FAILED', data: { sent: false, retryable: true } }],
    ['408', { status: 408 }, { code: 'MCP_FAILED', data: { sent: true, retryable: true } }],
    [
      '422',
      { status: 422, body: 'no such field' },
      { code: 'MCP_FAILED', message: expect.stringContaining('no such field'), data: { sent: false, retryable: false } },
    ],
    ['403', { status: 403 }, { code: 'TOOL_FAILED', data: { status: 403, retryable: false } }],
    ['a stream that ends without an answer', 'cut', { code: 'MCP_FAILED', data: { sent: true, retryable: true } }],
    ['a reset connection', 'reset', { code: 'MCP_FAILED', data: { sent: true, retryable: true } }],
    ['a web page', { contentType: 'text/html' }, { code: 'MCP_FAILED', data: { sent: true } }],
    ['JSON that is no answer', { raw: '{"hello":1}' }, { code: 'MCP_FAILED', data: { sent: true } }],
    ['half of a JSON', { raw: '{"jsonrpc":' }, { code: 'MCP_FAILED', data: { sent: true } }],
  ];
  it.each(cases)('%s', async (_what, how, error) => {
    const server = drive(http(probe.url));
    await server.connected();
    probe.next = [how];
    expect(await server.call('get')).toMatchObject({ error });
    expect(await server.output('get')).toBe('did get');
  });

  it('with a redirect to another place is not followed: the credentials stay here', async () => {
    const other = await new HttpProbe().listen();
    const server = drive(http(probe.url));
    probe.next = [{ status: 307, headers: { location: other.url } }];
    expect(await server.call('post', {}, { inDoubt: 'park' })).toMatchObject({
      error: { code: 'MCP_FAILED', data: { sent: false, retryable: false } },
    });
    expect(other.requests).toBe(0);
    await other.close();
  });

  it('is in doubt when it must not be repeated', async () => {
    const server = drive(http(probe.url));
    probe.next = [{ status: 502 }, 'reset', { status: 429 }];
    for (let i = 0; i < 2; i++)
      expect(await server.call('post', {}, { inDoubt: 'park' })).toMatchObject({ doubt: { code: 'MCP_FAILED' } });
    // Refused before anything happened: no doubt about that.
    expect(await server.call('post', {}, { inDoubt: 'park' })).toMatchObject({ error: { data: { sent: false } } });
  });
});

describe('a call in doubt whose fate can be asked', () => {
  const doubtful = { doubt: true as const, inDoubt: 'ask' as const, query: { tool: 'get', keyArgument: 'key' } };
  const called = (): string[] => probe.calls.map((c) => c.name);

  it('stays in doubt until the asking is answered: it is asked again and again, and not made', async () => {
    const server = drive(http(probe.url));
    probe.next = [{ status: 429 }, 'reset', { says: '{"found":true,"result":7}' }];
    expect(await server.output('post', {}, doubtful)).toBe(7);
    expect(called()).toEqual(['get', 'get', 'get']);
  });

  it('stays in doubt when the server is not there to be asked', async () => {
    const server = drive(http(`http://127.0.0.1:${await freePort()}/mcp`));
    expect(await server.call('post', {}, { ...doubtful, timeoutMs: 80 })).toMatchObject({ doubt: { code: 'TOOL_TIMEOUT' } });
  });

  it('is an ordinary call again when it did not happen', async () => {
    const server = drive(http(probe.url));
    probe.next = [{ says: '{"found":false}' }, { status: 429 }];
    expect(await server.call('post', {}, doubtful)).toMatchObject({ error: { code: 'MCP_FAILED', data: { sent: false } } });
    expect(called()).toEqual(['get', 'post']);
  });
});

describe('an answer that is too large', () => {
  const limits = { resultBytesMax: 100_000 };
  it.each(['json', 'stream'] as const)('is refused, as %s', async (as) => {
    const server = drive(http(probe.url), { limits });
    probe.next = [
      { bytes: 90_000, as },
      { bytes: 150_000, as },
    ];
    expect(await server.output('get')).toHaveLength(90_000);
    expect(await server.call('get')).toMatchObject({ error: { code: 'PAYLOAD_TOO_LARGE', data: { retryable: false } } });
  });

  it('is broken off when it is far too large, before it fills the memory', async () => {
    const server = drive(http(probe.url), { limits });
    probe.next = [
      { bytes: 900_000, as: 'json' },
      { bytes: 900_000, as: 'stream' },
    ];
    expect(await server.call('get')).toMatchObject({ error: { code: 'PAYLOAD_TOO_LARGE' } });
    expect(await server.call('get')).toMatchObject({
      error: { code: 'MCP_FAILED', message: expect.stringContaining('larger than') },
    });
    expect(await server.output('get')).toBe('did get');
  });
});

it('a call that is never answered ends at its limit', async () => {
  const server = drive(http(probe.url));
  await server.connected();
  probe.next = ['hang'];
  expect(await server.call('post', {}, { timeoutMs: 60, inDoubt: 'park' })).toMatchObject({
    error: { code: 'TOOL_TIMEOUT', data: { inDoubt: true } },
  });
});

it('a session that the server has forgotten is made anew; the call was not taken', async () => {
  const server = drive(http(probe.url));
  await server.output('get');
  probe.forget();
  expect(await server.call('post', {}, { inDoubt: 'park' })).toMatchObject({
    error: { code: 'MCP_FAILED', data: { sent: false, retryable: true } },
  });
  expect(await server.output('post')).toBe('did post');
  expect(probe.calls.map((c) => c.name)).toEqual(['get', 'post']);
});

it('other calls of a lost session are still answered', async () => {
  const server = drive(http(probe.url));
  await server.connected();
  probe.next = ['hang', 'reset'];
  const slow = server.begin('get', {});
  await sleep(30);
  await server.call('get');
  await server.connected(2);
  expect(await Promise.race([slow.end, sleep(50, 'still waits')])).toBe('still waits');
  slow.stop();
});

it('a server that is not there yet is waited for', async () => {
  const port = await freePort();
  const server = drive(http(`http://127.0.0.1:${port}/mcp`));
  expect((await server.event('reprise.mcp.down')).error.message).toContain('ECONNREFUSED');
  const late = await new HttpProbe().listen(port);
  expect(await server.output('get')).toBe('did get');
  await server.close();
  await late.close();
});

it('refused credentials are told, and read anew at each connect', async () => {
  const dir = folder();
  writeFileSync(dir.file('token'), 'old-token\n');
  probe.password = 'Bearer new-token';
  const server = drive(http(probe.url, { authorization: { file: dir.file('token'), prefix: 'Bearer ' } }));
  expect((await server.event('reprise.mcp.down')).error.message).toContain('refuses the credentials');
  writeFileSync(dir.file('token'), 'new-token\n');
  expect(await server.output('get')).toBe('did get');
  // The key is changed while the connection lives.
  probe.password = 'Bearer newer-token';
  expect(await server.call('post', {}, { inDoubt: 'park' })).toMatchObject({ error: { data: { sent: false, retryable: true } } });
  writeFileSync(dir.file('token'), 'newer-token\n');
  expect(await server.output('post')).toBe('did post');
  expect(JSON.stringify([server.events, server.logs])).not.toContain('-token');
  dir.remove();
});
