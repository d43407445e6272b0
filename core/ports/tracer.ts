/** Spans. Replay and recovery use none. */
import type { TraceContext } from '../envelope.ts';

export type SpanKind = 'internal' | 'producer' | 'consumer' | 'client' | 'server';

export interface Span {
  readonly context: TraceContext | undefined;
  set(attributes: Readonly<Record<string, string | number | boolean>>): void;
  end(error?: unknown): void;
}
export interface SpanOptions {
  readonly kind: SpanKind;
  /** The span that caused this one in time: becomes the parent. */
  readonly parent?: TraceContext | undefined;
  /** Causes that lie behind a mailbox. */
  readonly links?: readonly TraceContext[];
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
}
export interface Tracer {
  start(name: string, options: SpanOptions): Span;
}
