/** What differs between two states, as data and as lines for people. */
import diff from 'microdiff';
import type { View } from '../../core/logic.ts';
import { inline, stateText } from './text.ts';

export interface Change {
  /** `value` is the state of the chart; `context.a.b` a part of its context. */
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

const shown = (view: View | undefined): Record<string, unknown> =>
  view === undefined
    ? {}
    : {
        status: view.status,
        value: stateText(view.value),
        ...(view.context !== undefined && { context: view.context }),
        ...(view.output !== undefined && { output: view.output }),
        ...(view.error !== undefined && { error: view.error }),
      };

/** Empty: the same. */
export function changesOf(before: View | undefined, after: View | undefined): Change[] {
  return changes(shown(before), shown(after));
}

/** Of any two values, under `name`. */
export const differences = (name: string, before: unknown, after: unknown): Change[] =>
  changes({ [name]: before }, { [name]: after });

/** States are trees: they are JSON. */
const changes = (before: Record<string, unknown>, after: Record<string, unknown>): Change[] =>
  diff(before, after, { cyclesFix: false }).map((found) => ({
    path: pathText(found.path),
    ...(found.type !== 'CREATE' && { before: found.oldValue as unknown }),
    ...(found.type !== 'REMOVE' && { after: found.value as unknown }),
  }));

const pathText = (path: readonly (string | number)[]): string =>
  path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
    '',
  );

/** `context.count: 1 -> 2`, `+ context.name: "x"`, `- context.old: 3` */
export function changeText({ path, ...change }: Change, width = 100): string {
  const room = Math.max(20, Math.floor((width - path.length - 8) / 2));
  if (!('before' in change)) return `+ ${path}: ${inline(change.after, room * 2)}`;
  if (!('after' in change)) return `- ${path}: ${inline(change.before, room * 2)}`;
  return `  ${path}: ${inline(change.before, room)} -> ${inline(change.after, room)}`;
}
