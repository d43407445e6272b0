/**
 * Does a persisted snapshot fit a chart that may have been edited since? XState restores a renamed state as `error` and an edited
 * `after` without a word; here each difference is a reason that people can read. It looks, and changes nothing.
 */
import type { AnyActorLogic, AnyStateMachine } from 'xstate';

/** What is read of XState's state nodes. */
interface Node {
  readonly id: string;
  readonly key: string;
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  readonly parent?: Node;
  readonly states: Readonly<Record<string, Node>>;
  readonly invoke: readonly { readonly id: string; readonly src: string }[];
  readonly after: readonly {
    readonly eventType: string;
    readonly guard?: unknown;
    readonly reenter: boolean;
    readonly target?: readonly Node[];
    readonly source: Node;
  }[];
}
interface Persisted {
  readonly status?: unknown;
  readonly value?: unknown;
  readonly historyValue?: Readonly<Record<string, readonly { readonly id: string }[]>>;
  readonly children?: Readonly<Record<string, { readonly src?: unknown }>>;
}

/** The reasons why not; none: it fits. `timers`: event types of what is set. */
export function misfits(
  machine: AnyStateMachine,
  sources: ReadonlyMap<string, AnyActorLogic>,
  json: unknown,
  timers: readonly string[],
): readonly string[] {
  if (typeof json !== 'object' || json === null || !('value' in json) || !('status' in json))
    return [`it is no snapshot of a machine`];
  const persisted = json as Persisted;
  if (persisted.status !== 'active') return [];
  const root = machine.root as unknown as Node;
  const active: Node[] = [];
  const reasons = [...states(root, persisted.value, active), ...history(machine, persisted)];
  for (const [id, child] of Object.entries(persisted.children ?? {})) {
    if (!sources.has(String(child.src)))
      reasons.push(
        `child '${id}' was spawned from '${String(child.src)}', which the chart no longer has (it has: ${list(sources.keys())})`,
      );
  }
  if (reasons.length === 0) for (const node of active) reasons.push(...invokes(node, persisted), ...waits(node, timers));
  return [...reasons, ...stranded(root, timers)];
}

const list = (names: Iterable<string>): string => [...names].map((n) => `'${n}'`).join(', ') || 'none';

function states(node: Node, value: unknown, active: Node[]): string[] {
  active.push(node);
  const children = Object.values(node.states).filter((n) => n.type !== 'history');
  if (typeof value === 'string') {
    const child = node.states[value];
    if (child === undefined)
      return [`state '${node.id}.${value}' is not in the chart any more (there are: ${list(children.map((n) => n.key))})`];
    if (child.type === 'history') return [`'${child.id}' is a history state now`];
    if (child.type === 'compound' || child.type === 'parallel')
      return [`state '${child.id}' has states of its own now (${list(Object.keys(child.states))})`];
    active.push(child);
    return [];
  }
  if (typeof value !== 'object' || value === null) return [`the saved value of '${node.id}' is no state`];
  const saved = Object.keys(value);
  const missing = saved.filter((key) => node.states[key] === undefined);
  if (missing.length > 0)
    return missing.map(
      (key) => `state '${node.id}.${key}' is not in the chart any more (there are: ${list(children.map((n) => n.key))})`,
    );
  if (node.type === 'parallel') {
    const added = children.filter((n) => !saved.includes(n.key));
    if (added.length > 0) return added.map((n) => `'${n.id}' is a new region of '${node.id}', which the saved state is in`);
  } else if (node.type === 'compound' && saved.length > 1) return [`'${node.id}' was parallel and is not any more`];
  else if (children.length === 0 && saved.length > 0) return [`'${node.id}' has no states any more`];
  return saved.flatMap((key) => {
    const child = node.states[key] as Node;
    const inner = (value as Record<string, unknown>)[key];
    const isEmpty = typeof inner === 'object' && inner !== null && Object.keys(inner).length === 0;
    if (!isEmpty)
      return child.type === 'atomic' || child.type === 'final'
        ? [`'${child.id}' has no states any more`]
        : states(child, inner, active);
    active.push(child);
    return child.type === 'compound' || child.type === 'parallel'
      ? [`state '${child.id}' has states of its own now (${list(Object.keys(child.states))})`]
      : [];
  });
}

