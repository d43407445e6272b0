/** From a chart to a server and back, over crashes of either: chart, ask, gateway actor, leaf, MCP server or model. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AnyActorLogic, assign, setup } from 'xstate';
import { z } from 'zod';
import { KEY_META } from '../../actors/mcp-client.ts';
import { model } from '../../actors/model.ts';
import { type ModelMessage, textOf, type ToolCallPart, toolCallsOf } from '../../actors/model-port.ts';
import { anyTool, tool, toolList, type ToolDescription } from '../../actors/tool.ts';
import type { StartOptions } from '../../cli/start-mesh.ts';
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
  wait: caller(tool('probe.wait', QUICK)),
  any: caller(anyTool('probe', QUICK)),
  typed: caller(tool('probe.post', { args: z.object({ line: z.string() }), result: z.object({ posted: z.number() }) })),
  brief: caller(tool('probe.post', { timeoutMs: 5_000, deadlineMs: 5_000 })),
};

let dir: ReturnType<typeof folder>;
let stacks: Stack[] = [];
beforeEach(() => {
  dir = folder();
});
afterEach(async () => {
  await Promise.all(stacks.map((s) => s.down()));
  stacks = [];
  dir.remove();
});

/** A mesh of callers with the probe behind them. */
function stack(
  server: Partial<Server> = {},
  { actors = CALLERS, ...options }: StartOptions & { actors?: Readonly<Record<string, AnyActorLogic>> } = {},
): Promise<Stack> {
  const probe: Server = {
    stdio: {
      command: process.execPath,
      args: [join(import.meta.dirname, 'probe-server.ts')],
      env: { PROBE_FILE: dir.file('log') },
    },
    backoff: { min: 10, max: 50 },
    ...server,
  };
  const made = new Stack(actors, { tools: { probe } }, options);
  stacks.push(made);
  return made.up();
}
const until = async (check: () => boolean): Promise<void> => {
  while (!check()) await sleep(5);
};
const posted = (): number => {
  try {
    return dir.lines('log').length;
  } catch {
    return 0;
  }
};

it('a tool is called under the id of the effect that asks; refusals, schemas and unknown tools are errors of the invoke', async () => {
  const s = await stack();
  expect(await s.call('given/1', { x: 1 })).toMatchObject({ output: { args: { x: 1 }, meta: { [KEY_META]: 'given/1!1.0' } } });
  expect(await s.call('any/1', { name: 'refuse' })).toEqual({ output: { output: 'no funds', isError: true } });
  expect(await s.call('any/2', { name: 'no-such-tool' })).toMatchObject({ output: { isError: true } });
  // Refused before it is sent, by the schema of the code.
  expect(await s.call('typed/1', { line: 7 })).toMatchObject({
    error: { code: 'TOOL_FAILED', data: { issues: [expect.stringMatching('line')] } },
  });
  expect(posted()).toBe(0);
  // Sent, and the answer does not pass.
  expect(await s.call('typed/2', { line: 'a' })).toMatchObject({
    error: { code: 'TOOL_FAILED', data: { issues: [expect.stringMatching('posted')] } },
  });
  expect(posted()).toBe(1);
  const types = (await s.records('tools/probe')).map((r) => (r.kind === 'event' ? r.event.type : r.kind));
  expect(types.slice(0, 2)).toEqual(['init', 'reprise.mcp.opening']);
  for await (const frame of s.mesh.replay('tools/probe', { strict: true })) expect(frame.divergence).toBeUndefined();
});

it('the trace of a call reaches the server', async () => {
  let spans = 0;
  const tools: string[] = [];
  const tracer: Tracer = {
    start(name) {
      const context = { traceparent: `00-${'a'.repeat(32)}-${String(++spans).padStart(16, '0')}-01` };
      if (name === 'tool') tools.push(context.traceparent);
      return { context, set: () => undefined, end: () => undefined };
    },
  };
  const s = await stack({}, { tracer });
  const outcome = await s.call('given/1', {});
  expect(tools).toHaveLength(1);
  expect(outcome).toMatchObject({ output: { meta: { traceparent: tools[0] } } });
});

