/**
 * Where code of a user threw, from the stack of what it threw. Only for people, and only where the error is at hand: no record, no log
 * and no wire holds a stack.
 */
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Of a file that is named by an absolute path. */
export interface StackFrame {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** As the stack has it, with the name of the function. */
  readonly text: string;
}

const FRAME = /^ +at (?:async )?(?:.* \()?((?:file:\/\/)?\/[^()]+):(\d+):(\d+)\)?$/gm;
const OURS = ['actors', 'cli', 'core'].map((part) => join(dirname(import.meta.dirname), part) + sep);
/** Below it is whoever called for a step, or for an action. */
const BELOW = /^ +at Kernel\.(?:run|act) /;

/** The path of a file that a stack names, which may be an URL with a version behind it. */
export const pathOf = (where: string): string => (where.startsWith('file:') ? fileURLToPath(where.replace(/\?.*$/, '')) : where);

/** The frames that lie in files, innermost first. */
export function* framesOf(stack: string): Generator<StackFrame> {
  for (const [text, where = '', line, column] of stack.matchAll(FRAME))
    yield { file: pathOf(where), line: Number(line), column: Number(column), text };
}

/** Neither of a package nor of Reprise. */
export const isOfUser = (file: string): boolean =>
  !file.includes(`${sep}node_modules${sep}`) && !OURS.some((folder) => file.startsWith(folder));

/** `/srv/shop/order.ts:12:30`. Undefined: nothing tells. */
export function thrownAt(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  for (const { file, line, column, text } of framesOf(error.stack ?? '')) {
    if (BELOW.test(text)) return undefined;
    if (isOfUser(file)) return `${file}:${line}:${column}`;
  }
  return undefined;
}
