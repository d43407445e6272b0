/** Keys of a terminal as they are pressed. Whoever makes one has the terminal raw until it is disposed of. */
import { emitKeypressEvents, type Key } from 'node:readline';
import type { Io } from './io.ts';

export class Keyboard implements Disposable {
  /** Resolves at Ctrl-C, also while nobody waits for a key: a raw terminal makes no signal of it. */
  readonly interrupted: Promise<void>;
  private readonly stdin: Io['stdin'];
  private readonly pressed: string[] = [];
  private ended = false;
  private wake = (): void => undefined;

  constructor(stdin: Io['stdin']) {
    this.stdin = stdin;
    emitKeypressEvents(stdin);
    stdin.setRawMode(true);
    this.interrupted = new Promise((resolve) => {
      stdin.on('keypress', (text: string | undefined, key: Key) => {
        const name = nameOf(text, key);
        if (name === 'ctrl-c') resolve();
        else if (name === 'ctrl-d') this.end();
        else this.press(name);
      });
    });
    // A terminal that goes away ends in an error.
    stdin.on('end', () => this.end()).on('error', () => this.end());
    stdin.resume();
  }

  private press(name: string): void {
    this.pressed.push(name);
    this.wake();
  }
  private end(): void {
    this.ended = true;
    this.wake();
  }

  /** By the names that readline gives them: `n`, `right`, `return`, `5`; with Ctrl held `ctrl-x`. Ends at Ctrl-D and with the input. */
  async *keys(): AsyncGenerator<string> {
    for (;;) {
      const next = this.pressed.shift();
      if (next !== undefined) yield next;
      else if (this.ended) return;
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  [Symbol.dispose](): void {
    this.stdin.setRawMode(false);
    this.stdin.pause();
  }
}

function nameOf(text: string | undefined, { name = text ?? '', ctrl }: Key): string {
  // A terminal that was pasted into, or that sends line feeds.
  if (name === 'enter') return 'return';
  return ctrl === true ? `ctrl-${name}` : name;
}
