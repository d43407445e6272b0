/** Tool servers as child processes: what they see, what they answer, and what is known when they break. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { KEY_META } from '../../actors/mcp-client.ts';
import { folder, LeafDrive, probe, probeV1, serverPath, stdio } from './leaf-drive.ts';

let dir: ReturnType<typeof folder>;
let open: LeafDrive[] = [];
const drive = (...args: ConstructorParameters<typeof LeafDrive>): LeafDrive => {
  const made = new LeafDrive(...args);
  open.push(made);
  return made;
};
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
/** Looks again until it holds; the test's own time-out is the limit. */
const until = async (check: () => boolean): Promise<void> => {
  while (!check()) await sleep(5);
};

/** For all tests that leave it alive: starting a process is what takes the time here. */
let shared: LeafDrive;
const sharedFolder = folder();
beforeAll(() => {
  const env = { PROBE_FILE: sharedFolder.file('log'), PLAIN: 'a', NAMED: { env: 'LEDGER_KEY' } };
  process.env['REPRISE_TEST_SECRET'] = 'must not be seen';
  shared = new LeafDrive(probe(env), { secrets: { env: { LEDGER_KEY: 'resolved' }, readFile: () => '' } });
});
afterAll(async () => {
  delete process.env['REPRISE_TEST_SECRET'];
  await shared.close();
  sharedFolder.remove();
});
beforeEach(() => {
  dir = folder();
});
afterEach(async () => {
  await Promise.all(open.map((d) => d.close()));
  open = [];
  dir.remove();
});

describe('servers of today', () => {
  it('server-everything: tools with annotations, text, structured content, progress', async () => {
    const everything = drive(stdio([serverPath('server-everything')]));
    const { identity, tools } = await everything.connected();
    expect(identity).toEqual({ name: 'mcp-servers/everything', version: '2.0.0', protocol: '2025-11-25' });
    expect(tools?.find((t) => t.name === 'get-sum')).toMatchObject({
      annotations: { readOnlyHint: true },
      inputSchema: { type: 'object', required: ['a', 'b'] },
    });
    expect(await everything.output('get-sum', { a: 19, b: 23 })).toBe('The sum of 19 and 23 is 42.');
    expect(await everything.output('get-structured-content', { location: 'Chicago' })).toMatchObject({ temperature: 36 });
    const long = everything.call('trigger-long-running-operation', { duration: 0.6, steps: 6 }, { timeoutMs: 400 });
    expect(await long).toMatchObject({ output: expect.stringContaining('completed') });
    expect(await everything.call('get-sum', { a: 'x' })).toMatchObject({ error: { code: 'TOOL_FAILED' } });
  });

  it('server-filesystem: reads its folder and refuses what lies outside', async () => {
    const files = drive(stdio([serverPath('server-filesystem'), dir.path]));
    await files.output('write_file', { path: dir.file('a.txt'), content: 'hello' });
    expect(dir.lines('a.txt')).toEqual(['hello']);
    expect(await files.output('read_text_file', { path: dir.file('a.txt') })).toEqual({ content: 'hello' });
    expect(await files.call('read_text_file', { path: '/etc/hostname' })).toMatchObject({
      error: { code: 'TOOL_FAILED', data: { content: expect.stringContaining('Access denied'), retryable: false } },
    });
  });

  it('one built with version 1 of the SDK', async () => {
    const v1 = drive(probeV1());
    expect((await v1.connected()).identity).toMatchObject({ name: 'probe-v1', protocol: '2025-11-25' });
    expect(await v1.output('add', { a: 1, b: 2 }, { key: 'agent!7.1' })).toMatchObject({
      sum: 3,
      meta: { [KEY_META]: 'agent!7.1', traceparent: expect.stringContaining('-1111') },
    });
    expect(await v1.call('throw')).toMatchObject({ error: { code: 'TOOL_FAILED', data: { content: 'out of funds' } } });
  });

  it('one built with version 2 speaks its revision when asked to, and the old one by default', async () => {
    const modern = drive(probe(), { protocol: 'auto' });
    expect((await shared.connected()).identity.protocol).toBe('2025-11-25');
    expect((await modern.connected()).identity.protocol).toBe('2026-07-28');
    expect(await modern.output('given', { x: 1 }, { key: 'agent!7.1' })).toMatchObject({ meta: { [KEY_META]: 'agent!7.1' } });
  });
});

