/** Model ports from a mesh file: each kind, and what is said when a file, a package or a key is missing. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ModelPort, textOf } from '../../actors/model-port.ts';
import { Vault } from '../../actors/secret.ts';
import { modelSource } from '../../cli/model-ports.ts';
import { missingPackage, peer } from '../../cli/peer.ts';
import { modelPlan } from '../../core/config/gateway-plan.ts';
import { pathText } from '../../core/config/problems.ts';
import type { ModelConfig } from '../../core/config/schema.ts';
import { folder } from './leaf-drive.ts';
import { OpenAiServer, words } from './openai-server.ts';

let dir: ReturnType<typeof folder>;
beforeEach(() => {
  dir = folder();
});
afterEach(() => dir.remove());

const ENV = { MODEL_KEY: 'sk-0123456789' };
const source = async (config: ModelConfig, env: Record<string, string> = ENV) => {
  const vault = new Vault({ env, readFile: () => '' });
  return { ...(await modelSource(modelPlan('main', config), dir.path, vault, pathText)), redactor: vault.redactor };
};
const port = async (config: ModelConfig, env?: Record<string, string>): Promise<ModelPort> =>
  (await source(config, env)).source();
const said = async (config: ModelConfig): Promise<string> =>
  textOf(
    await (
      await port(config)
    ).generate(
      { messages: [{ role: 'user', content: 'hi' }] },
      { signal: new AbortController().signal, idempotencyKey: 'a!1.0', nth: 0 },
    ),
  );
const module = (name: string, text: string): string => {
  writeFileSync(dir.file(name), text);
  return `./${name}`;
};
const wrong = (message: string | RegExp) =>
  expect.objectContaining({
    code: 'CONFIG_INVALID',
    message: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
  });

describe('scripted', () => {
  it('answers what the mesh file says, or a file beside it', async () => {
    expect(await said({ kind: 'scripted', replies: ['hello'] })).toBe('hello');
    writeFileSync(dir.file('answers.json'), JSON.stringify([{ content: [{ type: 'text', text: 'from a file' }] }]));
    expect(await said({ kind: 'scripted', file: 'answers.json' })).toBe('from a file');
    expect((await source({ kind: 'scripted', replies: [], timeout: '3s', concurrency: 2 })).terms).toEqual({
      timeoutMs: 3_000,
      concurrency: 2,
    });
  });

  it.each([
    ['none.json', undefined, /models\.main\.file: .*none\.json cannot be read as JSON/],
    ['bad.json', '[1,', /bad\.json cannot be read as JSON/],
    ['object.json', '{}', /object\.json holds no list/],
    ['numbers.json', '["a", 7]', /models\.main\.file: answer 1 is neither text nor a result/],
  ])('%s', async (file, text, message) => {
    if (text !== undefined) writeFileSync(dir.file(file), text);
    await expect(source({ kind: 'scripted', file })).rejects.toEqual(wrong(message));
  });
});

it('openai-compatible: the address, the key at each call, tries as the config says', async () => {
  const server = await new OpenAiServer().listen();
  const config: ModelConfig = {
    kind: 'openai-compatible',
    baseUrl: server.baseUrl,
    model: 'tiny',
    apiKey: { env: 'MODEL_KEY' },
    headers: { 'x-team': 'desk' },
    settings: { temperature: 0 },
    retries: 4,
  };
  expect(await said(config)).toBe('hello there');
  expect(server.received[0]).toMatchObject({
    headers: { authorization: 'Bearer sk-0123456789', 'x-team': 'desk' },
    body: { model: 'tiny', temperature: 0 },
  });
  expect((await source(config)).terms.attempts).toBe(5);
  await server.close();
});

it('openai-compatible: a key that comes back is taken out of the answer, and the gateway knows it from then on', async () => {
  const server = await new OpenAiServer().listen();
  const [key] = Object.values(ENV);
  server.next = [{ chunks: words(`you sent Bearer ${key} to me`) }];
  const { source: make, redactor } = await source({
    kind: 'openai-compatible',
    baseUrl: server.baseUrl,
    model: 'tiny',
    apiKey: { env: 'MODEL_KEY' },
  });
  const answer = await (
    await make()
  ).generate({ messages: [{ role: 'user', content: 'hi' }] }, { signal: new AbortController().signal, idempotencyKey: 'a!1.0' });
  expect(textOf(answer)).toBe('you sent Bearer [secret MODEL_KEY] to me');
  expect(redactor.text(`it is ${key}`)).toBe('it is [secret MODEL_KEY]');
  await server.close();
});

describe('module', () => {
  const PORT = `{ id: 'own/port', generate: async () => ({ content: [{ type: 'text', text: 'own' }], finishReason: 'stop', usage: {} }) }`;

  it('a port, or a function from the key to one; the key is read where the gateway runs', async () => {
    expect(await said({ kind: 'module', module: module('a.ts', `export default ${PORT}`) })).toBe('own');
    const file = module('b.ts', `export const make = async ({ apiKey }: { apiKey: string }) => ({ ...${PORT}, id: apiKey })`);
    const config: ModelConfig = { kind: 'module', module: `${file}#make`, apiKey: { env: 'MODEL_KEY' } };
    const { source: make, redactor } = await source(config);
    expect(redactor.text('sk-0123456789')).toBe('sk-0123456789');
    expect((await make()).id).toBe('sk-0123456789');
    expect(redactor.text('sk-0123456789')).toBe('[secret MODEL_KEY]');
    await expect(port(config, {})).rejects.toMatchObject({ code: 'SECRET_MISSING' });
  });

  it('anything else is found when the mesh starts', async () => {
    await expect(source({ kind: 'module', module: './none.ts' })).rejects.toEqual(wrong('there is no file ./none.ts'));
    await expect(source({ kind: 'module', module: module('c.ts', 'export default 7') })).rejects.toEqual(
      wrong('gives no model port'),
    );
    const sdk = module('d.ts', `export default { specificationVersion: 'v4', modelId: 'm', doGenerate() {} }`);
    await expect(source({ kind: 'module', module: sdk })).rejects.toEqual(wrong("write 'kind: ai-sdk'"));
  });
});

describe('ai-sdk', () => {
  const model = (version: string): string =>
    `{ specificationVersion: '${version}', provider: 'mock', modelId: 'm', doGenerate() {}, doStream: async () => ({ stream: new ReadableStream({ start(c) {
      c.enqueue({ type: 'text-start', id: '1' }); c.enqueue({ type: 'text-delta', id: '1', delta: 'hi' });
      c.enqueue({ type: 'finish', finishReason: 'stop', usage: {} }); c.close(); } }) }) }`;

  it('a model, or a function from the key to one', async () => {
    expect(await said({ kind: 'ai-sdk', module: module('a.ts', `export default ${model('v2')}`) })).toBe('hi');
    const made = module('b.ts', `export default ({ apiKey }) => ({ ...${model('v3')}, modelId: apiKey })`);
    expect((await port({ kind: 'ai-sdk', module: made, apiKey: { env: 'MODEL_KEY' } })).id).toBe('mock/sk-0123456789');
  });

  it('a name goes to the provider of the AI SDK', async () => {
    const config: ModelConfig = { kind: 'ai-sdk', module: module('c.ts', `export default 'mock/by-name'`) };
    // Its gateway, which is only asked when it is called.
    expect((await port(config)).id).toBe('gateway/mock/by-name');
  });

  it('what does not fit says so', async () => {
    const old = module('d.ts', `export default ${model('v1')}`);
    await expect(source({ kind: 'ai-sdk', module: old })).rejects.toMatchObject({
      message: expect.stringContaining("specification 'v1'"),
    });
    const provider = module('e.ts', `const p = () => 0; p.languageModel = () => 0; export default p`);
    await expect(port({ kind: 'ai-sdk', module: provider })).rejects.toEqual(wrong('exports a provider'));
    await expect(source({ kind: 'ai-sdk', module: module('f.ts', 'export default {}') })).rejects.toEqual(
      wrong('gives no language model'),
    );
  });

  it('a package that is not installed is named, with what to do', async () => {
    mkdirSync(dir.file('nested'));
    const file = module('nested/g.ts', `import { openai } from '@ai-sdk/not-installed-here';\nexport default openai('gpt');`);
    await expect(source({ kind: 'ai-sdk', module: file })).rejects.toMatchObject({
      code: 'PEER_DEPENDENCY_MISSING',
      message:
        "models.main.module needs the package '@ai-sdk/not-installed-here', which is not installed: npm install @ai-sdk/not-installed-here",
    });
  });
});

it('peer() passes on what it loads and what fails otherwise', async () => {
  expect(await peer('it', () => Promise.resolve(7))).toBe(7);
  await expect(peer('it', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  const missing = Object.assign(new Error("Cannot find package 'ai' imported from /x"), { code: 'ERR_MODULE_NOT_FOUND' });
  await expect(peer('it', () => Promise.reject(missing))).rejects.toMatchObject({
    code: 'PEER_DEPENDENCY_MISSING',
    data: { package: 'ai' },
  });
  expect(missingPackage(new Error('other', { cause: missing }))).toBe('ai');
  expect(missingPackage(new Error("Cannot find package 'ai' in the text of a user"))).toBeUndefined();
});
