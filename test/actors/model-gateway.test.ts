/** Model gateways: what they decide as pure steps, their leaves, and the ports that need no network. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { REQUEST_BYTES_MAX } from '../../actors/limits.ts';
import { modelGateway, type ModelGatewayState, type ModelTerms } from '../../actors/model-gateway.ts';
import { modelLeaves } from '../../actors/model-leaves.ts';
import { jsonOf, type ModelPort, type ModelRequest, type ModelResult, textOf, toolCallsOf } from '../../actors/model-port.ts';
import { fromAiSdk } from '../../actors/models/ai-sdk.ts';
import { recorded, recordingsOf } from '../../actors/models/recorded.ts';
import { callsTool, scripted } from '../../actors/models/scripted.ts';
import { Redactor } from '../../actors/secret.ts';
import { systemClock } from '../../cli/system.ts';
import type { EventObject } from '../../core/effect.ts';
import type { LogRecord } from '../../core/record.ts';
import { GatewayDrive, NO_LEAF } from './gateway-drive.ts';

const TERMS: ModelTerms = { timeoutMs: 5_000, concurrency: 2, attempts: 2 };
const asked = (content: string): ModelRequest => ({ messages: [{ role: 'user', content }] });
const answer = (text: string): ModelResult => ({
  content: [{ type: 'text', text }],
  finishReason: 'stop',
  usage: { inputTokens: 3, outputTokens: 2 },
});

class Gateway extends GatewayDrive {
  constructor() {
    super(modelGateway({ name: 'main', leaves: { port: NO_LEAF, generate: NO_LEAF } }), 'models/main');
    this.event({ type: 'reprise.model.opening', terms: TERMS });
  }
  static up(): Gateway {
    return new Gateway().event({ type: 'reprise.model.port', id: 'mock/m' });
  }
  ask(caller: string, more: Record<string, unknown> = {}): this {
    const key = `${caller}!1.0`;
    return this.event({
      type: 'reprise.generate',
      request: asked(caller),
      key,
      deadlineMs: 60_000,
      policy: {},
      replyTo: { id: key },
      ...more,
    });
  }
  get gateway(): ModelGatewayState {
    return this.state as ModelGatewayState;
  }
}

describe('a model gateway', () => {
  it('gives each call its request, its number and its terms; counts answers and tokens', () => {
    const gateway = Gateway.up().ask('a');
    expect(gateway.started).toEqual([
      {
        child: 'a!1.0#1',
        input: { request: asked('a'), nth: 0, key: 'a!1.0', timeoutMs: 5_000, remainingMs: 60_000, inDoubt: 'retry' },
      },
    ]);
    gateway.ask('a').ask('b');
    expect(gateway.started[0]?.input['nth']).toBe(1);
    expect(gateway.done('a!1.0#1', answer('hi')).replies).toEqual([{ to: 'a!1.0', output: answer('hi') }]);
    expect(gateway.gateway).toMatchObject({ calls: 2, answers: 1, tokens: 5, model: 'mock/m' });
  });

  it('tries as often as the config says, unless the code says otherwise, under the same number', () => {
    const busy = { code: 'MODEL_FAILED' as const, message: 'busy', data: { retryable: true, retryAfterMs: 4_000 } };
    const gateway = Gateway.up().ask('a').failed('a!1.0#1', busy);
    expect(gateway.timers[0]?.delay).toBe(4_000);
    expect(gateway.fire('again a!1.0').started[0]).toMatchObject({ child: 'a!1.0#2', input: { nth: 0 } });
    expect(gateway.failed('a!1.0#2', busy).replies[0]?.error?.message).toBe('busy');
    const patient = Gateway.up()
      .ask('a', { policy: { attempts: 3 } })
      .failed('a!1.0#1', busy)
      .fire('again a!1.0')
      .failed('a!1.0#2', busy);
    expect(patient.replies).toEqual([]);
    const refused = Gateway.up()
      .ask('a')
      .failed('a!1.0#1', { ...busy, data: { retryable: false } });
    expect(refused.replies[0]?.error?.message).toBe('busy');
  });

  it.each([
    ['the answer'],
    [null],
    [undefined],
    [{}],
    [{ content: 'the answer' }],
    [{ content: [null] }],
    [{ content: [{ type: 'text' }] }],
    [{ content: [{ type: 'tool-call', name: 'read' }] }],
  ])('an output that is no answer (%j) is the failure of its call, and the gateway goes on', (output) => {
    const gateway = Gateway.up().ask('a').done('a!1.0#1', output);
    expect(gateway.replies).toMatchObject([{ to: 'a!1.0', error: { code: 'MODEL_FAILED', data: { retryable: false } } }]);
    expect(gateway.gateway).toMatchObject({ answers: 0, tokens: 0, book: { running: 0, calls: {} } });
    expect(gateway.ask('b').done('b!1.0#1', answer('hi')).replies).toEqual([{ to: 'b!1.0', output: answer('hi') }]);
  });

  it('counts what a provider counts in numbers, and nothing else', () => {
    const odd = { ...answer('hi'), usage: { inputTokens: 'three', outputTokens: 2 } };
    expect(Gateway.up().ask('a').done('a!1.0#1', odd).gateway.tokens).toBe(2);
    expect(
      Gateway.up()
        .ask('a')
        .done('a!1.0#1', { ...answer('hi'), usage: null }).gateway,
    ).toMatchObject({ answers: 1, tokens: 0 });
  });

  it('takes no request that is too large, and does not count it', () => {
    const gateway = Gateway.up().ask('a', { request: asked('x'.repeat(REQUEST_BYTES_MAX)) });
    expect(gateway.replies).toMatchObject([{ to: 'a!1.0', error: { code: 'PAYLOAD_TOO_LARGE' } }]);
    expect(gateway.gateway).toMatchObject({ calls: 0, book: { calls: {} } });
  });

  it('may be told not to repeat a call whose fate is unknown', () => {
    expect(Gateway.up().ask('a', { policy: { inDoubt: 'fail' } }).started[0]?.input['inDoubt']).toBe('fail');
  });

  it('starts at most as many calls at once as its terms say, and aborts one whose caller gave up', () => {
    const gateway = Gateway.up().ask('a').ask('b').ask('c');
    expect(gateway.started).toEqual([]);
    gateway.event({ type: 'reprise.cancel', key: 'b!1.0' });
    expect([gateway.stopped, gateway.started.map((s) => s.child)]).toEqual([['b!1.0#1'], ['c!1.0#1']]);
  });

  it('without a port keeps calls waiting, and says why when they wait in vain', () => {
    const gateway = new Gateway()
      .event({ type: 'reprise.model.down', error: { name: 'MeshError', message: 'KEY is not set' } })
      .ask('a');
    expect(gateway.started).toEqual([]);
    gateway.fire('deadline a!1.0');
    expect(gateway.replies[0]?.error).toMatchObject({ code: 'MODEL_FAILED', message: expect.stringContaining('KEY is not set') });
    expect(gateway.ask('b').event({ type: 'reprise.model.port', id: 'mock/m' }).started).toHaveLength(1);
  });
});

// ---- leaves ----------------------------------------------------------------------------------------------------------

const job = (input: Record<string, unknown>) => ({
  id: 'models/main!2.0',
  child: 'a!1.0#1',
  input: { request: asked('hi'), nth: 0, key: 'a!1.0', timeoutMs: 1_000, remainingMs: 2_000, inDoubt: 'retry', ...input },
  sync: false,
});

/** Opens the port and makes one call. */
async function one(
  port: ModelPort | (() => ModelPort),
  input: Record<string, unknown> = {},
  options: { readonly redactor?: Redactor; readonly resultBytesMax?: number; readonly onDelta?: () => void } = {},
): Promise<EventObject> {
  const leaves = modelLeaves(() => (typeof port === 'function' ? port() : port), TERMS, { clock: systemClock(), ...options });
  const opened = leaves.port.start({ ...job({}), child: 'port' }, () => undefined);
  const end = await new Promise<EventObject>((resolve) => void leaves.generate.start(job(input), resolve));
  await opened.stop();
  return end;
}
const SDK_MODEL = {
  specificationVersion: 'v3',
  provider: 'mock',
  modelId: 'm',
  doGenerate: () => Promise.reject(new Error('it streams')),
};
const portOf = (generate: ModelPort['generate']): ModelPort => ({ id: 'own/port', generate });

