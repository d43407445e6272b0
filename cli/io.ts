/**
 * Where the CLI reads and writes. stdout is data, stderr is for people; colours and live lines only where a terminal is, and none with
 * NO_COLOR. Everything that prints goes through here.
 *
 * Whoever reads what a command prints may stop reading: then the command has nothing left to do and ends, but for one that lasts.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

export interface Io {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A line of data. */
  out(line: string): void;
  /** A line for people. */
  note(line: string): void;
  /** Data as JSON: one document, ended by a newline. */
  json(value: unknown): void;
  /** Resolves when whoever reads stdout has room for more. */
  caughtUp(): Promise<unknown>;
  /** From now on the command goes on without a reader. Lines that a slow one has no room for are dropped, and counted. */
  lasts(unread: Unread): void;
  /** Resolves when all that was written is read; of a command that lasts, after a moment. */
  flushed(): Promise<void>;
  /** For stdout. */
  paint(style: Style, text: string): string;
  /** stdout is a terminal. */
  readonly isTerminal: boolean;
  /** Columns of the terminal. */
  readonly columns: number;
}

/** What a command that lasts says of lines that nobody read. */
export interface Unread {
  /** To a reader that reads on: so many lines had no room meanwhile. */
  dropped(lines: number): string;
  /** To people, when the reader has gone. */
  readonly gone: string;
}

/** The same, with lines for people as `words` has them. */
export const saying = (io: Io, words: (line: string) => string): Io =>
  Object.create(io, { note: { value: (line: string): void => io.note(words(line)) } }) as Io;

const COLUMNS = 100;
/** Bytes that may wait for a reader of a command that lasts. */
const WAITING_MAX = 1024 * 1024;
/** ms that the end of a command that lasts waits for its reader. */
const END_MS = 1_000;

/** `readerGone`: nobody reads stdout any more, and the command does not last. */
export const processIo = (readerGone: () => void): Io => ioOf(process, readerGone);

export function ioOf(
  { stdin, stdout, stderr, env }: Pick<Io, 'stdin' | 'stdout' | 'stderr' | 'env'>,
  readerGone: () => void = () => undefined,
): Io {
  let unread: Unread | undefined;
  let dropped = 0;
  let isGone = false;
  const write = (text: string): void => {
    if (isGone) return;
    if (unread !== undefined && (dropped > 0 || stdout.writableLength > WAITING_MAX)) dropped++;
    else stdout.write(text);
  };
  stdout.on('drain', () => {
    if (unread === undefined || dropped === 0) return;
    stdout.write(`${unread.dropped(dropped)}\n`);
    dropped = 0;
  });
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (isGone) return;
    isGone = true;
    if (unread !== undefined) stderr.write(`${unread.gone}\n`);
    else if (error.code === 'EPIPE') readerGone();
    else throw error;
  });
  // What cannot be told to people is lost; the exit code says what is left to say.
  stderr.on('error', () => undefined);
  return {
    stdin,
    stdout,
    stderr,
    env,
    out: (line) => write(`${line}\n`),
    note: (line) => void stderr.write(`${line}\n`),
    json: (value) => write(`${JSON.stringify(value)}\n`),
    caughtUp: () => (stdout.writableNeedDrain ? once(stdout, 'drain') : Promise.resolve()),
    lasts: (words) => {
      unread = words;
    },
    flushed: async () => {
      const all = new Promise<void>((resolve) => void stdout.write('', () => resolve()));
      await (unread === undefined ? all : Promise.race([all, sleep(END_MS, undefined, { ref: false })]));
    },
    paint: (style, text) => styleText(style, text, { stream: stdout }),
    isTerminal: (stdout as { readonly isTTY?: boolean }).isTTY === true,
    get columns() {
      // A terminal that does not know its size says 0.
      return stdout.columns > 0 ? stdout.columns : COLUMNS;
    },
  };
}
