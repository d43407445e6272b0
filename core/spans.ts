/**
 * What happens in a cell, as spans: pure mapping, one call each for the live path. Replay and recovery call none of it.
 *
 * Operations and attributes carry our own short names; `telemetry/semconv.ts` turns them into OpenTelemetry's, which still move.
 *
 *   send      (producer)  once, when a message first leaves            its context travels in the envelope
 *   process   (consumer)  a message is taken, until it is durable      linked to `send`; asked and answered: its child
 *   turn      (internal)  a step of an agent, inside its `process`     its context is stored in the record
 *   leaf, tool, model     a call that runs in this process             children of the turn that started them
 */
import { type Address, type EffectId, topOf } from './address.ts';
import type { EventObject } from './effect.ts';
import type { Envelope, TraceContext } from './envelope.ts';
import type { Span, SpanOptions, Tracer } from './ports/tracer.ts';

type Attributes = NonNullable<SpanOptions['attributes']>;

/** Passes the trace on and records nothing. */
export const noopTracer: Tracer = {
  start: (_operation, { parent }) => ({ context: parent, set: () => undefined, end: () => undefined }),
};

/**
 * An address as a name of few values, for where tracing systems count them. The plan knows which parts are keys; without it,
 * segments with digits or escapes are taken for keys.
 */
export function template(address: Address): string {
  return address
    .split('/')
    .map((part) => part.replace(/@\d+\.\d+$/, ''))
    .map((part) => (/[\d%]/.test(part) ? '{key}' : part))
    .join('/');
}

const about = (address: Address): Attributes => ({ actor: address, conversation: topOf(address) });
const isControl = (event: EventObject): boolean => event.type.startsWith('reprise.');

/** The causes of a taken message. Who asks waits, so question and answer are one tree; all else is decoupled by the mailbox. */
function causes(envelope: Envelope): Pick<SpanOptions, 'parent' | 'links'> {
  if (envelope.trace === undefined) return {};
  const asked = envelope.event['replyTo'] !== undefined || envelope.via !== undefined;
  return asked ? { parent: envelope.trace } : { links: [envelope.trace] };
}

/** Ends the inner span first. */
const nested = (outer: Span, inner: Span): Span => ({
  context: inner.context,
  set: (attributes) => inner.set(attributes),
  end: (error) => {
    inner.end(error);
    outer.end(error);
  },
});

/** A message leaves for the first time. Returns the context that its envelope carries. */
export function sendSpan(
  tracer: Tracer,
  envelope: Envelope,
  destination: string = template(envelope.to),
): TraceContext | undefined {
  const span = tracer.start('send', {
    kind: 'producer',
    parent: envelope.trace,
    attributes: {
      ...about(envelope.from),
      destination,
      'message.id': envelope.id,
      'message.conversation': topOf(envelope.to),
      event: envelope.event.type,
    },
  });
  span.end();
  return span.context ?? envelope.trace;
}

/**
 * An event is taken and stepped; end it when the record is durable. Without an envelope it is a result or a timer of the actor itself,
 * and `parent` is the turn that set it off.
 */
export function processSpan(
  tracer: Tracer,
  address: Address,
  logic: string,
  event: EventObject,
  envelope: Envelope | undefined,
  options: {
    readonly destination?: string;
    readonly parent?: TraceContext | undefined;
    readonly version?: string | undefined;
  } = {},
): Span {
  const attributes: Attributes = {
    ...about(address),
    agent: logic,
    event: event.type,
    ...(options.version !== undefined && { version: options.version }),
  };
  if (envelope === undefined) return tracer.start('turn', { kind: 'internal', parent: options.parent, attributes });
  const destination = options.destination ?? template(address);
  const outer = tracer.start('process', {
    kind: 'consumer',
    ...causes(envelope),
    attributes: {
      ...attributes,
      destination,
      'message.id': envelope.id,
      'message.conversation': topOf(address),
      from: envelope.from,
    },
  });
  if (isControl(event)) return outer;
  return nested(outer, tracer.start('turn', { kind: 'internal', parent: outer.context, attributes }));
}

const textOf = (value: unknown, key: string): string | undefined => {
  const found = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  return typeof found === 'string' ? found : undefined;
};

/**
 * A call begins; `parent` is the turn that started it. What a gateway calls is a tool or a model; anything else is a leaf by the name of
 * its source. Undefined: a connection that a gateway keeps open, which is no call.
 */
export function leafSpan(
  tracer: Tracer,
  address: Address,
  src: string,
  input: unknown,
  parent: TraceContext | undefined,
  id?: EffectId,
): Span | undefined {
  const [top, gateway] = address.split('/');
  const attributes: Attributes = { ...about(address), ...(id !== undefined && { effect: id }) };
  if (top === 'tools' && gateway !== undefined) {
    return src === 'call'
      ? tracer.start('tool', {
          kind: 'client',
          parent,
          attributes: { ...attributes, server: gateway, tool: textOf(input, 'name') ?? gateway },
        })
      : undefined;
  }
  if (top === 'models' && gateway !== undefined) {
    return src === 'generate'
      ? tracer.start('model', { kind: 'client', parent, attributes: { ...attributes, model: gateway } })
      : undefined;
  }
  return tracer.start('leaf', { kind: 'internal', parent, attributes: { ...attributes, source: src } });
}

/** What a model's answer says about itself, by its shape; nothing of its content. */
function usageOf(output: unknown): Attributes {
  const { usage, finishReason, model } = (typeof output === 'object' && output !== null ? output : {}) as {
    usage?: { inputTokens?: unknown; outputTokens?: unknown } | null;
    finishReason?: unknown;
    model?: unknown;
  };
  const found = {
    'response.model': model,
    finish: finishReason,
    'usage.input': usage?.inputTokens,
    'usage.output': usage?.outputTokens,
  };
  return Object.fromEntries(
    Object.entries(found).filter(
      (entry): entry is [string, string | number] => typeof entry[1] === 'string' || typeof entry[1] === 'number',
    ),
  );
}

/** A call has ended with what XState sends to its parent. */
export function endLeaf(span: Span, event: EventObject): void {
  if (event.type.startsWith('xstate.error')) return span.end(event['error'] ?? event.type);
  span.set(usageOf(event['output']));
  span.end();
}
