/** Stands between two nodes on the loopback, for both of them where the other one is, and loses datagrams by a seed. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

const HOST = '127.0.0.1';
const BUFFER = 4 << 20;
/** First byte of a RESP. */
const RESP = 0x02;

export class LossyWire {
  passed = 0;
  lost = 0;
  /** RESPs that passed: each ends a handshake. */
  handshakes = 0;
  private readonly socket: Socket;
  private readonly target: number;
  private readonly loses: () => boolean;
  private source: number | undefined;

  private constructor(socket: Socket, target: number, loses: () => boolean) {
    this.socket = socket;
    this.target = target;
    this.loses = loses;
    socket.on('message', (bytes, { port }) => this.pass(bytes, port));
  }

  /** `target`: the port of the one who is found; the other one is whoever sends first. `loses`: asked for each datagram. */
  static async open(target: number, loses: () => boolean): Promise<LossyWire> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: BUFFER, sendBufferSize: BUFFER });
    socket.bind(0, HOST);
    await once(socket, 'listening');
    return new LossyWire(socket, target, loses);
  }

  /** `host:port` */
  get endpoint(): string {
    const { port }: AddressInfo = this.socket.address();
    return `${HOST}:${port}`;
  }

  close(): void {
    this.socket.close();
  }

  private pass(bytes: Buffer, from: number): void {
    if (from !== this.target) this.source ??= from;
    const to = from === this.target ? this.source : this.target;
    if (to === undefined) return;
    if (this.loses()) {
      this.lost++;
      return;
    }
    this.passed++;
    if (bytes[0] === RESP) this.handshakes++;
    this.socket.send(bytes, to, HOST);
  }
}
