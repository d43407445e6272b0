/** The chat completions API against a server that misbehaves: what is sent, what is understood, what is said when it fails. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ModelDelta, ModelRequest, ModelResult } from '../../actors/model-port.ts';
import { Vault } from '../../actors/secret.ts';
import { openaiCompatible, type OpenAiCompatibleOptions } from '../../actors/models/openai-compatible.ts';
import { type Behaviour, OpenAiServer, words } from './openai-server.ts';

let server: OpenAiServer;
beforeEach(async () => {
  server = await new OpenAiServer().listen();
});
afterEach(() => server.close());

const ASKED: ModelRequest = { messages: [{ role: 'user', content: 'hello' }] };
const KEY = 'desk/case/jane@example.org!12.0';
let deltas: ModelDelta[] = [];

function generate(
  request: ModelRequest = ASKED,
  options: Partial<OpenAiCompatibleOptions> = {},
  signal = new AbortController().signal,
): Promise<ModelResult> {
  deltas = [];
  const port = openaiCompatible({ baseUrl: server.baseUrl, model: 'tiny', ...options });
  return port.generate(request, { signal, idempotencyKey: KEY, onDelta: (delta) => deltas.push(delta) });
}
const answeredBy = (how: Behaviour, request: ModelRequest = ASKED): Promise<ModelResult> => {
  server.next = [how];
  return generate(request);
};
const choice = (delta: object, finish: string | null = null): object => ({
  choices: [{ index: 0, delta, finish_reason: finish }],
});

describe('an answer', () => {
  it('comes in pieces; the result has all of it, the deltas show it growing', async () => {
    expect(await answeredBy({ chunks: words('hello there'), pauseMs: 2 })).toEqual({
      content: [{ type: 'text', text: 'hello there' }],
      finishReason: 'stop',
      usage: { inputTokens: 7, outputTokens: 3, totalTokens: 10 },
      model: 'tiny-1',
      metadata: { id: 'chatcmpl-1' },
    });
    expect(deltas).toEqual([
      { type: 'text', text: 'hello ' },
      { type: 'text', text: 'there' },
    ]);
  });

  it('cut at any byte on the way is the same', async () => {
    const result = await answeredBy({ chunks: words('grüße 🎉 über alles'), split: 3 });
    expect(result.content).toEqual([{ type: 'text', text: 'grüße 🎉 über alles' }]);
  });

  it('that is not streamed is the same', async () => {
    const json = {
      id: 'chatcmpl-2',
      model: 'tiny-1',
      choices: [{ index: 0, message: { role: 'assistant', content: 'hello there' }, finish_reason: 'length' }],
      usage: {
        prompt_tokens: 7,
        completion_tokens: 3,
        completion_tokens_details: { reasoning_tokens: 2 },
        prompt_tokens_details: { cached_tokens: 4 },
      },
    };
    expect(await answeredBy({ json })).toEqual({
      content: [{ type: 'text', text: 'hello there' }],
      finishReason: 'length',
      usage: { inputTokens: 7, outputTokens: 3, reasoningTokens: 2, cachedInputTokens: 4 },
      model: 'tiny-1',
      metadata: { id: 'chatcmpl-2' },
    });
  });

  it('that is not streamed and does not say why it ended is taken too', async () => {
    expect(await answeredBy({ json: { choices: [{ message: { content: 'hi' } }] } })).toMatchObject({
      finishReason: 'other',
      content: [{ text: 'hi' }],
    });
  });

  it('with reasoning keeps it apart', async () => {
    const chunks = [
      choice({ reasoning_content: 'let me ' }),
      choice({ reasoning: 'see' }),
      choice({ content: '42' }),
      choice({}, 'stop'),
    ];
    expect((await answeredBy({ chunks })).content).toEqual([
      { type: 'reasoning', text: 'let me see' },
      { type: 'text', text: '42' },
    ]);
    expect(deltas.map((d) => d.type)).toEqual(['reasoning', 'reasoning', 'text']);
  });

  it('that was refused says so', async () => {
    const result = await answeredBy({ chunks: [choice({ refusal: 'I cannot help with that' }), choice({}, 'stop')] });
    expect(result).toMatchObject({ finishReason: 'content-filter', content: [{ text: 'I cannot help with that' }] });
  });

  it('without a reason at its end is taken when the stream says that it is done', async () => {
    expect(await answeredBy({ chunks: [choice({ content: 'hi' })] })).toMatchObject({
      finishReason: 'other',
      content: [{ text: 'hi' }],
    });
  });
});

describe('calls of tools', () => {
  const call = (index: number | undefined, more: object): object =>
    choice({ tool_calls: [{ ...(index !== undefined && { index }), ...more }] });
  const calls = async (...chunks: object[]): Promise<unknown> =>
    (await answeredBy({ chunks: [...chunks, choice({}, 'tool_calls')] })).content;

  it('come in pieces, several mixed', async () => {
    expect(
      await calls(
        call(0, { id: 'c1', type: 'function', function: { name: 'read', arguments: '' } }),
        call(1, { id: 'c2', type: 'function', function: { name: 'list', arguments: '{"dir"' } }),
        call(0, { function: { arguments: '{"path":"a' } }),
        call(1, { function: { arguments: ':"/"}' } }),
        call(0, { function: { arguments: '.txt"}' } }),
      ),
    ).toEqual([
      { type: 'tool-call', id: 'c1', name: 'read', input: { path: 'a.txt' } },
      { type: 'tool-call', id: 'c2', name: 'list', input: { dir: '/' } },
    ]);
    expect(deltas.filter((d) => d.type === 'tool-call' && d.id === 'c1').map((d) => d.text)).toEqual([
      '',
      '{"path":"a',
      '.txt"}',
    ]);
  });

  it('all under index 0, or under none, are told apart by their ids', async () => {
    const two = [
      { type: 'tool-call', id: 'c1', name: 'read', input: {} },
      { type: 'tool-call', id: 'c2', name: 'list', input: { dir: '/' } },
    ];
    const first = { id: 'c1', function: { name: 'read', arguments: '{}' } };
    const second = { id: 'c2', function: { name: 'list', arguments: '{"dir":"/"}' } };
    expect(await calls(call(0, first), call(0, second))).toEqual(two);
    expect(await calls(call(undefined, first), call(undefined, second))).toEqual(two);
  });

  it('with arguments as an object, without an id, or without arguments', async () => {
    expect(
      await calls(call(0, { function: { name: 'read', arguments: { path: 'a' } } }), call(1, { function: { name: 'now' } })),
    ).toEqual([
      { type: 'tool-call', id: 'call-0', name: 'read', input: { path: 'a' } },
      { type: 'tool-call', id: 'call-1', name: 'now', input: {} },
    ]);
  });

  it('with arguments that are no JSON are marked', async () => {
    expect(await calls(call(0, { id: 'c1', function: { name: 'read', arguments: '{"path":' } }))).toEqual([
      { type: 'tool-call', id: 'c1', name: 'read', input: '{"path":', invalid: true },
    ]);
  });

  it('end an answer even when the server calls it a stop', async () => {
    const result = await answeredBy({
      chunks: [call(0, { id: 'c', function: { name: 'now', arguments: '{}' } }), choice({}, 'stop')],
    });
    expect(result.finishReason).toBe('tool-calls');
  });
});

describe('a failure', () => {
  const failing = (how: Behaviour) => answeredBy(how).catch((error: unknown) => error);

  it.each([
    ['429 with seconds', { status: 429, headers: { 'retry-after': '7' } }, { retryable: true, status: 429, retryAfterMs: 7_000 }],
    ['429 with ms', { status: 429, headers: { 'retry-after-ms': '250' } }, { retryable: true, status: 429, retryAfterMs: 250 }],
    [
      '503 with a date, by the clock of the server',
      { status: 503, headers: { date: 'Thu, 01 Jan 2026 00:00:00 GMT', 'retry-after': 'Thu, 01 Jan 2026 00:01:30 GMT' } },
      { retryable: true, status: 503, retryAfterMs: 90_000 },
    ],
    ['500', { status: 500, body: 'oops' }, { retryable: true, status: 500 }],
    [
      'no money',
      { status: 429, body: { error: { message: 'quota', code: 'insufficient_quota' } } },
      { retryable: false, status: 429 },
    ],
    ['400', { status: 400, body: { error: { message: 'no such model' } } }, { retryable: false, status: 400 }],
    ['401', { status: 401 }, { retryable: false, status: 401 }],
    ['a stream that ends early', { chunks: words('hello there').slice(0, 2), cut: 'end' }, { retryable: true }],
    ['a stream that breaks', { chunks: words('hello there').slice(0, 2), cut: 'reset' }, { retryable: true }],
    ['a chunk that is no JSON', { chunks: [choice({ content: 'he' }), '{"choices":[{'] }, { retryable: true }],
    ['a chunk that is no object', { chunks: ['[1,2]'] }, { retryable: true }],
    ['an error in the stream', { chunks: [{ error: { message: 'overloaded', type: 'server_error' } }] }, { retryable: true }],
    ['a lasting error in the stream', { chunks: [{ error: { message: 'bad', code: 'invalid_prompt' } }] }, { retryable: false }],
    ['half of a JSON', { text: '{"choices":', contentType: 'application/json' }, { retryable: true }],
    ['an answer without choices', { json: { object: 'list', data: [] } }, { retryable: true }],
    ['a web page', { text: '<html>log in</html>', contentType: 'text/html' }, { retryable: false }],
    ['no content type', { text: 'hello' }, { retryable: false }],
    ['a reset connection', 'reset', { retryable: true }],
  ] as readonly [string, Behaviour, object][])('%s', async (_what, how, data) => {
    expect(await failing(how)).toMatchObject({ code: 'MODEL_FAILED', data });
  });

  it('a redirect is not followed: the key goes to the address that was named, and nowhere else', async () => {
    const other = await new OpenAiServer().listen();
    const location = `${other.baseUrl}/chat/completions`;
    expect(await failing({ status: 307, headers: { location } })).toMatchObject({ code: 'MODEL_FAILED' });
    expect(other.received).toEqual([]);
    await other.close();
  });

  it('has the words of the provider in its message, shortened', async () => {
    expect(await failing({ status: 400, body: { error: { message: 'no such model' } } })).toMatchObject({
      message: '127.0.0.1/tiny refused with HTTP 400: no such model',
    });
    const { message } = (await failing({ status: 500, body: 'x'.repeat(5_000) })) as Error;
    expect(message.length).toBeLessThanOrEqual(400);
  });

  it('too large an answer is one too', async () => {
    const long = choice({ content: 'x'.repeat(3_000_000) });
    expect(await failing({ chunks: [long, long, long, choice({}, 'stop')] })).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });

  it.each(['127.0.0.1', 'localhost'])('nobody there, at %s', async (host) => {
    const baseUrl = server.baseUrl.replace('127.0.0.1', host);
    await server.close();
    await expect(generate(ASKED, { baseUrl })).rejects.toMatchObject({
      code: 'MODEL_FAILED',
      message: expect.stringContaining('ECONNREFUSED'),
      data: { retryable: true },
    });
  });

  it('never names the key, even when the provider does, in part or whole', async () => {
    server.next = [{ status: 401, body: { error: { message: 'Incorrect API key provided: sk-0123456789' } } }];
    const vault = new Vault({ env: { OPENAI_API_KEY: 'sk-0123456789' }, readFile: () => '' });
    const error = await generate(ASKED, { apiKey: { env: 'OPENAI_API_KEY' }, vault }).catch((e: unknown) => e);
    expect(server.received[0]?.headers.authorization).toBe('Bearer sk-0123456789');
    expect((error as Error).message).toContain('Incorrect API key provided: [secret OPENAI_API_KEY]');
    // Not even the part of it that a cut would leave.
    for (let pad = 280; pad < 400; pad += 6) {
      const text = `${'x'.repeat(pad)} sk-0123456789`;
      for (const how of [
        { status: 500, body: text },
        { text, contentType: 'text/html' },
        { chunks: [{ error: { message: text } }] },
        { json: { unknown: text } },
      ]) {
        server.next = [how];
        const cut = await generate(ASKED, { apiKey: { env: 'OPENAI_API_KEY' }, vault }).catch((e: unknown) => e);
        expect((cut as Error).message).not.toContain('sk-');
      }
    }
    const fetch = (): Promise<Response> => Promise.reject(new Error(`${'x'.repeat(490)} sk-0123456789`));
    const lost = await generate(ASKED, { apiKey: { env: 'OPENAI_API_KEY' }, vault, fetch }).catch((e: unknown) => e);
    expect((lost as Error).message).toMatch(/x{400} \[sec/);
    await expect(generate(ASKED, { apiKey: { env: 'NOT_SET' }, vault })).rejects.toMatchObject({ code: 'SECRET_MISSING' });
  });
});

it('an aborted call rejects with the reason, and the provider sees it go', async () => {
  server.next = [{ chunks: words('one two three four five six seven eight nine ten'), pauseMs: 30 }];
  const abort = new AbortController();
  const call = generate(ASKED, {}, abort.signal).catch((error: unknown) => error);
  while (deltas.length === 0) await sleep(5);
  const reason = new Error('enough');
  abort.abort(reason);
  expect(await call).toBe(reason);
  while (server.received[0]?.aborted !== true) await sleep(5);
});

describe('a request', () => {
  const body = async (
    request: Partial<ModelRequest>,
    options: Partial<OpenAiCompatibleOptions> = {},
  ): Promise<Record<string, unknown>> => {
    await generate({ ...ASKED, ...request }, options);
    return server.received.at(-1)?.body ?? {};
  };

  it('goes where it should, with a key that names nobody', async () => {
    await generate(ASKED, { headers: { 'x-team': 'desk' } });
    expect(server.received[0]).toMatchObject({ path: '/v1/chat/completions', headers: { 'x-team': 'desk' } });
    const key = server.received[0]?.headers['idempotency-key'];
    expect(key).toMatch(/^[\w-]{43}$/);
    await generate();
    expect(server.received[1]?.headers['idempotency-key']).toBe(key);
  });

  it('of a whole conversation', async () => {
    const messages: ModelRequest['messages'] = [
      { role: 'system', content: 'be brief' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'what is this' },
          { type: 'file', mediaType: 'image/png', data: 'AAAA' },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'reasoning', text: 'hm' },
          { type: 'text', text: 'let me look' },
          { type: 'tool-call', id: 'c1', name: 'look', input: { at: 'it' } },
          { type: 'tool-call', id: 'c2', name: 'look', input: '{"at":', invalid: true },
        ],
      },
      {
        role: 'tool',
        content: [
          { type: 'tool-result', id: 'c1', name: 'look', output: { seen: true } },
          { type: 'tool-result', id: 'c2', name: 'look', output: 'no JSON', isError: true },
        ],
      },
      { role: 'assistant', content: 'a cat' },
    ];
    expect((await body({ messages }))['messages']).toEqual([
      { role: 'system', content: 'be brief' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'what is this' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
        ],
      },
      {
        role: 'assistant',
        content: 'let me look',
        tool_calls: [
          { id: 'c1', type: 'function', function: { name: 'look', arguments: '{"at":"it"}' } },
          { id: 'c2', type: 'function', function: { name: 'look', arguments: '{"at":' } },
        ],
      },
      { role: 'tool', tool_call_id: 'c1', content: '{"seen":true}' },
      { role: 'tool', tool_call_id: 'c2', content: 'Error: no JSON' },
      { role: 'assistant', content: 'a cat' },
    ]);
  });

  it('with files that it can carry, and none that it cannot', async () => {
    const file = (mediaType: string, data: string) =>
      body({ messages: [{ role: 'user', content: [{ type: 'file', mediaType, data }] }] });
    const content = async (mediaType: string, data: string) =>
      ((await file(mediaType, data))['messages'] as { content: unknown[] }[])[0]?.content[0];
    expect(await content('image/jpeg', 'https://x.example/a.jpg')).toEqual({
      type: 'image_url',
      image_url: { url: 'https://x.example/a.jpg' },
    });
    expect(await content('application/pdf', 'AAAA')).toMatchObject({
      type: 'file',
      file: { file_data: 'data:application/pdf;base64,AAAA' },
    });
    expect(await content('audio/mpeg', 'AAAA')).toEqual({ type: 'input_audio', input_audio: { data: 'AAAA', format: 'mp3' } });
    await expect(file('video/mp4', 'AAAA')).rejects.toMatchObject({ code: 'MODEL_FAILED', data: { retryable: false } });
  });

  it('with tools, a schema for the answer, and settings; those of the config and of the provider come last', async () => {
    const inputSchema = { type: 'object', properties: { path: { type: 'string' } } };
    const responseSchema = { type: 'object', properties: { intent: { type: 'string' } } };
    const sent = await body(
      {
        tools: [{ name: 'read', description: 'Reads a file', inputSchema }],
        toolChoice: { tool: 'read' },
        responseSchema,
        settings: { temperature: 0.5, topP: 0.9, maxOutputTokens: 100, stop: ['END'], seed: 7 },
        providerOptions: { openai: { reasoning_effort: 'low' } },
      },
      { settings: { temperature: 0 } },
    );
    expect(sent).toEqual({
      model: 'tiny',
      messages: [{ role: 'user', content: 'hello' }],
      stream: true,
      stream_options: { include_usage: true },
      tools: [{ type: 'function', function: { name: 'read', description: 'Reads a file', parameters: inputSchema } }],
      tool_choice: { type: 'function', function: { name: 'read' } },
      response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: responseSchema } },
      temperature: 0,
      top_p: 0.9,
      max_tokens: 100,
      stop: ['END'],
      seed: 7,
      reasoning_effort: 'low',
    });
  });

  it('to OpenAI itself names the limit as OpenAI does', async () => {
    let sent: Record<string, unknown> = {};
    const port = openaiCompatible({
      baseUrl: 'https://api.openai.com/v1/',
      model: 'gpt-5-mini',
      fetch: (url, init) => {
        sent = { url, body: JSON.parse(String(init?.body)) as unknown };
        return Promise.resolve(Response.json({ choices: [{ message: { content: 'hi' }, finish_reason: 'stop' }] }));
      },
    });
    await port.generate(
      { ...ASKED, settings: { maxOutputTokens: 9 } },
      { signal: AbortSignal.timeout(5_000), idempotencyKey: KEY },
    );
    expect(port.id).toBe('api.openai.com/gpt-5-mini');
    expect(sent).toMatchObject({ url: 'https://api.openai.com/v1/chat/completions', body: { max_completion_tokens: 9 } });
  });
});
