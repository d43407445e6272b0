/**
 * Where the CLI reads and writes. stdout is data, stderr is for people; colours and live lines only where a terminal is, and none with
 * NO_COLOR. Everything that prints goes through here.
 */
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
  /** For stdout. */
  paint(style: Style, text: string): string;
  /** stdout is a terminal. */
  readonly isTerminal: boolean;
  /** Columns of the terminal. */
  readonly columns: number;
}

const COLUMNS = 100;

export const processIo = (): Io => ioOf(process);

export function ioOf({ stdin, stdout, stderr, env }: Pick<Io, 'stdin' | 'stdout' | 'stderr' | 'env'>): Io {
  return {
    stdin,
    stdout,
    stderr,
    env,
    out: (line) => void stdout.write(`${line}\n`),
    note: (line) => void stderr.write(`${line}\n`),
    json: (value) => void stdout.write(`${JSON.stringify(value)}\n`),
    paint: (style, text) => styleText(style, text, { stream: stdout }),
    isTerminal: (stdout as { readonly isTTY?: boolean }).isTTY === true,
    get columns() {
      // A terminal that does not know its size says 0.
      return stdout.columns > 0 ? stdout.columns : COLUMNS;
    },
  };
}