describe('the server dies in the middle of a call', () => {
  it('that may be repeated: it is, under the same key', async () => {
    const s = await stack();
    expect(await s.call('set/1', { line: 'a', end: 'die-once' })).toEqual({ output: { set: 'a' } });
    expect(dir.lines('log')).toEqual(['a', 'a']);
  });

  it('that must not be: a person sees it and decides', async () => {
    const s = await stack();
    await s.begin('post/1', { line: 'a', end: 'die-once' });
    const { effect } = await s.told('actor.in_doubt', (e) => e.actor === 'tools/probe');
    await sleep(100);
    expect(posted()).toBe(1);
    // The person has looked: it did not arrive, so once more.
    await s.resolve(effect, { kind: 'retry' });
    expect(await s.outcome('post/1')).toEqual({ output: { posted: 'a' } });
    expect(posted()).toBe(2);
  });

  it('a person may also say what came of it, or that nothing did', async () => {
    const s = await stack();
    await Promise.all([s.begin('post/1', { line: 'a', end: 'die-after' }), s.begin('post/2', { line: 'b', end: 'hang' })]);
    const doubts = await Promise.all(
      ['post/1', 'post/2'].map((by) => s.told('actor.in_doubt', (e) => JSON.stringify(e).includes(`${by}!`))),
    );
    await s.resolve(doubts[0]?.['effect'], { kind: 'output', output: { posted: 'by hand' } });
    await s.resolve(doubts[1]?.['effect'], { kind: 'fail' });
    expect(await s.outcome('post/1')).toEqual({ output: { posted: 'by hand' } });
    expect(await s.outcome('post/2')).toMatchObject({ error: { code: 'EFFECT_IN_DOUBT' } });
  });

  it('whose fate can be asked: it is, and made again only if it did not happen', async () => {
    const query = { tool: 'find', keyArgument: 'key' };
    const s = await stack({ tools: { post: { inDoubt: 'ask', keyArgument: 'key', query } } });
    expect(await s.call('post/1', { line: 'a', end: 'die-after' })).toEqual({ output: { posted: 'a' } });
    expect(dir.lines('log')).toEqual(['a post/1!1.0']);
  });

  it('whose chart shall decide: it gets an error', async () => {
    const s = await stack({ tools: { post: { inDoubt: 'fail' } } });
    expect(await s.call('post/1', { line: 'a', end: 'die-after' })).toMatchObject({ error: { code: 'EFFECT_IN_DOUBT' } });
    expect(posted()).toBe(1);
  });
});

describe('the node dies in the middle of a call', () => {
  it('read-only calls go on, others are in doubt until they are decided; finished ones are not made again', async () => {
    const s = await stack({}, { clock: hurried() });
    expect(await s.call('post/done', { line: 'done' })).toEqual({ output: { posted: 'done' } });
    await s.begin('wait/1', { ms: 150 });
    await s.begin('post/1', { line: 'a', end: 'hang' });
    await until(() => posted() === 2);
    s.crash();
    const from = s.events.length;
    await s.up();
    expect(await s.outcome('wait/1')).toEqual({ output: 'waited 150 ms' });
    const { effect } = await s.told('actor.in_doubt', () => true, from);
    await s.resolve(effect, { kind: 'output', output: 'seen in the books' });
    expect(await s.outcome('post/1')).toEqual({ output: 'seen in the books' });
    expect(await s.outcome('post/done')).toEqual({ output: { posted: 'done' } });
    expect(dir.lines('log')).toEqual(['done', 'a']);
  });

  it('a call that is in doubt at its deadline is told to its chart, and still waits for a person', async () => {
    const s = await stack({}, { clock: hurried() });
    await s.call('given/1', {});
    await s.begin('brief/1', { line: 'a', end: 'hang' });
    await until(() => posted() === 1);
    s.crash();
    const from = s.events.length;
    await s.up();
    const { effect } = await s.told('actor.in_doubt', () => true, from);
    expect(await s.outcome('brief/1')).toMatchObject({ error: { code: 'TOOL_TIMEOUT', data: { inDoubt: true } } });
    expect(s.mesh.node.status('tools/probe')?.inDoubt).toEqual([effect]);
  });
});

