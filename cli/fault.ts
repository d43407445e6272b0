/**
 * Where the code of a user is wrong that does not load. Node tells it nowhere but in texts: the head of a stack shows the line of what
 * cannot be parsed, its frames are those of what throws, and a message names who imports what is not there.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { basename } from 'node:path';
import { framesOf, isOfUser, pathOf } from '../core/thrown.ts';

export interface Fault {
  /** Absolute. */
  readonly file: string;
  readonly line: number;
  readonly column?: number;
}

/** Frames of what throws that are looked at: XState alone has more than the ten that Node keeps. */
const FRAMES = 100;

/** Imports a module. What it throws has a stack that is long enough for `faultOf`. */
export async function imported(url: string): Promise<Record<string, unknown>> {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = FRAMES;
  try {
    return (await import(url)) as Record<string, unknown>;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Of what the import of the module `url` threw. Undefined: nothing tells. */
export async function faultOf(error: unknown, url: string): Promise<Fault | undefined> {
  if (!(error instanceof Error)) return undefined;
  const { stack = '', message } = error;
  const fault = headFault(stack) ?? frameFault(stack) ?? importFault(message);
  return fault === undefined && error instanceof SyntaxError ? await checkedFault(url, message) : fault;
}

/** FILE:LINE, the line, and below it a mark at the column: what does not parse, or does not link. */
function headFault(text: string): Fault | undefined {
  const [head = '', ...lines] = text.split('\n');
  const [, where, line] = /^((?:file:\/\/)?\/.+):(\d+)$/.exec(head) ?? [];
  if (where === undefined) return undefined;
  const at = { file: pathOf(where), line: Number(line) };
  const mark = lines.findIndex((shown) => /^\s*\^+\s*$/.test(shown));
  if (mark < 1) return at;
  return { ...at, column: columnAt(at, lines[mark - 1] as string, (lines[mark] as string).indexOf('^')) };
}

/** Columns count characters; what parses TypeScript shows a tab as four. */
function columnAt({ file, line }: Fault, shown: string, offset: number): number {
  if (shown.includes('\t')) return offset + 1;
  const text = linesOf(file)[line - 1] ?? '';
  let column = 0;
  for (let width = 0; width < offset; column++) width += text[column] === '\t' ? 4 : 1;
  return column + 1;
}

/** The innermost frame that is neither that of a package nor our own. */
function frameFault(stack: string): Fault | undefined {
  for (const { file, line, column } of framesOf(stack)) {
    if (file.startsWith(import.meta.dirname)) return undefined;
    if (isOfUser(file)) return { file, line, column };
  }
  return undefined;
}

/** The place where what is not there is imported. */
function importFault(message: string): Fault | undefined {
  const [, kind, name = '', file] = /^Cannot find (module|package) '([^']+)' imported from (\/.+)$/.exec(message) ?? [];
  if (file === undefined) return undefined;
  const isIt = (specifier: string): boolean =>
    kind === 'module' ? basename(specifier) === basename(name) : `${specifier}/`.startsWith(`${name}/`);
  for (const [index, text] of linesOf(file).entries()) {
    const found = /\b(?:from|import)\b.*?(['"])([^'"]+)\1/.exec(text);
    if (found !== null && isIt(found[2] ?? ''))
      return { file, line: index + 1, column: text.indexOf(found[1] ?? '', found.index) + 1 };
  }
  return undefined;
}

/** What only the engine refuses, such as a name that is declared twice, has a place only where Node does nothing but check a text. */
async function checkedFault(url: string, message: string): Promise<Fault | undefined> {
  const file = await lastLoaded(url);
  if (file === undefined) return undefined;
  const text = linesOf(file).join('\n');
  const source = /\.[cm]?ts$/.test(file) ? stripTypeScriptTypes(text) : text;
  const said = await new Promise<string>((resolve) => {
    const check = ['--check', '--input-type=module', '-'];
    const child = execFile(process.execPath, check, (_error, _stdout, stderr) => resolve(stderr));
    child.stdin?.on('error', () => undefined).end(source);
  });
  return said.includes(message) ? headFault(said.replace('[stdin]', file)) : undefined;
}

/** A module is compiled as soon as it is loaded, and none is run before all are: the last that was loaded is the wrong one. */
async function lastLoaded(url: string): Promise<string | undefined> {
  let last: string | undefined;
  const hooks = registerHooks({
    load: (loading, context, next) => {
      last = loading;
      return next(loading, context);
    },
  });
  // Under a version that nothing has been loaded under.
  await import(`${url.replace(/\?.*$/, '')}?v=${Date.now()}`).catch(() => undefined);
  hooks.deregister();
  return last?.startsWith('file:') === true ? pathOf(last) : undefined;
}

function linesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}
