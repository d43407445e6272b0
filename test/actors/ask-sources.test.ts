/** tool(), anyTool(), toolList(), model() and ask() as a chart meets them: what they send, how they read a reply, what they refuse. */
import { describe, expect, expectTypeOf, it } from 'vitest';
import { createActor, setup } from 'xstate';
import { z } from 'zod';
import { ask } from '../../actors/ask.ts';
import { type AskLogic, SOURCE } from '../../actors/ask-logic.ts';
import { model } from '../../actors/model.ts';
import type { ModelRequest, ModelResult } from '../../actors/model-port.ts';
import { anyTool, tool, type ToolAnswer, type ToolDescription, toolList } from '../../actors/tool.ts';
import type { AskSource } from '../../core/logic.ts';

const KEY = 'desk/case/7!12.0';
const sourceOf = <O, I>(logic: AskLogic<O, I>): AskSource => {
  const source = logic[SOURCE];
  if (source.kind !== 'ask') throw new Error('it is no ask');
  return source.ask;
};
const request = <O, I>(logic: AskLogic<O, I>, input?: unknown) => sourceOf(logic).request(input, KEY);
const output = <O, I>(logic: AskLogic<O, I>, value: unknown) => sourceOf(logic).result({ type: 'reprise.reply', output: value });
const error = <O, I>(logic: AskLogic<O, I>, code: string, data?: unknown) =>
  sourceOf(logic).result({ type: 'reprise.reply', error: { name: 'MeshError', message: 'why', code, data } });

