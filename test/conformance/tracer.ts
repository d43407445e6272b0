/** What every `Tracer` keeps, whether it records or not: tracing never harms, and context is W3C's. */
import assert from 'node:assert/strict';
import type { TraceContext } from '../../core/envelope.ts';
import type { Tracer } from '../../core/ports/tracer.ts';
import { type Case, caseOf } from './case.ts';

export interface TracerSubject {
  readonly tracer: Tracer;
  /** Its spans have contexts of their own. */
  readonly records: boolean;
  close(): Promise<void>;
}

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]$/;
const CAUSE: TraceContext = {
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: 'vendor=value,other=1',
};
const traceOf = (context: TraceContext | undefined): string | undefined => context?.traceparent.split('-')[1];

const tracer = (name: string, body: (subject: TracerSubject) => void): Case<TracerSubject> =>
  caseOf(name, async (subject) => body(subject));

export const tracerCases: readonly Case<TracerSubject>[] = [
  tracer('a context is W3C text, or there is none', ({ tracer: t, records }) => {
    const { context } = t.start('process', { kind: 'consumer' });
    assert.equal(context !== undefined, records);
    if (context !== undefined) assert.match(context.traceparent, TRACEPARENT);
  }),

  tracer('a child stays in the trace of its parent and passes its state on', ({ tracer: t, records }) => {
    const { context } = t.start('turn', { kind: 'internal', parent: CAUSE });
    assert.equal(traceOf(context), traceOf(CAUSE));
    assert.equal(context?.tracestate, CAUSE.tracestate);
    assert.equal(context?.traceparent !== CAUSE.traceparent, records);
  }),

  tracer('spans differ from each other', ({ tracer: t, records }) => {
    if (!records) return;
    const seen = new Set(
      Array.from({ length: 100 }, () => t.start('turn', { kind: 'internal', parent: CAUSE }).context?.traceparent),
    );
    assert.equal(seen.size, 100);
  }),

  tracer('malformed context counts as none, or is passed on as it is', ({ tracer: t }) => {
    const malformed = [
      '',
      'x',
      '00-0-0-00',
      '00-00000000000000000000000000000000-b7ad6b7169203331-01',
      'ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      '00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01',
      `${CAUSE.traceparent}-more`,
    ];
    for (const traceparent of malformed) {
      const span = t.start('process', { kind: 'consumer', parent: { traceparent }, links: [{ traceparent, tracestate: '=,=' }] });
      assert.ok(span.context?.traceparent === traceparent || traceOf(span.context) !== traceOf(CAUSE), traceparent);
      span.end();
    }
  }),

  tracer('ending twice, setting late, odd values and any error are harmless', ({ tracer: t }) => {
    for (const error of [
      undefined,
      new Error('x'),
      'text',
      7,
      null,
      { code: 'TOOL_FAILED', message: 'm' },
      Object.create(null),
    ]) {
      const span = t.start('an operation that nobody knows', {
        kind: 'server',
        attributes: { '': 0, 'a b': Number.NaN, long: 'x'.repeat(100_000) },
      });
      span.set({ a: 1 });
      span.end(error);
      span.set({ late: true });
      span.end(error);
    }
  }),
];
