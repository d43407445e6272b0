/** The command line. */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';

export const USAGE = `npm run bench -- [options] [name ...]

  name           only the scenarios whose name contains one of these: ring kernel
  --samples N    turns of each scenario (default 5; quick: 1)
  --quick        small and short: shows that the benches work, its figures mean little
  --source       runs the TypeScript of the working tree instead of building and running what users get
  --quiet SEC    before each sample, wait as long as this at most until other processes use less than half a core (default 0)
  --dir PATH     where the data goes; it has to be on the disk that is meant (default: the folder for temporary files)
  --json FILE    writes every sample as JSON
  --list         names of the scenarios and their goals
`;

export interface Options {
  readonly names: readonly string[];
  readonly samples: number;
  readonly quick: boolean;
  readonly source: boolean;
  /** ms. */
  readonly quietMs: number;
  readonly dir: string;
  readonly json: string | undefined;
  readonly list: boolean;
  readonly help: boolean;
}

/** Throws with a sentence for people. */
export function optionsOf(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      samples: { type: 'string' },
      quick: { type: 'boolean', default: false },
      source: { type: 'boolean', default: false },
      quiet: { type: 'string', default: '0' },
      dir: { type: 'string', default: tmpdir() },
      json: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const quietMs = Number(values.quiet) * 1e3;
  if (!(quietMs >= 0)) throw new Error(`--quiet has to be a number of seconds, not '${values.quiet}'`);
  const samples = Number(values.samples ?? (values.quick ? 1 : 5));
  if (!Number.isInteger(samples) || samples < 1)
    throw new Error(`--samples has to be a number from 1 on, not '${values.samples}'`);
  return {
    names: positionals,
    samples,
    quick: values.quick,
    source: values.source,
    quietMs,
    dir: values.dir,
    json: values.json,
    list: values.list,
    help: values.help,
  };
}
