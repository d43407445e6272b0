/**
 * A mesh file as text: YAML (so JSON too) into a value, and any path of that value back to line and column.
 * Fills in variables on the way. Reads no file.
 */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
  visit,
  type YAMLError,
} from 'yaml';
import { type Env, interpolate, plainScalar } from './interpolate.ts';
import { type ConfigPath, type Locate, type LocatedProblem, type Position, withBlank } from './problems.ts';

/** What the aliases of a file may come to, one within the other: enough for people, too few for a bomb. */
const ALIASES_MAX = 100;
/** Characters: far more than anybody writes by hand. */
const TEXT_MAX = 4 * 1024 * 1024;
/** Everything that walks the value is recursive. */
const DEPTH_MAX = 100;
const TOO_DEEP = `maps and lists lie more than ${DEPTH_MAX} deep here`;

export interface Source {
  readonly value: unknown;
  readonly locate: Locate;
  readonly problems: readonly LocatedProblem[];
}

export function readSource(text: string, file: string, env: Env): Source {
  if (text.length > TEXT_MAX) {
    const message = `the file has ${text.length} characters; at most ${TEXT_MAX} are read`;
    return { value: undefined, locate: () => undefined, problems: [{ file, line: 1, column: 1, path: '', message }] };
  }
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const found = [...doc.errors, ...doc.warnings].map((e) => ({ offset: e.pos[0], message: sentence(e, text) }));
  if (found.length === 0 && doc.contents === null)
    found.push({ offset: 0, message: 'the file is empty: a mesh file has at least `mesh: NAME` and `actors:`' });
  if (found.length === 0) found.push(...refused(doc));
  if (found.length === 0) found.push(...fillIn(doc, env));
  const value = found.length === 0 ? valueOf(doc, found) : undefined;
  const locate: Locate = (path, atKey) => {
    const offset = offsetOf(doc, path, atKey);
    return offset === undefined ? undefined : at(offset);
  };
  return {
    value,
    locate,
    problems: found.map(({ offset, message }) => ({ file, ...at(offset), path: '', message })),
  };
}

interface Found {
  readonly offset: number;
  readonly message: string;
}

function valueOf(doc: Document, found: Found[]): unknown {
  try {
    return doc.toJS({ maxAliasCount: ALIASES_MAX });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    found.push({ offset: 0, message: `its aliases come to more than ${ALIASES_MAX}, one within the other` });
    return undefined;
  }
}

/** What YAML says where a line of a map has no key: codes of its errors. */
const KEYLESS: ReadonlySet<YAMLError['code']> = new Set(['MISSING_CHAR', 'BLOCK_AS_IMPLICIT_KEY', 'MULTILINE_IMPLICIT_KEY']);

function sentence({ code, message, pos }: YAMLError, text: string): string {
  if (code === 'DUPLICATE_KEY') return 'this key stands twice in one map: names must differ';
  if (code === 'RESOURCE_EXHAUSTION') return TOO_DEEP;
  if (code === 'MULTIPLE_DOCS') return 'a mesh file is one YAML document: take the second `---` out';
  if (text.slice(pos[0] - 1, pos[0] + 1) === '${')
    return 'a placeholder within { } or [ ] must be quoted, as in { path: "${NAME}" }';
  const [line = ''] = text.slice(pos[0]).split('\n', 1);
  const said = message.charAt(0).toLowerCase() + message.slice(1);
  return KEYLESS.has(code) ? `${said}${withBlank(line.trimEnd()) ?? ''}` : said;
}

/** What YAML allows and a mesh file does not. */
function refused(doc: Document): Found[] {
  const found: Found[] = [];
  visit(doc, {
    Alias(_key, node) {
      const offset = node.range?.[0] ?? 0;
      const named = node.resolve(doc);
      const [from = 0, to = 0] = named?.range ?? [];
      if (named === undefined)
        found.push({ offset, message: `*${node.source} names nothing: no &${node.source} stands before it` });
      else if (from <= offset && offset < to) found.push({ offset, message: `*${node.source} stands within what it names` });
    },
    Collection(_key, node, path) {
      // A path has a map and a pair for each level.
      if (path.length === 2 * DEPTH_MAX + 1) found.push({ offset: node.range?.[0] ?? 0, message: TOO_DEEP });
    },
    Pair(_key, { key }) {
      if (!isNode(key)) return;
      const offset = key.range?.[0] ?? 0;
      if (!isScalar(key)) found.push({ offset, message: 'a key must be plain text' });
      else if (key.value === '__proto__') found.push({ offset, message: '"__proto__" is no name' });
    },
  });
  return found;
}

function fillIn(doc: Document, env: Env): Found[] {
  const problems: Found[] = [];
  visit(doc, {
    Scalar(key, node) {
      if (key === 'key' || typeof node.value !== 'string') return;
      const filled = interpolate(node.value, env);
      if (filled === undefined) return;
      for (const message of filled.problems) problems.push({ offset: node.range?.[0] ?? 0, message });
      node.value = filled.whole && node.type === 'PLAIN' ? plainScalar(filled.text) : filled.text;
    },
  });
  return problems;
}

/** The deepest place on the path that the file has. */
function offsetOf(doc: Document, path: ConfigPath, atKey: boolean): number | undefined {
  let node: Node | null | undefined = doc.contents;
  let offset = node?.range?.[0];
  for (const [depth, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(doc);
    if (isMap(node)) {
      const pair: Pair | undefined = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part));
      if (pair === undefined) return offset;
      const wantsKey = atKey && depth === path.length - 1;
      const place = wantsKey || !isNode(pair.value) || isEmpty(pair.value) ? (pair.key as Scalar) : pair.value;
      offset = place.range?.[0] ?? offset;
      node = isNode(pair.value) ? pair.value : undefined;
    } else if (isSeq(node)) {
      const item: unknown = node.items[Number(part)];
      node = isNode(item) ? item : undefined;
      offset = node?.range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}

const isEmpty = (node: Node): boolean => isScalar(node) && node.value === null && node.source === '';
