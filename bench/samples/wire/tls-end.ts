/** TLS 1.3 over TCP on the loopback as an end: what one would use where no NAT is in the way. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import type { End } from './ends.ts';

export interface TlsPlace {
  readonly port: number;
}

const HOST = '127.0.0.1';
const LENGTH_BYTES = 4;

export interface TlsServer {
  readonly place: TlsPlace;
  onSocket: (socket: TLSSocket) => void;
}

export async function serveTls(folder: string): Promise<TlsServer> {
  const files = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') };
  const made = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=bench -keyout ${files.key} -out ${files.cert}`;
  execFileSync('openssl', made.split(' '), { stdio: 'ignore' });
  const listening: { onSocket: (socket: TLSSocket) => void } = { onSocket: () => undefined };
  const server = createServer({ key: readFileSync(files.key), cert: readFileSync(files.cert), minVersion: 'TLSv1.3' }, (socket) =>
    listening.onSocket(socket),
  );
  server.listen(0, HOST);
  await once(server, 'listening');
  return Object.assign(listening, { place: { port: (server.address() as AddressInfo).port } });
}

export async function connectTls({ port }: TlsPlace): Promise<TLSSocket> {
  const socket = connect({ host: HOST, port, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  return socket;
}

export async function listenTls(folder: string): Promise<{ readonly place: TlsPlace; readonly end: Promise<End> }> {
  const server = await serveTls(folder);
  const end = new Promise<End>((resolve) => {
    server.onSocket = (socket) => resolve(new TlsEnd(socket));
  });
  return { place: server.place, end };
}

export const dialTls = async (place: TlsPlace): Promise<End> => new TlsEnd(await connectTls(place));

class TlsEnd implements End {
  onRoom = (): void => undefined;
  onMessage: (message: Uint8Array) => void = () => undefined;
  private readonly socket: TLSSocket;
  private rest: Buffer = Buffer.alloc(0);

  constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('drain', () => this.onRoom());
    socket.on('data', (bytes: Buffer) => this.took(bytes));
  }

  send(message: Uint8Array): boolean {
    const framed = Buffer.allocUnsafe(LENGTH_BYTES + message.length);
    framed.writeUInt32LE(message.length, 0);
    framed.set(message, LENGTH_BYTES);
    return this.socket.write(framed);
  }

  sentBytes(): undefined {
    return undefined;
  }

  private took(bytes: Buffer): void {
    const all = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    let at = 0;
    while (at + LENGTH_BYTES <= all.length) {
      const end = at + LENGTH_BYTES + all.readUInt32LE(at);
      if (end > all.length) break;
      this.onMessage(all.subarray(at + LENGTH_BYTES, end));
      at = end;
    }
    this.rest = all.subarray(at);
  }
}
