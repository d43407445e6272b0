/**
 * The Tracer port on `@opentelemetry/api` alone: which SDK records the spans, if any, is the application's choice. It fails open: whatever
 * an SDK throws, the mesh goes on. Trace context goes in and out as W3C text, without a global propagator.
 */
import { createRequire } from 'node:module';
import type * as Api from '@opentelemetry/api';
import type { Span as OtelSpan, SpanContext, TracerProvider } from '@opentelemetry/api';
import type { TraceContext } from '../core/envelope.ts';
import { CODES, errorData } from '../core/errors.ts';
import type { Span, SpanOptions, Tracer } from '../core/ports/tracer.ts';
import { conventional, ERROR_TYPE, named } from './semconv.ts';

export interface OpenTelemetryOptions {
  /** Default: the provider that the application registered globally, now or later. */
  readonly provider?: TracerProvider;
  /**
   * How a message that waited in a mailbox points at its cause. `link` (default): a trace of its own, linked to it; retries and
   * fan-in stay readable. `parent`: one trace throughout, for backends that show links badly.
   */
  readonly links?: 'link' | 'parent';
}

/** Loaded when somebody traces: who imports the package for its machines alone does not wait for it. */
let loaded: typeof Api | undefined;
const api = (): typeof Api => (loaded ??= createRequire(import.meta.url)('@opentelemetry/api') as typeof Api);

const KINDS = { internal: 'INTERNAL', producer: 'PRODUCER', consumer: 'CONSUMER', client: 'CLIENT', server: 'SERVER' } as const;

/** W3C Trace Context, section 3.2; versions above 00 may have more fields. */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Undefined: it is malformed and counts as absent, as the specification has it. */
export function spanContextOf(context: TraceContext | undefined): SpanContext | undefined {
  const [, version, traceId = '', spanId = '', flags = '', more] = TRACEPARENT.exec(context?.traceparent ?? '') ?? [];
  if (context === undefined || (version === '00' && more !== undefined)) return undefined;
  const found: SpanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
  if (!api().isSpanContextValid(found)) return undefined;
  return context.tracestate === undefined ? found : { ...found, traceState: api().createTraceState(context.tracestate) };
}

export function traceContextOf(context: SpanContext): TraceContext | undefined {
  if (!api().isSpanContextValid(context)) return undefined;
  const tracestate = context.traceState?.serialize();
  const traceparent = `00-${context.traceId}-${context.spanId}-${(context.traceFlags & 1).toString().padStart(2, '0')}`;
  return tracestate === undefined || tracestate === '' ? { traceparent } : { traceparent, tracestate };
}

function guarded<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

/** A class of errors, not what somebody wrote in its place. */
const CLASS_NAME = /^\w{1,64}$/;

/** Messages quote tools, models and machines, so none goes out: what the code means is all that the status says. */
function fail(span: OtelSpan, error: unknown): void {
  const { code, name } = errorData(error);
  span.setAttribute(ERROR_TYPE, code ?? (CLASS_NAME.test(name) ? name : 'Error'));
  span.setStatus({ code: api().SpanStatusCode.ERROR, ...(code !== undefined && { message: CODES[code].meaning }) });
}

const wrap = (span: OtelSpan): Span => ({
  context: traceContextOf(span.spanContext()),
  set: (attributes) => void guarded(() => span.setAttributes(conventional(attributes))),
  end: (error) => {
    guarded(() => {
      if (error !== undefined && span.isRecording()) fail(span, error);
      span.end();
    });
  },
});

/** A tracer for `startMesh({ tracer })`. Spans and attributes: docs/telemetry.md. */
export function openTelemetry(options: OpenTelemetryOptions = {}): Tracer {
  const { ROOT_CONTEXT, SpanKind: Kind, trace } = api();
  const tracer = (options.provider ?? trace).getTracer('reprise');
  const begin = (operation: string, { kind, parent, links = [], attributes = {} }: SpanOptions): Span => {
    const [first, ...others] = links;
    const asParent = options.links === 'parent' && parent === undefined && first !== undefined;
    const conventions = named(operation, attributes);
    const above = spanContextOf(asParent ? first : parent);
    const span = tracer.startSpan(
      conventions.name,
      {
        kind: Kind[KINDS[kind]],
        attributes: conventions.attributes,
        links: (asParent ? others : links).flatMap((l) => spanContextOf(l) ?? []).map((context) => ({ context })),
      },
      above === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, above),
    );
    return wrap(span);
  };
  return {
    start: (operation, spanOptions) =>
      guarded(() => begin(operation, spanOptions)) ?? { context: spanOptions.parent, set: () => undefined, end: () => undefined },
  };
}
