/** The control socket: who may connect, what is read from it, and what ends a connection. */
import type { EventEmitter } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ControlClient, runningMesh } from '../../cli/control/client.ts';
import { frame, FrameReader } from '../../cli/control/frames.ts';
import { type LogGap, type LogLine, type LogQuery, MeshLog } from '../../cli/control/log.ts';
import { controlPath, pidAt } from '../../cli/control/place.ts';
import { type ControlServer, type Operation, serveControl } from '../../cli/control/server.ts';
import { MeshError } from '../../core/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'reprise-control-'));
let made = 0;
const path = (): string => join(folder, `${++made}.sock`);
const open: ControlServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function serve(operations: Parameters<typeof serveControl>[1], at = path()): Promise<ControlClient> {
  open.push(await serveControl(at, operations));
  return new ControlClient(at);
}

describe('frames', () => {
  test('come out as they went in, however the bytes are cut', () => {
    const values = fc.array(fc.jsonValue(), { minLength: 1, maxLength: 5 });
    const cuts = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 });
    const check = fc.property(values, cuts, (sent, sizes) => {
      const bytes = Buffer.concat(sent.map((value) => frame(value)));
      const reader = new FrameReader();
      const got: unknown[] = [];
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = sizes[i % sizes.length] as number;
        got.push(...reader.push(bytes.subarray(at, at + size)));
        at += size;
      }
      expect(got).toEqual(JSON.parse(JSON.stringify(sent)));
    });
    expect(() => fc.assert(check, { numRuns: 200 })).not.toThrow();
  });
  test('a length beyond the bound is refused before it is waited for', () => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(101);
    expect(() => new FrameReader(100).push(head)).toThrow(expect.objectContaining({ code: 'CODEC_FAILED' }));
  });
  test('a large one is put together once, not at every chunk', () => {
    const text = 'x'.repeat(4 * 1024 * 1024);
    const bytes = frame(text);
    const reader = new FrameReader();
    const got: unknown[] = [];
    let copied = 0;
    const concat = Buffer.concat.bind(Buffer);
    const counting = vi.spyOn(Buffer, 'concat').mockImplementation((chunks, length) => {
      copied += chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      return concat(chunks, length);
    });
    for (let at = 0; at < bytes.length; at += 1_000) got.push(...reader.push(bytes.subarray(at, at + 1_000)));
    counting.mockRestore();
    expect(got[0] === text && got.length).toBe(1);
    expect(copied).toBeLessThan(2 * bytes.length);
  });
  test('garbage is refused', () => {
    expect(() => new FrameReader().push(Buffer.from([0, 0, 0, 2, 0x7b, 0x7b]))).toThrow(
      expect.objectContaining({ code: 'CODEC_FAILED' }),
    );
  });
});

