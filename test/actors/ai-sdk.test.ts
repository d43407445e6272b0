/** Models of the AI SDK as ports: its own mocks of versions 3 and 4, and a model of version 2 by hand. */
import { APICallError } from 'ai';
import { MockLanguageModelV3, MockLanguageModelV4, simulateReadableStream } from 'ai/test';
import { describe, expect, it } from 'vitest';
import type { GenerateContext, ModelDelta, ModelRequest } from '../../actors/model-port.ts';
import { type AiSdkModel, fromAiSdk } from '../../actors/models/ai-sdk.ts';

const ASKED: ModelRequest = { messages: [{ role: 'user', content: 'hello' }] };
const context = (more: Partial<GenerateContext> = {}): GenerateContext => ({
  signal: new AbortController().signal,
  idempotencyKey: 'agent!1.0',
  ...more,
});
const USAGE_V4 = {
  inputTokens: { total: 7, noCache: 3, cacheRead: 4, cacheWrite: undefined },
  outputTokens: { total: 5, text: 3, reasoning: 2 },
};
const COUNTED = { inputTokens: 7, outputTokens: 5, reasoningTokens: 2, cachedInputTokens: 4 };
const STOP = { unified: 'stop' as const, raw: 'end_turn' };
const stream = <T>(chunks: T[]) => ({ stream: simulateReadableStream({ chunks, initialDelayInMs: null, chunkDelayInMs: null }) });

const version2 = (generate: (options: Record<string, unknown>) => unknown): AiSdkModel => ({
  specificationVersion: 'v2',
  provider: 'old.chat',
  modelId: 'old-1',
  doGenerate: (options: never) => Promise.resolve(generate(options)),
  doStream: () => Promise.reject(new Error('not here')),
});

describe('an answer', () => {
  it('of version 4, streamed: text, reasoning with what the provider wants back, calls of tools', async () => {
    const model = new MockLanguageModelV4({
      provider: 'mock',
      modelId: 'mock-1',
      doStream: stream([
        { type: 'stream-start', warnings: [] },
        { type: 'response-metadata', id: 'r1', modelId: 'mock-1-2026' },
        { type: 'reasoning-start', id: 'a' },
        { type: 'reasoning-delta', id: 'a', delta: 'let me see' },
        { type: 'reasoning-end', id: 'a', providerMetadata: { anthropic: { signature: 'sig' } } },
        { type: 'text-start', id: 'b' },
        { type: 'text-delta', id: 'b', delta: 'hello ' },
        { type: 'text-delta', id: 'b', delta: 'there' },
        { type: 'text-end', id: 'b' },
        { type: 'tool-input-start', id: 'c1', toolName: 'read' },
        { type: 'tool-input-delta', id: 'c1', delta: '{"path":"a"}' },
        { type: 'tool-input-end', id: 'c1' },
        { type: 'tool-call', toolCallId: 'c1', toolName: 'read', input: '{"path":"a"}' },
        { type: 'source', sourceType: 'url', id: 's1', url: 'https://x.example' },
        {
          type: 'finish',
          usage: USAGE_V4,
          finishReason: { unified: 'tool-calls', raw: 'tool_use' },
          providerMetadata: { mock: { x: 1 } },
        },
      ]),
    });
    const deltas: ModelDelta[] = [];
    const result = await fromAiSdk(model).generate(ASKED, context({ onDelta: (d) => deltas.push(d) }));
    expect(result).toEqual({
      content: [
        { type: 'reasoning', text: 'let me see', provider: { anthropic: { signature: 'sig' } } },
        { type: 'text', text: 'hello there' },
        { type: 'tool-call', id: 'c1', name: 'read', input: { path: 'a' } },
      ],
      finishReason: 'tool-calls',
      usage: COUNTED,
      model: 'mock-1-2026',
      metadata: {
        id: 'r1',
        provider: { mock: { x: 1 } },
        content: [{ type: 'source', sourceType: 'url', id: 's1', url: 'https://x.example' }],
      },
    });
    expect(deltas).toEqual([
      { type: 'reasoning', text: 'let me see' },
      { type: 'text', text: 'hello ' },
      { type: 'text', text: 'there' },
      { type: 'tool-call', id: 'c1', name: 'read', text: '{"path":"a"}' },
    ]);
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  });

  it('of version 4, whole: files as data and by URL', async () => {
    const model = new MockLanguageModelV4({
      doGenerate: {
        content: [
          { type: 'text', text: 'look' },
          { type: 'file', mediaType: 'image/png', data: { type: 'data', data: new Uint8Array([1, 2, 3]) } },
          { type: 'file', mediaType: 'image/png', data: { type: 'url', url: new URL('https://x.example/a.png') } },
        ],
        finishReason: STOP,
        usage: USAGE_V4,
        warnings: [],
      },
    });
    const result = await fromAiSdk(model, { stream: false }).generate(ASKED, context());
    expect(result.content).toEqual([
      { type: 'text', text: 'look' },
      { type: 'file', mediaType: 'image/png', data: 'AQID' },
      { type: 'file', mediaType: 'image/png', data: 'https://x.example/a.png' },
    ]);
  });

  it('of version 3', async () => {
    const model = new MockLanguageModelV3({
      provider: 'mock',
      modelId: 'mock-3',
      doStream: stream([
        { type: 'stream-start', warnings: [] },
        { type: 'text-start', id: 'a' },
        { type: 'text-delta', id: 'a', delta: 'hi' },
        { type: 'text-end', id: 'a' },
        { type: 'finish', usage: USAGE_V4, finishReason: STOP },
      ]),
    });
    const port = fromAiSdk(model);
    expect(port.id).toBe('mock/mock-3');
    expect(await port.generate(ASKED, context())).toEqual({
      content: [{ type: 'text', text: 'hi' }],
      finishReason: 'stop',
      usage: COUNTED,
      model: 'mock-3',
    });
  });

  it('of version 2', async () => {
    const model = version2(() => ({
      content: [
        { type: 'text', text: 'hi' },
        { type: 'tool-call', toolCallId: 'c1', toolName: 'read', input: '{"path":' },
      ],
      finishReason: 'tool-calls',
      usage: { inputTokens: 7, outputTokens: 5, totalTokens: 12, reasoningTokens: 2, cachedInputTokens: 4 },
      warnings: [],
    }));
    expect(await fromAiSdk(model, { stream: false }).generate(ASKED, context())).toEqual({
      content: [
        { type: 'text', text: 'hi' },
        { type: 'tool-call', id: 'c1', name: 'read', input: '{"path":', invalid: true },
      ],
      finishReason: 'tool-calls',
      usage: { ...COUNTED, totalTokens: 12 },
      model: 'old-1',
    });
  });
});

