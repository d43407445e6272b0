/** The command line. */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';

export const USAGE = `npm run bench -- [options] [name ...]

  name           only the scenarios whose name contains one of these: ring kernel
  --samples N    turns of each scenario (default 5; quick: 1)
  --quick        small and short: shows that the benches work, its figures mean little
  --source       runs the TypeScript of the working tree instead of building and running what users get
  --dir PATH     where the data goes; it has to be on the disk that is meant (default: the folder for temporary files)
  --json FILE    writes every sample as JSON
  --list         names of the scenarios and their goals
`;

export interface Options {
  readonly names: readonly string[];
  readonly samples: number;
  readonly quick: boolean;
  readonly source: boolean;
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
      dir: { type: 'string', default: tmpdir() },
      json: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const samples = Number(values.samples ?? (values.quick ? 1 : 5));
  if (!Number.isInteger(samples) || samples < 1)
    throw new Error(`--samples has to be a number from 1 on, not '${values.samples}'`);
  return {
    names: positionals,
    samples,
    quick: values.quick,
    source: values.source,
    dir: values.dir,
    json: values.json,
    list: values.list,
    help: values.help,
  };
}
