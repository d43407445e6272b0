/** Snapshots as JSON and back, and their digests. */
import type { AnyActorLogic, AnyMachineSnapshot, AnyStateMachine, AnyStateNode as StateNode } from 'xstate';
import { digestText, hashKey, hashMembers, hashText, hashValue } from '../digest.ts';
import { type ChildRef, contextMarker } from './refs.ts';
import { childrenOf, isMachine, type PlainSnapshot, type Scope } from './xstate.ts';
import { toPlain } from './plain.ts';

/** As JSON keeps it: XState's persisted snapshot, and `nodes` where its value does not say all. */
export interface PersistedSnapshot extends PlainSnapshot {
  readonly value?: unknown;
  readonly children?: Readonly<Record<string, { readonly src: string }>>;
  readonly historyValue?: Readonly<Record<string, readonly { readonly id: string }[]>>;
  readonly nodes?: readonly string[];
}

/** Throws CONTEXT_NOT_PLAIN, with the path of what JSON cannot carry. */
export function persistSnapshot(logic: AnyActorLogic, snapshot: PlainSnapshot, what: string): unknown {
  // XState would walk the context too, and knows references to children only.
  const persisted = logic.getPersistedSnapshot({ ...snapshot, context: undefined }) as unknown as Record<string, unknown>;
  persisted['context'] = snapshot.context;
  const nodes = isMachine(logic) ? unusualNodes(snapshot as AnyMachineSnapshot) : undefined;
  if (nodes !== undefined) persisted['nodes'] = nodes;
  return toPlain(persisted, { what, code: 'CONTEXT_NOT_PLAIN', marker: contextMarker });
}

/** Without its context, which XState would revive by children only. */
export function restoreShell(logic: AnyActorLogic, json: PersistedSnapshot, scope: Scope): PlainSnapshot {
  const { context: _, nodes: _nodes, ...rest } = json;
  const shell = {
    ...rest,
    context: {},
    ...(isMachine(logic) && rest.historyValue !== undefined && { historyValue: historyOf(logic, rest.historyValue) }),
  };
  const restored = (logic.restoreSnapshot?.(shell as never, scope) ?? shell) as PlainSnapshot;
  if (isMachine(logic)) {
    restoreNodes(logic, restored as AnyMachineSnapshot, json);
    // XState drops a history of nothing, which is not the same as none.
    const { historyValue } = restored as { readonly historyValue?: Record<string, readonly unknown[]> };
    for (const [id, saved] of Object.entries(rest.historyValue ?? {}))
      if (saved.length === 0 && historyValue !== undefined) historyValue[id] = [];
  }
  return restored;
}

// ---- active states ------------------------------------------------------------------------------------------------------

const nodesOf = (machine: AnyStateMachine): ReadonlyMap<string, StateNode> =>
  (machine as unknown as { readonly idMap: ReadonlyMap<string, StateNode> }).idMap;

/**
 * Ids of the active states, where they are not simply those of the value in the order of the document. XState takes the `always` of
 * parallel regions in the order of its own list, as they were entered; and after some transitions its list lacks states that the value
 * has, or has others. It forgets all that when it restores, but a restored actor must do what a living one does.
 */
function unusualNodes(snapshot: AnyMachineSnapshot): readonly string[] | undefined {
  const nodes = snapshot._nodes as readonly StateNode[];
  const { root } = snapshot.machine as unknown as { readonly root: StateNode };
  const usual = [root, ...statesOf(root, snapshot.value)].toSorted((a, b) => a.order - b.order);
  const isUsual = nodes.length === usual.length && nodes.every((n, i) => n === usual[i]);
  return isUsual ? undefined : nodes.map((n) => n.id);
}

/** Below `node`, by the value. */
function statesOf(node: StateNode, value: unknown): StateNode[] {
  if (typeof value === 'string') return [node.states[value] as StateNode];
  return Object.entries(value as object).flatMap(([key, inner]) => {
    const child = node.states[key] as StateNode;
    return [child, ...statesOf(child, inner)];
  });
}

/** As they were saved, or in the order of the document. Where the chart has lost one of them, the value counts. */
function restoreNodes(machine: AnyStateMachine, snapshot: AnyMachineSnapshot, { nodes: ids, value }: PersistedSnapshot): void {
  const known = nodesOf(machine);
  const nodes = ids?.flatMap((id) => known.get(id) ?? []);
  if (nodes !== undefined && nodes.length === ids?.length) {
    snapshot._nodes = nodes;
    // XState makes a value of its own from one that names no state.
    (snapshot as { value: unknown }).value = value;
  } else snapshot._nodes = (snapshot._nodes as StateNode[]).toSorted((a, b) => a.order - b.order);
  snapshot.tags = new Set((snapshot._nodes as StateNode[]).flatMap((n) => n.tags));
}

/** XState would look for ids with dots in them in the wrong place. */
function historyOf(machine: AnyStateMachine, history: NonNullable<PersistedSnapshot['historyValue']>): object {
  const nodes = nodesOf(machine);
  return Object.fromEntries(Object.entries(history).map(([id, saved]) => [id, saved.map((n) => nodes.get(n.id) ?? n)]));
}

// ---- digests ------------------------------------------------------------------------------------------------------------

const KEYS = {
  status: hashKey('status'),
  context: hashKey('context'),
  value: hashKey('value'),
  output: hashKey('output'),
  historyValue: hashKey('historyValue'),
  children: hashKey('children'),
};
/** Scratch. */
const members: number[] = [];
const histories = new WeakMap<object, number>();

/** Of `{ status, context, output?, value?, historyValue?, children? }`: the last three of a machine, each when there is one. */
export function digestSnapshot(snapshot: PlainSnapshot, ofMachine: boolean, like: PlainSnapshot | undefined): string {
  const s = snapshot as PlainSnapshot & Partial<AnyMachineSnapshot>;
  const m = members;
  let n = 0;
  m[n++] = KEYS.status;
  m[n++] = hashText(s.status);
  m[n++] = KEYS.context;
  m[n++] = hashValue(s.context, like?.context);
  if (s.output !== undefined) {
    m[n++] = KEYS.output;
    m[n++] = hashValue(s.output);
  }
  if (ofMachine) {
    m[n++] = KEYS.value;
    m[n++] = hashValue(s.value);
    const history = hashHistory(s.historyValue as object);
    if (history !== undefined) {
      m[n++] = KEYS.historyValue;
      m[n++] = history;
    }
    const children = hashChildren(childrenOf(s));
    if (children !== undefined) {
      m[n++] = KEYS.children;
      m[n++] = children;
    }
  }
  return digestText(hashMembers(m, n));
}

/** As `{ [history id]: [state ids] }`. */
function hashHistory(history: object): number | undefined {
  let h = histories.get(history);
  if (h !== undefined) return h;
  const ids = Object.entries(history as Record<string, readonly { readonly id: string }[]>).map(([id, nodes]) => [
    id,
    nodes.map((n) => n.id),
  ]);
  if (ids.length === 0) return undefined;
  h = hashValue(Object.fromEntries(ids));
  histories.set(history, h);
  return h;
}

const ids: number[] = [];
/** As `{ [child id]: source }`. */
function hashChildren(children: Readonly<Record<string, ChildRef>>): number | undefined {
  let n = 0;
  for (const id in children) {
    ids[n++] = hashKey(id);
    ids[n++] = hashText(String(children[id]?.src));
  }
  return n === 0 ? undefined : hashMembers(ids, n);
}
