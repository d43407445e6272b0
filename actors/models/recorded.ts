/** A model that answers from a log: free replays, and tests on what a real model once said. Never asks anybody. */
import { canonical, type EventObject, type LogRecord } from '../../core/index.ts';
import { modelFailed, type ModelPort, type ModelRequest, type ModelResult } from '../model-port.ts';

export interface Recording {
  /** Idempotency key of the call. */
  readonly key?: string;
  readonly request: ModelRequest;
  readonly result: ModelResult;
}

/** By idempotency key; else by equal request, each recording of it once and the last one for ever. Fails with MODEL_FAILED when nothing fits. */
export function recorded(recordings: readonly Recording[], { id = 'recorded/log' }: { readonly id?: string } = {}): ModelPort {
  const byKey = new Map(recordings.flatMap((r) => (r.key === undefined ? [] : [[r.key, r.result] as const])));
  const byRequest = new Map<string, ModelResult[]>();
  for (const { request, result } of recordings) {
    const text = canonical(request);
    const known = byRequest.get(text);
    if (known === undefined) byRequest.set(text, [result]);
    else known.push(result);
  }
  return {
    id,
    async generate(request, { signal, idempotencyKey }) {
      signal.throwIfAborted();
      const known = byKey.get(idempotencyKey);
      if (known !== undefined) return known;
      const fitting = byRequest.get(canonical(request)) ?? [];
      const result = fitting.length > 1 ? fitting.shift() : fitting[0];
      if (result === undefined)
        throw modelFailed(`${id} holds ${recordings.length} answers, none to this request: ${canonical(request).slice(0, 200)}`, {
          retryable: false,
        });
      return result;
    },
  };
}

/** The recordings in the log of a model gateway (`models/<name>`): each call that was answered. */
export function recordingsOf(records: Iterable<LogRecord>): readonly Recording[] {
  const asked = new Map<string, ModelRequest>();
  const found: Recording[] = [];
  for (const record of records) {
    if (record.kind !== 'event') continue;
    const { event } = record;
    if (event.type === 'reprise.generate') asked.set(String(event['key']), event['request'] as ModelRequest);
    const key = answeredKey(event);
    const request = key === undefined ? undefined : asked.get(key);
    if (key !== undefined && request !== undefined) found.push({ key, request, result: event['output'] as ModelResult });
  }
  return found;
}

/** The leaf of a try is named `key#number`. */
function answeredKey(event: EventObject): string | undefined {
  if (!event.type.startsWith('xstate.done.actor.')) return undefined;
  const child = String(event['actorId']);
  const hash = child.lastIndexOf('#');
  return hash < 0 ? undefined : child.slice(0, hash);
}