describe('a request', () => {
  const messages: ModelRequest['messages'] = [
    { role: 'system', content: 'be brief' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'what is this' },
        { type: 'file', mediaType: 'image/png', data: 'AQID', filename: 'a.png' },
        { type: 'file', mediaType: 'image/png', data: 'https://x.example/a.png' },
      ],
    },
    {
      role: 'assistant',
      content: [
        { type: 'reasoning', text: 'hm', provider: { anthropic: { signature: 'sig' } } },
        { type: 'tool-call', id: 'c1', name: 'read', input: { path: 'a' } },
      ],
    },
    {
      role: 'tool',
      content: [
        { type: 'tool-result', id: 'c1', name: 'read', output: { content: 'x' } },
        { type: 'tool-result', id: 'c2', name: 'read', output: 'no such file', isError: true },
      ],
    },
  ];
  const common = (file: unknown, url: unknown): unknown => [
    { role: 'system', content: 'be brief' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'what is this' },
        { type: 'file', mediaType: 'image/png', data: file, filename: 'a.png' },
        { type: 'file', mediaType: 'image/png', data: url },
      ],
    },
    {
      role: 'assistant',
      content: [
        { type: 'reasoning', text: 'hm', providerOptions: { anthropic: { signature: 'sig' } } },
        { type: 'tool-call', toolCallId: 'c1', toolName: 'read', input: { path: 'a' } },
      ],
    },
    {
      role: 'tool',
      content: [
        { type: 'tool-result', toolCallId: 'c1', toolName: 'read', output: { type: 'json', value: { content: 'x' } } },
        { type: 'tool-result', toolCallId: 'c2', toolName: 'read', output: { type: 'error-text', value: 'no such file' } },
      ],
    },
  ];
  const href = new URL('https://x.example/a.png');
  const answer = { content: [], finishReason: STOP, usage: USAGE_V4, warnings: [] };

  it('in version 4, with tools, schema and settings', async () => {
    const model = new MockLanguageModelV4({ doGenerate: answer });
    const inputSchema = { type: 'object' };
    await fromAiSdk(model, { stream: false }).generate(
      {
        messages,
        tools: [{ name: 'read', description: 'Reads', inputSchema }],
        toolChoice: 'required',
        responseSchema: { type: 'object' },
        settings: { temperature: 0.5, topP: 0.9, maxOutputTokens: 100, stop: ['END'], seed: 7 },
        providerOptions: { mock: { effort: 'low' } },
      },
      context(),
    );
    expect(model.doGenerateCalls[0]).toMatchObject({
      prompt: common({ type: 'data', data: 'AQID' }, { type: 'url', url: href }),
      tools: [{ type: 'function', name: 'read', description: 'Reads', inputSchema }],
      toolChoice: { type: 'required' },
      responseFormat: { type: 'json', schema: { type: 'object' } },
      temperature: 0.5,
      topP: 0.9,
      maxOutputTokens: 100,
      stopSequences: ['END'],
      seed: 7,
      providerOptions: { mock: { effort: 'low' } },
      headers: { 'idempotency-key': expect.stringMatching(/^[\w-]{43}$/) },
      abortSignal: expect.any(AbortSignal),
    });
  });

  it('in versions 3 and 2, which hold files otherwise', async () => {
    const model = new MockLanguageModelV3({ doGenerate: answer });
    await fromAiSdk(model, { stream: false }).generate({ messages, toolChoice: { tool: 'read' } }, context());
    expect(model.doGenerateCalls[0]).toMatchObject({
      prompt: common('AQID', href),
      toolChoice: { type: 'tool', toolName: 'read' },
    });
    let seen: unknown;
    const old = version2(({ prompt }) => {
      seen = prompt;
      return { ...answer, finishReason: 'stop', usage: {} };
    });
    await fromAiSdk(old, { stream: false }).generate({ messages }, context());
    expect(seen).toEqual(common('AQID', href));
  });
});

