/** The real CLI in real processes, each test in a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { main } from '../../cli/dispatch.ts';
import { type Io, ioOf } from '../../cli/io.ts';

// Whatever runs the tests may want colours of its own; commands that are called here paint as for no terminal.
delete process.env['FORCE_COLOR'];
// Nor are they told to type `npx` because npm runs the tests.
delete process.env['npm_command'];

const ROOT = resolve(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'cli/main.ts');
/** ms after which a process that should have said something is given up. */
const PATIENCE_MS = 30_000;

export interface Ended {
  readonly code: number | null;
  readonly signal?: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Folder implements AsyncDisposable {
  readonly path = mkdtempSync(join(tmpdir(), 'reprise-cli-'));
  private readonly running: Up[] = [];

  constructor(files: Readonly<Record<string, string>>) {
    // The package by its name, and what machines import, as an install would have them.
    mkdirSync(join(this.path, 'node_modules'));
    symlinkSync(ROOT, join(this.path, 'node_modules/reprise'));
    symlinkSync(join(ROOT, 'node_modules/xstate'), join(this.path, 'node_modules/xstate'));
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }

  file(name: string): string {
    return join(this.path, name);
  }
  write(name: string, text: string): void {
    mkdirSync(dirname(this.file(name)), { recursive: true });
    writeFileSync(this.file(name), text);
  }

  /** Runs a command to its end. */
  async run(...args: readonly string[]): Promise<Ended> {
    return ended(this.start(args));
  }
  /** The same in this process: quick, for what needs no process of its own. */
  async call(...args: readonly string[]): Promise<Ended> {
    const { io, text } = captured();
    const code = await main([...args, '--file', this.file('mesh.yaml')], io);
    return { code, ...text };
  }
  /** Calls a command that must succeed; its stdout as JSON. */
  async json<T>(...args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await this.call(...args);
    if (code !== 0) throw new Error(`reprise ${args.join(' ')} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    return spawn(process.execPath, ['--conditions=reprise-source', MAIN, ...args], {
      cwd: this.path,
      env: { ...process.env, NO_COLOR: '1', ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }

  /** `reprise up`, until it says that it is ready. */
  async up(...args: readonly string[]): Promise<Up> {
    const up = new Up(this.start(['up', ...args]));
    this.running.push(up);
    await up.until((line) => line['type'] === 'mesh.ready');
    return up;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const up of this.running) await up.kill('SIGKILL');
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Streams that keep what is written to them, and are no terminal. */
export function captured(env: Readonly<Record<string, string | undefined>> = process.env): {
  readonly io: Io;
  readonly text: { stdout: string; stderr: string };
} {
  const text = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr'): NodeJS.WriteStream =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        text[name] += chunk.toString();
        done();
      },
    }) as NodeJS.WriteStream;
  return { io: ioOf({ stdin: process.stdin, stdout: stream('stdout'), stderr: stream('stderr'), env }), text };
}

export type Line = Readonly<Record<string, unknown>>;

/** A mesh that runs, with the lines of JSON that it printed. */
export class Up {
  readonly process: ChildProcess;
  readonly lines: Line[] = [];
  stderr = '';
  private readonly exited: Promise<number | null>;
  private waiting: (() => void)[] = [];

  constructor(child: ChildProcess) {
    this.process = child;
    this.exited = once(child, 'exit').then(([code]) => {
      this.wake();
      return code as number | null;
    });
    child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as Line);
      this.wake();
    });
  }

  private wake(): void {
    for (const wake of this.waiting.splice(0)) wake();
  }

  get isRunning(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** The first line that fits, of those from `from` on. Throws when the process ends before. */
  async until(fits: (line: Line) => boolean, from = 0): Promise<Line> {
    const deadline = setTimeout(() => this.process.kill('SIGKILL'), PATIENCE_MS);
    try {
      for (;;) {
        const found = this.lines.slice(from).find(fits);
        if (found !== undefined) return found;
        if (!this.isRunning)
          throw new Error(`the mesh ended: ${this.stderr}\n${this.lines.map((l) => JSON.stringify(l)).join('\n')}`);
        await new Promise<void>((resolve) => void this.waiting.push(resolve));
      }
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Resolves with the exit code; null: the signal ended it. */
  async kill(signal: NodeJS.Signals): Promise<number | null> {
    if (this.isRunning) this.process.kill(signal);
    return this.exited;
  }
}

export async function ended(child: ChildProcess): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const deadline = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  clearTimeout(deadline);
  return { code, signal, stdout, stderr };
}

// ---- what the folders hold -----------------------------------------------------------------------------------------------

/** Keeps whom it greeted, answers who asks, and fails on whom it does not like. */
export const GREETER = `
import { assign, enqueueActions, setup } from 'xstate';

export const greeter = setup({
  types: { context: {} as { greeted: string[] }, events: {} as { type: 'greet'; name: string; replyTo?: any } | { type: 'rest' } },
  delays: { nap: 3_600_000 },
}).createMachine({
  id: 'greeter',
  version: '1',
  context: { greeted: [] },
  initial: 'awake',
  states: {
    awake: {
      on: {
        greet: {
          actions: [
            assign({
              greeted: ({ context, event }) => {
                if (event.name === 'nobody') throw new Error('whom?');
                return [...context.greeted, event.name];
              },
            }),
            enqueueActions(({ event, enqueue }) => {
              if (event.replyTo !== undefined) enqueue.sendTo(event.replyTo, { type: 'hello', text: 'Hello, ' + event.name + '!' });
            }),
          ],
        },
        rest: 'asleep',
      },
    },
    asleep: { after: { nap: 'awake' } },
  },
});
`;

export const HELLO = { 'greeter.ts': GREETER, 'mesh.yaml': 'mesh: hello\nactors:\n  greeter: { module: ./greeter.ts }\n' };