describe('a chart that no longer waits', () => {
  it('takes back a call that has not begun', async () => {
    const s = await stack({ stdio: { command: 'no-such-program-here' } });
    expect(await s.call('post/1', { line: 'a' }, { patienceMs: 50 })).toEqual({ gaveUp: true });
    const gateway = async (): Promise<string> => JSON.stringify((await s.mesh.ref('tools/probe').state()).context);
    while (!(await gateway()).includes('given up by its caller')) await sleep(5);
    expect(JSON.parse(await gateway())).toMatchObject({ book: { calls: {}, waiting: [] } });
  });

  it('aborts a call that runs', async () => {
    const s = await stack();
    await s.call('given/1', {});
    expect(await s.call('wait/1', { ms: 60_000 }, { patienceMs: 80 })).toEqual({ gaveUp: true });
    await s.told('actor.log', (e) => e['value'] === 'wait was cancelled');
    const types = (await s.records('tools/probe')).flatMap((r) => (r.kind === 'event' ? [r.event.type] : []));
    expect(types).toContain('reprise.cancel');
  });
});

it('a mesh that was stopped leaves no server behind', async () => {
  const s = await stack();
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
  await until(() => !isAlive());
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
    const s = new Stack(
      { agent },
      {
        models: { main: { kind: 'scripted', replies } },
        tools: {
          probe: {
            stdio: {
              command: process.execPath,
              args: [join(import.meta.dirname, 'probe-server.ts')],
              env: { PROBE_FILE: dir.file('log') },
            },
          },
        },
      },
      { clock: hurried() },
    );
    stacks.push(s);
    await s.up();
    await s.begin('agent/1', 'do it');
    await until(() => posted() === 1);
    // Until the tool's answer is in the log of the gateway.
    while (!(await s.records('tools/probe')).some((r) => r.kind === 'event' && r.event.type.startsWith('xstate.done.')))
      await sleep(1);
    s.crash();
    await s.up();
    expect(await s.outcome('agent/1')).toEqual({ output: 'all done' });
    // A call of which nobody knew was made again, because it may be.
    expect([...new Set(dir.lines('log'))]).toEqual(['first', 'second']);
    const { messages } = (await s.mesh.ref('agent/1').state()).context as { messages: ModelMessage[] };
    expect(messages.flatMap((m) => (m.role === 'tool' ? m.content : []))).toMatchObject([
      { output: { set: 'first' }, isError: false },
      { output: { set: 'second' }, isError: false },
      { output: 'no funds', isError: true },
    ]);
  });

  it('over HTTP is asked again after the pause that it wants; its key is in no log', async () => {
    const server = await new OpenAiServer().listen();
    const key = 'sk-0123456789abcdef';
    server.next = [
      { status: 429, headers: { 'retry-after-ms': '20' }, body: { error: { message: `slow down, ${key}` } } },
      { chunks: words('hello there').slice(0, 2), cut: 'reset' },
    ];
    const s = new Stack(
      { think: caller(model('main', QUICK)) },
      { models: { main: { kind: 'openai-compatible', baseUrl: server.baseUrl, model: 'tiny', apiKey: { env: 'MODEL_KEY' } } } },
      { env: { MODEL_KEY: key } },
    );
    stacks.push(s);
    await s.up();
    expect(await s.call('think/1', { messages: [{ role: 'user', content: 'hi' }] })).toMatchObject({
      output: { content: [{ type: 'text', text: 'hello there' }], usage: { totalTokens: 10 } },
    });
    expect(server.received.map((r) => r.headers.authorization)).toEqual(Array(3).fill(`Bearer ${key}`));
    expect(new Set(server.received.map((r) => r.headers['idempotency-key'])).size).toBe(1);
    const log = JSON.stringify([await s.records('models/main'), await s.records('think/1'), s.events]);
    expect(log).toContain('slow down, [secret MODEL_KEY]');
    expect(log).not.toContain(key);
    await server.close();
  });
});
