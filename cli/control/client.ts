/** The other end of the control socket: how the CLI talks to a mesh that runs. */
import { connect, type Socket } from 'node:net';
import { errorFrom, MeshError } from '../../core/errors.ts';
import { frame, FrameReader } from './frames.ts';
import { checkSocket, statOf } from './place.ts';
import { PROTOCOL, type Response } from './server.ts';

/** ms for an answer, unless the caller says. */
const TIMEOUT_MS = 30_000;

export class ControlClient {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Throws what the operation throws; MESH_NOT_RUNNING when nobody answers, or not in time. */
  async call<T>(op: string, params: Readonly<Record<string, unknown>> = {}, timeoutMs = TIMEOUT_MS): Promise<T> {
    const deadline = AbortSignal.timeout(timeoutMs);
    for await (const answer of this.answers(op, params, deadline)) if ('ok' in answer) return answer.ok as T;
    throw new MeshError(
      'MESH_NOT_RUNNING',
      deadline.aborted ? `the mesh did not answer '${op}' in ${timeoutMs} ms` : `the mesh stopped before it answered '${op}'`,
    );
  }

  /** Items until the mesh or the signal ends them. */
  async *follow<T>(op: string, params: Readonly<Record<string, unknown>>, signal: AbortSignal): AsyncGenerator<T> {
    for await (const answer of this.answers(op, params, signal)) {
      if ('ok' in answer) return;
      if ('item' in answer) yield answer.item as T;
    }
  }

  private async *answers(op: string, params: Readonly<Record<string, unknown>>, signal: AbortSignal): AsyncGenerator<Response> {
    const socket = await opened(this.path);
    if (socket === undefined) throw new MeshError('MESH_NOT_RUNNING', `no mesh answers at ${this.path}`);
    const abort = (): void => void socket.destroy();
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    try {
      socket.write(frame({ v: PROTOCOL, op, params }));
      const reader = new FrameReader();
      for await (const chunk of socket) {
        for (const answer of reader.push(chunk as Buffer) as Response[]) {
          if ('error' in answer) throw errorFrom(answer.error);
          yield answer;
        }
      }
    } catch (error) {
      if (!signal.aborted && !isReset(error)) throw error;
    } finally {
      signal.removeEventListener('abort', abort);
      socket.destroy();
    }
  }
}

/** Undefined: no mesh runs there. Throws CONTROL_UNSAFE. */
export async function runningMesh(path: string): Promise<ControlClient | undefined> {
  if (statOf(path) === undefined) return undefined;
  checkSocket(path);
  const socket = await opened(path);
  socket?.destroy();
  return socket === undefined ? undefined : new ControlClient(path);
}

function opened(path: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ECONNREFUSED' || cause.code === 'ENOENT') resolve(undefined);
      else
        reject(new MeshError('TRANSPORT_UNAVAILABLE', `the control socket ${path} does not open: ${cause.message}`, { cause }));
    });
  });
}

const isReset = (error: unknown): boolean =>
  ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(String((error as NodeJS.ErrnoException).code));