describe('a failure', () => {
  const failing = (thrown: unknown) =>
    fromAiSdk(new MockLanguageModelV4({ provider: 'mock', modelId: 'm', doStream: () => Promise.reject(thrown as Error) }))
      .generate(ASKED, context())
      .catch((e: unknown) => e);

  it('of the provider keeps status, wait and whether it passes, and nothing of the request', async () => {
    const error = new APICallError({
      message: 'slow down',
      url: 'https://x.example',
      requestBodyValues: { secret: 'the whole request' },
      statusCode: 429,
      responseHeaders: { 'retry-after': '3' },
    });
    const failure = (await failing(error)) as Error;
    expect(failure).toMatchObject({
      code: 'MODEL_FAILED',
      message: 'mock/m failed: slow down',
      data: { retryable: true, status: 429, retryAfterMs: 3_000 },
    });
    expect(failure.cause).toBeUndefined();
    const bad = new APICallError({ message: 'bad', url: '', requestBodyValues: {}, statusCode: 400 });
    expect(await failing(bad)).toMatchObject({ data: { retryable: false, status: 400 } });
  });

  it('of any other kind is not tried again', async () => {
    expect(await failing(new TypeError('a bug'))).toMatchObject({ code: 'MODEL_FAILED', data: { retryable: false } });
    expect(await failing('a text')).toMatchObject({ message: 'mock/m failed: a text' });
  });

  it.each([
    ['an error in it', [{ type: 'error' as const, error: new Error('broke') }], { message: 'mock/m failed: broke' }],
    ['no end', [{ type: 'text-start' as const, id: 'a' }], { data: { retryable: true } }],
    [
      'an end that the provider calls interrupted',
      [{ type: 'finish' as const, usage: USAGE_V4, finishReason: { unified: 'interrupted' as const, raw: undefined } }],
      { data: { retryable: true } },
    ],
  ])('a stream with %s', async (_what, chunks, error) => {
    const model = new MockLanguageModelV4({ provider: 'mock', modelId: 'm', doStream: stream([...chunks]) });
    await expect(fromAiSdk(model).generate(ASKED, context())).rejects.toMatchObject({ code: 'MODEL_FAILED', ...error });
  });

  it('an aborted call rejects with its reason', async () => {
    const abort = new AbortController();
    const model = new MockLanguageModelV4({
      doStream: () => {
        abort.abort(new Error('enough'));
        return Promise.reject(new Error('AbortError'));
      },
    });
    await expect(fromAiSdk(model).generate(ASKED, context({ signal: abort.signal }))).rejects.toThrow('enough');
  });
});

it('what is no model, or one of an unknown specification, is refused in words', () => {
  expect(() => fromAiSdk('openai/gpt-5-mini' as never)).toThrow(/takes a language model of the AI SDK/);
  const future = { ...version2(() => ({})), specificationVersion: 'v9' };
  expect(() => fromAiSdk(future)).toThrow(
    "old.chat/old-1 speaks specification 'v9' of the AI SDK; known here are v2, v3, v4 (ai 5, 6 and 7)",
  );
});
