/** The last lines that a child process wrote to stderr: told line by line, and kept for the error that comes when it dies. */
import type { Stream } from 'node:stream';
import type { Redactor } from './secret.ts';

const LINES_KEPT = 10;
const LINE_CHARS_MAX = 2_000;
/** Of what an error message quotes. */
const SAID_CHARS_MAX = 1_000;

export class StderrTail {
  private lines: string[] = [];
  private rest = '';
  private readonly redactor: Redactor;
  private readonly tell: (line: string) => void;

  constructor(redactor: Redactor, tell: (line: string) => void) {
    this.redactor = redactor;
    this.tell = tell;
  }

  /** A new process: what the last one said is forgotten. */
  follow(stream: Stream | null): void {
    this.lines = [];
    this.rest = '';
    stream?.on('data', (chunk: Buffer) => this.take(chunk.toString('utf8')));
    stream?.on('error', () => undefined);
  }

  private take(text: string): void {
    const parts = (this.rest + text).split(/\r?\n/);
    this.rest = (parts.pop() ?? '').slice(-LINE_CHARS_MAX);
    for (const part of parts) {
      if (part.trim() === '') continue;
      const line = this.redactor.text(part.slice(0, LINE_CHARS_MAX));
      this.lines.push(line);
      if (this.lines.length > LINES_KEPT) this.lines.shift();
      this.tell(line);
    }
  }

  /** For the end of an error message; empty when nothing was said. */
  said(): string {
    const lines = [...this.lines, ...(this.rest.trim() === '' ? [] : [this.redactor.text(this.rest)])];
    return lines.length === 0 ? '' : `; its last words: ${lines.join(' | ').slice(-SAID_CHARS_MAX)}`;
  }
}