describe('a request', () => {
  test('is answered with the result, or with the error and its code', async () => {
    const client = await serve({
      double: ({ n }) => Number(n) * 2,
      nothing: () => undefined,
      fail: () => {
        throw new MeshError('BUSY', 'not now', { data: { n: 1 } });
      },
    });
    expect(await client.call('double', { n: 21 })).toBe(42);
    expect(await client.call('nothing')).toBe(null);
    await expect(client.call('fail')).rejects.toMatchObject({ code: 'BUSY', message: 'not now', data: { n: 1 } });
  });
  test('of another version or name is refused in words', async () => {
    const client = await serve({});
    await expect(client.call('constructor')).rejects.toMatchObject({ code: 'USAGE' });
    const socket = connect(client.path);
    socket.write(frame({ v: 99, op: 'ps', params: {} }));
    const [answer] = await answersOf(socket);
    expect(answer).toMatchObject({ error: { code: 'USAGE', message: expect.stringContaining('protocol 99') as unknown } });
  });
  test.each([
    ['no request', { v: 1 }],
    ['null', null],
    ['a list', []],
  ])('that is %s is refused', async (_what, request) => {
    const client = await serve({});
    const socket = connect(client.path);
    socket.write(frame(request));
    expect(await answersOf(socket)).toMatchObject([{ error: { code: 'CODEC_FAILED' } }]);
  });
  test('that nobody waits for any more is told so', async () => {
    const gone = Promise.withResolvers<void>();
    const client = await serve({
      wait: (_params, { signal }) =>
        new Promise((resolve) =>
          signal.addEventListener('abort', () => {
            gone.resolve();
            resolve(0);
          }),
        ),
    });
    await expect(client.call('wait', {}, 50)).rejects.toMatchObject({
      code: 'MESH_UNRESPONSIVE',
      message: "the mesh has not answered 'wait' for 0.05 s",
    });
    await gone.promise;
  });
  test('while the mesh ends gets an error, not a silence', async () => {
    const client = await serve({ wait: () => new Promise(() => undefined) });
    const asked = client.call('wait').catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await open.pop()?.close();
    expect(await asked).toMatchObject({
      code: 'MESH_NOT_RUNNING',
      message: expect.stringContaining('stopped before it answered') as unknown,
    });
  });
  test('that may have been taken names the id under which it is safe to repeat it', async () => {
    const client = await serve({ send: () => new Promise(() => undefined) });
    await expect(client.call('send', { id: 'a1' }, 50)).rejects.toMatchObject({
      code: 'MESH_UNRESPONSIVE',
      message: expect.stringContaining('`--id a1` makes it safe') as unknown,
    });
    const sent = client.call('send', { id: 'a2' }).catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await open.pop()?.close();
    expect(await sent).toMatchObject({ code: 'MESH_NOT_RUNNING', message: expect.stringContaining('`--id a2`') as unknown });
  });
});

