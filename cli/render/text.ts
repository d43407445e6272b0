/** Values as short text for people: JSON on a line, times, states of charts, tables. */
import { relative } from 'node:path';
import type { Io } from '../io.ts';

/** JSON on one line, cut off with … at `width` characters. */
export function inline(value: unknown, width = 120): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > width ? `${text.slice(0, Math.max(1, width - 1))}…` : text;
}

/** `working.reading`; regions of a parallel state joined by a comma. */
export function stateText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return value === undefined ? '' : inline(value);
  return Object.entries(value)
    .map(([key, inner]) => {
      const below = stateText(inner);
      return below === '' ? key : below.includes(', ') ? `${key}.(${below})` : `${key}.${below}`;
    })
    .join(', ');
}

/** `/srv/shop/lib/order.ts:12:30` as a path from the current folder, where it lies below it. */
export function placeFromHere(at: string): string {
  const here = relative('.', at);
  return here.startsWith('..') ? at : here;
}

/** Local date and time with milliseconds. */
export function timeText(ts: number): string {
  const at = new Date(ts);
  const two = (n: number): string => String(n).padStart(2, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

/** `340ms`, `1.2s`, `3m`, `2h`, `4d`. */
export function spanText(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))}ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)}s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)}m`;
  return ms < 86_400_000 ? `${Math.round(ms / 3_600_000)}h` : `${Math.round(ms / 86_400_000)}d`;
}

/** Columns as wide as their widest cell; the last one takes what is left. */
export function table(io: Io, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i === cells.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  const room = io.isTerminal ? io.columns : Infinity;
  const fitted = (text: string): string => (text.length > room ? `${text.slice(0, room - 1)}…` : text);
  io.out(io.paint('bold', fitted(line(head))));
  for (const row of rows) io.out(fitted(line(row)));
}

/** One JSON document, written as its items come: they may be many. */
export async function jsonList<T>(
  io: Io,
  members: Readonly<Record<string, unknown>>,
  name: string,
  items: AsyncIterable<T>,
): Promise<void> {
  const open = JSON.stringify(members).slice(0, -1);
  io.stdout.write(`${open}${open === '{' ? '' : ','}${JSON.stringify(name)}:[`);
  let first = true;
  for await (const item of items) {
    io.stdout.write(`${first ? '' : ','}${JSON.stringify(item)}`);
    first = false;
    await io.caughtUp();
  }
  io.stdout.write(']}\n');
}
