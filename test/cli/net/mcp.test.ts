/** `serve-mcp` and `connect-mcp`: a real MCP client on one node, a real MCP server on another, and everything between them killed once. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { CreateMessageRequestSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAlive, Machines, type Served, until } from './mcp-machines.ts';

const EVERYTHING = [
  process.execPath,
  resolve(import.meta.dirname, '../../../node_modules/@modelcontextprotocol/server-everything/dist/index.js'),
];

let machines: Machines;
let everything: Served;
beforeAll(async () => {
  machines = await Machines.start();
  everything = await machines.serve('everything', EVERYTHING);
});
afterAll(async () => {
  await machines[Symbol.asyncDispose]();
});

describe('an MCP client whose server runs on another node', () => {
  it('does all that it does with a local one', async () => {
    const connected = await machines.connect('everything');
    const { client } = connected;
    client.setRequestHandler(CreateMessageRequestSchema, () => ({
      model: 'none',
      role: 'assistant',
      content: { type: 'text', text: 'forty-two' },
    }));
    client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name: 'Ada', check: true } }));
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(expect.arrayContaining(['echo', 'get-sum', 'trigger-sampling-request']));
    expect(await connected.call('echo', { message: 'über\nzwei Zeilen' })).toBe('Echo: über\nzwei Zeilen');
    expect(await connected.call('get-sum', { a: 19, b: 23 })).toBe('The sum of 19 and 23 is 42.');
    const megabyte = 'x'.repeat(1_000_000);
    expect(await connected.call('echo', { message: megabyte })).toBe(`Echo: ${megabyte}`);
    expect(await connected.call('trigger-sampling-request', { prompt: 'a number?' })).toContain('forty-two');
    expect(await connected.call('trigger-elicitation-request')).toContain('Ada');
    const { resources } = await client.listResources();
    const uri = resources[0]?.uri ?? '';
    expect((await client.readResource({ uri })).contents).toHaveLength(1);
    const progress: number[] = [];
    const long = { name: 'trigger-long-running-operation', arguments: { duration: 0.2, steps: 4 } };
    const options = { onprogress: (at: { readonly progress: number }) => void progress.push(at.progress) };
    expect(await client.callTool(long, undefined, options)).toMatchObject({
      content: [{ text: expect.stringContaining('completed') }],
    });
    expect(progress).toEqual([1, 2, 3, 4]);
    const cancel = new AbortController();
    const cancelled = client.callTool({ ...long, arguments: { duration: 60, steps: 600 } }, undefined, {
      signal: cancel.signal,
      onprogress: () => cancel.abort('enough'),
    });
    await expect(cancelled).rejects.toThrow('enough');
    expect(await connected.call('get-sum', { a: 1, b: 2 })).toContain('3');
    expect(connected.stderr).toBe("connected to 'everything' at hub\n");
    const [pid = 0] = everything.pids;
    expect(isAlive(pid)).toBe(true);
    await client.close();
    await until('its server is gone', () => !isAlive(pid));
  });

  it('two at once have a server process each; the one of a killed client ends, the other goes on', async () => {
    const [first, second] = await Promise.all([machines.connect('everything'), machines.connect('hub/everything')]);
    const [one = 0, two = 0] = everything.pids.slice(-2);
    expect(one).not.toBe(two);
    const answers = await Promise.all([first, second].map((each, i) => each.call('get-sum', { a: i, b: 40 })));
    expect(answers).toEqual(['The sum of 0 and 40 is 40.', 'The sum of 1 and 40 is 41.']);
    process.kill(first.pid, 'SIGKILL');
    await until('a server is gone', () => !isAlive(one) || !isAlive(two));
    expect([one, two].filter(isAlive)).toHaveLength(1);
    expect(await second.call('get-sum', { a: 2, b: 2 })).toContain('4');
    await second.client.close();
    await until('both are gone', () => !isAlive(one) && !isAlive(two));
  });

  it('a client that has closed its end gets what it has asked for, and then it ends', async () => {
    const child = machines.cli('connect-mcp', 'everything', '--dir', join(machines.path, 'laptop'));
    let stdout = '';
    child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    const say = (message: object): void => void child.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    const clientInfo = { name: 'pipe', version: '1' };
    say({ id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo } });
    say({ method: 'notifications/initialized' });
    const long = { name: 'trigger-long-running-operation', arguments: { duration: 0.3, steps: 1 } };
    say({ id: 2, method: 'tools/call', params: long });
    child.stdin?.end();
    expect(await once(child, 'close')).toEqual([0, null]);
    const answered = stdout.split('\n').flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { id?: number }).id]));
    expect(answered).toEqual(expect.arrayContaining([1, 2]));
  });

  it('a server that is killed in the middle of a call: the client is told, and why', async () => {
    const connected = await machines.connect('everything');
    const call = connected.call('trigger-long-running-operation', { duration: 60, steps: 2 });
    call.catch(() => undefined);
    await connected.call('echo', { message: 'so the call before has arrived' });
    process.kill(everything.pids.at(-1) ?? 0, 'SIGKILL');
    await expect(call).rejects.toThrow('Connection closed');
    await connected.closed;
    await until('it is told', () => connected.stderr.includes('its process was ended by SIGKILL'));
    expect(connected.stderr).toContain('NET_MCP_ENDED');
    await until('it is told where it is served', () => everything.events.at(-1)?.type === 'session_ended');
    expect(everything.events.at(-1)).toMatchObject({ from: 'laptop', why: 'its process was ended by SIGKILL' });
  });
});

describe('serve-mcp', () => {
  it('is refused a name that is served already', async () => {
    const child = machines.cli('serve-mcp', 'everything', '--dir', join(machines.path, 'hub'), '--', ...EVERYTHING);
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    expect(await once(child, 'close')).toEqual([1, null]);
    expect(stderr).toContain('NET_MCP_TAKEN');
  });

  it('killed, takes its servers with it, though they heed nothing and stand behind a shell; the client is told', async () => {
    const deaf = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); process.stdin.on('data', (d) => {
      const { id } = JSON.parse(String(d).split('\\n')[0]);
      console.log(JSON.stringify({ jsonrpc: '2.0', id, result: { protocolVersion: '2025-06-18', capabilities: {}, serverInfo: { name: 'deaf', version: String(process.pid) } } }));
    })`;
    const served = await machines.serve('deaf', ['/bin/sh', '-c', `"$0" -e "$1"; true`, process.execPath, deaf]);
    const connected = await machines.connect('deaf');
    const shell = served.pids[0] ?? 0;
    const inner = Number(connected.client.getServerVersion()?.version);
    expect([shell, inner].map(isAlive)).toEqual([true, true]);
    served.child.kill('SIGKILL');
    await connected.closed;
    await until('all are gone', () => !isAlive(shell) && !isAlive(inner));
    await until('it is told', () => connected.stderr.includes('NET_MCP_ENDED'));
    // The name is free again.
    await machines.serve('deaf', ['true']);
  });

  it('refuses a command that is not there before anybody comes for it', async () => {
    for (const command of ['/nowhere/at/all', 'no-such-command-anywhere', machines.path]) {
      const child = machines.cli('serve-mcp', 'missing', '--dir', join(machines.path, 'hub'), '--', command);
      let stderr = '';
      child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
      expect(await once(child, 'close')).toEqual([2, null]);
      expect(stderr).toContain(`USAGE: '${command}' is no command that can be run here`);
    }
  });

  it('says when each thing has happened', async () => {
    const child = machines.cli('serve-mcp', 'timed', '--dir', join(machines.path, 'hub'), '--', 'true');
    const [line] = (await once(child.stdout as Readable, 'data')) as [Buffer];
    expect(line.toString()).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} 'timed' is served; /);
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('a command that cannot be run after all: the client is told', async () => {
    const script = join(machines.path, 'missing.sh');
    writeFileSync(script, '#!/nowhere/at/all\n', { mode: 0o755 });
    await machines.serve('missing', [script]);
    const told = machines.client('missing');
    await expect(told.client.connect(told.transport)).rejects.toThrow('Connection closed');
    await until('it is told', () => told.stderr.includes('its process could not be started (ENOENT)'));
  });

  it('lets in only whom it names', async () => {
    const served = await machines.serve('private', EVERYTHING, '--allow', 'nobody', '--allow', 'hub');
    await until('it is told', () =>
      served.stderr.includes('--allow nobody: no node that is known here is called so; it is let in when it comes'),
    );
    expect(served.stderr).not.toContain('--allow hub');
    const refused = machines.client('hub/private');
    await expect(refused.client.connect(refused.transport)).rejects.toThrow('Connection closed');
    await until('it is told', () => refused.stderr.includes('NET_MCP_REFUSED'));
  });
});

it('a node that stops ends the sessions; its names are served again when it runs again', async () => {
  const connected = await machines.connect('everything');
  const pid = everything.pids.at(-1) ?? 0;
  const served = everything.events.filter(({ type }) => type === 'serving').length;
  await machines.stopHub();
  await connected.closed;
  await until('it is told', () => connected.stderr.includes('NET_MCP_ENDED'));
  await until('its server is gone', () => !isAlive(pid));
  await until('it waits', () => everything.stderr.includes('this waits for'));
  await machines.startHub();
  await until('it is served again', () => everything.events.filter(({ type }) => type === 'serving').length > served);
  const again = await machines.connect('everything');
  expect(await again.call('echo', { message: 'back' })).toContain('back');
});

it('a client that comes before the server is there again finds it; a person ends what is served, while the node is away as well', async () => {
  await machines.stopHub();
  await until('it waits once more', () => (everything.stderr.match(/this waits for/g)?.length ?? 0) > 1);
  const early = machines.client('everything');
  const connecting = early.client.connect(early.transport);
  await until('it looks', () => early.stderr.includes('is not found yet'));
  await machines.startHub();
  await connecting;
  expect(await early.call('echo', { message: 'early' })).toContain('early');
  await machines.stopHub();
  await until('it waits again', () => (everything.stderr.match(/this waits for/g)?.length ?? 0) > 2);
  everything.child.kill('SIGINT');
  expect(await everything.exited).toBe(0);
});
