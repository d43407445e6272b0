/** The other end of the control socket: how the CLI talks to a mesh that runs. */
import { connect, type Socket } from 'node:net';
import { errorFrom, isMeshError, MeshError } from '../../core/errors.ts';
import { frame, FrameReader } from './frames.ts';
import { checkSocket, pidAt, statOf } from './place.ts';
import { PROTOCOL, type Response } from './server.ts';

/** ms for an answer, unless the caller says. */
const TIMEOUT_MS = 30_000;
/** Logs may have to be read and written whole, an actor may be given long to stop. */
const LONG_MS = 600_000;
const LONG: ReadonlySet<string> = new Set(['reset', 'migrate', 'fork', 'delete', 'prune', 'import', 'stop', 'restart']);
/** ms in which a mesh says that it is there: it does so between any two things that it does. */
const HELLO_MS = 5_000;

/** What a mesh says of itself. */
export interface Hello {
  readonly mesh: string;
  readonly pid: number;
  readonly node: string;
}

export class ControlClient {
  readonly path: string;
  /** Of the mesh, where it is known. */
  readonly pid: number | undefined;

  constructor(path: string, pid?: number) {
    this.path = path;
    this.pid = pid;
  }

  /** Throws what the operation throws; MESH_UNRESPONSIVE when no answer comes in time, MESH_NOT_RUNNING when none can come any more. */
  async call<T>(
    op: string,
    params: Readonly<Record<string, unknown>> = {},
    timeoutMs = LONG.has(op) ? LONG_MS : TIMEOUT_MS,
  ): Promise<T> {
    const deadline = AbortSignal.timeout(timeoutMs);
    for await (const answer of this.answers(op, params, deadline)) if ('ok' in answer) return answer.ok as T;
    const { id } = params;
    const again = id === undefined ? '' : `. It may have taken it: \`--id ${String(id)}\` makes it safe to send it again`;
    if (deadline.aborted) throw unresponsive(`has not answered '${op}' for ${timeoutMs / 1_000} s${again}`, this.pid);
    throw new MeshError('MESH_NOT_RUNNING', `the mesh stopped before it answered '${op}'${again}`);
  }

  /** Items, as they come, until the signal. Throws MESH_NOT_RUNNING when the mesh is killed meanwhile. */
  async *follow<T>(op: string, params: Readonly<Record<string, unknown>>, signal: AbortSignal): AsyncGenerator<T> {
    for await (const answer of this.answers(op, params, signal)) {
      if ('ok' in answer) return;
      if ('item' in answer) yield answer.item as T;
    }
    if (!signal.aborted) throw new MeshError('MESH_NOT_RUNNING', `the mesh broke off in the middle of '${op}'`);
  }

  /** Items that there are, however slowly they are taken. Throws MESH_NOT_RUNNING; MESH_UNRESPONSIVE when the next one does not come in time. */
  async *items<T>(op: string, params: Readonly<Record<string, unknown>>, timeoutMs = TIMEOUT_MS): AsyncGenerator<T> {
    const late = new AbortController();
    const items = this.follow<T>(op, params, late.signal);
    try {
      for (;;) {
        const timer = setTimeout(() => late.abort(), timeoutMs);
        const next = await items.next();
        clearTimeout(timer);
        if (late.signal.aborted) throw unresponsive(`has not gone on with '${op}' for ${timeoutMs / 1_000} s`, this.pid);
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await items.return(undefined);
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

/** Undefined: no mesh runs there. Throws CONTROL_UNSAFE; MESH_UNRESPONSIVE, which names the process. */
export async function runningMesh(path: string, helloMs = HELLO_MS): Promise<ControlClient | undefined> {
  if (statOf(path) === undefined) return undefined;
  checkSocket(path);
  try {
    const { pid } = await new ControlClient(path).call<Hello>('hello', {}, helloMs);
    return new ControlClient(path, pid);
  } catch (error) {
    if (isMeshError(error, 'MESH_NOT_RUNNING')) return undefined;
    if (!isMeshError(error, 'MESH_UNRESPONSIVE')) throw error;
    throw unresponsive(`has not answered for ${helloMs / 1_000} s: it is stopped (SIGSTOP, a debugger), or busy`, pidAt(path));
  }
}

const unresponsive = (what: string, pid: number | undefined): MeshError =>
  new MeshError('MESH_UNRESPONSIVE', `the mesh${pid === undefined ? '' : `, process ${pid},`} ${what}`, {
    ...(pid !== undefined && { data: { pid } }),
  });

function opened(path: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ECONNREFUSED' || cause.code === 'ENOENT') resolve(undefined);
      // More wait already than its socket lets wait.
      else if (cause.code === 'EAGAIN') reject(unresponsive('takes no connection any more', undefined));
      else
        reject(new MeshError('TRANSPORT_UNAVAILABLE', `the control socket ${path} does not open: ${cause.message}`, { cause }));
    });
  });
}

const isReset = (error: unknown): boolean =>
  ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(String((error as NodeJS.ErrnoException).code));
