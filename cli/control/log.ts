/** What a running mesh has to say, kept for a while: `reprise logs` prints it and follows it. Lines are for people; the truth is in the logs of the actors. */
import { EventEmitter, once } from 'node:events';
import type { NodeEvent } from '../../core/node/news.ts';

/** A line, with when it was said (ms since 1970). */
export type LogLine = NodeEvent & { readonly ts: number };
/** In the place of lines, of whatever actors, that went before a slow reader came to them. */
export interface LogGap {
  readonly skipped: number;
}

export interface LogQuery {
  /** Lines to begin with. */
  readonly last: number;
  /** Of this actor and of all below it. */
  readonly actor?: string | undefined;
  /** Go on with what comes. */
  readonly follow?: boolean;
}

const LINES_MAX = 2_000;
const BYTES_MAX = 16 * 1024 * 1024;

/** A line was said. */
const NEWS = 'news';

interface Kept {
  readonly line: LogLine;
  readonly bytes: number;
}

export class MeshLog {
  private readonly kept: Kept[] = [];
  private bytes = 0;
  /** Lines that were said before those that are kept. */
  private gone = 0;
  /** As many readers as like to. */
  private readonly news = new EventEmitter().setMaxListeners(0);

  say(event: NodeEvent, ts: number): void {
    const line = { ts, ...event };
    const bytes = Buffer.byteLength(JSON.stringify(line));
    this.kept.push({ line, bytes });
    this.bytes += bytes;
    while (this.kept.length > LINES_MAX || (this.bytes > BYTES_MAX && this.kept.length > 1)) {
      this.bytes -= this.kept.shift()?.bytes ?? 0;
      this.gone++;
    }
    this.news.emit(NEWS);
  }

  /** Reads at the pace of whoever asks, and holds nothing for those who are slow. Ends with what there is, or with the signal. */
  async *read({ last, actor, follow = false }: LogQuery, signal: AbortSignal): AsyncGenerator<LogLine | LogGap> {
    const end = follow ? Infinity : this.gone + this.kept.length;
    for (let next = this.beginning(last, actor); next < end && !signal.aborted;) {
      if (next < this.gone) {
        yield { skipped: this.gone - next };
        next = this.gone;
      }
      const line = this.kept[next - this.gone]?.line;
      if (line === undefined) await once(this.news, NEWS, { signal }).catch(() => undefined);
      else {
        next++;
        if (concerns(line, actor)) yield line;
      }
    }
  }

  /** Number of the first of the last `count` lines of this actor. */
  private beginning(count: number, actor: string | undefined): number {
    let first = this.kept.length;
    for (let left = count; left > 0 && first > 0; first--) if (concerns((this.kept[first - 1] as Kept).line, actor)) left--;
    return this.gone + first;
  }
}

/** The actor itself, and all below it. */
const concerns = (line: LogLine, actor: string | undefined): boolean =>
  actor === undefined || line.actor === actor || line.actor?.startsWith(`${actor}/`) === true;