describe('a follower', () => {
  const logsOf =
    (log: MeshLog, query: LogQuery): Operation =>
    async (_params, { item, signal }) => {
      for await (const line of log.read(query, signal)) await item(line);
    };

  test('gets lines as they come, of one actor if it wants', async () => {
    const log = new MeshLog();
    log.say({ type: 'actor.started', actor: 'desk/a' }, 1);
    log.say({ type: 'actor.started', actor: 'other' }, 2);
    const client = await serve({ logs: logsOf(log, { last: 10, actor: 'desk/a', follow: true }) });
    const stop = new AbortController();
    const got: unknown[] = [];
    for await (const line of client.follow('logs', {}, stop.signal)) {
      got.push(line);
      if (got.length === 1) log.say({ type: 'actor.ended', actor: 'desk/a/child@1.0' }, 3);
      if (got.length === 2) stop.abort();
    }
    expect(got).toEqual([
      { ts: 1, type: 'actor.started', actor: 'desk/a' },
      { ts: 3, type: 'actor.ended', actor: 'desk/a/child@1.0' },
    ]);
  });
  test('gets all that is kept, however much that is', async () => {
    const log = new MeshLog();
    for (let i = 0; i < 1_500; i++) log.say({ type: 'actor.log', actor: 'a', value: 'x'.repeat(10_000) }, i);
    const client = await serve({ logs: logsOf(log, { last: 2_000 }) });
    const got: unknown[] = [];
    for await (const line of client.follow<LogLine>('logs', {}, new AbortController().signal)) got.push(line.ts);
    expect(got).toEqual(Array.from({ length: 1_500 }, (_, i) => i));
  });
  test('that takes its time gets all there is, and does not wait for ever for the next', async () => {
    const client = await serve({
      some: async (_params, { item }) => {
        for (let i = 0; i < 3; i++) await item(i);
      },
      stuck: async (_params, { item }) => {
        await item('first');
        await new Promise(() => undefined);
      },
    });
    const got: unknown[] = [];
    for await (const value of client.items('some', {}, 100)) {
      got.push(value);
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    expect(got).toEqual([0, 1, 2]);
    const read = async (): Promise<void> => {
      for await (const value of client.items('stuck', {}, 100)) got.push(value);
    };
    await expect(read()).rejects.toMatchObject({
      code: 'MESH_UNRESPONSIVE',
      message: "the mesh has not gone on with 'stuck' for 0.1 s",
    });
    expect(got.at(-1)).toBe('first');
  });
  test('is told what it missed when it is slower than the mesh', async () => {
    const log = new MeshLog();
    log.say({ type: 'actor.log', actor: 'a', value: 'first' }, 0);
    const client = await serve({ logs: logsOf(log, { last: 10, follow: true }) });
    const stop = new AbortController();
    const got: (LogLine | LogGap)[] = [];
    for await (const line of client.follow<LogLine | LogGap>('logs', {}, stop.signal)) {
      got.push(line);
      if (got.length === 1) for (let i = 1; i <= 5_000; i++) log.say({ type: 'actor.log', actor: 'a', value: i }, i);
      if ('value' in line && line['value'] === 5_000) stop.abort();
    }
    expect(got.slice(0, 3)).toMatchObject([{ value: 'first' }, { skipped: 3_000 }, { value: 3_001 }]);
    expect(got).toHaveLength(2_002);
  });
  test('that does not read is waited for, and at last cut off', async () => {
    const line = { text: 'x'.repeat(100_000) };
    let sent = 0;
    const ended = Promise.withResolvers<unknown>();
    const at = path();
    open.push(
      await serveControl(
        at,
        {
          flood: async (_params, { item }) => {
            try {
              for (; sent < 10_000; sent++) await item(line);
            } catch (error) {
              ended.resolve(error);
            }
          },
        },
        200,
      ),
    );
    const socket = connect(at);
    socket.pause();
    socket.on('error', () => undefined);
    socket.write(frame({ v: 1, op: 'flood', params: {} }));
    expect(await ended.promise).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' });
    expect(sent).toBeLessThan(100);
    socket.destroy();
  });
  test('hears of a clean end, and of one that is none', async () => {
    const log = new MeshLog();
    const logs = logsOf(log, { last: 0, follow: true });
    const followed = async (client: ControlClient): Promise<unknown> => {
      for await (const line of client.follow('logs', {}, new AbortController().signal)) expect(line).toBe(undefined);
      return 'ended';
    };
    const clean = followed(await serve({ logs }));
    // A reader waits for the next line.
    await vi.waitFor(() => expect((log as unknown as { readonly news: EventEmitter }).news.listenerCount('news')).toBe(1));
    await open.pop()?.close();
    expect(await clean).toBe('ended');

    const at = path();
    const server = createServer((socket) => {
      socket.write(frame({ item: undefined }));
      socket.once('data', () => socket.destroy());
    });
    await new Promise<void>((resolve) => void server.listen(at, resolve));
    await expect(followed(new ControlClient(at))).rejects.toMatchObject({ code: 'MESH_NOT_RUNNING' });
    server.close();
  });
  test('the log keeps a bounded number of lines and bytes', async () => {
    const valuesOf = async (log: MeshLog, last: number): Promise<unknown[]> => {
      const values: unknown[] = [];
      for await (const line of log.read({ last }, new AbortController().signal)) values.push('value' in line && line['value']);
      return values;
    };
    const log = new MeshLog();
    for (let i = 0; i < 5_000; i++) log.say({ type: 'actor.log', actor: 'a', value: i }, i);
    expect(await valuesOf(log, 10_000)).toHaveLength(2_000);
    expect(await valuesOf(log, 1)).toEqual([4_999]);
    expect(await valuesOf(log, 0)).toEqual([]);
    const large = 'x'.repeat(1_000_000);
    for (let i = 0; i < 100; i++) log.say({ type: 'actor.log', actor: 'a', value: large }, i);
    expect(await valuesOf(log, 10_000)).toEqual(Array.from({ length: 16 }, () => large));
  });
});

describe('the place', () => {
  test('only this user may connect', async () => {
    const { path: at } = await serve({});
    expect(statSync(at).mode & 0o777).toBe(0o600);
  });
  test('a socket that a dead mesh left is replaced, and one that answers nobody is no mesh', async () => {
    const at = path();
    const dead = createServer();
    await new Promise<void>((resolve) => void dead.listen(at, resolve));
    // As kill -9 leaves it: the file stays, nobody listens.
    dead.close();
    writeFileSync(`${at}.kept`, '');
    expect(await runningMesh(at)).toBeUndefined();
    const client = await serve({ hello: () => ({ pid: 7 }) }, at);
    expect(await runningMesh(at)).toMatchObject({ path: at, pid: 7 });
    expect(client.path).toBe(at);
  });
  test('a mesh that is killed while its socket opens is none', async () => {
    const at = path();
    const server = createServer();
    await new Promise<void>((resolve) => void server.listen(at, resolve));
    const asked = new ControlClient(at).call('hello');
    // At once, so that the connection still waits to be taken: it is reset, not refused.
    server.close();
    await expect(asked).rejects.toMatchObject({ code: 'MESH_NOT_RUNNING' });
  });
  test('one that takes connections and does not answer is another thing than none', async () => {
    const at = path();
    const frozen = createServer();
    await new Promise<void>((resolve) => void frozen.listen(at, resolve));
    const silence = 'has not answered for 0.05 s: it is stopped (SIGSTOP, a debugger), or busy';
    await expect(runningMesh(at, 50)).rejects.toMatchObject({ code: 'MESH_UNRESPONSIVE', message: `the mesh ${silence}` });
    writeFileSync(`${at}.pid`, '4711');
    await expect(runningMesh(at, 50)).rejects.toMatchObject({
      message: `the mesh, process 4711, ${silence}`,
      data: { pid: 4711 },
    });
    frozen.close();
  });
  test('says who listens, and nothing any more when nobody does', async () => {
    const at = path();
    const kept = `${at}.kept`;
    writeFileSync(kept, 'mine');
    symlinkSync(kept, `${at}.pid`);
    await serve({}, at);
    expect(pidAt(at)).toBe(process.pid);
    await open.pop()?.close();
    expect(pidAt(at)).toBeUndefined();
    // What a link there leads to is not written to, and not believed.
    expect(readFileSync(kept, 'utf8')).toBe('mine');
    writeFileSync(kept, '4711');
    symlinkSync(kept, `${at}.pid`);
    expect(pidAt(at)).toBeUndefined();
  });
  test('a file in its place is neither connected to nor removed', async () => {
    const at = path();
    writeFileSync(at, 'mine');
    await expect(runningMesh(at)).rejects.toMatchObject({ code: 'CONTROL_UNSAFE' });
    await expect(serveControl(at, {})).rejects.toMatchObject({ code: 'CONTROL_UNSAFE' });
    expect(existsSync(at)).toBe(true);
  });
  test('a folder that everybody may write to is refused', async () => {
    const unsafe = join(folder, 'unsafe');
    mkdirSync(unsafe);
    chmodSync(unsafe, 0o777);
    await expect(serveControl(join(unsafe, 'a.sock'), {})).rejects.toMatchObject({ code: 'CONTROL_UNSAFE' });
  });
  test('a path too long for a socket leads to a private folder, always the same', async () => {
    const long = join(folder, 'x'.repeat(120), 'mesh.db');
    const at = controlPath(long);
    expect(Buffer.byteLength(at)).toBeLessThanOrEqual(103);
    expect(controlPath(long)).toBe(at);
    expect(controlPath(`${long}2`)).not.toBe(at);
    expect(statSync(join(at, '..')).mode & 0o777).toBe(0o700);
    expect(controlPath('/a/mesh.db')).toBe('/a/mesh.db.sock');
    const client = await serve({ hello: () => 1 }, at);
    expect(await client.call('hello')).toBe(1);
  });
});

async function answersOf(socket: ReturnType<typeof connect>): Promise<unknown[]> {
  const reader = new FrameReader();
  const answers: unknown[] = [];
  for await (const chunk of socket) answers.push(...reader.push(chunk as Buffer));
  return answers;
}

test('no folder of the tests is left', () => {
  rmSync(folder, { recursive: true, force: true });
  expect(existsSync(folder)).toBe(false);
});
