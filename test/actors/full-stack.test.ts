/** From a chart to a server and back, over crashes of either: chart, ask, gateway actor, leaf, MCP server or model. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AnyActorLogic, assign, setup } from 'xstate';
import { z } from 'zod';
import { KEY_META } from '../../actors/mcp-client.ts';
import { model } from '../../actors/model.ts';
import { type ModelMessage, textOf, type ToolCallPart, toolCallsOf } from '../../actors/model-port.ts';
import { anyTool, tool, toolList, type ToolDescription } from '../../actors/tool.ts';
import type { MeshConfig } from '../../core/config/schema.ts';
import type { Tracer } from '../../core/ports/tracer.ts';
import { folder } from './leaf-drive.ts';
import { OpenAiServer, words } from './openai-server.ts';
import { caller, hurried, Stack } from './stack.ts';

type Server = NonNullable<MeshConfig['tools']>[string];

const QUICK = { retry: { minMs: 10, maxMs: 20 } };
const CALLERS = {
  given: caller(tool('probe.given')),
  set: caller(tool('probe.set', QUICK)),
  post: caller(tool('probe.post', QUICK)),
  failing: caller(tool('probe.post', { ...QUICK, inDoubt: 'fail' })),
  brief: caller(tool('probe.post', { timeoutMs: 5_000, deadlineMs: 5_000 })),
  wait: caller(tool('probe.wait', QUICK)),
  any: caller(anyTool('probe', QUICK)),
  typed: caller(tool('probe.post', { args: z.object({ line: z.string() }), result: z.object({ posted: z.number() }) })),
};
const ASKERS = { ...CALLERS, asked: caller(tool('asking.post', { ...QUICK, timeoutMs: 800 })) };

const probe = (file: string, more: Partial<Server> = {}, env: Readonly<Record<string, string>> = {}): Server => ({
  stdio: { command: process.execPath, args: [join(import.meta.dirname, 'probe-server.ts')], env: { PROBE_FILE: file, ...env } },
  backoff: { min: 10, max: 50 },
  ...more,
});
const ASKING: Server['tools'] = { post: { inDoubt: 'ask', keyArgument: 'key', query: { tool: 'find' } } };
const until = async (check: () => boolean): Promise<void> => {
  while (!check()) await sleep(5);
};

/** For what leaves the node alive: starting a mesh and a server is what takes the time here. */
let shared: Stack;
const sharedFolder = folder();
const toolSpans: string[] = [];
const tracer: Tracer = {
  start(name) {
    const context = { traceparent: `00-${'a'.repeat(32)}-${String(toolSpans.length).padStart(16, '0')}-01` };
    if (name === 'tool') toolSpans.push(context.traceparent);
    return { context, set: () => undefined, end: () => undefined };
  },
};
beforeAll(async () => {
  const file = sharedFolder.file('log');
  shared = await new Stack(ASKERS, { tools: { probe: probe(file), asking: probe(file, { tools: ASKING }) } }, { tracer }).up();
});
afterAll(async () => {
  await shared.down();
  sharedFolder.remove();
});
/** How often the shared server did something for this line. */
const times = (line: string): number => sharedFolder.lines('log').filter((l) => l.split(' ')[0] === line).length;

let dir: ReturnType<typeof folder>;
let stacks: Stack[] = [];
const posted = (): string[] => dir.lines('log').map((line) => line.split(' ')[0] ?? '');
beforeEach(() => {
  dir = folder();
});
afterEach(async () => {
  await Promise.all(stacks.map((s) => s.down()));
  stacks = [];
  dir.remove();
});
/** A mesh that a test may crash. */
function stack(config: Partial<MeshConfig> = {}, actors: Readonly<Record<string, AnyActorLogic>> = CALLERS): Promise<Stack> {
  const made = new Stack(actors, { tools: { probe: probe(dir.file('log')) }, ...config }, { clock: hurried() });
  stacks.push(made);
  return made.up();
}

it('a tool is called under the id of the effect that asks, in the trace of its span', async () => {
  expect(await shared.call('given/1', { x: 1 })).toMatchObject({
    output: { args: { x: 1 }, meta: { [KEY_META]: 'given/1!1.0', traceparent: toolSpans.at(-1) } },
  });
  expect(toolSpans).toHaveLength(1);
});

