/** An HTTP proxy that knows CONNECT. */
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';

export interface Proxy {
  readonly port: number;
  /** `HOST:PORT` and the header with the credentials, of each request. */
  readonly requests: [target: string, authorization: string | undefined][];
  close(): void;
}

/** With `credentials` (`USER:PASSWORD`) it answers 407 to whoever shows others; they may change. */
export async function startProxy(state: { credentials?: string } = {}): Promise<Proxy> {
  const requests: Proxy['requests'] = [];
  const server: Server = createServer();
  server.on('connect', ({ url = '', headers }, socket, head) => {
    const shown = headers['proxy-authorization'];
    requests.push([url, shown]);
    const wanted = state.credentials && `Basic ${Buffer.from(state.credentials).toString('base64')}`;
    if (shown !== wanted) return socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n');
    const [, host = '', port = ''] = /^\[?([^\]]+?)\]?:(\d+)$/.exec(url) ?? [];
    const target = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      target.write(head);
      target.pipe(socket).pipe(target);
    });
    for (const end of [socket, target]) end.on('error', () => [socket, target].forEach((other) => other.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, requests, close: () => void server.close() };
}
