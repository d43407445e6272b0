/** Who reads what the CLI prints may be slow, or go. */
import { Writable } from 'node:stream';
import { describe, expect, test, vi } from 'vitest';
import { type Io, ioOf } from '../../cli/io.ts';
import { printable } from '../../cli/report.ts';
import { ended, Folder, HELLO } from './processes.ts';

test('what JSON cannot hold is told as near as it can', () => {
  const value = {
    at: new Date(0),
    big: 10n,
    map: new Map([['a', 1]]),
    set: new Set([1]),
    call: Symbol('x'),
    list: [undefined, NaN],
  };
  expect(printable({ type: 'actor.log', actor: 'a', value })).toEqual({
    type: 'actor.log',
    actor: 'a',
    value: { at: '1970-01-01T00:00:00.000Z', big: '10n', map: [['a', 1]], set: [1], call: 'Symbol(x)', list: [null, null] },
  });
  const bare = { type: 'actor.log', actor: 'a', value: undefined } as const;
  expect(printable(bare)).toBe(bare);
});

/** Says 100 kB at each `shout`. */
const LOUD = `
import { log, setup } from 'xstate';
export const greeter = setup({ actions: { shout: log(() => 'x'.repeat(100_000)) } }).createMachine({
  id: 'greeter', version: '1', on: { shout: { actions: 'shout' } },
});
`;

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
  let toPeople = '';
  const stderr = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      toPeople += chunk.toString();
      done();
    },
  }) as Io['stderr'];
  const io = ioOf({ stdin: process.stdin, stdout, stderr, env: {} }, readerGone);
  const goOn = async (): Promise<void> => {
    isOpen = true;
    waiting?.();
    await vi.waitFor(() => expect(stdout.writableLength).toBe(0));
  };
  return { io, stdout, goOn, read, toPeople: () => toPeople };
}
const LINE = 'x'.repeat(10_000);
const UNREAD = { dropped: (lines: number): string => `${lines} dropped`, gone: 'nobody reads' };

describe('a command that lasts', () => {
  test('holds a bounded number of bytes for a reader that stalls, and tells it what it missed', async () => {
    const { io, stdout, goOn, read } = slow();
    io.lasts(UNREAD);
    for (let i = 0; i < 1_000; i++) io.out(LINE);
    expect(stdout.writableLength).toBeLessThan(1_100_000);
    await goOn();
    io.json({ n: 1 });
    const [note, last] = read.slice(-2);
    expect(last).toBe('{"n":1}\n');
    expect(Number(/^(\d+) dropped\n$/.exec(note ?? '')?.[1])).toBe(1_000 - (read.length - 2));
  });
  test('goes on without one', async () => {
    const gone = vi.fn<() => void>();
    const { io, stdout, toPeople } = slow(gone);
    io.lasts(UNREAD);
    for (let i = 0; i < 3; i++) stdout.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    for (let i = 0; i < 1_000; i++) io.out(LINE);
    expect(toPeople()).toBe('nobody reads\n');
    expect(stdout.writableLength).toBe(0);
    expect(gone).not.toHaveBeenCalled();
  });
  test('ends although its reader stalls', async () => {
    const { io } = slow();
    io.lasts(UNREAD);
    io.out(LINE);
    await expect(io.flushed()).resolves.toBe(undefined);
  });
});

describe('any other', () => {
  test('ends when nobody reads', () => {
    const gone = vi.fn<() => void>();
    const { stdout } = slow(gone);
    stdout.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    expect(gone).toHaveBeenCalledOnce();
  });
  test('fails when what reads fails', () => {
    const { stdout } = slow();
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
  expect((await folder.call('send', 'greeter', '{"type":"greet","name":"nobody"}')).stderr).toContain('STEP_FAILED');
  await vi.waitFor(async () => expect((await folder.call('deadletters')).stdout).toContain('nobody'), 10_000);
  expect((await folder.json<{ running: boolean }>('ps', '--json')).running).toBe(true);
  expect(await up.kill('SIGTERM')).toBe(0);
  expect(up.stderr).toMatch(/^nobody reads what this mesh prints any more[^\n]*\n$/);
});

test('`up` goes on while nobody reads, and tells whoever reads on what was missed', async () => {
  await using folder = new Folder({ ...HELLO, 'greeter.ts': LOUD });
  const up = await folder.up();
  const { stdout } = up.process;
  stdout?.pause();
  const from = up.lines.length;
  for (let i = 0; i < 30; i++) expect((await folder.call('send', 'greeter', 'shout')).code).toBe(0);
  stdout?.resume();
  const note = await up.until((line) => line['type'] === 'mesh.note', from);
  const heard = up.lines.slice(from).filter((line) => line['type'] === 'actor.log').length;
  expect(note['text']).toBe(`${30 - heard} lines of this mesh found no reader in time`);
  expect(heard).toBeLessThan(30);
  expect(await up.kill('SIGTERM')).toBe(0);
});

test('any other command ends in silence when its reader has had enough: `reprise events | head -1`', async () => {
  await using folder = new Folder({ ...HELLO, 'greeter.ts': LOUD });
  const up = await folder.up();
  for (let i = 0; i < 30; i++) await folder.call('send', 'greeter', JSON.stringify({ type: 'shout', text: 'x'.repeat(20_000) }));
  for (const args of [['events', 'greeter', '--json'], ['logs', '--json'], ['export']]) {
    const child = folder.start(args);
    child.stdout?.once('data', () => child.stdout?.destroy());
    expect(await ended(child)).toMatchObject({ code: 0, stderr: '' });
  }
  expect(await up.kill('SIGTERM')).toBe(0);
});