it('refusals, schemas and unknown tools are errors of the invoke', async () => {
  expect(await shared.call('any/1', { name: 'refuse' })).toEqual({ output: { output: 'no funds', isError: true } });
  expect(await shared.call('any/2', { name: 'no-such-tool' })).toMatchObject({ output: { isError: true } });
  // Refused before it is sent, by the schema of the code.
  expect(await shared.call('typed/1', { line: 7 })).toMatchObject({
    error: { code: 'TOOL_FAILED', data: { issues: [expect.stringMatching('line')] } },
  });
  // Sent, and the answer does not pass.
  expect(await shared.call('typed/2', { line: 'typed' })).toMatchObject({
    error: { code: 'TOOL_FAILED', data: { issues: [expect.stringMatching('posted')] } },
  });
  expect(times('typed')).toBe(1);
});

describe('the server dies in the middle of a call', () => {
  it('that may be repeated: it is, under the same key', async () => {
    expect(await shared.call('set/1', { line: 'repeated', end: 'die-once' })).toEqual({ output: { set: 'repeated' } });
    expect(times('repeated')).toBe(2);
  });

  it('that must not be: a person sees it and decides', async () => {
    await shared.begin('post/1', { line: 'doubtful', end: 'die-once' });
    const { effect } = await shared.told('actor.in_doubt', (e) => JSON.stringify(e).includes('post/1!'));
    await sleep(100);
    expect(times('doubtful')).toBe(1);
    // The person has looked: it did not arrive, so once more.
    await shared.resolve(effect, { kind: 'retry' });
    expect(await shared.outcome('post/1')).toEqual({ output: { posted: 'doubtful' } });
    expect(times('doubtful')).toBe(2);
  });

  it('a person may also say what came of it, or that nothing did', async () => {
    await shared.begin('post/2', { line: 'said', end: 'hang' });
    await until(() => times('said') === 1);
    await shared.begin('post/3', { line: 'unsaid', end: 'die-before' });
    const [said, unsaid] = await Promise.all(
      ['post/2', 'post/3'].map((by) => shared.told('actor.in_doubt', (e) => JSON.stringify(e).includes(`${by}!`))),
    );
    await shared.resolve(said?.['effect'], { kind: 'output', output: { posted: 'by hand' } });
    await shared.resolve(unsaid?.['effect'], { kind: 'fail' });
    expect(await shared.outcome('post/2')).toEqual({ output: { posted: 'by hand' } });
    expect(await shared.outcome('post/3')).toMatchObject({ error: { code: 'EFFECT_IN_DOUBT' } });
    expect([times('said'), times('unsaid')]).toEqual([1, 0]);
  });

  it('whose fate can be asked: it is, and made again only if it did not happen', async () => {
    expect(await shared.call('asked/1', { line: 'asked', end: 'die-after' })).toEqual({ output: { posted: 'asked' } });
    expect(sharedFolder.lines('log')).toContain('asked asked/1!1.0');
    expect(times('asked')).toBe(1);
  });

  it('or does not answer, and whose fate can be asked: it is', async () => {
    expect(await shared.call('asked/2', { line: 'mute', end: 'hang' })).toEqual({ output: { posted: 'mute' } });
    expect(times('mute')).toBe(1);
  });

  it('whose chart shall decide: it gets an error', async () => {
    expect(await shared.call('failing/1', { line: 'failing', end: 'die-after' })).toMatchObject({
      error: { code: 'EFFECT_IN_DOUBT' },
    });
    expect(times('failing')).toBe(1);
  });
});

describe('a chart that no longer waits', () => {
  it('takes back a call that has not begun', async () => {
    const s = await stack({ tools: { probe: { stdio: { command: 'no-such-program-here' } } } });
    expect(await s.call('post/1', { line: 'a' }, { patienceMs: 500 })).toEqual({ gaveUp: true });
    const gateway = async (): Promise<string> => JSON.stringify((await s.mesh.ref('tools/probe').state()).context);
    while (!(await gateway()).includes('given up by its caller')) await sleep(5);
    expect(JSON.parse(await gateway())).toMatchObject({ book: { calls: {}, waiting: [] } });
  });

  it('aborts a call that runs', async () => {
    await shared.call('given/2', {});
    expect(await shared.call('wait/1', { ms: 60_000 }, { patienceMs: 80 })).toEqual({ gaveUp: true });
    await shared.told('actor.log', (e) => e['value'] === 'wait was cancelled');
    const types = (await shared.records('tools/probe')).flatMap((r) => (r.kind === 'event' ? [r.event.type] : []));
    expect(types).toContain('reprise.cancel');
  });
});

