/** What one client of the control socket sends, message by message. Who sends faster than it is read is held back. */
import type { Socket } from 'node:net';
import { MeshError } from '../../core/errors.ts';
import { FrameReader } from './frames.ts';

/** Messages that may wait. */
const WAITING_MAX = 16;

export class Incoming {
  private readonly socket: Socket;
  private readonly reader = new FrameReader();
  private readonly waiting: unknown[] = [];
  private fault: unknown;
  private isEnded = false;
  private wake: () => void = () => undefined;

  /** Listens from now on: as long as nothing waits the end of the client is seen, although nobody asks for more. */
  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => this.push(chunk));
    socket.on('close', () => {
      this.isEnded = true;
      this.wake();
    });
  }

  /** Undefined: the client has gone. One caller at a time. Throws CODEC_FAILED. */
  async next(): Promise<unknown> {
    while (this.waiting.length === 0 && this.fault === undefined && !this.isEnded)
      await new Promise<void>((resolve) => (this.wake = resolve));
    if (this.waiting.length > 0) {
      const message = this.waiting.shift();
      if (this.waiting.length < WAITING_MAX) this.socket.resume();
      return message;
    }
    if (this.fault !== undefined) throw this.fault;
    return undefined;
  }

  private push(chunk: Buffer): void {
    if (this.fault !== undefined) return;
    try {
      for (const message of this.reader.push(chunk)) this.waiting.push(checked(message));
    } catch (error) {
      this.fault = error;
    }
    if (this.waiting.length >= WAITING_MAX) this.socket.pause();
    this.wake();
  }
}

/** Throws CODEC_FAILED: nothing is what says that there is no more. */
function checked(message: unknown): unknown {
  if (message !== undefined && message !== null) return message;
  throw new MeshError('CODEC_FAILED', 'a control message is nothing');
}
