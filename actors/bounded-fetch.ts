/**
 * `fetch` whose answers are bounded: a body, or one event of an event stream, that grows beyond the limit breaks the answer off, before it
 * fills the memory. An endless stream of small events is fine.
 */
import { MeshError } from '../core/index.ts';
import type { Redactor } from './secret.ts';

const REASON_CHARS_MAX = 500;

/**
 * Why a fetch failed, without secrets: `fetch failed` alone says nothing, its cause does. Bounded: some libraries put whole answers into
 * messages.
 */
export function failureWords(error: unknown, redactor: Redactor): string {
  const excerpt = (text: string): string => redactor.excerpt(text, REASON_CHARS_MAX);
  if (!(error instanceof Error)) return excerpt(String(error));
  const { code, message } = (error.cause ?? {}) as { code?: unknown; message?: unknown };
  // A host with two addresses fails with an error for each, and no message of its own.
  const why = typeof message === 'string' && message !== '' ? message : typeof code === 'string' ? code : '';
  const said = excerpt(error.message);
  return why === '' ? said : `${said} (${excerpt(why)})`;
}

export type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

/** What breaks a body off is PAYLOAD_TOO_LARGE. */
export function boundedFetch(bytesMax: number, inner: Fetch = fetch): Fetch {
  return async (url, init) => {
    const response = await inner(url, init);
    if (response.body === null) return response;
    const isStream = response.headers.get('content-type')?.includes('text/event-stream') === true;
    const body = response.body.pipeThrough(bounded(bytesMax, isStream));
    return new Response(body, { status: response.status, statusText: response.statusText, headers: response.headers });
  };
}

const NEWLINE = 10;
const RETURN = 13;

function bounded(bytesMax: number, isStream: boolean): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let bytes = 0;
  /** The last byte ended a line: one more line end is a blank line, which ends an event. */
  let lineEnded = false;
  const count = (chunk: Uint8Array): void => {
    if (!isStream) {
      bytes += chunk.length;
      return;
    }
    for (const byte of chunk) {
      if (byte === RETURN) continue;
      const newline = byte === NEWLINE;
      bytes = newline && lineEnded ? 0 : bytes + 1;
      lineEnded = newline;
    }
  };
  return new TransformStream({
    transform(chunk, controller) {
      count(chunk);
      if (bytes > bytesMax)
        controller.error(
          new MeshError('PAYLOAD_TOO_LARGE', `the answer is larger than ${bytesMax} bytes`, { data: { retryable: false } }),
        );
      else controller.enqueue(chunk);
    },
  });
}
