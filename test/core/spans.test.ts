import { describe, expect, test } from 'vitest';
import type { Envelope, TraceContext } from '../../core/envelope.ts';
import type { SpanOptions, Tracer } from '../../core/ports/tracer.ts';
import { endLeaf, leafSpan, noopTracer, processSpan, sendSpan, template } from '../../core/spans.ts';

interface Seen extends SpanOptions {
  readonly operation: string;
  readonly context: TraceContext;
  ended?: unknown;
  late?: Record<string, unknown>;
}

function recorder(): { tracer: Tracer; seen: Seen[] } {
  const seen: Seen[] = [];
  const start: Tracer['start'] = (operation, options) => {
    const span: Seen = { operation, ...options, context: { traceparent: `span ${seen.length}` } };
    seen.push(span);
    return {
      context: span.context,
      set: (a) => {
        span.late = { ...span.late, ...a };
      },
      end: (error) => {
        span.ended = error ?? 'well';
      },
    };
  };
  return { tracer: { start }, seen };
}

const cause: TraceContext = { traceparent: 'the cause' };
const envelope = (event: Envelope['event'], more: Partial<Envelope> = {}): Envelope => ({
  id: 'desk/intake!12.0',
  from: 'desk/intake',
  to: 'desk/case/A-17',
  lane: 'user',
  shard: 'default/0',
  fromShard: 'default/0',
  after: -1,
  ts: 0,
  trace: cause,
  event,
  ...more,
});