describe('what a server is given', () => {
  it('the key in _meta, in the argument that the config names, and the trace', async () => {
    expect(await shared.output('given', { x: 1 }, { key: 'desk/case/7!12.0', keyArgument: 'idempotency_key' })).toEqual({
      args: { x: 1, idempotency_key: 'desk/case/7!12.0' },
      meta: {
        [KEY_META]: 'desk/case/7!12.0',
        traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
        tracestate: 'a=b',
        progressToken: expect.anything(),
      },
    });
  });

  it('the environment that the config names, and of ours only what every program needs', async () => {
    const seen = (await shared.output('environment')) as Record<string, string>;
    expect(seen).toMatchObject({ PLAIN: 'a', NAMED: '[secret LEDGER_KEY]' });
    const ours = Object.keys(seen).filter((name) => !['PLAIN', 'NAMED', 'PROBE_FILE'].includes(name));
    expect(['HOME', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'USER']).toEqual(expect.arrayContaining(ours));
  });

  it('a secret that is not there is told, with its name, until it is there', async () => {
    const env: Record<string, string> = {};
    const server = drive(probe({ KEY: { env: 'LEDGER_KEY' } }), { secrets: { env, readFile: () => '' } });
    const down = await server.event('reprise.mcp.down');
    expect(down.error).toMatchObject({ code: 'SECRET_MISSING', message: expect.stringContaining('LEDGER_KEY') });
    env['LEDGER_KEY'] = 'now it is';
    await server.connected();
  });
});

it('a secret that comes back is taken out of results, refusals, last words and logs', async () => {
  const secret = 'sk-0123456789';
  const server = drive(probe({ PROBE_SECRET: { env: 'KEY' } }), { secrets: { env: { KEY: secret }, readFile: () => '' } });
  expect(await server.output('leak', { how: 'result' })).toEqual({ '[secret KEY]': 'Basic [secret KEY]' });
  const refused = await server.call('leak', { how: 'error' });
  // Where the message of an error is cut, in the middle of the secret.
  const cut = await Promise.all([
    server.call('leak', { how: 'error', pad: 490 }),
    server.call('leak', { how: 'throw', pad: 490 }),
  ]);
  expect(cut).toMatchObject([{ error: { code: 'TOOL_FAILED' } }, { error: { code: 'TOOL_FAILED' } }]);
  for (const end of cut) {
    expect('error' in end && end.error.message).toContain('x'.repeat(450));
    expect('error' in end && end.error.message).not.toContain('sk-');
  }
  const lost = await server.call('leak', { how: 'death' });
  expect(lost).toMatchObject({ error: { message: expect.stringMatching(/its last words: .*the secret is \[secret KEY\]/) } });
  await server.connected(2);
  const told = JSON.stringify([refused, lost, server.events, server.logs]);
  expect(told).toContain('[secret KEY]');
  expect(told).not.toContain(secret);
  expect(told).not.toContain(Buffer.from(secret).toString('base64'));
});

