/** `reprise doctor`: what is right, what is not, and that nothing of the mesh is touched. */
import { existsSync, readdirSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { nodeVersion } from '../../cli/doctor.ts';
import { runStoreKit } from '../../cli/store-kit.ts';
import { Folder, HELLO } from './processes.ts';

const ROOT = resolve(import.meta.dirname, '../..');
interface Report {
  readonly ok: boolean;
  readonly checks: readonly { readonly name: string; readonly status: string; readonly message: string }[];
}
const SERVER = `
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
serveStdio(() => {
  const server = new McpServer({ name: 'bank', version: '1.0.0' });
  server.registerTool('pay', { description: 'Pays.' }, async () => ({ content: [] }));
  return server;
});
`;

async function examine(
  folder: Folder,
  ...args: readonly string[]
): Promise<{ code: number | null; report: Report; readonly of: (name: string) => string }> {
  const { code, stdout } = await folder.call('doctor', '--json', ...args);
  const report = JSON.parse(stdout) as Report;
  const of = (name: string): string => {
    const found = report.checks.find((check) => check.name === name);
    return `${found?.status}: ${found?.message}`;
  };
  return { code, report, of };
}

describe('a mesh that is well', () => {
  const folder = new Folder({
    ...HELLO,
    'server.ts': SERVER,
    'mesh.yaml': `${HELLO['mesh.yaml']}tools:
  bank: { stdio: { command: '${process.execPath}', args: [server.ts] }, tools: { pay: { inDoubt: retry } } }
models:
  fake: { kind: scripted, replies: [hello] }
`,
  });
  symlinkSync(join(ROOT, 'node_modules/@modelcontextprotocol'), join(folder.path, 'node_modules/@modelcontextprotocol'));
  beforeAll(async () => {
    await (await folder.up()).kill('SIGTERM');
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  test('has nothing that failed, and leaves nothing behind', async () => {
    const before = readdirSync(folder.path);
    const { code, report, of } = await examine(folder);
    expect(report.checks.filter((check) => check.status === 'failed')).toEqual([]);
    expect([code, report.ok]).toEqual([0, true]);
    expect(of('node')).toBe(`ok: ${process.version}`);
    expect(of('store')).toMatch(/^ok: .*hello\.db, .* every checksum right$/);
    expect(of('clock')).toBe('ok: not behind the last record');
    expect(of('tools.bank')).toBe('ok: bank 1.0.0 offers pay');
    expect(of('models.fake')).toBe('ok: scripted/fake');
    expect(of('telemetry')).toMatch(/^skipped/);
    expect(of('conformance of sqlite:')).toMatch(/^ok: \d+ cases hold on a store that was thrown away$/);
    expect(readdirSync(folder.path)).toEqual(before);
  });
  test('says who owns the store while it runs', async () => {
    const up = await folder.up();
    expect((await examine(folder, '--store', 'memory:')).of('store')).toContain(`owned by process ${up.process.pid}`);
    await up.kill('SIGTERM');
  });
});

describe('what is not well is named', () => {
  const mesh = (more: string): Record<string, string> => ({
    ...HELLO,
    'mesh.yaml': `${HELLO['mesh.yaml']}store: "memory:"\n${more}`,
  });

  test('the mesh file', async () => {
    await using folder = new Folder({ ...HELLO, 'mesh.yaml': 'mesh: hello\nactors:\n  greeter: { modle: ./x.ts }\n' });
    const { code, report, of } = await examine(folder, '--store', 'memory:');
    expect([code, report.ok]).toEqual([1, false]);
    expect(of('config')).toContain('failed: ');
    expect(of('config')).toContain('mesh.yaml:3:14 actors.greeter.modle: unrecognized key');
    // What does not hang on it is looked at all the same.
    expect(of('conformance of memory:')).toMatch(/^ok/);
  });
  test('a module', async () => {
    await using folder = new Folder({
      ...HELLO,
      'mesh.yaml': 'mesh: hello\nstore: "memory:"\nactors:\n  greeter: { module: ./gone.ts }\n',
    });
    expect((await examine(folder)).of('config')).toMatch(
      /^failed: .*mesh\.yaml:4:22 actors\.greeter\.module: there is no file \.\/gone\.ts/,
    );
  });
  test('a server that does not start, and one that lacks a tool', async () => {
    await using folder = new Folder({
      ...mesh(`tools:
  none: { stdio: { command: /nowhere/none } }
  bank: { stdio: { command: '${process.execPath}', args: [server.ts] }, tools: { pey: { inDoubt: retry } } }
`),
      'server.ts': SERVER,
    });
    symlinkSync(join(ROOT, 'node_modules/@modelcontextprotocol'), join(folder.path, 'node_modules/@modelcontextprotocol'));
    const { code, of } = await examine(folder);
    expect(code).toBe(1);
    expect(of('tools.none')).toMatch(/^failed: .*none/);
    expect(of('tools.bank')).toBe('warning: it offers no pey, which the mesh file has policies for; it offers pay');
  });
  test('a secret that is not set, a model and a collector that do not answer', async () => {
    const answering = createServer((_request, response) => response.writeHead(401).end());
    await new Promise<void>((done) => void answering.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${(answering.address() as AddressInfo).port}/v1`;
    await using folder = new Folder(
      mesh(`models:
  here: { kind: openai-compatible, baseUrl: '${url}', model: a }
  away: { kind: openai-compatible, baseUrl: 'http://127.0.0.1:9/v1', model: a }
  keyless: { kind: openai-compatible, baseUrl: '${url}', model: a, apiKey: { env: REPRISE_TEST_NO_KEY } }
telemetry: { otlp: 'http://127.0.0.1:9' }
`),
    );
    const { code, of } = await examine(folder);
    answering.close();
    expect(code).toBe(1);
    expect(of('models.here')).toMatch(/^ok: /);
    expect(of('models.away')).toBe('warning: nothing answers at http://127.0.0.1:9/v1');
    expect(of('models.keyless')).toBe('failed: environment variable REPRISE_TEST_NO_KEY is not set');
    expect(of('telemetry')).toContain('warning: nothing answers');
    expect(of('store')).toContain('warning: memory: survives nothing');
  });
  test('a model whose module fails or is named by its key, without the key; a key whose file is empty', async () => {
    vi.stubEnv('REPRISE_TEST_KEY', 'k3y-0123456789');
    const key = 'apiKey: { env: REPRISE_TEST_KEY }';
    await using folder = new Folder({
      ...mesh(`models:
  failing: { kind: module, module: ./failing.ts, ${key} }
  telling: { kind: module, module: ./telling.ts, ${key} }
  empty: { kind: module, module: ./telling.ts, apiKey: { file: ./empty } }
`),
      'failing.ts': 'export default ({ apiKey }: { apiKey: string }) => { throw new Error(`no such key: ${apiKey}`); };',
      'telling.ts': 'export default ({ apiKey }: { apiKey: string }) => ({ id: `own/${apiKey}`, generate: () => undefined });',
      empty: '\n',
    });
    const { report, of } = await examine(folder);
    vi.unstubAllEnvs();
    expect(of('models.failing')).toBe('failed: no such key: [secret REPRISE_TEST_KEY]');
    expect(of('models.telling')).toBe('ok: own/[secret REPRISE_TEST_KEY]');
    expect(of('models.empty')).toBe('failed: secret file ./empty is empty');
    expect(JSON.stringify(report)).not.toContain('k3y-0123456789');
  });
  test('a store that something else has changed', async () => {
    await using folder = new Folder(HELLO);
    folder.write('hello.db', 'this is no store');
    const { of } = await examine(folder, '--store', 'memory:');
    expect(of('store')).toMatch(/^failed: /);
    expect(existsSync(folder.file('hello.db'))).toBe(true);
  });
});

test('a Node that is too old', () => {
  expect(nodeVersion('v22.17.9').status).toBe('failed');
  expect(nodeVersion('v20.20.2').status).toBe('failed');
  expect(nodeVersion('v22.18.0').status).toBe('ok');
  expect(nodeVersion('v26.0.0').status).toBe('ok');
});

test('the kit of a store that there is none of', async () => {
  await expect(runStoreKit('redis:', '/tmp')).rejects.toMatchObject({ code: 'USAGE' });
  const { passed, failures, without } = await runStoreKit('memory:', '/tmp');
  expect([failures, without]).toEqual([[], ['reopen']]);
  expect(passed).toBeGreaterThan(15);
});
