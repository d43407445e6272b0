/**
 * An MCP server as a child process that speaks JSON-RPC over stdio, one line a message. It and all that it starts are one process group, so
 * that a server which runs behind `npx` or a shell ends, too. Its stderr is that of this process.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lines } from '../../../transport/overlay/mcp/lines.ts';

/** Of one line. The overlay takes less, and whoever waits for an answer that is longer is told so. */
const LINE_BYTES_MAX = 32 * 1024 * 1024;
/** ms between closing its stdin, SIGTERM and SIGKILL. */
const GRACE_MS = 2_000;

export class ServerProcess {
  readonly pid: number | undefined;
  /** Resolves when it has ended, with how, in words; undefined: with exit code 0. */
  readonly ended: Promise<string | undefined>;
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly graceMs: number;
  private isOver = false;

  constructor(command: string, args: readonly string[], graceMs = GRACE_MS) {
    this.graceMs = graceMs;
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
    this.pid = this.child.pid;
    // Whether it takes what is written is seen by its end.
    this.child.stdin.on('error', () => undefined);
    this.ended = this.end().finally(() => (this.isOver = true));
  }

  /** What it says, until it closes its stdout. A line beyond the bound ends it. */
  async *lines(): AsyncGenerator<string> {
    const lines = new Lines(LINE_BYTES_MAX);
    for await (const chunk of this.child.stdout) {
      const whole = lines.push(chunk as Buffer);
      if (whole === undefined) return this.kill('SIGKILL');
      for (const line of whole) yield Buffer.from(line).toString();
    }
  }

  /** Resolves when it takes more, or has ended. */
  async write(line: string): Promise<void> {
    if (this.isOver || this.child.stdin.write(`${line}\n`)) return;
    const taken = new AbortController();
    const { signal } = taken;
    await Promise.race([once(this.child.stdin, 'drain', { signal }).catch(() => undefined), this.ended]);
    taken.abort();
  }

  /** Asks it to end, then makes it. Resolves when all of its group have been told. */
  async stop(): Promise<void> {
    this.child.stdin.end();
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      if (await this.endsWithin(this.graceMs)) break;
      this.kill(signal);
    }
    await this.ended;
    // What it has started and left behind.
    this.kill('SIGKILL');
  }

  private kill(signal: NodeJS.Signals): void {
    if (this.pid === undefined) return;
    try {
      process.kill(-this.pid, signal);
    } catch {
      // Nobody of it is left.
    }
  }

  private async endsWithin(ms: number): Promise<boolean> {
    const waiting = new AbortController();
    const late = sleep(ms, false, { signal: waiting.signal }).catch(() => false);
    const isOver = await Promise.race([this.ended.then(() => true), late]);
    waiting.abort();
    return isOver;
  }

  private async end(): Promise<string | undefined> {
    try {
      // Not `close`: what it has started may keep its stdout open.
      const [code, signal] = (await once(this.child, 'exit')) as [number | null, NodeJS.Signals | null];
      if (code === 0) return undefined;
      return signal === null ? `its process ended with exit code ${code}` : `its process was ended by ${signal}`;
    } catch (error) {
      return `its process could not be started (${String((error as NodeJS.ErrnoException).code)})`;
    }
  }
}
