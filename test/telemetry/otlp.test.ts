import { createServer, type IncomingMessage, type Server } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type AnyActorRef, sendTo, setup } from 'xstate';
import { model } from '../../actors/model.ts';
import { startMesh } from '../../cli/start-mesh.ts';
import type { Envelope, TraceContext } from '../../core/envelope.ts';
import { CODES, MeshError } from '../../core/errors.ts';
import { endLeaf, leafSpan, noopTracer, processSpan, sendSpan } from '../../core/spans.ts';
import type { NodeEvent } from '../../core/node/news.ts';
import type { Tracer } from '../../core/ports/tracer.ts';
import { openTelemetry, spanContextOf, traceContextOf } from '../../telemetry/opentelemetry.ts';
import { otlp, type Otlp, type OtlpOptions } from '../../telemetry/otlp.ts';
import { conform } from '../conformance/conform.ts';
import { tracerCases } from '../conformance/tracer.ts';

type Any = {
  stringValue?: string;
  intValue?: number | string;
  boolValue?: boolean;
  doubleValue?: number;
  arrayValue?: { values: Any[] };
};
type KeyValues = { key: string; value: Any }[];
interface WireSpan {
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  traceState?: string;
  attributes: KeyValues;
  links?: { traceId: string; spanId: string; traceState?: string }[];
  status: { code?: number; message?: string };
}
interface WireBatch {
  resourceSpans: { resource: { attributes: KeyValues }; scopeSpans: { scope: { name: string }; spans: WireSpan[] }[] }[];
}

