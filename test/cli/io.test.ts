/** Who reads what the CLI prints may be slow, or go. */
import { Writable } from 'node:stream';
import { describe, expect, test, vi } from 'vitest';
import { type Io, ioOf } from '../../cli/io.ts';
import { Folder, HELLO } from './processes.ts';

/** A stdout whose reader takes nothing until it is let. */
function slow(readerGone?: () => void) {
  const read: string[] = [];
  let waiting: (() => void) | undefined;
  let isOpen = false;
  const stdout = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      read.push(chunk.toString());
      if (isOpen) done();
      else waiting = done;
    },
  }) as Io['stdout'];
  const io = ioOf({ stdin: process.stdin, stdout, stderr: process.stderr, env: {} }, readerGone);
  const goOn = async (): Promise<void> => {
    isOpen = true;
    waiting?.();
    await vi.waitFor(() => expect(stdout.writableLength).toBe(0));
  };
  return { io, stdout, goOn, read };
}
const LINE = 'x'.repeat(10_000);
const told = (dropped: number): string => `${dropped} dropped`;

describe('a command that lasts', () => {
  test('holds a bounded number of bytes for a reader that stalls, and tells it what it missed', async () => {
    const { io, stdout, goOn, read } = slow();
    io.lasts(told);
    for (let i = 0; i < 1_000; i++) io.out(LINE);
    expect(stdout.writableLength).toBeLessThan(1_100_000);
    await goOn();
    io.json({ n: 1 });
    const [note, last] = read.slice(-2);
    expect(last).toBe('{"n":1}\n');
    expect(Number(/^(\d+) dropped\n$/.exec(note ?? '')?.[1])).toBe(1_000 - (read.length - 2));
  });
  test('goes on without one', async () => {
    const gone = vi.fn();
    const { io, stdout } = slow(gone);
    io.lasts(told);
    stdout.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    for (let i = 0; i < 1_000; i++) io.out(LINE);
    expect(stdout.writableLength).toBe(0);
    expect(gone).not.toHaveBeenCalled();
  });
  test('ends although its reader stalls', async () => {
    const { io } = slow();
    io.lasts(told);
    io.out(LINE);
    await expect(io.flushed()).resolves.toBe(undefined);
  });
});

describe('any other', () => {
  test('ends when nobody reads', () => {
    const gone = vi.fn();
    const { stdout } = slow(gone);
    stdout.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    expect(gone).toHaveBeenCalledOnce();
    expect(() => stdout.emit('error', Object.assign(new Error('write EIO'), { code: 'EIO' }))).toThrow('EIO');
  });
  test('keeps every line, and can wait until they are read', async () => {
    const { io, goOn, read } = slow();
    for (let i = 0; i < 300; i++) io.out(LINE);
    const order: string[] = [];
    const caughtUp = io.caughtUp().then(() => order.push('caught up'));
    order.push('waits');
    await goOn();
    await caughtUp;
    expect(order).toEqual(['waits', 'caught up']);
    expect(read).toHaveLength(300);
    await io.caughtUp();
    await io.flushed();
  });
});

test('`up` outlives who reads its lines: `reprise up | head -1`', async () => {
  await using folder = new Folder(HELLO);
  const up = await folder.up();
  up.process.stdout?.destroy();
  // What it says now, nobody hears; and it hears that nobody does.
  expect((await folder.call('send', 'greeter', '{"type":"greet","name":"nobody"}')).code).toBe(0);
  await vi.waitFor(async () => expect((await folder.call('deadletters')).stdout).toContain('nobody'), 10_000);
  expect((await folder.json<{ running: boolean }>('ps', '--json')).running).toBe(true);
  expect(await up.kill('SIGTERM')).toBe(0);
});
