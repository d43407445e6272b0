/** One WebSocket as a path: packets of one turn go in one message, what comes in is taken apart, and nothing waits without a bound. */
import { MeshError } from '../../../core/errors.ts';
import type { RawData, WebSocket } from 'ws';
import type { Drops } from '../drops.ts';
import { BATCH_BYTES_MAX, framed, unframe } from './batch.ts';

export interface ConnectionEvents {
  /** A view, valid during the call. */
  packet(bytes: Uint8Array): void;
  /** Once, unless it was `close` that ended it. */
  ended(cause: Error): void;
}

/** Waits for the network, in bytes; what is sent on top of that is dropped. */
const BUFFERED_BYTES_MAX = 1 << 20;
/** For what is still to go out and for the answer, in ms. */
const CLOSE_MS = 1000;

export class WebSocketConnection {
  private readonly socket: WebSocket;
  private readonly drops: Drops;
  private readonly events: ConnectionEvents;
  private readonly idle: NodeJS.Timeout;
  private readonly provedMs: number | undefined;
  private proof: NodeJS.Timeout | undefined;
  private batch: Buffer[] = [];
  private batchBytes = 0;
  private isOver = false;

  /**
   * `socket` is open. It ends when nothing comes for `idleMs`, and when it is not proved within `provedMs`, now and after each `unproved`;
   * undefined: nobody has to prove anything.
   */
  constructor(
    socket: WebSocket,
    { idleMs, provedMs }: { readonly idleMs: number; readonly provedMs: number | undefined },
    drops: Drops,
    events: ConnectionEvents,
  ) {
    this.socket = socket;
    this.drops = drops;
    this.events = events;
    this.idle = setTimeout(() => this.fail(new MeshError('TRANSPORT_UNAVAILABLE', `nothing came for ${idleMs} ms`)), idleMs);
    this.idle.unref();
    this.provedMs = provedMs;
    this.unproved();
    socket.on('message', (data, isBinary) => this.received(data, isBinary));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new MeshError('TRANSPORT_UNAVAILABLE', 'the peer or something between closed it')));
  }

  proved(): void {
    clearTimeout(this.proof);
  }

  /** As if it was new. */
  unproved(): void {
    const { provedMs } = this;
    clearTimeout(this.proof);
    if (provedMs === undefined || this.isOver) return;
    this.proof = setTimeout(() => {
      this.drops.stream_unproved += 1;
      this.fail(new MeshError('TRANSPORT_UNAVAILABLE', `nothing of a member came within ${provedMs} ms`));
    }, provedMs);
    this.proof.unref();
  }

  /** At most STREAM_PACKET_BYTES_MAX; copied when this returns. */
  send(packet: Uint8Array): void {
    const bytes = framed(packet);
    if (this.socket.bufferedAmount + this.batchBytes + bytes.length > BUFFERED_BYTES_MAX) {
      this.drops.socket_full += 1;
      return;
    }
    if (this.batchBytes + bytes.length > BATCH_BYTES_MAX) this.flush();
    if (this.batch.length === 0) setImmediate(() => this.flush());
    this.batch.push(bytes);
    this.batchBytes += bytes.length;
  }

  /** What was sent goes out first, in 1 s at most. */
  close(): Promise<void> {
    this.flush();
    this.over();
    const { socket } = this;
    return new Promise((resolve) => {
      const late = setTimeout(() => socket.terminate(), CLOSE_MS);
      socket.once('close', () => {
        clearTimeout(late);
        resolve();
      });
      socket.close();
    });
  }

  private flush(): void {
    if (this.batch.length === 0 || this.isOver) return;
    const bytes = this.batch.length === 1 ? (this.batch[0] as Buffer) : Buffer.concat(this.batch, this.batchBytes);
    this.batch = [];
    this.batchBytes = 0;
    this.socket.send(bytes);
  }

  private received(data: RawData, isBinary: boolean): void {
    if (this.isOver) return;
    // ws gives one Buffer unless it is asked for something else.
    if (isBinary && unframe(data as Buffer, (packet) => this.take(packet))) {
      this.idle.refresh();
      return;
    }
    if (this.isOver) return;
    this.drops.stream_malformed += 1;
    this.fail(new MeshError('TRANSPORT_UNAVAILABLE', 'a message that does not hold packets'));
  }

  /** Whoever took the one before may have closed this. */
  private take(packet: Uint8Array): void {
    if (!this.isOver) this.events.packet(packet);
  }

  private fail(cause: Error): void {
    if (this.isOver) return;
    this.over();
    this.socket.terminate();
    this.events.ended(cause);
  }

  private over(): void {
    this.isOver = true;
    this.batch = [];
    this.batchBytes = 0;
    clearTimeout(this.idle);
    clearTimeout(this.proof);
  }
}
