/**
 * The control socket of a running mesh: one request a connection, answered with one result or with items until one side has enough.
 * Knows no operation; `operations.ts` gives them. Requests are bounded in size, number and time.
 */
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { errorData, MeshError } from '../../core/errors.ts';
import { frame, FrameReader } from './frames.ts';
import { checkFolder, checkSocket, closeToOthers } from './place.ts';

/** Raised when a message changes its meaning. */
export const PROTOCOL = 1;
const CONNECTIONS_MAX = 64;
/** ms in which a client must have sent its request. */
const REQUEST_MS = 10_000;
/** Bytes that may wait for a follower that does not read. */
const BEHIND_BYTES_MAX = 8 * 1024 * 1024;

export interface Request {
  readonly v: number;
  readonly op: string;
  readonly params: Readonly<Record<string, unknown>>;
}
export type Response = { readonly ok: unknown } | { readonly error: ReturnType<typeof errorData> } | { readonly item: unknown };

export interface Answering {
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
  /** One item of an answer that comes in many. A follower that lags far behind is cut off. */
  readonly item: (value: unknown) => void;
}
export type Operation = (params: Readonly<Record<string, unknown>>, answering: Answering) => unknown;

export interface ControlServer {
  readonly path: string;
  close(): Promise<void>;
}

/** The caller holds the store, so a socket that lies there belongs to nobody. Throws CONTROL_UNSAFE, TRANSPORT_UNAVAILABLE. */
export async function serveControl(path: string, operations: Readonly<Record<string, Operation>>): Promise<ControlServer> {
  checkFolder(path);
  checkSocket(path);
  rmSync(path, { force: true });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    void serve(socket, operations);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, path);
  return {
    path,
    close: async () => {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function listen(server: Server, path: string): Promise<void> {
  // The socket is made in `listen` itself: at no time may others connect.
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) =>
        reject(new MeshError('TRANSPORT_UNAVAILABLE', `the control socket ${path} cannot be opened`, { cause })),
      );
      server.listen(path, resolve);
      process.umask(before);
    });
  } finally {
    process.umask(before);
  }
  closeToOthers(path);
}

async function serve(socket: Socket, operations: Readonly<Record<string, Operation>>): Promise<void> {
  const gone = new AbortController();
  socket.on('close', () => gone.abort());
  const send = (response: Response): void => {
    if (socket.writableLength > BEHIND_BYTES_MAX) socket.destroy();
    else if (!socket.destroyed) socket.write(frame(response));
  };
  try {
    const request = await requestOf(socket);
    const operation = Object.hasOwn(operations, request.op) ? operations[request.op] : undefined;
    if (request.v !== PROTOCOL || operation === undefined)
      throw new MeshError(
        'USAGE',
        `the running mesh does not know '${request.op}' of protocol ${request.v}: use the CLI of its version`,
      );
    const result = await operation(request.params, { signal: gone.signal, item: (item) => send({ item }) });
    send({ ok: result ?? null });
  } catch (error) {
    send({ error: errorData(error) });
  }
  socket.end();
}

async function requestOf(socket: Socket): Promise<Request> {
  const reader = new FrameReader();
  return new Promise((resolve, reject) => {
    socket.setTimeout(REQUEST_MS, () => reject(new MeshError('USAGE', 'no request came')));
    socket.on('data', (chunk) => {
      try {
        const [request] = reader.push(chunk);
        if (request === undefined) return;
        socket.setTimeout(0);
        resolve(checked(request));
      } catch (error) {
        reject(error);
      }
    });
    socket.on('close', () => reject(new MeshError('USAGE', 'the client has gone')));
  });
}

/** Throws CODEC_FAILED. */
function checked(value: unknown): Request {
  const { v, op, params } = (value ?? {}) as Partial<Request>;
  if (typeof v === 'number' && typeof op === 'string' && typeof params === 'object' && params !== null) return { v, op, params };
  throw new MeshError('CODEC_FAILED', 'a control request is { v, op, params }');
}
