/**
 * An MCP server over Streamable HTTP in this process, written by hand so that it can misbehave: what it does with the next calls is told
 * with `next`. It keeps sessions, and forgets them when it is told to restart.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';

interface Rpc {
  readonly id?: number;
  readonly method: string;
  readonly params?: {
    readonly name?: string;
    readonly arguments?: Record<string, unknown>;
    readonly _meta?: Record<string, unknown>;
  };
}

/** What becomes of one `tools/call`. */
export type Behaviour =
  | { readonly status: number; readonly body?: string; readonly headers?: Record<string, string> }
  /** An event stream that ends without an answer. */
  | 'cut'
  /** The socket is destroyed after the request was read. */
  | 'reset'
  /** Nothing, ever. */
  | 'hang'
  /** An answer of this many bytes, as JSON or as an event stream. */
  | { readonly bytes: number; readonly as: 'json' | 'stream' }
  | { readonly contentType: string }
  | { readonly says: string }
  /** JSON that is no JSON-RPC. */
  | { readonly raw: string };

const TOOLS = [
  { name: 'get', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } },
  { name: 'post', inputSchema: { type: 'object' } },
];

export class HttpProbe {
  readonly calls: {
    readonly name: string;
    readonly meta: Record<string, unknown>;
    readonly headers: IncomingMessage['headers'];
  }[] = [];
  /** For the next calls, one each; then it behaves. */
  next: Behaviour[] = [];
  requests = 0;
  /** Needed in `authorization`, if any. */
  password: string | undefined;
  private readonly sessions = new Set<string>();
  private readonly server: Server = createServer((request, response) => void this.serve(request, response));

  async listen(port = 0): Promise<this> {
    await new Promise<void>((resolve) => {
      this.server.listen(port, '127.0.0.1', resolve);
    });
    return this;
  }
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/mcp`;
  }
  /** As a server that was started anew: it knows no session. */
  forget(): void {
    this.sessions.clear();
  }
  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests++;
    if (request.method !== 'POST') return void response.writeHead(405).end();
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const rpc = JSON.parse(text) as Rpc;
    if (this.password !== undefined && request.headers.authorization !== this.password)
      return void response.writeHead(401).end('who are you?');
    if (rpc.method === 'initialize') return this.initialize(rpc, response);
    if (!this.sessions.has(String(request.headers['mcp-session-id']))) return void response.writeHead(404).end('no such session');
    if (rpc.id === undefined) return void response.writeHead(202).end();
    if (rpc.method === 'tools/list') return answer(response, rpc, { tools: TOOLS });
    this.calls.push({ name: rpc.params?.name ?? '', meta: rpc.params?._meta ?? {}, headers: request.headers });
    behave(this.next.shift(), rpc, response);
  }

  private initialize(rpc: Rpc, response: ServerResponse): void {
    const session = randomUUID();
    this.sessions.add(session);
    response.setHeader('mcp-session-id', session);
    answer(response, rpc, {
      protocolVersion: '2025-11-25',
      capabilities: { tools: {} },
      serverInfo: { name: 'http-probe', version: '1' },
    });
  }
}

function answer(response: ServerResponse, { id }: Rpc, result: unknown): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
}
const said = (text: string) => ({ content: [{ type: 'text', text }] });

function behave(how: Behaviour | undefined, rpc: Rpc, response: ServerResponse): void {
  if (how === undefined) return answer(response, rpc, said(`did ${rpc.params?.name}`));
  if (how === 'hang') return;
  if (how === 'reset') return void response.socket?.destroy();
  if (how === 'cut') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    return void response.end(': nothing more\n\n');
  }
  if ('status' in how) return void response.writeHead(how.status, how.headers).end(how.body ?? 'no');
  if ('contentType' in how) return void response.writeHead(200, { 'content-type': how.contentType }).end('<html>hello</html>');
  if ('says' in how) return answer(response, rpc, said(how.says));
  if ('raw' in how) return void response.writeHead(200, { 'content-type': 'application/json' }).end(how.raw);
  const result = said('x'.repeat(how.bytes));
  if (how.as === 'json') return answer(response, rpc, result);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.end(`event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', id: rpc.id, result })}\n\n`);
}