describe('the leaves of a model', () => {
  it('tell the gateway terms and model, and end a call with the result', async () => {
    const events: EventObject[] = [];
    const leaves = modelLeaves(() => scripted(['hi']), TERMS, { clock: systemClock() });
    leaves.port.start({ ...job({}), child: 'port' }, (event) => events.push(event));
    await sleep(1);
    expect(events).toEqual([
      { type: 'reprise.model.opening', terms: TERMS },
      { type: 'reprise.model.port', id: 'scripted/list' },
    ]);
    expect(await one(scripted(['hi']))).toMatchObject({
      type: 'xstate.done.actor.a!1.0#1',
      output: { content: [{ text: 'hi' }] },
    });
  });

  it('a port that cannot be made yet is told and made later', async () => {
    const events: EventObject[] = [];
    let tries = 0;
    const source = (): ModelPort => {
      if (++tries === 1) throw new Error('KEY is not set');
      return scripted(['hi']);
    };
    const waits: number[] = [];
    const clock = { ...systemClock(), after: (ms: number, fn: () => void) => (waits.push(ms), systemClock().after(1, fn)) };
    modelLeaves(source, TERMS, { clock }).port.start({ ...job({}), child: 'port' }, (event) => events.push(event));
    while (events.length < 3) await sleep(1);
    expect(events.map((e) => e.type)).toEqual(['reprise.model.opening', 'reprise.model.down', 'reprise.model.port']);
    expect(waits).toEqual([1_000]);
  });

  it('silence ends a call, deltas are signs of life, and the port is told to stop', async () => {
    let aborted = false;
    const mute = portOf((_request, { signal }) => {
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      return new Promise(() => undefined);
    });
    expect(await one(mute, { timeoutMs: 30 })).toMatchObject({ error: { code: 'MODEL_TIMEOUT' } });
    expect(aborted).toBe(true);
    const slow = portOf(async (_request, { onDelta }) => {
      for (let i = 0; i < 6; i++) {
        await sleep(50);
        onDelta?.({ type: 'text', text: '.' });
      }
      return answer('at last');
    });
    let deltas = 0;
    expect(await one(slow, { timeoutMs: 200 }, { onDelta: () => deltas++ })).toMatchObject({ output: answer('at last') });
    expect(deltas).toBe(6);
  });

  it('what a port of a user throws or answers is made fit for a log', async () => {
    const thrown = await one(portOf(() => Promise.reject(new TypeError('a bug'))));
    expect(thrown).toMatchObject({
      error: { code: 'MODEL_FAILED', message: 'own/port failed: a bug', data: { retryable: false } },
    });
    const odd = portOf(() => Promise.resolve({ content: [{ type: 'text', text: 'hi', at: new Date(0) }] } as never));
    expect(await one(odd)).toMatchObject({
      output: { content: [{ type: 'text', text: 'hi', at: '1970-01-01T00:00:00.000Z' }], usage: {}, finishReason: 'other' },
    });
    expect(await one(portOf(() => Promise.resolve('hi' as never)))).toMatchObject({ error: { code: 'MODEL_FAILED' } });
    const large = portOf(() => Promise.resolve(answer('x'.repeat(2_000))));
    expect(await one(large, {}, { resultBytesMax: 1_000 })).toMatchObject({ error: { code: 'PAYLOAD_TOO_LARGE' } });
  });

  it('a person may give the answer of a call in doubt, if it is one', () => {
    const { generate } = modelLeaves(() => scripted([]), TERMS, { clock: systemClock(), resultBytesMax: 1_000 });
    expect(generate.admit?.({ content: [{ type: 'text', text: 'hi' }] })).toEqual({
      ...answer('hi'),
      usage: {},
      finishReason: 'other',
    });
    for (const wrong of ['the answer', undefined, { content: [7] }, answer('x'.repeat(2_000))])
      expect(() => generate.admit?.(wrong)).toThrow(
        expect.objectContaining({
          code: 'USAGE',
          message: expect.stringContaining('an answer of a model looks like { "content"'),
        }),
      );
  });

  it('a secret is taken out of results and errors', async () => {
    const redactor = new Redactor();
    redactor.add('sk-0123456789', 'KEY');
    expect(await one(scripted(['it is sk-0123456789']), {}, { redactor })).toMatchObject({
      output: { content: [{ text: 'it is [secret KEY]' }] },
    });
    const failing = portOf(() => Promise.reject(new Error('bad key', { cause: new Error('sk-0123456789') })));
    expect(JSON.stringify(await one(failing, {}, { redactor }))).not.toContain('sk-0123456789');
    // Cleaned whole and then cut: no part of it is left.
    const long = (): Promise<never> => Promise.reject(new Error(`${'x'.repeat(980)} sk-0123456789`));
    for (const port of [portOf(long), fromAiSdk({ ...SDK_MODEL, doStream: long })]) {
      const text = JSON.stringify(await one(port, {}, { redactor }));
      expect(text).toContain('x'.repeat(900));
      expect(text).not.toContain('sk-0');
      expect(text.length).toBeLessThan(3_000);
    }
  });
});

