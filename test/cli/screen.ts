/** A terminal of a size, and the lines that it shows. */
import { Writable } from 'node:stream';
import { type Io, ioOf } from '../../cli/io.ts';

export function screenOf(rows: number, columns: number): { readonly io: Io; readonly screen: () => readonly string[] } {
  let text = '';
  const stdout = Object.assign(
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        text += chunk.toString();
        done();
      },
    }),
    { isTTY: true, rows, columns },
  ) as unknown as NodeJS.WriteStream;
  const screen = (): string[] => {
    const lines: string[] = [];
    // oxlint-disable-next-line no-control-regex -- escape sequences are what this is about
    for (const part of text.replaceAll(/\u001b\[[0-9;]*m/g, '').split(/(\u001b\[\d+A\u001b\[J)/)) {
      // oxlint-disable-next-line no-control-regex -- as above
      const up = /^\u001b\[(\d+)A/.exec(part);
      if (up === null) lines.push(...part.split('\n').slice(0, -1));
      else lines.splice(lines.length - Number(up[1]));
    }
    return lines;
  };
  return { io: ioOf({ stdin: process.stdin, stdout, stderr: stdout, env: {} }), screen };
}