describe('a server that dies', () => {
  const died = (inDoubt: 'retry' | 'park' | 'ask' | 'fail') => ({ inDoubt, timeoutMs: 5_000 });

  it('under a call that may be repeated: an ordinary failure, to be tried again', async () => {
    const server = drive(probe({ PROBE_FILE: dir.file('log') }));
    expect(await server.call('set', { line: 'a', end: 'die-after' }, died('retry'))).toMatchObject({
      error: { code: 'MCP_FAILED', data: { sent: true, retryable: true } },
    });
    expect(await server.call('set', { line: 'a' }, died('retry'))).toEqual({ output: { set: 'a' } });
    expect(dir.lines('log')).toEqual(['a', 'a']);
  });

  it('under any other call: in doubt, not tried again', async () => {
    const server = drive(probe({ PROBE_FILE: dir.file('log') }));
    for (const policy of ['park', 'ask', 'fail'] as const)
      expect(await server.call('post', { line: policy, end: 'die-after' }, died(policy))).toMatchObject({
        doubt: { code: 'MCP_FAILED', data: { sent: true } },
      });
    await server.connected(4);
    expect(dir.lines('log')).toEqual(['park', 'ask', 'fail']);
  });

  it('is started again with growing pauses; calls wait for it meanwhile', async () => {
    const server = drive(probe());
    await server.connected();
    const first = server.pid as number;
    process.kill(first, 'SIGKILL');
    const down = await server.event('reprise.mcp.down');
    expect(down).toMatchObject({ error: { code: 'MCP_FAILED' }, againMs: 10 });
    expect(await server.output('given')).toMatchObject({ args: {} });
    const second = server.pid as number;
    expect(second).not.toBe(first);
    process.kill(second, 'SIGKILL');
    expect(await server.event('reprise.mcp.down', 2)).toMatchObject({ againMs: 20 });
    expect((await server.connected(3)).tools).toBeUndefined();
  });

  it('at each start is told once, with its last words, and tried for ever', async () => {
    const server = drive(stdio(['-e', 'console.error("no licence"); process.exit(3)']));
    const down = await server.event('reprise.mcp.down');
    expect(down.error).toMatchObject({ code: 'MCP_FAILED', message: expect.stringContaining('no licence') });
    await until(() => server.logs.filter((line) => line === 'no licence').length >= 3);
    expect(server.events.map((e) => e.type)).toEqual(['reprise.mcp.opening', 'reprise.mcp.down']);
  });

  it('because there is no such program', async () => {
    const server = drive({ kind: 'stdio', command: 'no-such-program-here', args: [], env: {} });
    expect((await server.event('reprise.mcp.down')).error.message).toContain('no-such-program-here');
  });
});

describe('a call in doubt whose fate can be asked', () => {
  const query = { tool: 'find', keyArgument: 'key' };
  const after = { doubt: true as const, inDoubt: 'ask' as const, keyArgument: 'key', query };
  const times = (line: string): number => sharedFolder.lines('log').filter((l) => l === line).length;

  it('is not made again when it took effect: its result is what the query found', async () => {
    await shared.output('post', { line: 'a' }, { key: 'agent!1.0', keyArgument: 'key' });
    expect(await shared.output('post', { line: 'a' }, { ...after, key: 'agent!1.0' })).toEqual({ posted: 'a' });
    expect(times('a agent!1.0')).toBe(1);
  });

  it('is made when it did not', async () => {
    expect(await shared.output('post', { line: 'b' }, { ...after, key: 'agent!2.0' })).toEqual({ posted: 'b' });
    expect(times('b agent!2.0')).toBe(1);
  });

  it('is asked about too when it only did not answer in time', async () => {
    const late = await shared.call(
      'post',
      { line: 'd', end: 'hang' },
      { key: 'agent!4.0', inDoubt: 'ask', query, timeoutMs: 100 },
    );
    expect(late).toMatchObject({ doubt: { code: 'TOOL_TIMEOUT' } });
  });

  it('is not made when the answer is unclear', async () => {
    for (const tool of ['vague', 'no-such-tool']) {
      const unclear = { ...after, key: 'agent!3.0', query: { tool, keyArgument: 'key' } };
      expect(await shared.call('post', { line: 'c' }, unclear)).toMatchObject({ error: { code: 'EFFECT_IN_DOUBT' } });
    }
    expect(times('c agent!3.0')).toBe(0);
  });
});