// ---- ports without a network -----------------------------------------------------------------------------------------

const call = (port: ModelPort, key: string, nth?: number, request = asked('x')): Promise<string> =>
  port
    .generate(request, { signal: new AbortController().signal, idempotencyKey: key, ...(nth !== undefined && { nth }) })
    .then(textOf);

describe('a scripted model', () => {
  it('answers in order; the same call gets the same answer, in every process', async () => {
    const script = ['one', 'two', 'three'];
    const port = scripted(script);
    expect([await call(port, 'a', 0), await call(port, 'b', 1), await call(port, 'a', 0)]).toEqual(['one', 'two', 'one']);
    // After a crash the third call is still the third.
    expect(await call(scripted(script), 'c', 2)).toBe('three');
    const alone = scripted(script);
    expect([await call(alone, 'a'), await call(alone, 'b'), await call(alone, 'a')]).toEqual(['one', 'two', 'one']);
  });

  it('throws an error of its list once; ends, or begins again', async () => {
    const port = scripted([new Error('busy'), 'one', 'two']);
    await expect(call(port, 'a', 0)).rejects.toThrow('busy');
    expect([await call(port, 'a', 0), await call(port, 'b', 1)]).toEqual(['one', 'two']);
    await expect(call(port, 'c', 2)).rejects.toMatchObject({ code: 'MODEL_FAILED', data: { retryable: false } });
    const endless = scripted(['one', 'two'], { repeat: true });
    expect([await call(endless, 'a', 2), await call(endless, 'b', 7)]).toEqual(['one', 'two']);
  });

  it('may call tools, and look at the request', async () => {
    const port = scripted([callsTool('read', { path: 'a' }), (request) => `you said ${String(request.messages[0]?.content)}`]);
    const context = { signal: new AbortController().signal, idempotencyKey: 'a' };
    expect(toolCallsOf(await port.generate(asked('x'), context))).toEqual([
      { type: 'tool-call', id: 'call-read', name: 'read', input: { path: 'a' } },
    ]);
    expect(await call(port, 'b', 1, asked('hi'))).toBe('you said hi');
  });
});

