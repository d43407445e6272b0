/**
 * Commands as they have to be typed where this one was: through `npx` or not, and with the mesh file, or the folder of a network, that it
 * was given. Whatever the CLI prints for people to type is written here.
 */
import { resolve } from 'node:path';
import type { Address } from '../core/address.ts';
import { VERBS } from './verbs.ts';

/** The mesh file where none is named. */
export const MESH_FILE = 'mesh.yaml';

/** The folder of a network where none is named. */
export const NET_FOLDER = '.reprise/net';

const COMMAND = /`reprise(?: ([^`]+))?`(, (?:where the network was made|there)\b)?/g;

const TAKES_FILE: ReadonlySet<string> = new Set(VERBS.map(({ name }) => name));

export class Invocation {
  /** What it begins with: who installed the package in a folder has it on no path, and npm says that it has started this process. */
  readonly program: 'reprise' | 'npx reprise';
  private readonly file: string | undefined;
  private readonly folder: string | undefined;

  /** `file`: the mesh file, `folder`: that of a network, as they were typed. */
  constructor(env: Readonly<Record<string, string | undefined>>, file: string = MESH_FILE, folder: string = NET_FOLDER) {
    this.program = env['npm_command'] === undefined ? 'reprise' : 'npx reprise';
    this.file = resolve(file) === resolve(MESH_FILE) ? undefined : quoted(file);
    this.folder = resolve(folder) === resolve(NET_FOLDER) ? undefined : quoted(folder);
  }

  /** `ps desk` becomes `npx reprise ps desk -f other.yaml`. */
  command(typed: string): string {
    const [verb = ''] = typed.split(' ');
    if (verb === 'net' && this.folder !== undefined && !typed.endsWith('--help') && !typed.includes(' --dir ')) {
      // What follows `--` is another command.
      const [own, ...others] = typed.split(' -- ');
      return [`${this.program} ${own} --dir ${this.folder}`, ...others].join(' -- ');
    }
    const isWhole = this.file === undefined || !TAKES_FILE.has(verb) || typed.endsWith('--help');
    // The `-f` of `logs` follows.
    return `${this.program} ${typed}${isWhole ? '' : ` ${verb === 'logs' ? '--file' : '-f'} ${this.file}`}`;
  }

  /**
   * A text with its commands in backquotes as they have to be typed, and ACTOR in them by its name, where that is known. The folder of this node
   * is of no use to a command that is for another: one that is to be typed `, where the network was made`, or `, there`.
   */
  text(text: string, actor?: Address): string {
    return text.replaceAll(COMMAND, (_, typed: string | undefined, elsewhere = '') => {
      if (typed === undefined) return `\`${this.program}\`${elsewhere}`;
      if (elsewhere !== '') return `\`${this.elsewhere(typed)}\`${elsewhere}`;
      return `\`${this.command(actor === undefined ? typed : typed.replace(/\bACTOR\b/, () => actor))}\``;
    });
  }

  /** A command that is for another folder, on another machine perhaps. */
  elsewhere(typed: string): string {
    return `${this.program} ${typed}`;
  }
}

/** As a shell takes it. */
export const quoted = (file: string): string => (/^[\w./@%+=:,-]+$/.test(file) ? file : `'${file.replaceAll("'", `'\\''`)}'`);