const KIND = { internal: 1, client: 3, producer: 4, consumer: 5 };
const plain = (v: Any): unknown => v.arrayValue?.values.map(plain) ?? v.stringValue ?? v.intValue ?? v.boolValue ?? v.doubleValue;
const attributesOf = (list: KeyValues): Record<string, unknown> =>
  Object.fromEntries(list.map(({ key, value }) => [key, plain(value)]));

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function body(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

/** An OTLP/HTTP receiver. `answer` says with what status it answers; undefined: never. */
async function receiver(answer: () => number | undefined = () => 200) {
  const requests: { url: string; headers: IncomingMessage['headers']; batch: WireBatch }[] = [];
  const server: Server = createServer((request, response) => {
    const receive = async (): Promise<void> => {
      const text = await body(request);
      const status = answer();
      if (status === 200)
        requests.push({ url: request.url ?? '', headers: request.headers, batch: JSON.parse(text) as WireBatch });
      if (status !== undefined) response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    };
    void receive();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
  const { port } = server.address() as { port: number };
  const spans = (): WireSpan[] =>
    requests.flatMap((r) => r.batch.resourceSpans.flatMap((s) => s.scopeSpans.flatMap((scope) => scope.spans)));
  return {
    endpoint: `http://127.0.0.1:${port}`,
    requests,
    spans,
    named: (name: string) => {
      const found = spans().filter((s) => s.name === name);
      expect(
        found,
        `one span '${name}' among ${spans()
          .map((s) => s.name)
          .join(', ')}`,
      ).toHaveLength(1);
      return found[0] as WireSpan;
    },
  };
}

function started(url: string, options: Partial<OtlpOptions> = {}): Otlp {
  const exporting = otlp({ url, service: 'desk', mesh: 'm', node: 'n1', intervalMs: 60_000, ...options });
  open.push({ close: () => exporting.shutdown(100) });
  return exporting;
}

const mail: Envelope = {
  id: 'desk/intake!12.0',
  from: 'desk/intake',
  to: 'desk/case/A-17',
  lane: 'user',
  shard: 'default/0',
  fromShard: 'default/0',
  after: -1,
  ts: 0,
  event: { type: 'mail' },
};

/** Intake takes a mail and sends it on; the case takes it and calls a model; the gateway of a tool is asked. */
function scene(tracer: Tracer): void {
  const intake = processSpan(
    tracer,
    'desk/intake',
    'intake',
    { type: 'poll' },
    { ...mail, id: 'x', from: '@outside', to: 'desk/intake', event: { type: 'poll' } },
    { version: '3' },
  );
  const trace = sendSpan(tracer, { ...mail, ...(intake.context !== undefined && { trace: intake.context }) }, 'desk/case/{key}');
  intake.end();
  const taken = { ...mail, ...(trace !== undefined && { trace }) };
  const turn = processSpan(tracer, 'desk/case/A-17', 'case', taken.event, taken, { destination: 'desk/case/{key}' });
  const chat =
    leafSpan(tracer, 'models/main', 'generate', {}, turn.context, 'models/main!4.0') ?? noopTracer.start('', { kind: 'client' });
  endLeaf(chat, {
    type: 'xstate.done.actor.call',
    output: { content: [], finishReason: 'stop', usage: { inputTokens: 12, outputTokens: 3 }, model: 'llama3:8b' },
  });
  const asked = {
    ...mail,
    id: 'desk/case/A-17!5.0',
    from: 'desk/case/A-17',
    to: 'tools/ledger',
    event: { type: 'reprise.call', replyTo: {} },
    ...(turn.context !== undefined && { trace: turn.context }),
  };
  const gateway = processSpan(tracer, 'tools/ledger', 'mcp', asked.event, asked);
  const tool =
    leafSpan(tracer, 'tools/ledger', 'call', { name: 'post_refund', args: { iban: 'secret' } }, gateway.context) ??
    noopTracer.start('', { kind: 'client' });
  endLeaf(tool, { type: 'xstate.error.actor.call', error: { name: 'MeshError', code: 'TOOL_FAILED', message: 'no funds' } });
  gateway.end();
  turn.end();
}

describe('spans at a real OTLP/HTTP receiver', () => {
  test('names, kinds, parents and links are those of the conventions', async () => {
    const { endpoint, named, requests } = await receiver();
    const exporting = started(endpoint);
    scene(exporting.tracer);
    expect(await exporting.flush(5_000)).toBe(true);
    expect(requests.map((r) => r.url)).toEqual(['/v1/traces']);
    expect(attributesOf(requests[0]?.batch.resourceSpans[0]?.resource.attributes ?? [])).toMatchObject({
      'service.name': 'desk',
      'service.instance.id': 'm/n1',
      'reprise.mesh': 'm',
      'reprise.node': 'n1',
    });

    const intake = named('process desk/intake');
    const send = named('send desk/case/{key}');
    const taken = named('process desk/case/{key}');
    const turn = named('invoke_agent case');
    const [chat, gateway, tool] = [named('chat main'), named('process tools/ledger'), named('execute_tool post_refund')];
    expect([intake, send, taken, turn, chat, gateway, tool].map((s) => s.kind)).toEqual([
      KIND.consumer,
      KIND.producer,
      KIND.consumer,
      KIND.internal,
      KIND.client,
      KIND.consumer,
      KIND.client,
    ]);

    expect(intake.parentSpanId).toBeUndefined();
    expect(send.parentSpanId).toBe(named('invoke_agent intake').spanId);
    expect(taken.parentSpanId).toBeUndefined();
    expect(taken.traceId).not.toBe(send.traceId);
    expect(taken.links?.map((l) => [l.traceId, l.spanId])).toEqual([[send.traceId, send.spanId]]);
    expect([turn, chat, gateway, tool].map((s) => s.parentSpanId)).toEqual([
      taken.spanId,
      turn.spanId,
      turn.spanId,
      gateway.spanId,
    ]);
    expect(new Set([taken, turn, chat, gateway, tool].map((s) => s.traceId)).size).toBe(1);
  });

  test('attributes are those of the conventions; no content and no id in a destination', async () => {
    const { endpoint, named, spans } = await receiver();
    const exporting = started(endpoint);
    scene(exporting.tracer);
    await exporting.flush(5_000);
    expect(attributesOf(named('send desk/case/{key}').attributes)).toEqual({
      'messaging.system': 'reprise',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'desk/case/{key}',
      'messaging.message.id': 'desk/intake!12.0',
      'messaging.message.conversation_id': 'desk/case/A-17',
      'gen_ai.conversation.id': 'desk/intake',
      'reprise.actor': 'desk/intake',
      'reprise.event.type': 'mail',
    });
    expect(attributesOf(named('process desk/case/{key}').attributes)).toMatchObject({
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'desk/case/{key}',
      'messaging.message.id': 'desk/intake!12.0',
      'gen_ai.conversation.id': 'desk/case/A-17',
      'gen_ai.agent.name': 'case',
      'reprise.from': 'desk/intake',
    });
    expect(attributesOf(named('invoke_agent intake').attributes)).toEqual({
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.agent.name': 'intake',
      'gen_ai.agent.id': 'desk/intake',
      'gen_ai.agent.version': '3',
      'gen_ai.conversation.id': 'desk/intake',
      'reprise.actor': 'desk/intake',
      'reprise.event.type': 'poll',
    });
    expect(attributesOf(named('chat main').attributes)).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': 'main',
      'gen_ai.response.model': 'llama3:8b',
      'gen_ai.usage.input_tokens': 12,
      'gen_ai.usage.output_tokens': 3,
      'gen_ai.response.finish_reasons': ['stop'],
      'reprise.effect.id': 'models/main!4.0',
    });
    const tool = named('execute_tool post_refund');
    expect(attributesOf(tool.attributes)).toMatchObject({
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'post_refund',
      'gen_ai.tool.type': 'function',
      'mcp.method.name': 'tools/call',
      'reprise.tool.server': 'ledger',
      'error.type': 'TOOL_FAILED',
    });
    expect(tool.status).toEqual({ code: 2, message: 'A tool answered with an error.' });
    expect(JSON.stringify(spans())).not.toMatch(/secret|no funds/);
  });

  test('a failure leaves as its code or its class, and no word of what failed', async () => {
    const { endpoint, spans } = await receiver();
    const exporting = started(endpoint);
    const failures = [
      new MeshError('MODEL_FAILED', 'secret', { data: 'secret', cause: new Error('secret') }),
      new RangeError('secret'),
      Object.assign(new Error('secret'), { name: 'secret words' }),
      { name: 'MeshError', message: 'secret', code: 'TOOL_FAILED' },
      'secret',
    ];
    for (const failure of failures) exporting.tracer.start('turn', { kind: 'internal' }).end(failure);
    await exporting.flush(5_000);
    expect(spans().map((s) => [attributesOf(s.attributes)['error.type'], s.status])).toEqual([
      ['MODEL_FAILED', { code: 2, message: CODES.MODEL_FAILED.meaning }],
      ['RangeError', { code: 2 }],
      ['Error', { code: 2 }],
      ['TOOL_FAILED', { code: 2, message: CODES.TOOL_FAILED.meaning }],
      ['Error', { code: 2 }],
    ]);
    expect(JSON.stringify(spans())).not.toContain('secret');
  });

  test("with links: 'parent' it is one trace throughout", async () => {
    const { endpoint, named, spans } = await receiver();
    const exporting = started(endpoint, { links: 'parent' });
    scene(exporting.tracer);
    await exporting.flush(5_000);
    expect(named('process desk/case/{key}').parentSpanId).toBe(named('send desk/case/{key}').spanId);
    expect(named('process desk/case/{key}').links ?? []).toEqual([]);
    expect(new Set(spans().map((s) => s.traceId)).size).toBe(1);
  });

  test('a trace that came from elsewhere goes on, with its state, and one that is not sampled is not exported', async () => {
    const { endpoint, spans } = await receiver();
    const exporting = started(endpoint);
    const from = (flags: string): TraceContext => ({
      traceparent: `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-${flags}`,
      tracestate: 'vendor=value',
    });
    const sampled = exporting.tracer.start('turn', { kind: 'internal', parent: from('01'), attributes: { agent: 'a' } });
    const unsampled = exporting.tracer.start('turn', { kind: 'internal', parent: from('00'), attributes: { agent: 'b' } });
    for (const span of [sampled, unsampled]) span.end();
    await exporting.flush(5_000);
    expect(spans().map((s) => [s.name, s.traceId, s.parentSpanId, s.traceState])).toEqual([
      ['invoke_agent a', '0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331', 'vendor=value'],
    ]);
    expect(sampled.context).toEqual({
      traceparent: `00-0af7651916cd43dd8448eb211c80319c-${spans()[0]?.spanId}-01`,
      tracestate: 'vendor=value',
    });
    expect(unsampled.context?.traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-00$/);
  });

  test('headers of the environment go along', async () => {
    const { endpoint, requests } = await receiver();
    vi.stubEnv('OTEL_EXPORTER_OTLP_HEADERS', 'api-key=from-env');
    const exporting = started(endpoint);
    vi.unstubAllEnvs();
    exporting.tracer.start('turn', { kind: 'internal' }).end();
    await exporting.flush(5_000);
    expect(requests.map((r) => r.headers['api-key'])).toEqual(['from-env']);
  });

  test('stopping sends what is left', async () => {
    const { endpoint, spans } = await receiver();
    const exporting = started(endpoint);
    scene(exporting.tracer);
    expect(await exporting.shutdown(5_000)).toBe(true);
    expect(spans()).toHaveLength(8);
  });

  test('a mesh whose config asks for it: from a message over a model call to what another actor is told', async () => {
    const { endpoint, named, spans, requests } = await receiver();
    const book = setup({}).createMachine({ id: 'book', version: '1', on: { line: {} } });
    const writer = setup({
      types: { events: {} as { type: 'write' } },
      actors: { think: model('main') },
    }).createMachine({
      id: 'writer',
      version: '1',
      initial: 'idle',
      states: {
        idle: { on: { write: 'thinking' } },
        thinking: {
          invoke: { id: 'think', src: 'think', input: { messages: [{ role: 'user', content: 'secret' }] }, onDone: 'done' },
        },
        done: { entry: sendTo(({ system }) => system.get('book') as AnyActorRef, { type: 'line' }) },
      },
    });
    const mesh = await startMesh(
      {
        mesh: 'traced',
        store: 'memory:',
        actors: { writer: { kind: 'keyed' }, book: {} },
        models: { main: { kind: 'scripted', replies: ['three lines'] } },
        telemetry: { otlp: endpoint },
      },
      { writer, book },
    );
    await mesh.send('writer/ada', { type: 'write' });
    await vi.waitFor(async () => expect((await mesh.ref('book').state()).seq).toBeGreaterThan(1));
    await mesh.stop();

    const told = named('process book');
    expect(told.links).toHaveLength(1);
    expect(named('send book').spanId).toBe(told.links?.[0]?.spanId);
    const chat = named('chat main');
    const asked = named('process models/main');
    expect(chat.traceId).toBe(asked.traceId);
    expect(spans().filter((s) => s.name === 'process writer/{key}').length).toBeGreaterThan(0);
    expect(JSON.stringify(requests)).not.toContain('secret');
    const [resource] = requests[0]?.batch.resourceSpans ?? [];
    expect(attributesOf(resource?.resource.attributes ?? [])).toMatchObject({
      'service.name': 'traced',
      'service.instance.id': 'traced/n1',
      'reprise.mesh': 'traced',
      'reprise.node': 'n1',
    });
  });

  test('the path of a backend is kept', async () => {
    const { endpoint, requests } = await receiver();
    for (const path of ['', '/', '/api/otel', '/api/otel/', '/own/v1/traces']) {
      const exporting = started(`${endpoint}${path}`);
      exporting.tracer.start('turn', { kind: 'internal' }).end();
      await exporting.flush(5_000);
    }
    expect(requests.map((r) => r.url)).toEqual([
      '/v1/traces',
      '/v1/traces',
      '/api/otel/v1/traces',
      '/api/otel/v1/traces',
      '/own/v1/traces',
    ]);
    for (const wrong of ['', 'localhost:4318', 'ftp://x', 'not a url'])
      expect(() => otlp({ url: wrong, service: 'x', mesh: 'm', node: 'n1' })).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID' }),
      );
  });
});

