/**
 * The SDK that the CLI brings when the config asks for tracing: OpenTelemetry's own, exporting by OTLP/HTTP. Libraries and users' own
 * programs set up theirs. It fails open: an exporter that is down costs spans, never messages, and is told once, not per span.
 */
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace-node';
import { MeshError } from '../core/errors.ts';
import type { Tracer } from '../core/ports/tracer.ts';
import { openTelemetry, type OpenTelemetryOptions } from './opentelemetry.ts';

export interface OtlpOptions extends Pick<OpenTelemetryOptions, 'links'> {
  /**
   * `http://host:4318`, or with the path of the backend; `/v1/traces` is added where it is missing. Headers are those of
   * OTEL_EXPORTER_OTLP_HEADERS.
   */
  readonly url: string;
  /** `service.name`. */
  readonly service: string;
  /** `reprise.mesh` and `reprise.node`; together they are `service.instance.id`. */
  readonly mesh: string;
  readonly node: string;
  /** ms between exports. Default 2,000. */
  readonly intervalMs?: number;
  /** ms for one export. Default 5,000. */
  readonly timeoutMs?: number;
  /** Called when exporting begins to fail (with the reason), or has not ended at its deadline, and when it works again (without). */
  readonly onChange?: (failure?: string) => void;
}

export interface Otlp {
  readonly tracer: Tracer;
  /** Sends what is recorded, within 2 s by default. False: not everything went out within the deadline. Never rejects. */
  flush(deadlineMs?: number): Promise<boolean>;
  /** Flushes, then ends. */
  shutdown(deadlineMs?: number): Promise<boolean>;
}

const DEADLINE_MS = 2_000;

/** Throws CONFIG_INVALID for an endpoint that is no HTTP URL. */
function tracesUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new MeshError('CONFIG_INVALID', `'${text}' is no OTLP/HTTP endpoint: it must be like http://localhost:4318`);
  if (!url.pathname.endsWith('/v1/traces')) url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/traces`;
  return url.href;
}

interface WatchedExporter extends SpanExporter {
  /** Batches that did not get through. */
  failed(): number;
  /** Exporting fails, or works. */
  tell(failure: string | undefined): void;
}

/** Tells when exports begin to fail and when they work again. */
function watched(exporter: SpanExporter, onChange: (failure?: string) => void): WatchedExporter {
  let failed = 0;
  let down = false;
  const tell = (failure: string | undefined): void => {
    if ((failure !== undefined) === down) return;
    down = !down;
    onChange(failure);
  };
  return {
    failed: () => failed,
    tell,
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const code: number = result.code;
        if (code !== 0) failed++;
        tell(code === 0 ? undefined : (result.error?.message ?? 'the exporter failed'));
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
}

async function within(deadlineMs: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), deadlineMs);
  });
  const done = await Promise.race([
    late,
    work.then(
      () => true,
      () => false,
    ),
  ]);
  clearTimeout(timer);
  return done;
}

export function otlp(options: OtlpOptions): Otlp {
  const { service, mesh, node, intervalMs = 2_000, timeoutMs = 5_000 } = options;
  const exporter = watched(
    new OTLPTraceExporter({ url: tracesUrl(options.url), timeoutMillis: timeoutMs }),
    options.onChange ?? (() => undefined),
  );
  const provider = new NodeTracerProvider({
    resource: defaultResource().merge(
      resourceFromAttributes({
        'service.name': service,
        'service.instance.id': `${mesh}/${node}`,
        'reprise.mesh': mesh,
        'reprise.node': node,
      }),
    ),
    spanProcessors: [new BatchSpanProcessor(exporter, { scheduledDelayMillis: intervalMs, exportTimeoutMillis: timeoutMs })],
  });
  const counted = async (deadlineMs: number, work: Promise<void>): Promise<boolean> => {
    const before = exporter.failed();
    const ended = await within(deadlineMs, work);
    if (!ended) exporter.tell(`spans did not get through within ${deadlineMs} ms`);
    return ended && exporter.failed() === before;
  };
  return {
    tracer: openTelemetry({ provider, ...(options.links !== undefined && { links: options.links }) }),
    flush: (deadlineMs = DEADLINE_MS) => counted(deadlineMs, provider.forceFlush()),
    shutdown: (deadlineMs = DEADLINE_MS) => counted(deadlineMs, provider.shutdown()),
  };
}
