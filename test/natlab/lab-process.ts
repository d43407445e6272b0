/** A process of the lab: it writes a JSON object a line to stdout, and reads such lines from stdin. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

export interface Line {
  readonly type: string;
}

interface Waiting {
  readonly types: readonly string[];
  readonly settle: (line: Line | Error) => void;
}

const LIMIT_MS = 30_000;
/** Characters of stderr that are kept for error messages. */
const KEPT = 4_000;

/** `L`: the union of the lines that the process writes. */
export class LabProcess<L extends Line> implements AsyncDisposable {
  private readonly what: string;
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  private readonly unread: Line[] = [];
  private readonly waiting = new Set<Waiting>();
  private said = '';
  private isOver = false;

  constructor(what: string, command: string, args: readonly string[]) {
    this.what = what;
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdin.on('error', () => undefined); // it has ended: `next` says so
    this.child.stderr.on('data', (bytes: Buffer) => {
      this.said = (this.said + bytes.toString()).slice(-KEPT);
    });
    createInterface({ input: this.child.stdout }).on('line', (text) => this.read(text));
    this.child.on('close', (code, signal) => {
      this.isOver = true;
      for (const waiting of this.waiting) waiting.settle(this.error(`ended with ${code ?? signal}`));
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  say(message: object): void {
    this.child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  /** The first line of this type that was not read yet. Throws after `limitMs`, or when the process ends before. */
  async next<T extends L['type']>(type: T, limitMs: number = LIMIT_MS): Promise<Extract<L, { readonly type: T }>> {
    return (await this.nextOf([type], limitMs)) as Extract<L, { readonly type: T }>;
  }

  /** As `next`, for several types. */
  async nextOf(types: readonly L['type'][], limitMs: number = LIMIT_MS): Promise<L> {
    const at = this.unread.findIndex((line) => types.includes(line.type));
    if (at >= 0) return this.unread.splice(at, 1)[0] as L;
    if (this.isOver) throw this.error(`ended without ${types.join(' or ')}`);
    const { promise, resolve, reject } = Promise.withResolvers<Line>();
    const waiting: Waiting = { types, settle: (line) => (line instanceof Error ? reject(line) : resolve(line)) };
    this.waiting.add(waiting);
    const timer = setTimeout(() => reject(this.error(`no ${types.join(' or ')} within ${limitMs} ms`)), limitMs);
    try {
      return (await promise) as L;
    } finally {
      clearTimeout(timer);
      this.waiting.delete(waiting);
    }
  }

  /** The lines of this type that were not read yet. */
  drain<T extends L['type']>(type: T): readonly Extract<L, { readonly type: T }>[] {
    const taken = this.unread.filter((line) => line.type === type);
    this.unread.splice(0, Infinity, ...this.unread.filter((line) => line.type !== type));
    return taken as Extract<L, { readonly type: T }>[];
  }

  /** How many lines of this type were not read yet. */
  count(type: L['type']): number {
    return this.unread.filter((line) => line.type === type).length;
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    if (this.isOver) return;
    const close = once(this.child, 'close');
    this.child.kill('SIGKILL');
    await close;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  private read(text: string): void {
    const line = parse(text);
    if (line === undefined) {
      this.said = `${this.said}${text}\n`.slice(-KEPT);
      return;
    }
    const waiting = [...this.waiting].find(({ types }) => types.includes(line.type));
    if (waiting === undefined) this.unread.push(line);
    else {
      this.waiting.delete(waiting);
      waiting.settle(line);
    }
  }

  private error(why: string): Error {
    return new Error(`${this.what}: ${why}; unread: ${JSON.stringify(this.unread.slice(-5))}; it said: ${this.said}`);
  }
}

function parse(text: string): Line | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && 'type' in value ? (value as Line) : undefined;
  } catch {
    return undefined;
  }
}
