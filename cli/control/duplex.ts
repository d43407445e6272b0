/** A connection to a control socket on which both sides send messages, as long as the operation lasts. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { errorFrom, MeshError } from '../../core/errors.ts';
import type { ControlClient } from './client.ts';
import { frame, FrameReader } from './frames.ts';
import { PROTOCOL, type Response } from './server.ts';

export class Duplex {
  private readonly socket: Socket;

  /** `client`: of a process that has just answered. */
  constructor({ path }: ControlClient, op: string, params: Readonly<Record<string, unknown>>) {
    this.socket = connect(path);
    // `items` says what became of it.
    this.socket.on('error', () => undefined);
    this.socket.write(frame({ v: PROTOCOL, op, params }));
  }

  /** Resolves when there is room for more, or nobody to take it: `items` says so. Throws PAYLOAD_TOO_LARGE. */
  async send(message: unknown): Promise<void> {
    const { socket } = this;
    const bytes = frame(message);
    if (socket.destroyed || socket.write(bytes)) return;
    const gone = new AbortController();
    const { signal } = gone;
    socket.once('close', () => gone.abort());
    await once(socket, 'drain', { signal }).catch(() => undefined);
  }

  /** Until the operation is over. Throws what it throws; NET_NOT_RUNNING when its process has gone. */
  async *items<T>(): AsyncGenerator<T> {
    const reader = new FrameReader();
    try {
      for await (const chunk of this.socket)
        for (const answer of reader.push(chunk as Buffer) as Response[]) {
          if ('error' in answer) throw errorFrom(answer.error);
          if ('ok' in answer) return;
          yield answer.item as T;
        }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    } finally {
      this.close();
    }
    throw new MeshError('NET_NOT_RUNNING', 'the node stopped, or was killed');
  }

  close(): void {
    this.socket.destroy();
  }
}
