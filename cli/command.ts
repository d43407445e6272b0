/** What a verb of the CLI is: a row of `verbs.ts`, and code that is loaded when it is called. */
import { MeshError } from '../core/errors.ts';
import { Invocation, MESH_FILE } from './invocation.ts';
import type { Io } from './io.ts';

export interface Option {
  /** As cac writes it: `--at <seq>`, `-f, --follow`. With `<value>` it takes one; without, it is a flag. */
  readonly flags: string;
  readonly about: string;
}

/** A word and what it means, in their order. */
export type Words = readonly (readonly [word: string, meaning: string])[];

export interface Verb {
  readonly name: string;
  /** Such as `<actor> [seq]`. */
  readonly args?: string;
  readonly about: string;
  readonly options?: readonly Option[];
  readonly examples?: readonly string[];
  /** Words of its output, explained by its help. */
  readonly words?: Words;
  /** It is what a person does where a log and the code do not agree: its errors say themselves how. */
  readonly mends?: true;
  /** Resolves with the exit code; nothing: 0. */
  load(): Promise<{ run(call: Call): Promise<number | void> }>;
}

/** Verbs under a word of their own, as `net` in `reprise net up`. */
export interface Group {
  readonly name: string;
  readonly about: string;
  readonly verbs: readonly Verb[];
}

/** One call of a verb. Texts are exactly what was typed. */
export class Call {
  readonly io: Io;
  readonly args: readonly string[];
  private readonly options: ReadonlyMap<string, readonly string[]>;

  /** `options`: by long name; flags have the value ''. */
  constructor(io: Io, args: readonly string[], options: ReadonlyMap<string, readonly string[]>) {
    this.io = io;
    this.args = args;
    this.options = options;
  }

  /** The mesh file. */
  get file(): string {
    return this.text('file') ?? MESH_FILE;
  }
  /** Writes commands for people to type. */
  get reprise(): Invocation {
    return new Invocation(this.io.env, this.file, this.text('dir'));
  }
  get isJson(): boolean {
    return this.flag('json');
  }

  flag(name: string): boolean {
    return this.options.has(name);
  }
  /** The last one given. */
  text(name: string): string | undefined {
    return this.options.get(name)?.at(-1);
  }
  texts(name: string): readonly string[] {
    return this.options.get(name) ?? [];
  }
  /** Throws USAGE when it is no whole number of at least `min`. */
  number(name: string, min = 0): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : wholeNumber(text, `--${name}`, min);
  }
  arg(index: number): string {
    return this.args[index] ?? '';
  }
}

/** Throws USAGE. */
export function wholeNumber(text: string, what: string, min = 0): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number) && number >= min) return number;
  throw new MeshError('USAGE', `${what} is a whole number${min > 0 ? ` of at least ${min}` : ''}, not '${text}'`);
}

/** JSON that was typed. Throws USAGE, showing where it breaks off, and what is right (`like`). */
export function typedJson(text: string, what: string, like?: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new MeshError('USAGE', `${what} is no JSON: ${(error as Error).message}${like === undefined ? '' : `. ${like}`}`);
  }
}