describe('an exporter fails open', () => {
  test('nobody listens: spans go nowhere, flush says so within its deadline, and it is told once', async () => {
    const told: (string | undefined)[] = [];
    const exporting = started('http://127.0.0.1:1', { timeoutMs: 300, onChange: (failure) => told.push(failure) });
    for (let i = 0; i < 3; i++) {
      scene(exporting.tracer);
      expect(await exporting.flush(3_000)).toBe(false);
    }
    expect(told).toHaveLength(1);
    expect(told[0]).toEqual(expect.any(String));
    expect(await exporting.shutdown(3_000)).toBe(true);
  });

  test('a receiver that never answers holds the stop no longer than its deadline', async () => {
    const told: (string | undefined)[] = [];
    const { endpoint } = await receiver(() => undefined);
    const exporting = started(endpoint, { timeoutMs: 30_000, onChange: (failure) => told.push(failure) });
    scene(exporting.tracer);
    expect(await exporting.shutdown(50)).toBe(false);
    expect(told).toEqual(['spans did not get through within 50 ms']);
  });

  test('a mesh whose collector is not there says so, once', async () => {
    const events: NodeEvent[] = [];
    const book = setup({}).createMachine({ id: 'book', version: '1', on: { line: {} } });
    const mesh = await startMesh(
      { mesh: 'traced', store: 'memory:', actors: { book: {} }, telemetry: { otlp: 'http://127.0.0.1:1' } },
      { book },
      { onEvent: (event) => events.push(event) },
    );
    await mesh.send('book', { type: 'line' });
    await mesh.stop();
    expect(events.filter((event) => event.type.startsWith('telemetry.'))).toEqual([
      { type: 'telemetry.stalled', url: 'http://127.0.0.1:1', error: expect.any(String) },
    ]);
  });

  test('when the receiver works again, that is told too', async () => {
    let status = 400;
    const told: (string | undefined)[] = [];
    const { endpoint, spans } = await receiver(() => status);
    const exporting = started(endpoint, { onChange: (failure) => told.push(failure) });
    scene(exporting.tracer);
    expect(await exporting.flush(5_000)).toBe(false);
    status = 200;
    scene(exporting.tracer);
    expect(await exporting.flush(5_000)).toBe(true);
    expect(told).toEqual([expect.any(String), undefined]);
    expect(spans()).toHaveLength(8);
  });

  test('an SDK that throws disturbs nobody', () => {
    const broken = openTelemetry({
      provider: {
        getTracer: () => ({
          startSpan: () => {
            throw new RangeError('x');
          },
          startActiveSpan: () => undefined as never,
        }),
      },
    });
    const parent: TraceContext = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
    const span = broken.start('turn', { kind: 'internal', parent });
    span.set({ a: 1 });
    span.end();
    expect(span.context).toBe(parent);
  });
});

describe('W3C trace context', () => {
  test('goes in and comes out as it was', () => {
    for (const context of [
      { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
      {
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
        tracestate: 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE',
      },
    ]) {
      const parsed = spanContextOf(context);
      expect(parsed).toBeDefined();
      expect(parsed === undefined ? undefined : traceContextOf(parsed)).toEqual(context);
    }
  });

  test('a later version may have more fields, and unknown flags are not passed on', () => {
    const parsed = spanContextOf({
      traceparent: 'cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-what-the-future-brings',
    });
    expect(parsed === undefined ? undefined : traceContextOf(parsed)?.traceparent).toBe(
      '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    );
  });
});

const tracers = {
  'OpenTelemetry with an SDK': { records: true, make: () => started('http://127.0.0.1:1').tracer },
  'OpenTelemetry without an SDK': { records: false, make: () => openTelemetry() },
  'no tracer': { records: false, make: () => noopTracer },
};
for (const [name, { records, make }] of Object.entries(tracers)) {
  conform(name, tracerCases, async () => ({ tracer: make(), records, close: () => Promise.resolve() }));
}
