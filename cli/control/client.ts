/** The other end of the control socket: how the CLI talks to a mesh, or to a node of a network, that runs. */
import { connect, type Socket } from 'node:net';
import { type ErrorCode, errorFrom, isMeshError, MeshError } from '../../core/errors.ts';
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

/** What runs behind a socket, and the codes of the errors that say that it does not, or does not answer. */
export interface Subject {
  readonly noun: string;
  readonly notRunning: ErrorCode;
  readonly unresponsive: ErrorCode;
}
const MESH: Subject = { noun: 'mesh', notRunning: 'MESH_NOT_RUNNING', unresponsive: 'MESH_UNRESPONSIVE' };

/** What all say of themselves. */
export interface Hello {
  readonly pid: number;
}

export class ControlClient {
  readonly path: string;
  /** Of the process, where it is known. */
  readonly pid: number | undefined;
  private readonly subject: Subject;

  constructor(path: string, pid?: number, subject = MESH) {
    this.path = path;
    this.pid = pid;
    this.subject = subject;
  }

  /** Throws what the operation throws; `unresponsive` when no answer comes in time, `notRunning` when none can come any more. */
  async call<T>(
    op: string,
    params: Readonly<Record<string, unknown>> = {},
    timeoutMs = LONG.has(op) ? LONG_MS : TIMEOUT_MS,
  ): Promise<T> {
    const deadline = AbortSignal.timeout(timeoutMs);
    for await (const answer of this.answers(op, params, deadline)) if ('ok' in answer) return answer.ok as T;
    const { id } = params;
    const again = id === undefined ? '' : `. It may have taken it: \`--id ${String(id)}\` makes it safe to send it again`;
    if (deadline.aborted)
      throw unresponsive(this.subject, `has not answered '${op}' for ${timeoutMs / 1_000} s${again}`, this.pid);
    throw this.gone(`the ${this.subject.noun} stopped before it answered '${op}'${again}`);
  }

  /** Items, as they come, until the signal. Throws `notRunning` when the process is killed meanwhile. */
  async *follow<T>(op: string, params: Readonly<Record<string, unknown>>, signal: AbortSignal): AsyncGenerator<T> {
    for await (const answer of this.answers(op, params, signal)) {
      if ('ok' in answer) return;
      if ('item' in answer) yield answer.item as T;
    }
    if (!signal.aborted) throw this.gone(`the ${this.subject.noun} broke off in the middle of '${op}'`);
  }

  /** Items that there are, however slowly they are taken. Throws `notRunning`; `unresponsive` when the next one does not come in time. */
  async *items<T>(op: string, params: Readonly<Record<string, unknown>>, timeoutMs = TIMEOUT_MS): AsyncGenerator<T> {
    const late = new AbortController();
    const items = this.follow<T>(op, params, late.signal);
    try {
      for (;;) {
        const timer = setTimeout(() => late.abort(), timeoutMs);
        const next = await items.next();
        clearTimeout(timer);
        if (late.signal.aborted)
          throw unresponsive(this.subject, `has not gone on with '${op}' for ${timeoutMs / 1_000} s`, this.pid);
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await items.return(undefined);
    }
  }

  private async *answers(op: string, params: Readonly<Record<string, unknown>>, signal: AbortSignal): AsyncGenerator<Response> {
    const socket = await opened(this.path, this.subject);
    if (socket === undefined) throw this.gone(`no ${this.subject.noun} answers at ${this.path}`);
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

  private gone(message: string): MeshError {
    return new MeshError(this.subject.notRunning, message);
  }
}

/** Undefined: no mesh runs there. Throws CONTROL_UNSAFE; MESH_UNRESPONSIVE, which names the process. */
export const runningMesh = (path: string, helloMs = HELLO_MS): Promise<ControlClient | undefined> =>
  runningAt(path, MESH, helloMs);

/** The same of any subject: `unresponsive` of it is thrown. */
export async function runningAt(path: string, subject: Subject, helloMs = HELLO_MS): Promise<ControlClient | undefined> {
  if (statOf(path) === undefined) return undefined;
  checkSocket(path);
  try {
    const { pid } = await new ControlClient(path, undefined, subject).call<Hello>('hello', {}, helloMs);
    return new ControlClient(path, pid, subject);
  } catch (error) {
    if (isMeshError(error, subject.notRunning)) return undefined;
    if (!isMeshError(error, subject.unresponsive)) throw error;
    throw unresponsive(
      subject,
      `has not answered for ${helloMs / 1_000} s: it is stopped (SIGSTOP, a debugger), or busy`,
      pidAt(path),
    );
  }
}

const unresponsive = ({ noun, unresponsive: code }: Subject, what: string, pid: number | undefined): MeshError =>
  new MeshError(code, `the ${noun}${pid === undefined ? '' : `, process ${pid},`} ${what}`, {
    ...(pid !== undefined && { data: { pid } }),
  });

/** Reset: it was killed before it took the connection. */
const NOBODY: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET']);

function opened(path: string, subject: Subject): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', (cause: NodeJS.ErrnoException) => {
      if (NOBODY.has(cause.code)) resolve(undefined);
      // More wait already than its socket lets wait.
      else if (cause.code === 'EAGAIN') reject(unresponsive(subject, 'takes no connection any more', undefined));
      else
        reject(new MeshError('TRANSPORT_UNAVAILABLE', `the control socket ${path} does not open: ${cause.message}`, { cause }));
    });
  });
}

const isReset = (error: unknown): boolean =>
  ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(String((error as NodeJS.ErrnoException).code));
