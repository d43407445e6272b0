/** Plain UDP as an end: what the sockets of Node can do. The receiver tells how much came, so that nothing is sent that would be lost. */
import { createSocket, type Socket } from 'node:dgram';
import type { End } from './ends.ts';

export interface UdpPlace {
  readonly port: number;
}

const HOST = '127.0.0.1';
const BUFFER = 4 << 20;
/** Bytes of the datagrams by which the receiver tells. */
const TOLD_BYTES = 4;
const TELL_EVERY = 16;
/** Datagrams on their way. */
const WINDOW = 128;
/** Something was lost all the same: it goes on after so long. */
const HEAL_MS = 50;

export function listenUdp(isEcho: boolean): { readonly place: UdpPlace; readonly end: Promise<End> } {
  const socket = openUdp(HOST);
  return { place: { port: socket.address().port }, end: Promise.resolve(new UdpEnd(socket, undefined, isEcho)) };
}

export const dialUdp = ({ port }: UdpPlace, isEcho: boolean): End => new UdpEnd(openUdp(HOST), port, isEcho);

/** Bound when this returns: with a lookup that answers at once, where Node looks even addresses up a tick later. */
export function openUdp(host: string): Socket {
  const socket = createSocket({ type: 'udp4', lookup: (address, _options, done) => done(null, address, 4) });
  socket.bind(0, host);
  socket.setRecvBufferSize(BUFFER);
  socket.setSendBufferSize(BUFFER);
  return socket;
}

class UdpEnd implements End {
  onRoom = (): void => undefined;
  onMessage: (message: Uint8Array) => void = () => undefined;
  private readonly socket: Socket;
  private readonly isEcho: boolean;
  private port: number | undefined;
  private sent = 0;
  private told = 0;
  private received = 0;
  private isFull = false;

  constructor(socket: Socket, port: number | undefined, isEcho: boolean) {
    this.socket = socket;
    this.port = port;
    this.isEcho = isEcho;
    socket.on('message', (bytes, { port: from }) => this.took(bytes, from));
    if (port !== undefined && !isEcho) setInterval(() => this.heal(), HEAL_MS).unref();
  }

  send(message: Uint8Array): boolean {
    this.socket.send(message, this.port, HOST);
    this.sent++;
    this.isFull = !this.isEcho && this.sent - this.told >= WINDOW;
    return !this.isFull;
  }

  sentBytes(): undefined {
    return undefined;
  }

  private took(bytes: Buffer, from: number): void {
    this.port ??= from;
    if (!this.isEcho && bytes.length === TOLD_BYTES) return this.goOn(bytes.readUInt32LE(0));
    this.received++;
    if (!this.isEcho && this.received % TELL_EVERY === 0) {
      const told = Buffer.allocUnsafe(TOLD_BYTES);
      told.writeUInt32LE(this.received, 0);
      this.socket.send(told, this.port, HOST);
    }
    this.onMessage(bytes);
  }

  private goOn(told: number): void {
    this.told = Math.max(this.told, told);
    if (!this.isFull || this.sent - this.told >= WINDOW) return;
    this.isFull = false;
    this.onRoom();
  }

  private heal(): void {
    const { told } = this;
    setTimeout(() => {
      if (this.isFull && this.told === told) this.goOn(this.sent - TELL_EVERY);
    }, HEAL_MS).unref();
  }
}