function history(machine: AnyStateMachine, persisted: Persisted): string[] {
  const reasons: string[] = [];
  const { idMap } = machine as unknown as { readonly idMap: ReadonlyMap<string, Node> };
  const find = (id: string): Node | undefined => idMap.get(id);
  for (const [id, saved] of Object.entries(persisted.historyValue ?? {})) {
    if (find(id)?.type !== 'history') reasons.push(`history state '${id}' is not in the chart any more`);
    for (const state of saved)
      if (find(state.id) === undefined)
        reasons.push(`history of '${id}' remembers state '${state.id}', which is not in the chart any more`);
  }
  return reasons;
}

function invokes(node: Node, persisted: Persisted): string[] {
  return node.invoke.flatMap(({ id, src }) => {
    const child = persisted.children?.[id];
    if (child === undefined)
      return [`state '${node.id}' invokes '${id}', which was never started: the saved state was entered without it`];
    return child.src === src
      ? []
      : [`state '${node.id}' invokes '${id}' from '${src}'; the one that runs was started from '${String(child.src)}'`];
  });
}

/** The `after`s that would have left the state if they had fired, but are not set. */
function missingWaits(node: Node, timers: readonly string[]): string[] {
  const missing = node.after.filter(
    (t) =>
      t.guard === undefined && t.target !== undefined && leaves(t.source, t.target, t.reenter) && !timers.includes(t.eventType),
  );
  return [...new Set(missing.map((t) => t.eventType))];
}

function waits(node: Node, timers: readonly string[]): string[] {
  return missingWaits(node, timers).map(
    (type) =>
      `state '${node.id}' has an \`after\` now ('${type}') that was not there when it was entered, so nothing would wake it`,
  );
}

/** As `Logic.renamedTimers`. */
export function renamedWaits(machine: AnyStateMachine, json: unknown, timers: readonly string[]): Map<string, string> {
  const renamed = new Map<string, string>();
  const root = machine.root as unknown as Node;
  const active: Node[] = [];
  if (typeof json !== 'object' || json === null || states(root, (json as Persisted).value, active).length > 0) return renamed;
  const known = afterTypes(root);
  const idle = timers.filter((type) => type.startsWith('xstate.after.') && !known.has(type));
  const missing = active.flatMap((node) => missingWaits(node, timers).map((type) => ({ type, node })));
  const delayOf = ({ type, node }: { readonly type: string; readonly node: Node }): string => type.slice(0, -node.id.length);
  for (const wait of missing) {
    const delay = delayOf(wait);
    const candidates = idle.filter((type) => type.startsWith(delay));
    const rivals = missing.filter((other) => delayOf(other) === delay);
    const [only] = candidates;
    if (candidates.length === 1 && rivals.length === 1 && only !== undefined) renamed.set(only, wait.type);
  }
  return renamed;
}

function leaves(source: Node, targets: readonly Node[], reenter: boolean): boolean {
  if (reenter) return true;
  const inside = (n: Node | undefined): boolean => n !== undefined && (n === source || inside(n.parent));
  return !targets.every((n) => inside(n));
}

/** Timers of an `after` that nothing waits for any more. */
function stranded(root: Node, timers: readonly string[]): string[] {
  const known = afterTypes(root);
  return timers
    .filter((type) => type.startsWith('xstate.after.') && !known.has(type))
    .map((type) => {
      const state = [...known.values()].find((id) => type.endsWith(`.${id}`));
      const now = [...known].filter(([, id]) => id === state).map(([other]) => other);
      return `timer '${type}' is set, but no state has such an 'after' any more${state === undefined ? '' : ` ('${state}' has: ${list(now)})`}`;
    });
}

/** Event types of all `after`s of the chart, with the id of their state. */
function afterTypes(root: Node): ReadonlyMap<string, string> {
  const known = new Map<string, string>();
  const walk = (node: Node): void => {
    for (const { eventType } of node.after) known.set(eventType, node.id);
    for (const child of Object.values(node.states)) walk(child);
  };
  walk(root);
  return known;
}
