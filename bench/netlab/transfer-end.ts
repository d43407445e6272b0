/** One end of a transfer, in a namespace of the lab. The time is from the first byte given to send until the word of the receiver that it has all. */
import { once } from 'node:events';
import { createServer, connect as connectTcp, type Socket } from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { startOverlay } from 'reprise/overlay';
import { identityOf, keyOf, network, trustIn } from '../samples/wire/members.ts';

export interface TransferEndInput {
  readonly kind: 'overlay' | 'udx' | 'tcp';
  readonly role: 'sender' | 'receiver';
  /** Of the receiver. */
  readonly host: string;
  readonly bytes: number;
}
export type TransferLine = { readonly type: 'ready' } | { readonly type: 'done'; readonly ms: number; readonly cpuUs: number };

/** What all three have in common: pieces go out, and the receiver says when all are there. */
interface Pipe {
  send(piece: Uint8Array): Promise<void> | void;
}

const PORT = 4200;
const PIECE = 64 << 10;
const CONGESTION = '/proc/sys/net/ipv4/tcp_congestion_control';

const input = JSON.parse(process.argv[2] ?? '') as TransferEndInput;
const say = (line: TransferLine): void => console.log(JSON.stringify(line));

let begun = performance.now();
let cpu = process.cpuUsage();
const begin = (): void => {
  begun = performance.now();
  cpu = process.cpuUsage();
};
function done(): void {
  const { user, system } = process.cpuUsage(cpu);
  say({ type: 'done', ms: performance.now() - begun, cpuUs: user + system });
}

/** Gives what counts bytes; `told` when all are there. */
function counted(told: () => void): (bytes: number) => void {
  let came = 0;
  return (bytes) => {
    if (came === 0) begin();
    came += bytes;
    if (came < input.bytes) return;
    told();
    done();
  };
}

async function sendAll(pipe: Pipe): Promise<void> {
  const piece = new Uint8Array(PIECE).fill(97);
  begin();
  for (let left = input.bytes; left > 0; left -= PIECE) await pipe.send(left >= PIECE ? piece : piece.subarray(0, left));
}

// ---- ours ------------------------------------------------------------------------------------------------------------------

async function overlay(): Promise<void> {
  const isSender = input.role === 'sender';
  const [own, other] = await Promise.all([identityOf(input.role), identityOf(isSender ? 'receiver' : 'sender')]);
  const node = await startOverlay({
    identity: own,
    network,
    trust: await trustIn(['sender', 'receiver']),
    listen: [{ host: '0.0.0.0', port: PORT }],
    peers: isSender ? [{ publicKey: keyOf(other), endpoints: [`${input.host}:${PORT}`] }] : [],
  });
  if (!isSender) {
    const took = counted(() => void node.send(keyOf(other), 'told', new Uint8Array(1)));
    node.onMessage('piece', (_from, bytes) => took(bytes.length));
    return say({ type: 'ready' });
  }
  node.onMessage('told', done);
  await connected(() => node.connect(keyOf(other)));
  // All of it fits into the queue of a peer; a message that fails ends the process.
  await sendAll({ send: (piece) => void node.send(keyOf(other), 'piece', piece) });
}

/** A handshake of six tries may not come through where a fifth of all is lost. It is not measured here. */
async function connected(connect: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await connect();
      return;
    } catch (error) {
      if (tries === 4) throw error;
    }
  }
}

// ---- TCP of the kernel, with BBR ---------------------------------------------------------------------------------------------

async function tcp(): Promise<void> {
  writeFileSync(CONGESTION, 'bbr');
  if (readFileSync(CONGESTION, 'utf8').trim() !== 'bbr') throw new Error('this kernel has no BBR');
  if (input.role === 'receiver') {
    const server = createServer((socket) => {
      const took = counted(() => void socket.write('k'));
      socket.on('data', (bytes) => took(bytes.length));
      socket.on('error', () => undefined);
    });
    server.listen(PORT, input.host);
    await once(server, 'listening');
    return say({ type: 'ready' });
  }
  const socket: Socket = connectTcp(PORT, input.host);
  await once(socket, 'connect');
  socket.once('data', done);
  await sendAll(stream(socket));
}

interface Drains {
  write(piece: Uint8Array): boolean;
  once(event: 'drain', listener: () => void): unknown;
}

const stream = (to: Drains): Pipe => ({
  send: (piece) => {
    if (to.write(piece)) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    to.once('drain', resolve);
    return promise;
  },
});

// ---- udx-native ------------------------------------------------------------------------------------------------------------

interface UdxStream extends Drains {
  connect(socket: UdxSocket, id: number, port: number, host: string): void;
  on(event: 'data', listener: (bytes: Uint8Array) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}
interface UdxSocket {
  bind(port: number, host: string): void;
  send(bytes: Uint8Array, port: number, host: string): void;
  on(event: 'message', listener: (bytes: Uint8Array, from: { readonly host: string; readonly port: number }) => void): unknown;
}
interface Udx {
  createSocket(): UdxSocket;
  createStream(id: number): UdxStream;
}

const HELLO_MS = 100;

async function udx(): Promise<void> {
  // @ts-expect-error It has no types of its own.
  const { default: Native } = (await import('udx-native')) as { readonly default: new () => Udx };
  const native = new Native();
  const socket = native.createSocket();
  const isSender = input.role === 'sender';
  const own = native.createStream(isSender ? 1 : 2);
  own.on('error', () => undefined);
  let isConnected = false;
  if (!isSender) {
    socket.bind(PORT, '0.0.0.0');
    const took = counted(() => void own.write(Buffer.from('k')));
    own.on('data', (bytes) => took(bytes.length));
    socket.on('message', (_hello, { host, port }) => {
      if (!isConnected) own.connect(socket, 1, port, host);
      isConnected = true;
      socket.send(Buffer.from('here'), port, host);
    });
    return say({ type: 'ready' });
  }
  socket.bind(0, '0.0.0.0');
  socket.on('message', () => {
    isConnected = true;
  });
  while (!isConnected) {
    socket.send(Buffer.from('hello'), PORT, input.host);
    await sleep(HELLO_MS);
  }
  own.connect(socket, 2, PORT, input.host);
  own.on('data', done);
  await sendAll(stream(own));
}

const KINDS = { overlay, tcp, udx };
await KINDS[input.kind]();
