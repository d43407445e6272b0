/**
 * A local server of the chat completions API that misbehaves on purpose: what it does with the next requests is told with `next`. It keeps
 * what it was sent.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type Behaviour =
  /** Chunks of a stream, as objects or as they stand after `data: `; `[DONE]` follows unless `cut`. `pauseMs` before each. */
  | {
      readonly chunks: readonly (object | string)[];
      readonly cut?: 'end' | 'reset';
      readonly pauseMs?: number;
      readonly split?: number;
    }
  | { readonly json: unknown }
  | { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> }
  | { readonly text: string; readonly contentType?: string }
  | 'hang'
  | 'reset';

export interface Received {
  readonly headers: IncomingMessage['headers'];
  readonly path: string;
  readonly body: Record<string, unknown>;
  /** The client went away before the answer was complete. */
  aborted: boolean;
}

/** Chunks of an answer of this text, word by word. */
export const words = (text: string): object[] => [
  { id: 'chatcmpl-1', model: 'tiny-1', choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }] },
  ...text.split(/(?<= )/).map((content) => ({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })),
  { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
  { choices: [], usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 } },
];

export class OpenAiServer {
  readonly received: Received[] = [];
  next: Behaviour[] = [];
  /** Known once it listens. */
  baseUrl = '';
  private readonly server: Server = createServer((request, response) => void this.serve(request, response));

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => {
      this.server.listen(0, '127.0.0.1', resolve);
    });
    this.baseUrl = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
    return this;
  }
  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const received: Received = {
      headers: request.headers,
      path: request.url ?? '',
      body: JSON.parse(text) as Record<string, unknown>,
      aborted: false,
    };
    this.received.push(received);
    response.on('close', () => {
      received.aborted = !response.writableFinished;
    });
    await behave(this.next.shift() ?? { chunks: words('hello there') }, response);
  }
}

async function behave(how: Behaviour, response: ServerResponse): Promise<void> {
  if (how === 'hang') return;
  if (how === 'reset') return void response.socket?.destroy();
  if ('chunks' in how) return stream(how, response);
  if ('json' in how) return void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(how.json));
  if ('status' in how) {
    const body = typeof how.body === 'string' ? how.body : JSON.stringify(how.body ?? {});
    return void response.writeHead(how.status, how.headers).end(body);
  }
  response.writeHead(200, how.contentType === undefined ? {} : { 'content-type': how.contentType }).end(how.text);
}

async function stream(
  { chunks, cut, pauseMs = 0, split }: Extract<Behaviour, { chunks: unknown }>,
  response: ServerResponse,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  const events = chunks.map((chunk) => `data: ${typeof chunk === 'string' ? chunk : JSON.stringify(chunk)}\n\n`);
  if (cut === undefined) events.push('data: [DONE]\n\n');
  // In pieces of a few bytes, wherever they fall: in the middle of a character, of a line, of an event.
  const bytes = Buffer.from(events.join(''));
  const pieces =
    split === undefined
      ? events.map((event) => Buffer.from(event))
      : Array.from({ length: Math.ceil(bytes.length / split) }, (_, i) => bytes.subarray(i * split, (i + 1) * split));
  for (const piece of pieces) {
    if (pauseMs > 0) await sleep(pauseMs);
    if (response.destroyed) return;
    response.write(piece);
  }
  if (cut === 'reset') response.socket?.destroy();
  else response.end();
}
