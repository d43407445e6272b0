/**
 * Ends the servers of this process when it is killed, and so cannot do it itself: a small shell that holds the other end of a pipe. It is told
 * which process groups there are, and when the pipe breaks it kills those of the last line.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';

const SCRIPT =
  'while read -r line; do groups="$line"; done; for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done';

export class Guard {
  private readonly shell: ChildProcessByStdio<Writable, null, null>;
  private readonly groups = new Set<number>();

  constructor() {
    // In a group of its own: a Ctrl-C that ends this process must not end it first.
    this.shell = spawn('/bin/sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    // Without it servers still see the end of their stdin, which ends all that heed it.
    this.shell.on('error', () => undefined);
    this.shell.stdin.on('error', () => undefined);
  }

  add(group: number): void {
    this.groups.add(group);
    this.tell();
  }

  delete(group: number): void {
    this.groups.delete(group);
    this.tell();
  }

  end(): void {
    this.shell.stdin.end();
  }

  private tell(): void {
    this.shell.stdin.write(`${[...this.groups].join(' ')}\n`);
  }
}