describe('limits', () => {
  const cancelled = (): number => shared.logs.filter((line) => line === 'wait was cancelled').length;

  it('a call without a sign of life ends, says whether it may have taken effect, and is cancelled at the server', async () => {
    await shared.connected();
    const timedOut = await shared.call('wait', { ms: 5_000 }, { timeoutMs: 50, inDoubt: 'park' });
    expect(timedOut).toMatchObject({ error: { code: 'TOOL_TIMEOUT', data: { inDoubt: true } } });
    await until(() => cancelled() === 1);
    expect(await shared.call('wait', { ms: 5_000 }, { timeoutMs: 50 })).toMatchObject({ error: { data: { inDoubt: false } } });
    await until(() => cancelled() === 2);
  });

  it('progress is a sign of life, but the whole call has a limit too', async () => {
    await shared.connected();
    expect(await shared.output('wait', { ms: 400, every: 40 }, { timeoutMs: 250 })).toBe('waited 400 ms');
    const endless = await shared.call('wait', { ms: 60_000, every: 20 }, { timeoutMs: 250, remainingMs: 300 });
    expect(endless).toMatchObject({ error: { code: 'TOOL_TIMEOUT', message: expect.stringContaining('within 300 ms') } });
  });

  it('a call that is stopped says nothing more and is cancelled at the server', async () => {
    await shared.connected();
    const begun = shared.begin('wait', { ms: 5_000 });
    await sleep(50);
    const before = cancelled();
    begun.stop();
    await until(() => cancelled() === before + 1);
    expect(await Promise.race([begun.end, sleep(20, 'nothing')])).toBe('nothing');
  });

  it('a call that found no server was not sent', async () => {
    const server = drive(stdio(['-e', 'setTimeout(() => {}, 60000)']), { limits: { connectMs: 100 } });
    expect(await server.call('given', {}, { timeoutMs: 80, inDoubt: 'park' })).toMatchObject({
      error: { code: 'MCP_FAILED', data: { sent: false, retryable: true } },
    });
    // It never answers the handshake: told, ended, started again.
    expect((await server.event('reprise.mcp.down')).error.message).toContain('timed out');
  });

  it('a large answer is refused, a larger one breaks the connection; the server is up again after', async () => {
    const server = drive(probe(), { limits: { resultBytesMax: 100_000 } });
    expect(await server.output('big', { bytes: 90_000 })).toHaveLength(90_000);
    expect(await server.call('big', { bytes: 150_000 })).toMatchObject({
      error: { code: 'PAYLOAD_TOO_LARGE', data: { retryable: false } },
    });
    const broken = await server.call('big', { bytes: 900_000 });
    expect(broken).toMatchObject({ error: { code: 'MCP_FAILED', message: expect.stringContaining('exceeded maximum size') } });
    expect(await server.output('given')).toMatchObject({ args: {} });
  });

  it('large arguments, and such as are no object, are refused before they are sent', async () => {
    const server = drive(probe(), { limits: { argsBytesMax: 1_000 } });
    expect(await server.call('given', { x: 'x'.repeat(1_000) })).toMatchObject({
      error: { code: 'PAYLOAD_TOO_LARGE', data: { sent: false } },
    });
    expect(await server.call('given', ['a'])).toMatchObject({ error: { code: 'TOOL_FAILED', data: { sent: false } } });
  });
});

it('garbage on stdout harms no call, and what is no message is logged', async () => {
  const server = drive(probe({ PROBE_NOISE: '1' }));
  expect(await server.output('given', { x: 1 })).toMatchObject({ args: { x: 1 } });
  expect(server.logs.some((line) => line.includes('Invalid'))).toBe(true);
});

it('new tools of a running server are told', async () => {
  expect((await shared.connected()).tools?.map((t) => t.name)).not.toContain('grown');
  await shared.output('grow');
  expect((await shared.event('reprise.mcp.tools')).tools.map((t) => t.name)).toContain('grown');
  expect(await shared.output('grown')).toBe('new');
});

it('a server that does not end with its stdin is ended before the connection counts as closed, and before a next one starts', async () => {
  const server = drive(probe({ PROBE_TIMER: 'yes' }));
  await server.connected();
  const first = server.pid as number;
  server.reopen();
  await server.connected(2);
  const second = server.pid as number;
  expect([second === first, isAlive(first), isAlive(second)]).toEqual([false, false, true]);
  await server.close();
  expect(isAlive(second)).toBe(false);
});

it('a closed connection leaves no process behind, not even one that never answered', async () => {
  const server = drive(probe());
  await server.connected();
  const pid = server.pid as number;
  await server.close();
  await until(() => !isAlive(pid));
  const mute = drive(stdio(['-e', 'console.error(process.pid); process.stdin.on("end", () => process.exit()).resume()']));
  await until(() => mute.logs.length > 0);
  await mute.close();
  await until(() => !isAlive(Number(mute.logs[0])));
  expect([pid, Number(mute.logs[0])].filter(isAlive)).toEqual([]);
});
