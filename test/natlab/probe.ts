/**
 * A host that says what it sees of the network, by UDP on ports 4000 and 4001 and by TCP on 4000 of all addresses.
 * It obeys `ProbeCommand`s, a JSON object a line on stdin, one after the other.
 */
import { createSocket, type Socket as Udp } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';

export type ProbeLine =
  | { readonly type: 'ready' }
  /** `at`: monotonic, ms of this process. */
  | { readonly type: 'udp'; readonly from: string; readonly text: string; readonly at: number }
  /** All datagrams of a command are on their way; `at`: before the first. */
  | { readonly type: 'sent'; readonly at: number }
  | { readonly type: 'tcp'; readonly from: string; readonly text: string }
  | { readonly type: 'tcp-failed'; readonly why: string };

export type ProbeCommand = SayUdp | SayTcp | Echo;

/** Sends `count` datagrams (1): the text, and `bytes` (0) behind it. */
export interface SayUdp {
  readonly say: 'udp';
  readonly to: string;
  readonly text: string;
  readonly port?: 4000 | 4001;
  readonly ttl?: number;
  readonly count?: number;
  readonly bytes?: number;
}

/** One connection, one text. */
export interface SayTcp {
  readonly say: 'tcp';
  readonly to: string;
  readonly text: string;
  /** URL of an HTTP proxy. */
  readonly proxy?: string;
}

/** Datagrams are sent back from now on. */
export interface Echo {
  readonly echo: true;
}

const PORTS = [4000, 4001] as const;
const USUAL_TTL = 64;
const TCP_LIMIT_MS = 500;
/** Datagrams in one turn: what a socket's buffer holds. */
const BURST = 32;

let isEcho = false;
const sockets = new Map(await Promise.all(PORTS.map(async (port) => [port, await listenUdp(port)] as const)));
await listenTcp();
say({ type: 'ready' });
for await (const line of createInterface({ input: process.stdin })) await obey(JSON.parse(line) as ProbeCommand);
process.exit();

function say(line: ProbeLine): void {
  console.log(JSON.stringify(line));
}

async function obey(command: ProbeCommand): Promise<void> {
  if ('echo' in command) isEcho = true;
  else if (command.say === 'tcp') await sayTcp(command);
  else await sayUdp(command);
}

async function listenUdp(port: number): Promise<Udp> {
  const socket = createSocket('udp4');
  socket.on('message', (bytes, { address, port }) => {
    if (isEcho) socket.send(bytes, port, address);
    else say({ type: 'udp', from: `${address}:${port}`, text: bytes.toString().trimEnd(), at: performance.now() });
  });
  socket.on('error', () => undefined); // unreachable: what does not arrive is what counts
  socket.bind(port);
  await once(socket, 'listening');
  return socket;
}

async function sayUdp({ to, text, port = 4000, ttl = USUAL_TTL, count = 1, bytes = 0 }: SayUdp): Promise<void> {
  const socket = sockets.get(port) as Udp;
  const [toPort, host] = split(to);
  socket.setTTL(ttl);
  const at = performance.now();
  for (let n = 0; n < count; n++) {
    await new Promise((resolve) => socket.send(text + ' '.repeat(bytes), toPort, host, resolve));
    if (n % BURST === BURST - 1) await wait(1);
  }
  say({ type: 'sent', at });
}

async function listenTcp(): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) =>
      say({ type: 'tcp', from: `${socket.remoteAddress?.replace('::ffff:', '')}:${socket.remotePort}`, text: bytes.toString() }),
    );
  });
  server.listen(PORTS[0]);
  await once(server, 'listening');
}

async function sayTcp({ to, text, proxy }: SayTcp): Promise<void> {
  const socket = connect(...split(proxy === undefined ? to : new URL(proxy).host));
  try {
    const signal = AbortSignal.timeout(TCP_LIMIT_MS);
    await once(socket, 'connect', { signal });
    if (proxy !== undefined) {
      socket.write(`CONNECT ${to} HTTP/1.1\r\nHost: ${to}\r\n\r\n`);
      const [answer] = (await once(socket, 'data', { signal })) as [Buffer];
      if (!answer.toString().startsWith('HTTP/1.1 200')) throw new Error(answer.toString());
    }
    socket.end(text);
  } catch (error) {
    socket.destroy();
    say({ type: 'tcp-failed', why: String(error) });
  }
}

function split(endpoint: string): [port: number, host: string] {
  const { port, hostname } = new URL(`http://${endpoint}`);
  return [Number(port || 80), hostname];
}
