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
} from 'yaml';
import { type Env, interpolate, plainScalar } from './interpolate.ts';
import type { ConfigPath, Locate, LocatedProblem, Position } from './problems.ts';

/** Aliases that a file may follow: enough for people, too few for a bomb. */
const ALIASES_MAX = 100;

export interface Source {
  readonly value: unknown;
  readonly locate: Locate;
  readonly problems: readonly LocatedProblem[];
}

export function readSource(text: string, file: string, env: Env): Source {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const problems: LocatedProblem[] = doc.errors.map((e) => ({
    file,
    ...at(e.pos[0]),
    path: '',
    message: sentence(e.code, e.message),
  }));
  if (problems.length === 0)
    problems.push(...fillIn(doc, env).map(({ offset, message }) => ({ file, ...at(offset), path: '', message })));
  const locate: Locate = (path, atKey) => {
    const offset = offsetOf(doc, path, atKey);
    return offset === undefined ? undefined : at(offset);
  };
  return { value: problems.length === 0 ? doc.toJS({ maxAliasCount: ALIASES_MAX }) : undefined, locate, problems };
}

const sentence = (code: string, message: string): string =>
  code === 'DUPLICATE_KEY'
    ? 'this key stands twice in one map: names must differ'
    : message.charAt(0).toLowerCase() + message.slice(1);

function fillIn(doc: Document, env: Env): { offset: number; message: string }[] {
  const problems: { offset: number; message: string }[] = [];
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