describe('a recorded model', () => {
  const record = (seq: number, event: EventObject): LogRecord => ({
    v: 1,
    seq,
    epoch: 1,
    kind: 'event',
    event,
    meta: { ts: 0, seed: 0 },
    digest: '',
    effectsDigest: '',
  });
  const log = [
    record(1, { type: 'reprise.generate', key: 'a!1.0', request: asked('one') }),
    record(2, { type: 'xstate.error.actor.a!1.0#1', actorId: 'a!1.0#1', error: {} }),
    record(3, { type: 'xstate.done.actor.a!1.0#2', actorId: 'a!1.0#2', output: answer('1') }),
    record(4, { type: 'reprise.generate', key: 'b!1.0', request: asked('one') }),
    record(5, { type: 'xstate.done.actor.b!1.0#1', actorId: 'b!1.0#1', output: answer('2') }),
    record(6, { type: 'reprise.generate', key: 'c!1.0', request: asked('two') }),
  ];

  it('gives each call of its log the answer that it got', async () => {
    const port = recorded(recordingsOf(log));
    expect([await call(port, 'b!1.0'), await call(port, 'a!1.0')]).toEqual(['2', '1']);
  });

  it('gives other calls what an equal request got, in order', async () => {
    const port = recorded(recordingsOf(log));
    const again = { messages: [{ content: 'one', role: 'user' as const }] };
    expect([await call(port, 'x', 0, again), await call(port, 'y', 1, again), await call(port, 'z', 2, again)]).toEqual([
      '1',
      '2',
      '2',
    ]);
    await expect(call(port, 'c!1.0', 3, asked('two'))).rejects.toMatchObject({
      code: 'MODEL_FAILED',
      data: { retryable: false },
    });
  });
});

it('JSON in an answer is read with or without a fence', () => {
  const of = (text: string) => jsonOf({ content: [{ type: 'text', text }] });
  expect(of('{"a":1}')).toEqual({ value: { a: 1 } });
  expect(of('```json\n{"a":1}\n```\n')).toEqual({ value: { a: 1 } });
  expect(of('Sure! {"a":1}')).toMatchObject({ problem: expect.stringContaining('Sure!') });
});