describe('what happens in a cell becomes spans', () => {
  test('a message that is taken: a consumer span linked to its cause, and the turn of the agent inside', () => {
    const { tracer, seen } = recorder();
    const mail = envelope({ type: 'mail', secret: 'content' });
    const span = processSpan(tracer, 'desk/case/A-17', 'case', mail.event, mail, {
      destination: 'desk/case/{key}',
      version: '2',
    });
    expect(seen.map((s) => [s.operation, s.kind, s.parent, s.links])).toEqual([
      ['process', 'consumer', undefined, [cause]],
      ['turn', 'internal', { traceparent: 'span 0' }, undefined],
    ]);
    expect(seen[0]?.attributes).toEqual({
      actor: 'desk/case/A-17',
      conversation: 'desk/case/A-17',
      agent: 'case',
      version: '2',
      event: 'mail',
      destination: 'desk/case/{key}',
      'message.id': 'desk/intake!12.0',
      'message.conversation': 'desk/case/A-17',
      from: 'desk/intake',
    });
    expect(span.context).toEqual({ traceparent: 'span 1' });
    span.end('broken');
    expect(seen.map((s) => s.ended)).toEqual(['broken', 'broken']);
    expect(JSON.stringify(seen)).not.toContain('content');
  });

  test('question and answer are children of who asks, not links', () => {
    for (const mail of [
      envelope({ type: 'question', replyTo: { xstate$$type: 1, id: 'desk/intake!12.0' } }),
      envelope({ type: 'answer' }, { via: 'desk/case/A-17!3.0' }),
    ]) {
      const { tracer, seen } = recorder();
      processSpan(tracer, 'desk/case/A-17', 'case', mail.event, mail);
      expect([seen[0]?.parent, seen[0]?.links]).toEqual([cause, undefined]);
    }
  });

  test('orders and reports of supervisors are processed, but are no turn of an agent', () => {
    const { tracer, seen } = recorder();
    const order = envelope({ type: 'reprise.start' }, { lane: 'system' });
    processSpan(tracer, 'desk/intake', 'intake', order.event, order);
    expect(seen.map((s) => s.operation)).toEqual(['process']);
  });

  test('a result or a timer is a turn below the one that set it off', () => {
    const { tracer, seen } = recorder();
    processSpan(tracer, 'desk/intake', 'intake', { type: 'xstate.after.1000.intake' }, undefined, { parent: cause });
    expect(seen.map((s) => [s.operation, s.kind, s.parent])).toEqual([['turn', 'internal', cause]]);
  });

  test('a message that leaves is a producer span that is over at once, and its context travels', () => {
    const { tracer, seen } = recorder();
    expect(sendSpan(tracer, envelope({ type: 'mail' }), 'desk/case/{key}')).toEqual({ traceparent: 'span 0' });
    expect(seen[0]).toMatchObject({
      operation: 'send',
      kind: 'producer',
      parent: cause,
      ended: 'well',
      attributes: {
        actor: 'desk/intake',
        destination: 'desk/case/{key}',
        'message.id': 'desk/intake!12.0',
        'message.conversation': 'desk/case/A-17',
        event: 'mail',
      },
    });
  });

  test('calls of gateways are tools and models, their connections are none, all other calls are leaves', () => {
    const { tracer, seen } = recorder();
    leafSpan(tracer, 'tools/files', 'call', { name: 'read_file', args: { path: 'secret' } }, cause, 'tools/files!4.0');
    leafSpan(tracer, 'models/main', 'generate', { request: { messages: ['secret'] } }, cause);
    leafSpan(tracer, 'desk/intake', 'readMails', { folder: 'secret' }, cause);
    expect(leafSpan(tracer, 'tools/files', 'connection', null, cause)).toBeUndefined();
    expect(leafSpan(tracer, 'models/main', 'port', null, cause)).toBeUndefined();
    expect(seen.map((s) => [s.operation, s.kind, s.parent, s.attributes])).toEqual([
      [
        'tool',
        'client',
        cause,
        { actor: 'tools/files', conversation: 'tools/files', effect: 'tools/files!4.0', server: 'files', tool: 'read_file' },
      ],
      ['model', 'client', cause, { actor: 'models/main', conversation: 'models/main', model: 'main' }],
      ['leaf', 'internal', cause, { actor: 'desk/intake', conversation: 'desk/intake', source: 'readMails' }],
    ]);
  });

  test('the end of a call says how it went, and what a model used, never what it said', () => {
    const { tracer, seen } = recorder();
    const call = () => leafSpan(tracer, 'models/main', 'generate', {}, undefined) ?? noopTracer.start('x', { kind: 'client' });
    endLeaf(call(), {
      type: 'xstate.done.actor.x',
      output: {
        content: [{ type: 'text', text: 'secret' }],
        finishReason: 'stop',
        usage: { inputTokens: 12, outputTokens: 3 },
        model: 'llama3',
      },
    });
    endLeaf(call(), { type: 'xstate.error.actor.x', error: { code: 'MODEL_FAILED', message: 'm' } });
    endLeaf(call(), { type: 'xstate.done.actor.x', output: null });
    expect(seen[0]).toMatchObject({
      ended: 'well',
      late: { finish: 'stop', 'usage.input': 12, 'usage.output': 3, 'response.model': 'llama3' },
    });
    expect(seen[1]?.ended).toEqual({ code: 'MODEL_FAILED', message: 'm' });
    expect(seen[2]).toMatchObject({ ended: 'well', late: {} });
    expect(JSON.stringify(seen)).not.toContain('secret');
  });

  test('without a plan, parts of an address that look like keys are left out of names', () => {
    expect(
      ['desk/intake', 'desk/case/A-17', 'desk/triage/1', 'desk/case/A-17/llm@4.0', 'desk/plan/a%2Fb', '@root'].map(template),
    ).toEqual(['desk/intake', 'desk/case/{key}', 'desk/triage/{key}', 'desk/case/{key}/llm', 'desk/plan/{key}', '@root']);
  });

  test('without tracing the context is passed on', () => {
    expect(noopTracer.start('process', { kind: 'consumer', parent: cause }).context).toBe(cause);
    expect(sendSpan(noopTracer, envelope({ type: 'mail' }))).toBe(cause);
  });
});