describe('tool()', () => {
  it('asks the gateway of its server under the id of the effect, and waits a little longer than it', () => {
    const read = tool<{ path: string }, string>('files.read', { timeoutMs: 2_000, retry: { attempts: 5 }, inDoubt: 'fail' });
    expect(request(read, { path: 'a' })).toEqual({
      to: 'tools/files',
      event: {
        type: 'reprise.call',
        name: 'read',
        args: { path: 'a' },
        key: KEY,
        timeoutMs: 2_000,
        deadlineMs: 20_000,
        policy: { attempts: 5, inDoubt: 'fail' },
      },
      timeoutMs: 25_000,
    });
    expect(request(tool('files.read'))).toMatchObject({ event: { args: {}, deadlineMs: 600_000, policy: {} } });
    expect(sourceOf(read).cancel?.({ path: 'a' }, KEY)).toEqual({
      to: 'tools/files',
      event: { type: 'reprise.cancel', key: KEY },
    });
  });

  it('names a tool behind the first dot, whatever it is called', () => {
    expect(request(tool('files.read.all'))).toMatchObject({ to: 'tools/files', event: { name: 'read.all' } });
  });

  it.each(['read', '.read', 'files.'])("'%s' is no tool", (name) => {
    expect(() => tool(name)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it.each([{ timeoutMs: 0 }, { deadlineMs: Number.NaN }, { timeoutMs: 500, deadlineMs: 100 }, { retry: { attempts: -1 } }])(
    'limits that make no sense are refused: %j',
    (options) => {
      expect(() => tool('files.read', options)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    },
  );

  it('is typed by its schemas, and checks arguments and answer with them', () => {
    const read = tool('files.read', {
      args: z.object({ path: z.string(), lines: z.number().default(10) }),
      result: z.object({ content: z.string() }),
    });
    expectTypeOf(read).toEqualTypeOf<AskLogic<{ content: string }, { path: string; lines?: number | undefined }>>();
    expect(request(read, { path: 'a', more: 1 })).toMatchObject({ event: { args: { path: 'a', lines: 10 } } });
    expect(output(read, { content: 'x', more: 1 })).toEqual({ output: { content: 'x' } });
    expect(() => request(read, { path: 7 })).toThrow(
      expect.objectContaining({
        code: 'TOOL_FAILED',
        message: expect.stringContaining("arguments of tool 'files.read'"),
        data: { issues: [expect.stringMatching(/^path: /)], retryable: false },
      }),
    );
    expect(output(read, 'just text')).toMatchObject({ error: { code: 'TOOL_FAILED', data: { retryable: false } } });
    expect(error(read, 'TOOL_TIMEOUT')).toMatchObject({ error: { code: 'TOOL_TIMEOUT' } });
  });

  it('takes any schema that speaks the standard, but none that answers later', () => {
    const word = {
      '~standard': {
        validate: (value: unknown) =>
          value === 'a' ? { value: 'A' } : { issues: [{ message: 'not a', path: [{ key: 'x' }, 0] }] },
      },
    };
    const spell = tool('words.spell', { args: word });
    expect(request(spell, 'a')).toMatchObject({ event: { args: 'A' } });
    expect(() => request(spell, 'b')).toThrow('x.0: not a');
    const later = { '~standard': { validate: (value: unknown) => Promise.resolve({ value }) } };
    expect(() => request(tool('words.spell', { args: later }), 'a')).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it('what the tool refused is an error of the invoke', () => {
    expect(error(tool('files.read'), 'TOOL_FAILED', { content: 'no such file' })).toMatchObject({
      error: { code: 'TOOL_FAILED', data: { content: 'no such file' } },
    });
  });
});

describe('anyTool()', () => {
  const any = anyTool('files');

  it('calls the tool that the input names', () => {
    expect(request(any, { name: 'read', args: { path: 'a' } })).toMatchObject({
      to: 'tools/files',
      event: { name: 'read', args: { path: 'a' } },
    });
  });

  it('gives what the tool refused as an answer for the model to read; no answer is an error', () => {
    expectTypeOf(any).toEqualTypeOf<AskLogic<ToolAnswer, { readonly name: string; readonly args?: unknown }>>();
    expect(output(any, { content: 'x' })).toEqual({ output: { output: { content: 'x' }, isError: false } });
    expect(error(any, 'TOOL_FAILED', { content: 'no such file' })).toEqual({ output: { output: 'no such file', isError: true } });
    expect(error(any, 'TOOL_FAILED')).toEqual({ output: { output: 'why', isError: true } });
    expect(error(any, 'MCP_FAILED')).toMatchObject({ error: { code: 'MCP_FAILED' } });
  });
});

it('toolList() asks for what a server offers, in the shape that a request to a model takes', () => {
  expect(request(toolList('files', { timeoutMs: 1_000 }))).toEqual({
    to: 'tools/files',
    event: { type: 'reprise.tools', key: KEY, deadlineMs: 1_000 },
    timeoutMs: 6_000,
  });
  expectTypeOf<ToolDescription>().toExtend<NonNullable<ModelRequest['tools']>[number]>();
});

it('model() asks the gateway of its model', () => {
  const think = model('main', { timeoutMs: 1_000, deadlineMs: 5_000, retry: { minMs: 10 } });
  expectTypeOf(think).toEqualTypeOf<AskLogic<ModelResult, ModelRequest>>();
  expect(request(think, { messages: [] })).toEqual({
    to: 'models/main',
    event: {
      type: 'reprise.generate',
      request: { messages: [] },
      key: KEY,
      timeoutMs: 1_000,
      deadlineMs: 5_000,
      policy: { minMs: 10 },
    },
    timeoutMs: 10_000,
  });
  expect(sourceOf(think).cancel?.({}, KEY)).toEqual({ to: 'models/main', event: { type: 'reprise.cancel', key: KEY } });
  for (const input of [undefined, null, {}, { messages: 'hi' }])
    expect(() => request(think, input)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  expect(() => model('no/such name')).toThrow(expect.objectContaining({ code: 'ADDRESS_INVALID' }));
});

describe('ask()', () => {
  it('asks whom it names, or whom the input names, and gives the reply as it stands', () => {
    const policy = ask({ to: 'desk/policy', timeoutMs: 1_000 });
    expect(request(policy, { event: { type: 'limit.of' } })).toEqual({
      to: 'desk/policy',
      event: { type: 'limit.of' },
      timeoutMs: 1_000,
    });
    expect(request(policy, { to: 'desk/other', event: { type: 'x' }, timeoutMs: 5 })).toMatchObject({
      to: 'desk/other',
      timeoutMs: 5,
    });
    expect(sourceOf(policy).result({ type: 'limit', sum: 7 })).toEqual({ output: { type: 'limit', sum: 7 } });
    expect(output(policy, 7)).toEqual({ output: 7 });
    expect('cancel' in sourceOf(policy)).toBe(false);
  });

  it.each([
    [{ event: { type: 'x' } }, 'names nobody'],
    [{ to: 'desk/policy' }, 'has no event'],
    [{ to: 'desk/policy', event: { type: 'x' }, timeoutMs: -1 }, 'must be a positive number'],
  ])('refuses %j', (input, message) => {
    expect(() => request(ask(), input)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(message) }),
    );
  });
});

it('in plain XState they fail with what to do about it', () => {
  const machine = setup({ actors: { read: tool('files.read') } }).createMachine({
    initial: 'reading',
    states: { reading: { invoke: { src: 'read', input: {}, onError: 'failed' } }, failed: {} },
  });
  const actor = createActor(machine);
  let seen: unknown;
  actor.subscribe({ error: (e) => (seen = e) });
  actor.start();
  expect([actor.getSnapshot().value, seen]).toEqual(['failed', undefined]);
  const bare = createActor(tool('files.read'), { input: {} });
  expect(bare.getSnapshot()).toMatchObject({
    status: 'error',
    error: { code: 'OUTSIDE_MESH', message: expect.stringContaining("tool 'files.read'") },
  });
});