it('the log of a gateway folds to what it was, whatever happened to its server', async () => {
  let frames = 0;
  for await (const frame of shared.mesh.replay('tools/probe', { strict: true })) {
    expect(frame.divergence).toBeUndefined();
    frames++;
  }
  expect(frames).toBeGreaterThan(20);
});

describe('the node dies in the middle of a call', () => {
  it('read-only calls go on, others are in doubt until they are decided; finished ones are not made again', async () => {
    const s = await stack();
    expect(await s.call('post/done', { line: 'done' })).toEqual({ output: { posted: 'done' } });
    await s.begin('wait/1', { ms: 150 });
    await s.begin('post/1', { line: 'a', end: 'hang' });
    await until(() => posted().length === 2);
    s.crash();
    const from = s.events.length;
    await s.up();
    expect(await s.outcome('wait/1')).toEqual({ output: 'waited 150 ms' });
    const { effect } = await s.told('actor.in_doubt', () => true, from);
    await s.resolve(effect, { kind: 'output', output: 'seen in the books' });
    expect(await s.outcome('post/1')).toEqual({ output: 'seen in the books' });
    expect(await s.outcome('post/done')).toEqual({ output: { posted: 'done' } });
    expect(posted()).toEqual(['done', 'a']);
  });

  it('a call that is in doubt at its deadline is told to its chart, and still waits for a person', async () => {
    const s = await stack();
    await s.call('given/1', {});
    await s.begin('brief/1', { line: 'a', end: 'hang' });
    await until(() => posted().length >= 1);
    s.crash();
    const from = s.events.length;
    await s.up();
    const { effect } = await s.told('actor.in_doubt', () => true, from);
    expect(await s.outcome('brief/1')).toMatchObject({ error: { code: 'TOOL_TIMEOUT', data: { inDoubt: true } } });
    expect(s.mesh.node.status('tools/probe')?.inDoubt).toEqual([effect]);
  });
});

it('a mesh that was stopped leaves no server behind, not even one with a timer of its own', async () => {
  const s = new Stack(CALLERS, { tools: { probe: probe(dir.file('log'), {}, { PROBE_TIMER: 'yes' }) } });
  stacks.push(await s.up());
  await s.call('given/1', {});
  const { value } = await s.told('actor.log', (e) => String(e['value']).startsWith('pid '));
  const pid = Number(String(value).slice(4));
  await s.down();
  const isAlive = (): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  expect(isAlive()).toBe(false);
});

// ---- models ----------------------------------------------------------------------------------------------------------

/** The call that the model made last. */
function wanted(messages: readonly ModelMessage[]): ToolCallPart {
  const last = messages.at(-1);
  const call =
    last?.role === 'assistant' && typeof last.content !== 'string' ? toolCallsOf({ content: last.content })[0] : undefined;
  if (call === undefined) throw new RangeError('the model called no tool');
  return call;
}

/** A reasoning loop: asks the model, calls the tools that it wants, tells it what came of them, until it answers in text. */
const agent = setup({
  types: {
    context: {} as { messages: ModelMessage[]; tools: readonly ToolDescription[]; outcome: { output: string } | null },
    input: {} as { event: { input: string } },
  },
  actors: { list: toolList('probe'), think: model('main'), act: anyTool('probe') },
}).createMachine({
  id: 'agent',
  version: '1',
  context: ({ input }) => ({ messages: [{ role: 'user', content: input.event.input }], tools: [], outcome: null }),
  initial: 'looking',
  states: {
    looking: {
      invoke: {
        id: 'list',
        src: 'list',
        onDone: { target: 'thinking', actions: assign({ tools: ({ event }) => event.output }) },
      },
    },
    thinking: {
      invoke: {
        id: 'think',
        src: 'think',
        input: ({ context: { messages, tools } }) => ({ messages, tools }),
        onDone: [
          {
            guard: ({ event }) => toolCallsOf(event.output).length > 0,
            target: 'acting',
            actions: assign({
              messages: ({ context, event }) => [...context.messages, { role: 'assistant', content: toolCallsOf(event.output) }],
            }),
          },
          { target: 'done', actions: assign({ outcome: ({ event }) => ({ output: textOf(event.output) }) }) },
        ],
      },
    },
    acting: {
      invoke: {
        id: 'act',
        src: 'act',
        input: ({ context }) => {
          const { name, input } = wanted(context.messages);
          return { name, args: input };
        },
        onDone: {
          target: 'thinking',
          actions: assign({
            messages: ({ context, event }) => {
              const { id, name } = wanted(context.messages);
              return [...context.messages, { role: 'tool', content: [{ type: 'tool-result', id, name, ...event.output }] }];
            },
          }),
        },
      },
    },
    done: {},
  },
});

