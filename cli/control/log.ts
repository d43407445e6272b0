/** What a running mesh has to say, kept for a while: `reprise logs` prints it and follows it. Lines are for people; the truth is in the logs of the actors. */
import type { NodeEvent } from '../../core/node.ts';

/** A line, with when it was said (ms since 1970). */
export type LogLine = NodeEvent & { readonly ts: number };

const LINES_MAX = 2_000;

export class MeshLog {
  private readonly lines: LogLine[] = [];
  private readonly listeners = new Set<(line: LogLine) => void>();

  say(event: NodeEvent, ts: number): void {
    const line = { ts, ...event };
    this.lines.push(line);
    if (this.lines.length > LINES_MAX) this.lines.shift();
    for (const listener of this.listeners) listener(line);
  }

  last(count: number, actor?: string): readonly LogLine[] {
    const wanted = actor === undefined ? this.lines : this.lines.filter((line) => concerns(line, actor));
    return count === 0 ? [] : wanted.slice(-count);
  }

  /** Until the signal. */
  async follow(listener: (line: LogLine) => void, signal: AbortSignal, actor?: string): Promise<void> {
    const wanted = (line: LogLine): void => {
      if (actor === undefined || concerns(line, actor)) listener(line);
    };
    this.listeners.add(wanted);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.listeners.delete(wanted);
  }
}

/** The actor itself, and all below it. */
const concerns = (line: LogLine, actor: string): boolean => line.actor === actor || line.actor?.startsWith(`${actor}/`) === true;
