/**
 * The control socket of a running mesh, or node of a network: one request a connection, answered with one result or with items until one side has enough.
 * Knows no operation; `operations.ts` gives them. Requests are bounded in size, number and time.
 */
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { errorData, MeshError } from '../../core/errors.ts';
import { frame } from './frames.ts';
import { Incoming } from './incoming.ts';
import { checkFolder, checkSocket, closeToOthers, leavePid, takePid } from './place.ts';

/** Raised when a message changes its meaning. */
export const PROTOCOL = 1;
const CONNECTIONS_MAX = 256;
/** ms in which a client must have sent its request. */
const REQUEST_MS = 10_000;
/** ms in which a client must have read what it was sent. A pager may stand still for long, and costs one item. */
const STALL_MS = 600_000;
/** ms in which those who follow are told that the mesh ends. */
const CLOSE_MS = 250;

export interface Request {
  readonly v: number;
  readonly op: string;
  readonly params: Readonly<Record<string, unknown>>;
}
export type Response = { readonly ok: unknown } | { readonly error: ReturnType<typeof errorData> } | { readonly item: unknown };

export interface Answering {
  /** Aborts when the client has gone, or the mesh ends. */
  readonly signal: AbortSignal;
  /** One item of an answer that comes in many. Resolves when the client has room for the next; rejects when it has gone. */
  readonly item: (value: unknown) => Promise<void>;
  /** The next message that the client sends after its request; undefined: it has gone. Throws CODEC_FAILED. */
  readonly next: () => Promise<unknown>;
}
export type Operation = (params: Readonly<Record<string, unknown>>, answering: Answering) => unknown;

export interface ControlServer {
  readonly path: string;
  close(): Promise<void>;
}

/** The caller holds the store, so a socket that lies there belongs to nobody. Throws CONTROL_UNSAFE, TRANSPORT_UNAVAILABLE. */
export async function serveControl(
  path: string,
  operations: Readonly<Record<string, Operation>>,
  stallMs = STALL_MS,
): Promise<ControlServer> {
  checkFolder(path);
  checkSocket(path);
  rmSync(path, { force: true });
  const sockets = new Set<Socket>();
  const closing = new AbortController();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    void serve(socket, operations, closing.signal, stallMs);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, path);
  leavePid(path);
  return {
    path,
    close: async () => {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      takePid(path);
      closing.abort();
      const late = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, CLOSE_MS);
      await closed;
      clearTimeout(late);
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

async function serve(
  socket: Socket,
  operations: Readonly<Record<string, Operation>>,
  closing: AbortSignal,
  stallMs: number,
): Promise<void> {
  const gone = new AbortController();
  socket.on('close', () => gone.abort());
  const signal = AbortSignal.any([gone.signal, closing]);
  const send = (response: Response): Promise<void> => sent(socket, frame(response), stallMs);
  try {
    const incoming = new Incoming(socket);
    const request = await requestOf(socket, incoming);
    const operation = Object.hasOwn(operations, request.op) ? operations[request.op] : undefined;
    if (request.v !== PROTOCOL || operation === undefined)
      throw new MeshError(
        'USAGE',
        `the running process does not know '${request.op}' of protocol ${request.v}: use the CLI of its version`,
      );
    const result = await operation(request.params, { signal, item: (item) => send({ item }), next: () => incoming.next() });
    await send({ ok: result ?? null });
  } catch (error) {
    await send({ error: errorData(error) }).catch(() => undefined);
  }
  socket.end();
}

/** Resolves when there is room for more. Who does not read is cut off. Throws TRANSPORT_UNAVAILABLE when nobody is there to read. */
async function sent(socket: Socket, bytes: Buffer, stallMs: number): Promise<void> {
  if (socket.destroyed) throw new MeshError('TRANSPORT_UNAVAILABLE', 'the client has gone');
  if (socket.write(bytes)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const stalled = setTimeout(() => socket.destroy(), stallMs);
  socket.once('drain', resolve).once('close', resolve);
  await promise;
  clearTimeout(stalled);
  socket.off('drain', resolve).off('close', resolve);
  if (socket.destroyed) throw new MeshError('TRANSPORT_UNAVAILABLE', 'the client has gone, or does not read');
}

async function requestOf(socket: Socket, incoming: Incoming): Promise<Request> {
  const late = Promise.withResolvers<never>();
  socket.setTimeout(REQUEST_MS, () => late.reject(new MeshError('USAGE', 'no request came')));
  const request = await Promise.race([incoming.next(), late.promise]);
  socket.setTimeout(0);
  if (request === undefined) throw new MeshError('USAGE', 'the client has gone');
  return checked(request);
}

/** Throws CODEC_FAILED. */
function checked(value: unknown): Request {
  const { v, op, params } = (value ?? {}) as Partial<Request>;
  if (typeof v === 'number' && typeof op === 'string' && typeof params === 'object' && params !== null) return { v, op, params };
  throw new MeshError('CODEC_FAILED', 'a control request is { v, op, params }');
}
