/** The last lines that a child process wrote to stderr: told line by line, and kept for the error that comes when it dies. */
import type { Stream } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { Redactor } from './secret.ts';

const LINES_KEPT = 10;
const LINE_CHARS_MAX = 2_000;
/** Of a line that has not ended yet. More than a secret has, so that one that has come in part is not cut. */
const REST_CHARS_MAX = 16_384;
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
    const decoder = new StringDecoder('utf8');
    this.lines = [];
    this.rest = '';
    stream?.on('data', (chunk: Buffer) => this.take(decoder.write(chunk)));
    stream?.on('error', () => undefined);
  }

  private take(text: string): void {
    const parts = (this.rest + text).split(/\r?\n/);
    this.rest = parts.pop() ?? '';
    if (this.rest.length > REST_CHARS_MAX) this.rest = this.redactor.text(this.rest).slice(-REST_CHARS_MAX);
    for (const part of parts) {
      if (part.trim() === '') continue;
      const line = this.redactor.excerpt(part, LINE_CHARS_MAX);
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