describe('a model', () => {
  const calls = (name: string, input: Record<string, string>) => ({
    content: [{ type: 'tool-call', id: 'c', name, input }],
    finishReason: 'tool-calls',
  });

  it('in a loop with tools goes on where it was after a crash at any step', async () => {
    const replies = [calls('set', { line: 'first' }), calls('set', { line: 'second' }), calls('refuse', {}), 'all done'];
    const s = await stack(
      { models: { main: { kind: 'scripted', replies } }, tools: { probe: probe(dir.file('log')) } },
      { agent },
    );
    await s.begin('agent/1', 'do it');
    await until(() => posted().length >= 1);
    // Until the tool's answer is in the log of the gateway.
    while (!(await s.records('tools/probe')).some((r) => r.kind === 'event' && r.event.type.startsWith('xstate.done.')))
      await sleep(1);
    s.crash();
    await s.up();
    expect(await s.outcome('agent/1')).toEqual({ output: 'all done' });
    // A call of which nobody knew was made again, because it may be.
    expect([...new Set(posted())]).toEqual(['first', 'second']);
    const { messages } = (await s.mesh.ref('agent/1').state()).context as { messages: ModelMessage[] };
    expect(messages.flatMap((m) => (m.role === 'tool' ? m.content : []))).toMatchObject([
      { output: { set: 'first' }, isError: false },
      { output: { set: 'second' }, isError: false },
      { output: 'no funds', isError: true },
    ]);
  });

  it('whose call is in doubt: what a person says that it answered must be an answer, and the gateway goes on', async () => {
    const server = await new OpenAiServer().listen();
    server.next = ['hang'];
    const think = caller(model('main', { inDoubt: 'park' }));
    const s = await stack({ models: { main: { kind: 'openai-compatible', baseUrl: server.baseUrl, model: 'tiny' } } }, { think });
    await s.begin('think/1', { messages: [{ role: 'user', content: 'hi' }] });
    await until(() => server.received.length === 1);
    s.crash();
    const from = s.events.length;
    await s.up();
    const { effect } = await s.told('actor.in_doubt', () => true, from);
    await expect(s.resolve(effect, { kind: 'output', output: 'the answer' })).rejects.toMatchObject({ code: 'USAGE' });
    await s.resolve(effect, { kind: 'output', output: { content: [{ type: 'text', text: 'the answer' }] } });
    expect(await s.outcome('think/1')).toMatchObject({ output: { content: [{ text: 'the answer' }], usage: {} } });
    expect(await s.call('think/2', { messages: [{ role: 'user', content: 'hi' }] })).toMatchObject({
      output: { content: [{ text: 'hello there' }] },
    });
    await server.close();
  });

  it('over HTTP is asked again after the pause that it wants; its key is in no log', async () => {
    const server = await new OpenAiServer().listen();
    const key = 'sk-0123456789abcdef';
    const deltas: unknown[] = [];
    server.next = [
      { status: 429, headers: { 'retry-after-ms': '20' }, body: { error: { message: `slow down, ${key}` } } },
      { chunks: words('hello there').slice(0, 2), cut: 'reset' },
    ];
    const s = new Stack(
      { think: caller(model('main', QUICK)) },
      { models: { main: { kind: 'openai-compatible', baseUrl: server.baseUrl, model: 'tiny', apiKey: { env: 'MODEL_KEY' } } } },
      { env: { MODEL_KEY: key }, onDelta: (...delta) => deltas.push(delta) },
    );
    stacks.push(s);
    await s.up();
    expect(await s.call('think/1', { messages: [{ role: 'user', content: 'hi' }] })).toMatchObject({
      output: { content: [{ type: 'text', text: 'hello there' }], usage: { totalTokens: 10 } },
    });
    expect(server.received.map((r) => r.headers.authorization)).toEqual(Array(3).fill(`Bearer ${key}`));
    expect(new Set(server.received.map((r) => r.headers['idempotency-key'])).size).toBe(1);
    expect(deltas.at(-1)).toEqual(['models/main', 'think/1!1.0', { type: 'text', text: 'there' }]);
    const log = JSON.stringify([await s.records('models/main'), await s.records('think/1'), s.events]);
    expect(log).toContain('slow down, [secret MODEL_KEY]');
    expect(log).not.toContain(key);
    await server.close();
  });
});
